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
# # Table 2: how much training data is needed
#
# Weimann and Conrad {cite}`weimann2021` fine-tune a ResNet-18 on a quarter, a half and three quarters of CinC 2017, from
# random weights and from four kinds of pretraining, and report the macro F1 on a fixed test part as mean and standard
# deviation over {pub}`weimann2021.table2.runs` runs. The paper's row of random weights reads
# {pub}`weimann2021.table2.rows.random.25.mean`, {pub}`weimann2021.table2.rows.random.50.mean` and
# {pub}`weimann2021.table2.rows.random.75.mean`.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.config import SectionConfig

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]
from ecgtl.report import badges, figures, tables, weimann

figures.use_style()
EXPERIMENT = "weimann2021-table2"
shown = tables.shown_tier(EXPERIMENT, config.tier)
badges.of_experiment(EXPERIMENT, shown)

# %% [markdown]
# ## The paper beside ours
#
# Ours is the mean over *n* runs with its 95 % interval (Student's *t*); the difference carries Welch's interval, taken
# from the paper's printed mean, standard deviation and number of runs. PENDING means: not run yet.

# %% tags=["remove-input"]
comparison = weimann.table2(shown)
tables.write_csv(comparison, "weimann2021-table2")
tables.write_csv(tables.runs_table(EXPERIMENT, shown), "weimann2021-table2-runs")
tables.html(tables.readable(comparison), "Macro F1 on the test part of CinC 2017, by initialisation and share of the data set")

# %% [markdown]
# Download {download}`the table </downloads/weimann2021-table2.csv>`,
# {download}`every run behind it </downloads/weimann2021-table2-runs.csv>` and
# {download}`this notebook, executed </notebooks/weimann/table2.ipynb>`.

# %% tags=["remove-input"] mystnb={"image": {"alt": "Macro F1 against the share of the data set used for training. The paper's row of random weights with its standard deviation, our runs as dots with mean and 95 % interval, and two baselines: boosted trees on RR intervals, and the majority class as a horizontal line far below."}}
curve = figures.size_curve(comparison, weimann.table2_values(shown))

# %% [markdown]
# ## Class by class
#
# The macro F1 is the mean of four very unequal classes: noise is rare, and one recording more or less moves its score.
# The paper prints scores by class for the whole training part only (its Table 1).

# %% tags=["remove-input"] mystnb={"image": {"alt": "Four panels, one a class: F1 of normal, atrial fibrillation, other and noise against the share of the data set, our mean with 95 % interval, and the paper's value with its standard deviation at the largest share."}}
by_class = figures.class_scores(weimann.table2_classes(shown), list(weimann.CLASSES))

# %% [markdown]
# ## Which epoch is reported
#
# The protocol takes the epoch with the best validation score. The table shows what the same runs give for the last
# epoch, and for the best epoch on the *test* part, which nobody may choose: the gap is the optimism of doing so.

# %% tags=["remove-input"]
tables.html(tables.choices_table(EXPERIMENT, shown, "random"), "Random weights: mean macro F1 ± SD by the way of choosing the epoch")

# %% [markdown]
# ## What can be said
#
# The verdicts follow from the numbers by rule: a 95 % interval of a difference that holds 0 decides nothing.

# %% tags=["remove-input"]
tables.html(weimann.table2_findings(shown), "Statements and what the runs say")

# %% [markdown]
# ## How this was made

# %% tags=["remove-input"]
tables.html(tables.made(EXPERIMENT, shown), "Command, commit, seeds, device, time and data")

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("rows:", len(comparison), "digest of the plotted data:", figures.digest(curve), figures.digest(by_class))
