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
# # Fine-tune a network
#
# This notebook is a job: parameters go in, one result comes out. It splits a data set, trains a network from random
# weights or from a checkpoint, and holds the outcome against two baselines. From a shell:
#
# ```
# papermill notebooks/finetune.ipynb out.ipynb -p fraction 0.25
# papermill notebooks/finetune.ipynb out.ipynb -p tier reduced -p seed 3
# ```
#
# `fraction` is the share of the *training set* that is used. `tier` says on what: `demo` always reads the data set's
# synthetic twin, `reduced` and `paper` read real recordings. A value of `None` means "as the protocol's table has it for
# the tier". What each parameter means stands in `ecgtl.config.FinetuneConfig`.

# %% tags=["parameters"]
dataset = "cinc2017"
root = ""
labels = ""
labels_separator = ""
rate = 0.0
unit = ""
lead = 0
on_bad = "error"
protocol = "auto"
init = "random"
arch = "auto"
fraction = 1.0
tier = "demo"
seed = 0
sampling_rate = None
seconds = None
width = None
variant = None
epochs = None
batch_size = None
learning_rate = None
patience = None
device = "auto"
precision = "auto"
save_weights = ""

# %% tags=["remove-cell"]
from ecgtl import results
from ecgtl.config import FinetuneConfig
from ecgtl.jobs import finetune
from ecgtl.report import badges, figures, provenance
from ecgtl.report.jobs import finetune as page

config = FinetuneConfig.from_notebook(globals())

# %%

figures.use_style()
result = finetune.run(config, command=config.command())
saved = results.save(result)
trivial = finetune.baseline_results(config)
badges.of_result(result)

# %% [markdown]
# ## The split
#
# Stratified by class; recordings of one subject, exact duplicates included, stay on one side.

# %%
# NBVAL_CHECK_OUTPUT
print(page.split_table(result).to_string())

# %% [markdown]
# ## The learning curve

# %%
score, words = page.followed(result)
reference = trivial["rr_boosting"].scores[score] if "rr_boosting" in trivial else None
curve = page.learning_curves(result.history, result.scores["validated"]["epoch"], reference, words)
figures.shown(curve, "Cross-entropy and score by epoch; the vertical line is the epoch that the validation set chose.",
              page.curves_said(result, reference))

# %% [markdown]
# ## Confusion matrix
#
# Where recordings have several labels, a row shows what is predicted of those that have its label, with a probability of
# one half or more; such a row need not add up.

# %%
counts = page.confusion_of(result)
matrix = page.confusion(counts, result.data["classes"])
figures.shown(matrix, "Confusion matrix of the test set: numbers are recordings, shades the share of the true class.",
              page.confusion_said(counts, result.data["classes"]))

# %% [markdown]
# ## Scores, beside the baselines
#
# A network that does not beat the RR intervals has learnt nothing that a pulse watch does not know.

# %%
page.scores_table(result, trivial)

# %%
# NBVAL_CHECK_OUTPUT
print(page.labels_without_positives(result))

# %%
page.verdict_on_baselines(result, trivial)

# %% [markdown]
# ## The numbers can be computed again
#
# From the stored probabilities, with scikit-learn instead of this package; and the probabilities are those that were
# stored.

# %%
# NBVAL_CHECK_OUTPUT
print(page.recomputed(saved))

# %% [markdown]
# ## Provenance

# %%
provenance.made_by(result)
