"""``python -m benchmarks [PART ...] [--repeats N] [--threads N] [--full] [--json FILE]``."""

import argparse
import json
import os
import platform
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch

from benchmarks import autoencoder, frames, images, predicting, reading, scores, training, transferability, windows
from benchmarks.timing import table

PARTS = {"training": training.rows, "reading": reading.rows, "scores": scores.rows,
         "autoencoder": autoencoder.rows, "images": images.rows, "windows": windows.rows,
         "transferability": transferability.rows, "frames": frames.rows, "predicting": predicting.rows}
CORES = 2  # the targets are set for two


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed as ratios against the plain way "
                                     "of doing the same. Nothing else should run meanwhile.")
    parser.add_argument("parts", nargs="*", help=f"out of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--repeats", type=int, default=5, help="measurements of each way, in turns (default: 5)")
    parser.add_argument("--threads", type=int, default=CORES, help=f"of PyTorch (default: {CORES})")
    parser.add_argument("--full", action="store_true", help="images: all records, nothing extrapolated")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the rows there as well")
    given = parser.parse_args()
    unknown = sorted(set(given.parts) - set(PARTS))
    if unknown or given.repeats < 1 or given.threads < 1:
        parser.error(f"unknown part {unknown[0]!r}; allowed: {', '.join(PARTS)}" if unknown
                     else "--repeats and --threads must be at least 1")
    torch.set_num_threads(min(given.threads, os.cpu_count()))
    machine = {"cores": os.cpu_count(), "threads": torch.get_num_threads(), "load_before": round(os.getloadavg()[0], 2),
               "python": platform.python_version(), "torch": torch.__version__, "machine": platform.machine()}
    print(", ".join(f"{name} {value}" for name, value in machine.items()), flush=True)
    parts = PARTS | {"images": partial(images.rows, full=given.full)}
    rows = [row for part in given.parts or parts for row in parts[part](given.repeats)]
    print(table(rows))
    if given.json:
        body = {"machine": machine, "rows": [asdict(row) | {"ratio": row.ratio, "met": row.met} for row in rows]}
        given.json.write_text(json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    main()
