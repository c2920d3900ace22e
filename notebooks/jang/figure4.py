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
# # Jang 2021, Figure 4: reconstructed signals
#
# The paper shows windows beside what its autoencoder makes of them, and says that it gives them back well:
# the squared error, summed over the {pub}`jang2021.scalars.window_samples` samples of a window, is
# {pub}`jang2021.scalars.cae_mse`. A window has a standard deviation of 1, so that answering with its mean
# alone would cost as much as it has samples.
#
# Our autoencoder was pretrained on other recordings. No recording is part of this repository, so the page
# shows two things: the errors on every real window that was held out, which were measured once and are
# stored, and pictures of windows of a *synthetic* twin. With the recordings available here one command draws real
# ones.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.config import SectionConfig
from ecgtl.measurements import reconstruction_errors
from ecgtl.report import alt, badges, figures, provenance, tables
from ecgtl.report.jang import figure4

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
measured = reconstruction_errors.load(config.tier)
shown = measured.config["tier"]
figure4.answer(measured)

# %% [markdown]
# ## Errors on real windows that were held out
#
# No subject of these windows was in the training or validation set, and the recordings that later test
# classifiers are not among them.

# %% tags=["remove-input"]
distribution = figure4.distribution(measured)
figures.shown(distribution, "Squared error of each held-out window, summed over its samples (z-scores squared), by source database; above, the same as R².",
              figure4.errors_said(measured))

# %% tags=["remove-input"]
tables.html(figure4.comparison(measured), "The paper's number on its own windows, and ours on others")

# %% tags=["remove-input"]
by_source = figure4.by_source(measured)
tables.write_csv(by_source, "jang2021-figure4")
tables.write_csv(figure4.windows_table(measured), "jang2021-figure4-windows")
tables.html(figure4.readable(by_source), "Errors by source; intervals by drawing subjects")

# %% [markdown]
# ## Conclusions

# %% tags=["remove-input"]
figure4.verdict(measured)

# %% [markdown]
# The paper's {pub}`jang2021.scalars.cae_error_percent` % divides a squared error by a range, which is a share
# of nothing; the last row of the comparison takes the root first. Its stopping rule looked at the test set
# after every epoch, ours at a validation set, and at the test set once, at the end.

# %% [markdown]
# ## What it looks like
#
# The same weights on windows of the twins of the source databases: the windows at the 10th, 50th and 90th
# percentile of the error. Units are z-scores of the window, large squares of ECG paper (0.2 s) are marked on
# the time axis.

# %% tags=["remove-input"]
twins = reconstruction_errors.twins(reconstruction_errors.pretrained(shown))
badges.of_recordings(twins.sources[0])

# %% tags=["remove-input"]
error, _ = reconstruction_errors.squared_errors(twins.model, twins.windows)
drawn = figure4.panels(twins, error, synthetic=True)
figures.shown(drawn, "Synthetic windows at three ranks of the error: original and reconstruction, z-scores. Titles name recording, lead and sampling rate.",
              alt.written(drawn))

# %% tags=["remove-input"]
figure4.twin_line(measured, error)

# %% [markdown]
# Real windows, chosen by the same percentiles, are drawn by
#
# ```
# python -m ecgtl draw windows.png
# ```
#
# once `ECGTL_DATA` names the folder with the recordings of the pretraining.

# %% [markdown]
# Download {download}`the errors by source </downloads/jang2021-figure4.csv>`, {download}`those of every
# window </downloads/jang2021-figure4-windows.csv>` and {download}`this notebook, executed
# </notebooks/jang/figure4.ipynb>`.

# %% [markdown]
# ## Provenance
#
# First the errors, then the autoencoder that they belong to. `python -m ecgtl measure reconstruction-errors` measures
# them again, and stops when the autoencoder's weights or recordings are others.

# %% tags=["remove-input"]
provenance.made_by(measured, "the errors")

# %% tags=["remove-input"]
provenance.made_by(reconstruction_errors.pretrained(shown), "the autoencoder")

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("windows:", measured.data["windows"], "of twins:", len(error))
print("digest of the plotted errors:", figures.digest(distribution))
