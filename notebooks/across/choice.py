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
# # Across the papers: recommended networks
#
# Each paper compares its own pretraining with its own random weights, on data of its own. Here all of them meet on one target:
# the autoencoder of Jang et al. {cite}`jang2021`, the ResNet-18 of Weimann and Conrad {cite}`weimann2021` from four
# pretrainings, and the two networks of MELEP {cite}`melep2023`, which were trained on the labels of other data sets. Each is
# fine-tuned on the same recordings with the same split, from its checkpoints and from random weights, beside two classifiers
# that need no network. No paper prints these numbers, so there is nothing to reproduce; this page is ours.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.analysis import cells
from ecgtl.config import SectionConfig
from ecgtl.report import figures, gains, provenance, tables
from ecgtl.report.across import candidates, choice

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
tier = cells.shown_tier(candidates.EXPERIMENT, config.tier, pending=True)
rows = candidates.load(tier)
table = choice.frame(rows)
tables.write_csv(table, "across")
tables.write_csv(cells.runs_table(candidates.EXPERIMENT, tier), "across-runs")
choice.state(tier)

# %% [markdown]
# ## Recommended
#
# The sentences below follow from the numbers by rule. One row is told from another only when two 95 % intervals of their
# difference exclude 0: over runs (Welch), and over the recordings of the test set (bootstrap). Among rows that cannot be
# told from the best, the one that needs least is chosen: no network before a network, random weights before a checkpoint, then
# the shortest training.

# %% tags=["remove-input"]
choice.answer(rows)

# %% tags=["remove-input"]
drawn = choice.figure(rows)
figures.shown(drawn, "Macro AUC on the test set of every network and start, with the baselines as vertical lines.", choice.figure_said(rows))

# %% tags=["remove-input"]
over_random = choice.start_gains(rows)
differences = gains.figure(over_random, "macro AUC minus that of random weights, test set")
figures.shown(differences, "Each start minus random weights of the same network; limits are the outer ones of two 95 % intervals, over runs and over test recordings.",
              gains.said(over_random))

# %% [markdown]
# ## Every row

# %% tags=["remove-input"]
tables.html(choice.readable(table, rows), "Scores on the test set, mean over runs, at the epoch that the validation set chose")

# %% [markdown]
# The intervals over runs are Student's *t*; runs differ by random weights and by the order of the recordings, not by the split.
# The baselines do not vary. The intervals over test recordings are percentiles of the mean over runs when the test
# part is drawn again with replacement; they are wide where it is too small. Nothing is corrected for the number of comparisons.
# F1 counts a label from a probability of one half on; Fmax takes the best threshold. Seconds of training are those of the
# machine below, which other jobs shared; for a baseline they are its fastest whole run.

# %% tags=["remove-input"]
tables.html(choice.differences(rows), "Differences in macro AUC to the same network from random weights, and to RR intervals alone")

# %% [markdown]
# Download {download}`the table </downloads/across.csv>`, {download}`every run </downloads/across-runs.csv>` and
# {download}`this notebook, executed </notebooks/across/choice.ipynb>`.
#
# ## What is the same, and what is not
#
# The target is the part of PTB-XL that is available here, lead I alone, with the five diagnostic superclasses and its published folds. In
# tier `reduced` it is the one real target that no checkpoint has seen: the autoencoder learnt from CinC 2017 and two monitor
# databases, the ResNets from those two, MELEP's networks from CPSC 2018 or CinC 2017.

# %% tags=["remove-input"]
choice.unseen(rows)

# %% tags=["remove-input"]
tables.html(choice.target(rows, tier), "The same for all rows")

# %% tags=["remove-input"]
tables.html(choice.networks(rows), "What each network keeps of its own paper's protocol in this tier")

# %% [markdown]
# The epoch with the best macro AUC on the validation set is reported. The number of epochs was fixed beforehand by what the
# runs cost, not by scores.
#
# ## Where the checkpoints are

# %% tags=["remove-input"]
tables.html(choice.checkpoints(rows), "Starting checkpoints: data, licence, and how one gets them")

# %% [markdown]
# ## What this cannot say
#
# - **Each network keeps the learning rate and the batch of its own paper**, since a rate that suits one network breaks another. So a
#   row that is low may be a network that is trained badly in so few epochs, not one that is bad. Differences *within* a
#   network, pretrained against random, do not suffer from this; differences between networks do.
# - **The epochs are few**, fewer than the papers take. That favours starts that learn fast, and small batches, which take more steps
#   an epoch.
# - **The networks are smaller than the papers'** in tier `reduced`, and their checkpoints have seen far fewer patients.
# - **One target, one lead, one split.** Superclasses such as hypertrophy and infarction are read from twelve leads; one lead
#   bounds what any row can reach. With another target the order may be another one.

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
tables.html(provenance.made(candidates.EXPERIMENT, tier), "Command, commit, seeds, device, time and data")

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("rows:", len(rows), "with runs:", sum(bool(row.bodies) for row in rows.values()))
print("digest of the plotted data:", figures.digest(drawn), figures.digest(differences))
