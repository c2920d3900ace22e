"""``python -m benchmarks [training] [reading] [scores] [--repeats N] [--json FILE]``."""

import argparse
import json
import os
import platform
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks import reading, scores, training
from benchmarks.timing import table

PARTS = {"training": training.rows, "reading": reading.rows, "scores": scores.rows}
CORES = 2  # the targets are set for two


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed as ratios against the plain way "
                                     "of doing the same. Nothing else should run meanwhile.")
    parser.add_argument("parts", nargs="*", help=f"out of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--repeats", type=int, default=5, help="measurements of each way, in turns (default: 5)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the rows there as well")
    given = parser.parse_args()
    unknown = sorted(set(given.parts) - set(PARTS))
    if unknown or given.repeats < 1:
        parser.error(f"unknown part {unknown[0]!r}; allowed: {', '.join(PARTS)}" if unknown else "--repeats is at least 1")
    torch.set_num_threads(min(CORES, os.cpu_count()))
    machine = {"cores": os.cpu_count(), "threads": torch.get_num_threads(), "load_before": round(os.getloadavg()[0], 2),
               "python": platform.python_version(), "torch": torch.__version__, "machine": platform.machine()}
    print(", ".join(f"{name} {value}" for name, value in machine.items()), flush=True)
    rows = [row for part in given.parts or PARTS for row in PARTS[part](given.repeats)]
    print(table(rows))
    if given.json:
        body = {"machine": machine, "rows": [asdict(row) | {"ratio": row.ratio, "met": row.met} for row in rows]}
        given.json.write_text(json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    main()
