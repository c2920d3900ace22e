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
# # Weimann 2021, Table 4: deeper networks
#
# Weimann and Conrad {cite}`weimann2021` repeat pretraining and fine-tuning with residual networks of 34 and 50 layers. The
# deepest is built of bottlenecks and has {pub}`weimann2021.scalars.resnet50_expansion` times the channels at its end.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.analysis import cells
from ecgtl.config import SectionConfig
from ecgtl.report import figures, gains, in_short, provenance, tables
from ecgtl.report.weimann import shared, table4

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
EXPERIMENT = shared.TABLE4
shown = cells.shown_tier(EXPERIMENT, config.tier, pending=True)
trials = shared.trials(EXPERIMENT, shown)
in_short.of_gains({EXPERIMENT: shown})

# %% [markdown]
# ## The networks
#
# Counted in the models themselves. Work is that of training on one recording, forward and backward, at the input length of
# the tier. Future prediction pretrains only a part of ResNet-50, whose last stage starts at random.

# %% tags=["remove-input"]
tables.html(table4.networks(shown), "Parameters and work of the three networks")

# %% [markdown]
# ## Comparison with the paper
#
# The column of ResNet-18 has its runs in common with [Table 2](table2), which has more of some rows: of random weights
# {res}`weimann2021-table2.reduced.random.75.macro_f1.n` in place of {res}`weimann2021-table4.reduced.random.resnet18.macro_f1.n`. That is
# why its mean is {res}`weimann2021-table2.reduced.random.75.macro_f1.mean` there and
# {res}`weimann2021-table4.reduced.random.resnet18.macro_f1.mean` here; the baselines likewise.

# %% tags=["remove-input"]
comparison = shared.comparisons(EXPERIMENT, shown)
tables.write_csv(comparison, "weimann2021-table4")
tables.write_csv(trials, "weimann2021-table4-runs")
tables.html(shared.compared(comparison, "Network", "resnet18"), "Macro F1 on the test set of CinC 2017: mean ± SD in print, mean [95 % interval] here")

# %% tags=["remove-input"]
table4.footnotes()

# %% [markdown]
# Download {download}`the table </downloads/weimann2021-table4.csv>`,
# {download}`every run behind it </downloads/weimann2021-table4-runs.csv>` and
# {download}`this notebook, executed </notebooks/weimann/table4.ipynb>`.

# %% tags=["remove-input"]
found = gains.over_random(EXPERIMENT, shown)
drawn = gains.figure(found, "macro F1 minus that of random weights, test set")
figures.shown(drawn, "Each pretraining minus random weights of the same network, CinC 2017, with 95 % intervals: the paper's difference above, the one obtained here below.",
              gains.said(found))

# %% [markdown]
# ## Beside the baselines
#
# Gradient boosting on RR intervals looks at the times of the beats alone, the majority class at no signal. Networks are counted by
# their means.

# %% tags=["remove-input"]
tables.beside_baselines(comparison)

# %% [markdown]
# ## What depth changes

# %% tags=["remove-input"]
tables.html(shared.steps(comparison, "resnet34", "Networks"), "Macro F1 of the other networks against ResNet-34 [95 % interval]")

# %% [markdown]
# ## Gain over random initialisation
#
# {pub}`weimann2021.table4.notes`

# %% tags=["remove-input"]
tables.html(shared.gains(comparison, "Network"), "Gain in macro F1 over random initialisation of the same network [95 % interval]")

# %% [markdown]
# ## Conclusions

# %% tags=["remove-input"]
shared.said({EXPERIMENT: shown})

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
shared.state(EXPERIMENT, shown)

# %% tags=["remove-input"]
tables.html(provenance.made(EXPERIMENT, shown), "Command, commit, seeds, device, time and data")

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("scored:", len(trials), "rows:", len(comparison), "digest of the plotted data:", figures.digest(drawn))
