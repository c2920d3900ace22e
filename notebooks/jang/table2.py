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
# # Jang 2021, Table 2: does an autoencoder help when data are scarce?
#
# Jang, Kim and Yoon {cite}`jang2021` pretrain an autoencoder on unlabelled recordings of an intensive care unit and let its
# encoder start a classifier of rhythms. They compare it with random weights and with a linear layer on ImageNet features
# of spectrograms, at three sizes of the training set, and report the best weighted F1 on the test set over the epochs,
# as mean and standard deviation of {pub}`jang2021.table2.runs` trials.
#
# Their recordings are private (upstream) or not available here (Shaoxing, target). Here the autoencoder has seen windows of
# CinC 2017, MIT-BIH and one patient of Icentia11k, or by the later protocol of the MIT-BIH and QT databases alone; the target is
# PTB-XL's lead II with five rhythms, of which sinus rhythm is capped; [CinC 2017](jang-table2-cinc2017) is a second one. So the paper's numbers stand beside ours as
# context, and no difference is taken: what can be judged is whether the *statements* hold on other recordings.

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.analysis import cells
from ecgtl.config import SectionConfig
from ecgtl.report import figures, findings, gains, in_short, provenance, tables
from ecgtl.report.jang import shared, table2

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]

figures.use_style()
shown = cells.shown_tier(shared.PTBXL, config.tier, pending=True)
EXPERIMENT = cells.current(shared.PTBXL, shown)
trials, curves = shared.trials(EXPERIMENT, shown), shared.curves(EXPERIMENT, shown)
in_short.of_gains({EXPERIMENT: shown})

# %% [markdown]
# ## Comparison with the paper
#
# Sizes are shares of the training set, drawn with replacement and anew in each trial; the three arms of a trial share
# their draw. As in the paper, the epoch is the best one on the *test* set, which is optimistic. A cell of fewer than
# three trials has no interval; PENDING means that there is none yet.

# %% tags=["remove-input"]
comparison = table2.comparison(EXPERIMENT, shown)
tables.write_csv(comparison, "jang2021-table2")
tables.write_csv(cells.runs_table(EXPERIMENT, shown), "jang2021-table2-runs")
tables.html(table2.compared(comparison), "Weighted F1 on the test set: the paper on Shaoxing (mean ± SD), here on PTB-XL, lead II [95 % interval]")

# %% [markdown]
# Download {download}`the table </downloads/jang2021-table2.csv>`,
# {download}`every run behind it </downloads/jang2021-table2-runs.csv>` and
# {download}`this notebook, executed </notebooks/jang/table2.ipynb>`.

# %% tags=["remove-input"]
found = gains.over_random(EXPERIMENT, shown)
drawn = gains.figure(found, "weighted F1 minus that of random weights, test set")
figures.shown(drawn, "Each arm minus random weights at the same share of the training set, with 95 % intervals: the paper's trials on Shaoxing above, ours on PTB-XL lead II below.",
              gains.said(found))

# %% [markdown]
# Networks beside gradient boosting on RR intervals, which looks at the times of the beats alone, and the majority class; networks
# are counted by their means.

# %% tags=["remove-input"]
tables.beside_baselines(comparison)

# %% [markdown]
# ### Macro beside weighted F1
#
# Half of these recordings are sinus rhythm, and the weighted F1 counts them so. The macro F1 counts the five rhythms
# alike. Both are of the same epoch.

# %% tags=["remove-input"]
tables.html(table2.both_scores(EXPERIMENT, shown), "Weighted and macro F1 on the test set, mean [95 % interval]")

# %% [markdown]
# ## Trial by trial
#
# The paper prints every trial, and its last row gives one p-value for each size. Ours follow in the same form.

# %% tags=["remove-input"]
tables.html(shared.paper_trials("table2"), "The paper's trials: best weighted F1 on the test set of Shaoxing")

# %% tags=["remove-input"]
tables.html(shared.our_trials(trials, EXPERIMENT, shown), "Our trials: the same on PTB-XL, lead II")

# %% [markdown]
# ## Sensitivity to the choice of epoch
#
# The paper takes the epoch with the best *test* score, which nobody has before the test. The last epoch and the one that is
# best on a validation set cost nothing. The last column is what the published way adds, trial by trial.

# %% tags=["remove-input"]
tables.html(table2.choices(trials, EXPERIMENT), "Weighted F1 by the way of choosing the epoch, mean [95 % interval]")

# %% [markdown]
# ## Is the difference between arms more than chance?
#
# Welch's test takes the trials of two arms as unrelated; that is the paper's test. The paired test takes the differences
# between trials of one number. Ours share their draw; whether the paper's do is not said there. Its
# text applies the printed p-value to the autoencoder against each other arm.

# %% tags=["remove-input"]
tables.html(shared.differences(trials, EXPERIMENT), "Differences in weighted F1 with 95 % interval and p-value")

# %% [markdown]
# ## Few data, or few steps?
#
# A quarter of the data also means a quarter of the steps of the optimiser, because the number of epochs is fixed. So
# random weights are trained once more on the same quarter, for four times the epochs. The paper's steps are computed from
# its {pub}`jang2021.scalars.shaoxing_records` recordings and {pub}`jang2021.scalars.epochs` epochs; the batch size is ours,
# because the paper names none.

# %% tags=["remove-input"]
tables.html(table2.steps_table(trials, shown), "Random weights: steps of the optimiser and weighted F1 on the test set")

# %% tags=["remove-input"]
table2.steps_verdict(trials, shown)

# %% tags=["remove-input"]
by_step = table2.step_curves(curves)
figures.shown(by_step, "Best weighted F1 on the test set so far by step of the optimiser: median over trials, and their range as a band.",
              table2.steps_said(curves))

# %% [markdown]
# ## Conclusions

# %% tags=["remove-input"]
tables.html(findings.findings("jang2021", EXPERIMENT, shown), "Statements and what the runs say")

# %% [markdown]
# (jang-table2-cinc2017)=
# ## The same on CinC 2017
#
# Single-lead recordings of a handheld device, four classes, nearest to the paper's data set in size. The autoencoder has seen
# other recordings of this database, without their labels; none of the test set.

# %% tags=["remove-input"]
SECOND = shared.CINC2017
shown_second = cells.shown_tier(SECOND, config.tier, pending=True)
trials_second = shared.trials(SECOND, shown_second)
shared.state(SECOND, shown_second)

# %% tags=["remove-input"]
comparison_second = table2.comparison(SECOND, shown_second)
tables.write_csv(comparison_second, "jang2021-table2-cinc2017")
tables.write_csv(cells.runs_table(SECOND, shown_second), "jang2021-table2-cinc2017-runs")
tables.html(table2.compared(comparison_second), "Weighted F1 on the test set: the paper on Shaoxing (mean ± SD), here on CinC 2017 [95 % interval]")

# %% [markdown]
# Download {download}`the table </downloads/jang2021-table2-cinc2017.csv>` and
# {download}`every run behind it </downloads/jang2021-table2-cinc2017-runs.csv>`.

# %% tags=["remove-input"]
found_second = gains.over_random(SECOND, shown_second)
drawn_second = gains.figure(found_second, "weighted F1 minus that of random weights, test set")
figures.shown(drawn_second, "The same on CinC 2017: each arm minus random weights, with 95 % intervals; the paper's trials on Shaoxing above.",
              gains.said(found_second))

# %% tags=["remove-input"]
tables.beside_baselines(comparison_second)

# %% tags=["remove-input"]
tables.html(shared.our_trials(trials_second, SECOND, shown_second), "Our trials: best weighted F1 on the test set of CinC 2017")

# %% tags=["remove-input"]
tables.html(table2.choices(trials_second, SECOND), "CinC 2017: weighted F1 by the way of choosing the epoch, mean [95 % interval]")

# %% tags=["remove-input"]
tables.html(shared.differences(trials_second, SECOND), "CinC 2017: differences in weighted F1 with 95 % interval and p-value")

# %% [markdown]
# ## Width and filter of the autoencoder
#
# The paper names neither the width of its network nor the cutoff of its baseline filter. Four short pretrainings on the same
# windows show what they change. Every window is z-scored, so the error of a network that answers with the mean is the number
# of samples in all rows; but windows without the filter keep their slow drift, which is easy to copy, so rows with and without
# it are of different signals.

# %% tags=["remove-input"]
varied = table2.sensitivity()
table2.sensitivity_table(varied)

# %% tags=["remove-input"]
widths = table2.sensitivity_curves(varied)
figures.shown(widths, "Validation error of the autoencoder by epoch, summed over a window (z-scores squared), one line for each width and filter; dashed without the filter.",
              table2.sensitivity_said(varied))

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
shared.state(EXPERIMENT, shown)

# %% tags=["remove-input"]
tables.html(provenance.made(EXPERIMENT, shown), "PTB-XL: command, commit, seeds, device, time and data")

# %% tags=["remove-input"]
tables.html(provenance.made(SECOND, shown_second), "CinC 2017: command, commit, seeds, device, time and data")

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("runs:", len(trials), len(trials_second), len(varied), "rows:", len(comparison), len(comparison_second))
print("digest of the plotted data:", *(figures.digest(figure) for figure in (drawn, by_step, drawn_second, widths)))
