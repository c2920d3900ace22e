"""Recordings of one's own: ``predict``."""

import sys
from functools import partial

from ecgtl.jobs import predict as job
from ecgtl.spreadsheet import STDOUT, check_out, write_table


def predict(folder: str, checkpoint: str, lead: str | int | None, rate: float, unit: str, out: str,
            device: str) -> None:
    """Write the class probabilities of recordings to ``out``; what is said goes elsewhere where they are printed."""
    check_out(out)
    say = partial(print, file=sys.stderr if out == STDOUT else sys.stdout)
    table = job.predict(checkpoint, folder, lead, device, say, rate=rate, unit=unit)
    write_table(table, out)
    say(f"written: {out}, {len(table)} recordings")
