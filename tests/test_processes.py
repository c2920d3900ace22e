"""Commands that are stopped or killed: they end at once with all that they started, and leave nothing that stays."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ecgtl import paths, processes
from ecgtl.datasets import cache
from ecgtl.errors import EcgtlError
from tests.report.site import test_site

ROOT = paths.repository()
STOPPED = "ecgtl: stopped; finished results and files are kept, the same command goes on from there\n"
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143}


def start(code: str, *words: str, **environment: str) -> subprocess.Popen:
    """A process of a session of its own, with ``code`` as its program."""
    return subprocess.Popen([sys.executable, "-c", code, *words], env=os.environ
                            | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"} | environment,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def until(condition, process: subprocess.Popen, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def stopped(process: subprocess.Popen, number: int, seconds: float = 5.0) -> str:
    """Signal the process alone; it and all below it have ended ``seconds`` later. Returns its stderr."""
    family = [process.pid, *processes.below(process.pid)]
    began = time.monotonic()
    process.send_signal(number)
    process.wait(timeout=30)
    while any(processes._began(pid) for pid in family) and time.monotonic() - began < seconds:
        time.sleep(0.02)
    took = time.monotonic() - began
    assert [pid for pid in family if processes._began(pid)] == [] and took < seconds
    return process.communicate(timeout=30)[1]


# -- signals

WORKERS = ("import sys, time\nfrom ecgtl import processes\n"
           "sys.exit(processes.stoppable(lambda: processes.spread(time.sleep, [60] * 9, 3), lambda: 'stopped'))")


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("importing", [True, False])
def test_workers_end_with_their_process_in_one_line(number, importing):
    process = start(WORKERS)
    until(lambda: len(processes.below(process.pid)) == 3, process)
    time.sleep(0.0 if importing else 2.0)
    assert stopped(process, number) == "stopped\n"
    assert process.returncode == SIGNALS[number]


def test_workers_end_with_a_process_that_is_killed():
    process = start(WORKERS)
    until(lambda: len(processes.below(process.pid)) == 3, process)
    time.sleep(1.0)
    stopped(process, signal.SIGKILL)


def test_workers_give_answers_in_order_and_pass_errors_on():
    assert processes.spread(abs, range(-20, 0), 3) == list(range(20, 0, -1))
    assert processes.spread(abs, [], 2) == [] and processes.spread(abs, [-1], 1) == [1]
    with pytest.raises(TypeError, match="bad operand"):
        processes.spread(abs, [1, "a", 2], 2)
    with pytest.raises(EcgtlError, match="worker process was killed"):
        processes.spread(os._exit, [3], 2)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_main_thread_that_hears_nothing_is_cut_off(tmp_path, number):
    """Twice five seconds in a library's code, or a KeyboardInterrupt that is swallowed: what it was writing goes all
    the same."""
    code = ("import sys, time\nfrom ecgtl import processes\nfrom ecgtl.datasets import cache\n"
            "def build(folder):\n"
            "    (folder / 'half').write_text('x'); print('at work', flush=True)\n"
            "    for _ in range(100):\n"
            "        try: time.sleep(20)\n"
            "        except KeyboardInterrupt: pass\n"
            "sys.exit(processes.stoppable(lambda: cache.entry('x', {}, build), lambda: 'stopped'))")
    process = start(code, ECGTL_CACHE=str(tmp_path))
    assert process.stdout.readline() == "at work\n"
    assert stopped(process, number) == "stopped\n"
    assert process.returncode == SIGNALS[number] and list(tmp_path.iterdir()) == []


def test_a_process_of_torchrun_ends_without_a_line():
    process = start("import time\nfrom ecgtl import __main__ as program\n"
                    "program.main = lambda: print('at work', flush=True) or time.sleep(60)\nprogram.command()",
                    TORCHELASTIC_RUN_ID="x")
    assert process.stdout.readline() == "at work\n" and stopped(process, signal.SIGTERM) == ""
    assert process.returncode == SIGNALS[signal.SIGTERM]


def test_run_ends_at_a_signal_to_itself_alone(tmp_path):
    """SIGTERM; Ctrl-C to all of a terminal's processes stands in ``test_commands``."""
    process = subprocess.Popen([sys.executable, "-m", "ecgtl", "run", "weimann2021-table2", "--tier", "demo"], cwd=ROOT,
                               text=True,
                               env=os.environ | {"ECGTL_RESULTS": str(tmp_path)}, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    process.stdout.readline()  # what there is to do
    time.sleep(0.5)
    assert stopped(process, signal.SIGTERM) == STOPPED
    assert process.returncode == SIGNALS[signal.SIGTERM]
    assert list(tmp_path.rglob(".*")) == []  # neither parts nor reservations


BOOK = ("import sys\nfrom pathlib import Path\nfrom ecgtl import __main__ as program, paths, processes\n"
        "from ecgtl.report.site import book\nbook.make.__defaults__ = ({'slow': (), 'hello': ()},)\n"
        "paths.repository = lambda: Path(sys.argv[1])\n"
        "sys.exit(processes.stoppable(lambda: program.main(['site']), lambda: program.STOPPED))")


def test_the_book_ends_with_its_kernels(tmp_path):
    layout = test_site.tiny(tmp_path / "book")
    test_site.write_notebook(layout.notebooks / "slow.ipynb", [test_site.new_code_cell(
        "import os, time\nfrom pathlib import Path\nfrom ecgtl.datasets import cache\n"
        "def build(folder):\n    Path('begun').write_text(str(os.getpid()))\n    time.sleep(120)\n"
        "cache.entry('x', {}, build)")])
    process = start(BOOK, str(layout.root), ECGTL_RESULTS=str(tmp_path / "r"), ECGTL_CACHE=str(tmp_path / "cache"))
    until((layout.notebooks / "begun").is_file, process)
    until((layout.notebooks / "begun").read_text, process)
    kernel = int((layout.notebooks / "begun").read_text())
    assert kernel in processes.below(process.pid)
    assert stopped(process, signal.SIGINT) == STOPPED
    assert process.returncode == SIGNALS[signal.SIGINT]
    assert list((tmp_path / "cache").glob(".part-*")) == []


@pytest.mark.skipif(not Path("/proc/self/autogroup").is_file(), reason="this system has no groups of sessions")
def test_workers_of_a_nice_process_are_nice_as_a_group():
    code = ("from pathlib import Path\nfrom ecgtl import processes\n"
            "print(processes.spread(Path.read_text, [Path('/proc/self/autogroup')] * 2, 2))")
    done = subprocess.run(["nice", "-n", "7", sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count(f"nice {min(os.nice(0) + 7, 19)}") == 2  # the tests may run under nice themselves


# -- what is left


def test_a_process_is_told_from_others(monkeypatch):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    host, pid, began = processes.me().rsplit("@", 2)
    name = f"{host}@{child.pid}@{processes._began(child.pid)}"
    assert int(pid) == os.getpid() and processes.is_gone(processes.me()) is False and processes.is_gone(name) is False
    assert processes.is_gone(f"{host}@{pid}@{int(began) - 1}") is True  # the number was given to another process since
    child.kill()
    child.wait()
    assert processes.is_gone(name) is True
    assert processes.is_gone(f"elsewhere@{child.pid}@1") is None
    assert [processes.is_gone(word) for word in ("", "x", "@1@2", f"{host}@x@1")] == [None] * 4


def test_parts_of_ended_processes_are_swept_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path / "cache"))
    host = processes._host()
    alive, ended, elsewhere = f"{processes.me()}", f"{host}@{os.getpid()}@1", "elsewhere@1@1"
    old, new = ".part-cinc2017-0123-abcdefgh", ".part-cinc2017-0123-ijklmnop"

    def leave(folder: Path) -> None:
        for name in (f".part-x-1@{alive}", f".part-x-2@{ended}", f".part-x-3@{elsewhere}", old, new):
            (folder / name).mkdir(parents=True)
            (folder / name / "samples.npy").write_text("half")
        (folder / f".part-a.json-4@{ended}").write_text("half")
        for path in (folder / old, folder / old / "samples.npy"):
            os.utime(path, (1, 1))

    kept = {f".part-x-1@{alive}", f".part-x-3@{elsewhere}", new}
    leave(tmp_path / "cache")
    found = cache.entry("y", {}, lambda folder: (folder / "whole").write_text("x"))
    assert {path.name for path in (tmp_path / "cache").iterdir()} == kept | {found.name}
    leave(tmp_path / "elsewhere")
    cache.write_atomic(tmp_path / "elsewhere" / "predictions.csv", b"x")
    assert {path.name for path in (tmp_path / "elsewhere").iterdir()} == kept | {old, "predictions.csv"}


def test_states_that_nobody_resumed_go_after_ninety_days(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path))
    for name, days in (("old", 91), ("young", 89)):
        cache.write_atomic(tmp_path / "unfinished" / f"{name}.pt", b"x")
        os.utime(tmp_path / "unfinished" / f"{name}.pt", (time.time() - days * 86400,) * 2)
    cache.write_atomic(tmp_path / "unfinished" / "mine.pt", b"x")
    assert sorted(path.stem for path in (tmp_path / "unfinished").iterdir()) == ["mine", "young"]


def test_names_as_long_as_a_file_system_takes_are_written(tmp_path):
    cache.write_atomic(tmp_path / ("x" * 250), b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["x" * 250]
