"""The command line: ``ecgtl COMMAND``, or ``python -m ecgtl COMMAND``.

What commands there are stands in ``commands.yml``, and below in ``JOBS``, whose options are the fields of a config.
"""

import argparse
import contextlib
import dataclasses
import difflib
import sys
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ecgtl import __version__, data_commands, paths, processes, results
from ecgtl.analysis import reproduction, verification
from ecgtl.analysis.coverage import status_table
from ecgtl.config import FinetuneConfig, Parameters, PretrainConfig, ProbeConfig, ScoreConfig, TransferConfig
from ecgtl.config.pages import ReportConfig
from ecgtl.config.parameters import WORDS
from ecgtl.datasets import LOADERS
from ecgtl.errors import EcgtlError
from ecgtl.experiments import gpu, queue, runners
from ecgtl.jobs import features, finetune, predict, pretrain, probe, rank, transfer
from ecgtl.measurements import melep_datasets, melep_random, reconstruction_errors, rr_folds, shaoxing
from ecgtl.models.convert import convert_googlenet
from ecgtl.models.googlenet import default_weights

DESCRIPTION = "Reproducible companion to three papers on transfer learning for ECG classification."
STOPPED = "ecgtl: stopped; finished results and files are kept, the same command goes on from there"


class Job(NamedTuple):
    """A command that is one run: what for, the config whose fields are its options, and what makes and saves its
    result; ``save`` gives the result and the files.
    """

    help: str
    config: type[Parameters]
    run: Callable
    save: Callable[[Any], tuple] = lambda result: (result, results.save(result))


JOBS = {
    "finetune": Job("fine-tune a network or fit a baseline: one run, one result", FinetuneConfig, finetune.run),
    "pretrain": Job("pretrain a network: a checkpoint and its result", PretrainConfig, pretrain.run,
                    lambda pretrained: (pretrained.result, *pretrain.save(pretrained))),
    "probe": Job("what a frozen encoder's features are worth, by share of the labels", ProbeConfig, probe.run),
    "transfer": Job("score a checkpoint on a task, then fine-tune it: one fold", TransferConfig, transfer.run)}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it worked, 2 with one line on stderr for a user's mistake."""
    try:
        given = _parser(sys.argv if arguments is None else arguments).parse_args(arguments)
        return COMMANDS[vars(given).pop("command")](given) or 0
    except EcgtlError as error:
        print(f"ecgtl: {error}", file=sys.stderr)
        return 2


class _Parser(argparse.ArgumentParser):
    """Wrong words on the command line end in the same one line as everything else."""

    def error(self, message: str):
        raise EcgtlError(f"{message}; see '{self.prog} --help'")

    def add_argument(self, *names, **options):
        """What is not one of a few words may be a file; shtab looks at ``complete``."""
        action = super().add_argument(*names, **options)
        if action.nargs != 0 and action.choices is None:
            action.complete = "file"  # type: ignore[attr-defined]
        return action

    def parse_known_args(self, args=None, namespace=None):
        """What is not known is refused by the command that it was said to, which knows what is like it."""
        given, unknown = super().parse_known_args(args, namespace)
        if unknown:
            close = difflib.get_close_matches(unknown[0].partition("=")[0], self._option_string_actions, n=1)
            self.error(f"unrecognized arguments: {' '.join(unknown)}" + "".join(f" (did you mean {o}?)" for o in close))
        return given, unknown


class _Words(tuple):
    """Words to show and to complete; the config refuses others, in the same words as in a notebook."""

    def __contains__(self, word) -> bool:
        return True


def _parser(asked: Collection[str]) -> _Parser:
    """The command line; the fields of configs are looked up, which takes a while, for the commands in ``asked`` alone.
    """
    parser = _Parser(prog="ecgtl", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"ecgtl {__version__}")
    commands = paths.facts("commands") | {name: job._asdict() for name, job in JOBS.items()}
    commands["rank"] |= {"config": ScoreConfig}
    commands["report"] |= {"config": ReportConfig}
    _add_commands(parser, "command", commands, asked)
    return parser


def _add_commands(parser: argparse.ArgumentParser, dest: str, commands: dict, asked: Collection[str]) -> None:
    """Sub-commands with their arguments as ``commands.yml`` has them; the one that is chosen is in ``dest``."""
    added = parser.add_subparsers(dest=dest, required=True)
    for name, entry in commands.items():
        about = f"{entry['help']}. {entry['config'].__doc__}" if "run" in entry else entry["help"]
        command, there = added.add_parser(name, help=entry["help"], description=about.replace("``", "")), set()
        for argument, options in entry.get("arguments", {}).items():
            kind = {"type": {"int": int, "float": float, "lead": _lead}[options["type"]]} if "type" in options else {}
            there.add(command.add_argument(argument, **options | kind).dest)
        if "config" in entry and name in asked:
            _add_parameters(command, entry["config"], there)
        if "verbs" in entry:
            _add_commands(command, "verb", entry["verbs"], asked)


def _add_parameters(command: argparse.ArgumentParser, config: type[Parameters], there: set[str]) -> None:
    """The fields of ``config`` as options, but for those that are ``there``; not given means the default."""
    words, said = WORDS | config.words(), config.descriptions()
    for field in dataclasses.fields(config):
        if field.name not in there:
            default = "" if field.default == "" or "(default: " in said[field.name] else f" (default: {field.default})"
            command.add_argument(f"--{field.name.replace('_', '-')}", type=partial(_value, field.type),
                                 default=argparse.SUPPRESS, help=(said[field.name] + default).replace("%", "%%"),
                                 choices=_Words(words[field.name]) if field.name in words else None)


def _value(kind: Any, text: str) -> Any:
    """A parameter as it was typed: what papermill takes it for, but a number is text where nothing else will do."""
    for read in ({"True": True, "False": False, "None": None}.__getitem__, int, float):
        with contextlib.suppress(KeyError, ValueError):
            found = read(text)
            return text if kind is str and found is not None else found
    return text


def _job(job: Job, given) -> None:
    config = job.config.from_notebook(vars(given))
    result, *files = job.save(job.run(config, command=config.command()))
    print("evidence:", ", ".join(f"{name} {what}" for name, what in result.evidence.items()))
    scores = result.scores | result.scores.get("measures", {})
    print("\n".join(f"{name}: {score:.4f}" for name, score in scores.items() if isinstance(score, float)))
    if isinstance(config, ProbeConfig):
        for share in result.data["split"]:
            own, (name, *_) = scores[share], scores
            print(f"{share}: {name} {own[name]:.4f} [{own['low']:.4f}, {own['high']:.4f}]")
        print("".join(f"{share}: {why}\n" for share, why in result.data["refused"].items()), end="")
    print("\n".join(f"written: {file}" for file in files))


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
    root, known = getattr(given, "root", ""), given.dataset in LOADERS and given.dataset != "folder"
    if root and not known:
        raise EcgtlError(f"--root is {root!r}, which would have no effect: --target {given.dataset} is the folder "
                         "itself; give the name of a data set as --target, or leave --root away")
    target = {} if known else {"dataset": "folder", "root": given.dataset}
    config = ScoreConfig.of(**vars(given) | target | {"checkpoint": ScoreConfig.checkpoint})
    print("\n".join(rank.lines(rank.rank(config, given.checkpoint), config)))


def _lead(text: str) -> str | int:
    """A lead as it was typed: digits are an index."""
    return int(text) if text.isdecimal() else text


def _predict(given) -> None:
    paths.output(given.out)  # before any work
    table = predict.predict(given.checkpoint, given.folder, given.lead, given.device, rate=given.rate, unit=given.unit)
    print(f"written: {predict.write(table, given.out)}, {len(table)} recordings")


def _report(given) -> None:
    from ecgtl.report.jobs import folder as page  # noqa: PLC0415 - what draws, which the other commands do without

    out = paths.output(vars(given).pop("out"))  # before any work
    print("", *page.write(ReportConfig.of(**vars(given)), out, partial(print, flush=True)), f"written: {out}", sep="\n")


def _site(given) -> None:
    from ecgtl.report.site import book, layout  # noqa: PLC0415 - what draws, which the other commands do without

    book.make((layout.Stored if given.stored else layout.Layout)(paths.repository()))


def _completion(given) -> None:
    import shtab  # noqa: PLC0415 - a machine that only trains needs none

    print(shtab.complete(_parser(COMMANDS), given.shell))


DATA: dict[str, Callable] = {"list": data_commands.list_datasets, "fetch": data_commands.fetch,
                             "check": data_commands.check, "pack": data_commands.pack}
COMMANDS: dict[str, Callable] = {
    "data": lambda given: DATA[given.__dict__.pop("verb")](**vars(given)),
    "run": _run, "queue": _queue, "measure": _measure, "draw": _draw, "rank": _rank, "predict": _predict,
    "features": lambda given: features.write(given.folder, given.out, given.checkpoint, given.tier, given.lead,
                                             given.rate, given.unit),
    "weights": lambda given: print(f"written: {convert_googlenet(given.file or None, default_weights())}"),
    "report": _report, "reproduce": _reproduce, "verify": _verify, "site": _site, "completion": _completion,
    "status": lambda given: print(status_table()), **{name: partial(_job, job) for name, job in JOBS.items()}}


def command() -> None:
    """``main`` as a process: Ctrl-C ends it with one line."""
    sys.exit(processes.stoppable(main, STOPPED))


if __name__ == "__main__":
    command()
