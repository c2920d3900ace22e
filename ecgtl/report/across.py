"""The page across the papers: every network on one target beside the trivial baselines, and what to choose.

Two uncertainties stand beside each other: over runs (Student's *t*, Welch), and over the recordings of the
test part (bootstrap; the same draws for all rows). A row is told from another only when both 95 % intervals of
their difference leave out 0. Rows with fewer than ``MIN_RUNS`` runs are shown and not compared.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from IPython.display import HTML
from markupsafe import Markup
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecgtl import experiments, models, results, statistics
from ecgtl.config import BASELINES, FinetuneConfig, protocol, source_experiments, starts
from ecgtl.correlations import RESAMPLES
from ecgtl.datasets import catalogue
from ecgtl.datasets.ptbxl import SUPERCLASSES
from ecgtl.errors import EcgtlError
from ecgtl.experiments import Run
from ecgtl.models import checkpoint
from ecgtl.report import book_tables, figures, tables
from ecgtl.report.figures import COLOURS
from ecgtl.report.melep import NETWORKS as CLASSIFIERS
from ecgtl.report.tables import METHODS
from ecgtl.report.words import NBSP, PENDING, f1, limits
from ecgtl.statistics import LEVEL, MIN_RUNS, Sample

EXPERIMENT = "across"
RR, MAJORITY = "rr_boosting", "majority"
NETWORKS = {"cae_classifier": "Convolutional encoder", "resnet18": "ResNet-18"} | CLASSIFIERS
SCALED = {"dataset": "by mean and SD of the whole data set",
          "window": "each recording by its own mean and SD", "range": "each recording to [−1, 1]"}
PARTS = ("value", "low", "high", "test_low", "test_high")  # of a difference
SOURCE_COLOURS = ("#0072B2", "#56B4E9")  # of classifiers' data sets, in the order of the rows
NON_COMMERCIAL = "NC"  # in the name of a Creative Commons licence
WIDTH = 5.6  # inches: words can still be read on a narrow screen


@dataclass(frozen=True)
class Row:
    """One network from one start: its runs, and their mean macro AUC in each draw of the test recordings."""

    method: str
    config: FinetuneConfig
    bodies: tuple[dict, ...]
    draws: np.ndarray

    @property
    def values(self) -> tuple[float, ...]:
        """The macro AUC of each run."""
        return self.scores("macro_auc")

    @property
    def sample(self) -> Sample:
        return Sample.of(self.values)

    @property
    def compared(self) -> bool:
        """Whether there are runs enough for a comparison."""
        return len(self.bodies) >= MIN_RUNS

    @property
    def trivial(self) -> bool:
        return self.config.arch in BASELINES

    @property
    def words(self) -> str:
        """Network and start."""
        if self.trivial:
            return METHODS[self.method]
        return f"{NETWORKS[self.config.arch]}, {start_words(self.config.init)}"

    @property
    def seconds(self) -> float:
        """Median seconds that the epochs of a run took; of a trivial classifier its fastest run, since the first one
        reads the recordings and finds their beats.
        """
        if not self.bodies:
            return float("nan")
        if self.trivial:
            return min(body["provenance"]["wall_seconds"] for body in self.bodies)
        return float(np.median([sum(row["seconds"] for row in body["history"]) for body in self.bodies]))

    def scores(self, name: str) -> tuple[float, ...]:
        """A score of each run at the epoch that the validation part chose."""
        return tuple(body["scores"]["validated"][name] for body in self.bodies)


@dataclass(frozen=True)
class Gap:
    """First row minus second in macro AUC, with 95 % limits over runs and over the test recordings."""

    value: float
    low: float
    high: float
    test_low: float
    test_high: float

    @property
    def verdict(self) -> str:
        """``above``, ``below`` or ``not told apart``: both intervals have to leave out 0."""
        if min(self.low, self.test_low) > 0:
            return "above"
        return "below" if max(self.high, self.test_high) < 0 else "not told apart"


# What has been run


def load(tier: str) -> dict[str, Row]:
    """The rows of the table by method, baselines last, also those without runs."""
    by_method: dict[str, list[tuple[Run, dict]]] = {}
    for run, body in tables.runs(EXPERIMENT, tier):
        by_method.setdefault(run.method, []).append((run, body))
    runs = experiments.enumerate_runs(EXPERIMENT, tier)
    planned = {run.method: run.config for run in runs if run.number == 0}
    order = sorted(planned, key=lambda method: method in BASELINES)
    return {method: _row(method, planned[method], by_method.get(method, ())) for method in order}


def _row(method: str, config: FinetuneConfig, found: Iterable[tuple[Run, dict]]) -> Row:
    pairs = list(found)
    stored = [results.load(run.path).arrays for run, _ in pairs]
    draws = resampled([(arrays["y_test"], arrays["prob_validated"]) for arrays in stored]) if stored else np.zeros(0)
    return Row(method, config, tuple(body for _, body in pairs), draws)


def resampled(runs: Sequence[tuple[np.ndarray, np.ndarray]], resamples: int = RESAMPLES,
              seed: int = 0) -> np.ndarray:
    """Macro AUC, mean over ``runs``, in each draw of the test recordings with replacement: (resamples,).

    ``runs``: labels (n, L) as 0 and 1, and probabilities (n, L), of the same recordings in the same order. The
    draws depend on n and ``seed`` alone, so that rows of one test part are paired. Labels that a draw leaves
    without positives or negatives do not count in its mean. Raises EcgtlError when the runs have not the same
    labels.
    """
    y = runs[0][0]
    if any(not np.array_equal(y, other) for other, _ in runs):
        raise EcgtlError(f"runs of {EXPERIMENT} were not tested on the same recordings; run it again")
    n = len(y)
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float32)
    areas = np.stack([_areas(y[:, k] > 0, [p[:, k].astype(np.float32) for _, p in runs], counts)
                      for k in range(y.shape[1])])
    defined = np.isfinite(areas)
    return np.where(defined, areas, 0).sum(axis=0) / defined.sum(axis=0)


def _areas(positive: np.ndarray, columns: Sequence[np.ndarray], counts: np.ndarray) -> np.ndarray:
    """AUC of one label in each draw, mean over runs: the share of pairs of a positive and a negative that are in
    the right order.

    A tie is half a pair; a recording drawn twice takes part in twice as many pairs. NaN without pairs.
    """
    ranked = [p[positive][:, None] - p[~positive][None, :] for p in columns]
    in_order = np.mean([(lead > 0) + 0.5 * (lead == 0) for lead in ranked], axis=0, dtype=np.float32)
    with_label, without = counts[:, positive], counts[:, ~positive]
    pairs = with_label.sum(axis=1) * without.sum(axis=1)
    right = ((with_label @ in_order) * without).sum(axis=1)
    return np.divide(right, pairs, out=np.full(len(counts), np.nan), where=pairs > 0)


def _limits(draws: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def gap(first: Row, second: Row) -> Gap | None:
    """The difference of two rows; None where either has too few runs.

    Where neither row varies from run to run, as with the trivial classifiers, the runs leave no doubt.
    """
    if not (first.compared and second.compared):
        return None
    found = statistics.welch(first.sample, second.sample)
    exact = first.sample.sd == second.sample.sd == 0
    ends = (found.value, found.value) if exact else (found.low, found.high)
    return Gap(found.value, *ends, *_limits(first.draws - second.draws))


def random_start(row: Row, rows: dict[str, Row]) -> Row | None:
    """The row of the same network from random weights; None for that row itself, and for trivial classifiers."""
    if row.trivial or row.config.init == "random":
        return None
    start = (row.config.arch, "random")
    return next(other for other in rows.values() if (other.config.arch, other.config.init) == start)


# What a start is


def start_words(init: str) -> str:
    """A start in a few words."""
    if init in source_experiments():
        return f"labels of {catalogue.entry(init).title}"
    return "random weights" if init == "random" else METHODS[init].lower()


def origin(row: Row) -> dict:
    """What the starting checkpoint says of itself, as a run has it or the file; empty for random weights, and where
    neither is at hand.
    """
    if row.trivial or row.config.init == "random":
        return {}
    if row.bodies:
        return row.bodies[0]["data"]["start"]
    path = starts.stored_weights(row.config.init, row.config.arch, row.config.tier)
    return checkpoint.load(path)[1] if path else {}


def sources(row: Row) -> tuple[str, ...]:
    """Names of the data sets that the starting checkpoint has seen."""
    facts = origin(row)
    return tuple(facts.get("sources") or ([facts["dataset"]] if "dataset" in facts else []))


def _trained_on(row: Row) -> str:
    if row.trivial or row.config.init == "random":
        return "nothing"
    return ", ".join(catalogue.entry(name).title for name in sources(row)) or PENDING


# Tables


def frame(rows: dict[str, Row]) -> pd.DataFrame:
    """One row a network and start, numbers as numbers: the CSV, and what the tables below show."""
    found = []
    for method, row in rows.items():
        low, high = statistics.score_interval(row.sample) if row.bodies else (np.nan, np.nan)
        test = _limits(row.draws) if row.bodies else (np.nan, np.nan)
        base = random_start(row, rows)
        found.append({"method": method, "network": row.config.arch, "start": row.config.init,
                      "trained_on": ";".join(sources(row)), "runs": len(row.bodies),
                      "macro_auc": _mean(row, "macro_auc"), "low": low, "high": high, "test_low": test[0],
                      "test_high": test[1], "weighted_f1": _mean(row, "weighted_f1"),
                      "f_max": _mean(row, "f_max"), "seconds": row.seconds,
                      **_columns("random", gap(row, base) if base else None),
                      **_columns("rr", gap(row, rows[RR]) if method != RR else None)})
    return pd.DataFrame(found)


def _mean(row: Row, score: str) -> float:
    return float(np.mean(row.scores(score))) if row.bodies else float("nan")


def _columns(name: str, found: Gap | None) -> dict:
    numbers = {f"over_{name}_{part}": getattr(found, part) if found else np.nan for part in PARTS}
    return numbers | {f"over_{name}": found.verdict if found else ""}


def readable(table: pd.DataFrame, rows: dict[str, Row]) -> pd.DataFrame:
    """``frame`` as a reader sees it: scores, and seconds of training; PENDING where nothing has been run."""
    found = []
    for row in table.itertuples():
        scores = {"Macro AUC [95 %, runs]": f"{f1(row.macro_auc)} {limits(row.low, row.high)}".strip(),
                  "[95 %, test recordings]": limits(row.test_low, row.test_high),
                  "Weighted F1": f1(row.weighted_f1), "Fmax": f1(row.f_max),
                  "Training": f"{row.seconds:.0f}{NBSP}s"}
        found.append({"Network and start": rows[row.method].words,
                      "Start was trained on": _trained_on(rows[row.method]),
                      **(scores if row.runs else dict.fromkeys(scores, PENDING)), "n": row.runs})
    return pd.DataFrame(found)


def differences(table: pd.DataFrame, rows: dict[str, Row]) -> pd.DataFrame:
    """What each start adds to random weights, and each row to boosted trees on RR intervals, with the verdict."""
    found = []
    for row in table.itertuples():
        own = rows[row.method]
        others = {"random": random_start(own, rows), "rr": rows[RR] if row.method != RR else None}
        found.append({"Network and start": own.words,
                      **_difference("− random weights", row, "random", own, others["random"]),
                      **_difference("− RR intervals", row, "rr", own, others["rr"])})
    return pd.DataFrame(found)


def _difference(words: str, row, name: str, first: Row, second: Row | None) -> dict[str, str]:
    columns = (f"{words} [95 %, runs]", f"{words} [95 %, test recordings]", f"{words}: verdict")
    if second is None:
        return dict.fromkeys(columns, "–")
    if not (first.compared and second.compared):
        return dict.fromkeys(columns, PENDING)
    value, *ends = (getattr(row, f"over_{name}_{part}") for part in PARTS)
    cells = (f"{f1(value, True)} {limits(*ends[:2], True)}", limits(*ends[2:], True),
             getattr(row, f"over_{name}"))
    return dict(zip(columns, cells, strict=True))


def networks(rows: dict[str, Row]) -> pd.DataFrame:
    """What each network keeps of its own paper: input, scaling, size, batch and learning rate."""
    found = []
    for arch, words in NETWORKS.items():
        config = next(row.config for row in rows.values() if row.config.arch == arch)
        rules = config.plan().inputs
        scaled = SCALED[rules["standardise"]] + (f", above {rules['highpass']:g} Hz" if rules["highpass"] else "")
        found.append({"Network": words, "Protocol": config.input_protocol,
                      "Parameters": f"{parameters(config):,}",
                      "Input": f"{config.seconds:g}{NBSP}s at {config.sampling_rate:g}{NBSP}Hz",
                      "Scaled": scaled, "Batch": config.batch_size,
                      "Learning rate": f"{config.learning_rate:g}"})
    return pd.DataFrame(found)


def parameters(config: FinetuneConfig) -> int:
    """Trainable parameters of the network of a run."""
    options = models.variant_options(config.arch, config.variant)
    options |= {"length": config.n_samples} if config.arch == "bilstm" else {}
    with torch.device("meta"):
        model = models.build(config.arch, 1, len(SUPERCLASSES), width=config.width, **options)
    return models.count_parameters(model)


def target(rows: dict[str, Row], tier: str) -> pd.DataFrame:
    """What is the same for all: recordings, lead, labels, parts, epochs."""
    entry = experiments.load(EXPERIMENT)
    rules, title = protocol(entry.paper), catalogue.entry(entry.dataset).title
    folds = rules["split"]["folds"]
    data = next((row.bodies[0]["data"] for row in rows.values() if row.bodies), {"split": {}})
    facts = {"Data set": f"{title} {data.get('version', PENDING)}", "Recordings": data.get("records", PENDING),
             "Lead": ", ".join(rules["datasets"][entry.dataset]["leads"]), "Labels": ", ".join(SUPERCLASSES)}
    facts |= {f"With each label, {part}": ", ".join(f"{name} {n}" for name, n in counts.items())
              for part, counts in data["split"].items()}
    facts |= {"Folds": f"{folds['validation']} validates, {folds['test']} tests, the others train",
              "Epochs": rules["tiers"][tier]["epochs"], "Runs a row": entry.runs[tier]}
    return pd.DataFrame({"What": facts.keys(), "For all rows": facts.values()})


def checkpoints(rows: dict[str, Row]) -> pd.DataFrame:
    """Where each pretrained start comes from: licence, and whether its weights are at hand or have to be made."""
    found = []
    for row in rows.values():
        if random_start(row, rows) is None:
            continue
        at_hand = starts.stored_weights(row.config.init, row.config.arch, row.config.tier)
        made = Markup("to be made: <code>{}</code>").format(starts.pretraining_command(row.config))
        found.append({"Network and start": row.words, "Trained on": _trained_on(row),
                      "Licence": origin(row).get("licence", PENDING), "Weights": "at hand" if at_hand else made})
    return pd.DataFrame(found)


# In words


def state(tier: str) -> HTML:
    """Badges of the finished runs and their number; while some are missing, the command that makes them."""
    # One lead is this experiment's own rule, so its results call the leads whole; the table of the target names it instead
    return HTML(book_tables.state(EXPERIMENT, tier, without="leads"))


def unseen(rows: dict[str, Row]) -> HTML:
    """Whether any starting checkpoint has seen the target, from what the checkpoints say of themselves."""
    dataset = experiments.load(EXPERIMENT).dataset
    pretrained = [row for row in rows.values() if random_start(row, rows)]
    known = [row for row in pretrained if sources(row)]
    seen = [row.words for row in known if dataset in sources(row)]
    told = f"have seen the target: {'; '.join(seen)}" if seen else "none has seen the target"
    return HTML(Markup("<p>Of {} checkpoints {} say here what they were trained on; {}.</p>").format(
        len(pretrained), len(known), told))


def answer(rows: dict[str, Row]) -> HTML:
    """What a reader would choose, by rule: what needs least of the rows that cannot be told from the best."""
    compared = [row for row in rows.values() if row.compared]
    pending, lines = len(rows) - len(compared), []
    if pending:
        lines.append(f"{PENDING}: {pending} of {len(rows)} rows have fewer than {MIN_RUNS} runs and are left out.")
    if any(not row.trivial for row in compared) and rows[RR].compared:
        best = max(compared, key=lambda row: row.sample.mean)
        level = [row for row in compared if row is best or gap(best, row).verdict == "not told apart"]
        lines += [_best(best, level), _trivial(compared, rows), *_pretraining(rows), _choice(level)]
    return HTML(Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(line) for line in lines)))


def _best(best: Row, level: Sequence[Row]) -> str:
    others = _named(row for row in level if row is not best)
    return f"Highest mean: {best.words}, macro AUC {f1(best.sample.mean)}. Not told from it: {others}."


def _trivial(compared: Sequence[Row], rows: dict[str, Row]) -> str:
    found = [(row, gap(row, rows[RR]).verdict) for row in compared if not row.trivial]
    above = [row for row, verdict in found if verdict == "above"]
    rest = {verdict: _named(row for row, own in found if own == verdict)
            for verdict in ("not told apart", "below")}
    return (f"{len(above)} of {len(found)} networks and starts beat RR intervals alone; not told from them: "
            f"{rest['not told apart']}; below them: {rest['below']}.")


def _pretraining(rows: dict[str, Row]) -> list[str]:
    """One line a network: which starts beat its random weights."""
    lines = []
    for arch, words in NETWORKS.items():
        own = [(row, gap(row, random_start(row, rows))) for row in rows.values()
               if row.config.arch == arch and random_start(row, rows)]
        by = {verdict: [start_words(row.config.init) for row, one in own if one and one.verdict == verdict]
              for verdict in ("above", "not told apart", "below")}
        if any(by.values()):
            told = "; ".join(f"{verdict}: {', '.join(names) or 'none'}" for verdict, names in by.items())
            lines.append(f"{words}, starts against its own random weights: {told}.")
    return lines


def _needs(row: Row) -> tuple[bool, bool, float]:
    """What a row asks of its user, less before more: a network, a checkpoint, time to train."""
    return not row.trivial, row.config.init != "random", row.seconds


def _choice(level: Sequence[Row]) -> str:
    """Of rows that cannot be told from the best the one that needs least, and one under a licence that allows commerce."""
    chosen = min(level, key=_needs)
    free = [row for row in level if NON_COMMERCIAL not in origin(row).get("licence", "")]
    said = (f"Choice: {chosen.words}, which of the rows that cannot be told from the best needs least "
            f"({chosen.seconds:.0f} s of training a run here)")
    if chosen in free:
        return f"{said}; no condition on its start forbids commercial use."
    other = min(free, key=_needs).words if free else "none of them"
    return f"{said}; its start is for non-commercial use. Without that condition: {other}."


def _named(found: Iterable[Row]) -> str:
    return "; ".join(row.words for row in found) or "none"


# Figure


def figure(rows: dict[str, Row]) -> Figure:
    """Macro AUC of every row, a panel a network: mean, both intervals, single runs; trivial classifiers as lines."""
    grouped = {arch: [row for row in rows.values() if row.config.arch == arch] for arch in NETWORKS}
    drawn, grid = plt.subplots(len(grouped), 1, figsize=(WIDTH, 6.6), sharex=True,
                               height_ratios=[len(own) + 0.7 for own in grouped.values()])
    for axes, (arch, own) in zip(grid, grouped.items(), strict=True):
        for method, dash in ((RR, "-."), (MAJORITY, ":")):
            if rows[method].bodies:
                axes.axvline(rows[method].sample.mean, color=COLOURS[method], linestyle=dash, linewidth=1.2,
                             label=METHODS[method])
        for y, row in enumerate(own):
            _draw(axes, y, row)
        axes.set(title=NETWORKS[arch], yticks=range(len(own)), yticklabels=[_tick(row) for row in own],
                 ylim=(len(own) - 0.4, -0.6))
        axes.tick_params(axis="y", labelsize=8)
    grid[-1].set_xlabel("macro AUC, test part")
    figures.legend_below(drawn, grid, 1)
    return drawn


def _tick(row: Row) -> str:
    words = start_words(row.config.init)
    return words[0].upper() + words[1:]


@functools.cache
def _colour(init: str) -> str:
    return COLOURS[init] if init in COLOURS else SOURCE_COLOURS[_sources().index(init) % len(SOURCE_COLOURS)]


def _sources() -> list[str]:
    """The data sets whose labels a row starts from, in the order of the rows."""
    inits = [row.get("init") for row in experiments.load(EXPERIMENT).rows.values()]
    return [init for init in dict.fromkeys(inits) if init in source_experiments()]


def _draw(axes: Axes, y: float, row: Row) -> None:
    """One line: the interval over test recordings broad and pale, the mean with the one over runs, the runs below."""
    if not row.bodies:
        axes.annotate(PENDING, (1, y), xycoords=("axes fraction", "data"), ha="right", va="center", fontsize=7,
                      color="#555555")
        return
    colour = _colour(row.config.init)
    axes.plot(_limits(row.draws), (y, y), color="#bbbbbb", linewidth=6, solid_capstyle="butt", zorder=1,
              label="95 % interval over test recordings")
    low, high = statistics.score_interval(row.sample)
    reach = [[row.sample.mean - low], [high - row.sample.mean]] if np.isfinite(low) else None
    axes.errorbar([row.sample.mean], [y], xerr=reach, color=colour, marker="o", markersize=5, capsize=3,
                  linestyle="none", label="mean with 95 % interval over runs; below it single runs")
    axes.plot(row.values, np.full(len(row.values), y + 0.28), ".", color=colour, alpha=0.6, markersize=4)
