"""What the pages of Jang 2021 show beyond the general tables: trials, arms, epochs, learning curves.

Runs are read once, into the frames of ``trials`` and ``curves``; all else is worked out from those and from
the paper's printed trials. A cell without runs is PENDING; fewer than ``MIN_RUNS`` runs get no interval.
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

from ecgtl import claims, experiments, metrics, published, results, statistics
from ecgtl.config import protocol
from ecgtl.errors import EcgtlError
from ecgtl.experiments import pretrainings
from ecgtl.report import book_tables, figures, tables
from ecgtl.report.tables import METHODS
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
RISE, FALL = ("#0072B2", "-"), ("#D55E00", "--")
WIDTH = 5.6  # of figures, inches: their words can still be read on a narrow screen


# What has been run


def shown_tier(experiment: str, wanted: str = "best") -> str:
    """As ``tables.shown_tier``, but ``reduced`` where nothing has been run yet: such a page says PENDING."""
    return tables.shown_tier(experiment, wanted, pending=True)


def state(experiment: str, tier: str) -> HTML:
    """Badges of the finished runs and their number; while some are missing, the command; the sizes in recordings."""
    experiment = tables.current(experiment, tier)
    drawn = ", ".join(f"{percent(size)} are {n:,}" for size, n in recordings(experiment, tier).items())
    theirs = ", ".join(f"{paper_recordings(size):,.0f}" for size in sizes(experiment))
    said = Markup("<p>Recordings that are drawn for training: {}; in the paper {}.</p>").format(drawn, theirs)
    return HTML(book_tables.state(experiment, tier, f"{NAMES[tables.original(experiment)]}: ") + (said if drawn else Markup()))


def recordings(experiment: str, tier: str) -> dict[int, int]:
    """How many recordings a training of each size draws, as the finished runs have it, the largest first."""
    return {run.size: sum(body["data"]["split"]["train"].values())
            for run, body in sorted(tables.runs(experiment, tier), key=lambda pair: -pair[0].size)}


def paper_recordings(size: int) -> float:
    """The same of the paper's trainings, by its number of recordings and its split."""
    scalars = published.lookup("jang2021.scalars")
    train, test = scalars["split"]["value"]
    return scalars["shaoxing_records"]["value"] * train / (train + test) * size / 100


def comparison(experiment: str, tier: str) -> pd.DataFrame:
    """``tables.comparison`` with our sizes in recordings as well."""
    known, found = recordings(experiment, tier), tables.comparison(experiment, tier)
    return found.assign(words=[f"{words} ({known[size]:,} here)" if size in known else words
                               for words, size in zip(found["words"], found["size"], strict=True)])


def trials(experiment: str, tier: str) -> pd.DataFrame:
    """One row a finished run.

    ``method``, ``size`` (%), ``trial`` (from 1, as the paper counts), ``steps`` of the optimiser, the
    ``learning_curve_index``, and ``<choice>.<score>`` for each way of choosing the epoch. A trivial
    classifier has no epochs: its scores are the same under every choice, and it has no index.
    """
    scores = [f"{choice}.{score}" for choice in CHOICES for score in SCORES]
    rows = [_trial(run, body) for run, body in tables.runs(tables.current(experiment, tier), tier)]
    return pd.DataFrame(rows, columns=["method", "size", "trial", "steps", INDEX, *scores])


def _trial(run: experiments.Run, body: dict) -> dict:
    scores = body["scores"]
    chosen = {choice: scores.get(choice, scores["validated"]) for choice in CHOICES}
    return {"method": run.method, "size": run.size, "trial": run.number + 1,
            "steps": _steps_per_epoch(body) * len(body["history"]), INDEX: scores.get(INDEX, np.nan),
            **{f"{choice}.{score}": chosen[choice][score] for choice in CHOICES for score in SCORES}}


def curves(experiment: str, tier: str) -> pd.DataFrame:
    """One row an epoch of a finished run.

    ``method``, ``size``, ``trial``, ``epoch``, ``step`` of the optimiser at its end, and ``score``, the
    weighted F1 on the test part.
    """
    rows = [(run.method, run.size, run.number + 1, row["epoch"], row["epoch"] * _steps_per_epoch(body),
             row["test_score"]) for run, body in tables.runs(tables.current(experiment, tier), tier) for row in body["history"]]
    return pd.DataFrame(rows, columns=["method", "size", "trial", "epoch", "step", "score"])


def _steps_per_epoch(body: dict) -> int:
    return math.ceil(sum(body["data"]["split"]["train"].values()) / body["config"]["batch_size"])


def sizes(experiment: str) -> tuple[int, ...]:
    """Shares of the training part (%), the largest first."""
    return tuple(experiments.load(experiment).columns)


def _networks(experiment: str) -> list[tuple[str, int]]:
    """(method, size) of every cell that a network is trained for, controls included."""
    entry = experiments.load(experiment)
    return [(method, size) for method, size in entry.cells if method in entry.networks]


def _cell(frame: pd.DataFrame, method: str, size: int) -> pd.DataFrame:
    return frame[(frame["method"] == method) & (frame["size"] == size)]


def _values(frame: pd.DataFrame, method: str, size: int, column: str = BEST) -> pd.Series:
    """A column of the trials of one cell, indexed by trial; empty where there is no run."""
    return _cell(frame, method, size).set_index("trial")[column].sort_index()


def _printed(table: str, method: str, size: int | str) -> pd.Series:
    """The trials that the paper prints in a cell, indexed as ours."""
    values = published.lookup(f"jang2021.{table}.rows.{size}.{method}.trials")
    return pd.Series(values, index=range(1, len(values) + 1))


def _printed_cells(table: str) -> Iterator[tuple[str, str, dict]]:
    """(method, size, what is printed) of every cell of a table, in its order."""
    printed = published.lookup(f"jang2021.{table}")
    for size, row in printed["rows"].items():
        yield from ((method, size, row[method]) for method in printed["columns"])


# Words for numbers


def _printed_p(table: str, size: int | str) -> str:
    found = published.lookup(f"jang2021.{table}.rows.{size}.p_value")
    return f"{found['relation']}{NBSP}{found['value']:g}"


def _heading(method: str, size: int | str) -> str:
    return f"{percent(size)} {ARMS[method]}"


def _say_pending(axes: Axes) -> None:
    axes.text(0.5, 0.5, f"{PENDING}: no run yet", transform=axes.transAxes, ha="center", va="center",
              color="#555555")


# Trial by trial


def paper_trials(table: str) -> pd.DataFrame:
    """``table2`` or ``table3`` as printed: a row a trial, a column a size and arm; mean ± SD and p below."""
    planned = range(1, published.lookup(f"jang2021.{table}.runs") + 1)
    columns = {"Trial": [*planned, "Mean ± SD, printed", "p, printed"]}
    for method, size, cell in _printed_cells(table):
        columns[_heading(method, size)] = [*map(f1, cell["trials"]), plus_minus(cell["mean"], cell["sd"]),
                                           _printed_p(table, size)]
    return pd.DataFrame(columns)


def our_trials(frame: pd.DataFrame, experiment: str, tier: str, column: str = BEST,
               methods: Sequence[str] = ("random", "image", "cae")) -> pd.DataFrame:
    """The same from our runs: a row a planned trial, a dash where it is missing; mean ± SD (n - 1)."""
    entry = experiments.load(tables.current(experiment, tier))
    planned = range(1, entry.runs[tier] + 1)
    columns = {"Trial": [*planned, "Mean ± SD"]}
    for size, method in itertools.product(sizes(experiment), methods):
        values = _values(frame, method, size, column)
        cells = [f1(values.get(trial, np.nan)) for trial in planned]
        columns[_heading(method, size)] = [*cells, mean_sd(values)]
    return pd.DataFrame(columns)


def curve(comparison: pd.DataFrame, frame: pd.DataFrame) -> Figure:
    """``figures.size_curve`` of a ``tables.comparison`` and its ``trials``; PENDING where there is none."""
    values = {place: tuple(rows[BEST]) for place, rows in frame.groupby(["method", "size"])}
    figure = figures.size_curve(comparison, values, "weighted F1", "training part")
    if frame.empty:
        _say_pending(figure.axes[0])
    return figure


def both_scores(frame: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Weighted beside macro F1 of the reported epoch: a row a method and size, trivial classifiers too."""
    entry = experiments.load(experiment)
    rows = []
    for method, size in (*_networks(experiment), *itertools.product(entry.baselines, entry.columns)):
        weighted, macro = (_values(frame, method, size, f"best_test.{score}") for score in SCORES)
        rows.append({"Initialisation": METHODS[method], "Data used": percent(size),
                     "Weighted F1": mean(weighted), "Macro F1": mean(macro), "n": len(weighted)})
    return pd.DataFrame(rows)


# Which epoch, and which arm


def choices(frame: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Weighted F1 by three ways of choosing the epoch, and how much the published way flatters (paired)."""
    rows = []
    for method, size in _networks(experiment):
        by = {choice: _values(frame, method, size, f"{choice}.weighted_f1") for choice in CHOICES}
        rows.append({"Initialisation": METHODS[method], "Data used": percent(size),
                     **{_choice_words(choice): mean(values) for choice, values in by.items()},
                     "n": len(by["last"]),
                     "Best on test − best on validation, paired":
                         gap_with_p(by["best_test"], by["validated"], paired=True)})
    return pd.DataFrame(rows)


def _choice_words(choice: str) -> str:
    words = tables.CHOICES[choice].capitalize()
    return f"{words} (as published)" if choice == "best_test" else words


def differences(frame: pd.DataFrame, experiment: str, table: str = "table2", column: str = BEST,
                pairs: Sequence[tuple[str, str]] = PAIRS) -> pd.DataFrame:
    """Differences between arms at each size, by Welch's and the paired test: the paper's trials, and ours.

    ``n`` counts our trials of the first and the second arm. The paper's p-value stands where it prints one.
    """
    rows = []
    for size, pair in itertools.product(sizes(experiment), pairs):
        theirs = [_printed(table, method, size) for method in pair]
        ours = [_values(frame, method, size, column) for method in pair]
        rows.append({"Data used": percent(size), "Difference": f"{ARMS[pair[0]]} − {ARMS[pair[1]]}",
                     "Paper, printed p": _printed_p(table, size) if pair[0] == "cae" else "–",
                     "Paper's trials, Welch": gap_with_p(*theirs, paired=False),
                     "Paper's trials, paired": gap_with_p(*theirs, paired=True),
                     "Ours, Welch": gap_with_p(*ours, paired=False),
                     "Ours, paired": gap_with_p(*ours, paired=True),
                     "n": ", ".join(str(len(values)) for values in ours)})
    return pd.DataFrame(rows)


# Data or steps


def steps_table(frame: pd.DataFrame, tier: str) -> pd.DataFrame:
    """Random weights with a quarter of the data, the same with four times the epochs, and with more data.

    Beside our steps of the optimiser stand those of the paper's trainings, had its batches been of our size.
    """
    half, rows = _values(frame, "random", 50), []
    for method, size in CONTROL:
        columns = (BEST, "last.weighted_f1", "steps")
        values, last, steps = (_values(frame, method, size, column) for column in columns)
        distance = gap_with_p(half, values, paired=False)
        rows.append({"Random weights": _heading(method, size),
                     "Steps": f"{steps.iloc[0]:,}" if len(steps) else PENDING,
                     "Steps in the paper": f"{paper_steps(size, tier):,}" if method == "random" else "–",
                     "Best on test": mean(values), "Last epoch": mean(last), "n": len(values),
                     "50 % random − this, Welch": "–" if (method, size) == ("random", 50) else distance})
    return pd.DataFrame(rows)


def paper_steps(size: int, tier: str) -> int:
    """Steps of the optimiser in the paper's training on ``size`` %, with the batches of our ``tier``."""
    batches = paper_recordings(size) / protocol("jang2021")["tiers"][tier]["batch_size"]
    return math.ceil(batches) * published.lookup("jang2021.scalars.epochs.value")


def steps_verdict(frame: pd.DataFrame, tier: str) -> HTML:
    """By claims J2 and steps: is there a collapse at 25 %, and does it stay when the steps are matched?"""
    few, matched = _values(frame, "random", 25), _values(frame, "random_matched", 25)
    collapse, nearer = (claims.judge("jang2021", name, tier)["ours"] for name in ("J2", "steps"))
    said = _steps_sentence(collapse, nearer, f1(claims.claims("jang2021")["J2"]["margin"]))
    gain = gap_with_p(matched, few, paired=True)
    return HTML(Markup("<p>{} Matched minus usual steps at 25 %, paired: {}.</p>").format(said, gain))


def _steps_sentence(collapse: str, nearer: str, margin: str) -> str:
    rule = f"A collapse is a mean at least {margin} below that of 50 %, with its whole 95 % interval. "
    if collapse == "opposite":
        return rule + "With 25 % there is none here, so there is nothing that steps could explain."
    if collapse != "yes":
        return rule + f"Whether there is one here with 25 % is {collapse}."
    ends = {"opposite": "it stays with matched steps: a matter of data, not of steps",
            "yes": "it is gone with matched steps: a matter of steps, not of data"}
    end = ends.get(nearer, f"whether it stays with matched steps is {nearer}")
    return rule + f"There is one here with 25 %, and {end}."


def step_curves(frame: pd.DataFrame) -> Figure:
    """Best test score so far against steps of the optimiser, for ``CONTROL``: median and range over trials.

    ``frame`` is that of ``curves``. A trial's last value is what Table 2 reports of it.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 4.2))
    for (method, size), dash in CONTROL.items():
        so_far = _cell(frame, method, size).pivot(index="step", columns="trial", values="score").cummax()
        if len(so_far):
            colour, label = figures.COLOURS[method], f"{_heading(method, size)} (n = {so_far.shape[1]})"
            axes.fill_between(so_far.index, so_far.min(axis=1), so_far.max(axis=1), color=colour, alpha=0.12,
                              linewidth=0)
            axes.plot(so_far.index, so_far.median(axis=1), dash, color=colour, label=label)
    axes.set(xlabel="steps of the optimiser", ylabel="best weighted F1 so far, test part", ylim=(0, 1))
    if not axes.lines:
        _say_pending(axes)
    figures.legend_below(figure, [axes])
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
            book_tables.badge("pending"), SENSITIVITY, tier))
    rows = [{"Width": body["config"]["width"], "Baseline filter": _filter_words(body["config"]["highpass"]),
             "Windows, training": f"{body['data']['windows']['train']:,}",
             "held out": f"{body['data']['windows']['test']:,}", "Epochs": len(body["history"]),
             "Squared error, summed over a window": f"{body['scores']['mse_sum']:.1f}",
             "per sample": f"{body['scores']['mse_sample']:.3f}", "R²": f1(body["scores"]["r2"])}
            for body in bodies]
    return tables.html(pd.DataFrame(rows), "Reconstruction of held-out subjects by width and baseline filter")


def _filter_words(cutoff: float | None) -> str:
    return f"high-pass, {cutoff:g} Hz" if cutoff else "none"


def sensitivity_curves(bodies: list[dict]) -> Figure:
    """Validation error by epoch, one line a pretraining; dashed ones are without the filter."""
    figure, axes = plt.subplots(figsize=(WIDTH, 4.0))
    for place, body in enumerate(bodies):
        config, rows = body["config"], pd.DataFrame(body["history"])
        axes.plot(rows["epoch"], rows["validation_loss"], color=f"C{place}", marker="osD^vpXP"[place % 8],
                  markersize=4, linestyle="-" if config["highpass"] else "--",
                  label=f"width {config['width']}, filter: {_filter_words(config['highpass'])}")
    axes.set(xlabel="epoch", ylabel="validation error, summed over a window\n(z-scores squared)")
    axes.xaxis.get_major_locator().set_params(integer=True)
    if not bodies:
        _say_pending(axes)
    figures.legend_below(figure, [axes])
    return figure


# Table 3: the learning curve index


def index_rows(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Every index, the paper's trials and then ours; ``frames`` maps experiments to their ``trials``."""
    printed = [{"source": "paper", "method": method, "size": int(size), "trial": trial, INDEX: value}
               for method, size, cell in _printed_cells("table3")
               for trial, value in enumerate(cell["trials"], start=1)]
    ours = [{"source": name, **row} for name, frame in frames.items()
            for row in frame.dropna(subset=[INDEX])[["method", "size", "trial", INDEX]].to_dict("records")]
    return pd.DataFrame(printed + ours)


def index_dots(rows: pd.DataFrame) -> Figure:
    """The index by size and arm, a panel a source of ``index_rows``; trials, their mean and interval."""
    sources = {"paper": "The paper, Shaoxing"} | {name: f"Ours, {words}" for name, words in NAMES.items()}
    figure, panels = plt.subplots(len(sources), 1, figsize=(WIDTH, 7.0), sharex=True, sharey=True)
    places = sizes(PTBXL)
    for axes, (source, words) in zip(panels, sources.items(), strict=True):
        here = rows[rows["source"] == source]
        axes.axhline(published.lookup("jang2021.scalars.lci_threshold.value"), color="#777777", linewidth=1)
        for place, size in enumerate(places):
            _index_column(axes, place - 0.18, "random", _values(here, "random", size, INDEX))
            _index_column(axes, place + 0.18, "cae", _values(here, "cae", size, INDEX))
        if here.empty:
            _say_pending(axes)
        axes.set(title=words, ylabel="learning curve index", ylim=(0, None), xticks=range(len(places)),
                 xticklabels=map(percent, places))
    panels[-1].set_xlabel("share of the training part that is used")
    figures.legend_below(figure, panels)
    return figure


def _index_column(axes: Axes, x: float, method: str, values: pd.Series) -> None:
    if values.empty:
        return
    colour, middle = figures.COLOURS[method], values.mean()
    low, high = statistics.score_interval(Sample.of(values), np.inf)
    axes.plot(np.linspace(x - 0.1, x, len(values)), values, ".", color=colour, alpha=0.6, markersize=6)
    axes.errorbar([x + 0.07], [middle], yerr=[[middle - low], [high - middle]], color=colour, capsize=4,
                  marker=figures.MARKERS[method], linestyle="none",
                  label=f"{METHODS[method]}: trials, mean, 95 % interval")


def printed_spreads(table: str) -> pd.DataFrame:
    """Each printed SD beside those of its trials with divisors n and n - 1, and which one fits the print."""
    half_digit = 0.5 * 10 ** -published.lookup(f"jang2021.{table}.decimals")
    rows = []
    for method, size, cell in _printed_cells(table):
        by = {"n": np.std(cell["trials"]), "n − 1": np.std(cell["trials"], ddof=1)}
        fits = [divisor for divisor, sd in by.items() if abs(sd - cell["sd"]) <= half_digit + 1e-9]
        rows.append({"Cell": _heading(method, size), "Printed SD": f1(cell["sd"]),
                     **{f"Divisor {divisor}": f"{sd:.4f}"[1:] for divisor, sd in by.items()},
                     "Fits the print": " and ".join(fits) or "neither"})
    return pd.DataFrame(rows)


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
    steps = np.diff(np.asarray(scores, float))
    rises, falls = steps[steps > 0], -steps[steps < 0]
    best = float(np.max(scores))
    return {"rises": len(rises), "rise": float(rises.mean()) if len(rises) else 0.0,
            "falls": len(falls), "fall": float(falls.mean()) if len(falls) else 0.0, "best": best,
            "index": metrics.learning_curve_index(scores),
            "sums": float(rises.sum() / falls.sum() * best) if len(falls) else math.inf}


def index_anatomy(frame: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Means over trials of what the index is made of, by size and arm; ``frame`` is that of ``curves``."""
    words = {"rises": "Rises", "rise": "Mean rise", "falls": "Falls", "fall": "Mean fall", "best": "Best F1",
             "index": "Index", "sums": "With sums"}
    rows = []
    for size, method in itertools.product(sizes(experiment), ("random", "cae")):
        here = _cell(frame, method, size).groupby("trial")["score"]
        means = pd.DataFrame([index_parts(scores) for _, scores in here]).mean()
        counted = ("rises", "falls")
        texts = {name: f"{means[name]:.1f}" if name in counted else f1(means[name]) for name in means.index}
        rows.append({"Data used": percent(size), "Arm": ARMS[method], "n": len(here),
                     **{column: texts.get(name, PENDING) for name, column in words.items()}})
    return pd.DataFrame(rows)


# Figure 3: the index explained


def examples_figure() -> Figure:
    """The rises and falls of one made-up curve (A), and four curves with their index (B)."""
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(WIDTH, 6.6), sharex=True, sharey=True)
    _rises_and_falls(upper, "dropping")
    for name, scores in EXAMPLES.items():
        colour, dash, marker = EXAMPLE_STYLES[name]
        lower.plot(range(1, len(scores) + 1), scores, dash, color=colour, marker=marker, markersize=4,
                   label=f"{name}: index {f1(metrics.learning_curve_index(scores))}")
    lower.set(title="B. Four curves and their index", xlabel="epoch", ylim=(0, 0.9))
    for axes in (upper, lower):
        axes.set_ylabel("F1 on the test part")
    figures.legend_below(figure, (upper, lower), 3)
    return figure


def _rises_and_falls(axes: Axes, name: str) -> None:
    parts = index_parts(EXAMPLES[name])
    for epoch, (before, after) in enumerate(itertools.pairwise(EXAMPLES[name]), start=1):
        colour, dash = RISE if after > before else FALL
        axes.plot([epoch, epoch + 1], [before, after], dash, color=colour, linewidth=2.4,
                  label="rise" if after > before else "fall")
        axes.plot([epoch, epoch + 1], [before, after], "o", color="#000000", markersize=4)
        axes.annotate(f1(after - before, True), (epoch + 0.5, (before + after) / 2), fontsize=7,
                      xytext=(5, -9 if after > before else 4), textcoords="offset points")
    words = f"mean rise {f1(parts['rise'])}, mean fall {f1(parts['fall'])}, best {f1(parts['best'])}"
    axes.set_title(f"A. “{name}”: {words}")


def examples_table() -> pd.DataFrame:
    """The index of the made-up curves, step by step, and what sums in place of means would give."""
    rows = []
    for name, scores in EXAMPLES.items():
        parts, steps = index_parts(scores), np.diff(scores)
        rows.append({"Curve": name, "Rises": _listed(steps[steps > 0]), "Mean rise": f1(parts["rise"]),
                     "Falls": _listed(-steps[steps < 0]), "Mean fall": f1(parts["fall"]),
                     "Ratio": f1(parts["rise"] / parts["fall"]), "Best F1": f1(parts["best"]),
                     "Index": f1(parts["index"]), "With sums": f1(parts["sums"])})
    return pd.DataFrame(rows)


def _listed(steps: np.ndarray) -> str:
    return ", ".join(f"{step:.2f}"[1:] for step in steps)


def limits_table() -> pd.DataFrame:
    """What the index gives for a curve without falls, without rises, without either, or of a single epoch."""
    steady = EXAMPLES["steady"]
    made = {"never falls (the steady curve, its falls made flat)": np.maximum.accumulate(steady),
            "never rises (the steady curve, sorted downwards)": np.sort(steady)[::-1],
            "does not move": np.full(len(steady), max(steady)), "has one epoch": steady[:1]}
    return pd.DataFrame([{"A curve that …": words, "Index": _index_or_error(made[words])} for words in made])


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
    for method, size, cell in _printed_cells("table3"):
        index, best = np.array(cell["trials"]), _printed("table2", method, size).to_numpy()
        rows.append({"Cell": _heading(method, size), "Trials": len(index),
                     "Index below the trial's best F1": int((index < best).sum()),
                     "Index below every best F1 of the cell": int((index < best.min()).sum())})
    return pd.DataFrame(rows)


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
            _bundle(axes, _cell(frame, method, size), method)
        axes.set(title=f"{NAMES[experiment]}: {size} % of the training part", ylabel="weighted F1, test part",
                 ylim=(0, 1))
        if not axes.lines:
            _say_pending(axes)
    panels[-1].set_xlabel("epoch")
    figures.legend_below(figure, panels, 3)
    return figure


def _bundle(axes: Axes, rows: pd.DataFrame, method: str) -> None:
    if rows.empty:
        return
    by_trial, colour = rows.pivot(index="epoch", columns="trial", values="score"), figures.COLOURS[method]
    dash = ":" if method == "image" else "-"
    if method != "image":
        axes.plot(by_trial.index, by_trial, color=colour, linewidth=0.5, alpha=0.35)
    axes.plot(by_trial.index, by_trial.median(axis=1), dash, color=colour, linewidth=1.8,
              label=f"{METHODS[method]}, median")


def stability(frame: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """How the curves end and how deep they fall, means over trials; ``frame`` is that of ``curves``."""
    rows = []
    for size, method in itertools.product(sizes(experiment), ("random", "cae", "image")):
        here = _cell(frame, method, size).groupby("trial")["score"]
        columns = {"Best F1": here.max(),
                   "Best epoch": here.apply(lambda scores: scores.to_numpy().argmax() + 1),
                   "Last F1": here.last(), "Best − last": here.max() - here.last(),
                   "Deepest fall in one epoch": here.apply(lambda scores: -min(0.0, scores.diff().min()))}
        rows.append({"Data used": percent(size), "Initialisation": METHODS[method], "n": len(here),
                     **{name: _stability_text(name, values) for name, values in columns.items()}})
    return pd.DataFrame(rows)


def _stability_text(name: str, values: pd.Series) -> str:
    if values.empty:
        return PENDING
    return f"{values.mean():.0f}" if name == "Best epoch" else f1(values.mean())
