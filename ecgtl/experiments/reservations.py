"""One process a run: who makes a run locks a file for it, so that no other process, nor another host on a shared
folder, makes it too.

The file lies below ``.running/`` beside the experiments' folders. Its lock ends with its process, however that ends. On
a file system without locks a run may be made twice; each is written whole.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from ecgtl import processes
from ecgtl.datasets.cache import disk_errors


@contextlib.contextmanager
def reserved(result: Path) -> Iterator[bool]:
    """Reserve the run whose result is ``result`` for the block; False, without waiting, when another process has it."""
    file = result.parent.parent / ".running" / f"{result.parent.name}-{result.stem}"
    held = _locked(file)
    if held is None:
        yield False
        return
    with held, processes.undone(lambda: _give_back(file)):
        yield True


def _locked(file: Path) -> TextIO | None:
    """``file``, open and locked; None when another process has the lock."""
    while True:
        # Whoever had it removes the file
        with contextlib.suppress(FileNotFoundError), disk_errors(file.parent), contextlib.ExitStack() as stack:
            file.parent.mkdir(parents=True, exist_ok=True)
            held = stack.enter_context(open(file, "a"))
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            except OSError:
                pass  # there are no locks here
            if os.path.samestat(os.fstat(held.fileno()), os.stat(file)):
                stack.pop_all()
                return held


def _give_back(file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink()
        file.parent.rmdir()
        file.parent.parent.rmdir()  # a run that fails leaves nothing
