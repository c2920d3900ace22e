"""The page on the number of subjects: scores over the subjects of a pretraining, a slope, and subjects against hours.

Cells that are not full are PENDING in tables and figures, as they are to the rules (``ecgtl.analysis.subjects``).
"""

import itertools

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib import pyplot as plt

from ecgtl import experiments, published
from ecgtl.analysis import cells, subjects
from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import METHODS, PENDING, f1
from ecgtl.analysis.subjects import COMPARED, ROWS, TABLE, Study
from ecgtl.analysis.verdicts import Place
from ecgtl.report import alt, figures, findings, tables
from ecgtl.report.numbers import Numbers
from ecgtl.report.words import difference

COLUMNS = {size: experiments.load(TABLE).column_words(size) for size in experiments.load(TABLE).columns}
PAPER = published.lookup("weimann2021.scalars.icentia_patients.value")  # subjects that the paper pretrains on
MORE, FEWER = COMPARED["control"]
QUESTIONS = {"slope": "Do more subjects help? Macro F1 per doubling of the subjects",
             "control": f"Subjects against hours: {METHODS[MORE]}, less {METHODS[FEWER]}"}

BEAT_STYLE = figures.COLOURS["beat"], "s", "beat pretraining; 95 % interval over runs"
CONTROL_STYLE = figures.COLOURS["rhythm"], "D", METHODS[MORE]


def table(study: Study) -> pd.DataFrame:
    """A row a pretraining and a column a share of the data: our numbers, each a button, where a cell is full."""
    known, every = Numbers(TABLE, study.tier), f"All {study.subjects.get('subjects_all', 0):.0f}"
    return tables.grid_of((
        (METHODS[row].replace("All", every.removesuffix(" 0")), ("Share of the data set", words),
         tables.Lines(here=known.cell(row, size) if (row, size) in study.full else PENDING))
        for row in ROWS for size, words in COLUMNS.items()), "Pretraining")


def waiting(study: Study) -> list[str]:
    """The cells that are not full, in words."""
    return [f"{METHODS[row]}, {COLUMNS[size]}" for row in ROWS for size in COLUMNS if (row, size) not in study.full]


def judged(study: Study) -> pd.DataFrame:
    """Both questions at every share of the data: the verdict with its evidence, and the number behind it."""
    found, finished = [], cells.runs(TABLE, study.tier)
    for rule, size in itertools.product(QUESTIONS, COLUMNS):
        asked = subjects.judged(study, rule, size)
        ours, own = asked.verdict.ours, [body for run, body in finished
                                         if Place(TABLE, run.method, run.size) in asked.places]
        here = findings.stands_on({"ours": asked.verdict.sign, "size": None, "worthwhile": None, "tier": study.tier,
                                   "evidence": ours and cells.evidence_of(own)})
        behind = f"{f1(ours.detectable)}; {', '.join(map(str, asked.runs))}; {asked.covers}" if ours else PENDING
        found.append((QUESTIONS[rule], COLUMNS[size], here, difference(ours) if ours else PENDING, behind))
    return pd.DataFrame(found, columns=["Question", "Data", "Here", "Difference [95 %]", "Detectable; runs; covers"])


def answers(study: Study) -> list[Markup]:
    """Both questions answered, a sentence each, at every share of the data."""
    return [Markup("{}: {}.").format(question, Markup("; ").join(
        map(Markup("{} at {}").format, own["Difference [95 %]"], own["Data"])))
        for question, own in judged(study).groupby("Question", sort=False)]


def figure(study: Study) -> plt.Figure | None:
    """Macro F1 over the training subjects, a panel a share of the data; the fitted line ends where the data do.

    None while no pretrained cell is full.
    """
    if not any(row in study.subjects for row, _ in study.full):
        return None
    drawn, grid = plt.subplots(len(COLUMNS), 1, figsize=(figures.WIDTH, 5.8), sharex=True)
    ends = [*(n for row, n in study.subjects.items() if row != MORE), PAPER]
    for axes, (size, words) in zip(grid, COLUMNS.items(), strict=True):
        axes.set(title=f"{words} of the data", ylabel="macro F1, test set")
        if base := study.full.get(("random", size)):
            axes.axhspan(base.low, base.high, color=figures.INK, alpha=0.12, linewidth=0)
            axes.axhline(base.mean, color=figures.INK, linewidth=1, label="random weights; 95 % interval over runs")
        own = {row: study.full[row, size] for row in study.subjects if (row, size) in study.full}
        for row, cell in own.items():
            colour, marker, label = CONTROL_STYLE if row == MORE else BEAT_STYLE
            figures.dot(axes, Interval(cell.mean, cell.low, cell.high), study.subjects[row], colour, marker, True,
                        label=label)
        if subjects.judged(study, "slope", size).found:
            x, y = np.transpose([(np.log2(study.subjects[row]), own[row].mean) for row in COMPARED["slope"]])
            axes.plot(2**x, np.polyval(np.polyfit(x, y, 1), x), "--", color=figures.GREY, label="line of least squares")
        axes.axvline(PAPER, color=figures.PAPER_COLOUR, ls=":", label=f"the paper's {PAPER:,} subjects: not judged")
    axes.set_xscale("log", base=2)
    axes.set_xticks(ends, [f"{end:,.0f}" for end in ends])
    axes.set(xlabel="training subjects of the pretraining", xlim=(min(ends) / 1.6, PAPER * 1.6))
    return figures.legend_below(drawn, grid, 1)


def said(study: Study) -> str:
    """What ``figure`` says: means at each share, slopes, and that nothing is said of the paper's subjects."""
    full = {words: {METHODS[row]: study.full[row, size].mean for row in ROWS if (row, size) in study.full}
            for size, words in COLUMNS.items()}
    slopes = {words: Interval.of(found) for size, words in COLUMNS.items()
              if (found := subjects.judged(study, "slope", size).verdict.ours)}
    return alt.by_panel({f"Macro F1 at {words}": alt.ordered(means) for words, means in full.items()}
                        | {f"Per doubling of the subjects, up to {max(study.subjects.values(), default=0):.0f} of the "
                           f"paper's {PAPER:,}": alt.beside_zero(slopes)})
