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
# # Jang 2021, Figure 1: course of the study
#
# {pub}`jang2021.figures.F1.caption`. Here it is drawn from the paper's printed numbers and from what was run,
# so that one can see at a glance which of its steps were repeated and on what.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.analysis import cells
from ecgtl.config import SectionConfig
from ecgtl.report import alt, figures, in_short, provenance, study, tables
from ecgtl.report.jang import figure1

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
shown = cells.shown_tier("jang2021-table2-ptbxl", config.tier)
EXPERIMENT = cells.current("jang2021-table2-ptbxl", shown)
in_short.of_gains({EXPERIMENT: shown}, why="table2.html#conclusions")

# %% tags=["remove-input"]
overview = figure1.overview(EXPERIMENT, shown)
chart = study.study_chart("jang2021", overview)
figures.shown(chart, "The course of the study, the paper's numbers and those here.", alt.written(chart))

# %% [markdown]
# ## Step by step

# %% tags=["remove-input"]
tables.write_csv(overview, "jang2021-figure1")
tables.html(study.readable_study(overview), "The study as printed and as it was run here")

# %% [markdown]
# ## Conclusions

# %% tags=["remove-input"]
study.study_verdict(overview)

# %% [markdown]
# Download {download}`the table </downloads/jang2021-figure1.csv>` and {download}`this notebook, executed
# </notebooks/jang/figure1.ipynb>`.

# %% [markdown]
# ## Provenance
#
# Drawn when this page was built, from `ecgtl/published/jang2021.yml`, the result of the pretraining and those
# of [Table 2](table2.ipynb).

# %% tags=["remove-input"]
provenance.made_by(figure1.autoencoder(EXPERIMENT, shown))

# %% tags=["remove-input"]
tables.html(provenance.made(EXPERIMENT, shown), "Classification: command, commit, seeds, device, time and data")

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("entries:", len(overview), "digest of the plotted data:", figures.digest(chart))
