"""Is it the pretraining or the architecture? Frozen encoders beside the same networks with random weights."""

import itertools
from collections import defaultdict

import pandas as pd
from IPython.display import HTML
from markupsafe import Markup
from matplotlib import pyplot as plt

from ecgtl import experiments
from ecgtl.analysis import cells, claim_rules, sources
from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import METHODS, SCORES, data_set
from ecgtl.analysis.verdicts import Place
from ecgtl.config import BASELINES, FinetuneConfig
from ecgtl.report import alt, badges, figures, in_short
from ecgtl.report.across.candidates import NETWORKS, start_words
from ecgtl.report.numbers import Numbers
from ecgtl.report.words import difference, paragraph

# Target -> the experiment with the same networks fine-tuned, its column, and how it calls the random ResNet-18
TARGETS = {"probe-cinc2017": ("weimann2021-table2", 75, "random"),
           "probe-ptbxl": ("finetuned-ptbxl", 100, "resnet18_random"),
           "probe-cpsc2018": ("finetuned-cpsc2018", 100, "resnet18_random")}
RR = "rr_logistic"
OVER = {"twin": "Frozen encoder minus random twin", "rr": "Minus RR intervals"}
FEW = 10  # fewer labels of a class in the training set are marked


def encoders(experiment: str, tier: str) -> dict[str, FinetuneConfig]:
    """The encoders of a target by the names of their rows, in the order of its file."""
    return {run.method: run.config for run in experiments.enumerate_runs(experiment, tier)}


def twin_of(method: str, found: dict[str, FinetuneConfig]) -> str | None:
    """The row of the same network with random weights; None of that row itself."""
    if found[method].init == "random":
        return None
    return next(name for name, one in found.items() if (one.arch, one.init) == (found[method].arch, "random"))


def named(method: str, config: FinetuneConfig) -> str:
    """Network and weights of an encoder."""
    return METHODS[RR] if config.arch in BASELINES else f"{NETWORKS[config.arch]}, {start_words(config.init)}"


def frame(tier: str) -> pd.DataFrame:
    """One row a difference, by the analysis plan: of a pretrained encoder to its random twin, and to RR intervals.

    ``over`` is "twin" or "rr", ``ours`` the ``Interval`` and ``covers`` what it covers, ``answer`` a word of
    ``verdicts.SIGNS``.
    """
    source, rows = sources.Runs(tier), []
    for experiment in TARGETS:
        entry, found = experiments.load(experiment), encoders(experiment, tier)
        for method, config in found.items():
            twin = twin_of(method, found)
            others = {"twin": twin, "rr": RR} if twin else {}
            for (over, other), column in itertools.product(others.items(), entry.columns):
                places = [Place(experiment, name, column) for name in (method, other)]
                comparison = claim_rules.judged("beats", places, source, printed=())
                rows.append({"experiment": experiment, "method": method, "column": column, "over": over,
                             "target": data_set(entry.dataset), "encoder": named(method, config),
                             "labels": entry.column_words(column), "answer": comparison.verdict.sign,
                             "covers": comparison.covers, "ours": Interval.of(comparison.verdict.ours)})
    return pd.DataFrame(rows)


def plain(found: pd.DataFrame) -> pd.DataFrame:
    """``frame`` with its limits as numbers: the CSV."""
    limits = {name: [getattr(one, name) for one in found["ours"]] for name in ("value", "low", "high")}
    return found.drop(columns="ours").assign(**limits)


def answer(found: pd.DataFrame, tier: str) -> HTML:
    """The answer in short, by rule: pretrained encoders against their random twins, and against RR intervals."""
    said = []
    for over, own in found.groupby("over", sort=False):
        ours = [in_short.Finding(f"{row.encoder}, {row.labels} of {row.target}", row.ours) for row in own.itertuples()]
        said += [Markup("{}: {}{}").format(OVER[over], one[0].lower(), Markup(one[1:]))
                 for one in in_short.findings("difference", ours)]
    return in_short.answered(said, dict.fromkeys(TARGETS, tier), statements=())


def counts(found: pd.DataFrame) -> pd.DataFrame:
    """How many differences have which answer, by target, labels, and what they are to."""
    shown = found.rename(columns={"target": "Target", "labels": "Labels", "over": "Difference"}).replace(OVER)
    return pd.crosstab([shown[name] for name in ("Target", "Labels", "Difference")], shown["answer"]).reset_index()


def runs_alone(found: pd.DataFrame) -> HTML:
    """Which intervals leave the test recordings out, since the two have different ones."""
    some = found[(found["covers"] == sources.Runs.covers) & found["ours"].map(lambda one: bool(one.reach))]
    names = dict.fromkeys(f"{OVER[row.over]}, {row.target}, {row.encoder}" for row in some.itertuples())
    return HTML(paragraph("All intervals cover runs and test recordings." if not names else
                          f"{len(some)} of {len(found)} intervals cover runs alone, since one of the two leaves out "
                          f"test recordings that the other has: {'; '.join(names)}."))


def table(found: pd.DataFrame, experiment: str, tier: str) -> pd.DataFrame:
    """Scores of every encoder of a target, with the difference to its random twin, and of the network fine-tuned."""
    entry, probes = experiments.load(experiment), Numbers(experiment, tier)
    other, column, random = TARGETS[experiment]
    tuned, few, seen, rows = Numbers(other, tier), _few_labels(experiment, tier), _seen(experiment, tier), []
    own = found[(found["experiment"] == experiment) & (found["over"] == "twin")]
    gaps = own.set_index(["method", "column"])["ours"].to_dict()
    for method, config in encoders(experiment, tier).items():
        line: dict = {"Encoder": named(method, config) + " ‡" * (method in seen)}
        for share in entry.columns:
            gap = gaps.get((method, share), sources.NOTHING)
            more = Markup("<br>{}").format(difference(gap)) if gap.reach else ""
            cell = probes.cell(method, share, brief=True)
            line[entry.column_words(share) + " †" * (share in few)] = Markup("{}{}").format(cell, more)
        place = (random if method == "resnet18_random" else method, column)
        known = place in experiments.load(other).cells
        line["Fine-tuned, 100 %"] = tuned.cell(*place, entry.score, brief=True) if known else "–"
        rows.append(line)
    return pd.DataFrame(rows)


def remarks(experiment: str, tier: str) -> HTML:
    """What the marks of ``table`` stand for, and how many runs there are."""
    entry, few = experiments.load(experiment), _few_labels(experiment, tier)
    lines = [f"† {entry.column_words(share)}: fewer than {FEW} labels of {', '.join(sorted(names))}."
             for share, names in few.items()]
    lines += ["‡ Has seen inputs of the target's training set, without labels."] if _seen(experiment, tier) else []
    states = [badges.state(name, tier) for name in (experiment, TARGETS[experiment][0])]
    return HTML(Markup().join([paragraph(" ".join(lines)), *states]))


def _few_labels(experiment: str, tier: str) -> dict[int | str, set[str]]:
    """Columns that leave a class fewer than ``FEW`` labels to train on, and these classes."""
    found: dict[int | str, set[str]] = defaultdict(set)
    for run, body in cells.runs(experiment, tier):
        for name in (name for name, n in body.data["split"]["train"].items() if n < FEW):
            found[run.size].add(name.replace("_", " "))
    return found


def _seen(experiment: str, tier: str) -> set[str]:
    """Encoders whose pretraining had recordings of the target among its sources."""
    target = experiments.load(experiment).dataset
    return {run.method for run, body in cells.runs(experiment, tier)
            if target in body.data.get("start", {}).get("sources", ())}


def figure(found: pd.DataFrame) -> plt.Figure | None:
    """The gain of every encoder over its random twin, a panel a target, a mark for each share of the labels."""
    own = found[found["over"] == "twin"]
    if not any(one.reach for one in own["ours"]):
        return None
    panels = dict(list(own.groupby("experiment", sort=False)))
    heights = [panel["method"].nunique() + 0.8 for panel in panels.values()]
    drawn, grid = plt.subplots(len(panels), 1, figsize=(figures.WIDTH, 1 + 0.34 * sum(heights)), sharex=True,
                               height_ratios=heights)
    for axes, (experiment, panel) in zip(grid, panels.items(), strict=True):
        axes.axvline(0, color=figures.INK, linewidth=0.9)
        by_labels = panel.groupby("labels", sort=False)
        for k, ((labels, some), (colour, marker)) in enumerate(zip(by_labels, figures.STYLES, strict=False)):
            for y, ours in enumerate(some["ours"]):
                figures.dot(axes, ours, y + 0.26 * (k - 1), colour, marker, markersize=4, label=labels)
        axes.set_title(f"{panel['target'].iloc[0]}, {SCORES[experiments.load(experiment).score]}")
        figures.name_rows(axes, [name.replace(", ", ",\n") for name in panel["encoder"].unique()])
    grid[-1].set_xlabel("score less that of random weights, frozen", loc="right")
    return figures.legend_below(drawn, grid, 3)


def said(found: pd.DataFrame) -> str:
    """What ``figure`` says."""
    own = found[found["over"] == "twin"]
    return alt.by_panel({OVER["twin"]: alt.beside_zero(
        {f"{row.target}, {row.encoder}, {row.labels}": row.ours for row in own.itertuples()})})
