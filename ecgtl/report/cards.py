"""The card of a shipped classifier, in the form of Hugging Face: written from its result and its facts."""

import json
from pathlib import Path

import numpy as np
from jinja2 import Environment, StrictUndefined
from matplotlib import pyplot as plt

from ecgtl import metrics, paths, results
from ecgtl.analysis.names import f1
from ecgtl.config import PROBE, protocol
from ecgtl.config.classifier import FILE, shipped
from ecgtl.datasets import catalogue
from ecgtl.datasets.cache import write_atomic
from ecgtl.jobs import classifier
from ecgtl.jobs.ensemble import HOME
from ecgtl.models import checkpoint
from ecgtl.report import figures
from ecgtl.results import Result

LICENCES = {"ODC-BY 1.0": "odc-by", "CC BY 4.0": "cc-by-4.0"}  # -> what Hugging Face calls them
KINDS = {"network": "mean of {} ResNet-18", "trees": "boosted trees on RR intervals",
         "stack": "logistic regression on both"}
ERRORS = 4  # that are named


def write(result: Result, folder: Path) -> None:
    """``README.md``, ``config.json`` and ``reliability.svg`` beside the classifier's file in ``folder``."""
    facts = checkpoint.load(folder / FILE)[1]
    write_atomic(folder / "reliability.svg", figures.svg(diagram(result)).encode())
    write_atomic(folder / "config.json", (json.dumps(facts.stored, indent=1) + "\n").encode())
    write_atomic(folder / "README.md", card(result, facts).encode())


def card(result: Result, facts: checkpoint.CheckpointFacts) -> str:
    """The card's text."""
    data, scores, name = result.data, result.scores, result.config["name"]
    known = protocol(PROBE).classifiers[name]
    other, tried = known.get("beside"), None  # of more leads; told of unless it is shipped itself
    if other and other not in shipped():
        tried = results.read(results.path_of(HOME, f"{other}-reduced", "reduced"))
    values = {
        "result": result, "data": data, "scores": scores, "facts": facts, "name": name, "tier": result.config["tier"],
        "source": catalogue.entry(data["name"]), "licence": LICENCES.get(facts.licence, "other"), "tried": tried,
        "kinds": {kind: words.format(facts.members) for kind, words in KINDS.items()}, "about": known["about"],
        "foreign": {catalogue.entry(one).title: found for one, found in scores["foreign"].items()},
        "rhythm": classifier.RHYTHM, "errors": _errors(result), "commit": result.provenance["commit"][:10]}
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.globals |= {"score": f1, "limits": limits, "percent": lambda value: f"{100 * value:.1f} %",
                            "leading": _leading}
    return environment.from_string((paths.PACKAGE / "report" / "card.md").read_text()).render(values)


def diagram(result: Result) -> plt.Figure:
    """Reliability before and after calibration: accuracy over confidence, bins by their number of recordings."""
    y, raw = result.arrays["y_test"], result.arrays[f"prob_{result.data['kind']}_test"].astype(float)
    figures.use_style()
    figure, axes = plt.subplots(figsize=(figures.WIDTH, 3.4))
    axes.plot([0, 1], [0, 1], color=figures.GREY, linewidth=1, label="perfectly calibrated")
    shown = {"before": raw, "after the temperature": classifier.calibrated(raw, result.scores["temperature"])}
    for (label, p), (colour, marker) in zip(shown.items(), figures.STYLES, strict=False):
        confidence, accuracy, count = metrics.reliability(y, p)
        some = count > 0
        axes.plot(confidence[some], accuracy[some], color=colour, linewidth=1, label=label)
        axes.scatter(confidence[some], accuracy[some], s=200 * count[some] / len(y) + 4, color=colour, marker=marker)
    axes.set(xlabel="confidence", ylabel="accuracy, test set", xlim=(0, 1), ylim=(0, 1))
    return figures.legend_below(figure, [axes])


def _leading(result: Result) -> str:
    """The candidate with the best validation score."""
    return max(KINDS, key=lambda kind: result.scores["validation"][kind])


def _errors(result: Result) -> str:
    """The most frequent confusions on the test set."""
    y, p = result.arrays["y_test"], result.arrays[f"prob_{result.data['kind']}_test"]
    classes, table = result.data["classes"], metrics.confusion_matrix(y, p.argmax(axis=1), p.shape[1])
    wrong = table * ~np.eye(len(table), dtype=bool)
    places = np.argsort(-wrong, axis=None, kind="stable")[:ERRORS]
    pairs = [np.unravel_index(place, wrong.shape) for place in places if wrong.flat[place]]
    told = [f"{classes[i]} taken for {classes[j]} ({wrong[i, j]} of {table[i].sum()})" for i, j in pairs]
    return "; ".join(told) or "none"


def limits(value: float, found: dict) -> str:
    """A score with its limits."""
    return f"{f1(value)} [{f1(found['low'])}, {f1(found['high'])}]"
