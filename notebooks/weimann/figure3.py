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
# # Weimann 2021, Figure 3: does a pretrained network learn faster?
#
# The paper {cite}`weimann2021` shows the macro F1 on the validation set, averaged over the fine-tunings, epoch by epoch: each
# pretraining beside random weights. Pretrained networks come near their best within a few epochs, it says, and stay above.
# Below are the same curves of the runs of [Table 2](table2), for all three sizes of the training set; the paper's is the
# largest. It prints no numbers for this figure.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.analysis import cells
from ecgtl.config import SectionConfig
from ecgtl.report import figures, findings, in_short, provenance, tables
from ecgtl.report.weimann import figure3, shared

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
shown = cells.shown_tier(shared.TABLE2, config.tier, pending=True)
EXPERIMENT = cells.current(shared.TABLE2, shown)
histories = figure3.histories(shown)
tables.write_csv(histories, "weimann2021-figure3")
in_short.of_statements(shared.PAPER, ("W7",), {shared.TABLE2: shown})

# %% [markdown]
# ## 75 % of the data set

# %% tags=["remove-input"]
largest = figure3.validation_curves(histories, 75)
figures.shown(largest, figure3.CAPTION, figure3.curves_said(histories, 75), figure3.waiting(histories, 75))

# %% [markdown]
# ## 50 % of the data set

# %% tags=["remove-input"]
middle = figure3.validation_curves(histories, 50)
figures.shown(middle, figure3.CAPTION, figure3.curves_said(histories, 50), figure3.waiting(histories, 50))

# %% [markdown]
# ## 25 % of the data set

# %% tags=["remove-input"]
smallest = figure3.validation_curves(histories, 25)
figures.shown(smallest, figure3.CAPTION, figure3.curves_said(histories, 25), figure3.waiting(histories, 25))

# %% [markdown]
# ## How soon
#
# The validation set is small, so a single run's score jumps from epoch to epoch and the epoch at which it first comes near its
# best is a noisy number. Runs of a tier with few epochs are cut short for both sides alike.

# %% tags=["remove-input"]
tables.html(figure3.speed(histories), "How soon runs come near their best validation score")

# %% [markdown]
# Download {download}`every curve </downloads/weimann2021-figure3.csv>` and
# {download}`this notebook, executed </notebooks/weimann/figure3.ipynb>`.
#
# ## Conclusions

# %% tags=["remove-input"]
tables.html(findings.finding(shared.PAPER, "W7", shown), "The statement on speed and what the runs say")

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
shared.state(EXPERIMENT, shown)

# %% tags=["remove-input"]
tables.html(provenance.made(EXPERIMENT, shown), "Command, commit, seeds, device, time and data")

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("epochs:", len(histories), "digest of the plotted data:", *(figures.digest(figure) for figure in (largest, middle, smallest)))
