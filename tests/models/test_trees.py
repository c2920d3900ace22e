"""Boosted trees as arrays: the library's own answers, from a file that holds numbers alone."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from ecgtl.models.trees import Trees


def made(seed, n=500, classes=4):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6))
    x[rng.random(x.shape) < 0.15] = np.nan
    return x, (np.nan_to_num(x[:, 0]) > 0.5) + (np.nan_to_num(x[:, 1]) > 0) * (classes - 2)


@pytest.mark.parametrize("classes", [3, 4, 5])
def test_probabilities_are_those_of_the_library_with_missing_values_too(classes):
    x, y = made(0, classes=classes)
    model = HistGradientBoostingClassifier(max_iter=30, random_state=0).fit(x, y)
    new, _ = made(1, 300)
    new[0] = np.nan
    np.testing.assert_allclose(Trees.of(model).probabilities(new), model.predict_proba(new), atol=1e-6)


def test_they_come_back_from_their_arrays():
    model = Trees.of(HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(*made(0)))
    stored = {name: array.ravel() for name, array in vars(model).items()}
    new, _ = made(2, 50)
    assert (Trees.from_arrays(stored, 6).probabilities(new) == model.probabilities(new)).all()


@pytest.mark.parametrize("damage", [
    lambda a: a.pop("right"), lambda a: a.update(other=a["right"]), lambda a: a["right"].fill(0),
    lambda a: a["right"].fill(30000), lambda a: a["roots"].fill(-1), lambda a: a["roots"].fill(10**6),
    lambda a: a["feature"].fill(6), lambda a: a["feature"].fill(-2), lambda a: a["feature"].fill(0),
    lambda a: a.update(number=a["number"][:-1]), lambda a: a.update(baseline=a["baseline"][:0])])
def test_arrays_that_are_no_trees_are_refused(damage):
    """So that no file makes it go round in circles, or look where there is nothing."""
    model = Trees.of(HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(*made(0)))
    stored = {name: array.ravel().copy() for name, array in vars(model).items()}
    damage(stored)
    with pytest.raises(ValueError, match="arrays|nodes|steps"):
        Trees.from_arrays(stored, 6)
