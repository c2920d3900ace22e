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
# # MELEP 2023, Table 1: the four data sets
#
# Nguyen, Duong and Do {cite}`melep2023` train on three public data sets and transfer to two. Their Table 1
# gives the size of each. Here every printed number stands beside two others: what the release's own lists
# say, and what is found in the recordings available here, which are a part of each release.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.config import SectionConfig
from ecgtl.measurements import melep_datasets
from ecgtl.report import figures, tables
from ecgtl.report.melep import label_shares, table1

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
counted = melep_datasets.load(config.tier)
comparison = table1.comparison(counted)
table1.answer(counted, comparison)

# %% [markdown]
# ## What is available here
#
# Recordings are refused and counted as the loaders do it: for a damaged header, an absent signal, no diagnosis
# or one outside the map of codes.

# %% tags=["remove-input"]
tables.html(table1.at_hand(counted), "The releases, and what of them was counted")

# %% [markdown]
# ## Comparison of the paper with the releases
#
# The release's number of recordings and its rate stand in the package's list of data sets; its labels are the
# codes that the official tables of the Challenge 2021 count in it, and for PTB-XL the diagnostic statements
# that it lists. A dash: no list says it. What is available here can contradict a printed range, but not prove it.

# %% tags=["remove-input"]
tables.write_csv(comparison, "melep2023-table1")
tables.html(table1.readable(comparison), "Table 1: printed, released and available here")

# %% tags=["remove-input"]
table1.verdict(comparison)

# %% [markdown]
# The paper leaves out recordings below {pub}`melep2023.scalars.duration` s, and so do the experiments here.
#
# ## Misprints
#
# {pub}`melep2023.table1.notes`

# %% tags=["remove-input"]
tables.html(table1.misprints(counted), "Where the table, the text and the releases disagree")

# %% [markdown]
# ## The labels that are used
#
# The share of recordings that carry each label, in the release by its official table of codes, and available here
# with Wilson's interval. Where the two differ by more than the interval, the part available here is no random one.

# %% tags=["remove-input"]
shares = label_shares.shares_figure(counted)
figures.shown(shares, "Share of recordings with each label: in the release, and among the recordings available here with its 95 % interval.",
              label_shares.shares_said(counted))

# %% tags=["remove-input"]
labels = {name: label_shares.labels(name, counted) for name in melep_datasets.HEADERS}
tables.html(label_shares.readable_labels(labels["cpsc2018"]), "CPSC 2018: its nine classes")

# %% tags=["remove-input"]
tables.html(label_shares.readable_labels(labels["ptbxl"]), "PTB-XL: the five superclasses of its diagnostic statements")

# %% tags=["remove-input"]
tables.html(label_shares.readable_labels(labels["georgia"]), "Georgia: the ten labels that the paper takes")

# %% tags=["remove-input"]
tables.html(label_shares.readable_labels(labels["csn"]), "CSN: the twenty labels that tasks are drawn from")

# %% tags=["remove-input"]
label_shares.choices_verdict()

# %% tags=["remove-input"]
label_shares.hospitals()

# %% [markdown]
# ## The map of codes
#
# One file, `ecgtl/datasets/snomed.yml`, says what each SNOMED CT code means, in how many recordings of each
# release it occurs, and which codes are the paper's labels.

# %% tags=["remove-input"]
codes = label_shares.label_map(counted)
tables.write_csv(codes, "melep2023-table1-codes")
tables.html(label_shares.map_summary(), "Codes by source, as the official tables count them")

# %% [markdown]
# Download {download}`the comparison </downloads/melep2023-table1.csv>`, {download}`every code with its counts
# </downloads/melep2023-table1-codes.csv>` and {download}`this notebook, executed
# </notebooks/melep/table1.ipynb>`.
#
# ## Provenance
#
# `python -m ecgtl measure melep-datasets` counts what lies below `ECGTL_DATA`; only counts are stored. With a whole
# release available here (`python -m ecgtl data list` says how to get one) it counts the whole.

# %% tags=["remove-input"]
table1.source_lines()

# %% tags=["remove-input"]
table1.made_by(counted)

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("rows:", len(comparison), "labels:", sum(map(len, labels.values())), "codes:", len(codes))
print("digest of the figure:", figures.digest(shares))
