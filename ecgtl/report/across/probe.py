"""Is it the pretraining or the architecture? Frozen encoders beside the same networks with random weights."""

from dataclasses import dataclass
from functools import lru_cache

import pandas as pd
from IPython.display import HTML
from markupsafe import Markup
from matplotlib import pyplot as plt

from ecgtl import experiments
from ecgtl.analysis import cells, claim_rules, sources
from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import METHODS, PENDING, SCORES, data_set
from ecgtl.analysis.verdicts import Comparison, Place
from ecgtl.config import BASELINES
from ecgtl.report import alt, figures, in_short
from ecgtl.report.across.candidates import NETWORKS, start_words
from ecgtl.report.numbers import Numbers
from ecgtl.report.words import difference, paragraph

# Target -> the experiment with the same networks fine-tuned, its column, and how it calls the random ResNet-18
TARGETS = {"probe-cinc2017": ("weimann2021-table2", 75, "random"), "probe-ptbxl": ("finetuned-ptbxl", 100, None),
           "probe-cpsc2018": ("finetuned-cpsc2018", 100, None)}
RR = "rr_logistic"
FEW = 10  # fewer labels of a class in the training set are marked


@dataclass(frozen=True)
class Row:
    """One encoder on one target: ``method`` names it in the experiment, ``twin`` the same network with random weights.
    """

    experiment: str
    method: str
    network: str
    start: str
    twin: str | None

    @property
    def words(self) -> str:
        """Network and weights."""
        return METHODS[RR] if self.network in BASELINES else f"{NETWORKS[self.network]}, {start_words(self.start)}"


@lru_cache
def rows(experiment: str, tier: str) -> tuple[Row, ...]:
    """The encoders of a target, in the order of its file."""
    configs = {run.method: run.config for run in experiments.enumerate_runs(experiment, tier)}
    twins = {config.arch: method for method, config in configs.items() if config.init == "random"}
    return tuple(Row(experiment, method, config.arch, config.init,
                     twins[config.arch] if config.init != "random" else None) for method, config in configs.items())


def over(tier: str, reference: str = "twin") -> dict[tuple[Row, int | str], Comparison]:
    """Each pretrained encoder less its random twin, or less RR intervals (``reference`` "rr"), by row and column."""
    source, found = sources.Runs(tier), {}
    for row in (row for experiment in TARGETS for row in rows(experiment, tier) if row.twin):
        for column in experiments.load(row.experiment).columns:
            other = row.twin if reference == "twin" else RR
            places = [Place(row.experiment, method, column) for method in (row.method, other)]
            found[row, column] = claim_rules.judged("beats", places, source, printed=())
    return found


def answer(tier: str) -> HTML:
    """The answer in short, by rule: pretrained encoders against their random twins, and against RR intervals."""
    said = []
    for reference, words in (("twin", "Frozen encoder minus random twin"), ("rr", "Minus RR intervals")):
        ours = [in_short.Finding(f"{row.words}, {_column(row.experiment, column)} of {_target(row.experiment)}",
                                 _interval(one)) for (row, column), one in over(tier, reference).items()]
        said += [f"{words}: {one[0].lower()}{one[1:]}" for one in in_short.findings("difference", ours)]
    return in_short.answered([Markup(one) for one in said], dict.fromkeys(TARGETS, tier), statements=())


def _interval(found: Comparison) -> Interval:
    ours = found.verdict.ours
    return Interval(ours.value, ours.low, ours.high) if ours else sources.NOTHING


def _target(experiment: str) -> str:
    return data_set(experiments.load(experiment).dataset)


def _column(experiment: str, column: int | str) -> str:
    return experiments.load(experiment).column_words(column)


def counts(tier: str) -> pd.DataFrame:
    """How many differences to the random twin, and to RR intervals, are which word, by target and column."""
    found = []
    for reference, words in (("twin", "− random twin"), ("rr", "− RR intervals")):
        for (row, column), one in over(tier, reference).items():
            found.append({"Target": _target(row.experiment), "Labels": _column(row.experiment, column),
                          "Difference": words, "Answer": one.verdict.sign})
    table = pd.crosstab([pd.DataFrame(found)[name] for name in ("Target", "Labels", "Difference")],
                        pd.DataFrame(found)["Answer"])
    return table.reset_index().rename_axis(columns=None)


def table(experiment: str, tier: str) -> pd.DataFrame:
    """Scores of every encoder of a target, with the difference to its random twin, and of the network fine-tuned."""
    entry, probes, twins, found = experiments.load(experiment), Numbers(experiment, tier), over(tier), []
    other, column, random = TARGETS[experiment]
    tuned = Numbers(other, tier)
    few, seen = _few_labels(experiment, tier), _seen(experiment, tier)
    for row in rows(experiment, tier):
        line: dict = {"Encoder": row.words + " ‡" * (row.method in seen)}
        for share in entry.columns:
            gap = _interval(twins[row, share]) if row.twin else sources.NOTHING
            shown = Markup("{}{}").format(probes.cell(row.method, share, brief=True), " †" * (share in few))
            more = Markup("<br>{}").format(difference(gap)) if gap.reach else ""
            line[entry.column_words(share)] = Markup("{}{}").format(shown, more)
        name = random if random and row.start == "random" else row.method
        listed = (name, column) in experiments.load(other).cells and row.network in ("resnet18", "cae_classifier")
        line["Fine-tuned, 100 %"] = tuned.cell(name, column, entry.score, brief=True) if listed else "–"
        found.append(line)
    return pd.DataFrame(found)


def remarks(experiment: str, tier: str) -> HTML:
    """What the marks of ``table`` stand for, where it has any."""
    few, seen, entry = _few_labels(experiment, tier), _seen(experiment, tier), experiments.load(experiment)
    lines = [f"† {entry.column_words(share)}: fewer than {FEW} labels of {', '.join(names)}."
             for share, names in few.items()]
    lines += ["‡ has seen inputs of the target's training set, without labels."] if seen else []
    return HTML(paragraph(" ".join(lines))) if lines else HTML("")


def _few_labels(experiment: str, tier: str) -> dict[int | str, list[str]]:
    """Columns that leave a class fewer than ``FEW`` labels to train on, and these classes."""
    found: dict[int | str, set[str]] = {}
    for run, body in cells.runs(experiment, tier):
        if names := {name for name, n in body.data["split"]["train"].items() if n < FEW}:
            found[run.size] = found.get(run.size, set()) | names
    return {column: sorted(found[column]) for column in experiments.load(experiment).columns if column in found}


def _seen(experiment: str, tier: str) -> set[str]:
    """Encoders whose pretraining had recordings of the target among its sources."""
    target = experiments.load(experiment).dataset
    return {run.method for run, body in cells.runs(experiment, tier)
            if target in body.data.get("start", {}).get("sources", ())}


def gains(tier: str) -> pd.DataFrame:
    """One row a difference to the random twin: the CSV, and what ``figure`` draws."""
    return pd.DataFrame([{"target": row.experiment.removeprefix("probe-"), "method": row.method, "encoder": row.words,
                          "labels": _column(row.experiment, column), "answer": one.verdict.sign,
                          "difference": _interval(one).value, "low": _interval(one).low, "high": _interval(one).high}
                         for (row, column), one in over(tier).items()])


def figure(tier: str) -> plt.Figure | None:
    """The gain of every encoder over its random twin, a panel a target, a mark for each share of the labels."""
    found = over(tier)
    if not any(one.verdict.ours for one in found.values()):
        return None
    panels = {name: [row for row in rows(name, tier) if row.twin] for name in TARGETS}
    heights = [len(own) + 0.8 for own in panels.values()]
    drawn, grid = plt.subplots(len(panels), 1, figsize=(figures.WIDTH, 1 + 0.34 * sum(heights)), sharex=True,
                               height_ratios=heights)
    for axes, (experiment, own) in zip(grid, panels.items(), strict=True):
        entry = experiments.load(experiment)
        axes.axvline(0, color=figures.INK, linewidth=0.9)
        for k, (column, (colour, marker)) in enumerate(zip(entry.columns, figures.STYLES, strict=False)):
            for y, row in enumerate(own):
                figures.dot(axes, _interval(found[row, column]), y + 0.26 * (k - 1), colour, marker, markersize=4,
                            label=entry.column_words(column))
        axes.set_title(f"{_target(experiment)}, {SCORES[entry.score]}")
        figures.name_rows(axes, [row.words for row in own])
    grid[-1].set_xlabel("score less that of random weights, frozen", loc="right")
    return figures.legend_below(drawn, grid, 3)


def said(tier: str) -> str:
    """What ``figure`` says."""
    found = {f"{_target(row.experiment)}, {row.words}, {_column(row.experiment, column)}": _interval(one)
             for (row, column), one in over(tier).items()}
    return alt.by_panel({"Frozen encoder less its random twin": alt.beside_zero(found)})


def pending(tier: str) -> HTML:
    """How many runs are there."""
    lines = []
    for name in (*TARGETS, "finetuned-ptbxl", "finetuned-cpsc2018"):
        planned = experiments.enumerate_runs(name, tier)
        done = sum(run.state() == "done" for run in planned)
        lines.append(f"{name} {done} of {len(planned)}" + f" ({PENDING})" * (done < len(planned)))
    return HTML(paragraph("Runs: " + "; ".join(lines) + "."))
