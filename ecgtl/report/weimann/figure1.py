"""Weimann 2021, Figure 1: the course of the study.

Boxes are read from the models, the paper's numbers and the results, so that none can drift from what is run.
"""

from collections.abc import Iterable

import pandas as pd
from IPython.display import HTML

from ecgtl import experiments, published, results
from ecgtl.analysis import cells
from ecgtl.analysis.names import METHODS, PENDING, f1
from ecgtl.datasets import catalogue
from ecgtl.experiments import queue
from ecgtl.report import badges, study
from ecgtl.report.weimann import shared, table1
from ecgtl.report.words import paragraph


def pretrained(tier: str) -> dict[str, results.Result | None]:
    """The results of the pretrainings that the first runs of Table 2 start from, by objective; None where it is not
    there.
    """
    runs = experiments.enumerate_runs(cells.current(shared.TABLE2, tier), tier)
    starts = {run.method: queue.start_of(run, singles=True) for run in reversed(runs)}
    return {name: results.done(start.path) if start else None
            for name in shared.PRETRAINED for start in [starts[name]]}


def overview(tier: str) -> pd.DataFrame:
    """The three steps, as ``diagrams.study_table``; PENDING where nothing was run."""
    experiment, trained = cells.current(shared.TABLE2, tier), {k: body for k, body in pretrained(tier).items() if body}
    runs, filled = cells.runs(experiment, tier), cells.cells(experiment, tier)
    config, tuned = shared.pretraining_config("beat", tier), shared.tuned(tier)
    paper = published.lookup(f"{shared.PAPER}.table2.rows")
    places = [(method, int(size)) for method, row in paper.items() for size in row]
    largest = max(size for _, size in places)
    frames = [body.data["frames"]["train"] * len(body.history) for body in trained.values()]
    subjects = {part: shared.span(body.data["subjects"][part] for body in trained.values())
                for part in ("train", "validation", "test")} if trained else {}
    known = dict.fromkeys(name for body in trained.values() for name in body.data["sources"])
    learners = "{train} to learn from, {validation} to choose the epoch, {test} to test"
    theirs = {"source of continuous ECG": catalogue.entry("icentia11k").title, "tasks": _task_words(table1.tasks()),
              **_weights("paper"), **_scores({name: row[str(largest)]["mean"] for name, row in paper.items()})}
    ours = {
        "source of continuous ECG": ", ".join(catalogue.entry(name).title for name in known or config.source_names),
        "subjects": learners.format_map(subjects) if subjects else PENDING, "tasks": _task_words(trained) or PENDING,
        "frames seen": shared.span(frames) if frames else PENDING,
        "sampling rate of the frames (Hz)": f"{config.sampling_rate:g}",
        "network": config.arch.replace("resnet", "ResNet-") + "v2", **_weights(tier),
        "recordings of CinC 2017": f"{runs[0][1].data['records']:,}" if runs else PENDING,
        "sampling rate of the recordings (Hz)": f"{tuned.sampling_rate:g}",
        "length of the input (s)": f"{tuned.seconds:g}", "epochs at most": str(tuned.epochs),
        "runs a cell": shared.span(sum((run.method, run.size) == place for run, _ in runs) for place in places),
        **_scores({name: filled[name, largest].mean for name in paper if (name, largest) in filled})}
    return study.study_table(shared.PAPER, ours, theirs)


def _task_words(objectives: Iterable[str]) -> str:
    return ", ".join(shared.short(name).lower() for name in objectives)


def _weights(tier: str) -> dict[str, str]:
    """Parameters that the classifier takes over, and those of its output layer, which it does not."""
    whole, output = shared.parameters(shared.tuned(tier).arch, tier)
    return {"weights carried over, computed": f"{whole - output:,}",
            "weights that start at random, computed": f"{output:,}"}


def _scores(means: dict[str, float]) -> dict[str, str]:
    """Mean macro F1 from random weights and of the best pretraining, by method."""
    best = max(means.keys() - {"random"}, key=lambda method: means[method], default=None)
    return {"macro F1, random weights": f1(means["random"]) if "random" in means else PENDING,
            "macro F1, best pretraining": f"{f1(means[best])} ({_task_words([best])})" if best else PENDING}


def learned(tier: str) -> pd.DataFrame:
    """How well each pretraining task was learnt, on subjects that were not trained on."""
    return pd.DataFrame([{"Task": METHODS[objective]} | (_learned(body) if body else {})
                         for objective, body in pretrained(tier).items()]).fillna(PENDING)


def _learned(body: results.Result) -> dict[str, str]:
    scores, config = body.scores, body.config
    return {"Frame (s)": f"{config['seconds']:.2f}", "Accuracy": f1(scores["accuracy"]),
            "Without looking": f1(scores.get("majority", 1 / ((config["negatives"] or 0) + 1))),
            "Macro F1": f1(scores.get("macro_f1")), "Frames": f"{scores['n']:,}"}


def upstream_badges(tier: str) -> HTML:
    """Badges of the pretrainings; pending where there is none."""
    bodies = [body for body in pretrained(tier).values() if body]
    return HTML(badges.row(tier, cells.evidence_of(bodies)) if bodies else paragraph(badges.badge("pending")))
