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
# # Score a checkpoint before fine-tuning it
#
# This notebook is a job: a checkpoint and a target go in, a score comes out, without any training. The checkpoint looks
# at each recording once; MELEP {cite}`melep2023` asks how well the labels that it gives predict the labels to come. From a
# shell:
#
# ```
# papermill notebooks/score_transfer.ipynb out.ipynb -p tier reduced \
#     -p checkpoint cpsc2018-resnet1d101 -p dataset ptbxl
# papermill notebooks/score_transfer.ipynb out.ipynb -p tier reduced \
#     -p checkpoint mine.safetensors -p dataset folder -p root /path/to/my-records
# ```
#
# `checkpoint` is the path of a classifier's checkpoint, or data set and network of a stored one; those of
# tier `reduced` are not shipped, `python -m ecgtl run melep2023-sources --tier reduced` makes them. `tier` says on what: `demo`
# reads the target's synthetic twin, `reduced` and `paper` read real recordings. What each parameter means stands in
# `ecgtl.config.ScoreConfig`. To compare several checkpoints: `python -m ecgtl rank`.

# %% tags=["parameters"]
checkpoint = "cpsc2018-resnet1d101"
dataset = "ptbxl"
root = ""
labels = ""
labels_separator = ""
rate = 0.0
unit = ""
lead = 0
on_bad = "skip"
tier = "demo"
label_set = ""
records = None
weighting = "published"
resamples = 200
seed = 0

# %% tags=["remove-cell"]
from ecgtl.config import ScoreConfig
from ecgtl.jobs import rank
from ecgtl.report import figures
from ecgtl.report.jobs import score_transfer

config = ScoreConfig.from_notebook(globals())

# %%

figures.use_style()
ranking = rank.score(config)
score_transfer.badge(ranking)

# %%
# NBVAL_CHECK_OUTPUT
print(score_transfer.target(ranking).to_string())

# %% [markdown]
# ## The score
#
# The smaller, the easier the transfer should be. Scores compare checkpoints on one target; between targets they also move
# with the number of labels and how frequent they are, which stand below as plain predictors.

# %%
score_transfer.score(ranking, config)

# %% [markdown]
# ## Label by label
#
# For a label that matters more than others its own loss says more than the sum.

# %%
score_transfer.labels(ranking, config)

# %%
shares = score_transfer.told(ranking)
figures.shown(shares, "Share of a target label's entropy (columns) that each label of the checkpoint (rows) takes away.",
              score_transfer.told_said(ranking))

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print(score_transfer.recomputed(ranking, config))
