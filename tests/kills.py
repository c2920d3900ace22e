"""Kill a long command at random moments again and again, let it end undisturbed, and compare what it left with a calm
run.

    python tests/kills.py [run|read|pretrain|finetune|fetch|book ...] [--kills 50] [--seed 0]

``test_kills.py`` does the same a few times. Each command is killed with all that it started (SIGKILL), so nothing
tidies up.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from ecgtl import paths, processes

ROOT = paths.repository()
# a state after every epoch, as after 30 s
STATES = "import sys\nfrom ecgtl.training import loop\nloop.STATE_SECONDS = 0.0\n"
INCIDENTAL = ("provenance", "predictions")  # of a result; seconds stand in its history too


@dataclass(frozen=True)
class Command:
    """``words`` of a process that writes below ``folder``; ``outcome(folder)`` is what has to be the same after
    kills."""

    words: Callable[[Path], list[str]]
    outcome: Callable[[Path], dict]
    serve: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
                         "ECGTL_CACHE": str(folder / "cache"),
                         "ECGTL_RESULTS": str(folder / "results"), "OMP_NUM_THREADS": "1"}


def endure(command: Command, folder: Path, kills: int, seed: int,
           calm_seconds: float | None = None) -> dict[str, float]:
    """Kill ``command`` ``kills`` times at moments of a seeded generator, then let it end; raises AssertionError if
    anything differs.

    A moment lies within ``calm_seconds``, what the whole takes undisturbed; after a command that ends before its moment
    comes everything begins anew, so that there is always something to kill. Returns how it went.
    """
    chance = random.Random(seed)
    with command.serve():
        began = time.monotonic()
        finish(command, folder / "calm")
        calm_seconds = calm_seconds or time.monotonic() - began
        expected = command.outcome(folder / "calm")
        done = completed = 0
        while done < kills:
            process = start(command, folder / "killed")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=chance.uniform(0, calm_seconds))
            if process.poll() is None:
                kill(process)
                done += 1
            else:
                assert process.returncode == 0, process.returncode
                assert command.outcome(folder / "killed") == expected
                completed += 1
                shutil.rmtree(folder / "killed")
        finish(command, folder / "killed")
    assert command.outcome(folder / "killed") == expected
    assert leftovers(folder / "killed") == []
    return {"kills": kills, "completed_between": completed, "calm_seconds": round(calm_seconds, 1)}


def start(command: Command, folder: Path) -> subprocess.Popen:
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(command.words(folder), cwd=ROOT, env=environment(folder), start_new_session=True,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def finish(command: Command, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(command.words(folder), cwd=ROOT, env=environment(folder), check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def kill(process: subprocess.Popen) -> None:
    for pid in [process.pid, *processes.below(process.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def leftovers(folder: Path) -> list[str]:
    """Pieces of files that a run after the kills has not swept: those in a folder that it had nothing to write into
    stay."""
    return [str(path.relative_to(folder)) for path in folder.rglob(".part-*")] + [str(p)
                                                                                  for p in folder.rglob(".running/*")]


def scores(folder: Path) -> dict:
    """Every result below ``folder`` but for where and when, and every array of its predictions."""
    found = {}
    for file in sorted((folder / "results").rglob("*.json")):
        body = json.loads(file.read_text())
        history = {"columns": [], "rows": []} if isinstance(body["history"], list) else body["history"]
        timed = [k for k, name in enumerate(history["columns"]) if name == "seconds"]
        body["history"] = [[value for k, value in enumerate(row) if k not in timed] for row in history["rows"]]
        with np.load(file.with_suffix(".npz")) as arrays:
            found[file.name] = ({name: value for name, value in body.items() if name not in INCIDENTAL},
                                {name: hashlib.sha256(arrays[name].tobytes()).hexdigest() for name in arrays})
    assert found
    return found


def contents(below: str, pattern: str = "*") -> Callable[[Path], dict]:
    def outcome(folder: Path) -> dict:
        base = folder / below
        return {str(path.relative_to(base)): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in sorted(base.rglob(pattern)) if path.is_file()}

    return outcome


def program(code: str, before: str = "import sys\n") -> Callable[[Path], list[str]]:
    return lambda folder: [sys.executable, "-c", before + code, str(folder)]


# -- a server of a small release

FILES = {f"{number}.{suffix}": random.Random(f"{number}{suffix}").randbytes(200_000)
         for number in range(100, 124) for suffix in ("dat", "hea", "atr")}


class _Slow(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Keep quiet."""

    def do_GET(self):
        content = self.server.files.get(self.path.rpartition("/")[2])
        self.send_response(200 if content else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        with contextlib.suppress(OSError):
            for at in range(0, len(content or b""), 50_000):
                self.wfile.write(content[at:at + 50_000])
                time.sleep(0.01)


PORT = 40_000 + os.getpid() % 20_000


@contextlib.contextmanager
def small_release() -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", PORT), _Slow)
    lines = "".join(f"{hashlib.sha256(content).hexdigest()} {path}\n" for path, content in FILES.items())
    server.files = FILES | {"SHA256SUMS.txt": lines.encode()}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


BOOK = """
from pathlib import Path
from tests.report.site import test_site
from ecgtl.report.site import book
from ecgtl.report.site.layout import Layout
root = Path(sys.argv[1]) / 'book'
layout = Layout(root) if (root / 'whole').exists() else test_site.tiny(root)
(root / 'whole').touch()
book.make(layout, test_site.MAKES)
"""
TRAIN = "from ecgtl import results\nfrom ecgtl.jobs import {0}\nfrom ecgtl.config import {1}\n"
COMMANDS = {
    "run": Command(program("from ecgtl.__main__ import main\nsys.exit(main(['run', 'weimann2021-table2', '--tier', "
                           "'demo', '--rows', "
                           "'majority,rr_boosting,random']))", STATES), scores),
    "read": Command(program("from ecgtl.datasets import load\nload('cinc2017', twin=True)"),
                    contents("cache", "samples.npy")),
    "pretrain": Command(program(TRAIN.format("pretrain", "PretrainConfig") +
                                "results.save(pretrain.run(PretrainConfig.of(objective='beat', tier='demo')).result)",
                                STATES), scores),
    "finetune": Command(program(TRAIN.format("finetune",
                                             "FinetuneConfig") + "results.save(finetune.run(FinetuneConfig.of("
                                "dataset='cinc2017', init='random', tier='demo', epochs=8)))", STATES), scores),
    "fetch": Command(program("from ecgtl.__main__ import main\nsys.exit(main(['data', 'fetch', 'mitdb', '--root', "
                             "sys.argv[1] + '/data', "
                             f"'--mirror', 'http://127.0.0.1:{PORT}']))"), contents("data"), small_release),
    "book": Command(program(BOOK), contents("book/book/_build/html", "*.html")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("commands", nargs="*", default=[*COMMANDS])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for name in given.commands:
        with tempfile.TemporaryDirectory() as folder:
            print(name, endure(COMMANDS[name], Path(folder), given.kills, given.seed), flush=True)


if __name__ == "__main__":
    main()
