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
# # MELEP 2023: is it MELEP or the number of labels?
#
# The page that the paper {cite}`melep2023` lacks. Its tasks have from two labels to many, and a task with more labels is harder for
# any network: the F1 falls. The weights of MELEP's labels depend on how many there are as well. So MELEP could correlate with F1
# without knowing anything about the checkpoint. Here are the rivals on the same folds: scores that look at the network (LEEP,
# NCE), and numbers that need none: how many labels a task has, and how frequent they are.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.analysis import agreement
from ecgtl.config import SectionConfig
from ecgtl.report import figures, in_short, tables
from ecgtl.report.melep import number_of_labels, transfer_folds

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
folds = transfer_folds.load(transfer_folds.PTBXL, config.tier)
rivals = number_of_labels.rival_rows(folds)
tables.write_csv(number_of_labels.rival_numbers(rivals), "melep2023-number-of-labels")
in_short.of_statements("melep2023", ("M5", "M6"), {folds.experiment: folds.tier})

# %% tags=["remove-input"]
scatter = number_of_labels.label_scatter(folds)
figures.shown(scatter, "Weighted F1 against MELEP of every fold, a colour and a marker for each number of labels.",
              number_of_labels.scatter_said(rivals), folds.waiting)

# %% [markdown]
# ## Correlation of every rival with F1
#
# The second correlation is the one that remains among tasks with the same number of labels (partial correlation). Intervals draw
# whole label sets again. MELEP, LEEP and NCE are computed on the training set alone; F1 is that of the epoch best on test, as
# published.

# %% tags=["remove-input"]
drawn = number_of_labels.rival_figure(rivals)
figures.shown(drawn, "Correlation of each measure with F1, alone and given the number of labels, with 95 % intervals.",
              number_of_labels.rivals_said(rivals), folds.waiting)

# %% tags=["remove-input"]
tables.html(number_of_labels.rival_table(rivals), "Correlation with F1, plain and given the number of labels")

# %% tags=["remove-input"]
number_of_labels.rival_verdict(rivals)

# %% [markdown]
# ## Has anything been learned that could be predicted?
#
# A score predicts transfer only where fine-tuning learns something of the recordings. The plainest answer of all looks at none of
# them and gives every label to each: its F1 follows from how frequent the labels are, and no constant answer has a higher one. The
# second one looks at nothing but the intervals between beats, with boosted trees in place of a network. A network that stays
# below these is, with its labels given from a probability of one half on as in the paper, of less use than none. A lower threshold
# might raise its F1; the area under the ROC curve (AUC), which no threshold moves, says whether there is anything to raise: it is
# one half for a network that knows nothing.

# %% tags=["remove-input"]
learned = number_of_labels.gain_figure(folds)
figures.shown(learned, "Weighted F1 of the network minus that of the all-positive baseline, by the number of labels; the band is the 95 % interval of the mean.",
              number_of_labels.gains_said(number_of_labels.gains(folds)), folds.waiting)

# %% tags=["remove-input"]
gains = number_of_labels.gains(folds)
tables.html(number_of_labels.gain_table(gains, agreement.EVERY_LABEL), "Networks beside the all-positive baseline")

# %% tags=["remove-input"]
tables.html(number_of_labels.gain_table(gains, agreement.RR), "Networks beside boosted trees on RR intervals, trained on the same recordings")

# %% [markdown]
# The first answer makes a control as well. It has no network, so a measure of networks that correlates with its F1 does so by way
# of the labels alone. What such a measure knows of networks shows in the last column.

# %% tags=["remove-input"]
tables.write_csv(number_of_labels.numbers(gains, rivals), "melep2023-baselines")
tables.html(number_of_labels.control_table(rivals), "Correlation with the F1 of the network, with that of the all-positive baseline, and with the difference")

# %% tags=["remove-input"]
number_of_labels.verdict(gains, rivals)

# %% [markdown]
# ## The same with the epoch chosen on a validation set

# %% tags=["remove-input"]
validated = number_of_labels.rival_rows(folds, "weighted_f1_validated")
tables.html(number_of_labels.rival_table(validated), "Correlation with F1 of the epoch best on validation")

# %% tags=["remove-input"]
number_of_labels.rival_verdict(validated)

# %% [markdown]
# ## Pending runs

# %% tags=["remove-input"]
transfer_folds.state(folds)

# %% tags=["remove-input"]
tables.html(transfer_folds.pending([folds]), "Folds that are missing, why, and the command that makes them")

# %% [markdown]
# Download {download}`every correlation </downloads/melep2023-number-of-labels.csv>`,
# {download}`every comparison with baselines </downloads/melep2023-baselines.csv>` and
# {download}`this notebook, executed </notebooks/melep/number-of-labels.ipynb>`. The folds behind it can be downloaded with
# [Table 2](table2).
#
# ## Conclusions

# %% tags=["remove-input"]
transfer_folds.said(("M5", "M5n", "M5b", "M6", "M6b"), folds, transfer_folds.load(transfer_folds.CSN, config.tier))

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
tables.html(transfer_folds.made(folds), "PTB-XL: command, commit, device, time, data and checkpoints")

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("folds:", len(folds.rows), "rows:", len(rivals))
print("digest of the plotted data:", *(figures.digest(figure) for figure in (scatter, drawn, learned)))
