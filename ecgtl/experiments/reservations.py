"""One process a run: who makes a run reserves it, so that no other process, nor another host on a shared folder, makes it too.

A reservation is a file below ``.running/`` beside the experiments' folders. It names the process, which renews its date
as long as it lives. That of a process which has ended is taken over: at once on its own host, elsewhere when it has not been
renewed for ``ABANDONED`` seconds. Where the file system has no locks it is never taken over; then remove the file by hand.
"""

import contextlib
import fcntl
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from ecgtl import processes

RENEWED, ABANDONED = 30.0, 600.0  # seconds between renewals; without one after which the process of another host counts as dead
Run = TypeVar("Run")


def make_each(runs: Sequence[Run], is_missing: Callable[[Run], bool], make: Callable[[Run], tuple[Path, str]],
              report: Callable[[str], None]) -> list[Path]:
    """Make the ``runs`` that nobody else is making, or has made by now; ``make`` returns a run's file and a line on it.

    The last line to ``report`` counts those that other processes are making. Returns the files written.
    """
    written, elsewhere = [], 0
    for place, run in enumerate(runs, start=1):
        with reserved(run.path) as ours:
            elsewhere += not ours
            if ours and is_missing(run):
                path, line = make(run)
                written.append(path)
                report(f"[{place}/{len(runs)}] {line}")
    if elsewhere:
        report(f"{elsewhere} left to other processes, which are making them")
    return written


@contextlib.contextmanager
def reserved(result: Path) -> Iterator[bool]:
    """Reserve the run whose result is ``result`` for the block; False, without waiting, when another process has it."""
    file = result.parent.parent / ".running" / f"{result.parent.name}-{result.stem}"
    if not _take(file):
        yield False
        return
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(RENEWED):
            with contextlib.suppress(OSError):
                os.utime(file)

    with processes.undone(lambda: _give_back(file)):
        threading.Thread(target=renew, daemon=True).start()
        try:
            yield True
        finally:
            ended.set()


def _take(file: Path) -> bool:
    """Whether the reservation ``file`` is this process's now."""
    while True:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            taken = _take_over(file)
            if taken is not None:
                return taken
        except FileNotFoundError:
            pass  # the folder went, since it was empty
        else:
            os.write(handle, processes.me().encode())
            os.close(handle)
            return True


def _take_over(file: Path) -> bool | None:
    """Whether a reservation that was there could be had; None when it went meanwhile."""
    with _locked(file) as handle:
        if handle is None:
            return None if not file.exists() else False
        gone = processes.is_gone(os.read(handle, 1000).decode(errors="replace"))
        if gone is False or gone is None and _age(file, handle) < ABANDONED:
            return False
        os.ftruncate(handle, 0)
        os.pwrite(handle, processes.me().encode(), 0)
        return True


def _give_back(file: Path) -> None:
    with _locked(file) as handle:
        if handle is not None and os.read(handle, 1000).decode(errors="replace") == processes.me():
            file.unlink()
    with contextlib.suppress(OSError):
        file.parent.rmdir()
        file.parent.parent.rmdir()  # a run that fails leaves nothing


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[int | None]:
    """The reservation, open and locked against others that take it over or give it back; None when it cannot be had so."""
    with contextlib.ExitStack() as stack:
        try:
            handle = os.open(file, os.O_RDWR)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX)
            same = os.path.samestat(os.fstat(handle), os.stat(file))
        except OSError:
            same = False
        yield handle if same else None


def _age(file: Path, handle: int) -> float:
    """Seconds since the last renewal, by the clock of the file system: hosts' own differ."""
    with tempfile.TemporaryFile(dir=file.parent) as now:
        return os.fstat(now.fileno()).st_mtime - os.fstat(handle).st_mtime
