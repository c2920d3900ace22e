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
# # Jang 2021, Figure 2: the networks
#
# The paper draws an autoencoder whose encoder a classifier takes over (A), and the transfer from images,
# where a frozen GoogLeNet turns spectrograms into features (B). The drawings below are made from the networks
# that are trained here: each is laid out, a window passes through it, and every block notes what it gives.
# They cannot differ from what is run.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.analysis import cells
from ecgtl.config import SectionConfig
from ecgtl.report import figures, flowchart, in_short, network_blocks, study, tables
from ecgtl.report.jang import figure2

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
shown = cells.shown_tier("jang2021-table2-ptbxl", config.tier)
tiers = list(dict.fromkeys([shown, "paper"]))
stated = figure2.stated()
in_short.block([study.statements_met(stated).data], network_blocks.tier_badges(*tiers).data)

# %% [markdown]
# ## A: the autoencoder
#
# A window of {pub}`jang2021.scalars.window_samples` samples is squeezed into {pub}`jang2021.scalars.features`
# numbers and blown up again. Bars are wider for longer signals (on a log scale) and taller for more channels.

# %% tags=["remove-input"] mystnb={"image": {"alt": "The autoencoder from top to bottom as an hour-glass of bars, one a block: the window of one lead, a stem and nine residual blocks that shorten it and add channels, a bottleneck of a few numbers, and nine blocks that lengthen it to the window again. Beside each bar stand the block's name, kernel and number of parameters."}}
autoencoder = figure2.autoencoder(shown)
drawn = flowchart.hourglass(autoencoder, f"Autoencoder, tier {shown}", figure2.window(shown))

# %% [markdown]
# ## Three arms
#
# What each arm of the experiment starts from, and what is trained. The number of parameters is for the
# paper's {pub}`jang2021.scalars.rhythms` rhythms.

# %% tags=["remove-input"] mystnb={"image": {"alt": "Three columns of boxes, one an arm. Random weights and autoencoder: a window goes through the encoder to its features and a linear layer; the encoder starts at random or is taken over from the autoencoder, and is trained in both. ImageNet features: a spectrogram goes through a frozen GoogLeNet to its features and a linear layer, which alone is trained."}}
columns = figure2.arms(shown)

# %% [markdown]
# ## B: the network of the image arm
#
# Spectrograms go through GoogLeNet, the network of Szegedy and colleagues, up to its last pooling, whose
# means over the image are the features. The weights are those of ImageNet and stay as they are.

# %% tags=["remove-input"] mystnb={"image": {"alt": "GoogLeNet from top to bottom as bars, one a block: an image of three channels, two convolutional blocks and nine inception modules that shrink it and add channels. Beside each bar stand the block's name, kernels and number of parameters."}}
googlenet = figure2.image_network()
images = flowchart.hourglass(googlenet, "GoogLeNet to its features", figure2.IMAGE)

# %% [markdown]
# ## What the paper says, and what the networks have

# %% tags=["remove-input"]
tables.html(stated, "Statements of the paper's section on the models, and the same counted in the networks")

# %% tags=["remove-input"]
figure2.stated_verdict(stated)

# %% [markdown]
# Tier `paper` follows the authors' public code, which differs from their text; the smaller tiers follow the
# text. Why stands with [the decisions](../../jang.md).

# %% [markdown]
# ## Block by block

# %% tags=["remove-input"]
networks = {f"autoencoder, tier {tier}": figure2.autoencoder(tier) for tier in tiers}
networks["GoogLeNet to its features"] = googlenet
tables.write_csv(network_blocks.listed(networks), "jang2021-figure2")
tables.html(network_blocks.table(autoencoder), f"Autoencoder, tier {shown}")

# %% tags=["remove-input"]
tables.html(network_blocks.table(figure2.autoencoder("paper")), "Autoencoder, tier paper")

# %% tags=["remove-input"]
tables.html(network_blocks.table(googlenet), "GoogLeNet to its features")

# %% [markdown]
# Download {download}`all blocks </downloads/jang2021-figure2.csv>` and {download}`this notebook, executed
# </notebooks/jang/figure2.ipynb>`.
#
# ## Provenance
#
# Drawn when this page was built, by `ecgtl.report.network_blocks` from the networks in `ecgtl/models`, in the sizes
# that `ecgtl/experiments/jang2021.yml` gives each tier. No recording and no result is behind it.

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("blocks:", len(autoencoder), len(googlenet))
print("digests of the drawings:", *(figures.digest(figure) for figure in (drawn, columns, images)))
