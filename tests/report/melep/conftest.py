"""What has been run is what a test stores; small releases of the data sets."""

import pytest
from releases import write_releases

from ecgtl.measurements import melep_datasets


@pytest.fixture(autouse=True)
def _stored(own_results):
    pass


@pytest.fixture
def root(tmp_path):
    return write_releases(tmp_path / "data")


@pytest.fixture
def counted(root):
    return melep_datasets.measure(root)
