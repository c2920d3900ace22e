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
# # Jang 2021, Table 1: the data sets
#
# Jang, Kim and Yoon {cite}`jang2021` describe two data sets: windows from an intensive care unit, which are
# private, and the public recordings of Shaoxing, of which they use {pub}`jang2021.scalars.shaoxing_records`.
# Of the private ones only the printed column can be quoted. For Shaoxing the release holds a table with
# rhythm, age and sex of every recording, and here it is counted again. Nothing stands in for anything on this
# page, so the printed numbers can be met digit for digit.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.config import SectionConfig
from ecgtl.measurements import shaoxing
from ecgtl.report import figures, provenance, tables
from ecgtl.report.jang import table1

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
counted = shaoxing.load(config.tier)
table1.answer(counted)

# %% [markdown]
# ## Comparison of the paper with the released table

# %% tags=["remove-input"]
comparison = table1.comparison(counted)
tables.write_csv(comparison, "jang2021-table1")
tables.html(table1.readable(comparison), "Baseline characteristics, printed and counted in the release")

# %% [markdown]
# ## Conclusions

# %% tags=["remove-input"]
table1.verdict(counted)

# %% [markdown]
# The table names no patients, so that each recording is another patient's is the release's word. The private
# column cannot be checked by anybody outside the hospital.

# %% [markdown]
# ## By rhythm
#
# The paper gives no such table, but it says what a classifier of these rhythms has to work with. The interval
# of the share of men is Wilson's.

# %% tags=["remove-input"]
by_rhythm = table1.by_rhythm(counted)
tables.write_csv(by_rhythm, "jang2021-table1-rhythms")
tables.html(table1.readable_rhythms(by_rhythm), "Shaoxing's recordings by rhythm")

# %% tags=["remove-input"]
table1.rarest(counted)

# %% tags=["remove-input"]
panels = table1.rhythms_figure(counted)
figures.shown(panels, "Age and share of men by rhythm (recordings in brackets), with 95 % intervals; the dotted lines are all recordings together.",
              table1.rhythms_said(counted))

# %% [markdown]
# Download {download}`the comparison </downloads/jang2021-table1.csv>`, {download}`the counts by rhythm
# </downloads/jang2021-table1-rhythms.csv>` and {download}`this notebook, executed
# </notebooks/jang/table1.ipynb>`.

# %% [markdown]
# ## Provenance
#
# Counts and moments are stored, rows of the table are not. With the release available here (`python -m ecgtl data
# fetch shaoxing` says how to get it) `python -m ecgtl measure shaoxing` counts them again.

# %% tags=["remove-input"]
table1.source_line(counted)

# %% tags=["remove-input"]
provenance.made_by(counted)

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("rows:", len(comparison), "rhythms:", len(by_rhythm), "digest of the figure:", figures.digest(panels))
