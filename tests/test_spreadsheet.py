"""CSV files for readers: what a spreadsheet would execute is text in it, and numbers stay numbers."""

import io
import json
import sys

import numpy as np
import pandas as pd
import pytest
from messages import one_line

from ecgtl.errors import EcgtlError
from ecgtl.jobs.features import Features
from ecgtl.report import tables
from ecgtl.spreadsheet import as_csv, check_out, write_table

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
    assert as_csv(pd.DataFrame([["é"]], columns=pd.Index(["\ud800"], dtype=object))) == "\\ud800\né\n".encode()


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
    write_table(table, tmp_path / "predictions.csv")
    features.to_csv(tmp_path / "features.csv")
    for path in (tmp_path / "predictions.csv", tmp_path / "features.csv", tables.write_csv(table, "download")):
        assert pd.read_csv(path, dtype=str)["record"].tolist() == ["'=1+1"]


# --- tables by suffix -----------------------------------------------------------------------------------------------

TABLE = pd.DataFrame({"record": pd.Series(["=1+1", "\ud800é", "b"], dtype=object), "n": [1, -2, 3],
                      "sure": [True, False, True], "p": np.array([0.1234567, np.nan, 1.0], np.float32),
                      "q": [np.inf, 1e-7, -250.0], "mixed": [None, "x", 2.5]})


@pytest.mark.parametrize("name", ["t.csv", "T.CSV"])
def test_csv_keeps_its_guard(tmp_path, name):
    write_table(TABLE, str(tmp_path / name))
    assert (tmp_path / name).read_bytes() == as_csv(TABLE, "%.5f")
    assert (tmp_path / name).read_text().splitlines()[1] == "'=1+1,1,True,0.12346,inf,"


def test_lines_of_json_hold_numbers_as_numbers(tmp_path):
    write_table(TABLE, str(tmp_path / "t.jsonl"))
    assert [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()] == [
        {"record": "=1+1", "n": 1, "sure": True, "p": 0.12346, "q": None, "mixed": None},
        {"record": "\ud800é", "n": -2, "sure": False, "p": None, "q": 0.0, "mixed": "x"},
        {"record": "b", "n": 3, "sure": True, "p": 1.0, "q": -250.0, "mixed": 2.5}]
    write_table(TABLE, str(tmp_path / "t.jsonl"), decimals=None)
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert np.float32(rows[0]["p"]) == TABLE["p"][0] and rows[1]["q"] == 1e-7
    write_table(TABLE.iloc[:0], str(tmp_path / "t.jsonl"))
    assert (tmp_path / "t.jsonl").read_bytes() == b""


def test_parquet_keeps_every_bit(tmp_path):
    pytest.importorskip("pyarrow")
    table = TABLE.drop(columns="mixed").iloc[[0, 2]]
    write_table(table, str(tmp_path / "t.parquet"))
    read = pd.read_parquet(tmp_path / "t.parquet")
    assert read.columns.tolist() == table.columns.tolist()
    assert read["record"].tolist() == ["=1+1", "b"] and read["q"].tolist() == [np.inf, -250.0]
    np.testing.assert_array_equal(read["p"].to_numpy(np.float32), table["p"].to_numpy())
    for odd in (TABLE[["record"]], TABLE[["mixed"]]):  # half a character, several kinds
        with pytest.raises(EcgtlError) as error:
            write_table(odd, str(tmp_path / "odd.parquet"))
        one_line(error, "Parquet", ".jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]


def test_parquet_without_its_library_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(EcgtlError) as error:
        check_out(str(tmp_path / "t.parquet"))
    one_line(error, "pyarrow", "pip install 'ecgtl[parquet]'")


@pytest.mark.parametrize("name", ["t", "t.tsv", ".csv", "t.csv.gz", "csv"])
def test_another_suffix_is_refused_by_the_three(tmp_path, name):
    for refuse in (check_out, lambda out: write_table(TABLE, out)):
        with pytest.raises(EcgtlError) as error:
            refuse(str(tmp_path / name))
        one_line(error, ".csv", ".jsonl", ".parquet")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", "none/t.csv", "folder.csv", "link.jsonl"])
def test_what_cannot_be_a_file_is_refused_before_any_work(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "x.jsonl")
    with pytest.raises(EcgtlError, match="cannot be written"):
        check_out(name)


def test_a_dash_prints_csv(capsysbinary):
    check_out("-")
    print("before")
    write_table(TABLE, "-")
    assert capsysbinary.readouterr().out == b"before\n" + as_csv(TABLE, "%.5f")
