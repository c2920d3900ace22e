"""Jang's Table 1: counts of the release against hand-made ones, and every printed digit held to them."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from messages import one_line

from ecgtl import published, results
from ecgtl.__main__ import main
from ecgtl.datasets import shaoxing, snomed
from ecgtl.errors import EcgtlError
from ecgtl.measurements import shaoxing as measurements_shaoxing
from ecgtl.report.jang import table1

# FileName, Rhythm, PatientAge, Gender: two rhythms of two, one of one, none of the others
ROWS = [("a", "SB", 60, "MALE"), ("b", "SB", 70, "FEMALE"), ("c", "AFIB", 80, "MALE"),
        ("d", "AFIB", 50, "MALE"), ("e", "SA", 20, "FEMALE")]


@pytest.fixture
def release(tmp_path):
    """A small release's table on the disk."""
    folder = tmp_path / "data" / shaoxing.FIGSHARE
    folder.mkdir(parents=True)
    frame = pd.DataFrame(ROWS, columns=["FileName", "Rhythm", "PatientAge", "Gender"])
    frame.to_excel(folder / shaoxing.TABLE, index=False)
    return tmp_path / "data"


@pytest.fixture(scope="module")
def committed():
    """The committed counts."""
    return measurements_shaoxing.load()


# --- counting -----------------------------------------------------------------------------------------------


def test_moments_are_those_of_the_rows(release):
    scores = measurements_shaoxing.measure(release).scores
    assert (scores["n"], scores["male"]) == (5, 3)
    ages = [60, 70, 80, 50, 20]
    assert (scores["age_mean"], scores["age_sd"]) == pytest.approx((np.mean(ages), np.std(ages, ddof=1)))
    assert set(scores["rhythms"]) == set(shaoxing.CLASSES)
    bradycardia, irregular, flutter = (scores["rhythms"][name] for name in
                                       ("sinus_bradycardia", "sinus_irregularity", "atrial_flutter"))
    assert bradycardia == {"n": 2, "male": 1, "age_mean": 65.0, "age_sd": pytest.approx(np.sqrt(50))}
    assert irregular == {"n": 1, "male": 0, "age_mean": 20.0, "age_sd": None}  # one age has no spread
    assert flutter == {"n": 0, "male": 0, "age_mean": None, "age_sd": None}


def test_a_part_of_the_release_is_no_full_evidence(release):
    counted = measurements_shaoxing.measure(release)
    assert counted.evidence["target"] == "subset" and counted.data["records"] == 5
    assert counted.arrays["none"].size == 0  # no row of the table is kept


def test_counts_come_back_and_show_what_is_there(release, own_results):
    results.save(measurements_shaoxing.measure(release))
    counted = measurements_shaoxing.load()
    assert counted.scores == results.rounded(measurements_shaoxing.measure(release).scores)
    shown = table1.by_rhythm(counted)
    assert shown["n"].tolist() == [2, 2, 1] and shown["rhythm"].tolist()[-1] == "sinus_irregularity"
    assert len(table1.readable_rhythms(shown)) == 3


def test_the_command_writes_and_says_where(release, own_results, monkeypatch, capsys):
    monkeypatch.setenv("ECGTL_DATA", str(release))
    assert main(["measure", "shaoxing"]) == 0
    assert "written: " in capsys.readouterr().out
    assert measurements_shaoxing.load().provenance["command"] == measurements_shaoxing.PROGRAM


@pytest.mark.parametrize("arguments, words", [([], "Diagnostics.xlsx is missing"),
                                              (["--tier"], "unrecognized arguments")])
def test_the_command_fails_in_one_line(tmp_path, own_results, monkeypatch, capsys, arguments, words):
    monkeypatch.setenv("ECGTL_DATA", str(tmp_path))
    assert main(["measure", "shaoxing", *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1 and said.startswith("ecgtl: ")
    assert not (tmp_path / "results").exists()


# --- reading what is stored ---------------------------------------------------------------------------------


def test_absent_counts_name_the_command(own_results):
    with pytest.raises(EcgtlError) as error:
        measurements_shaoxing.load()
    one_line(error, "has not been counted", measurements_shaoxing.PROGRAM)


@pytest.mark.parametrize("tier", ["demo", "reduced"])
def test_there_is_no_other_tier(tier):
    with pytest.raises(EcgtlError) as error:
        measurements_shaoxing.load(tier)
    one_line(error, f"no tier {tier}", "allowed: best, paper")


@pytest.mark.parametrize("change", [
    lambda scores: scores.update(n=scores["n"] + 1),
    lambda scores: scores["rhythms"]["sinus_rhythm"].pop("age_sd"),
    lambda scores: scores["rhythms"].pop("sinus_bradycardia"), lambda scores: scores.pop("rhythms")])
def test_counts_that_do_not_add_up_are_refused(release, own_results, change):
    path = results.save(measurements_shaoxing.measure(release))
    body = json.loads(path.read_text())
    change(body["scores"])
    path.write_text(json.dumps(body))
    with pytest.raises(EcgtlError) as error:
        measurements_shaoxing.load()
    one_line(error, "does not add up", measurements_shaoxing.PROGRAM)


# --- digits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("printed, ours, words", [
    ("59.2", 59.1868, "equal in every printed digit"), ("26,481", 26481, "equal in every printed digit"),
    ("61.817", 61.8179, "equal when truncated"), ("0.305", 0.30595, "equal when truncated"),
    ("18.002", 18.0300, "differs from digit 4 on: 18.030"), ("5,956", 5957, "differs from digit 4 on: 5,957"),
    ("99", 100, "differs: 100")])
def test_agreement_is_judged_digit_by_digit(printed, ours, words):
    assert table1.agreement(printed, ours) == words


def test_the_paper_is_shown_digit_for_digit(committed):
    table = table1.comparison(committed).set_index("characteristic")
    assert table.loc["Age, mean (years)", ["aumc", "paper"]].tolist() == ["61.056", "59.2"]
    assert table.loc["ECGs", ["aumc", "paper"]].tolist() == ["2,648,100", "10,646"]


def test_the_private_column_is_quoted_and_nothing_is_compared_with_it(committed):
    printed = published.load("jang2021")["table1"]["rows"]
    table = table1.comparison(committed).set_index("place")
    assert float(table.loc["male.percent", "aumc"]) == printed["male"]["aumc"]["percent"]
    ours = table.loc["male.percent"]
    assert ours["difference"] == pytest.approx(ours["ours"] - printed["male"]["shaoxing"]["percent"])


# --- the committed counts -----------------------------------------------------------------------------------


def test_the_whole_release_was_counted(committed):
    assert committed.evidence["target"] == "full"
    assert committed.scores["n"] == published.lookup("jang2021.table1.rows.patients.shaoxing")


def test_committed_rhythms_are_as_frequent_as_the_official_code_table_says(committed):
    """The Challenge 2021 counts codes in Shaoxing too: another table, made by other people."""
    tables, checked = snomed.tables(), 0
    for rhythm in tables["shaoxing"].values():
        counted = committed.scores["rhythms"][rhythm["name"]]["n"]
        official = [tables["codes"].get(code, {}).get("records", [0, 0, 0])[2] for code in rhythm["codes"]]
        if counted > 20 and any(official):  # codes of the rarest also stand for findings beside a rhythm
            assert counted in official, rhythm["name"]
            checked += 1
    assert checked >= 6


def test_committed_moments_of_the_rhythms_pool_to_those_of_all(committed):
    """The law of total variance."""
    scores, parts = committed.scores, committed.scores["rhythms"].values()
    n, mean, sd = (np.array([part[name] for part in parts]) for name in ("n", "age_mean", "age_sd"))
    assert (n * mean).sum() / scores["n"] == pytest.approx(scores["age_mean"], rel=1e-8)
    total = ((n - 1) * sd**2).sum() + (n * (mean - scores["age_mean"]) ** 2).sum()
    assert np.sqrt(total / (scores["n"] - 1)) == pytest.approx(scores["age_sd"], rel=1e-8)


def test_only_the_spread_of_the_age_is_not_what_is_printed(committed):
    table = table1.comparison(committed)
    other = table[table["ours"].notna() & ~table["agreement"].str.startswith("equal")]
    assert other["place"].tolist() == ["age.sd", "age.sd"]  # with either divisor


def test_a_verdict_follows_the_counts(committed):
    said = table1.verdict(committed).data
    assert "18.030 with divisor n − 1 and 18.029 with divisor n" in said and "give, 5 are" in said
    printed = published.lookup("jang2021.table1.rows.age.shaoxing.sd")
    as_printed = dataclasses.replace(committed, scores=committed.scores | {"age_sd": printed})
    said = table1.verdict(as_printed).data
    assert "give, 6 are" in said and "divisor" not in said


def test_no_row_and_no_folder_is_committed(committed):
    text = results.path_of(results.MEASURED, measurements_shaoxing.KEY, "paper").read_text()
    assert "MUSE" not in text and "/root" not in text and "/tmp" not in text and "/home" not in text


@pytest.mark.needs("shaoxing-figshare")
def test_the_release_gives_the_committed_counts(real_data, committed):
    again = measurements_shaoxing.measure(real_data)
    assert results.rounded(again.scores) == committed.scores and again.data == committed.data


# --- by rhythm ----------------------------------------------------------------------------------------------


def test_limits_of_the_share_of_men_are_wilsons(committed):
    row = table1.by_rhythm(committed).set_index("rhythm").loc["av_reentrant_tachycardia"]
    n, p, z = row["n"], row["male"] / row["n"], 1.959964
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    limits = [(middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)]
    assert [row["male_low"], row["male_high"]] == pytest.approx(limits, rel=1e-5)


def test_rhythms_stand_by_frequency_and_make_up_the_whole(committed):
    table = table1.by_rhythm(committed)
    assert table["n"].is_monotonic_decreasing and table["n"].sum() == committed.scores["n"]
    assert table["share"].sum() == pytest.approx(1)
    assert "AV node reentrant tachycardia" in table1.readable_rhythms(table)["Rhythm"].tolist()


def test_the_figure_draws_every_rhythm_in_both_panels(committed):
    figure = table1.rhythms_figure(committed)
    left, right = figure.axes
    means = next(line.get_xdata() for line in left.get_lines() if line.get_marker() == "o")
    assert np.asarray(means) == pytest.approx(table1.by_rhythm(committed)["age_mean"].to_numpy())
    shares = next(line.get_xdata() for line in right.get_lines() if line.get_marker() == "o")
    assert len(shares) == len(shaoxing.CLASSES) and max(shares) < 100
