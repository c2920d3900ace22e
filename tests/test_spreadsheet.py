"""CSV files for readers: what a spreadsheet would execute is text in it, and numbers stay numbers."""

import io

import numpy as np
import pandas as pd
import pytest

from ecgtl.jobs import predict
from ecgtl.jobs.features import Features
from ecgtl.report import tables
from ecgtl.spreadsheet import as_csv

FORMULAS = ["=HYPERLINK(\"http://x\")", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "=1", "--1"]


@pytest.mark.parametrize("name", FORMULAS)
def test_names_that_are_formulas_become_text(name):
    table = pd.DataFrame({"record": [name, "a"], name: ["x", name]})
    read = pd.read_csv(io.BytesIO(as_csv(table)), dtype=str)
    assert read.columns.tolist() == ["record", f"'{name}"]
    assert read.values.tolist() == [[f"'{name}", "x"], ["a", f"'{name}"]]


def test_a_carriage_return_begins_no_row():
    assert as_csv(pd.DataFrame({"record": ["a\r=1+1", "\r=1"]})) == b"record\na =1+1\n =1\n"


def test_half_a_character_is_written_as_its_number():
    assert as_csv(pd.DataFrame({"\ud800": ["é"]})) == "\\ud800\né\n".encode()


def test_numbers_and_plain_names_stay():
    table = pd.DataFrame({"record": ["a-b", "x=y", "", "-1.5", "+2e-3", "−3", "é"],
                          "value": [-1.5, 2, np.nan, 1e-9, -0.0, 3, 4],
                          "n": [-1, 0, 1, 2, 3, 4, 5], "none": [None, "a", None, -1, True, 2.5, "b"]})
    assert as_csv(table, "%.3g").decode() == table.to_csv(index=False, float_format="%.3g")
    empty = table.iloc[:0]
    assert as_csv(empty).decode() == empty.to_csv(index=False)


def test_every_csv_of_this_package_is_written_so(tmp_path, monkeypatch):
    table = pd.DataFrame({"record": ["=1+1"], "predicted": ["@x;y"]})
    features = Features(np.array(["=1+1"]), np.array([0.0]), np.ones((1, 2), np.float32), {})
    monkeypatch.setattr(tables.paths, "repository", lambda: tmp_path)
    predict.write(table, tmp_path / "predictions.csv")
    features.to_csv(tmp_path / "features.csv")
    for path in (tmp_path / "predictions.csv", tmp_path / "features.csv", tables.write_csv(table, "download")):
        assert pd.read_csv(path, dtype=str)["record"].tolist() == ["'=1+1"]
