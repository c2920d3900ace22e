"""Badges that say on every table and figure what stands behind it: the tier, what the data are, a verdict, a state."""

from html import escape

from IPython.display import HTML
from markupsafe import Markup

from ecgtl import experiments
from ecgtl.analysis import cells
from ecgtl.datasets.base import Recordings
from ecgtl.errors import EcgtlError
from ecgtl.results import Result

MEANING = {"full": "the paper's own data set, whole", "subset": "a part of the paper's data set",
           "substitute": "another data set in its place", "synthetic": "made data, not recordings", "none": "not used",
           "demo": "small and fast, on made data", "reduced": "smaller network, shorter input, fewer epochs",
           "paper": "the paper's own protocol"}
# Words that MEANING lacks: states of an item, verdicts on a claim, what can still be had
WORDS = {
    "done": "all planned runs are there, on the paper's own data",
    "partial": "some runs are there, or other data stand in",
    "pending": "not run yet; the reason stands beside it",
    "yes": "the 95 % interval lies on the statement's side of 0 or of its limit, or the statement's own rule holds",
    "opposite": "the interval lies on the other side",
    "no": "the statement's own rule fails, which is not one of sides",
    "undecided": "the interval includes 0, or the statement's limit, or the test is not significant",
    "not tested": "fewer than three runs on a side or five label sets, or no recordings of the kind that it speaks of",
    "size:as printed": "ours minus the printed difference has an interval including 0, and ours lies above half the printed",
    "size:smaller": "ours minus the printed difference has an interval below 0, the printed error counted",
    "size:larger": "ours minus the printed difference has an interval above 0, the printed error counted",
    "size:undecided": "the intervals say neither",
    "no worthwhile gain": "the interval of our difference lies below half the printed one",
    "not stated": "the statement is ours, not the paper's",
    "public": "anybody can get it, whole",
    "in part": "a part can be had",
    "unpublished": "it exists but was not published",
    "private": "it cannot be given away",
    "not checked": "a place is named; whether it still answers was not checked",
}
STRENGTH = ("none", "full", "subset", "substitute", "synthetic")  # a badge of several words has the colour of the last


def badge(text: str) -> Markup:
    """HTML of the badge for ``kind:word`` or ``word``; EcgtlError with the vocabulary for another word."""
    kind, colon, word = text.partition(":")
    colon = colon and text not in WORDS
    known = MEANING if colon else WORDS
    if not set(word.split("/") if colon else [text]) <= set(known):
        raise EcgtlError(f"no badge for {text!r}; words after 'tier:', 'target:', …: "
                         f"{', '.join(MEANING)}; words alone: {', '.join(WORDS)}")
    if colon:
        return Markup(_of_kind(kind, word))
    return Markup('<span class="ecgtl-badge ecgtl-{}" title="{}">{}</span>').format(
        (word or kind).replace(" ", "-"), WORDS[text], text.replace(":", ": "))


def _of_kind(kind: str, word: str) -> str:
    """HTML of one badge; its title explains the word."""
    title = "; ".join(MEANING[part] for part in word.split("/"))
    weakest = max(word.split("/"), key=lambda part: STRENGTH.index(part) if part in STRENGTH else -1)
    return (f'<span class="ecgtl-badge ecgtl-{escape(weakest)}" title="{escape(title)}">'
            f"{escape(kind)}: {escape(word)}</span>")


def row(tier: str, evidence: dict[str, str]) -> str:
    """HTML of the badges for a tier and its evidence words; synthetic data get one more, which cannot be missed."""
    found = [badge(f"tier:{tier}"), *(badge(f"{kind}:{word}") for kind, word in evidence.items())]
    if evidence["target"] == "synthetic":
        found.append('<span class="ecgtl-badge ecgtl-synthetic">synthetic data: shows that the machinery works, '
                     "nothing about ECG</span>")
    return f'<p class="ecgtl-badges">{" ".join(found)}</p>'


def state(experiment: str, tier: str, words: str = "", without: str = "") -> Markup:
    """Badges of an experiment's finished runs, their number, and while some are missing the command that makes them."""
    found, planned = cells.runs(experiment, tier), len(experiments.enumerate_runs(experiment, tier))
    evidence = {part: word for part, word in cells.evidence(experiment, tier).items() if part != without}
    known = row(tier, evidence) if found else badge("pending")
    command = Markup("; the rest by <code>python -m ecgtl run {} --tier {}</code>").format(experiment, tier)
    said = " ".join(filter(None, [cells.one_pretraining(found), *cells.protocols_of([experiment], tier)]))
    return Markup("{}<p>{}{} of {} runs{}.{}</p>").format(
        Markup(known), words, len(found), planned, command if len(found) < planned else "", said and f" {said}")


def of_experiment(experiment: str, tier: str) -> HTML:
    """Badges of an experiment's finished runs."""
    return HTML(row(tier, cells.evidence(experiment, tier)))


def of_result(result: Result) -> HTML:
    """Badges of one result."""
    return HTML(row(result.config["tier"], result.evidence))


def of_recordings(recordings: Recordings) -> HTML:
    """Badge of a data set that is only looked at."""
    word = "synthetic" if recordings.synthetic else "real recordings"
    name = "synthetic" if recordings.synthetic else "full"
    return HTML(f'<p class="ecgtl-badges"><span class="ecgtl-badge ecgtl-{name}">data: {word}</span></p>')
