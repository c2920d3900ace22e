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
# # MELEP 2023, Figure 1: ResNet1d101
#
# The paper's convolutional network is ResNet-101 over time instead of an image. The drawings are made from the
# network that is trained here: it is laid out, {pub}`melep2023.scalars.leads` leads of
# {pub}`melep2023.scalars.duration` s at {pub}`melep2023.scalars.sampling_rate` Hz pass through it, and every
# block notes what it gives. They cannot differ from what is run.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.config import SectionConfig
from ecgtl.report import alt, figures, flowchart, in_short, network_blocks, tables
from ecgtl.report.melep import figure1, network_diagrams

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
shown = network_diagrams.drawn_tier(config.tier)
in_short.block([figure1.depth(shown).data], network_blocks.tier_badges(shown).data)

# %% [markdown]
# ## From recording to labels
#
# Bars are wider for longer signals (on a log scale) and taller for more channels. Equal units in a row share a
# bar, with the parameters of all. Between the last unit and the hidden layer each channel is averaged over
# time. The output is drawn for the {pub}`melep2023.scalars.cpsc2018_labels` labels of CPSC2018.

# %% tags=["remove-input"]
network = figure1.resnet_figure(shown)
figures.shown(network, "ResNet1d101 from top to bottom, equal units as one bar: wider for longer signals (log scale), taller for more channels.",
              flowchart.hourglass_said(network_diagrams.network("resnet1d101", shown), network_diagrams.shape(shown)))

# %% tags=["remove-input"]
figure1.depth(shown)

# %% [markdown]
# ## A residual unit
#
# The first unit of a later stage, which halves the length: its shortcut is a convolution too. In the other
# units of a stage the shortcut hands on what it was given.

# %% tags=["remove-input"]
unit = figure1.unit_figure(shown)
figures.shown(unit, "A residual unit that shortens its input: both paths meet in one sum.", alt.written(unit))

# %% [markdown]
# ## What changes with the labels
#
# A transfer replaces the output layer alone, which holds next to nothing of the network.

# %% tags=["remove-input"]
tables.html(network_diagrams.outputs("resnet1d101", shown), f"Parameters by the number of labels, tier {shown}")

# %% [markdown]
# ## What the paper leaves open
#
# Its text says no more than that the network is a 1-D variant of ResNet-101. As in the authors' public code,
# kernels are of size 3 in every stage, batch norm and activation come behind each convolution, and a hidden
# layer stands before the output. The smaller tiers are narrower and see lead I alone.

# %% tags=["remove-input"]
tables.html(network_diagrams.sizes("resnet1d101"), "The network in each tier, with the labels of CPSC2018")

# %% [markdown]
# ## Block by block

# %% tags=["remove-input"]
blocks = network_diagrams.network("resnet1d101", shown)
tables.write_csv(network_blocks.listed({f"ResNet1d101, tier {shown}": blocks}), "melep2023-figure1")
tables.html(network_blocks.table(figure1.grouped(blocks)), f"ResNet1d101, tier {shown}; layers of one unit, parameters of all")

# %% [markdown]
# Download {download}`every block </downloads/melep2023-figure1.csv>` and {download}`this notebook, executed
# </notebooks/melep/figure1.ipynb>`.
#
# ## Provenance
#
# Drawn when this page was built, by `ecgtl.report.melep.figure1` and `ecgtl.report.network_blocks` from the network in
# `ecgtl/models`, in the sizes that `ecgtl/experiments/melep2023.yml` gives each tier. No recording and no
# result is behind it.

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("blocks:", len(blocks), "parameters:", network_blocks.parameters(blocks))
print("digests of the drawings:", *(figures.digest(figure) for figure in (network, unit)))
