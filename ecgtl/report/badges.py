"""Badges that say on every table and figure what stands behind it: the tier, what the data are, a verdict, a state."""

from functools import cache
from html import escape

from IPython.display import HTML
from markupsafe import Markup

from ecgtl import experiments, paths, results
from ecgtl.analysis import cells
from ecgtl.datasets.recordings import Recordings
from ecgtl.errors import EcgtlError

# A badge of several words has the colour of the last of these
EVIDENCE = ("target", "upstream", "leads", "data")
STRENGTH = ("none", "full", "subset", "substitute", "synthetic")


@cache
def words() -> dict[str, dict[str, str]]:
    """Every word with its meaning, from ``badges.yml``: ``of_kind`` as in ``tier:paper``, and ``alone``."""
    return paths.facts("report/badges")


def badge(text: str) -> Markup:
    """HTML of the badge for ``kind:word`` or ``word``; EcgtlError with the vocabulary for another word."""
    kind, colon, word = text.partition(":")
    of_kind, alone = words()["of_kind"], words()["alone"]
    if text in alone:
        css, title = (word or kind).replace(" ", "-"), alone[text]
    elif colon and (parts := word.split("/")) and set(parts) <= set(of_kind):
        title = Markup(escape("; ".join(of_kind[part] for part in parts)))
        weakest = max(parts, key=lambda part: STRENGTH.index(part) if part in STRENGTH else -1)
        css = f"{weakest} ecgtl-evidence" if kind in EVIDENCE else weakest
    else:
        raise EcgtlError(f"no badge for {text!r}; words after 'tier:', 'target:', …: "
                         f"{', '.join(of_kind)}; words alone: {', '.join(alone)}")
    return _span(css, text.replace(":", ": "), Markup(' title="{}"').format(title))


def _span(css: str, text: str, title: str = "") -> Markup:
    return Markup('<span class="ecgtl-badge ecgtl-{}"{}>{}</span>').format(css, title, text)


def paragraph(*badges: Markup) -> Markup:
    """Badges on a line of their own."""
    return Markup('<p class="ecgtl-badges">{}</p>').format(Markup(" ").join(badges))


def row(tier: str, evidence: dict[str, str]) -> Markup:
    """The badges for a tier and its evidence words; synthetic data get one more, which cannot be missed."""
    found = [badge(f"tier:{tier}"), *(badge(f"{kind}:{word}") for kind, word in evidence.items())]
    if evidence["target"] == "synthetic":
        found.append(_span("synthetic", "synthetic data: shows that the machinery works, nothing about ECG"))
    return paragraph(*found)


def state(experiment: str, tier: str, words: str = "", without: str = "") -> Markup:
    """Badges of an experiment's finished runs, their number, and while some are missing the command that makes them."""
    found, planned = cells.runs(experiment, tier), len(experiments.enumerate_runs(experiment, tier))
    evidence = {part: word for part, word in cells.evidence(experiment, tier).items() if part != without}
    known = row(tier, evidence) if found else badge("pending")
    command = Markup("; the rest by <code>python -m ecgtl run {} --tier {}</code>").format(experiment, tier)
    said = " ".join(filter(None, [cells.one_pretraining(found), *cells.protocols_of([experiment], tier)]))
    return Markup("{}<p>{}{} of {} runs{}.{}</p>").format(
        known, words, len(found), planned, command if len(found) < planned else "", said and f" {said}")


def of_result(result: results.Result) -> HTML:
    """Badges of one result."""
    return HTML(row(result.config["tier"], result.evidence))


def of_recordings(recordings: Recordings) -> HTML:
    """Badge of a data set that is only looked at."""
    name, word = ("synthetic", "synthetic") if recordings.synthetic else ("full", "real recordings")
    return HTML(paragraph(_span(name, f"data: {word}")))
