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
# # Weimann 2021, Table 2: size of the training set
#
# Weimann and Conrad {cite}`weimann2021` fine-tune a ResNet-18 on a quarter, a half and three quarters of CinC 2017, from
# random weights and from four kinds of pretraining, and report the macro F1 on a fixed test set as mean and standard
# deviation over {pub}`weimann2021.table2.runs` runs. The paper's row of random weights reads
# {pub}`weimann2021.table2.rows.random.25.mean`, {pub}`weimann2021.table2.rows.random.50.mean` and
# {pub}`weimann2021.table2.rows.random.75.mean`.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.analysis import cells
from ecgtl.config import SectionConfig
from ecgtl.report import figures, gains, in_short, provenance, tables
from ecgtl.report.weimann import shared, table2

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
shown = cells.shown_tier(shared.TABLE2, config.tier, pending=True)
EXPERIMENT = cells.current(shared.TABLE2, shown)
trials = shared.trials(EXPERIMENT, shown)
in_short.of_gains({EXPERIMENT: shown})

# %% [markdown]
# ## Comparison with the paper

# %% tags=["remove-input"]
comparison = shared.comparisons(EXPERIMENT, shown)
tables.write_csv(comparison, "weimann2021-table2")
tables.write_csv(trials, "weimann2021-table2-runs")
tables.html(shared.compared(comparison, "Share of the data set"), "Macro F1 on the test set of CinC 2017: mean ± SD in print, mean [95 % interval] here")

# %% [markdown]
# Download {download}`the table </downloads/weimann2021-table2.csv>`,
# {download}`every run behind it </downloads/weimann2021-table2-runs.csv>` and
# {download}`this notebook, executed </notebooks/weimann/table2.ipynb>`.

# %% tags=["remove-input"]
found = gains.over_random(EXPERIMENT, shown)
drawn = gains.figure(found, "macro F1 minus that of random weights, test set")
figures.shown(drawn, "Each pretraining minus random weights at the same share of CinC 2017, with 95 % intervals: the paper's difference above, the one obtained here below.",
              gains.said(found))

# %% [markdown]
# ## Beside the baselines
#
# Gradient boosting on RR intervals looks at the times of the beats alone, the majority class at no signal. Networks are counted by
# their means.

# %% tags=["remove-input"]
tables.beside_baselines(comparison)

# %% [markdown]
# ## Gain over random initialisation
#
# The paper finds that beat and heart rate gain more the fewer the data are, and that rhythm and future prediction gain about the
# same at all sizes. {pub}`weimann2021.table2.notes` How fast the curves of these runs rise shows [Figure 3](figure3). Nguyen and
# Do {cite}`nguyen2025` doubt that such gains are the rule.

# %% tags=["remove-input"]
tables.html(shared.gains(comparison, "Share of the data set"), "Gain in macro F1 over random initialisation at the same share [95 % interval]")

# %% [markdown]
# ## Per class
#
# The macro F1 is the mean of four very unequal classes: noise is rare, and one recording more or less moves its score.
# The paper prints scores by class for the whole training set only (its [Table 1](table1)); they stand on the right.

# %% tags=["remove-input"]
class_rows = table2.class_rows(EXPERIMENT, shown)
by_class = table2.class_panels(class_rows)
figures.shown(by_class, "F1 of each class by share of the data set, mean with 95 % interval over runs; on the right the paper's mean and SD.",
              table2.class_said(class_rows))

# %% [markdown]
# ## Sensitivity to the choice of epoch
#
# The protocol takes the epoch with the best validation score. The table shows what the same runs give for the last
# epoch, and for the best epoch on the *test* set, which nobody may choose: the last column is the optimism of doing so.

# %% tags=["remove-input"]
tables.html(table2.choices(EXPERIMENT, shown), "Mean macro F1 ± SD by the way of choosing the epoch")

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
print("rows:", len(comparison), "digest of the plotted data:", figures.digest(drawn), figures.digest(by_class))
