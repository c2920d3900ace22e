"""The command line: ``python -m ecgtl COMMAND``; what commands there are stands in ``commands.yml``."""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ecgtl import data_commands, paths, processes, results
from ecgtl.analysis import reproduction, verification
from ecgtl.analysis.coverage import status_table
from ecgtl.config import ScoreConfig
from ecgtl.datasets import LOADERS
from ecgtl.errors import EcgtlError
from ecgtl.experiments import gpu, queue, runners
from ecgtl.jobs import features, predict, rank
from ecgtl.measurements import melep_datasets, melep_random, reconstruction_errors, rr_folds, shaoxing
from ecgtl.models.convert import convert_googlenet
from ecgtl.models.googlenet import default_weights

DESCRIPTION = "Reproducible companion to three papers on transfer learning for ECG classification."
STOPPED = "ecgtl: stopped; finished results and files are kept, the same command goes on from there"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it worked, 2 with one line on stderr for a user's mistake."""
    parser = _Parser(prog="python -m ecgtl", description=DESCRIPTION)
    _add_commands(parser, "command", paths.facts("commands"))
    try:
        given = parser.parse_args(arguments)
        return COMMANDS[given.command](given) or 0
    except EcgtlError as error:
        print(f"ecgtl: {error}", file=sys.stderr)
        return 2


class _Parser(argparse.ArgumentParser):
    """Wrong words on the command line end in the same one line as everything else."""

    def error(self, message: str):
        raise EcgtlError(f"{message}; see '{self.prog} --help'")


def _add_commands(parser: argparse.ArgumentParser, dest: str, commands: dict) -> None:
    """Sub-commands with their arguments as ``commands.yml`` has them; the one that is chosen is in ``dest``."""
    added = parser.add_subparsers(dest=dest, required=True)
    for name, entry in commands.items():
        command = added.add_parser(name, help=entry["help"])
        for argument, options in entry.get("arguments", {}).items():
            kind = {"type": {"int": int, "float": float, "lead": _lead}[options["type"]]} if "type" in options else {}
            command.add_argument(argument, **options | kind)
        if "verbs" in entry:
            _add_commands(command, "verb", entry["verbs"])


def _data(given) -> int:
    if given.verb == "list":
        return data_commands.list_datasets(given.name, as_json=given.json, root=given.root)
    if given.verb == "fetch":
        return data_commands.fetch(given.name, given.root, only=given.only, mirror=given.mirror)
    return data_commands.check(given.name, given.root, only=given.only)


def _run(given) -> None:
    runners.run_missing(given.experiment, given.tier, _shard(given.shard), partial(print, flush=True),
                        tuple(filter(None, given.rows.split(","))))


def _queue(given) -> None:
    if not (given.minutes is None or 0 <= given.minutes < 1e6) or not (given.processes is None or given.processes >= 1):
        raise EcgtlError(f"--minutes is {given.minutes} and --processes {given.processes}; give minutes from 0 and "
                         "processes from 1")
    work_off = partial(gpu.work_off, given.out) if given.out else queue.work_off
    work_off(given.tier, given.minutes, given.processes)


def _measure(given) -> None:
    measure = {"shaoxing": lambda: shaoxing.measure(paths.data()),
               "melep-datasets": lambda: melep_datasets.measure(paths.data()),
               "reconstruction-errors": lambda: reconstruction_errors.measure(given.tier),
               "rr-folds": lambda: rr_folds.measure(given.experiment, given.tier),
               "melep-random": lambda: melep_random.measure(given.experiment, given.tier)}
    print(f"written: {results.save(measure[given.verb]())}")


def _reproduce(given) -> int:
    made = reproduction.reproduce(given.id, given.run, given.tier)
    print("\n".join(made.lines))
    return int(made.outcome == reproduction.DIFFERENT)


def _verify(given) -> int:
    verified = verification.of_number(given.id) if given.id else verification.verify()
    print("\n".join(verified.lines()))
    return int(bool(verified.differences))


def _draw(given) -> None:
    from ecgtl.report.jang import figure4  # noqa: PLC0415 - matplotlib, which the other commands do without

    print(f"written: {figure4.draw(Path(given.file), given.tier)}")


def _shard(text: str) -> tuple[int, int]:
    try:
        k, n = (int(part) for part in text.split("/"))
    except ValueError:
        k, n = 0, 0
    if not 1 <= k <= n:
        raise EcgtlError(f"shard is {text!r}; write k/n with 1 <= k <= n, e.g. 1/4")
    return k, n


def _rank(given) -> None:
    known = given.target in LOADERS and given.target != "folder"
    if given.root and not known:
        raise EcgtlError(f"--root is {given.root!r}, which would have no effect: --target {given.target} is the folder "
                         "itself; give the name of a data set as --target, or leave --root away")
    names = ("labels", "labels_separator", "label_set", "records", "weighting", "resamples", "tier")
    config = ScoreConfig.of(dataset=given.target if known else "folder", root=given.root if known else given.target,
                            lead=given.lead, **{name: getattr(given, name) for name in names})
    print("\n".join(rank.lines(rank.rank(config, given.checkpoints), config)))


def _lead(text: str) -> str | int:
    """A lead as it was typed: digits are an index."""
    return int(text) if text.isdecimal() else text


def _predict(given) -> None:
    paths.output(given.out)  # before any work
    table = predict.predict(given.checkpoint, given.folder, given.lead, given.device)
    print(f"written: {predict.write(table, given.out)}, {len(table)} recordings")


COMMANDS: dict[str, Callable] = {
    "data": _data, "run": _run, "queue": _queue, "measure": _measure, "draw": _draw, "rank": _rank, "predict": _predict,
    "features": lambda given: features.write(given.folder, given.out, given.checkpoint, given.tier, given.lead),
    "weights": lambda given: print(f"written: {convert_googlenet(given.file or None, default_weights())}"),
    "reproduce": _reproduce, "verify": _verify,
    "status": lambda given: print(status_table())}


def command() -> None:
    """``main`` as a process: Ctrl-C ends it with one line."""
    sys.exit(processes.stoppable(main, STOPPED))


if __name__ == "__main__":
    command()
