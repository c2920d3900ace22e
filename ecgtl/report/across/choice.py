"""The page across the papers: every network on one target beside the baselines, and which is recommended.

Two uncertainties stand beside each other: over runs (Student's *t*, Welch), and over the test recordings
(bootstrap; the same draws for all rows). A row is told from another only when both 95 % intervals of
their difference exclude 0. Rows with fewer than ``MIN_RUNS`` runs are shown and not compared.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup
from matplotlib import pyplot as plt

from ecgtl import experiments, statistics
from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import METHODS, NBSP, PENDING, f1
from ecgtl.config import protocol, starts
from ecgtl.datasets import catalogue, ptbxl
from ecgtl.report import alt, badges, figures, gains
from ecgtl.report.across import candidates
from ecgtl.report.across.candidates import EXPERIMENT, NETWORKS, RR, Row, gap, random_start, references, start_words
from ecgtl.report.numbers import Numbers
from ecgtl.report.words import bullets, estimate, limits, paragraph

SCALED = {"dataset": "by mean and SD of the whole data set",
          "window": "each recording by its own mean and SD", "range": "each recording to [−1, 1]"}
VERDICTS = ("above", "not distinguished", "below")


def frame(rows: dict[str, Row]) -> pd.DataFrame:
    """One row a network and start, numbers as numbers: the CSV, and what the tables below show."""
    found = []
    for method, row in rows.items():
        low, high = statistics.score_interval(row.sample) if row.bodies else (np.nan, np.nan)
        test_low, test_high = candidates.percentile_limits(row.draws)
        auc, weighted, f_max = (candidates.mean_of(row.scores(name)) for name in ("macro_auc", "weighted_f1", "f_max"))
        line = {"method": method, "network": row.config.arch, "start": row.config.init,
                "trained_on": ";".join(candidates.sources(row)), "runs": len(row.bodies), "macro_auc": auc, "low": low,
                "high": high, "test_low": test_low, "test_high": test_high, "weighted_f1": weighted, "f_max": f_max,
                "seconds": row.seconds}
        for name, other in references(row, rows).items():
            over = gap(row, other)
            line |= {f"over_{name}_{part}": getattr(over, part, np.nan) for part in candidates.Gap._fields}
            line[f"over_{name}"] = over.verdict if over else ""
        found.append(line)
    return pd.DataFrame(found)


def readable(table: pd.DataFrame, rows: dict[str, Row]) -> pd.DataFrame:
    """``frame`` as a reader sees it: scores, and seconds of training; PENDING where nothing has been run."""
    found, (column, *_) = [], experiments.load(EXPERIMENT).columns
    for row, line in zip(rows.values(), table.itertuples(), strict=True):
        known = Numbers(EXPERIMENT, row.config.tier)
        scores = {"Macro AUC [95 %, runs]": known.cell(row.method, column),
                  "[95 %, test recordings]": limits(line.test_low, line.test_high),
                  "Weighted F1": f1(line.weighted_f1), "Fmax": f1(line.f_max), "Training": f"{row.seconds:.0f}{NBSP}s"}
        found.append({"Network and start": row.words, "Start was trained on": candidates.trained_on(row),
                      **(scores if row.bodies else dict.fromkeys(scores, PENDING))})
    return pd.DataFrame(found)


def differences(rows: dict[str, Row]) -> pd.DataFrame:
    """What each start adds to random weights, and each row to boosted trees on RR intervals, with the verdict."""
    found, words = [], {"random": "− random weights", "rr": "− RR intervals"}
    for row in rows.values():
        found.append({"Network and start": row.words})
        for name, other in references(row, rows).items():
            runs = recordings = verdict = "–" if other is None else PENDING
            if over := gap(row, other):
                runs, verdict = estimate(over.value, over.low, over.high, signed=True), over.verdict
                recordings = limits(over.test_low, over.test_high, True)
            found[-1] |= {f"{words[name]} [95 %, runs]": runs, f"{words[name]} [95 %, test recordings]": recordings,
                          f"{words[name]}: verdict": verdict}
    return pd.DataFrame(found)


def networks(rows: dict[str, Row]) -> pd.DataFrame:
    """What each network keeps of its own paper: input, scaling, size, batch and learning rate."""
    found = []
    for arch, words in NETWORKS.items():
        config = next(row.config for row in rows.values() if row.config.arch == arch)
        rules = config.plan().inputs
        scaled = SCALED[rules.standardise] + (f", above {rules.highpass:g} Hz" if rules.highpass else "")
        found.append({"Network": words, "Protocol": config.input_protocol,
                      "Parameters": f"{candidates.parameters(config):,}",
                      "Input": f"{config.seconds:g}{NBSP}s at {config.sampling_rate:g}{NBSP}Hz", "Scaled": scaled,
                      "Batch": config.batch_size, "Learning rate": f"{config.learning_rate:g}"})
    return pd.DataFrame(found)


def target(rows: dict[str, Row], tier: str) -> pd.DataFrame:
    """What is the same for all: recordings, lead, labels, sets, epochs."""
    entry = experiments.load(EXPERIMENT)
    rules, title = protocol(entry.paper), catalogue.entry(entry.dataset).title
    folds = rules.split.folds or {}
    data: dict = next((row.bodies[0].data for row in rows.values() if row.bodies), {"split": {}})
    facts = {"Data set": f"{title} {data.get('version', PENDING)}", "Recordings": data.get("records", PENDING),
             "Lead": ", ".join(rules.datasets[entry.dataset]["leads"]), "Labels": ", ".join(ptbxl.SUPERCLASSES)}
    facts |= {f"With each label, {part}": ", ".join(f"{name} {n}" for name, n in counts.items())
              for part, counts in data["split"].items()}
    facts |= {"Folds": f"{folds['validation']} validates, {folds['test']} tests, the others train",
              "Epochs": rules.tiers[tier]["epochs"], "Runs a row": entry.runs[tier]}
    return pd.DataFrame({"What": facts.keys(), "For all rows": facts.values()})


def checkpoints(rows: dict[str, Row]) -> pd.DataFrame:
    """Where each pretrained start comes from: licence, and whether its weights are available or have to be made."""
    made = Markup("to be made: <code>{}</code>")
    return pd.DataFrame([{"Network and start": row.words, "Trained on": candidates.trained_on(row),
                          "Licence": candidates.origin(row).get("licence", PENDING),
                          "Weights": "available here" if row.weights else made.format(starts.pretraining_command(
                              row.config.init, row.config.arch, row.config.tier))}
                         for row in rows.values() if row.pretrained])


def state(tier: str) -> HTML:
    """Badges of the finished runs and their number; while some are missing, the command that makes them."""
    # One lead is this experiment's own rule, so its results call the leads whole; the table of the target names it
    return HTML(badges.state(EXPERIMENT, tier, without="leads"))


def unseen(rows: dict[str, Row]) -> HTML:
    """Whether any starting checkpoint has seen the target, from what the checkpoints say of themselves."""
    pretrained = [row for row in rows.values() if row.pretrained]
    known = [row for row in pretrained if candidates.sources(row)]
    seen = [row for row in known if experiments.load(EXPERIMENT).dataset in candidates.sources(row)]
    told = f"have seen the target: {_named(seen)}" if seen else "none has seen the target"
    return HTML(paragraph(f"Of {len(pretrained)} checkpoints {len(known)} say here what they were trained on; {told}."))


def answer(rows: dict[str, Row]) -> HTML:
    """What is recommended, by rule: the cheapest of the rows that cannot be distinguished from the best."""
    compared = [row for row in rows.values() if row.compared]
    pending = len(rows) - len(compared)
    lines = [f"{PENDING}: {pending} of {len(rows)} rows have fewer than {statistics.MIN_RUNS} runs and are left out."
             ] * bool(pending)
    if any(not row.is_baseline for row in compared) and rows[RR].compared:
        best = max(compared, key=lambda row: row.sample.mean)
        level = [row for row in compared if row is best or (over := gap(best, row))
                 and over.verdict == "not distinguished"]
        lines += [f"Highest mean: {best.words}, macro AUC {f1(best.sample.mean)}. Not distinguished from it: "
                  f"{_named(row for row in level if row is not best)}.",
                  _baselines(compared, rows), *_pretraining(rows), _choice(level)]
    return HTML(bullets(lines))


def _by_verdict(found: Iterable[Row], against: Callable[[Row], Row | None]) -> dict[str, list[Row]]:
    """The rows that can be compared, by the verdict on their difference to another one."""
    known = [(row, over.verdict) for row in found if (over := gap(row, against(row)))]
    return {verdict: [row for row, own in known if own == verdict] for verdict in VERDICTS}


def _baselines(compared: Sequence[Row], rows: dict[str, Row]) -> str:
    by = _by_verdict((row for row in compared if not row.is_baseline), lambda row: rows[RR])
    return (f"{len(by['above'])} of {sum(map(len, by.values()))} networks and starts beat RR intervals alone; not told "
            f"from them: {_named(by['not distinguished'])}; below them: {_named(by['below'])}.")


def _pretraining(rows: dict[str, Row]) -> list[str]:
    """One line a network: which starts beat its random weights."""
    lines = []
    for arch, words in NETWORKS.items():
        own = (row for row in rows.values() if row.config.arch == arch)
        by = _by_verdict(own, lambda row: random_start(row, rows))
        if any(by.values()):
            told = "; ".join(f"{verdict}: {', '.join(start_words(row.config.init) for row in found) or 'none'}"
                             for verdict, found in by.items())
            lines.append(f"{words}, starts against its own random weights: {told}.")
    return lines


def _needs(row: Row) -> tuple[bool, bool, float]:
    """What a row asks of its user, less before more: a network, a checkpoint, time to train."""
    return not row.is_baseline, row.pretrained, row.seconds


def _choice(level: Sequence[Row]) -> str:
    """Of rows that cannot be distinguished from the best the cheapest, and one under a licence that allows commerce."""
    chosen = min(level, key=_needs)
    free = [row for row in level if candidates.NON_COMMERCIAL not in candidates.origin(row).get("licence", "")]
    said = (f"Choice: {chosen.words}, which of the rows that cannot be distinguished from the best needs least "
            f"({chosen.seconds:.0f} s of training a run here)")
    if chosen in free:
        return f"{said}; no condition on its start forbids commercial use."
    other = min(free, key=_needs).words if free else "none of them"
    return f"{said}; its start is for non-commercial use. Without that condition: {other}."


def _named(found: Iterable[Row]) -> str:
    return "; ".join(row.words for row in found) or "none"


def figure(rows: dict[str, Row]) -> plt.Figure | None:
    """Macro AUC of every row, a panel a network: mean, both intervals, single runs; baselines as lines."""
    if not any(row.bodies for row in rows.values()):
        return None
    grouped = {arch: [row for row in rows.values() if row.config.arch == arch] for arch in NETWORKS}
    drawn, grid = plt.subplots(len(grouped), 1, figsize=(figures.WIDTH, 6.8), sharex=True,
                               height_ratios=[len(own) + 0.7 for own in grouped.values()])
    for axes, (arch, own) in zip(grid, grouped.items(), strict=True):
        for method, dash in ((RR, "-."), (candidates.MAJORITY, ":")):
            if rows[method].bodies:
                axes.axvline(rows[method].sample.mean, color=figures.COLOURS[method], linestyle=dash, linewidth=1.2,
                             label=METHODS[method])
        for y, row in enumerate(own):
            _draw(axes, y, row, figures.COLOURS["beat" if row.pretrained else "random"])
        axes.set_title(NETWORKS[arch])
        figures.name_rows(axes, [_start(row) for row in own])
    grid[-1].set_xlabel("macro AUC, test set")
    return figures.legend_below(drawn, grid, 1)


def figure_said(rows: dict[str, Row]) -> str:
    """What ``figure`` says: the best and the worst network and start, and the baselines."""
    known = [row for row in rows.values() if row.bodies]
    means, baselines = ({row.words: row.sample.mean for row in known if row.is_baseline == wanted}
                        for wanted in (False, True))
    return alt.by_panel({"Mean macro AUC of networks and starts": alt.ordered(means),
                         "Of the baselines": alt.ordered(baselines)})


def start_gains(rows: dict[str, Row]) -> list[gains.Gain]:
    """What each start adds to random weights of its network; the limits are the outer ones of both intervals."""
    found = []
    for row in rows.values():
        if over := gap(row, random_start(row, rows)):
            outer = Interval(over.value, min(over.low, over.test_low), max(over.high, over.test_high))
            found.append(gains.Gain(NETWORKS[row.config.arch], _start(row), outer))
    return found


def _start(row: Row) -> str:
    """Its start, as a heading."""
    start = start_words(row.config.init)
    return start[0].upper() + start[1:]


def _draw(axes: plt.Axes, y: float, row: Row, colour: str) -> None:
    """One line: the interval over test recordings broad and pale, the mean with the one over runs, the runs below."""
    if not row.bodies:
        figures.pending_row(axes, y)
        return
    axes.plot(candidates.percentile_limits(row.draws), (y, y), color="#bbbbbb", linewidth=6, solid_capstyle="butt",
              zorder=1, label="95 % interval over test recordings")
    mean = Interval(row.sample.mean, *statistics.score_interval(row.sample))
    figures.dot(axes, mean, y, colour, "o", label="mean with 95 % interval over runs; below it single runs")
    axes.plot(row.scores("macro_auc"), np.full(len(row.bodies), y + 0.28), ".", color=colour, alpha=0.6, markersize=4)
