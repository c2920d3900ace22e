"""The Georgia loader: labels by name or by count, and records of other kinds among them."""

from collections import Counter

import numpy as np
import pytest
import wfdb
from messages import one_line
from scipy.io import savemat

from ecgtl import published
from ecgtl.datasets import georgia, snomed
from ecgtl.datasets.leads import LEADS
from ecgtl.errors import EcgtlError

SB, NSR, TAB, LAE = "426177001", "426783006", "164934002", "67741000119109"
CODES = {"E00001": f"{SB},{TAB}", "E00002": NSR, "E00003": f"{TAB},{LAE}", "E00004": f"{SB},{TAB},{LAE}"}


def write_record(root, record, dx, first_line=None, n_samples=500, age="66", stored=None):
    """One record as the release has it; returns the path of its header."""
    base = root / georgia.FOLDER / f"g{record[-1]}"
    base.mkdir(parents=True, exist_ok=True)
    if stored is None:
        stored = np.random.default_rng(int(record[1:])).integers(-900, 900, (12, n_samples))
    savemat(base / f"{record}.mat", {"val": stored.astype("<i2")}, format="4")
    lines = [first_line or f"{record} 12 500 {stored.shape[1]}"]
    lines += [f"{record}.mat 16x1+24 1000.0(0)/mV 16 0 {x[0]} {x.sum() % 65536} 0 {lead}"
              for x, lead in zip(stored, LEADS, strict=True)]
    lines += [f"# Age: {age}", "# Sex: Male", f"# Dx: {dx}", "# Rx: Unknown"]
    (base / f"{record}.hea").write_text("\n".join(lines) + "\n")
    return base / f"{record}.hea"


@pytest.fixture
def root(tmp_path):
    for record, dx in CODES.items():
        write_record(tmp_path, record, dx)
    return tmp_path


def test_reads_what_was_written(root):
    recordings = georgia.read(root)
    assert recordings.ids.tolist() == recordings.subjects.tolist() == list(CODES)
    assert recordings.multi_label and recordings.version == "1.0.2"
    assert recordings.counts() == {"sinus_bradycardia": 2, "sinus_rhythm": 1, "t_wave_abnormal": 3,
                                   "left_atrial_enlargement": 2}
    for i, record in enumerate(CODES):
        path = root / georgia.FOLDER / f"g{record[-1]}" / record
        np.testing.assert_allclose(recordings.signal(i), wfdb.rdrecord(str(path)).p_signal.T, atol=1e-6)


def test_the_most_frequent_labels(root):
    """Two labels have two recordings each: the first in the table comes first."""
    assert georgia.read(root, labels=1).counts() == {"t_wave_abnormal": 3}
    recordings = georgia.read(root, labels=2)
    assert recordings.counts() == {"t_wave_abnormal": 3, "sinus_bradycardia": 2}
    assert recordings.labels.tolist() == [[1, 1], [0, 0], [1, 0], [1, 1]]
    assert set(georgia.read(root, labels=4).classes) == set(georgia.read(root).classes)


def test_what_is_skipped_does_not_count(root):
    for record in ("E00005", "E00006", "E00007"):
        write_record(root, record, NSR, stored=np.ones((12, 500), int))
    recordings = georgia.read(root, labels=1, on_bad="skip")
    assert recordings.counts() == {"t_wave_abnormal": 3}
    assert recordings.skipped == {"constant signal": ["E00005", "E00006", "E00007"]}


@pytest.mark.parametrize("labels", [["t_wave_abnormal", "sinus_bradycardia"], ["TAb", "SB"], (TAB, SB)])
def test_labels_by_name_short_name_and_code(root, labels):
    recordings = georgia.read(root, labels=labels)
    assert recordings.classes == ("t_wave_abnormal", "sinus_bradycardia")
    assert recordings.labels.tolist() == [[1, 1], [0, 0], [1, 0], [1, 1]]


def test_one_label_and_the_ten_of_the_paper(root):
    assert georgia.read(root, labels="NSR").counts() == {"sinus_rhythm": 1}
    ten = georgia.read(root, labels="georgia_10")
    assert len(ten.classes) == published.lookup("melep2023.scalars.georgia_labels_used.value")
    assert len(ten) == 4 and ten.labels.sum(axis=0).tolist() == [1, 0, 0, 0, 2, 0, 0, 3, 0, 0]
    assert len(georgia.read(root, labels="scored_2020").classes) == 27


@pytest.mark.parametrize("labels, words", [
    (0, ["0", "above 0"]), (-3, ["above 0"]), (True, ["True"]), (5, ["5", "4 labels"]), ([], ["[]"]),
    ("sinus", ["'sinus'", "georgia_10"]), (["SB", "XYZ"], ["'XYZ'"]), (["SB", SB], ["each once"]),
    ([3], ["3"])])
def test_labels_that_cannot_be_chosen(root, labels, words):
    with pytest.raises(EcgtlError) as error:
        georgia.read(root, labels=labels)
    one_line(error, "labels", *words)


def test_the_ten_of_the_paper_are_the_most_frequent_that_the_challenge_scores():
    """MELEP 2023, section 2.2, calls them those with most samples; of all labels they are not."""
    counts = {code: snomed.records(code, "georgia") for code in snomed.tables()["codes"]}
    scored = sorted(snomed.label_set("scored_2020"), key=lambda code: -counts[code])
    ten = set(snomed.label_set("georgia_10"))
    assert set(scored[:10]) == ten and counts[scored[9]] > counts[scored[10]]
    assert sum(counts[code] > counts[scored[9]] for code in counts) == 9 + 5


def test_the_official_table_settles_the_number_of_labels():
    """MELEP 2023 says 67 in section 2.2 and 62 in Table 1."""
    found = sum(snomed.records(code, "georgia") > 0 for code in snomed.tables()["codes"])
    assert found == published.lookup("melep2023.scalars.georgia_labels.value")
    assert found != published.lookup("melep2023.table1.rows.georgia.labels")


def test_words_for_a_statement():
    assert snomed.names()["SB"] == snomed.names()[SB] == "sinus_bradycardia"
    assert snomed.canonical("28189009") == "426183003"  # another code for the same statement
    codes = snomed.tables()["codes"]
    words = [word for code, entry in codes.items() for word in (code, entry["short"], entry["name"])]
    assert len(set(words)) == len(words)
    assert set(snomed.label_set("scored_2020")) <= set(codes) and len(snomed.label_set("csn_20")) == 20


@pytest.mark.parametrize("age", ["NaN", "300", ""])
def test_mat_in_the_first_line_odd_ages_and_other_lengths_are_read(root, age):
    write_record(root, "E00005", NSR, first_line="E00005.mat 12 500 250", n_samples=250, age=age)
    recordings = georgia.read(root)
    assert recordings.durations.tolist() == [1, 1, 1, 1, 0.5]
    assert recordings.counts()["sinus_rhythm"] == 2


@pytest.mark.parametrize("dx, first_line, reason", [
    ("", None, "no diagnosis"), (f"{SB},12345", None, "unknown code 12345"),
    (SB, "E00005 12 257 500", "sampled at 257 Hz"), (SB, "E00005 12 1000 500", "sampled at 1000 Hz"),
    (SB, "E00005 12 500", "damaged record")])
def test_what_is_refused_or_counted(root, dx, first_line, reason):
    path = write_record(root, "E00005", dx, first_line)
    with pytest.raises(EcgtlError) as error:
        georgia.read(root)
    one_line(error, path, "on_bad=skip", *([] if reason == "damaged record" else [reason]))
    recordings = georgia.read(root, on_bad="skip")
    assert recordings.skipped == {reason: ["E00005"]} and len(recordings) == 4


def test_signal_without_header_and_identical_signals(root):
    first = np.random.default_rng(1).integers(-900, 900, (12, 500))  # those of E00001
    write_record(root, "E00005", NSR, stored=first)
    path = write_record(root, "E00006", NSR)
    path.unlink()
    with pytest.raises(EcgtlError) as error:
        georgia.read(root)
    one_line(error, path.with_suffix(".mat"), "without a header")
    recordings = georgia.read(root, on_bad="skip")
    assert recordings.skipped == {"signal without a header": ["E00006"]}
    assert recordings.duplicates == (("E00001", "E00005"),)
    assert recordings.subjects[4] == "E00001"


def test_some_leads_and_what_macos_leaves(root):
    (root / georgia.FOLDER / "g1/._E00001.hea").write_bytes(b"\0\5\x16\7")
    whole, some = georgia.read(root), georgia.read(root, leads=("v6", "I"))
    assert len(some) == 4
    np.testing.assert_array_equal(some.signal(1), whole.signal(1)[[11, 0]])


def test_missing_folder_and_a_record_twice(root, tmp_path):
    with pytest.raises(EcgtlError) as error:
        georgia.read(tmp_path / "nowhere")
    one_line(error, "training/georgia", "data fetch georgia", "ECGTL_DATA")
    copy = root / georgia.FOLDER / "copy"
    copy.mkdir()
    (copy / "E00001.hea").write_text((root / georgia.FOLDER / "g1/E00001.hea").read_text())
    with pytest.raises(EcgtlError) as error:
        georgia.read(root)
    one_line(error, copy / "E00001.hea", "g1/E00001.hea", "remove")


@pytest.mark.needs("challenge-2020")
def test_the_real_records(real_data):
    """Counted again from the headers' text, and the signals as wfdb reads them."""
    recordings = georgia.read(real_data)
    paths = sorted((real_data / georgia.FOLDER).rglob("*.hea"))
    counts = Counter(snomed.name_of(code) for path in paths
                     for code in path.read_text().split("Dx: ")[1].split("\n")[0].split(","))
    assert len(recordings) == len(paths) and recordings.skipped == {}
    assert recordings.counts() == counts
    assert list(georgia.read(real_data, labels=3).counts().values()) == sorted(counts.values())[:-4:-1]
    assert recordings.duplicates == (("E07509", "E07510"),)  # byte for byte, in the release
    for i in (0, len(paths) - 1):
        read = wfdb.rdrecord(str(paths[i].with_suffix("")))
        np.testing.assert_allclose(recordings.signal(i), read.p_signal.T, atol=1e-6)
