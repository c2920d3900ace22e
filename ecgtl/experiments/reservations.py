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
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from ecgtl import processes

RENEWED, ABANDONED = 30.0, 600.0  # seconds between renewals; without one after which the process of another host counts as dead


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
        with contextlib.suppress(FileExistsError, FileNotFoundError):  # the folder goes when it is empty
            file.parent.mkdir(parents=True, exist_ok=True)
            with open(file, "x") as new:
                new.write(processes.me())
            return True
        with _locked(file) as held:
            if held is not None:
                gone = processes.is_gone(held.read(1000))
                if gone is False or gone is None and _age(file, held.fileno()) < ABANDONED:
                    return False
                held.seek(0)
                held.truncate()
                held.write(processes.me())
                return True
            if file.exists():
                return False


def _give_back(file: Path) -> None:
    with _locked(file) as held:
        if held is not None and held.read(1000) == processes.me():
            file.unlink()
    with contextlib.suppress(OSError):
        file.parent.rmdir()
        file.parent.parent.rmdir()  # a run that fails leaves nothing


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[TextIO | None]:
    """The reservation, open and locked against others that take it over or give it back; None when it cannot be had so."""
    with contextlib.ExitStack() as stack:
        try:
            held = stack.enter_context(open(file, "r+", errors="replace"))
            fcntl.flock(held, fcntl.LOCK_EX)
            same = os.path.samestat(os.fstat(held.fileno()), os.stat(file))
        except OSError:
            same = False
        yield held if same else None


def _age(file: Path, handle: int) -> float:
    """Seconds since the last renewal, by the clock of the file system: hosts' own differ."""
    with tempfile.TemporaryFile(dir=file.parent) as now:
        return os.fstat(now.fileno()).st_mtime - os.fstat(handle).st_mtime
