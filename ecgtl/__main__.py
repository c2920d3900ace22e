"""The command line: ``ecgtl COMMAND``, or ``python -m ecgtl COMMAND``.

What commands there are stands in ``commands.yml``, with the function that each one calls; it is imported when it is
chosen, so a command waits for what it needs alone.
"""

import atexit
import contextlib
import gc
import os
import re
import sys
from collections.abc import Mapping

from ecgtl import processes
from ecgtl.commands.parser import parser, resolved
from ecgtl.errors import EcgtlError, enough_memory

STOPPED = "ecgtl: stopped; finished results and files are kept, the same command goes on from there"
ALONE = "TORCHELASTIC_RUN_ID" not in os.environ  # no process of torchrun
CLOSED = 141  # what shells report of a process that wrote where nobody reads any more


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it worked, 2 with one line on stderr for a user's mistake."""
    given: dict = {}
    try:
        given = vars(parser(sys.argv if arguments is None else arguments).parse_args(arguments))
        words = {name: value for name, value in given.items() if name not in ("call", "command", "options", "verb")}
        gc.disable()  # imports leave no garbage, and looking for it is a fifth of their time
        try:
            call = resolved(given["call"])
        finally:
            gc.enable()
        group = contextlib.nullcontext() if ALONE else resolved("training.distributed:joined")(given["command"])
        with group, enough_memory():
            status = call(**words) or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # who read it, such as head, has seen enough; Python would complain of it at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED
    except EcgtlError as error:
        print(f"ecgtl: {as_options(str(error), given.get('options', {}))}", file=sys.stderr)
    except ModuleNotFoundError as error:
        absent = (error.name or "ecgtl").partition(".")[0]
        if absent == "ecgtl":
            raise
        print(f"ecgtl: this needs {absent}, which is absent; run: pip install 'ecgtl[data,book]'", file=sys.stderr)
    return 2


def as_options(message: str, options: Mapping[str, str]) -> str:
    """A message whose parameters, ``on_bad=skip`` to papermill, are a command's ``options``: ``--on-bad skip``."""
    return re.sub(r"(?<![\w-])(\w+)=('?)([\w./-]+)\2",
                  lambda found: f"{options[found[1]]} {found[3]}" if found[1] in options else found[0], message)


def command() -> None:
    """``main`` as a process: Ctrl-C ends it with one line.

    Of the processes of torchrun, which ends all when one ends, the first to know says why.
    """
    atexit.register(gc.freeze)  # what ends with the process need not be looked through
    sys.exit(processes.stoppable(main, lambda: STOPPED if ALONE else getattr(
        sys.modules.get("ecgtl.training.distributed"), "stopped", str)()))


if __name__ == "__main__":
    command()
