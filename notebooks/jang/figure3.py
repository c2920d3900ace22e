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
# # Jang 2021, Figure 3: the learning curve index
#
# The paper {cite}`jang2021` wants a number that is high for a training that gets better steadily and ends high. It takes the
# score on the test set after each epoch and divides the mean size of its rises by the mean size of its falls; the best
# score is a factor, so that a curve which is steady but low does not win:
#
# $$\mathrm{LCI} = \frac{\overline{\text{rises}}}{\overline{\text{falls}} + \varepsilon} \times \text{best F1}$$
#
# The figure shows the same idea on curves of our own making. They are no results. What the index says of the runs stands first.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.analysis import cells
from ecgtl.config import SectionConfig
from ecgtl.report import figures, in_short, tables
from ecgtl.report.jang import figure3, shared

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]
tiers = {name: cells.shown_tier(name, config.tier, pending=True) for name in (shared.PTBXL,)}
in_short.of_gains({cells.current(name, tier): tier for name, tier in tiers.items()}, shared.INDEX, "table3", ("J4",), "table3.html#conclusions")

# %% tags=["remove-input"]
figures.use_style()
examples = figure3.examples_figure()
figures.shown(examples, "Synthetic learning curves, F1 against epoch. A: the rises and falls of one curve with their sizes. B: four curves, with their index in the legend.",
              figure3.examples_said())

# %% [markdown]
# ## Step by step
#
# “Steady” and “low” take the same steps, so their ratios are equal, and the best score alone tells them apart. “Swinging”
# and “steady” start and end alike; large falls cost the first one most of its index. “Dropping” falls only twice, but deep.

# %% tags=["remove-input"]
tables.html(figure3.examples_table(), "The index of the four curves, computed")

# %% [markdown]
# ## Which means
#
# The paper does not say over what its means run. Here they are conditional: over the epochs that rise, and over the epochs that
# fall. The other reading, means over all epochs, makes the ratio one of sums (the last column above). But what rises less than
# it falls ends below its start:
#
# $$\sum \text{rises} - \sum \text{falls} = \text{last} - \text{first}$$
#
# With sums, an index below the best score says that a training ended below its first epoch. The paper prints such indices for
# random weights with 25 % of the data. Conditional means ask for nothing so odd, so they are taken here; it remains an inference.

# %% tags=["remove-input"]
tables.html(figure3.trials_below_best(), "Printed trials whose index lies below their best F1, so whose mean rise is smaller than their mean fall")

# %% [markdown]
# ## What it rewards
#
# The two readings differ by the ratio of the *numbers* of falls and rises, $n_f / n_r$:
#
# $$\frac{\overline{\text{rises}}}{\overline{\text{falls}}} = \frac{n_f}{n_r} \times
# \frac{\sum \text{rises}}{\sum \text{falls}}$$
#
# On a long plateau the sums are nearly equal, and the index nears the number of falls over the number of rises, times the best
# score: it then counts little else. The paper reads an index below 1 as sudden drops being more frequent; by this
# equation a curve that ends above its start, with a ratio below 1, has fewer falls than rises, and deeper ones.
#
# ## Limits
#
# The paper adds a small ε against division by zero and does not say how small. A curve without any fall then has an index of the
# order of 1 / ε, which says nothing but that it never fell: no mean over trials should hold one. Epochs that do not change the
# score count neither as rise nor as fall. ε is here:

# %% tags=["remove-input"]
print(figure3.epsilon())

# %% tags=["remove-input"]
tables.html(figure3.limits_table(), "The index at its limits")

# %% [markdown]
# The function is `ecgtl.metrics.learning_curve_index`; the indices of the runs stand on the page of [Table 3](table3), their curves
# on that of [Figure 5](figure5).

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("curves:", len(figure3.EXAMPLES), "digest of the plotted data:", figures.digest(examples))
