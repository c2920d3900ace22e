"""Every test has a cache and a results folder of its own; real recordings are used where they are available here."""

import os
import signal
from pathlib import Path

import matplotlib
import pytest
import torch
from stored_runs import run_of, write_run

# A shell starts its background jobs with Ctrl-C ignored, and their children inherit that: the tests of Ctrl-C need it
# back
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Files whose tests train networks: what they assert must hold whatever the processor's rounding
TESTS = Path(__file__).parent
TRAINING = {f"{folder}/test_{name}.py" for folder, names in {
    "jobs": "finetune pretrain pretrain_frames pretrain_shards transfer", "models": "cae melep_models models",
    "report/jang": "figure4",
    "training": "classification distributed future loop"}.items() for name in names.split()}


def _style():
    return {name: value for name, value in dict.items(matplotlib.rcParams) if name != "backend"}


matplotlib.rcdefaults()
PLAIN = _style()
SLOW = {line for line in (TESTS / "slow.txt").read_text().splitlines() if line[:1] != "#"}


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than 5 s; slow.txt lists them")
    config.addinivalue_line("markers",
                            "needs(*folders): folders below ECGTL_DATA that the test's real recordings lie in")
    config.addinivalue_line("markers", "site: looks at the built site in a browser; 'make site-check' runs these")
    config.addinivalue_line("markers", "cluster: starts a SLURM; 'make cluster' runs these")
    config.addinivalue_line("markers", "training: trains networks; 'make training' runs these with the instructions of "
                            "an older processor")


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.relative_to(TESTS).as_posix() in TRAINING:
            item.add_marker(pytest.mark.training)
        if item.nodeid.removeprefix("tests/").partition("[")[0] in SLOW:
            item.add_marker(pytest.mark.slow)


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
def own_results(_own_folders, tmp_path, monkeypatch):
    """An empty results folder of the test's own, for modules whose tests write results."""
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "results"))
    return tmp_path / "results"


@pytest.fixture(autouse=True)
def _plain_style():
    """A page's figure style (``figures.use_style``) ends with its test: what is drawn must not depend on the order."""
    if _style() != PLAIN:
        matplotlib.rcdefaults()


@pytest.fixture
def real_data(request):
    """Root of the real recordings; the test is skipped where ``ECGTL_DATA`` is not set or lacks what it ``needs``."""
    root = os.environ.get("ECGTL_DATA")
    if not root:
        pytest.skip("ECGTL_DATA is not set: no real recordings available here")
    marker = request.node.get_closest_marker("needs")
    absent = [name for name in (marker.args if marker else ()) if not (Path(root) / name).exists()]
    if absent:
        pytest.skip(f"ECGTL_DATA lacks {', '.join(absent)}")
    return Path(root)


@pytest.fixture
def one_thread():
    """PyTorch has one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def random_row(own_results):
    """Five runs of the random row of Weimann's Table 2 at 25 and 75 %, with known means."""
    for size, first in ((25, 0.65), (75, 0.72)):
        for number in range(5):
            write_run(run_of("weimann2021-table2", "random", size, number), first + 0.005 * number)
