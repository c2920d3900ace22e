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
# # Jang 2021, Figure 5: learning curves when data are scarce
#
# The paper {cite}`jang2021` shows one training of each kind: with all of the training set the curves of random weights and of the
# autoencoder look alike; with less, both become unsteady, random weights more so. Below are all of our trials, on two other
# databases, with their median. [Table 3](table3) puts such curves into numbers.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.analysis import cells
from ecgtl.config import SectionConfig
from ecgtl.report import figures, in_short, tables
from ecgtl.report.jang import figure5, shared

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]
import pandas as pd

figures.use_style()
tiers = {name: cells.shown_tier(name, config.tier, pending=True) for name in shared.NAMES}
curves = {name: shared.curves(name, tier) for name, tier in tiers.items()}
tables.write_csv(pd.concat([frame.assign(experiment=name) for name, frame in curves.items()]), "jang2021-figure5")
in_short.of_gains({cells.current(name, tier): tier for name, tier in tiers.items()}, why="table2.html#conclusions")

# %% [markdown]
# ## PTB-XL, lead II

# %% tags=["remove-input"]
first = figure5.learning_curves(curves[shared.PTBXL], shared.PTBXL)
figures.shown(first, "PTB-XL, lead II: weighted F1 on the test set by epoch; thin lines are single trials, thick ones their medians.",
              figure5.curves_said(curves[shared.PTBXL], shared.PTBXL))

# %% tags=["remove-input"]
tables.html(figure5.stability(curves[shared.PTBXL], shared.PTBXL), "PTB-XL, lead II: how the curves end and how deep they fall, means over trials")

# %% [markdown]
# ## CinC 2017

# %% tags=["remove-input"]
shared.state(shared.CINC2017, tiers[shared.CINC2017])

# %% tags=["remove-input"]
second = figure5.learning_curves(curves[shared.CINC2017], shared.CINC2017)
figures.shown(second, "CinC 2017: weighted F1 on the test set by epoch; thin lines are single trials, thick ones their medians.",
              figure5.curves_said(curves[shared.CINC2017], shared.CINC2017))

# %% tags=["remove-input"]
tables.html(figure5.stability(curves[shared.CINC2017], shared.CINC2017), "CinC 2017: how the curves end and how deep they fall, means over trials")

# %% [markdown]
# Download {download}`every curve </downloads/jang2021-figure5.csv>` and
# {download}`this notebook, executed </notebooks/jang/figure5.ipynb>`. How the runs were made stands on the page of
# [Table 2](table2).

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("epochs:", *(len(frame) for frame in curves.values()), "digest of the plotted data:", figures.digest(first), figures.digest(second))
