"""MELEP's pages without training: counts against hand-made releases, drawings against the networks."""

import dataclasses
import functools
import json

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt
from messages import one_line
from pages import run_page

from ecgtl import models, published, results
from ecgtl.__main__ import main
from ecgtl.analysis import coverage, names
from ecgtl.analysis import names as analysis_names
from ecgtl.config import TIERS
from ecgtl.datasets import catalogue, cpsc2018, csn, georgia, ptbxl, snomed
from ecgtl.errors import EcgtlError
from ecgtl.measurements import melep_datasets
from ecgtl.report import figures, network_blocks, tables
from ecgtl.report.melep import figure1, figure2, label_shares, network_diagrams, table1

matplotlib.use("Agg")
PAGES = ("table1", "figure1", "figure2")
SB, NSR, RBBB, VEB, PVC = "426177001", "426783006", "59118001", "164884008", "427172004"
TWELVE = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


@pytest.fixture(autouse=True)
def own_results(tmp_path, monkeypatch):
    """An empty results folder, no download left behind; figures are closed afterwards."""
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "results"))
    monkeypatch.setattr(tables, "write_csv", lambda table, name: table.to_csv())
    figures.use_style()
    yield
    plt.close("all")


def write(folder, name, dx=None, seconds=10.0, rate=500, leads=TWELVE, suffix="mat"):
    """A header and an empty signal file: signals are not read."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{name} {len(leads)} {rate} {round(seconds * rate)}"]
    lines += [f"{name}.{suffix} 16 1000.0(0)/mV 16 0 0 0 0 {lead}" for lead in leads]
    lines += [] if dx is None else [f"# Dx: {dx}"]
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")
    (folder / f"{name}.{suffix}").write_bytes(b"")
    return folder / f"{name}.hea"


def write_ptbxl(root, said):
    """PTB-XL's two tables and a header for each of ``said``, the statements of a recording as text."""
    base = root / ptbxl.FOLDER
    base.mkdir(parents=True)
    rows = [{"ecg_id": k, "patient_id": 1 + k // 3, "age": 60, "sex": 0, "scp_codes": text, "strat_fold": 1,
             "filename_lr": f"records100/00000/{k:05d}_lr", "filename_hr": f"records500/00000/{k:05d}_hr"}
            for k, text in enumerate(said, start=1)]
    pd.DataFrame(rows).to_csv(base / ptbxl.TABLE, index=False)
    listed = {"NORM": (1, "NORM"), "IMI": (1, "MI"), "AMI": (1, "MI"), "LVH": (1, "HYP"), "SR": (None, None)}
    pd.DataFrame(listed.values(), index=list(listed), columns=["diagnostic", "diagnostic_class"]).assign(
        rhythm=np.nan).to_csv(base / ptbxl.STATEMENTS)
    for k in range(1, len(said) + 1):
        write(base / "records500" / "00000", f"{k:05d}_hr", suffix="dat")


@pytest.fixture
def root(tmp_path):
    """Small releases of three of the data sets; there is no CSN."""
    root = tmp_path / "data"
    for name, dx, seconds in (("A0001", RBBB, 10), ("A0002", f"{RBBB},{VEB}", 72.5), ("A0003", PVC, 8)):
        write(root / cpsc2018.FOLDER / "g1", name, dx, seconds, leads=("I",))
    write(root / georgia.FOLDER / "g1", "E00001", f"{SB},{NSR}")
    write_ptbxl(root, ["{'NORM': 100.0, 'SR': 0.0}", "{'IMI': 0.0, 'AMI': 50.0}",
                       "{'LVH': 80.0, 'IMI': 15.0}", "{'SR': 0.0}"])
    return root


@pytest.fixture
def counted(root):
    return melep_datasets.measure(root)


def at(table, **place):
    """The one row of ``table`` at ``place``."""
    found = table[np.logical_and.reduce([table[column] == value for column, value in place.items()])]
    assert len(found) == 1
    return found.iloc[0]


# --- counting -----------------------------------------------------------------------------------------------


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
    write(folder, "E00002", "")
    write(folder, "E00003", f"{SB},12345")
    write(folder, "E00004", SB).write_text("nothing")
    write(folder, "E00005", SB).with_suffix(".mat").unlink()
    (folder / "._E00001.hea").write_bytes(b"\0")  # as macOS leaves
    found = melep_datasets.measure(root).scores["georgia"]
    assert found["records"] == 1
    assert found["refused"] == dict.fromkeys(("no diagnosis", "code outside the map", "damaged header",
                                              "signal absent"), 1)


def test_refused_recordings_alone_leave_no_duration(root):
    for path in (root / cpsc2018.FOLDER).rglob("*.mat"):
        path.unlink()
    counted = melep_datasets.measure(root)
    assert counted.scores["cpsc2018"]["durations"] == [] and counted.scores["cpsc2018"]["records"] == 0
    row = at(table1.comparison(counted), dataset="cpsc2018", quantity="durations")
    assert (row["ours"], row["finding"]) == (table1.NOT_AVAILABLE, table1.NOT_AVAILABLE)
    assert "3 × signal absent" in table1.at_hand(counted)["Refused"].tolist()
    assert label_shares.labels("cpsc2018", counted)["ours"].isna().all()


def test_other_rates_show(root):
    write(root / georgia.FOLDER / "g1", "E00002", SB, rate=257)
    table = table1.comparison(melep_datasets.measure(root))
    assert at(table, dataset="georgia", quantity="rates")["ours"] == "257 and 500"


def test_a_whole_release_is_full_evidence(root, monkeypatch):
    write(root / csn.FOLDER / "WFDBRecords" / "01" / "010", "JS00001", SB)
    entries = {name: catalogue.entry(name) for name in melep_datasets.HEADERS}
    sizes = {"cpsc2018": 3, "ptbxl": 4, "georgia": 1, "csn": 1}
    monkeypatch.setattr(table1.catalogue, "entry",
                        lambda name: dataclasses.replace(entries[name], records=sizes[name]))
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


# --- what is stored -----------------------------------------------------------------------------------------


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


# --- the paper beside releases and counts -------------------------------------------------------------------


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
    longest = at(table, dataset="cpsc2018", quantity="durations")
    assert longest["finding"] == "contradicted: 1 available here are longer"
    assert at(table, dataset="georgia", quantity="labels")["release"] == "67"
    assert at(table, dataset="csn", quantity="labels")["finding"] == "as released"
    assert "62 printed, differs: 67" in table1.verdict(table).data


def test_more_short_recordings_than_printed_contradict(root):
    for k in range(7):
        write(root / cpsc2018.FOLDER / "g1", f"A001{k}", RBBB, seconds=9)
    table = table1.comparison(melep_datasets.measure(root))
    row = at(table, dataset="cpsc2018", quantity="short")
    assert (row["paper"], row["ours"], row["finding"]) == ("6", "8", "contradicted: more are available here")


def test_what_is_not_known_is_never_a_number(counted):
    absent = table1.comparison(counted)
    assert set(absent[absent["dataset"] == "csn"]["ours"]) == {table1.NOT_AVAILABLE}
    pending = table1.comparison(None)
    assert set(pending["ours"]) == {names.PENDING}
    assert at(pending, dataset="ptbxl", quantity="labels")["release"] == names.PENDING
    assert set(table1.at_hand(None)["Available here"]) == {names.PENDING}
    assert set(label_shares.readable_labels(label_shares.labels("csn", counted))["Available here [95 % interval]"]) == {
        table1.NOT_AVAILABLE}


def test_slips_show_table_text_and_release(counted):
    table = table1.misprints(counted).set_index("What")
    assert table.loc["Georgia, labels", ["Table 1", "Text", "Release"]].tolist() == ["62", "67", "67"]
    assert table.loc["Georgia, recordings", ["Table 1", "Text", "Release"]].tolist() == ["10,344", "10,334",
                                                                                       "10,344"]
    assert table.loc["PTB-XL, sampling rates (Hz)", "Release"] == "100 and 500"


# --- labels -------------------------------------------------------------------------------------------------


def test_labels_are_the_papers_with_counts_of_release_and_at_hand(counted):
    nine = label_shares.labels("cpsc2018", counted).set_index("label")
    assert len(nine) == published.lookup("melep2023.scalars.cpsc2018_labels.value")
    assert nine.loc["RBBB", ["released", "ours", "ours_n"]].tolist() == [1857, 2, 3]
    assert nine.loc["PVC", "ours"] == 2  # by either code
    five = label_shares.labels("ptbxl", counted).set_index("label")
    assert five["ours"].to_dict() == {"NORM": 1, "MI": 2, "STTC": 0, "CD": 0, "HYP": 1}
    assert five["released"].isna().all()
    both = label_shares.labels("csn", counted).set_index("label")
    assert both.loc["SB", "released"] == 3889 + 12670 and both["ours"].isna().all()


def test_limits_of_a_share_are_wilsons():
    n, k, z = 1369, 369, 1.959964
    p = k / n
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = (100 * (middle + sign * half) / (1 + z**2 / n) for sign in (-1, 1))
    assert label_shares._share(k, n, limits=True) == f"369 (27.0{names.NBSP}%) [{low:.1f}, {high:.1f}]"
    assert label_shares._share(np.nan, n) == table1.NOT_AVAILABLE


def test_the_figure_draws_every_label_and_no_dot_that_is_not_known(counted):
    panels = label_shares.shares_figure(counted).axes
    drawn = {name: {line.get_marker(): line.get_xdata() for line in axes.get_lines() if len(line.get_xdata())}
             for name, axes in zip(melep_datasets.HEADERS, panels, strict=True)}
    assert np.asarray(drawn["cpsc2018"]["D"])[4] == pytest.approx(100 * 1857 / 6877)
    assert np.asarray(drawn["cpsc2018"]["o"])[4] == pytest.approx(100 * 2 / 3)
    assert "o" not in drawn["csn"] and not np.isfinite(drawn["ptbxl"]["D"].astype(float)).any()
    assert [len(axes.get_yticks()) for axes in panels] == [9, 5, 10, 20]
    said = label_shares.shares_said(counted)
    assert "PTB-XL: nothing to compare" in said and "CPSC 2018: of 9 labels" in said


def test_the_map_holds_every_code_with_its_counts(counted):
    table = label_shares.label_map(counted).set_index("code")
    assert set(table.index) == set(snomed.tables()["codes"])
    found = table.loc[RBBB, ["label_cpsc2018", "released_georgia", "at_hand_cpsc2018"]]
    assert found.tolist() == ["RBBB", 542, 2]
    assert table["at_hand_csn"].isna().all() and (table["label_csn"] != "").sum() == 20
    summary = label_shares.map_summary().set_index("Source")
    assert summary["Codes that occur"].tolist() == [9, 67, 54, 80, 94]
    assert summary.index[-1] == "CSN: both"
    assert summary.loc["CSN: both", "in 1,000 recordings or more"] == 20


def test_what_is_said_of_the_choices_follows_the_official_counts():
    said = label_shares.choices_verdict().data
    assert "no other has more than 853" in said and "have 1,063 recordings or more" in said
    assert "5 that were not taken" in said and "(570)" in said and "scores none of these" in said
    assert "Ningbo counts 0 recordings with atrial fibrillation and 7,615 with" in label_shares.hospitals().data


# --- real recordings ----------------------------------------------------------------------------------------


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


# --- networks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name", analysis_names.NETWORKS)
def test_blocks_hold_every_parameter_of_the_network(name, tier):
    with torch.device("meta"):
        model = models.build(name, network_diagrams.shape(tier)[0], 9, **network_diagrams.options(name, tier))
    blocks = network_diagrams.network(name, tier)
    assert network_blocks.parameters(blocks) == models.count_parameters(model) == network_blocks.parameters(
        figure1.grouped(blocks))
    assert blocks[-1].shape == (9,) and blocks[-1].name == "output"


def test_the_papers_size_takes_twelve_leads_of_ten_seconds():
    assert network_diagrams.shape("paper") == (12, 1000) and network_diagrams.shape("reduced") == (1, 1000)
    assert network_diagrams.drawn_tier() == "paper" and network_diagrams.drawn_tier("reduced") == "reduced"


def test_equal_units_share_a_bar():
    names = [block.name for block in figure1.grouped(network_diagrams.network("resnet1d101", "paper"))]
    assert names == ["stem", "units.0", "units.1–2 (2×)", "units.3", "units.4–6 (3×)", "units.7",
                     "units.8–29 (22×)", "units.30", "units.31–32 (2×)", "hidden", "output"]
    said = figure1.depth("paper").data
    assert "(3 + 4 + 23 + 3)" in said and "makes 100 in a row" in said


def test_shapes_halve_in_time_and_double_in_channels():
    shapes = list(dict.fromkeys(block.shape for block in network_diagrams.network("resnet1d101", "paper")))
    assert shapes == [(64, 250), (256, 250), (512, 125), (1024, 63), (2048, 32), (512,), (9,)]
    lstm, output = network_diagrams.network("bilstm", "paper")
    assert lstm.shape == (200, 1000) and output.parameters == 200_000 * 9 + 9


def test_directions_share_the_recurrent_layer():
    one_way = 4 * 100 * (12 + 100 + 2)  # four gates: weights of input and state, two biases
    said = " ".join(text.get_text() for text in figure2.bilstm_figure("paper").axes[0].texts)
    assert said.count(f"{one_way:,} parameters") == 2
    assert "flattened: 200,000" in said and "12 × 1,000" in said


def test_the_drawn_unit_is_the_first_that_shortens():
    said = [text.get_text() for text in figure1.unit_figure("paper").axes[0].texts]
    assert "from units.2" in said and "256 × 250" in said and "512 × 125" in said
    convolutions = [text for text in said if text.startswith("convolution")]
    assert sorted(convolutions) == ["convolution 1", "convolution 1", "convolution 1/2", "convolution 3/2"]
    assert said.count("batch norm, ReLU") == 2 and said.count("batch norm") == 2


@pytest.mark.parametrize("draw", [figure1.resnet_figure, figure1.unit_figure, figure2.bilstm_figure])
@pytest.mark.parametrize("tier", ["paper", "reduced"])
def test_no_text_leaves_a_drawing(draw, tier):
    figure = draw(tier)
    figure.canvas.draw()
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert box.x0 >= -1 and box.x1 <= figure.bbox.x1 + 1, text.get_text()


def test_outputs_follow_the_number_of_labels():
    table = network_diagrams.outputs("bilstm", "paper")
    numbers = table["Output layer"].str.replace(",", "").astype(int)
    assert (numbers == 200_001 * table["Labels"]).all()
    assert (table["Share"].str.removesuffix(" %").astype(float) > 50).all()  # as the page says
    convolutional = network_diagrams.outputs("resnet1d101", "paper")["Share"].str.removesuffix(" %").astype(float)
    assert (convolutional < 0.1).all()


# --- the pages ----------------------------------------------------------------------------------------------


page = functools.partial(run_page, "melep")


def test_table1_says_pending_until_it_is_counted(root):
    before = page("table1")
    assert names.PENDING in before and melep_datasets.PROGRAM in before and "6,877" in before
    results.save(melep_datasets.measure(root))
    after = page("table1")
    assert names.PENDING not in after and table1.NOT_AVAILABLE in after and "target: subset" in after


@pytest.mark.parametrize("name", ["figure1", "figure2"])
def test_drawings_need_no_result(name):
    assert "<table" in page(name) and names.PENDING not in page(name)


def test_coverage_follows_the_counts(root):
    def state():
        return coverage.coverage().set_index(["paper", "item"]).loc["melep2023"]

    assert state().loc["T1", "state"] == "pending"
    assert state().loc[["F1", "F2"], "state"].tolist() == ["done", "done"]
    results.save(melep_datasets.measure(root))
    assert (state().loc["T1", "state"], state().loc["T1", "evidence"]) == ("partial", "target subset")
    assert [state().loc[item, "page"] for item in ("T1", "F1", "F2")] == [f"notebooks/melep/{name}"
                                                                         for name in PAGES]
