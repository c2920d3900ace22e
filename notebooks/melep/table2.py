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
# # MELEP 2023, Table 2: does MELEP predict the F1?
#
# Nguyen, Duong and Do {cite}`melep2023` draw {pub}`melep2023.scalars.target_folds` tasks of
# {pub}`melep2023.scalars.fold_records` recordings out of a target, score every checkpoint on the training set of each, then
# fine-tune it, and correlate the score with the weighted F1. The printed correlations stand below beside ours, with what the
# paper has not: an interval, which draws whole label sets again, as tasks with the same labels are nearly one task. The printed
# ones get Fisher's interval for their number of folds. Whether the networks learned anything that could be predicted, and what
# MELEP correlates with when no network is there, stands [beside the number of labels](number-of-labels).

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.config import SectionConfig
from ecgtl.report import figures, tables
from ecgtl.report.melep import table2, transfer_folds

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
folds = [transfer_folds.load(name, config.tier) for name in (transfer_folds.CSN, transfer_folds.PTBXL)]
own, others = table2.pairs(folds)
numbers = table2.correlation_rows([*own, *others])
tables.write_csv(numbers, "melep2023-table2")
for one in folds:
    tables.write_csv(one.rows, f"melep2023-table2-{one.target}-folds")
table2.answer(own, {one.experiment: one.tier for one in folds})

# %% [markdown]
# ## The printed pairs
#
# MELEP weighs the target's labels; the paper's text and its code do it differently, and which of the two the printed numbers
# come from is not said. So both are compared. The paper keeps the epoch that is best on the *test* set, which flatters; beside
# it stands the epoch that a validation set has chosen. The difference is that of the published choice.

# %% tags=["remove-input"]
tables.html(table2.correlation_table(own), "Correlation of MELEP with F1 [95 % interval], epoch best on test")

# %% tags=["remove-input"]
tables.html(table2.validated_table(own), "Correlation of MELEP with F1 [95 % interval], epoch best on validation")

# %% tags=["remove-input"]
drawn = table2.correlation_figure(own, others)
figures.shown(drawn, "Correlation of MELEP with weighted F1: printed, with Fisher's 95 % interval, and here by two weightings and two choices of the epoch.",
              table2.correlations_said([*own, *others]))

# %% tags=["remove-input"]
table2.signs(own)

# %% [markdown]
# A set of labels that leaves too few recordings, or a label without positives in a part, makes no task: it is drawn again and
# counted.

# %% tags=["remove-input"]
tables.html(table2.fold_table(own), "What stands behind our correlations")

# %% [markdown]
# ## Other data in their place
#
# Checkpoints trained on a substitute of the paper's sources, or folds on synthetic data, say something about the measure, but are
# not held against a printed number.

# %% tags=["remove-input"]
tables.html(table2.correlation_table(others), "Substitutes and synthetic data: correlation [95 % interval], epoch best on test")

# %% tags=["remove-input"]
tables.html(table2.validated_table(others), "Substitutes and synthetic data: correlation [95 % interval], epoch best on validation")

# %% tags=["remove-input"]
tables.html(table2.fold_table(others), "Substitutes and synthetic data: what stands behind the correlations")

# %% [markdown]
# ## Is it stronger for the Bi-LSTM?
#
# The text says so of CSN. Differences are taken on the folds that both networks have, drawn together; one below 0 means a
# stronger correlation of the Bi-LSTM.

# %% tags=["remove-input"]
tables.html(table2.network_table([*own, *others]), "Correlation of the Bi-LSTM minus that of ResNet1d101, weights of the text [95 % interval]")

# %% [markdown]
# ## Pending runs

# %% tags=["remove-input"]
transfer_folds.state(folds[0])

# %% tags=["remove-input"]
transfer_folds.state(folds[1])

# %% tags=["remove-input"]
tables.html(transfer_folds.pending(folds), "Folds that are missing, why, and the command that makes them")

# %% [markdown]
# Download {download}`every correlation </downloads/melep2023-table2.csv>`, the folds behind them
# ({download}`CSN </downloads/melep2023-table2-csn-folds.csv>`, {download}`PTB-XL </downloads/melep2023-table2-ptbxl-folds.csv>`)
# and {download}`this notebook, executed </notebooks/melep/table2.ipynb>`.
#
# ## Conclusions

# %% tags=["remove-input"]
transfer_folds.said(("M1", "M2", "M2n", "M4", "M4n", "M4b"), *folds)

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
tables.html(transfer_folds.made(folds[0]), "CSN: command, commit, device, time, data and checkpoints")

# %% tags=["remove-input"]
tables.html(transfer_folds.made(folds[1]), "PTB-XL: command, commit, device, time, data and checkpoints")

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("pairs:", len(own), len(others), "folds:", *(len(one.rows) for one in folds))
print("digest of the plotted data:", figures.digest(drawn))
