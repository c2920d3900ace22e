"""The command line: ``python -m ecgtl data | run | queue | rank | predict | features | status | weights``."""

import argparse
import sys
from functools import partial

from ecgtl import processes
from ecgtl.errors import EcgtlError

STOPPED = "ecgtl: stopped; finished results and files are kept, the same command goes on from there"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it worked, 2 with one line on stderr for a user's mistake."""
    commands = {"data": _data, "run": _run, "queue": _queue, "rank": _rank, "predict": _predict, "features": _features, "weights": _weights,
                "status": _status}
    try:
        given = _parser().parse_args(arguments)
        return commands[given.command](given) or 0
    except EcgtlError as error:
        print(f"ecgtl: {error}", file=sys.stderr)
        return 2


class _Parser(argparse.ArgumentParser):
    """Wrong words on the command line end in the same one line as everything else."""

    def error(self, message: str):
        raise EcgtlError(f"{message}; see '{self.prog} --help'")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m ecgtl", description="Reproducible companion to three papers on transfer learning "
                     "for ECG classification.")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_data(commands.add_parser("data", help="list, fetch and check data sets").add_subparsers(dest="verb", required=True))
    run = commands.add_parser("run", help="run what is missing of an experiment")
    run.add_argument("experiment", help="e.g. weimann2021-table2; 'python -m ecgtl status' lists them")
    run.add_argument("--tier", default="reduced", help="demo, reduced (default) or paper")
    run.add_argument("--shard", default="1/1", help="k/n: every n-th run from the k-th, for processes side by side")
    run.add_argument("--rows", default="", help="some rows of the table alone, with commas between, e.g. random,beat")
    queue = commands.add_parser("queue", help="run what is missing of all experiments, the most valuable first; resumes where it stopped")
    queue.add_argument("--tier", default="reduced", help="demo, reduced (default) or paper")
    queue.add_argument("--minutes", type=float, help="stop after so many (default: when all is done); 0 says what is left")
    queue.add_argument("--processes", type=int, help="side by side, of one thread each (default: one a core)")
    queue.add_argument("--out", help="on a machine that is lent: make runs whose data lie in ECGTL_DATA as packs, write them here as archives")
    _add_rank(commands.add_parser("rank", help="which checkpoint to fine-tune on given recordings, by MELEP"))
    predict = commands.add_parser("predict", help="class probabilities of your own recordings, as CSV")
    predict.add_argument("folder", help="folder of WFDB records")
    predict.add_argument("--checkpoint", required=True, help="a .safetensors file that finetune wrote (save_weights)")
    predict.add_argument("--lead", help="name or index of the lead, for a checkpoint of one lead (default: the one it was trained on)")
    predict.add_argument("--out", default="predictions.csv", help="CSV file to write (default: predictions.csv)")
    predict.add_argument("--device", default="auto", help="auto, cpu or cuda")
    features = commands.add_parser("features", help="what a pretrained encoder makes of your own recordings, as CSV")
    features.add_argument("folder", help="folder of WFDB records, sub-folders included")
    features.add_argument("--checkpoint", default="cae", help="cae (default), or the path of a .safetensors file")
    features.add_argument("--tier", default="reduced", help="of cae: demo, reduced (default) or paper")
    features.add_argument("--lead", help="name or index of the lead; records of one lead need none")
    features.add_argument("--out", default="features.csv", help="CSV file to write (default: features.csv)")
    weights = commands.add_parser("weights", help="bring published weights into a form that is read here")
    weights.add_argument("name", choices=["googlenet"], help="GoogLeNet as BVLC trained it on ImageNet (init=image)")
    weights.add_argument("file", nargs="?", help="the .caffemodel, where it is at hand; else it is downloaded and checked")
    commands.add_parser("status", help="what has been run of every experiment, and what is pending")
    return parser


def _add_rank(rank) -> None:
    rank.add_argument("checkpoints", nargs="+", metavar="checkpoint",
                      help="a .safetensors file, or data set and network of a stored one, e.g. cpsc2018-resnet1d101")
    rank.add_argument("--target", required=True, help="a data set's name, or a folder of labelled WFDB records")
    rank.add_argument("--root", default="", help="where the data set lies (default: ECGTL_DATA)")
    rank.add_argument("--labels", default="", help="label file of a folder (default: its labels.csv)")
    rank.add_argument("--labels-separator", default="", help="what stands between several labels of a record, e.g. ';'")
    rank.add_argument("--label-set", default="", help="names of labels with commas between (default: all)")
    rank.add_argument("--lead", default="0", help="name or index of the lead, for checkpoints of one lead (default: the first)")
    rank.add_argument("--records", type=int, help="recordings at most, drawn (default: all)")
    rank.add_argument("--weighting", default="published", help="of MELEP's labels: published (default) or normalised")
    rank.add_argument("--resamples", type=int, default=200, help="resamples behind the intervals (default: 200)")
    rank.add_argument("--tier", default="reduced", help="of stored checkpoints; demo also takes the data set's twin (default: reduced)")


def _add_data(verbs) -> None:
    listing = verbs.add_parser("list", help="every data set: size, licence, version, whether it is at hand")
    listing.add_argument("name", nargs="?", help="details of one data set")
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.add_argument("--root", help="folder of the data sets (default: ECGTL_DATA)")
    fetch = verbs.add_parser("fetch", help="download from the public release, verified; resumes where it stopped")
    fetch.add_argument("name")
    fetch.add_argument("--root", help="folder for the data sets (default: ECGTL_DATA)")
    fetch.add_argument("--only", help="pattern of the files to fetch, e.g. 'p00/*'")
    fetch.add_argument("--mirror", help="other https address that serves the same files")
    check = verbs.add_parser("check", help="verify the files at hand")
    check.add_argument("name")
    check.add_argument("--root", help="folder of the data sets (default: ECGTL_DATA)")
    check.add_argument("--only", help="pattern of the files to verify")


def _data(given) -> int:
    from ecgtl import data_commands

    if given.verb == "list":
        return data_commands.list_datasets(given.name, as_json=given.json, root=given.root)
    if given.verb == "fetch":
        return data_commands.fetch(given.name, given.root, only=given.only, mirror=given.mirror)
    return data_commands.check(given.name, given.root, only=given.only)


def _run(given) -> None:
    from ecgtl.experiments import runners

    runners.run_missing(given.experiment, _tier(given.tier), _shard(given.shard), partial(print, flush=True),
                        tuple(filter(None, given.rows.split(","))))


def _queue(given) -> None:
    from ecgtl.experiments import gpu, queue

    if not (given.minutes is None or 0 <= given.minutes < 1e6) or not (given.processes is None or given.processes >= 1):
        raise EcgtlError(f"--minutes is {given.minutes} and --processes {given.processes}; give minutes from 0 and processes from 1")
    work_off = partial(gpu.work_off, given.out) if given.out else queue.work_off
    work_off(_tier(given.tier), given.minutes, given.processes)


def _tier(text: str) -> str:
    from ecgtl.config import TIERS

    if text not in TIERS:
        raise EcgtlError(f"unknown tier {text!r}; allowed: {', '.join(TIERS)}")
    return text


def _shard(text: str) -> tuple[int, int]:
    try:
        k, n = (int(part) for part in text.split("/"))
    except ValueError:
        k, n = 0, 0
    if not 1 <= k <= n:
        raise EcgtlError(f"shard is {text!r}; write k/n with 1 <= k <= n, e.g. 1/4")
    return k, n


def _rank(given) -> None:
    from ecgtl import rank
    from ecgtl.config import ScoreConfig
    from ecgtl.datasets import LOADERS

    known = given.target in LOADERS and given.target != "folder"
    if given.root and not known:
        raise EcgtlError(f"--root is {given.root!r}, which would have no effect: --target {given.target} is the folder itself; give "
                         "the name of a data set as --target, or leave --root away")
    same = {name: getattr(given, name) for name in "labels labels_separator label_set records weighting resamples tier".split()}
    config = ScoreConfig.of(dataset=given.target if known else "folder", root=given.root if known else given.target,
                            lead=_lead(given.lead), **same)
    print("\n".join(rank.lines(rank.rank(config, given.checkpoints), config)))


def _lead(text: str | None) -> str | int | None:
    """A lead as it was typed: digits are an index."""
    return int(text) if text and text.isdigit() else text


def _predict(given) -> None:
    from ecgtl import paths, predict

    paths.output(given.out)  # before any work
    table = predict.predict(given.checkpoint, given.folder, _lead(given.lead), given.device)
    print(f"written: {predict.write(table, given.out)}, {len(table)} recordings")


def _features(given) -> None:
    from ecgtl import features

    features.write(given.folder, given.out, given.checkpoint, given.tier, given.lead)


def _weights(given) -> None:
    from ecgtl.models.convert import convert_googlenet
    from ecgtl.models.googlenet import default_weights

    print(f"written: {convert_googlenet(given.file or None, default_weights())}")


def _status(given) -> None:
    from ecgtl.analysis.coverage import status_table

    print(status_table())


if __name__ == "__main__":
    sys.exit(processes.stoppable(main, STOPPED))
