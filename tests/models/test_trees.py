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
    assert (Trees.from_arrays(stored).probabilities(new) == model.probabilities(new)).all()
    with pytest.raises(KeyError):
        Trees.from_arrays({name: array for name, array in stored.items() if name != "right"})
