"""What the notebook of a fine-tuning shows of its result."""

import dataclasses

import numpy as np
import pytest
from scipy import stats
from stored_runs import PROVENANCE, planned

from ecgtl import results
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
