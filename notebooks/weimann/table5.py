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
# # Weimann 2021, Table 5: two other data sets
#
# Weimann and Conrad {cite}`weimann2021` fine-tune the pretrained ResNet-34 on twelve-lead recordings with several labels each:
# the rhythm statements of PTB-XL, and the public part of CPSC 2018, which the paper calls ICBEB2018. The first filters are
# copied to twelve leads and scaled by {pub}`weimann2021.scalars.lead_scale`. Four scores are reported: the area under
# the ROC curve (AUC), averaged over the labels; the largest F1 of a recording's labels over all thresholds (Fmax); and two
# scores of the challenge of 2020 that weigh recall more, F and G with β of {pub}`weimann2021.scalars.beta`.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.analysis import cells
from ecgtl.config import SectionConfig
from ecgtl.report import figures, gains, in_short, provenance, tables
from ecgtl.report.weimann import shared, table5

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
EXPERIMENTS = (shared.PTBXL, shared.CPSC2018)
tiers = {name: cells.shown_tier(name, config.tier, pending=True) for name in EXPERIMENTS}
trials = {name: shared.trials(name, tier) for name, tier in tiers.items()}
comparisons = {name: shared.comparisons(name, tier, shared.MULTI_LABEL) for name, tier in tiers.items()}
by_area = {name: frame[frame["score"] == "macro_auc"] for name, frame in comparisons.items()}
for name in EXPERIMENTS:
    tables.write_csv(comparisons[name], name)
    tables.write_csv(trials[name], f"{name}-runs")
in_short.of_gains(tiers)

# %% [markdown]
# AUC and Fmax need no threshold.
# For F and G each probability is cut at one threshold a score, which is found on the training set, as in the paper. The epoch
# is the one with the lowest loss on the validation set.
#
# (weimann-table5-ptbxl)=
# ## PTB-XL, rhythm statements
#
# Folds {pub}`weimann2021.scalars.ptbxl_train_folds.printed` train, fold {pub}`weimann2021.scalars.ptbxl_validation_fold`
# chooses the epoch, fold {pub}`weimann2021.scalars.ptbxl_test_fold` tests; folds keep the recordings of a patient together. A
# statement counts when it is named at all, whatever its likelihood. The paper prints AUC and Fmax for this data set.

# %% tags=["remove-input"]
shared.state(shared.PTBXL, tiers[shared.PTBXL])

# %% tags=["remove-input"]
table5.data_used(shared.PTBXL)

# %% tags=["remove-input"]
tables.html(shared.compared(comparisons[shared.PTBXL], "Score"), "PTB-XL: scores on the test set, mean ± SD in print, mean [95 % interval] here")

# %% [markdown]
# Networks beside gradient boosting on RR intervals, which looks at the times of the beats alone, and the majority class; networks
# are counted by their means.

# %% tags=["remove-input"]
tables.beside_baselines(comparisons[shared.PTBXL], "score")

# %% tags=["remove-input"]
found = table5.gains_by_score(shared.PTBXL, tiers[shared.PTBXL])
first = gains.figure(found, "score minus that of random weights, test set")
figures.shown(first, "PTB-XL: each pretraining minus random weights by four scores, with 95 % intervals: the paper's difference above, the one obtained here below.",
              gains.said(found))

# %% tags=["remove-input"]
tables.html(shared.gains(by_area[shared.PTBXL], "AUC"), "PTB-XL: gain in AUC over random initialisation [95 % interval]")

# %% [markdown]
# ### Label by label

# %% tags=["remove-input"]
tables.html(table5.label_rows(shared.PTBXL, tiers[shared.PTBXL]), "PTB-XL: recordings with each label, and its mean AUC")

# %% tags=["remove-input"]
table5.unscored(shared.PTBXL, tiers[shared.PTBXL])

# %% tags=["remove-input"]
tables.html(table5.thresholds(shared.PTBXL, tiers[shared.PTBXL]), "PTB-XL: thresholds found on the training set, mean (range)")

# %% [markdown]
# (weimann-table5-cpsc2018)=
# ## CPSC 2018 (ICBEB2018)
#
# What is available here of this data set is lead I of a part of its recordings, where the paper has twelve leads; so the network sees
# one lead, and the filters stay as they are. The badges say so.

# %% tags=["remove-input"]
shared.state(shared.CPSC2018, tiers[shared.CPSC2018])

# %% tags=["remove-input"]
table5.data_used(shared.CPSC2018)

# %% tags=["remove-input"]
tables.html(shared.compared(comparisons[shared.CPSC2018], "Score"), "CPSC 2018: scores on the test set, mean ± SD in print, mean [95 % interval] here")

# %% [markdown]
# Networks beside gradient boosting on RR intervals, which looks at the times of the beats alone, and the majority class; networks
# are counted by their means.

# %% tags=["remove-input"]
tables.beside_baselines(comparisons[shared.CPSC2018], "score")

# %% tags=["remove-input"]
found = table5.gains_by_score(shared.CPSC2018, tiers[shared.CPSC2018])
second = gains.figure(found, "score minus that of random weights, test set")
figures.shown(second, "CPSC 2018: each pretraining minus random weights by four scores, with 95 % intervals: the paper's difference above, the one obtained here below.",
              gains.said(found))

# %% tags=["remove-input"]
tables.html(shared.gains(by_area[shared.CPSC2018], "AUC"), "CPSC 2018: gain in AUC over random initialisation [95 % interval]")

# %% [markdown]
# ### Label by label

# %% tags=["remove-input"]
tables.html(table5.label_rows(shared.CPSC2018, tiers[shared.CPSC2018]), "CPSC 2018: recordings with each label, and its mean AUC")

# %% tags=["remove-input"]
table5.unscored(shared.CPSC2018, tiers[shared.CPSC2018])

# %% tags=["remove-input"]
tables.html(table5.thresholds(shared.CPSC2018, tiers[shared.CPSC2018]), "CPSC 2018: thresholds found on the training set, mean (range)")

# %% [markdown]
# Download the tables of {download}`PTB-XL </downloads/weimann2021-table5-ptbxl.csv>` and
# {download}`CPSC 2018 </downloads/weimann2021-table5-cpsc2018.csv>`, every run behind them
# ({download}`PTB-XL </downloads/weimann2021-table5-ptbxl-runs.csv>`,
# {download}`CPSC 2018 </downloads/weimann2021-table5-cpsc2018-runs.csv>`) and
# {download}`this notebook, executed </notebooks/weimann/table5.ipynb>`.
#
# ## Related work
#
# The paper repeats a row of other authors as a yardstick. It is quoted, not reproduced; their network is another one
# (xresnet1d101) and was trained on these data alone.

# %% tags=["remove-input"]
tables.html(table5.quoted_rows(), "Related work, quoted as the paper prints it (mean ± SD)")

# %% [markdown]
# Nguyen and Do {cite}`nguyen2025` examine such transfers critically: fine-tuning does not always help, and what it adds
# depends on how many recordings there are.
#
# ## Is the ranking the same for all scores?
#
# The text says so, and so reports AUC alone.

# %% tags=["remove-input"]
ranked = table5.rankings(comparisons.items())
table5.ranking_verdict(ranked)

# %% tags=["remove-input"]
tables.html(ranked, "Initialisations from best to worst by mean score; = joins equal ones")

# %% [markdown]
# ## Conclusions

# %% tags=["remove-input"]
shared.said(tiers)

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
tables.html(provenance.made(shared.PTBXL, tiers[shared.PTBXL]), "PTB-XL: command, commit, seeds, device, time and data")

# %% tags=["remove-input"]
tables.html(provenance.made(shared.CPSC2018, tiers[shared.CPSC2018]), "CPSC 2018: command, commit, seeds, device, time and data")

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("scored:", *map(len, trials.values()), "rows:", *map(len, comparisons.values()))
print("digest of the plotted data:", figures.digest(first), figures.digest(second))
