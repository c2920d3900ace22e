"""The one exception that tells a user what to mend, and what a command makes of it."""

import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache

LONGEST = 2900  # characters
SAID: list[str] = []  # by ``note``, since the process began


class EcgtlError(ValueError):
    """A mistake that the user can mend: one line, naming what is wrong and the remedy.

    The command line prints it without a traceback and exits with status 2; a notebook shows the line alone. What a
    damaged file brings into it may be endless: of a longer line than ``LONGEST`` the middle is left out.
    """

    def __init__(self, line: str = ""):
        super().__init__(line if len(line) <= LONGEST else f"{line[:LONGEST // 2]} ... {line[-LONGEST // 4:]}")

    def _render_traceback_(self):
        # IPython's hook: in a notebook (so under papermill too) the message stands without a stack.
        return [f"{type(self).__name__}: {self}"]


class RecordError(EcgtlError):
    """What is wrong with one recording; ``reason`` says it in few words, by which recordings left out are counted."""

    def __init__(self, reason: str, line: str):
        super().__init__(line)
        self.reason = reason

    def __reduce__(self):
        return type(self), (self.reason, str(self))  # a worker process hands it to its parent


def why_not(work: Callable, *words) -> str:
    """What a user has to mend before ``work(*words)`` can be done; empty when it could be."""
    try:
        work(*words)
    except EcgtlError as error:
        return str(error)
    return ""


@contextlib.contextmanager
def enough_memory() -> Iterator[None]:
    """Where that of the machine, or of its GPU, does not suffice for what is done inside, it is an EcgtlError."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not re.search("out of memory|allocate memory", str(error)):
            raise
        raise EcgtlError("the memory does not suffice for that; give smaller sizes, or a larger machine") from None


def short(error: Exception) -> str:
    """What another library says of a damage, on one line of at most 80 characters."""
    return " ".join(str(error).split())[:80]


def note(line: str) -> None:
    """Say on stderr, in one line, what a user must know of their data and no error is made of."""
    SAID.append(line)
    print(f"ecgtl: note: {line}", file=sys.stderr, flush=True)


note_once = lru_cache(maxsize=4096)(note)  # of what is looked at many times
