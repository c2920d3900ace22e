"""The Chapman-Shaoxing and Ningbo loader: SNOMED codes as labels, and records as found in the wild."""

import numpy as np
import pytest
import wfdb
from messages import one_line
from scipy.io import savemat

from ecgtl.datasets import csn, snomed
from ecgtl.datasets.leads import LEADS
from ecgtl.errors import EcgtlError

CODES = {"JS00001": "426177001,164934002", "JS00002": "426783006", "JS20001": "284470004,251187003,426783006"}


def write_record(root, record, dx, first_line=None, stored=None):
    """One record as the release has it; returns the path of its header."""
    base = root / csn.FOLDER / "WFDBRecords" / record[2:4] / record[2:5]
    base.mkdir(parents=True, exist_ok=True)
    if stored is None:
        stored = np.random.default_rng(int(record[2:])).integers(-900, 900, (12, 500))
    savemat(base / f"{record}.mat", {"val": stored.astype("<i2")}, format="4")
    sums = stored.sum(axis=1) % 65536
    lines = [first_line or f"{record} 12 500 {stored.shape[1]}"]
    lines += [f"{record}.mat 16+24 1000/mV 16 0 {x[0]} {total} 0 {lead}"
              for x, total, lead in zip(stored, sums, LEADS, strict=True)]
    lines += ["#Age: NaN", f"# Dx: {dx}", "#Rx: Unknown"]
    (base / f"{record}.hea").write_text("\n".join(lines) + "\n")
    return base / f"{record}.hea"


@pytest.fixture
def root(tmp_path):
    for record, dx in CODES.items():
        write_record(tmp_path, record, dx)
    return tmp_path


def labels(recordings, record):
    row = recordings.labels[recordings.ids.tolist().index(record)]
    return {name for name, there in zip(recordings.classes, row, strict=True) if there}


def test_reads_what_was_written(root):
    recordings = csn.read(root)
    assert recordings.ids.tolist() == list(CODES)
    assert recordings.multi_label
    assert labels(recordings, "JS00001") == {"sinus_bradycardia", "t_wave_abnormal"}
    assert labels(recordings, "JS20001") == {"sinus_rhythm", "premature_atrial_contraction",
                                             "atrial_escape_beat"}
    assert recordings.version == "1.0.0"
    for i, record in enumerate(CODES):
        path = root / csn.FOLDER / "WFDBRecords" / record[2:4] / record[2:5] / record
        np.testing.assert_allclose(recordings.signal(i), wfdb.rdrecord(str(path)).p_signal.T, atol=1e-6)


def test_the_twenty_labels(root):
    recordings = csn.read(root, view="csn_20")
    assert len(recordings.classes) == 20
    assert labels(recordings, "JS20001") == {"sinus_rhythm", "premature_atrial_contraction"}
    assert csn.read(root).classes[:20] == recordings.classes
    assert csn.read(root).classes[20:] == ("atrial_escape_beat",)


def test_the_twenty_are_those_with_a_thousand_recordings():
    """MELEP 2023, section 2.2: 94 labels in all, 20 of which have more than 1,000 records."""
    table = snomed.tables()
    both = {code: snomed.records(code, "shaoxing", "ningbo") for code in table["codes"]}
    assert {code for code, n in both.items() if n >= 1000} == set(table["csn_20"].values())
    assert sum(n > 0 for n in both.values()) == 94


def test_the_table_names_every_code_once():
    codes = snomed.tables()["codes"]
    for kind in ("name", "short"):
        assert len({entry[kind] for entry in codes.values()}) == len(codes)
    assert all(isinstance(code, str) and code.isdigit() for code in codes)
    for other in ("written_as", "same_diagnosis"):
        assert set(snomed.tables()[other].values()) <= set(codes)
    rhythms = [code for rhythm in snomed.tables()["shaoxing"].values() for code in rhythm["codes"]]
    assert len(set(rhythms)) == len(rhythms) and set(rhythms) <= set(codes)


def test_another_code_for_the_same_statement(root):
    write_record(root, "JS00003", "233896004,251166008")
    assert labels(csn.read(root), "JS00003") == {"av_node_reentrant_tachycardia"}


def test_some_leads(root):
    whole, some = csn.read(root), csn.read(root, leads=("v6", "I"))
    assert some.leads[0].tolist() == ["V6", "I"]
    np.testing.assert_array_equal(some.signal(1), whole.signal(1)[[11, 0]])
    assert some.samples.shape[1] == 2


def test_mat_in_the_first_line_of_the_header(root):
    path = write_record(root, "JS00003", "426783006", first_line="JS00003.mat 12 500 500")
    recordings = csn.read(root)
    assert "JS00003" in recordings.ids
    assert path.exists()


def merged_line(path):
    """The damage of JS01052 in the release: the first line and the first lead's have run together."""
    first, lead, *rest = path.read_text().splitlines()
    path.write_text("\n".join([f"{first}00{lead.split(' ', 2)[2][3:]}", *rest]))


@pytest.mark.parametrize("damage", [
    merged_line, lambda path: path.write_text(""), lambda path: path.with_suffix(".mat").unlink(),
    lambda path: path.with_suffix(".mat").write_bytes(path.with_suffix(".mat").read_bytes()[:-2]),
    lambda path: path.write_text(path.read_text().replace("1000/mV", "0/mV"))])
def test_damaged_record(root, damage):
    path = write_record(root, "JS01052", "426783006")
    damage(path)
    with pytest.raises(EcgtlError) as error:
        csn.read(root)
    one_line(error, path.with_suffix(""), "on_bad=skip")
    recordings = csn.read(root, on_bad="skip")
    assert recordings.skipped == {"damaged record": ["JS01052"]}
    assert recordings.ids.tolist() == list(CODES)


def nan_samples(stored):
    stored[3, 100] = -32768


def flat_lead(stored):
    stored[3] = 5


@pytest.mark.parametrize("damage, reason", [(nan_samples, "missing samples (NaN)"),
                                            (flat_lead, "constant signal")])
def test_missing_samples_and_flat_leads(root, damage, reason):
    stored = np.random.default_rng(3).integers(-900, 900, (12, 500))
    damage(stored)
    path = write_record(root, "JS00003", "426783006", stored=stored)
    with pytest.raises(EcgtlError) as error:
        csn.read(root)
    one_line(error, path, reason, "on_bad=skip")
    assert csn.read(root, on_bad="skip").skipped == {reason: ["JS00003"]}


@pytest.mark.parametrize("dx, reason", [("", "no diagnosis"), ("426783006,12345", "unknown code 12345"),
                                        ("Unknown", "unknown code Unknown")])
def test_diagnosis_that_cannot_be_read(root, dx, reason):
    path = write_record(root, "JS00003", dx)
    with pytest.raises(EcgtlError) as error:
        csn.read(root)
    one_line(error, path, reason, "on_bad=skip")
    assert csn.read(root, on_bad="skip").skipped == {reason: ["JS00003"]}


def test_header_without_diagnosis(root):
    path = write_record(root, "JS00003", "1")
    path.write_text("\n".join(line for line in path.read_text().splitlines() if "Dx" not in line))
    assert csn.read(root, on_bad="skip").skipped == {"no diagnosis": ["JS00003"]}


def test_signal_without_header(root):
    path = write_record(root, "JS00003", "426783006")
    path.unlink()
    with pytest.raises(EcgtlError) as error:
        csn.read(root)
    one_line(error, path.with_suffix(".mat"), "signal without a header", "on_bad=skip")
    assert csn.read(root, on_bad="skip").skipped == {"signal without a header": ["JS00003"]}


def test_identical_signals_are_reported_and_one_subject(root):
    stored = np.random.default_rng(1).integers(-900, 900, (12, 500))  # those of JS00001
    write_record(root, "JS20002", "426783006", stored=stored)
    recordings = csn.read(root)
    assert recordings.duplicates == (("JS00001", "JS20002"),)
    assert recordings.subjects.tolist() == ["JS00001", "JS00002", "JS20001", "JS00001"]


def test_what_macos_leaves_is_no_record(root):
    path = write_record(root, "JS00003", "426783006")
    (path.parent / "._JS00003.hea").write_bytes(b"\0\5\x16\7")
    assert len(csn.read(root)) == 4


def test_missing_folder_and_unknown_options(root, tmp_path):
    with pytest.raises(EcgtlError) as error:
        csn.read(tmp_path / "nowhere")
    one_line(error, "WFDBRecords", "data fetch csn", "ECGTL_DATA")
    with pytest.raises(EcgtlError) as error:
        csn.read(root, view="five")
    one_line(error, "view", "csn_20")


@pytest.mark.needs("ecg-arrhythmia")
def test_the_real_records(real_data):
    recordings = csn.read(real_data, on_bad="skip")
    assert len(recordings) == 118
    assert recordings.skipped == {"constant signal": ["JS20004", "JS20008"]}
    counts = recordings.counts()
    rhythms = ("atrial_fibrillation", "atrial_flutter", "sinus_tachycardia")
    assert [counts[name] for name in rhythms] == [22, 5, 25]
    path = real_data / csn.FOLDER / "WFDBRecords/20/200/JS20000"
    i = recordings.ids.tolist().index("JS20000")
    np.testing.assert_allclose(recordings.signal(i), wfdb.rdrecord(str(path)).p_signal.T, atol=1e-6)
