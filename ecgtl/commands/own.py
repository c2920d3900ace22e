"""Recordings of one's own: ``predict``, the ``models`` that are shipped for it, and their ``export``."""

import sys
from functools import partial

from ecgtl.config.classifier import shipped
from ecgtl.errors import EcgtlError
from ecgtl.jobs import export as exporting
from ecgtl.jobs import predict as job
from ecgtl.models import checkpoint
from ecgtl.spreadsheet import STDOUT, check_out, write_table


def predict(path: str, model: str | None, checkpoint: str | None, lead: str | int | None, derive: bool, rate: float,
            unit: str, on_bad: str, out: str, device: str) -> None:
    """Write the class probabilities of recordings to ``out``; what is said goes elsewhere where they are printed."""
    check_out(out)
    given = [one for one in (model, checkpoint) if one is not None]  # an empty name is one, too, and there is none such
    if len(given) > 1:
        raise EcgtlError(f"both --model {model} and --checkpoint {checkpoint} are given; leave one away")
    say = partial(print, file=sys.stderr if out == STDOUT else sys.stdout)
    table = job.predict([*given, job.DEFAULT][0], path, lead, device, say, rate=rate, unit=unit,
                        derive=derive, on_bad=on_bad)
    write_table(table, out)
    if out != STDOUT:
        say(f"written: {out}, {len(table)} rows of {table['record'].nunique()} recordings")


def models() -> None:
    """Print what is shipped: what each is, its licence, and its scores on the test set and on foreign data sets."""
    for name, path in shipped().items():
        facts = checkpoint.load(path)[1]
        scores = facts.stored["scores"]
        answered = scores["answered"]
        print(f"{name}{' (default)' * (name == job.DEFAULT)}\n  {job.described(facts)}\n  licence: {facts.licence}\n"
              f"  test set: macro F1 {_limits(scores['macro_f1'], scores)}; answers {answered['share']:.0%} of "
              f"recordings, {answered['accuracy']:.0%} of them correctly")
        for dataset, found in scores["foreign"].items():
            print(f"  atrial fibrillation on {dataset}, which it has not seen: AUC {_limits(found['auc'], found)}")
        print(f"  card: {path.parent / 'README.md'}")


def _limits(value: float, found: dict) -> str:
    return f"{value:.3f} [{found['low']:.3f}, {found['high']:.3f}]"


def export(model: str, onnx: str) -> None:
    """Write a model as an ONNX file."""
    print(f"written: {exporting.export(model, onnx)}")
