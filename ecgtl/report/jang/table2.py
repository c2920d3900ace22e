"""What the pages of Jang 2021 show beyond the general tables: trials, arms, epochs, learning curves.

Runs are read once, into the frames of ``trials`` and ``curves``; all else is computed from those and from the paper's
printed trials. A cell without runs is PENDING; fewer than ``MIN_RUNS`` runs get no interval.
"""

import itertools
import math

import pandas as pd
from IPython.display import HTML
from markupsafe import Markup
from matplotlib import pyplot as plt

from ecgtl import experiments, published, results
from ecgtl.analysis import cells, claims, names
from ecgtl.config import protocol
from ecgtl.experiments import pretrainings
from ecgtl.report import alt, badges, figures, tables
from ecgtl.report.jang import shared
from ecgtl.report.numbers import Numbers
from ecgtl.report.words import gap_with_p, mean, percent

SENSITIVITY = "jang2021-sensitivity"
# Is a collapse at 25 % one of data or of steps? (method, size) of the trainings that tell, and their dashes
CONTROL = {("random", 25): ":", ("random_matched", 25): "-", ("random", 50): "--", ("random", 100): "-"}


def comparison(experiment: str, tier: str, score: str | None = None, table: str | None = None) -> pd.DataFrame:
    """``cells.comparison``, with our sizes in recordings, and what it is of."""
    known, found = shared.recordings(experiment, tier), cells.comparison(experiment, tier, score, table)
    here = [f" ({known[size]:,} here)" if size in known else "" for size in found["size"]]
    return found.assign(words=found["words"] + here, experiment=experiment, tier=tier, score=score)


def compared(frame: pd.DataFrame) -> pd.DataFrame:
    """``comparison`` in the shape of the paper's table."""
    return tables.grid(frame, headings={name: ("Share of the training set", name) for name in frame["words"]})


def networks(experiment: str) -> list[tuple[str, int]]:
    """(method, size) of every cell that a network is trained for, controls included."""
    entry = experiments.load(experiment)
    return [(method, int(size)) for method, size in entry.cells if method in entry.networks]


def both_scores(experiment: str, tier: str) -> pd.DataFrame:
    """Weighted beside macro F1 of the reported epoch: a row a method and size, baselines too."""
    known, baselines = Numbers(experiment, tier), experiments.load(experiment).baselines
    cells_of = [*networks(experiment), *itertools.product(baselines, shared.sizes(experiment))]
    return pd.DataFrame([(f"{names.METHODS[method]}, {percent(size)}",
                          *(known.cell(method, size, score) for score in shared.SCORES)) for method, size in cells_of],
                        columns=["Initialisation, data used", "Weighted F1", "Macro F1"])


def choices(frame: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Weighted F1 by three ways of choosing the epoch, and how much the published way flatters (paired)."""
    rows, words = [], [names.CHOICES[choice].capitalize() for choice in shared.CHOICES]
    for method, size in networks(experiment):
        best, last, validated = (shared.values(frame, method, size, f"{choice}.weighted_f1")
                                 for choice in shared.CHOICES)
        rows.append((names.METHODS[method], percent(size), mean(best), mean(last), mean(validated), len(last),
                     gap_with_p(best, validated, paired=True)))
    return pd.DataFrame(rows, columns=["Initialisation", "Data used", f"{words[0]} (as published)", *words[1:], "n",
                                       "Best on test − best on validation, paired"])


def steps_table(frame: pd.DataFrame, tier: str) -> pd.DataFrame:
    """Random weights with a quarter of the data, the same with four times the epochs, and with more data.

    Beside our steps of the optimiser stand those of the paper's trainings, had its batches been of our size.
    """
    half, rows = shared.values(frame, "random", 50), []
    for method, size in CONTROL:
        best, last, steps = (shared.values(frame, method, size, column)
                             for column in (shared.BEST, "last.weighted_f1", "steps"))
        rows.append((shared.heading(method, size), f"{steps.iloc[0]:,}" if len(steps) else names.PENDING,
                     f"{paper_steps(size, tier):,}" if method == "random" else "–", mean(best), mean(last), len(best),
                     "–" if (method, size) == ("random", 50) else gap_with_p(half, best, paired=False)))
    return pd.DataFrame(rows, columns=["Random weights", "Steps", "Steps in the paper", "Best on test", "Last epoch",
                                       "n", "50 % random − this, Welch"])


def paper_steps(size: int, tier: str) -> int:
    """Steps of the optimiser in the paper's training on ``size`` %, with the batches of our ``tier``."""
    batches = shared.paper_recordings(size) / protocol("jang2021").tiers[tier]["batch_size"]
    return math.ceil(batches) * published.lookup("jang2021.scalars.epochs.value")


def steps_verdict(frame: pd.DataFrame, tier: str) -> HTML:
    """By claims J2 and steps: is there a collapse at 25 %, and does it stay when the steps are matched?"""
    collapse, nearer = (claims.judge("jang2021", name, tier)["ours"] for name in ("J2", "steps"))
    margin = names.f1(claims.claims("jang2021")["J2"]["margin"])
    ends = {"opposite": "it stays with matched steps: a matter of data, not of steps",
            "yes": "it is gone with matched steps: a matter of steps, not of data"}
    end = ends.get(nearer, f"whether it stays with matched steps is {nearer}")
    said = {"opposite": "With 25 % there is none here, so there is nothing that steps could explain.",
            "yes": f"There is one here with 25 %, and {end}."}
    gain = gap_with_p(shared.values(frame, "random_matched", 25), shared.values(frame, "random", 25), paired=True)
    return HTML(Markup("<p>A collapse is a mean at least {} below that of 50 %, with its whole 95 % interval. {} "
                       "Matched minus usual steps at 25 %, paired: {}.</p>").format(
                           margin, said.get(collapse, f"Whether there is one here with 25 % is {collapse}."), gain))


def step_curves(frame: pd.DataFrame) -> plt.Figure | None:
    """Best test score so far against steps of the optimiser, for ``CONTROL``: median and range over trials.

    ``frame`` is that of ``curves``. A trial's last value is what Table 2 reports of it. None without any.
    """
    if frame.empty:
        return None
    figure, axes = plt.subplots(figsize=(figures.WIDTH, 3.6))
    for (method, size), so_far in _so_far(frame).items():
        figures.band(axes, so_far, so_far.median(axis=1), figures.COLOURS[method], CONTROL[method, size],
                     label=f"{shared.heading(method, size)} (n = {so_far.shape[1]})")
    axes.set(xlabel="steps of the optimiser", ylabel="best weighted F1 so far, test set", ylim=(0, 1))
    return figures.legend_below(figure, [axes], 1)


def _so_far(frame: pd.DataFrame) -> dict[tuple[str, int], pd.DataFrame]:
    """Best score so far by step and trial, of each training of ``CONTROL`` that has run."""
    found = {place: shared.cell(frame, *place).pivot(index="step", columns="trial", values="score").cummax()
             for place in CONTROL}
    return {place: so_far for place, so_far in found.items() if len(so_far)}


def steps_said(frame: pd.DataFrame) -> str:
    """What ``step_curves`` says: where the medians end."""
    ends = {f"{shared.heading(*place)} after {so_far.index[-1]:,} steps": so_far.iloc[-1].median()
            for place, so_far in _so_far(frame).items()}
    return alt.by_panel({"Best weighted F1 on the test set, median over trials": alt.ordered(ends)})


def sensitivity(tier: str = "reduced") -> list[results.Result]:
    """The finished pretrainings that vary width and filter, as read from their JSON, the narrowest first."""
    runs = pretrainings.enumerate_runs(SENSITIVITY, tier)
    return sorted((results.read(run.path) for run in runs if run.state() == "done"),
                  key=lambda body: (body.config["width"], not body.config["highpass"]))


def sensitivity_table(bodies: list[results.Result], tier: str = "reduced") -> HTML:
    """Their errors on held-out subjects; PENDING and the command where there is none yet."""
    if not bodies:
        return HTML(Markup("<p>{} No run yet: <code>python -m ecgtl run {} --tier {}</code></p>").format(
            badges.badge("pending"), SENSITIVITY, tier))
    rows = [{"Width": body.config["width"], "Baseline filter": _filter_words(body),
             "Windows, training": f"{body.data['windows']['train']:,}", "held out": f"{body.data['windows']['test']:,}",
             "Epochs": len(body.history), "Squared error, summed over a window": f"{body.scores['mse_sum']:.1f}",
             "per sample": f"{body.scores['mse_sample']:.3f}", "R²": names.f1(body.scores["r2"])} for body in bodies]
    return tables.html(pd.DataFrame(rows), "Reconstruction of held-out subjects by width and baseline filter")


def _filter_words(body: results.Result) -> str:
    return "high-pass, {highpass:g} Hz".format_map(body.config) if body.config["highpass"] else "none"


def sensitivity_curves(bodies: list[results.Result]) -> plt.Figure | None:
    """Validation error by epoch, one line a pretraining; dashed ones are without the filter. None without any."""
    if not bodies:
        return None
    figure, axes = plt.subplots(figsize=(figures.WIDTH, 3.6))
    for body, (colour, marker) in zip(bodies, itertools.cycle(figures.STYLES), strict=False):
        axes.plot("epoch", "validation_loss", "-" if body.config["highpass"] else "--", color=colour, marker=marker,
                  data=pd.DataFrame(body.history), label=_variant(body))
    figures.whole_epochs(axes)
    axes.set_ylabel("validation error, summed over a window\n(z-scores squared)")
    return figures.legend_below(figure, [axes], 1)


def _variant(body: results.Result) -> str:
    return f"width {body.config['width']}, filter: {_filter_words(body)}"


def sensitivity_said(bodies: list[results.Result]) -> str:
    """What ``sensitivity_curves`` says: the error of each variant in its last epoch."""
    last = {_variant(body): body.history[-1]["validation_loss"] for body in bodies}
    return alt.by_panel({"Validation error in the last epoch": alt.ordered(last, "{:.0f}".format)})
