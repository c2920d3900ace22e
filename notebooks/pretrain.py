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
# # Pretrain a network
#
# This notebook is a job: parameters go in, a checkpoint and its result come out. An autoencoder learns to give back
# windows of unlabelled ECG; fine-tuning then starts from its encoder with `init=cae`. From a shell:
#
# ```
# papermill notebooks/pretrain.ipynb out.ipynb -p sources cinc2017,mitdb
# papermill notebooks/pretrain.ipynb out.ipynb -p tier reduced
# ```
#
# `sources` are the databases that windows are taken from. Recordings that a later test part holds are left out, and so
# are all others of their subjects. `tier` says on what: `demo` always reads synthetic twins, `reduced` and `paper` read real
# recordings. A value of `None` means "as the protocol's pretraining table has it for the tier". What each parameter
# means stands in `ecgtl.config.PretrainConfig`.

# %% tags=["parameters"]
objective = "reconstruction"
protocol = "jang2021"
sources = None
root = ""
arch = "cae"
variant = None
features = 60
tier = "demo"
seed = 0
validation = 0.05
test = 0.05
per_subject = None
windows = None
highpass = None
sampling_rate = None
seconds = None
width = None
epochs = None
batch_size = None
learning_rate = None
patience = None
device = "auto"
precision = "auto"

# %% tags=["remove-cell"]
from ecgtl.config import PretrainConfig

config = PretrainConfig.from_notebook(globals())

# %%
from ecgtl import pretrain
from ecgtl.report import badges, figures, tables

figures.use_style()
pretrained = pretrain.run(config, command=config.command())
result = pretrained.result
weights, saved = pretrain.save(pretrained)
badges.of_result(result)

# %% [markdown]
# ## The parts
#
# Divided by subject: no subject is in two parts. The weights are chosen on the validation part; the test part is looked
# at once, at the end.

# %%
# NBVAL_CHECK_OUTPUT
print(tables.pretraining_parts(result).to_string())

# %% [markdown]
# ## The learning curve
#
# The error of a window is summed over its samples, as the paper prints it. A network that answers with the mean has the
# number of samples as its error (2,048 for 8.192 s at 250 Hz), because windows are z-scored.

# %% mystnb={"image": {"alt": "Summed squared reconstruction error of a window by epoch: training part as a solid line, validation part as a dashed line, and the kept epoch as a vertical line."}}
curve = figures.reconstruction_curve(result.history, result.scores["epoch"])

# %%
# NBVAL_CHECK_OUTPUT
print(tables.error_fell(result))

# %% [markdown]
# ## What comes back
#
# The first, the middle and the last window of the test part, and what passes through the bottleneck of them. The demo's
# few steps teach it to follow the beats of some windows; others it answers with little more than the mean.

# %% mystnb={"image": {"alt": "Three windows of the test part, one above the other, z-score against time in seconds: the original as a solid line and its reconstruction as a dashed line; titles name the recording, the sampling rate and the squared error."}}
n = len(pretrained.test)
panels = figures.reconstructions(pretrained.test, pretrain.restored(pretrained), [0, n // 2, n - 1], synthetic=config.tier == "demo")

# %% [markdown]
# ## Errors

# %%
tables.pretraining_scores(result)

# %% [markdown]
# ## How this was made

# %%
tables.made_by(result)
