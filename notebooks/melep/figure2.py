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
# # MELEP 2023, Figure 2: Bi-LSTM
#
# The paper's recurrent network reads a recording in both directions of time. The drawing is made from the
# network that is trained here: it is laid out, {pub}`melep2023.scalars.leads` leads of
# {pub}`melep2023.scalars.duration` s at {pub}`melep2023.scalars.sampling_rate` Hz pass through it, and every
# block notes what it gives. It cannot differ from what is run.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.config import SectionConfig
from ecgtl.report import alt, figures, in_short, network_blocks, tables
from ecgtl.report.melep import figure2, network_diagrams

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
shown = network_diagrams.drawn_tier(config.tier)
in_short.block([network_diagrams.in_short_of("bilstm", shown)], network_blocks.tier_badges(shown).data)

# %% [markdown]
# ## From recording to labels
#
# The outputs of every time step, not of the last alone, go into one linear layer, drawn for the
# {pub}`melep2023.scalars.cpsc2018_labels` labels of CPSC2018.

# %% tags=["remove-input"]
drawn = figure2.bilstm_figure(shown)
figures.shown(drawn, "The Bi-LSTM from top to bottom; shapes are channels × length.", alt.written(drawn))

# %% [markdown]
# ## What changes with the labels
#
# A transfer replaces the output layer alone. Because that layer sees every step, it holds most of the network:
# little is taken over, and what is new grows with the number of labels.

# %% tags=["remove-input"]
tables.html(network_diagrams.outputs("bilstm", shown), f"Parameters by the number of labels, tier {shown}")

# %% [markdown]
# ## What the paper leaves open
#
# The number of layers and of units are those of the authors' public code. The dropout that the code asks for
# acts between layers, of which there is one. The network keeps its size in tier `reduced`, which sees lead I
# alone.

# %% tags=["remove-input"]
tables.html(network_diagrams.sizes("bilstm"), "The network in each tier, with the labels of CPSC2018")

# %% [markdown]
# ## Block by block

# %% tags=["remove-input"]
blocks = network_diagrams.network("bilstm", shown)
tables.write_csv(network_blocks.listed({f"Bi-LSTM, tier {shown}": blocks}), "melep2023-figure2")
tables.html(network_blocks.table(blocks), f"Bi-LSTM, tier {shown}")

# %% [markdown]
# Download {download}`every block </downloads/melep2023-figure2.csv>` and {download}`this notebook, executed
# </notebooks/melep/figure2.ipynb>`.
#
# ## Provenance
#
# Drawn when this page was built, by `ecgtl.report.melep.figure2` and `ecgtl.report.network_blocks` from the network in
# `ecgtl/models`, in the sizes that `ecgtl/experiments/melep2023.yml` gives each tier. No recording and no
# result is behind it.

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("blocks:", len(blocks), "parameters:", network_blocks.parameters(blocks))
print("digest of the drawing:", figures.digest(drawn))
