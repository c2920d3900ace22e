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
# # Table 2: does an autoencoder help when data are scarce?
#
# Jang, Kim and Yoon {cite}`jang2021` pretrain an autoencoder on unlabelled recordings of an intensive care unit and let its
# encoder start a classifier of rhythms. They compare it with random weights and with a linear layer on ImageNet features
# of spectrograms, at three sizes of the training part, and report the best weighted F1 on the test part over the epochs,
# as mean and standard deviation of {pub}`jang2021.table2.runs` trials.
#
# Their recordings are private (upstream) or not at hand (Shaoxing, target). Here the autoencoder has seen windows of
# CinC 2017, MIT-BIH and one patient of Icentia11k, and the target is PTB-XL's lead II with five rhythms, of which sinus
# rhythm is capped. So the paper's numbers stand beside ours as context, and no difference is taken: what can be judged is
# whether the *statements* hold on other recordings.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.config import SectionConfig

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]
from ecgtl.report import badges, figures, findings, tables

figures.use_style()
EXPERIMENT = "jang2021-table2-ptbxl"
shown = tables.shown_tier(EXPERIMENT, config.tier)
badges.of_experiment(EXPERIMENT, shown)

# %% [markdown]
# ## The paper beside ours
#
# Sizes are shares of the training part, drawn with replacement and anew in each trial; the three arms of a trial share
# their draw. As in the paper, the epoch is the best one on the *test* part, which is optimistic.

# %% tags=["remove-input"]
comparison = tables.comparison(EXPERIMENT, shown)
tables.write_csv(comparison, "jang2021-table2")
tables.write_csv(tables.runs_table(EXPERIMENT, shown), "jang2021-table2-runs")
tables.html(tables.readable(comparison), "Weighted F1 on the test part: the paper on Shaoxing, ours on PTB-XL lead II")

# %% [markdown]
# Download {download}`the table </downloads/jang2021-table2.csv>`,
# {download}`every run behind it </downloads/jang2021-table2-runs.csv>` and
# {download}`this notebook, executed </notebooks/jang/table2.ipynb>`.

# %% tags=["remove-input"] mystnb={"image": {"alt": "Weighted F1 against the share of the training part that is used, for the arms that have been run: our trials as dots with mean and 95 % interval, the paper's values on its own data set with their standard deviation, and boosted trees on RR intervals and the majority class as baselines."}}
values = {place: cell.values for place, cell in tables.cells(EXPERIMENT, shown).items()}
curve = figures.size_curve(comparison, values, "weighted F1", "training part")

# %% [markdown]
# ## What can be said

# %% tags=["remove-input"]
tables.html(findings.findings("jang2021", EXPERIMENT, shown), "Statements and what the runs say")

# %% [markdown]
# ## How this was made

# %% tags=["remove-input"]
tables.html(tables.made(EXPERIMENT, shown), "Command, commit, seeds, device, time and data")

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("rows:", len(comparison), "digest of the plotted data:", figures.digest(curve))
