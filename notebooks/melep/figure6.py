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
# # MELEP 2023, Figure 6: choice of a checkpoint
#
# What MELEP is for: of several checkpoints, fine-tune the one with the lowest score. The paper {cite}`melep2023` shows one task of
# {pub}`melep2023.scalars.selection_records` recordings of CSN with {pub}`melep2023.scalars.selection_labels` labels and
# {pub}`melep2023.scalars.selection_checkpoints` checkpoints, as a picture without numbers. One task cannot tell luck from skill,
# so the same question is asked of every task available here below, beside ways of choosing that know nothing.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.config import SectionConfig
from ecgtl.report import figures, in_short, tables
from ecgtl.report.melep import figure6, transfer_folds

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
one_task = transfer_folds.load(transfer_folds.SELECTION, config.tier)
folds = transfer_folds.load(transfer_folds.PTBXL, config.tier)
lost = figure6.regrets(folds.rows)
tables.write_csv(one_task.rows, "melep2023-figure6")
tables.write_csv(lost, "melep2023-figure6-regret")
in_short.of_statements("melep2023", ("M3", "M3n"), {folds.experiment: folds.tier})

# %% [markdown]
# ## The paper's task

# %% tags=["remove-input"]
first = figure6.selection_figure(one_task)
figures.shown(first, "MELEP against weighted F1 of each checkpoint on the paper's one task.", figure6.points_said(one_task.rows))

# %% tags=["remove-input"]
tables.html(figure6.selected_table(one_task), "What the paper says of its task, and what ours say")

# %% tags=["remove-input"]
transfer_folds.state(one_task)

# %% tags=["remove-input"]
tables.html(transfer_folds.pending([one_task]), "Fine-tunings that are missing, why, and the command that makes them")

# %% [markdown]
# ## Every task on PTB-XL available here
#
# The candidates are the checkpoints that have folds; the tasks are those that all of them share. A point is one candidate on
# one task.

# %% tags=["remove-input"]
transfer_folds.state(folds)

# %% tags=["remove-input"]
second = figure6.fold_figure(folds)
figures.shown(second, "MELEP against weighted F1 of every candidate on the tasks that all of them share, a colour and a marker for each checkpoint.",
              figure6.points_said(figure6.shared(folds.rows)))

# %% [markdown]
# ## What a choice costs
#
# The regret of a choice is the F1 that it loses against the best candidate of the same task. MELEP and its rivals choose before
# any fine-tuning; beside them a choice at random (the mean over the candidates) and the habit of always taking the same checkpoint,
# whatever the task. A score is of use where it loses less than these. F1 is that of the published choice of the epoch.

# %% tags=["remove-input"]
third = figure6.regret_figure(lost)
figures.shown(third, "F1 lost by each way of choosing a checkpoint: single tasks as small dots, their mean with its 95 % interval.",
              figure6.regret_said(lost))

# %% tags=["remove-input"]
tables.html(figure6.regret_table(lost), "F1 lost by each way of choosing, all candidates")

# %% [markdown]
# The same with the epoch that a validation set has chosen, and among the sources of one network alone.

# %% tags=["remove-input"]
tables.html(figure6.regret_table(figure6.regrets(folds.rows, "weighted_f1_validated")), "F1 lost by each way of choosing, epoch best on validation")

# %% tags=["remove-input"]
tables.html(figure6.within_networks(folds), "F1 lost when choosing among the sources of one network")

# %% [markdown]
# ## Who is picked
#
# MELEP averages over the labels that a checkpoint was trained on, and the sources differ in their number.

# %% tags=["remove-input"]
tables.html(figure6.pick_table(folds), "How often each candidate is the best one, and how often it is picked")

# %% tags=["remove-input"]
figure6.number_of_own_labels(folds)

# %% [markdown]
# ## Random networks among the candidates
#
# Five networks with random weights for each trained one, with a random head of as many labels as that has, enter the choice; the
# statistics of their batch normalisation are estimated again on the inputs that are scored. No training is needed for that. A network
# whose answers hardly differ from recording to recording leaves each label its entropy, which is the highest loss there is; so
# a score of any use has to rank it last.

# %% tags=["remove-input"]
tables.html(figure6.random_table(folds), "MELEP of random networks beside the highest of the trained checkpoints of the same network, over the folds that all have")

# %% tags=["remove-input"]
tables.html(transfer_folds.pending([folds]), "PTB-XL: folds that are missing, why, and the command that makes them")

# %% [markdown]
# Download {download}`the paper's task </downloads/melep2023-figure6.csv>`,
# {download}`the regret of every way on every task </downloads/melep2023-figure6-regret.csv>` and
# {download}`this notebook, executed </notebooks/melep/figure6.ipynb>`.
#
# ## Conclusions

# %% tags=["remove-input"]
transfer_folds.said(("M3", "M3n", "M3b", "M8"), folds, transfer_folds.load(transfer_folds.CSN, config.tier))

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
tables.html(transfer_folds.made(one_task), "The paper's task: command, commit, device, time, data and checkpoints")

# %% tags=["remove-input"]
tables.html(transfer_folds.made(folds), "PTB-XL: command, commit, device, time, data and checkpoints")

# %% tags=["remove-input"]
figure6.random_made(folds)

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("folds:", len(one_task.rows), len(folds.rows), "choices:", len(lost))
print("digest of the plotted data:", *(figures.digest(figure) for figure in (first, second, third)))
