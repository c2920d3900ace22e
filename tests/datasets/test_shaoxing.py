"""The Shaoxing loader: the figshare release with its table, and the PhysioNet form with SNOMED codes."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wfdb
from messages import one_line
from scipy.io import savemat

from ecgtl.datasets import csn, shaoxing
from ecgtl.datasets.leads import LEADS
from ecgtl.errors import EcgtlError

ROWS = [("MUSE_1", "SB", 60, "MALE"), ("MUSE_2", "AF", 71, "FEMALE"), ("MUSE_3", "AFIB", 80, "MALE"),
        ("MUSE_4", "SA", 20, "FEMALE")]
RHYTHMS = {"SB": "sinus_bradycardia", "SR": "sinus_rhythm", "AFIB": "atrial_fibrillation",
           "ST": "sinus_tachycardia", "SVT": "supraventricular_tachycardia", "AF": "atrial_flutter",
           "SA": "sinus_irregularity", "AT": "atrial_tachycardia", "AVNRT": "av_node_reentrant_tachycardia",
           "AVRT": "av_reentrant_tachycardia", "SAAWR": "sinus_to_atrial_wandering_rhythm"}


def write_table(base, rows=ROWS, columns=("FileName", "Rhythm", "PatientAge", "Gender")):
    base.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(rows, columns=columns)
    table.insert(2, "Beat", "NONE")
    table.to_excel(base / shaoxing.TABLE, index=False)


def csv_text(values, header=False):
    lines = [",".join(LEADS)] if header else []
    return "\r\n".join(lines + [",".join(f"{v:.5g}" for v in row) for row in values]) + "\r\n"


@pytest.fixture(scope="module")
def microvolts():
    """Four recordings as they stand in the files: five significant digits."""
    rng = np.random.default_rng(12)
    return {row[0]: np.round(rng.normal(0, 150, (5000, 12)), 1) for row in ROWS}


@pytest.fixture(scope="module")
def release(microvolts, tmp_path_factory):
    """A small figshare release; headers and byte-order marks as in the original: some files have them."""
    root = tmp_path_factory.mktemp("release")
    base = root / shaoxing.FIGSHARE
    write_table(base)
    (base / "ECGData").mkdir()
    for k, (name, values) in enumerate(microvolts.items()):
        text = csv_text(values, header=k % 2 == 0)
        (base / "ECGData" / f"{name}.csv").write_bytes(text.encode("utf-8-sig" if k == 2 else "utf-8"))
    return root


@pytest.fixture
def root(release, tmp_path):
    """A copy of the release, to damage."""
    return Path(shutil.copytree(release, tmp_path / "copy"))


@pytest.fixture
def signals(root):
    return root / shaoxing.FIGSHARE / "ECGData"


def test_reads_what_was_written(root, microvolts):
    recordings = shaoxing.read(root)
    assert recordings.ids.tolist() == list(microvolts)
    assert recordings.classes == tuple(RHYTHMS.values())
    assert [recordings.classes[k] for k in recordings.labels] == [RHYTHMS[row[1]] for row in ROWS]
    assert set(recordings.sampling_rate) == {500.0}
    assert recordings.leads.tolist() == [list(LEADS)] * 4
    assert (recordings.version, recordings.skipped) == ("figshare v2", {})
    for i, values in enumerate(microvolts.values()):
        np.testing.assert_allclose(recordings.signal(i), values.T / 1000, rtol=1e-6)


def test_af_is_flutter_and_si_is_sinus_irregularity(root):
    write_table(root / shaoxing.FIGSHARE, [*ROWS[:3], ("MUSE_4", "SI", 20, "FEMALE")])
    recordings = shaoxing.read(root)
    assert recordings.classes[recordings.labels[1]] == "atrial_flutter"
    assert recordings.classes[recordings.labels[3]] == "sinus_irregularity"


@pytest.mark.parametrize("leads", ["II", ("II",), ["v6", "AVR"]])
def test_some_leads(root, microvolts, leads):
    recordings = shaoxing.read(root, leads=leads)
    names = ["II"] if "II" in leads else ["V6", "aVR"]
    assert recordings.leads[0].tolist() == names
    for k, name in enumerate(names):
        np.testing.assert_allclose(recordings.lead(0, name),
                                   microvolts["MUSE_1"][:, LEADS.index(name)] / 1000, rtol=1e-6)
        assert recordings.lead_index(0, name) == k


@pytest.mark.parametrize("leads", ["XII", (), ("II", "ii"), [2]])
def test_leads_that_there_are_none_of(root, leads):
    with pytest.raises(EcgtlError) as error:
        shaoxing.read(root, leads=leads)
    one_line(error, "leads", "aVF")


def test_a_header_may_order_the_leads_otherwise(root, signals, microvolts):
    values = pd.DataFrame(microvolts["MUSE_1"], columns=LEADS)[list(reversed(LEADS))]
    values.to_csv(signals / "MUSE_1.csv", index=False)
    np.testing.assert_allclose(shaoxing.read(root).signal(0), microvolts["MUSE_1"].T / 1000, rtol=1e-6)


def bad_csv(values):
    """Damaged contents of one file, by kind."""
    text = csv_text(values)
    row = text.splitlines()[9]
    short = row.rsplit(",", 1)[0]
    return {"eleven columns": csv_text(values[:, :11]),
            "thirteen columns": csv_text(np.hstack([values, values[:, :1]])),
            "text": text.replace(row, short + ",lead off"),
            "one row longer": text.replace(row, row + ",0"), "one row shorter": text.replace(row, short),
            "too few rows": csv_text(values[:4999]), "empty": "", "binary": "\x89PNG\r\n\x1a\n\0\0",
            "other names": text.replace(text.splitlines()[0], ",".join("abcdefghijkl"))}


@pytest.mark.parametrize("kind", list(bad_csv(np.zeros((12, 12)))))
def test_damaged_csv(root, signals, microvolts, kind):
    (signals / "MUSE_2.csv").write_text(bad_csv(microvolts["MUSE_2"])[kind], encoding="latin-1")
    with pytest.raises(EcgtlError) as error:
        shaoxing.read(root)
    one_line(error, signals / "MUSE_2.csv", "on_bad=skip")
    recordings = shaoxing.read(root, on_bad="skip")
    assert recordings.ids.tolist() == ["MUSE_1", "MUSE_3", "MUSE_4"]
    assert [*recordings.skipped.values()] == [["MUSE_2"]]


def test_flat_lead(root, signals, microvolts):
    values = microvolts["MUSE_3"].copy()
    values[:, 4] = 7
    (signals / "MUSE_3.csv").write_text(csv_text(values))
    with pytest.raises(EcgtlError) as error:
        shaoxing.read(root)
    one_line(error, signals / "MUSE_3.csv", "constant signal", "on_bad=skip")
    assert shaoxing.read(root, on_bad="skip").skipped == {"constant signal": ["MUSE_3"]}
    assert len(shaoxing.read(root, leads="II")) == 4  # the flat lead is not asked for


def test_file_names_without_csv(root, signals):
    for name in ("MUSE_1", "MUSE_4"):
        (signals / f"{name}.csv").unlink()
    with pytest.raises(EcgtlError) as error:
        shaoxing.read(root)
    one_line(error, root / shaoxing.FIGSHARE / shaoxing.TABLE, "2 recordings", "first is MUSE_1", "on_bad=skip")
    recordings = shaoxing.read(root, on_bad="skip")
    assert recordings.skipped == {"signal absent": ["MUSE_1", "MUSE_4"]}
    assert recordings.ids.tolist() == ["MUSE_2", "MUSE_3"]


def test_csv_without_row(root, signals):
    (signals / "MUSE_9.csv").write_bytes((signals / "MUSE_1.csv").read_bytes())
    with pytest.raises(EcgtlError) as error:
        shaoxing.read(root)
    one_line(error, signals / "MUSE_9.csv", shaoxing.TABLE, "on_bad=skip")
    assert shaoxing.read(root, on_bad="skip").skipped == {"no diagnosis": ["MUSE_9"]}


def test_unknown_rhythm(root):
    write_table(root / shaoxing.FIGSHARE, [*ROWS[:3], ("MUSE_4", "VF", 20, "FEMALE")])
    with pytest.raises(EcgtlError) as error:
        shaoxing.read(root)
    one_line(error, shaoxing.TABLE, "'VF'", "MUSE_4", "AVNRT", "on_bad=skip")
    assert shaoxing.read(root, on_bad="skip").skipped == {"unknown rhythm VF": ["MUSE_4"]}
    with pytest.raises(EcgtlError) as error:
        shaoxing.diagnostics(root)
    one_line(error, shaoxing.TABLE, "'VF'", "MUSE_4")


@pytest.mark.parametrize("column", ["FileName", "Rhythm", "PatientAge", "Gender"])
@pytest.mark.parametrize("on_bad", ["error", "skip"])
def test_table_without_a_column(root, column, on_bad):
    columns = ["Other" if name == column else name for name in ("FileName", "Rhythm", "PatientAge", "Gender")]
    write_table(root / shaoxing.FIGSHARE, columns=columns)
    for read in (lambda: shaoxing.read(root, on_bad=on_bad), lambda: shaoxing.diagnostics(root)):
        with pytest.raises(EcgtlError) as error:
            read()
        one_line(error, root / shaoxing.FIGSHARE / shaoxing.TABLE, f"no column {column}", "Other")


@pytest.mark.parametrize("content", [b"", b"FileName,Rhythm", b"PK\x03\x04 cut"])
def test_table_that_is_no_xlsx(root, content):
    (root / shaoxing.FIGSHARE / shaoxing.TABLE).write_bytes(content)
    with pytest.raises(EcgtlError) as error:
        shaoxing.read(root)
    one_line(error, root / shaoxing.FIGSHARE / shaoxing.TABLE, "not a readable xlsx")


@pytest.mark.parametrize("rows, word", [([*ROWS, ROWS[0]], "'MUSE_1' twice"), ([], "no rows"),
                                        ([*ROWS, (None, "SR", 50, "MALE")], "without FileName")])
def test_table_whose_rows_are_no_recordings(root, rows, word):
    write_table(root / shaoxing.FIGSHARE, rows)
    with pytest.raises(EcgtlError) as error:
        shaoxing.read(root)
    one_line(error, shaoxing.TABLE, word)


def test_missing_parts_say_how_to_get_them(root, signals):
    with pytest.raises(EcgtlError) as error:
        shaoxing.read(root / "nowhere")
    one_line(error, "shaoxing-figshare/", "ecg-arrhythmia/1.0.0/", "data fetch shaoxing", "ECGTL_DATA")
    for file in signals.iterdir():
        file.unlink()
    with pytest.raises(EcgtlError) as error:
        shaoxing.read(root)
    one_line(error, signals, "ECGData.zip")
    (root / shaoxing.FIGSHARE / shaoxing.TABLE).unlink()
    with pytest.raises(EcgtlError) as error:
        shaoxing.diagnostics(root)
    one_line(error, shaoxing.TABLE, "missing")


@pytest.mark.parametrize("options", [{"form": "zip"}, {"on_bad": "ignore"}, {"ningbo": True}])
def test_options_are_checked(root, options):
    with pytest.raises(EcgtlError) as error:
        shaoxing.read(root, **options)
    one_line(error, next(iter(options)))


def test_diagnostics(root):
    table = shaoxing.diagnostics(root)
    assert table.columns.tolist() == ["id", "rhythm", "age", "sex"]
    assert table["id"].tolist() == [row[0] for row in ROWS]
    assert table["rhythm"].tolist() == [RHYTHMS[row[1]] for row in ROWS]
    assert table["age"].tolist() == [60.0, 71.0, 80.0, 20.0]
    assert table["sex"].tolist() == ["male", "female", "male", "female"]


@pytest.mark.parametrize("row, column", [(("MUSE_4", "SR", "old", "MALE"), "PatientAge"),
                                         (("MUSE_4", "SR", None, "MALE"), "PatientAge"),
                                         (("MUSE_4", "SR", 20, "M"), "Gender")])
def test_diagnostics_refuse_what_cannot_be_counted(root, row, column):
    write_table(root / shaoxing.FIGSHARE, [*ROWS[:3], row])
    with pytest.raises(EcgtlError) as error:
        shaoxing.diagnostics(root)
    one_line(error, shaoxing.TABLE, column, "MUSE_4")


def write_wfdb(root, record, dx, folder="01/010"):
    """One record of the PhysioNet form."""
    base = root / csn.FOLDER / "WFDBRecords" / folder
    base.mkdir(parents=True, exist_ok=True)
    stored = np.random.default_rng(int(record[2:])).integers(-900, 900, (12, 5000)).astype("<i2")
    savemat(base / f"{record}.mat", {"val": stored}, format="4")
    sums = stored.sum(axis=1, dtype=int) % 65536
    lines = [f"{record} 12 500 5000"] + [f"{record}.mat 16+24 1000/mV 16 0 {x[0]} {total} 0 {lead}"
                                         for x, total, lead in zip(stored, sums, LEADS, strict=True)]
    (base / f"{record}.hea").write_text("\n".join([*lines, "#Age: 85", "#Sex: Male", f"#Dx: {dx}"]) + "\n")
    return base / f"{record}.hea"


CODES = {"JS00001": "164889003,59118001", "JS00002": "164890007", "JS00003": "428750005,251166008",
         "JS00004": "233896004", "JS10646": "17366009", "JS10647": "426177001"}


@pytest.fixture
def physionet(tmp_path):
    for record, dx in CODES.items():
        write_wfdb(tmp_path, record, dx)
    return tmp_path


def test_physionet_form(physionet):
    recordings = shaoxing.read(physionet)
    assert recordings.ids.tolist() == list(CODES)[:-1]  # JS10647 comes from Ningbo
    assert [recordings.classes[k] for k in recordings.labels] == [
        RHYTHMS[code] for code in ("AFIB", "AF", "AVNRT", "AVNRT", "SAAWR")]
    assert recordings.version == "PhysioNet 1.0.0"
    record = physionet / csn.FOLDER / "WFDBRecords/01/010/JS00001"
    np.testing.assert_allclose(recordings.signal(0), wfdb.rdrecord(str(record)).p_signal.T, atol=1e-6)
    both = shaoxing.read(physionet, ningbo=True)
    assert both.counts()["sinus_bradycardia"] == 1
    assert both.version != recordings.version


def test_wandering_beside_another_rhythm_is_a_finding(physionet):
    write_wfdb(physionet, "JS00005", "426177001,195101003")
    write_wfdb(physionet, "JS00006", "195101003")
    recordings = shaoxing.read(physionet)
    names = [recordings.classes[k] for k in recordings.labels]
    label = dict(zip(recordings.ids.tolist(), names, strict=True))
    assert (label["JS00005"], label["JS00006"]) == (RHYTHMS["SB"], RHYTHMS["SAAWR"])


@pytest.mark.parametrize("dx, reason", [("426177001,427393009", "several rhythms"), ("59118001", "no rhythm"),
                                        ("", "no rhythm"), ("999", "no rhythm")])
def test_physionet_record_without_one_rhythm(physionet, dx, reason):
    path = write_wfdb(physionet, "JS00005", dx)
    with pytest.raises(EcgtlError) as error:
        shaoxing.read(physionet)
    one_line(error, path, reason, "on_bad=skip")
    assert shaoxing.read(physionet, on_bad="skip").skipped == {reason: ["JS00005"]}


def test_figshare_comes_first_where_both_are_there(physionet, microvolts):
    base = physionet / shaoxing.FIGSHARE
    write_table(base, ROWS[:1])
    (base / "ECGData").mkdir()
    (base / "ECGData" / "MUSE_1.csv").write_text(csv_text(microvolts["MUSE_1"]))
    assert shaoxing.read(physionet).version == "figshare v2"
    assert shaoxing.read(physionet, form="physionet").version == "PhysioNet 1.0.0"


@pytest.mark.needs("shaoxing-figshare")
def test_the_real_table(real_data):
    table = shaoxing.diagnostics(real_data)
    assert len(table) == 10646
    expected = {"SB": 3889, "SR": 1826, "AFIB": 1780, "ST": 1568, "SVT": 587, "AF": 445, "SA": 399, "AT": 121,
                "AVNRT": 16, "AVRT": 8, "SAAWR": 7}
    assert table["rhythm"].value_counts().to_dict() == {RHYTHMS[code]: n for code, n in expected.items()}
    assert (table["age"].mean().round(1), table["age"].std().round(2)) == (59.2, 18.03)
    assert (table["sex"] == "male").sum() == 5956


@pytest.mark.needs("shaoxing-figshare", "ecg-arrhythmia")
def test_the_real_signals_of_both_forms(real_data):
    figshare = shaoxing.read(real_data, on_bad="skip")
    assert sorted(figshare.ids.tolist()) == ["MUSE_20180111_155115_19000", "MUSE_20180111_155633_99000"]
    assert len(figshare.skipped["signal absent"]) == 10644
    marked = figshare.ids.tolist().index("MUSE_20180111_155633_99000")  # header row and byte-order mark
    np.testing.assert_allclose(figshare.signal(marked)[:3, 0], [-0.00488, -0.15616, -0.15128], rtol=1e-6)
    plain = figshare.ids.tolist().index("MUSE_20180111_155115_19000")
    np.testing.assert_allclose(figshare.signal(plain)[:3, 0], [-0.16533, -0.35897, -0.12171], rtol=1e-6)
    assert set(np.diff(figshare.offsets)) == {5000}
    physionet = shaoxing.read(real_data, form="physionet")
    counts = {name: n for name, n in physionet.counts().items() if n}
    expected = {"SB": 50, "SR": 13, "AFIB": 22, "ST": 10, "AF": 5}
    assert counts == {RHYTHMS[code]: n for code, n in expected.items()}
    record = real_data / csn.FOLDER / "WFDBRecords/01/010" / str(physionet.ids[7])
    np.testing.assert_allclose(physionet.signal(7), wfdb.rdrecord(str(record)).p_signal.T, atol=1e-6)
