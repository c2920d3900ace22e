"""Every test has a cache and a results folder of its own; real recordings are used where they are at hand."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory):
    """One cache for the whole run: the twins are made once."""
    given = os.environ.get("ECGTL_TEST_CACHE")
    return Path(given) if given else tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_folders(session_cache, monkeypatch):
    monkeypatch.setenv("ECGTL_CACHE", str(session_cache))
    monkeypatch.delenv("ECGTL_RESULTS", raising=False)
    monkeypatch.delenv("ECGTL_DEVICE", raising=False)


@pytest.fixture
def real_data():
    """Root of the real recordings; the test is skipped where ``ECGTL_DATA`` is not set."""
    root = os.environ.get("ECGTL_DATA")
    if not root:
        pytest.skip("ECGTL_DATA is not set: no real recordings at hand")
    return Path(root)
