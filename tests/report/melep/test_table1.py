"""MELEP's Table 1: the paper beside releases and counts."""

from pages import row_of, run_page
from releases import RBBB, SB, write_record

from ecgtl import results
from ecgtl.analysis import names
from ecgtl.datasets import cpsc2018, georgia
from ecgtl.measurements import melep_datasets
from ecgtl.report.melep import label_shares, table1


def test_the_paper_is_shown_as_printed():
    printed = table1.comparison(None).pivot(index="dataset", columns="quantity", values="paper")
    assert printed.loc["cpsc2018"].to_dict() == {"records": "6,877", "labels": "9", "rates": "500",
                                                 "durations": "6–60", "short": "6"}
    assert printed.loc["ptbxl"].to_dict() == {"records": "21,837", "labels": "44", "rates": "500 and 1,000",
                                              "durations": "10", "short": "0"}
    assert printed.loc["csn", ["records", "labels"]].tolist() == ["45,152", "94"]


def test_only_what_is_printed_wrong_differs_from_the_releases(counted):
    table = table1.comparison(counted)
    other = table[table["finding"].str.startswith(("differs", "contradicted"))]
    places = set(zip(other["dataset"], other["quantity"], strict=True))
    assert places == {("georgia", "labels"), ("ptbxl", "records"), ("ptbxl", "rates"),
                      ("cpsc2018", "durations"), ("ptbxl", "labels")}  # the hand-made release lists 4 of 44
    assert row_of(table, dataset="cpsc2018", quantity="durations")["finding"].startswith("contradicted: 1 ")
    assert row_of(table, dataset="georgia", quantity="labels")["release"] == "67"
    assert row_of(table, dataset="csn", quantity="labels")["finding"] == "as released"
    assert "62 printed, differs: 67" in table1.verdict(table).data


def test_more_short_recordings_than_printed_contradict(root):
    for k in range(7):
        write_record(root / cpsc2018.FOLDER / "g1", f"A001{k}", RBBB, seconds=9)
    table = table1.comparison(melep_datasets.measure(root))
    row = row_of(table, dataset="cpsc2018", quantity="short")
    assert (row["paper"], row["ours"], row["finding"].split(":")[0]) == ("6", "8", "contradicted")


def test_refused_recordings_alone_leave_no_duration(root):
    for path in (root / cpsc2018.FOLDER).rglob("*.mat"):
        path.unlink()
    counted = melep_datasets.measure(root)
    assert counted.scores["cpsc2018"]["durations"] == [] and counted.scores["cpsc2018"]["records"] == 0
    row = row_of(table1.comparison(counted), dataset="cpsc2018", quantity="durations")
    assert (row["ours"], row["finding"]) == (table1.NOT_AVAILABLE, table1.NOT_AVAILABLE)
    assert "3 × signal absent" in table1.at_hand(counted)["Refused"].tolist()
    assert label_shares.labels("cpsc2018", counted)["ours"].isna().all()


def test_other_rates_show(root):
    write_record(root / georgia.FOLDER / "g1", "E00002", SB, rate=257)
    table = table1.comparison(melep_datasets.measure(root))
    assert row_of(table, dataset="georgia", quantity="rates")["ours"] == "257 and 500"


def test_what_is_not_known_is_never_a_number(counted):
    absent = table1.comparison(counted)
    assert set(absent[absent["dataset"] == "csn"]["ours"]) == {table1.NOT_AVAILABLE}
    pending = table1.comparison(None)
    assert set(pending["ours"]) == {names.PENDING}
    assert row_of(pending, dataset="ptbxl", quantity="labels")["release"] == names.PENDING
    assert set(table1.at_hand(None)["Available here"]) == {names.PENDING}
    labels = label_shares.readable_labels(label_shares.labels("csn", counted))
    assert set(labels["Available here [95 % interval]"]) == {table1.NOT_AVAILABLE}


def test_slips_show_table_text_and_release(counted):
    table = table1.misprints(counted).set_index("What")
    assert table.loc["Georgia, labels", ["Table 1", "Text", "Release"]].tolist() == ["62", "67", "67"]
    assert table.loc["Georgia, recordings", ["Table 1", "Text", "Release"]].tolist() == ["10,344", "10,334", "10,344"]
    assert table.loc["PTB-XL, sampling rates (Hz)", "Release"] == "100 and 500"


def test_table1_says_pending_until_it_is_counted(root):
    before = run_page("melep", "table1")
    assert names.PENDING in before and melep_datasets.PROGRAM in before and "6,877" in before
    results.save(melep_datasets.measure(root))
    after = run_page("melep", "table1")
    assert names.PENDING not in after and table1.NOT_AVAILABLE in after and "target: subset" in after
