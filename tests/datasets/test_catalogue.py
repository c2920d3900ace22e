"""The catalogue of databases, and how it is listed."""

import contextlib
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ecgtl import datasets
from ecgtl.commands import data as data_commands
from ecgtl.datasets import catalogue, synthetic
from ecgtl.errors import EcgtlError

NAMES = ["cinc2017", "mitdb", "qtdb", "icentia11k", "ptbxl", "cpsc2018", "georgia", "csn", "shaoxing", "icu_monitor",
         "bvlc_googlenet"]


def listed(**options) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert data_commands.list_datasets(**options) == 0
    return out.getvalue()


def table(text: str) -> dict[str, str]:
    """Rows of the table by name, below its rule."""
    body = text.split("---\n", 1)[1].split("\n\n", 1)[0]
    return {row.split()[0]: row for row in body.splitlines()}


def test_every_database_of_the_project_is_there():
    assert list(catalogue.entries()) == NAMES
    assert {name for name in datasets.LOADERS if name != "folder"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_facts_are_complete_and_well_formed(name):
    entry = catalogue.entry(name)
    assert entry.kind in ("recordings", "weights")
    assert entry.page.startswith("https://")
    assert re.fullmatch(r"10\.\d{4,5}/\S+", entry.doi)
    assert entry.data_doi is None or re.fullmatch(r"10\.\d{4,5}/\S+", entry.data_doi)
    assert bool(entry.files) != bool(entry.by_hand)
    assert entry.download_gb > 0 and entry.unpacked_gb > 0
    assert all(hasattr(entry, field) for field in entry.approximate)
    assert not entry.folder.startswith("/") and ".." not in entry.folder
    if entry.kind == "recordings":
        assert entry.records > 0 and entry.sampling_rate in (250, 300, 360, 500) and entry.leads in (1, 2, 12)
        assert entry.records in [form["count"] for form in entry.whole]
    if entry.files:
        assert entry.folder.endswith(f"/{entry.version}")
        assert entry.address == f"https://physionet.org/files/{entry.folder}/"


def test_a_twin_is_described_where_there_is_one():
    described = {name for name, entry in catalogue.entries().items() if entry.twin}
    assert described == set(synthetic.TWINS) - {"folder"}
    for name in described:
        assert catalogue.entry(name).twin.startswith(f"{len(synthetic.TWINS[name].plan(synthetic.SEED))} "), name


def test_an_unknown_name_lists_the_allowed_ones():
    with pytest.raises(EcgtlError, match="'mitbih'; allowed: cinc2017, mitdb, "):
        catalogue.entry("mitbih")


@pytest.mark.parametrize(("gigabytes", "approximate", "text"), [
    (1100, ["download_gb"], "~1.1 TB"), (2.6, ["records"], "2.6 GB"), (1, [], "1 GB"), (0.095, [], "95 MB"),
    (0.0535, [], "53.5 MB"),
])
def test_sizes_in_words(gigabytes, approximate, text):
    entry = replace(catalogue.entry("mitdb"), download_gb=gigabytes, approximate=approximate)
    assert entry.size() == text


def test_at_hand_counts_files(tmp_path):
    entry = catalogue.entry("mitdb")
    assert catalogue.available(entry, tmp_path).state == "no"
    folder = tmp_path / "mitdb" / "1.0.0"
    folder.mkdir(parents=True)
    (folder / "100.dat").touch()
    (folder / "x_108.dat").touch()  # not one of the 48
    partial = catalogue.available(entry, tmp_path)
    assert (partial.state, partial.found, partial.expected, partial.path) == ("partial", 1, 48, folder)
    for k in range(101, 148):
        (folder / f"{k}.dat").touch()
    assert catalogue.available(entry, tmp_path).state == "whole"


def test_either_form_of_cinc2017_is_whole(tmp_path):
    entry = catalogue.entry("cinc2017")
    folder = tmp_path / "challenge-2017" / "1.0.0"
    (folder / "training2017").mkdir(parents=True)
    (folder / "training2017" / "A00001.mat").touch()
    assert str(catalogue.available(entry, tmp_path)) == "1/8,528"
    (folder / "training2017.zip").touch()
    assert catalogue.available(entry, tmp_path).state == "whole"


def test_the_list_shows_everything_that_is_asked_for(tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "bvlc_googlenet.safetensors").touch()
    text = listed(root=tmp_path)
    rows = table(text)
    assert list(rows) == NAMES
    assert rows["mitdb"].split()[-3:] == ["no", "yes", "yes"]  # available here, loader, twin
    assert " whole " in rows["bvlc_googlenet"]
    for name, entry in catalogue.entries().items():
        assert entry.version in rows[name] and entry.licence in rows[name] and entry.size() in rows[name]
        assert entry.doi in text and entry.address in text
    assert str(tmp_path) in text


@pytest.mark.parametrize("name", [None, *NAMES])
def test_the_list_fits_the_page(monkeypatch, name):
    almost = catalogue.Available(Path("data"), "*", 541_793, 541_794)  # the widest that its column can get
    monkeypatch.setattr(catalogue, "available", lambda entry, root: almost)
    assert max(map(len, listed(root="data", name=name).splitlines())) <= 110


def test_details_of_one(tmp_path):
    text = listed(root=tmp_path, name="ptbxl")
    assert "21,799, 500 Hz, 12 leads" in text and "records500/*" in text and "10.13026/kfzx-aw45" in text
    assert "mitdb" not in text


def test_json(tmp_path):
    facts = json.loads(listed(root=tmp_path, as_json=True))
    assert [fact["name"] for fact in facts] == NAMES
    assert facts[1]["at_hand"] == {"path": str(tmp_path / "mitdb/1.0.0"), "pattern": "[12][0-9][0-9].dat",
                                   "found": 0, "expected": 48, "state": "no"}
    assert facts[1]["loader"] is True


def test_listing_needs_no_library_of_the_network():
    code = ("import sys; from ecgtl.commands import data; data.list_datasets();"
            "print(sorted({'requests', 'tqdm', 'wfdb', 'torch'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
