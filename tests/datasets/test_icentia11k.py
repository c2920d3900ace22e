"""The Icentia11k loader: patient by patient, beats and rhythms beside the signal."""

from itertools import chain

import numpy as np
import pytest
import wfdb
from messages import one_line

from ecgtl.datasets import icentia11k
from ecgtl.errors import EcgtlError

N_SAMPLES = 2000
MARKS = ([5, 5, 300, 700, 1500], ["+", "N", "S", "V", "+"], ["(N", "None", "None", "None", ")"])
SEGMENTS = {"p00000": ["p00000_s00", "p00000_s01"], "p00007": ["p00007_s00"], "p01000": ["p01000_s03"]}


def write_segment(root, name, stored=None, marks=MARKS):
    folder = root / icentia11k.FOLDER / name[:3] / name[:6]
    folder.mkdir(parents=True, exist_ok=True)
    if stored is None:
        stored = np.random.default_rng(int(name[1:6]) * 100 + int(name[8:])).integers(-80, 135, N_SAMPLES)
    wfdb.wrsamp(name, fs=250, units=["mV"], sig_name=["ecg"], d_signal=stored[:, np.newaxis], fmt=["16"],
                adc_gain=[74.36482269503546], baseline=[0], write_dir=str(folder))
    sample, symbol, aux = marks
    wfdb.wrann(name, "atr", np.array(sample), list(symbol), aux_note=list(aux), write_dir=str(folder))
    return folder / f"{name}.hea"


@pytest.fixture
def root(tmp_path):
    for names in SEGMENTS.values():
        for name in names:
            write_segment(tmp_path, name)
    return tmp_path


def test_reads_what_was_written(root):
    recordings = icentia11k.read(root, patients="p00000")
    assert recordings.ids.tolist() == SEGMENTS["p00000"]
    assert recordings.subjects.tolist() == ["p00000", "p00000"]
    assert recordings.counts() == {"unlabelled": 2}
    assert (set(recordings.sampling_rate), recordings.version) == ({250.0}, "1.0")
    assert recordings.samples.dtype == np.int16
    for i, name in enumerate(SEGMENTS["p00000"]):
        record = wfdb.rdrecord(str(root / icentia11k.FOLDER / "p00/p00000" / name))
        np.testing.assert_allclose(recordings.signal(i), record.p_signal.T, atol=1e-6)
        sample, symbol, aux = recordings.annotations.of(i)
        assert (sample.tolist(), symbol.tolist()) == MARKS[:2]
        assert aux.tolist() == ["(N", "", "", "", ")"]


def test_patients(root):
    assert icentia11k.patients(root) == list(SEGMENTS)
    (root / icentia11k.FOLDER / "p00" / "notes").mkdir()
    assert icentia11k.patients(root) == list(SEGMENTS)


def test_several_patients_are_one_after_the_other(root):
    write_segment(root, "p00007_s00", marks=([9, 20], ["N", "Q"], ["", ""]))
    whole = icentia11k.read(root)
    assert whole.ids.tolist() == [*chain(*SEGMENTS.values())]
    assert whole.subjects.tolist() == ["p00000", "p00000", "p00007", "p01000"]
    assert isinstance(whole.samples, np.memmap)
    assert [whole.annotations.of(i)[1].tolist() for i in (1, 2, 3)] == [MARKS[1], ["N", "Q"], MARKS[1]]
    for i, part, k in ((0, "p00000", 0), (1, "p00000", 1), (2, "p00007", 0), (3, "p01000", 0)):
        np.testing.assert_array_equal(whole.signal(i), icentia11k.read(root, patients=part).signal(k))
    chosen = icentia11k.read(root, patients=["p01000", "p00007"])
    assert chosen.ids.tolist() == ["p01000_s03", "p00007_s00"]
    np.testing.assert_array_equal(chosen.signal(0), whole.signal(3))
    digests = {r.digest for r in (whole, chosen, icentia11k.read(root, patients=["p00007", "p01000"]))}
    assert len(digests) == 3


def test_a_patient_has_a_cache_entry_of_its_own(root, session_cache, monkeypatch):
    icentia11k.read(root)
    entries = set(session_cache.glob("icentia11k-*"))
    icentia11k.read(root, patients="p00007")
    icentia11k.read(root, patients="p01000")
    assert set(session_cache.glob("icentia11k-*")) == entries


@pytest.mark.parametrize("patients", ["p00001", ["p00000", "p99999"], [], ["p00000", "p00000"]])
def test_patients_that_there_are_none_of(root, patients):
    with pytest.raises(EcgtlError) as error:
        icentia11k.read(root, patients=patients)
    one_line(error, icentia11k.FOLDER, "p00000 … p01000")


def test_too_many_patients_at_once(root, monkeypatch):
    monkeypatch.setattr(icentia11k, "TOGETHER", 2)
    with pytest.raises(EcgtlError) as error:
        icentia11k.read(root)
    one_line(error, "3 patients", "at most 2", "patients=")
    assert len(icentia11k.read(root, patients=["p00000", "p00007"])) == 3


def test_missing_folder_and_empty_patient(root, tmp_path):
    with pytest.raises(EcgtlError) as error:
        icentia11k.read(tmp_path / "nowhere")
    one_line(error, "p00/p00000", "data fetch icentia11k", "ECGTL_DATA")
    empty = root / icentia11k.FOLDER / "p00" / "p00008"
    empty.mkdir()
    with pytest.raises(EcgtlError) as error:
        icentia11k.read(root)
    one_line(error, empty, "no records", "data fetch icentia11k")


def test_truncated_signal(root):
    file = root / icentia11k.FOLDER / "p00/p00000/p00000_s01.dat"
    file.write_bytes(file.read_bytes()[:-2])
    with pytest.raises(EcgtlError) as error:
        icentia11k.read(root)
    one_line(error, file, "truncated", "fetch", "on_bad=skip")
    assert icentia11k.read(root, on_bad="skip").skipped == {"truncated signal file": ["p00000_s01"]}


def test_flat_segment(root):
    path = write_segment(root, "p00000_s01", stored=np.full(N_SAMPLES, 3))
    with pytest.raises(EcgtlError) as error:
        icentia11k.read(root)
    one_line(error, path, "constant signal", "on_bad=skip")
    recordings = icentia11k.read(root, on_bad="skip")
    assert recordings.skipped == {"constant signal": ["p00000_s01"]}
    assert recordings.ids.tolist() == ["p00000_s00", "p00007_s00", "p01000_s03"]


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b""),
                                    lambda file: file.write_bytes(file.read_bytes()[:-2])])
def test_unreadable_annotations(root, damage):
    file = root / icentia11k.FOLDER / "p00/p00000/p00000_s01.atr"
    damage(file)
    with pytest.raises(EcgtlError) as error:
        icentia11k.read(root)
    one_line(error, file, "fetch")
    assert icentia11k.read(root, on_bad="skip").skipped == {"unreadable annotations": ["p00000_s01"]}


def test_marks_beyond_the_signal(root):
    path = write_segment(root, "p00000_s01", marks=([10, N_SAMPLES], ["N", "N"], ["", ""]))
    with pytest.raises(EcgtlError) as error:
        icentia11k.read(root)
    one_line(error, path.with_suffix(".atr"), "outside the signal")
    recordings = icentia11k.read(root, on_bad="skip", patients="p00000")
    assert recordings.annotations.of(1)[0].tolist() == [10]
    assert recordings.skipped == {"annotation outside the signal": [f"p00000_s01@{N_SAMPLES}"]}


@pytest.mark.needs("icentia11k-continuous-ecg")
def test_the_real_patient(real_data):
    recordings = icentia11k.read(real_data)
    assert recordings.ids.tolist() == [f"p00000_s{k:02d}" for k in range(25)]
    assert recordings.durations.sum() / 3600 == pytest.approx(29.1, abs=0.05)
    assert set(recordings.subjects) == {"p00000"}
    symbols, counts = np.unique(recordings.annotations.symbol, return_counts=True)
    assert (symbols.tolist(), counts.tolist()) == (["+", "N", "Q", "S"], [804, 134336, 4731, 1])
    assert set(recordings.annotations.aux) == {"", "(N", ")"}  # normal rhythm throughout
    record = real_data / icentia11k.FOLDER / "p00/p00000/p00000_s24"
    np.testing.assert_allclose(recordings.signal(24), wfdb.rdrecord(str(record)).p_signal.T, atol=1e-6)
