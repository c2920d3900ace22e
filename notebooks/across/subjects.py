# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   language_info:
#     name: python
# ---

# %% [markdown]
# # How many subjects does pretraining need?
#
# Weimann and Conrad {cite}`weimann2021` pretrain on {pub}`weimann2021.scalars.icentia_patients` patients and do not say how much
# fewer would give. Here beat classification is pretrained on 8, on 32 and on all training subjects there are, the same minutes of
# each, and fine-tuned as in [Table 2](../weimann/table2). More subjects bring more hours with them; so in a control 64 subjects share
# the minutes of 8. No paper prints these numbers: the page is ours, and its rules stand in the [analysis plan](../../analysis-plan).

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from IPython.display import HTML

from ecgtl.analysis import cells, subjects
from ecgtl.config import SectionConfig
from ecgtl.report import badges, figures, in_short, provenance, tables
from ecgtl.report.across import subjects as page

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
shown = cells.shown_tier(subjects.TABLE, config.tier, pending=True)
study = subjects.load(shown)
tables.write_csv(cells.runs_table(subjects.TABLE, shown), "subjects-runs")
in_short.answered(page.answers(study), {subjects.TABLE: shown}, ())

# %% [markdown]
# ## Every pretraining

# %% tags=["remove-input"]
tables.html(page.table(study), "Macro F1 on the test set of CinC 2017 by the subjects of the pretraining: mean [95 % interval over runs]")

# %% [markdown]
# A cell is PENDING until it has all of its runs. They take a processor with AMX, by the [analysis plan](../../analysis-plan): what is
# missing waits for hours on one.
#
# Fine-tuning run *k* starts from a pretraining with seed *k*, which draws its subjects anew,
# so an interval covers who was drawn. The smaller draws lie within the larger ones, have subjects of both databases in their
# shares, and an epoch has as many frames whoever they come from.
#
# Download {download}`every run </downloads/subjects-runs.csv>` and {download}`this notebook, executed </notebooks/across/subjects.ipynb>`.

# %% tags=["remove-input"]
drawn = page.figure(study)
figures.shown(drawn, "Macro F1 over the subjects of the pretraining, on a logarithmic axis as long as the way to the paper's number. The fitted line ends where the data end.",
              page.said(study), page.waiting(study))

# %% [markdown]
# ## What this cannot say
#
# - **Nothing about the paper's number of subjects.** It lies two decades beyond ours, and no verdict reaches so far beyond the data: the
#   line may go on, bend, or end.
# - **Subjects and hours grow together along the line.** Only the control separates them, at one number of minutes.
# - **Other people in other databases.** MIT-BIH and the QT Database have sick and well-annotated hearts; the paper's are patients of
#   a monitor. Neither their labels nor their noise are the same.
# - **One task, one network, one target.** Beat classification, a ResNet-18 narrower than the paper's in tier `reduced`, CinC 2017. Future
#   prediction needs no labels and may need more subjects.
#
# ## Conclusions
#
# The slope is that of the line of least squares through the runs' scores over the logarithm to base 2 of the subjects; more subjects help
# where its interval lies above 0. Intervals cover runs and test recordings.

# %% tags=["remove-input"]
tables.html(page.judged(study), "Both questions at each share of the data set, judged by rule once the cells are full")

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
HTML(badges.state(subjects.TABLE, shown))

# %% tags=["remove-input"]
tables.html(provenance.made(subjects.PRETRAININGS, shown), "Pretrainings: command, commit, seeds, device, time and data")

# %% tags=["remove-input"]
tables.html(provenance.made(subjects.TABLE, shown), "Fine-tuning, random weights and baselines included: command, commit, seeds, device, time and data")

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("full cells:", len(study.full), "digest of the plotted data:", figures.digest(drawn))
