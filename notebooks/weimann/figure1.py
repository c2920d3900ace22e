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
# # Weimann 2021, Figure 1: course of the study
#
# {pub}`weimann2021.figures.F1.caption`. Here it is drawn from the paper's printed numbers and from what was run, so that one
# can see at a glance which of its steps were repeated and on what.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.analysis import cells
from ecgtl.config import SectionConfig
from ecgtl.report import alt, figures, in_short, provenance, study, tables
from ecgtl.report.weimann import figure1, shared

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
shown = cells.shown_tier(shared.TABLE2, config.tier, pending=True)
EXPERIMENT = cells.current(shared.TABLE2, shown)
in_short.of_gains({EXPERIMENT: shown}, why="table2.html#conclusions")

# %% tags=["remove-input"]
overview = figure1.overview(shown)
chart = study.study_chart(shared.PAPER, overview)
figures.shown(chart, "The course of the study, the paper's numbers and those here.", alt.written(chart))

# %% [markdown]
# ## Step by step
#
# The number of weights is computed from the network at the width that a tier has; the paper does not print it.

# %% tags=["remove-input"]
tables.write_csv(overview, "weimann2021-figure1")
tables.html(study.readable_study(overview), "The study as printed and as it was run here")

# %% [markdown]
# ## What the first step learnt
#
# The paper reports nothing on the pretraining tasks themselves. How often they are answered rightly on subjects that were not
# trained on, beside what a guess would reach: the most frequent class for labels, one of the candidates for the future.

# %% tags=["remove-input"]
figure1.upstream_badges(shown)

# %% tags=["remove-input"]
tables.html(figure1.learned(shown), "The four pretraining tasks on held-out subjects")

# %% [markdown]
# ## Conclusions

# %% tags=["remove-input"]
study.study_verdict(overview)

# %% [markdown]
# Download {download}`the table </downloads/weimann2021-figure1.csv>` and {download}`this notebook, executed
# </notebooks/weimann/figure1.ipynb>`.
#
# ## Provenance
#
# Drawn when this page was built, from `ecgtl/published/weimann2021.yml`, the results of the pretrainings and those of
# [Table 2](table2).

# %% tags=["remove-input"]
shared.state(EXPERIMENT, shown)

# %% tags=["remove-input"]
tables.html(provenance.made(EXPERIMENT, shown), "Fine-tuning: command, commit, seeds, device, time and data")

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("entries:", len(overview), "digest of the plotted data:", figures.digest(chart))
