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
# # Weimann 2021, Figure 2: the network for future prediction
#
# Which of several frames comes next? {pub}`weimann2021.figures.F2.caption`. The drawing below is made from the module that is
# trained here, `ecgtl.models.contrastive`: it is laid out, frames pass through it, and every part notes what it gives. It cannot
# differ from what is run.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.analysis import cells
from ecgtl.config import SectionConfig
from ecgtl.report import alt, figures, in_short, network_blocks, study, tables
from ecgtl.report.weimann import figure2, shared

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
shown = cells.shown_tier(shared.TABLE2, config.tier, pending=True)
tiers = list(dict.fromkeys([shown, "paper"]))
stated = figure2.stated(*tiers)
in_short.block([study.statements_met(stated).data], network_blocks.tier_badges(*tiers).data)

# %% [markdown]
# ## At the paper's size

# %% tags=["remove-input"]
network = figure2.future("paper")
drawn = figure2.framework(network)
figures.shown(drawn, "Prediction of the future with the shapes and parameters of the paper's size; shapes are channels or frames × samples.",
              alt.written(drawn))

# %% [markdown]
# After pretraining the encoder alone is taken over; the attention pooling is left behind.
#
# ## At the size that was run

# %% tags=["remove-input"]
smaller = figure2.framework(figure2.future(shown))
figures.shown(smaller, f"The same with the shapes and parameters of tier {shown}.", alt.written(smaller))

# %% [markdown]
# ## What the paper says, and what the network has

# %% tags=["remove-input"]
tables.html(stated, "Statements of the paper on the framework, in the best setting of its Table 1, and the same counted in the network")

# %% tags=["remove-input"]
study.statements_met(stated)

# %% [markdown]
# The pooling is as wide as the encoder's output, so smaller encoders have a narrower one.
#
# ## The encoder, block by block

# %% tags=["remove-input"]
blocks = {f"encoder, tier {tier}": figure2.encoder_blocks(tier) for tier in tiers}
tables.write_csv(network_blocks.listed(blocks), "weimann2021-figure2")
tables.html(network_blocks.table(blocks["encoder, tier paper"]), "Encoder, tier paper: what each block gives for one frame")

# %% [markdown]
# Download {download}`all blocks </downloads/weimann2021-figure2.csv>` and {download}`this notebook, executed
# </notebooks/weimann/figure2.ipynb>`.
#
# ## Provenance
#
# Drawn when this page was built, by `ecgtl.report.weimann.figure2` from the modules in `ecgtl/models`, in the sizes that
# `ecgtl/experiments/weimann2021.yml` gives each tier. No recording and no result is behind it.

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("parts:", network.shapes, network.parameters)
print("digests of the drawings:", figures.digest(drawn))
