"""The command line: ``ecgtl COMMAND``, or ``python -m ecgtl COMMAND``.

What commands there are stands in ``commands.yml``, with the function that each one calls; it is imported when it is
chosen, so a command waits for what it needs alone.
"""

import atexit
import gc
import os
import re
import sys

from ecgtl import processes
from ecgtl.commands.parser import parser, resolved
from ecgtl.errors import EcgtlError

STOPPED = "ecgtl: stopped; finished results and files are kept, the same command goes on from there"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it worked, 2 with one line on stderr for a user's mistake."""
    words: dict = {}
    try:
        given = vars(parser(sys.argv if arguments is None else arguments).parse_args(arguments))
        words = {name: value for name, value in given.items() if name not in ("call", "command", "verb")}
        gc.disable()  # imports leave no garbage, and looking for it is a fifth of their time
        try:
            call = resolved(given["call"])
        finally:
            gc.enable()
        return call(**words) or 0
    except EcgtlError as error:
        print(f"ecgtl: {as_options(str(error), words)}", file=sys.stderr)
    except ModuleNotFoundError as error:
        absent = (error.name or "ecgtl").partition(".")[0]
        if absent == "ecgtl":
            raise
        print(f"ecgtl: this needs {absent}, which is absent; run: pip install 'ecgtl[data,book]'", file=sys.stderr)
    return 2


def as_options(message: str, words: dict) -> str:
    """A message in which parameters, ``on_bad=skip`` to papermill, are options of the command with these ``words``."""
    names = {*words, *(getattr(resolved(words["config"]), "__dataclass_fields__", ()) if "config" in words else ())}
    return re.sub(r"(?<![\w-])(\w+)=('?)([\w.-]+)\2", lambda found: found[0] if found[1] not in names else
                  f"--{found[1].replace('_', '-')} {found[3]}", message)


def command() -> None:
    """``main`` as a process: Ctrl-C ends it with one line.

    Of the processes of torchrun, which tells of signals itself and ends all when one has said what is wrong, with none.
    """
    atexit.register(gc.freeze)  # what ends with the process need not be looked through
    sys.exit(processes.stoppable(main, "" if "TORCHELASTIC_RUN_ID" in os.environ else STOPPED))


if __name__ == "__main__":
    command()
