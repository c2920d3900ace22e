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
# This notebook is a job: parameters go in, a checkpoint and its result come out. From a shell:
#
# ```
# papermill notebooks/pretrain.ipynb out.ipynb -p sources cinc2017,mitdb
# papermill notebooks/pretrain.ipynb out.ipynb -p objective beat -p frame 4096 -p arch resnet18 -p tier reduced
# papermill notebooks/pretrain.ipynb out.ipynb -p objective future -p context 8 -p negatives 4 -p offset 2
# ```
#
# `objective` says what is learnt. `reconstruction`: an autoencoder gives back windows of unlabelled ECG (`init=cae`).
# `beat`, `rhythm` and `heart_rate`: a residual network names the class of frames that are drawn at random from long
# recordings, by their annotations. `future`: it tells the frame that follows a context from others. Fine-tuning then
# starts from the weights with `init` set to the same word.
#
# `sources` are the databases. Recordings that a later test set holds are left out, and so are all others of their
# subjects. `tier` says on what: `demo` always reads synthetic twins, `reduced` and `paper` read real recordings. `frame`
# counts samples at 250 Hz. A value of `None` or `auto` means "as the protocol's pretraining table has it for the tier".
# What each parameter means stands in `ecgtl.config.PretrainConfig`.

# %% tags=["parameters"]
objective = "reconstruction"
protocol = "auto"
sources = None
root = ""
on_bad = "error"
arch = "auto"
variant = None
features = 60
tier = "demo"
seed = 0
frame = None
context = None
negatives = None
offset = None
negatives_from = None
validation = None
test = None
per_subject = None
per_epoch = None
subjects = None
minutes = None
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
from ecgtl.jobs import pretrain
from ecgtl.report import alt, badges, figures, provenance
from ecgtl.report.jobs import pretrain as page

config = PretrainConfig.from_notebook(globals())

# %%

figures.use_style()
pretrained = pretrain.run(config, command=config.command())
result = pretrained.result
weights, saved = pretrain.save(pretrained)
badges.of_result(result)

# %% [markdown]
# ## The parts
#
# Divided by subject: no subject is in two parts. The weights are chosen on the validation set; the test set is looked
# at once, at the end.

# %%
# NBVAL_CHECK_OUTPUT
print(page.parts(result).to_string())

# %% [markdown]
# ## The learning curve
#
# The error of a reconstructed window is summed over its samples, as the paper prints it. A network that answers with the
# mean has the number of samples as its error (2,048 for 8.192 s at 250 Hz), because windows are z-scored. The other
# objectives are classifications: their loss is the cross-entropy.

# %%
curve = page.curve(result)
figures.shown(curve, "Learning curve of the pretraining; the vertical line is the epoch that the validation set chose.", page.curve_said(result))

# %%
# NBVAL_CHECK_OUTPUT
print(page.learned(result))

# %% [markdown]
# ## What the network makes of it
#
# Examples of the test set: windows and their reconstructions; or a frame of each class that occurs, with its label and
# the answer; or a context, its future and some negatives, with the probability that each is given. The demo's few steps
# teach little.

# %%
panels = page.examples(pretrained)
figures.shown(panels, "Examples of the test set in standard deviations; titles name recording, lead and sampling rate.", alt.written(panels))

# %% [markdown]
# ## Scores

# %%
page.scores(result)

# %% [markdown]
# ## Provenance

# %%
provenance.made_by(result)
