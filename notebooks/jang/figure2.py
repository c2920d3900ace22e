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
from ecgtl.report import alt, figures, flowchart, in_short, network_blocks, study, tables
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

# %% tags=["remove-input"]
autoencoder = figure2.autoencoder(shown)
drawn = flowchart.hourglass(autoencoder, f"Autoencoder, tier {shown}", figure2.window(shown))
figures.shown(drawn, "The autoencoder from top to bottom: bars are wider for longer signals (log scale) and taller for more channels.",
              flowchart.hourglass_said(autoencoder, figure2.window(shown)))

# %% [markdown]
# ## Three arms
#
# What each arm of the experiment starts from, and what is trained. The number of parameters is for the
# paper's {pub}`jang2021.scalars.rhythms` rhythms.

# %% tags=["remove-input"]
columns = figure2.arms(shown)
figures.shown(columns, "The three arms: what goes in, what is taken over, what is trained.", alt.written(columns))

# %% [markdown]
# ## B: the network of the image arm
#
# Spectrograms go through GoogLeNet, the network of Szegedy and colleagues, up to its last pooling, whose
# means over the image are the features. The weights are those of ImageNet and stay as they are.

# %% tags=["remove-input"]
googlenet = figure2.image_network()
images = flowchart.hourglass(googlenet, "GoogLeNet to its features", figure2.IMAGE)
figures.shown(images, "GoogLeNet from top to bottom: bars are wider for larger images (log scale) and taller for more channels.",
              flowchart.hourglass_said(googlenet, figure2.IMAGE))

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
