"""Commands about the papers' results where there is no checkout, and with a package that is absent: one line."""

import sys

import pytest

from ecgtl import paths, results
from ecgtl.__main__ import main


@pytest.fixture
def no_checkout(tmp_path, monkeypatch):
    """As if the package lay in site-packages, and the command were called in an empty folder."""
    monkeypatch.setattr(paths, "PACKAGE", tmp_path / "site-packages" / "ecgtl")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("words", "named"), [
    (["verify"], "ECGTL_RESULTS"), (["verify", "weimann2021.table2.beat.25"], "ECGTL_RESULTS"),
    (["sweep", "weimann2021-table2"], "is no checkout of ecgtl"),
    (["site"], "is no checkout of ecgtl"), (["site", "--stored"], "is no checkout of ecgtl")])
def test_nothing_is_verified_or_built(monkeypatch, tmp_path, capsys, words, named):
    monkeypatch.setattr(paths, "repository", lambda: tmp_path)
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and named in said.err
    assert list(tmp_path.iterdir()) == []


def test_the_commit_is_that_of_the_package_s_own_checkout(no_checkout, tmp_path):
    assert results.git("rev-parse", "HEAD") == "unknown"
    (tmp_path / "site-packages").mkdir()
    assert results.git("rev-parse", "HEAD") == "unknown", "whatever checkout lies around it"


def test_a_package_that_is_absent_is_named_with_the_remedy(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "openpyxl.none", None)
    monkeypatch.setattr("ecgtl.__main__.resolved", lambda name: __import__("importlib").import_module("openpyxl.none"))
    assert main(["status"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "this needs openpyxl" in said and "pip install 'ecgtl[" in said


def test_a_module_of_ecgtl_s_own_that_is_absent_is_no_user_s_mistake(monkeypatch):
    monkeypatch.setattr("ecgtl.__main__.resolved", lambda name: __import__("importlib").import_module("ecgtl.none"))
    with pytest.raises(ModuleNotFoundError, match=r"ecgtl\.none"):
        main(["status"])
