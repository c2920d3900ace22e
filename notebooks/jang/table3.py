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
# # Jang 2021, Table 3: learning curve index of the arms
#
# The paper {cite}`jang2021` puts the course of a training into one number, the learning curve index of the test score:
# [Figure 3](figure3) explains it, [Figure 5](figure5) shows the curves. It prints the index of
# {pub}`jang2021.table3.runs` trials for random weights and for the autoencoder, and finds a difference with 50 and 25 % of the
# training set (p {pub}`jang2021.table3.rows.50.p_value.relation` {pub}`jang2021.table3.rows.50.p_value`), and none with all of it
# (p = {pub}`jang2021.table3.rows.100.p_value`). So large a p shows no equality: it says that these trials cannot tell.
#
# Here the index is that of the runs of [Table 2](table2), on two other databases.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.analysis import cells
from ecgtl.config import SectionConfig
from ecgtl.report import figures, findings, in_short, provenance, tables
from ecgtl.report.jang import figure3, shared, table3

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
tiers = {name: cells.shown_tier(name, config.tier, pending=True) for name in shared.NAMES}
trials = {name: shared.trials(name, tier) for name, tier in tiers.items()}
in_short.of_gains({cells.current(shared.PTBXL, tiers[shared.PTBXL]): tiers[shared.PTBXL]}, shared.INDEX, "table3", ("J4",))

# %% [markdown]
# ## Comparison with the paper

# %% tags=["remove-input"]
tables.html(table3.compared(shared.PTBXL, tiers[shared.PTBXL]), "Learning curve index: the paper on Shaoxing (mean ± SD), here on PTB-XL, lead II [95 % interval]")

# %% tags=["remove-input"]
tables.html(table3.compared(shared.CINC2017, tiers[shared.CINC2017]), "Learning curve index: the paper on Shaoxing (mean ± SD), here on CinC 2017 [95 % interval]")

# %% [markdown]
# ## The index of every trial

# %% tags=["remove-input"]
rows = table3.index_rows(trials)
tables.write_csv(rows, "jang2021-table3")
dots = table3.index_dots(rows)
figures.shown(dots, "Learning curve index by share of the training set: single trials, and beside them their mean with its 95 % interval; the line is the paper's threshold.",
              table3.index_said(rows), table3.waiting(rows))

# %% [markdown]
# Download {download}`every index </downloads/jang2021-table3.csv>`, the paper's and ours, and
# {download}`this notebook, executed </notebooks/jang/table3.ipynb>`.

# %% tags=["remove-input"]
tables.html(shared.paper_trials("table3"), "The paper's trials: learning curve index of the test score on Shaoxing")

# %% tags=["remove-input"]
tables.html(shared.our_trials(trials[shared.PTBXL], shared.PTBXL, tiers[shared.PTBXL], shared.INDEX, ("random", "cae")),
            "Our trials: the same on PTB-XL, lead II")

# %% tags=["remove-input"]
tables.html(shared.our_trials(trials[shared.CINC2017], shared.CINC2017, tiers[shared.CINC2017], shared.INDEX, ("random", "cae")),
            "Our trials: the same on CinC 2017")

# %% [markdown]
# The index depends on the number of epochs: a long plateau adds many small rises and falls. The runs on CinC 2017 are
# shorter than those on PTB-XL, so the two are not to be compared with one another, only arm with arm.
#
# ## The difference between arms
#
# Welch's test on the printed trials gives the printed p-values again. The paired test takes trials of one number together;
# ours share their draw.

# %% tags=["remove-input"]
pair = [("cae", "random")]
tables.html(shared.differences(trials[shared.PTBXL], shared.PTBXL, "table3", shared.INDEX, pair),
            "Differences in the index with 95 % interval and p-value: the paper, and ours on PTB-XL")

# %% tags=["remove-input"]
tables.html(shared.differences(trials[shared.CINC2017], shared.CINC2017, "table3", shared.INDEX, pair),
            "Differences in the index with 95 % interval and p-value: the paper, and ours on CinC 2017")

# %% [markdown]
# ## Conclusions

# %% tags=["remove-input"]
tables.html(findings.finding("jang2021", "J4", tiers[shared.PTBXL]), "The statement and what the runs say")

# %% [markdown]
# ## What moves the index
#
# Means over our trials of the parts of the index. Epochs that change nothing count in neither column. A ratio below 1 means
# that falls are deeper than rises, and not that they are more frequent: a curve that ends above its start then falls *less*
# often than it rises ([why](figure3)). The last column is the index by the other reading, with sums in place of means.

# %% tags=["remove-input"]
curves = {name: shared.curves(name, tier) for name, tier in tiers.items()}
tables.html(figure3.index_anatomy(curves[shared.PTBXL], shared.PTBXL), "PTB-XL, lead II: what the index is made of, means over trials")

# %% tags=["remove-input"]
tables.html(figure3.index_anatomy(curves[shared.CINC2017], shared.CINC2017), "CinC 2017: what the index is made of, means over trials")

# %% [markdown]
# ## Which standard deviation is printed
#
# A standard deviation over *n* trials divides by *n* or by *n* − 1. Computed from the printed trials, the two tables of the
# paper do not agree: Table 3 divides by *n* throughout, and of the cells of Table 2 that tell the two apart most divide by
# *n* − 1. Our tables use *n* − 1, and tests start from the trials.

# %% tags=["remove-input"]
table3.spreads("table2")

# %% tags=["remove-input"]
table3.spreads("table3")

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
tables.html(provenance.made(cells.current(shared.PTBXL, tiers[shared.PTBXL]), tiers[shared.PTBXL]), "PTB-XL: command, commit, seeds, device, time and data")

# %% tags=["remove-input"]
tables.html(provenance.made(shared.CINC2017, tiers[shared.CINC2017]), "CinC 2017: command, commit, seeds, device, time and data")

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("indices:", len(rows), "digest of the plotted data:", figures.digest(dots))
