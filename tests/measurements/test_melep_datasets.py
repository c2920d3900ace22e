"""The recordings of MELEP's data sets, counted from their headers: hand-made releases, and real ones."""

import dataclasses
import json

import pytest
from messages import one_line
from releases import NSR, PVC, RBBB, SB, VEB, write_record, write_releases

from ecgtl import results
from ecgtl.__main__ import main
from ecgtl.datasets import catalogue, csn, georgia, ptbxl, snomed
from ecgtl.errors import EcgtlError
from ecgtl.measurements import melep_datasets

pytestmark = pytest.mark.usefixtures("own_results")


@pytest.fixture
def root(tmp_path):
    return write_releases(tmp_path / "data")


@pytest.fixture
def counted(root):
    return melep_datasets.measure(root)


def test_headers_are_counted_by_hand(counted):
    assert counted.scores["cpsc2018"] == {
        "records": 3, "rates": {"500": 3}, "leads": {"1": 3}, "durations": [8.0, 72.5], "short": 1, "long": 1,
        "labels": {RBBB: 2, VEB: 1, PVC: 1}, "refused": {}}
    assert counted.scores["georgia"]["labels"] == {SB: 1, NSR: 1} and counted.scores["csn"] is None
    assert counted.evidence == {"upstream": "none", "target": "subset", "leads": "subset"}
    assert counted.data["records"] == 3 + 1 + 4


def test_statements_are_counted_by_hand(counted):
    part = counted.scores["ptbxl"]
    assert (part["records"], part["rows"], part["patients"], part["listed"]) == (4, 4, 2, 4)
    assert part["labels"] == {"NORM": 1, "IMI": 2, "AMI": 1, "LVH": 1}  # whatever their likelihood
    assert part["superclasses"] == {"NORM": 1, "MI": 2, "HYP": 1}  # two infarctions of one recording are one
    assert part["named_rates"] == [100, 500] and part["rates"] == {"500": 4}


def test_what_a_loader_refuses_is_refused_and_counted(root):
    folder = root / georgia.FOLDER / "g1"
    write_record(folder, "E00002", "")
    write_record(folder, "E00003", f"{SB},12345")
    write_record(folder, "E00004", SB).write_text("nothing")
    write_record(folder, "E00005", SB).with_suffix(".mat").unlink()
    (folder / "._E00001.hea").write_bytes(b"\0")  # as macOS leaves
    found = melep_datasets.measure(root).scores["georgia"]
    assert found["records"] == 1
    assert found["refused"] == dict.fromkeys(("no diagnosis", "code outside the map", "damaged header",
                                              "signal absent"), 1)


def test_a_whole_release_is_full_evidence(root, monkeypatch):
    write_record(root / csn.FOLDER / "WFDBRecords" / "01" / "010", "JS00001", SB)
    entries = {name: catalogue.entry(name) for name in melep_datasets.HEADERS}
    sizes = {"cpsc2018": 3, "ptbxl": 4, "georgia": 1, "csn": 1}
    monkeypatch.setattr(catalogue, "entry", lambda name: dataclasses.replace(entries[name], records=sizes[name]))
    counted = melep_datasets.measure(root)
    assert counted.evidence == {"upstream": "none", "target": "full", "leads": "subset"}  # lead I alone
    (root / csn.FOLDER / "WFDBRecords" / "01" / "010" / "JS00001.mat").unlink()
    assert melep_datasets.measure(root).evidence["target"] == "full"  # refused, but met
    sizes["georgia"] = 2
    assert melep_datasets.measure(root).evidence["target"] == "subset"


def test_without_any_data_set_the_remedy_is_named(tmp_path):
    with pytest.raises(EcgtlError) as error:
        melep_datasets.measure(tmp_path)
    one_line(error, "no header", "data fetch", "ECGTL_DATA")


@pytest.mark.parametrize("damage", ["statements", "codes"])
def test_damaged_tables_of_ptbxl_are_named(root, damage):
    base = root / ptbxl.FOLDER
    if damage == "statements":
        (base / ptbxl.STATEMENTS).unlink()
    else:
        text = (base / ptbxl.TABLE).read_text()
        (base / ptbxl.TABLE).write_text(text.replace("{'SR': 0.0}", "__import__('os')"))
    with pytest.raises(EcgtlError) as error:
        melep_datasets.measure(root)
    one_line(error, ptbxl.STATEMENTS if damage == "statements" else ptbxl.TABLE, "data fetch ptbxl")


def test_the_command_writes_what_the_page_loads(root, monkeypatch, capsys):
    monkeypatch.setenv("ECGTL_DATA", str(root))
    assert main(["measure", "melep-datasets"]) == 0
    assert "written: " in capsys.readouterr().out
    counted = melep_datasets.load()
    assert counted.scores == results.rounded(melep_datasets.measure(root).scores)
    assert counted.provenance["command"] == melep_datasets.PROGRAM and counted.arrays["none"].size == 0
    text = results.path_of(results.MEASURED, melep_datasets.KEY, "paper").read_text()
    assert str(root) not in text and "A0001" not in text  # no folder, no row


@pytest.mark.parametrize("arguments, words", [([], "holds no header"), (["--tier"], "unrecognized arguments")])
def test_the_command_fails_in_one_line(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.setenv("ECGTL_DATA", str(tmp_path))
    assert main(["measure", "melep-datasets", *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1 and said.startswith("ecgtl: ")
    assert not (tmp_path / "results").exists()


def test_nothing_stored_is_none_and_another_tier_is_refused():
    assert melep_datasets.load() is None
    for tier in ("demo", "reduced"):
        with pytest.raises(EcgtlError) as error:
            melep_datasets.load(tier)
        one_line(error, f"no tier {tier}", "allowed: best, paper")


@pytest.mark.parametrize("change", [
    lambda scores: scores.pop("csn"), lambda scores: scores["georgia"].pop("labels"),
    lambda scores: scores["cpsc2018"].update(records=4),
    lambda scores: scores["cpsc2018"]["labels"].update(x=4)])
def test_counts_that_do_not_add_up_are_refused(counted, change):
    path = results.save(counted)
    body = json.loads(path.read_text())
    change(body["scores"])
    path.write_text(json.dumps(body))
    with pytest.raises(EcgtlError) as error:
        melep_datasets.load()
    one_line(error, "does not add up", melep_datasets.PROGRAM)


@pytest.mark.needs("challenge-2020", "ptb-xl", "ecg-arrhythmia")
def test_the_recordings_at_hand(real_data):
    """Counts that were taken of the same files with other programs."""
    counted = melep_datasets.measure(real_data)
    cpsc, xl, ga, sn = (counted.scores[name] for name in melep_datasets.HEADERS)
    assert (cpsc["records"], cpsc["labels"]["59118001"], cpsc["labels"]["164889003"]) == (1369, 369, 241)
    assert (cpsc["short"], cpsc["long"], cpsc["durations"][1], cpsc["leads"]) == (2, 10, 144.0, {"1": 1369})
    assert (xl["records"], xl["rows"], xl["listed"], xl["leads"]) == (2992, 2992, 44, {"12": 2992})
    assert (ga["records"], sn["records"]) == (20, 120) and counted.evidence["target"] == "subset"
    for name, module in (("georgia", georgia), ("csn", csn)):
        loaded = {label: n for label, n in module.read(real_data, leads=["I"]).counts().items() if n}
        ours = {snomed.name_of(code): n for code, n in counted.scores[name]["labels"].items()}
        assert ours == loaded
