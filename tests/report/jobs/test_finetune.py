"""What the notebook of a fine-tuning shows of its result."""

import dataclasses

import numpy as np
import pytest
from scipy import stats
from stored_runs import PROVENANCE, planned, write_run

from ecgtl import experiments, results
from ecgtl.report.jobs import finetune
from ecgtl.results import Result

pytestmark = pytest.mark.usefixtures("own_results")


def test_a_class_may_be_called_all():
    counts = {"train": {"all": 3, "none": 4}, "test": {"all": 1, "none": 2}}
    table = finetune.split_table(Result("x", "x", {}, {}, {}, [], {"split": counts}, {}, {}))
    assert table.values.tolist() == [[3, 1], [4, 2], [7, 3]] and table.index.tolist() == ["all", "none", "all"]


@pytest.mark.parametrize("altered", [False, True])
def test_scores_of_several_labels_are_computed_again(altered):
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, (60, 3)).astype(np.uint8), rng.random((60, 3)).astype(np.float16)
    y[:, 2] = 0
    areas = [stats.mannwhitneyu(p[y[:, k] == 1, k].astype(float), p[y[:, k] == 0, k].astype(float)).statistic
             / (y[:, k].sum() * (60 - y[:, k].sum())) for k in (0, 1)]
    scored = {"macro_auc": float(np.mean(areas)) + 0.01 * altered}
    run = planned("weimann2021-table5-ptbxl")[0]
    path = results.save(Result(run.home, run.key, dataclasses.asdict(run.config), {},
                               scored | {"validated": scored}, [], {},
                               {"y_test": y, "prob_validated": p}, PROVENANCE))
    assert finetune.recomputed(path).endswith("DIFFERENT" if altered else "equal")


def several_labels():
    """A result of three recordings and two labels."""
    y = np.array([[1, 0], [1, 1], [0, 1]], np.uint8)
    probabilities = np.array([[0.9, 0.6], [0.4, 0.5], [0.2, 0.7]], np.float16)
    scores = {"macro_auc": 0.9, "f_max": 0.8, "weighted_f1": 0.7, "f_beta": 0.6, "g_beta": 0.5,
              "auc_per_class": {"a": 1.0, "b": None}}
    return Result("finetune", "k", {"protocol": "weimann2021", "init": "random"}, {}, scores, [],
                  {"classes": ["a", "b"]}, {"y_test": y, "prob_validated": probabilities}, {})


def test_what_is_predicted_of_recordings_with_several_labels():
    counts = finetune.confusion_of(several_labels())
    # recording 0 (label a) is called a and b, 1 (a and b) is called b, 2 (b) is called b; so b is never called a
    assert counts.tolist() == [[1, 2, 2], [0, 2, 2]]


def test_scores_of_recordings_with_several_labels():
    result = several_labels()
    assert finetune.followed(result) == ("macro_auc", "macro AUC")
    worse = dataclasses.replace(result, scores={"macro_auc": 0.8})  # no others: a baseline has no curve, say
    said = finetune.verdict_on_baselines(result, {"majority": worse}).data
    assert "beats" in said and "macro AUC .900 against .800" in said
    shown = finetune.scores_table(result, {"majority": worse}).data
    for words in ("Macro AUC", "Fmax", "Fβ", "Gβ", "AUC a", "AUC b"):
        assert f'<th scope="col">{words}</th>' in shown
    assert "Macro F1" not in shown and ">nan<" not in shown


def test_the_followed_score_is_the_protocols_own(random_row):
    run = experiments.enumerate_runs("weimann2021-table2", "reduced")[0]
    write_run(run, 0.5)
    one = results.load(run.path)
    assert finetune.followed(one) == ("macro_f1", "macro F1")
    assert finetune.followed(dataclasses.replace(one, config=one.config | {"protocol": "jang2021"}))[0] == "weighted_f1"
