"""What the pages of Jang 2021 show beyond the general tables: trials, arms, epochs, learning curves.

Runs are read once, into the frames of ``trials`` and ``curves``; all else is computed from those and from the paper's
printed trials. A cell without runs is PENDING; fewer than ``MIN_RUNS`` runs get no interval.
"""

import inspect
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecgtl import experiments, metrics, published, results, statistics
from ecgtl.analysis import cells, claims, names
from ecgtl.analysis.names import METHODS
from ecgtl.config import protocol
from ecgtl.errors import EcgtlError
from ecgtl.experiments import pretrainings
from ecgtl.report import badges, figures, tables
from ecgtl.report.figures import COLOURS, MARKERS
from ecgtl.report.words import NBSP, PENDING, f1, gap_with_p, mean, mean_sd, percent, plus_minus
from ecgtl.statistics import Sample

PTBXL, CINC2017 = "jang2021-table2-ptbxl", "jang2021-table2-cinc2017"
SENSITIVITY = "jang2021-sensitivity"
NAMES = {PTBXL: "PTB-XL, lead II", CINC2017: "CinC 2017"}
ARMS = {"random": "random", "image": "image", "cae": "autoencoder", "random_matched": "random, matched steps"}
PAIRS = (("cae", "random"), ("image", "random"), ("cae", "image"))
CHOICES = ("best_test", "last", "validated")  # the paper's own first
SCORES = ("weighted_f1", "macro_f1")
BEST = "best_test.weighted_f1"  # what the paper's Table 2 prints
INDEX = "learning_curve_index"  # what its Table 3 prints
# Is a collapse at 25 % one of data or of steps? (method, size) of the trainings that tell, and their dashes
CONTROL = {("random", 25): ":", ("random_matched", 25): "-", ("random", 50): "--", ("random", 100): "-"}

# Made-up learning curves, in F1 by epoch. "steady" and "low" take the same steps at different heights.
EXAMPLES = {
    "steady": (0.40, 0.52, 0.61, 0.68, 0.67, 0.72, 0.75, 0.74, 0.78, 0.80),
    "low": (0.05, 0.17, 0.26, 0.33, 0.32, 0.37, 0.40, 0.39, 0.43, 0.45),
    "swinging": (0.40, 0.60, 0.45, 0.66, 0.50, 0.69, 0.55, 0.76, 0.61, 0.80),
    "dropping": (0.40, 0.50, 0.60, 0.70, 0.50, 0.60, 0.70, 0.80, 0.60, 0.70),
}
EXAMPLE_STYLES = {"steady": ("#0072B2", "-", "o"), "low": ("#009E73", "--", "s"),
                  "swinging": ("#D55E00", "-.", "^"), "dropping": ("#000000", ":", "D")}
WIDTH = 5.6  # of figures, inches: their words can still be read on a narrow screen


# What has been run


def state(experiment: str, tier: str) -> HTML:
    """Badges of the finished runs and their number; while some are missing, the command; the sizes in recordings."""
    experiment = cells.current(experiment, tier)
    drawn = ", ".join(f"{percent(size)} are {n:,}" for size, n in recordings(experiment, tier).items())
    theirs = ", ".join(f"{paper_recordings(size):,.0f}" for size in sizes(experiment))
    said = Markup("<p>Recordings that are drawn for training: {}; in the paper {}.</p>").format(drawn, theirs)
    found = badges.state(experiment, tier, f"{NAMES[cells.original(experiment)]}: ")
    return HTML(found + (said if drawn else Markup()))


def recordings(experiment: str, tier: str) -> dict[int, int]:
    """How many recordings a training of each size draws, as the finished runs have it, the largest first."""
    return {run.size: sum(body["data"]["split"]["train"].values())
            for run, body in sorted(cells.runs(experiment, tier), key=lambda pair: -pair[0].size)}


def paper_recordings(size: int) -> float:
    """The same of the paper's trainings, by its number of recordings and its split."""
    scalars = published.lookup("jang2021.scalars")
    train, test = scalars["split"]["value"]
    return scalars["shaoxing_records"]["value"] * train / (train + test) * size / 100


def comparison(experiment: str, tier: str) -> pd.DataFrame:
    """``cells.comparison`` with our sizes in recordings as well."""
    known, found = recordings(experiment, tier), cells.comparison(experiment, tier)
    here = [f" ({known[size]:,} here)" if size in known else "" for size in found["size"]]
    return found.assign(words=found["words"] + here)


def trials(experiment: str, tier: str) -> pd.DataFrame:
    """One row a finished run.

    ``method``, ``size`` (%), ``trial`` (from 1, as the paper counts), ``steps`` of the optimiser, the
    ``learning_curve_index``, and ``<choice>.<score>`` for each way of choosing the epoch. A baseline has no epochs: its
    scores are the same under every choice, and it has no index.
    """
    rows, names = [], [f"{choice}.{score}" for choice in CHOICES for score in SCORES]
    for run, body in cells.runs(cells.current(experiment, tier), tier):
        scores = body["scores"]
        chosen = [scores.get(choice, scores["validated"]) for choice in CHOICES]
        rows.append((run.method, run.size, run.number + 1, _steps_per_epoch(body) * len(body["history"]),
                     scores.get(INDEX, np.nan), *(one[score] for one in chosen for score in SCORES)))
    return pd.DataFrame(rows, columns=["method", "size", "trial", "steps", INDEX, *names])


def curves(experiment: str, tier: str) -> pd.DataFrame:
    """One row an epoch of a finished run.

    ``method``, ``size``, ``trial``, ``epoch``, ``step`` of the optimiser at its end, and ``score``, the weighted F1 on
    the test set.
    """
    rows = [(run.method, run.size, run.number + 1, row["epoch"], row["epoch"] * _steps_per_epoch(body),
             row["test_score"])
            for run, body in cells.runs(cells.current(experiment, tier), tier) for row in body["history"]]
    return pd.DataFrame(rows, columns=["method", "size", "trial", "epoch", "step", "score"])


def _steps_per_epoch(body: dict) -> int:
    return math.ceil(sum(body["data"]["split"]["train"].values()) / body["config"]["batch_size"])


def sizes(experiment: str) -> tuple[int, ...]:
    """Shares of the training set (%), the largest first."""
    return tuple(experiments.load(experiment).columns)


def cell(frame: pd.DataFrame, method: str, size: int) -> pd.DataFrame:
    """The rows of ``trials`` or ``curves`` of one cell."""
    return frame[(frame["method"] == method) & (frame["size"] == size)]


def values(frame: pd.DataFrame, method: str, size: int, column: str = BEST) -> pd.Series:
    """A column of the trials of one cell, indexed by trial; empty where there is no run."""
    return cell(frame, method, size).set_index("trial")[column].sort_index()


def _by_trial(frame: pd.DataFrame, method: str, size: int) -> list[np.ndarray]:
    """The scores by epoch of every trial of one cell, from ``curves``."""
    return [scores.to_numpy() for _, scores in cell(frame, method, size).groupby("trial")["score"]]


def _networks(experiment: str) -> list[tuple[str, int]]:
    """(method, size) of every cell that a network is trained for, controls included."""
    entry = experiments.load(experiment)
    return [(method, size) for method, size in entry.cells if method in entry.networks]


def _printed(table: str, method: str, size: int | str) -> pd.Series:
    """The trials that the paper prints in a cell, indexed as ours."""
    found = published.lookup(f"jang2021.{table}.rows.{size}.{method}.trials")
    return pd.Series(found, index=range(1, len(found) + 1))


def _printed_cells(table: str) -> Iterator[tuple[str, str, dict]]:
    """(method, size, what is printed) of every cell of a table, in its order."""
    printed = published.lookup(f"jang2021.{table}")
    for size, row in printed["rows"].items():
        yield from ((method, size, row[method]) for method in printed["columns"])


def _printed_p(table: str, size: int | str) -> str:
    found = published.lookup(f"jang2021.{table}.rows.{size}.p_value")
    return f"{found['relation']}{NBSP}{found['value']:g}"


def _heading(method: str, size: int | str) -> str:
    return f"{percent(size)} {ARMS[method]}"


# Trial by trial


def paper_trials(table: str) -> pd.DataFrame:
    """``table2`` or ``table3`` as printed: a row a trial, a column a size and arm; mean ± SD and p below."""
    planned = range(1, published.lookup(f"jang2021.{table}.runs") + 1)
    columns = {"Trial": [*planned, "Mean ± SD, printed", "p, printed"]}
    for method, size, found in _printed_cells(table):
        columns[_heading(method, size)] = [*map(f1, found["trials"]), plus_minus(found["mean"], found["sd"]),
                                           _printed_p(table, size)]
    return pd.DataFrame(columns)


def our_trials(frame: pd.DataFrame, experiment: str, tier: str, column: str = BEST,
               methods: Sequence[str] = ("random", "image", "cae")) -> pd.DataFrame:
    """The same from our runs: a row a planned trial, a dash where it is missing; mean ± SD (n - 1)."""
    planned = range(1, experiments.load(cells.current(experiment, tier)).runs[tier] + 1)
    columns = {"Trial": [*planned, "Mean ± SD"]}
    for size, method in itertools.product(sizes(experiment), methods):
        found = values(frame, method, size, column)
        columns[_heading(method, size)] = [*found.reindex(planned).map(f1), mean_sd(found)]
    return pd.DataFrame(columns)


def curve(comparison: pd.DataFrame, filled: dict[tuple, cells.Cell]) -> Figure:
    """Weighted F1 by the share of the training set that is used: the paper's mean and SD beside our runs and interval.

    Of a ``cells.comparison`` and its ``cells.cells``; PENDING where there is none.
    """
    figure, axes = plt.subplots(figsize=(7.2, 4.8))
    ours = comparison[comparison["n"].gt(0)]
    paper = comparison[comparison["paper"].notna() & comparison["method"].isin(ours["method"])]
    for method, rows in paper.groupby("method", sort=False):
        axes.errorbar(rows["size"] - 0.9, rows["paper"], rows["paper_sd"], color=figures.PAPER_COLOUR, linestyle="--",
                      marker=MARKERS[method], capsize=4, label=f"paper: {METHODS[method]} (mean ± SD)")
    for place, (method, rows) in enumerate(ours.groupby("method", sort=False), start=1):
        if method == "majority":
            axes.axhline(rows["ours"].mean(), color=COLOURS[method], linestyle=":", label=METHODS[method])
        else:
            label = f"ours: {METHODS[method]} (95 % interval)"
            figures.series(axes, rows["size"] + 0.9 * place, rows, filled, label, 0.6, 5, capsize=4)
    axes.set(xlabel="share of the training part used for training (%)", ylabel="weighted F1 on the test part",
             xticks=sorted(comparison["size"].unique()))
    if not filled:
        figures.pending(axes)
    figures.legend_below(figure, [axes])
    return figure


def both_scores(frame: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Weighted beside macro F1 of the reported epoch: a row a method and size, baselines too."""
    entry, rows = experiments.load(experiment), []
    for method, size in (*_networks(experiment), *itertools.product(entry.baselines, entry.columns)):
        weighted, macro = (values(frame, method, size, f"best_test.{score}") for score in SCORES)
        rows.append((METHODS[method], percent(size), mean(weighted), mean(macro), len(weighted)))
    return pd.DataFrame(rows, columns=["Initialisation", "Data used", "Weighted F1", "Macro F1", "n"])


# Which epoch, and which arm


def choices(frame: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Weighted F1 by three ways of choosing the epoch, and how much the published way flatters (paired)."""
    rows, words = [], [names.CHOICES[choice].capitalize() for choice in CHOICES]
    for method, size in _networks(experiment):
        best, last, validated = (values(frame, method, size, f"{choice}.weighted_f1") for choice in CHOICES)
        rows.append((METHODS[method], percent(size), mean(best), mean(last), mean(validated), len(last),
                     gap_with_p(best, validated, paired=True)))
    return pd.DataFrame(rows, columns=["Initialisation", "Data used", f"{words[0]} (as published)", *words[1:], "n",
                                       "Best on test − best on validation, paired"])


def differences(frame: pd.DataFrame, experiment: str, table: str = "table2", column: str = BEST,
                pairs: Sequence[tuple[str, str]] = PAIRS) -> pd.DataFrame:
    """Differences between arms at each size, by Welch's and the paired test: the paper's trials, and ours.

    ``n`` counts our trials of the first and the second arm. The paper's p-value stands where it prints one.
    """
    rows = []
    for size, pair in itertools.product(sizes(experiment), pairs):
        theirs, ours = ([_printed(table, method, size) for method in pair],
                        [values(frame, method, size, column) for method in pair])
        tests = [gap_with_p(*found, paired=paired) for found in (theirs, ours) for paired in (False, True)]
        rows.append((percent(size), f"{ARMS[pair[0]]} − {ARMS[pair[1]]}",
                     _printed_p(table, size) if pair[0] == "cae" else "–", *tests, f"{len(ours[0])}, {len(ours[1])}"))
    return pd.DataFrame(rows, columns=["Data used", "Difference", "Paper, printed p", "Paper's trials, Welch",
                                       "Paper's trials, paired", "Ours, Welch", "Ours, paired", "n"])


# Data or steps


def steps_table(frame: pd.DataFrame, tier: str) -> pd.DataFrame:
    """Random weights with a quarter of the data, the same with four times the epochs, and with more data.

    Beside our steps of the optimiser stand those of the paper's trainings, had its batches been of our size.
    """
    half, rows = values(frame, "random", 50), []
    for method, size in CONTROL:
        best, last, steps = (values(frame, method, size, column) for column in (BEST, "last.weighted_f1", "steps"))
        rows.append((_heading(method, size), f"{steps.iloc[0]:,}" if len(steps) else PENDING,
                     f"{paper_steps(size, tier):,}" if method == "random" else "–", mean(best), mean(last), len(best),
                     "–" if (method, size) == ("random", 50) else gap_with_p(half, best, paired=False)))
    return pd.DataFrame(rows, columns=["Random weights", "Steps", "Steps in the paper", "Best on test", "Last epoch",
                                       "n", "50 % random − this, Welch"])


def paper_steps(size: int, tier: str) -> int:
    """Steps of the optimiser in the paper's training on ``size`` %, with the batches of our ``tier``."""
    batches = paper_recordings(size) / protocol("jang2021")["tiers"][tier]["batch_size"]
    return math.ceil(batches) * published.lookup("jang2021.scalars.epochs.value")


def steps_verdict(frame: pd.DataFrame, tier: str) -> HTML:
    """By claims J2 and steps: is there a collapse at 25 %, and does it stay when the steps are matched?"""
    collapse, nearer = (claims.judge("jang2021", name, tier)["ours"] for name in ("J2", "steps"))
    margin = f1(claims.claims("jang2021")["J2"]["margin"])
    ends = {"opposite": "it stays with matched steps: a matter of data, not of steps",
            "yes": "it is gone with matched steps: a matter of steps, not of data"}
    end = ends.get(nearer, f"whether it stays with matched steps is {nearer}")
    said = {"opposite": "With 25 % there is none here, so there is nothing that steps could explain.",
            "yes": f"There is one here with 25 %, and {end}."}
    text = (f"A collapse is a mean at least {margin} below that of 50 %, with its whole 95 % interval. "
            + said.get(collapse, f"Whether there is one here with 25 % is {collapse}."))
    gain = gap_with_p(values(frame, "random_matched", 25), values(frame, "random", 25), paired=True)
    return HTML(Markup("<p>{} Matched minus usual steps at 25 %, paired: {}.</p>").format(text, gain))


def step_curves(frame: pd.DataFrame) -> Figure:
    """Best test score so far against steps of the optimiser, for ``CONTROL``: median and range over trials.

    ``frame`` is that of ``curves``. A trial's last value is what Table 2 reports of it.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 4.2))
    for (method, size), dash in CONTROL.items():
        so_far = cell(frame, method, size).pivot(index="step", columns="trial", values="score").cummax()
        if len(so_far):
            axes.fill_between(so_far.index, so_far.min(axis=1), so_far.max(axis=1), color=COLOURS[method], alpha=0.12,
                              linewidth=0)
            axes.plot(so_far.index, so_far.median(axis=1), dash, color=COLOURS[method],
                      label=f"{_heading(method, size)} (n = {so_far.shape[1]})")
    axes.set(xlabel="steps of the optimiser", ylabel="best weighted F1 so far, test part", ylim=(0, 1))
    return _finished(figure, [axes])


def _finished(figure: Figure, panels: Sequence[Axes], columns: int = 2) -> Figure:
    """The figure with a legend below; panels without a line say PENDING."""
    for axes in panels:
        if not axes.lines:
            figures.pending(axes)
    figures.legend_below(figure, panels, columns)
    return figure


# Sensitivity of the autoencoder


def sensitivity(tier: str = "reduced") -> list[dict]:
    """The finished pretrainings that vary width and filter, as read from their JSON, the narrowest first."""
    runs = pretrainings.enumerate_runs(SENSITIVITY, tier)
    bodies = [results.read(run.path) for run in runs if run.state() == "done"]
    return sorted(bodies, key=lambda body: (body["config"]["width"], not body["config"]["highpass"]))


def sensitivity_table(bodies: list[dict], tier: str = "reduced") -> HTML:
    """Their errors on held-out subjects; PENDING and the command where there is none yet."""
    if not bodies:
        return HTML(Markup("<p>{} No run yet: <code>python -m ecgtl run {} --tier {}</code></p>").format(
            badges.badge("pending"), SENSITIVITY, tier))
    rows = []
    for body in bodies:
        config, windows, scores = body["config"], body["data"]["windows"], body["scores"]
        rows.append((config["width"], _filter_words(config["highpass"]), f"{windows['train']:,}",
                     f"{windows['test']:,}", len(body["history"]), f"{scores['mse_sum']:.1f}",
                     f"{scores['mse_sample']:.3f}", f1(scores["r2"])))
    table = pd.DataFrame(rows, columns=["Width", "Baseline filter", "Windows, training", "held out", "Epochs",
                                        "Squared error, summed over a window", "per sample", "R²"])
    return tables.html(table, "Reconstruction of held-out subjects by width and baseline filter")


def _filter_words(cutoff: float | None) -> str:
    return f"high-pass, {cutoff:g} Hz" if cutoff else "none"


def sensitivity_curves(bodies: list[dict]) -> Figure:
    """Validation error by epoch, one line a pretraining; dashed ones are without the filter."""
    figure, axes = plt.subplots(figsize=(WIDTH, 4.0))
    for place, body in enumerate(bodies):
        config, rows = body["config"], pd.DataFrame(body["history"])
        axes.plot(rows["epoch"], rows["validation_loss"], "-" if config["highpass"] else "--", color=f"C{place}",
                  marker="osD^vpXP"[place % 8], markersize=4,
                  label=f"width {config['width']}, filter: {_filter_words(config['highpass'])}")
    axes.set(xlabel="epoch", ylabel="validation error, summed over a window\n(z-scores squared)")
    axes.xaxis.get_major_locator().set_params(integer=True)
    return _finished(figure, [axes])


# Table 3: the learning curve index


def index_rows(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Every index, the paper's trials and then ours; ``frames`` maps experiments to their ``trials``."""
    printed = [("paper", method, int(size), trial, value) for method, size, found in _printed_cells("table3")
               for trial, value in enumerate(found["trials"], start=1)]
    ours = [frame.dropna(subset=[INDEX]).assign(source=name) for name, frame in frames.items()]
    columns = ["source", "method", "size", "trial", INDEX]
    return pd.concat([pd.DataFrame(printed, columns=columns), *(frame[columns] for frame in ours if len(frame))],
                     ignore_index=True)


def index_dots(rows: pd.DataFrame) -> Figure:
    """The index by size and arm, a panel a source of ``index_rows``; trials, their mean and interval."""
    sources = {"paper": "The paper, Shaoxing"} | {name: f"Ours, {words}" for name, words in NAMES.items()}
    figure, panels = plt.subplots(len(sources), 1, figsize=(WIDTH, 7.0), sharex=True, sharey=True)
    places = sizes(PTBXL)
    for axes, (source, words) in zip(panels, sources.items(), strict=True):
        here = rows[rows["source"] == source]
        axes.axhline(published.lookup("jang2021.scalars.lci_threshold.value"), color="#777777", linewidth=1)
        for (place, size), (method, shift) in itertools.product(enumerate(places), (("random", -0.18), ("cae", 0.18))):
            found, x = values(here, method, size, INDEX), place + shift
            if len(found):
                low, high = statistics.score_interval(Sample.of(found), np.inf)
                axes.plot(np.linspace(x - 0.1, x, len(found)), found, ".", color=COLOURS[method], alpha=0.6,
                          markersize=6)
                axes.errorbar([x + 0.07], [found.mean()], [[found.mean() - low], [high - found.mean()]],
                              color=COLOURS[method], capsize=4, marker=MARKERS[method], linestyle="none",
                              label=f"{METHODS[method]}: trials, mean, 95 % interval")
        if here.empty:
            figures.pending(axes)
        axes.set(title=words, ylabel="learning curve index", ylim=(0, None), xticks=range(len(places)),
                 xticklabels=map(percent, places))
    panels[-1].set_xlabel("share of the training part that is used")
    figures.legend_below(figure, panels)
    return figure


def printed_spreads(table: str) -> pd.DataFrame:
    """Each printed SD beside those of its trials with divisors n and n - 1, and which one fits the print."""
    half_digit, rows = 0.5 * 10 ** -published.lookup(f"jang2021.{table}.decimals"), []
    for method, size, found in _printed_cells(table):
        by = {"n": np.std(found["trials"]), "n − 1": np.std(found["trials"], ddof=1)}
        fits = [divisor for divisor, sd in by.items() if abs(sd - found["sd"]) <= half_digit + 1e-9]
        rows.append((_heading(method, size), f1(found["sd"]), *(f"{sd:.4f}"[1:] for sd in by.values()),
                     " and ".join(fits) or "neither"))
    return pd.DataFrame(rows, columns=["Cell", "Printed SD", "Divisor n", "Divisor n − 1", "Fits the print"])


def spreads(table: str) -> HTML:
    """``printed_spreads`` as HTML, counted in its caption."""
    found = printed_spreads(table)
    counts = found["Fits the print"].value_counts()
    order = ("n", "n − 1", "n and n − 1", "neither")
    said = ", ".join(f"{counts[fits]} fit {fits}" for fits in order if fits in counts)
    name = table.replace("table", "Table ")
    return tables.html(found, f"{name}, divisor of the printed standard deviations: {said}")


def index_parts(scores: Sequence[float]) -> dict[str, float]:
    """What the index of test F1 by epoch is made of.

    ``rises`` and ``falls`` (numbers), ``rise`` and ``fall`` (mean sizes), ``best``, the ``index`` itself as
    ``metrics.learning_curve_index`` gives it, and ``sums``, the other reading: the sum of rises over the sum
    of falls, times the best score, infinite without a fall. Source: Jang 2021, section II.4(3).
    """
    rises, falls = _rises_and_falls(scores)
    best = float(np.max(scores))
    return {"rises": len(rises), "rise": float(rises.mean()) if len(rises) else 0.0,
            "falls": len(falls), "fall": float(falls.mean()) if len(falls) else 0.0, "best": best,
            "index": metrics.learning_curve_index(scores),
            "sums": float(rises.sum() / falls.sum() * best) if len(falls) else math.inf}


def _rises_and_falls(scores: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    steps = np.diff(np.asarray(scores, float))
    return steps[steps > 0], -steps[steps < 0]


def index_anatomy(frame: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Means over trials of what the index is made of, by size and arm; ``frame`` is that of ``curves``."""
    words = {"rises": "Rises", "rise": "Mean rise", "falls": "Falls", "fall": "Mean fall", "best": "Best F1",
             "index": "Index", "sums": "With sums"}
    rows = []
    for size, method in itertools.product(sizes(experiment), ("random", "cae")):
        found = pd.DataFrame(map(index_parts, _by_trial(frame, method, size)), columns=[*words])
        means = found.mean().items()
        texts = [f"{value:.1f}" if name in ("rises", "falls") else f1(value) for name, value in means]
        rows.append((percent(size), ARMS[method], len(found), *(texts if len(found) else [PENDING] * len(words))))
    return pd.DataFrame(rows, columns=["Data used", "Arm", "n", *words.values()])


# Figure 3: the index explained


def examples_figure() -> Figure:
    """The rises and falls of one made-up curve (A), and four curves with their index (B)."""
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(WIDTH, 6.6), sharex=True, sharey=True)
    _draw_steps(upper, "dropping")
    for name, scores in EXAMPLES.items():
        colour, dash, marker = EXAMPLE_STYLES[name]
        lower.plot(range(1, len(scores) + 1), scores, dash, color=colour, marker=marker, markersize=4,
                   label=f"{name}: index {f1(metrics.learning_curve_index(scores))}")
    lower.set(title="B. Four curves and their index", xlabel="epoch", ylim=(0, 0.9))
    for axes in (upper, lower):
        axes.set_ylabel("F1 on the test part")
    figures.legend_below(figure, (upper, lower), 3)
    return figure


def _draw_steps(axes: Axes, name: str) -> None:
    """Every rise and fall of a made-up curve with its size."""
    parts = index_parts(EXAMPLES[name])
    for epoch, (before, after) in enumerate(itertools.pairwise(EXAMPLES[name]), start=1):
        label, colour, dash, below = ("rise", "#0072B2", "-", -9) if after > before else ("fall", "#D55E00", "--", 4)
        axes.plot([epoch, epoch + 1], [before, after], dash, color=colour, linewidth=2.4, label=label)
        axes.plot([epoch, epoch + 1], [before, after], "o", color="#000000", markersize=4)
        axes.annotate(f1(after - before, True), (epoch + 0.5, (before + after) / 2), fontsize=7, xytext=(5, below),
                      textcoords="offset points")
    words = f"mean rise {f1(parts['rise'])}, mean fall {f1(parts['fall'])}, best {f1(parts['best'])}"
    axes.set_title(f"A. “{name}”: {words}")


def examples_table() -> pd.DataFrame:
    """The index of the made-up curves, step by step, and what sums in place of means would give."""
    rows = []
    for name, scores in EXAMPLES.items():
        parts = index_parts(scores)
        rises, falls = (", ".join(f"{step:.2f}"[1:] for step in steps) for steps in _rises_and_falls(scores))
        found = (parts["rise"] / parts["fall"], parts["best"], parts["index"], parts["sums"])
        rows.append((name, rises, f1(parts["rise"]), falls, f1(parts["fall"]), *map(f1, found)))
    return pd.DataFrame(rows, columns=["Curve", "Rises", "Mean rise", "Falls", "Mean fall", "Ratio", "Best F1", "Index",
                                       "With sums"])


def limits_table() -> pd.DataFrame:
    """What the index gives for a curve without falls, without rises, without either, or of a single epoch."""
    steady = EXAMPLES["steady"]
    made = {"never falls (the steady curve, its falls made flat)": np.maximum.accumulate(steady),
            "never rises (the steady curve, sorted downwards)": np.sort(steady)[::-1],
            "does not move": np.full(len(steady), max(steady)), "has one epoch": steady[:1]}
    return pd.DataFrame([(words, _index_or_error(scores)) for words, scores in made.items()],
                        columns=["A curve that …", "Index"])


def _index_or_error(scores: Sequence[float]) -> str:
    try:
        return f"{metrics.learning_curve_index(scores):,.0f}"
    except EcgtlError as error:
        return f"error: {error}"


def epsilon() -> str:
    """The number that keeps the index finite, as it is set here."""
    return f"{inspect.signature(metrics.learning_curve_index).parameters['eps'].default:g}"


def trials_below_best() -> pd.DataFrame:
    """How many printed trials have an index below the best F1 of their number, and below all of the cell.

    Their mean rise is smaller than their mean fall. With sums they would have to end below their first epoch.
    """
    rows = []
    for method, size, found in _printed_cells("table3"):
        index, best = np.array(found["trials"]), _printed("table2", method, size).to_numpy()
        rows.append((_heading(method, size), len(index), (index < best).sum(), (index < best.min()).sum()))
    return pd.DataFrame(rows, columns=["Cell", "Trials", "Index below the trial's best F1",
                                       "Index below every best F1 of the cell"])


# Figure 5: the curves themselves


def learning_curves(frame: pd.DataFrame, experiment: str) -> Figure:
    """Test score by epoch, one panel a size; ``frame`` is that of ``curves``.

    Random weights and the autoencoder: each trial as a thin line, their median as a thick one; of the image
    arm the median alone.
    """
    places = sizes(experiment)
    figure, panels = plt.subplots(len(places), 1, figsize=(WIDTH, 7.6), sharex=True, sharey=True)
    for axes, size in zip(panels, places, strict=True):
        for method in ("image", "random", "cae"):
            by_trial = cell(frame, method, size).pivot(index="epoch", columns="trial", values="score")
            if len(by_trial) and method != "image":
                axes.plot(by_trial.index, by_trial, color=COLOURS[method], linewidth=0.5, alpha=0.35)
            if len(by_trial):
                axes.plot(by_trial.index, by_trial.median(axis=1), ":" if method == "image" else "-",
                          color=COLOURS[method], linewidth=1.8, label=f"{METHODS[method]}, median")
        axes.set(title=f"{NAMES[experiment]}: {size} % of the training part", ylabel="weighted F1, test part",
                 ylim=(0, 1))
    panels[-1].set_xlabel("epoch")
    return _finished(figure, panels, 3)


def stability(frame: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """How the curves end and how deep they fall, means over trials; ``frame`` is that of ``curves``."""
    rows = []
    for size, method in itertools.product(sizes(experiment), ("random", "cae", "image")):
        found = [(y.max(), y[-1], y.max() - y[-1], -np.diff(y, prepend=y[0]).min(), y.argmax() + 1)
                 for y in _by_trial(frame, method, size)]
        texts = [PENDING] * 5
        if found:
            *scores, epoch = np.mean(found, axis=0)
            texts = [*map(f1, scores), f"{epoch:.0f}"]
        rows.append((percent(size), METHODS[method], len(found), texts[0], texts[-1], *texts[1:-1]))
    return pd.DataFrame(rows, columns=["Data used", "Initialisation", "n", "Best F1", "Best epoch", "Last F1",
                                       "Best − last", "Deepest fall in one epoch"])
