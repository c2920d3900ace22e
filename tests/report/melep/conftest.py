"""What has been run is what a test stores; few resamples; small releases of the data sets."""

import functools

import pytest
from releases import write_releases

from ecgtl.analysis import agreement, correlations
from ecgtl.measurements import melep_datasets


@pytest.fixture(autouse=True)
def _stored(own_results, monkeypatch):
    few = functools.partial(correlations.bootstrap, resamples=60)
    for module in (agreement, correlations):
        monkeypatch.setattr(module, "bootstrap", few)


@pytest.fixture
def root(tmp_path):
    return write_releases(tmp_path / "data")


@pytest.fixture
def counted(root):
    return melep_datasets.measure(root)
