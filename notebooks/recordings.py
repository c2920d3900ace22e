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
# # Look at the recordings
#
# Before anything is trained: how many recordings there are, how long they are, and what they look like. In tier `demo`
# this is the data set's synthetic twin; with `-p tier reduced` the real recordings in `ECGTL_DATA`, and with
# `-p dataset folder -p tier reduced -p root /path/to/records` your own.

# %% tags=["parameters"]
dataset = "cinc2017"
root = ""
labels = ""
labels_separator = ""
rate = 0.0
unit = ""
lead = 0
on_bad = "error"
tier = "demo"
seconds = 8.0

# %% tags=["remove-cell"]
from ecgtl.config import RecordingsConfig
from ecgtl.jobs import inputs
from ecgtl.report import badges, figures
from ecgtl.report.jobs import recordings as page

config = RecordingsConfig.from_notebook(globals())

# %%

figures.use_style()
recordings = inputs.read(config.plan())
badges.of_recordings(recordings)

# %%
# NBVAL_CHECK_OUTPUT
print(page.recordings_table(recordings).to_string())

# %%
overview = page.class_counts(recordings)
figures.shown(overview, "Recordings of each class, and their lengths (counts on a log scale).", page.counts_said(recordings))

# %% [markdown]
# ## One recording of each class, on ECG paper
#
# 25 mm/s and 10 mm/mV at full size: a large square is 0.2 s wide and 0.5 mV high.

# %%
page.strips(recordings, config.seconds, inputs.Prepared(config.plan(), recordings).leads[0])

# %%
# NBVAL_CHECK_OUTPUT
print("digest of the plotted data:", figures.digest(overview))
