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
# # Weimann 2021, Table 3: another sampling rate than in pretraining
#
# Networks are pretrained at {pub}`weimann2021.scalars.icentia_sampling_rate` Hz. Weimann and Conrad {cite}`weimann2021`
# fine-tune them on CinC 2017 at {pub}`weimann2021.scalars.low_sampling_rate` Hz and at its own
# {pub}`weimann2021.scalars.cinc2017_sampling_rate` Hz as well, with inputs of the same duration, and report the macro F1 as
# mean and standard deviation over {pub}`weimann2021.table3.runs` runs.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.analysis import cells
from ecgtl.config import SectionConfig
from ecgtl.report import figures, gains, in_short, provenance, tables
from ecgtl.report.weimann import shared, table3

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
EXPERIMENT = shared.TABLE3
shown = cells.shown_tier(EXPERIMENT, config.tier, pending=True)
trials = shared.trials(EXPERIMENT, shown)
in_short.of_gains({EXPERIMENT: shown})

# %% [markdown]
# ## What a column stands for here
#
# Columns are named as in the paper and in tier `paper`. Tier `reduced` pretrains and fine-tunes at half of each rate: its
# columns stand for the same ratios to the rate of the pretraining, not for those rates. The duration is the same in all
# columns; the paper says about {pub}`weimann2021.scalars.input_duration_by_rate` s, and tier `reduced` has half of its input.

# %% tags=["remove-input"]
tables.html(table3.rates(shown), f"The columns of Table 3 in tier {shown}")

# %% [markdown]
# ## Comparison with the paper
#
# The middle column has its runs in common with [Table 2](table2), which has more of some rows: of random weights
# {res}`weimann2021-table2.reduced.random.75.macro_f1.n` in place of {res}`weimann2021-table3.reduced.random.250.macro_f1.n`. That is
# why its mean is {res}`weimann2021-table2.reduced.random.75.macro_f1.mean` there and
# {res}`weimann2021-table3.reduced.random.250.macro_f1.mean` here; the baselines likewise.

# %% tags=["remove-input"]
comparison = shared.comparisons(EXPERIMENT, shown)
tables.write_csv(comparison, "weimann2021-table3")
tables.write_csv(trials, "weimann2021-table3-runs")
tables.html(shared.compared(comparison, "Sampling rate of the recordings", 250), "Macro F1 on the test set of CinC 2017: mean ± SD in print, mean [95 % interval] here")

# %% [markdown]
# Download {download}`the table </downloads/weimann2021-table3.csv>`,
# {download}`every run behind it </downloads/weimann2021-table3-runs.csv>` and
# {download}`this notebook, executed </notebooks/weimann/table3.ipynb>`.

# %% tags=["remove-input"]
found = gains.over_random(EXPERIMENT, shown)
drawn = gains.figure(found, "macro F1 minus that of random weights, test set")
figures.shown(drawn, "Each pretraining minus random weights at the same sampling rate of CinC 2017, with 95 % intervals: the paper's difference above, the one obtained here below.",
              gains.said(found))

# %% [markdown]
# ## What another rate costs
#
# The text sees a decline wherever the rate changes. In print that does not hold everywhere: {pub}`weimann2021.table3.notes`

# %% tags=["remove-input"]
tables.html(shared.steps(comparison, 250, "Sampling rates"), "Change of macro F1 from the rate of the pretraining [95 % interval]")

# %% [markdown]
# ## Beside the baselines
#
# Gradient boosting on RR intervals looks at the times of the beats alone, the majority class at no signal. Networks are counted by
# their means.

# %% tags=["remove-input"]
tables.beside_baselines(comparison)

# %% [markdown]
# ## Gain over random initialisation

# %% tags=["remove-input"]
tables.html(shared.gains(comparison, "Sampling rate of the recordings"), "Gain in macro F1 over random initialisation at the same rate [95 % interval]")

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
