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
# # MELEP 2023, Figure 5: F1 by level of MELEP on PTB-XL
#
# On tasks out of PTB-XL, of {pub}`melep2023.scalars.ptbxl_labels_per_fold.printed` superclasses, the paper {cite}`melep2023` finds a
# weaker relation, shown as a picture without numbers, and says at which level each checkpoint leaves the trend.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.config import SectionConfig
from ecgtl.report import figures, tables
from ecgtl.report.melep import f1_levels, table2, transfer_folds

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
folds, levels = f1_levels.levels("figure5", config.tier)
table2.answer(table2.pairs([folds])[0], {folds.experiment: folds.tier}, "table2.html#conclusions")

# %% [markdown]
# The paper draws {pub}`melep2023.scalars.distance_levels` levels of distance and does not publish their cut points. Here they
# are the quartiles of MELEP over the folds, so that every level has about as many, and beside them parts of equal width. Bars are
# 95 % intervals over label sets; a level of few label sets has none. MELEP has the weights of the text, F1 the published choice
# of the epoch.

# %% tags=["remove-input"]
drawn = f1_levels.level_figure(folds, levels)
figures.shown(drawn, "Mean weighted F1 with its 95 % interval in four levels of MELEP, near to far; below each level its limits and, in brackets, its number of folds.",
              f1_levels.levels_said(levels), folds.waiting)

# %% tags=["remove-input"]
tables.html(f1_levels.level_table(levels, "quartiles"), "Levels cut at the quartiles")

# %% tags=["remove-input"]
tables.html(f1_levels.level_table(levels, "widths"), "Levels of equal width")

# %% [markdown]
# ## Where is the trend disrupted?
#
# The paper names level {pub}`melep2023.scalars.disrupted_level_resnet1d101_cpsc2018` for ResNet1d101 from CPSC 2018 and level
# {pub}`melep2023.scalars.disrupted_level_others` for the other checkpoints. On a substitute there is nothing to compare with.
#
# A level counts as disrupted when its mean F1 lies above that of the level before it, however little; the figure says how sure
# that is. It is looked for with other cut points, another choice of the epoch and other weights too.

# %% tags=["remove-input"]
tables.html(f1_levels.disruption_table(folds), "Levels at which F1 rises with MELEP, and by how much")

# %% [markdown]
# ## Pending runs

# %% tags=["remove-input"]
transfer_folds.state(folds)

# %% tags=["remove-input"]
tables.html(transfer_folds.pending([folds]), "Folds that are missing, why, and the command that makes them")

# %% [markdown]
# Download {download}`every level </downloads/melep2023-figure5.csv>` and
# {download}`this notebook, executed </notebooks/melep/figure5.ipynb>`. The folds behind it can be downloaded with
# [Table 2](table2).
#
# ## Provenance

# %% tags=["remove-input"]
tables.html(transfer_folds.made(folds), "PTB-XL: command, commit, device, time, data and checkpoints")

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("folds:", len(folds.rows), "levels:", len(levels), "digest of the plotted data:", figures.digest(drawn))
