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
# # Probe a frozen encoder
#
# This notebook is a job: an encoder and labelled recordings go in, one result comes out. Nothing of the encoder is trained; its
# features go into a logistic regression, with ten labels a class, a tenth, and all of the training set. From a shell:
#
# ```
# papermill notebooks/probe.ipynb out.ipynb -p encoder cae-seed0 -p dataset cinc2017 -p tier reduced
# papermill notebooks/probe.ipynb out.ipynb -p encoder random:resnet18 -p dataset cinc2017 -p tier reduced
# papermill notebooks/probe.ipynb out.ipynb -p encoder mine.safetensors -p tier reduced \
#     -p dataset folder -p root /path/to/my-records -p labels labels.csv
# ```
#
# `random:<network>` is the same network with random weights, whose batch normalisation is estimated on the training inputs: what a
# checkpoint adds is the difference. `rr_intervals` looks at the times of the beats alone. What each parameter means stands in
# `ecgtl.config.ProbeConfig`; how the encoders of the papers compare, on
# [Is it the pretraining or the architecture?](across/probe).

# %% tags=["parameters"]
dataset = "cinc2017"
root = ""
labels = ""
labels_separator = ""
rate = 0.0
unit = ""
lead = 0
on_bad = "error"
encoder = "cae"
shares = "10 labels,10 %,100 %"
seconds = None
tier = "demo"
seed = 0
device = "auto"

# %% tags=["remove-cell"]
from ecgtl import results
from ecgtl.config import ProbeConfig
from ecgtl.jobs import probe
from ecgtl.report import badges, provenance
from ecgtl.report.jobs import probe as page
from ecgtl.report.tables import html

config = ProbeConfig.from_notebook(globals())

# %%

result = probe.run(config, config.command())
saved = results.save(result)
badges.of_result(result)

# %%
html(page.table(result), "Scores on the test set, with percentile limits over test recordings drawn again")

# %%
provenance.made_by(result)

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("shares:", ", ".join(result.data["split"]), "; refused:", len(result.data["refused"]))
