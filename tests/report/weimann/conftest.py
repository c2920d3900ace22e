"""What has been run is what a test stores."""

import pytest


@pytest.fixture(autouse=True)
def _stored(own_results):
    pass
