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
# # Is it the pretraining or the architecture?
#
# A network with random weights already filters, rectifies and averages a recording, and its features may tell rhythms apart before
# anything is learnt. So what a checkpoint knows is what its *frozen* features give beyond those of the same network with random weights.
# All encoders of the three papers {cite}`jang2021,weimann2021,melep2023` that are available here are asked on three targets, none on
# its own source, with ten labels a class, a tenth, and all of the training set. None of the papers makes this comparison. Its rules
# stand in the [analysis plan](../../analysis-plan), fixed before the runs.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.analysis import cells
from ecgtl.config import SectionConfig
from ecgtl.report import figures, provenance, tables
from ecgtl.report.across import probe

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
CINC, PTBXL, CPSC = probe.TARGETS
tier = cells.shown_tier(CINC, config.tier, pending=True)
found = probe.frame(tier)
tables.write_csv(probe.plain(found), "probe")
probe.answer(found, tier)

# %% tags=["remove-input"]
drawn = probe.figure(found)
figures.shown(drawn, "Each frozen encoder minus the same network with random weights, with 95 % intervals over runs and test recordings, by target and number of labels.",
              probe.said(found))

# %% [markdown]
# ## Every encoder
#
# Features go into a logistic regression, classes weigh the same, and cross-validation within the training set chooses the regularisation.
# A cell has the mean of five runs with its 95 % interval, and below it the difference to the same network with random weights, whose batch
# normalisation is estimated again on the target's training inputs. Runs of one checkpoint on all of the training set differ by the folds
# of that cross-validation alone, if at all; the interval of a difference counts the test recordings too, unless the conclusions say
# otherwise. RR intervals go into the same regression. Fine-tuned networks
# stand beside, trained on all of the training set.

# %% tags=["remove-input"]
tables.html(probe.table(found, CINC, tier), "CinC 2017, macro F1 on the test set")

# %% tags=["remove-input"]
probe.remarks(CINC, tier)

# %% tags=["remove-input"]
tables.html(probe.table(found, PTBXL, tier), "Rhythms of PTB-XL, lead I, macro F1 on the test set")

# %% tags=["remove-input"]
probe.remarks(PTBXL, tier)

# %% tags=["remove-input"]
tables.html(probe.table(found, CPSC, tier), "CPSC 2018, lead I, macro AUC on the test set")

# %% tags=["remove-input"]
probe.remarks(CPSC, tier)

# %% [markdown]
# Download {download}`the differences </downloads/probe.csv>` and {download}`this notebook, executed </notebooks/across/probe.ipynb>`.
#
# ## What this cannot say
#
# - **Encoders differ in more than their weights**: each sees the length, rate and scaling of its own paper. An encoder is compared with
#   its own random twin, which sees the same; encoders of different papers are not compared.
# - **The networks are smaller than the papers'** and have seen far fewer patients.
# - **A linear classifier asks what lies open in the features.** Fine-tuning can use more; it stands beside for that reason.
# - **One lead, one test split a target**, the same for all encoders. Recordings too short for a network are left out of its row.

# %% [markdown]
# ## Conclusions
#
# How many differences have an interval above 0 (*yes*), below 0 (*opposite*), or around it:

# %% tags=["remove-input"]
tables.html(probe.counts(found), "Answers by target and number of labels")

# %% tags=["remove-input"]
probe.runs_alone(found)

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
tables.html(provenance.made(CINC, tier), "CinC 2017: command, commit, seeds, device, time and data")

# %% tags=["remove-input"]
tables.html(provenance.made(PTBXL, tier), "PTB-XL: command, commit, seeds, device, time and data")

# %% tags=["remove-input"]
tables.html(provenance.made(CPSC, tier), "CPSC 2018: command, commit, seeds, device, time and data")

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("differences:", len(found), "digest of the plotted data:", figures.digest(drawn))
