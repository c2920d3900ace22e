"""The loader of bedside monitors' exports: patients by folder, signals without a heart, damaged records."""

import shutil
import tracemalloc

import numpy as np
import pytest
import wfdb
from messages import one_line

from ecgtl import datasets
from ecgtl.config import PretrainConfig
from ecgtl.datasets import icu_monitor, splits, synthetic
from ecgtl.errors import EcgtlError
from ecgtl.jobs import pretrain
from ecgtl.signals.windows import unlabelled

FLAT, MISSING, SEGMENTS = "flat window", "window with missing samples (NaN)", 3


def write(root, name, stored, leads=("II",), rate=250, units=("mV",), gain=200, checksum=None):
    """A record below ``icu-monitor``; ``stored`` (samples, leads) are integers, -32768 for no sample."""
    path = root / icu_monitor.FOLDER / f"{name}.hea"
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = np.asarray(stored).reshape(len(stored), -1)
    path.with_suffix(".dat").write_bytes(stored.astype("<i2").tobytes())
    sums = [int(np.sum(column).astype(np.int16)) if checksum is None else checksum for column in stored.T]
    lines = [f"{path.stem} {stored.shape[1]} {rate} {len(stored)}"]
    lines += [f"{path.stem}.dat 16 {gain}/{unit} 12 0 {column[0]} {total} 0 {lead}"
              for column, total, lead, unit in zip(stored.T, sums, leads, units * len(leads), strict=False)]
    path.write_text("\n".join(lines) + "\n")
    return path


def beats(seconds=30, rate=250, seed=0):
    """Something like a heart: a spike a second over noise."""
    stored = np.random.default_rng(seed).integers(-5, 6, seconds * rate)
    stored[rate // 2::rate] += 200
    return stored


@pytest.fixture
def export(tmp_path):
    """Two patients: one with two segments, one with a second lead and a pressure."""
    write(tmp_path, "anna/0001", beats(seed=1))
    write(tmp_path, "anna/monday/0002", beats(40, seed=2))
    both = np.column_stack([beats(seed=3), beats(seed=4), beats(seed=5)])
    write(tmp_path, "bert/0001", both, ("V5", "II", "ABP"), units=("mV", "mV", "mmHg"))
    return tmp_path


# --- what is read ---

def test_patients_are_folders_and_records_are_paths(export):
    recordings = icu_monitor.read(export)
    assert recordings.ids.tolist() == ["anna/0001", "anna/monday/0002", "bert/0001"]
    assert recordings.subjects.tolist() == ["anna", "anna", "bert"]
    assert recordings.counts() == {"unlabelled": 3} and recordings.classes == () and recordings.skipped == {}
    assert recordings.durations.tolist() == [30, 40, 30] and set(recordings.leads.ravel()) == {"II"}


def test_signals_are_those_that_wfdb_reads(export):
    recordings = icu_monitor.read(export)
    for i, name in enumerate(recordings.ids):
        read = wfdb.rdrecord(str(export / icu_monitor.FOLDER / name))
        expected = read.p_signal[:, read.sig_name.index("II")]
        np.testing.assert_allclose(recordings.signal(i)[0], expected, atol=1e-6)


def test_another_lead_by_name_or_index(export):
    without = ["anna/0001", "anna/monday/0002"]
    v5 = icu_monitor.read(export, lead="v5")
    assert v5.ids.tolist() == ["bert/0001"] and v5.skipped == {"no lead v5": without}
    second = icu_monitor.read(export, lead=1)
    assert second.leads.tolist() == [["II"]] and second.skipped == {"no lead 1": without}


def test_a_record_without_the_lead_is_counted_not_refused(export):
    write(export, "bert/pressure", beats(), ("ABP",), units=("mmHg",))
    assert icu_monitor.read(export).skipped == {"no lead II": ["bert/pressure"]}


def test_missing_samples_are_nan_and_flat_stretches_stay(export):
    stored = beats()
    stored[1000:1010], stored[3000:4000] = -32768, 0
    write(export, "carl/0001", stored)
    recordings = icu_monitor.read(export)
    signal = recordings.signal(3)[0]
    assert np.flatnonzero(np.isnan(signal)).tolist() == list(range(1000, 1010))
    assert not signal[3000:4000].any() and recordings.samples.dtype == np.float32


def test_records_of_all_rates_and_lengths_go_together(export):
    write(export, "dora/0001", beats(12, 500), rate=500)
    recordings = icu_monitor.read(export)
    assert recordings.sampling_rate.tolist() == [250, 250, 250, 500] and recordings.durations[3] == 12


@pytest.mark.parametrize("folder, patient", [
    ("p10/p10014354/81739927", "p10014354"), ("p00/p000020", "p000020"), ("p10/monday", "p10"),
    ("1/10", "1"), ("p1/p20", "p1"), ("anna", "anna")])
def test_the_patient_of_a_folder(tmp_path, folder, patient):
    write(tmp_path, f"{folder}/0001", beats())
    assert icu_monitor.read(tmp_path).subjects.tolist() == [patient]


def test_headers_that_hold_no_samples_are_passed_over(export):
    base = export / icu_monitor.FOLDER / "anna"
    (base / "all.hea").write_text("all/2 1 250 17500\n0001 7500\n0002 10000\n")
    (base / "all_layout.hea").write_text("all_layout 1 250 0\n~ 0 200/mV 12 0 0 0 0 II\n")
    (base / "._0001.hea").write_text("left by a file manager")
    recordings = icu_monitor.read(export)
    assert len(recordings) == SEGMENTS and recordings.skipped == {}


def test_read_once_and_again_when_a_file_changes(export):
    first = icu_monitor.read(export)
    assert icu_monitor.read(export).samples.filename == first.samples.filename
    write(export, "anna/0001", beats(seed=9))
    again = icu_monitor.read(export)
    assert again.samples.filename != first.samples.filename and again.digest != first.digest


def test_memory_holds_one_record_at_a_time(tmp_path):
    for k in range(24):
        write(tmp_path, f"p{k:02d}/0001", beats(600, seed=k))
    tracemalloc.start()
    recordings = icu_monitor.read(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert recordings.samples.nbytes == 24 * 600 * 250 * 4 and peak < recordings.samples.nbytes / 4


# --- where it goes ---

def test_windows_leave_out_what_shows_no_heart_and_count_it(tmp_path):
    stored = beats(80)  # nine windows of 2,048 samples
    stored[2 * 2048 + 100] = -32768  # the filter looks 4 s beyond a window, so its neighbours see it too
    stored[6 * 2048:8 * 2048] = 0
    write(tmp_path, "anna/0001", stored)
    windows = unlabelled([icu_monitor.read(tmp_path)]).materialise()
    reasons = {MISSING: 2, FLAT: 2}
    assert windows.skipped == reasons and len(windows) == 9 - sum(reasons.values())


def test_pretraining_takes_an_export_as_its_source(export):
    asked = PretrainConfig.of(sources="icu_monitor", tier="reduced", root=str(export)).resolved()
    windows = pretrain.whole_of(asked, pretrain.read(asked))
    assert windows.subjects.tolist() == ["icu_monitor/anna", "icu_monitor/bert"]
    assert len(windows) == 3 + 4 + 3


def test_classification_says_that_there_is_nothing_to_learn(export):
    with pytest.raises(EcgtlError) as error:
        splits.stratified(icu_monitor.read(export), 0.1, 0.2, 0)
    one_line(error, "icu_monitor", "no label")


# --- what cannot be read ---

def test_no_folder_and_no_record(tmp_path):
    with pytest.raises(EcgtlError) as error:
        icu_monitor.read(tmp_path)
    one_line(error, tmp_path / "icu-monitor", "<patient>/<record>.hea", "ECGTL_DATA")
    write(tmp_path, "0001", beats())
    with pytest.raises(EcgtlError) as error:
        icu_monitor.read(tmp_path)
    one_line(error, "0001.hea", "no patient's folder")


def test_no_record_with_the_lead(export):
    with pytest.raises(EcgtlError) as error:
        icu_monitor.read(export, lead="aVR")
    one_line(error, "aVR", "ABP, II, V5")
    with pytest.raises(EcgtlError) as error:
        icu_monitor.read(export, lead="ABP")
    one_line(error, "ABP is not a voltage", "V5, II")


@pytest.mark.parametrize("options", [{"on_bad": "ignore"}, {"lead": -1}, {"lead": True}])
def test_options_are_checked(export, options):
    with pytest.raises(EcgtlError) as error:
        icu_monitor.read(export, **options)
    one_line(error, next(iter(options)))


def truncate(path):
    path.with_suffix(".dat").write_bytes(path.with_suffix(".dat").read_bytes()[:-2])


def lose(path):
    path.with_suffix(".dat").unlink()


def flip(path):
    content = bytearray(path.with_suffix(".dat").read_bytes())
    content[500] ^= 1
    path.with_suffix(".dat").write_bytes(content)


def garble(path):
    path.write_text("a letter to the ward\n")


def empty(path):
    path.write_text("")


def elsewhere(path):
    path.write_text(path.read_text().replace("0001.dat", "../0001.dat"))


@pytest.mark.parametrize("damage, said", [
    (truncate, "truncated"), (garble, "not a WFDB header"), (empty, "empty"),
    (elsewhere, "beside the header")])
def test_a_damaged_record_is_an_error_or_counted(export, damage, said):
    damage(export / icu_monitor.FOLDER / "anna/0001.hea")
    with pytest.raises(EcgtlError) as error:
        icu_monitor.read(export)
    one_line(error, "0001.hea" if damage in (garble, empty, elsewhere) else "0001.dat", said, "on_bad=skip")
    recordings = icu_monitor.read(export, on_bad="skip")
    assert recordings.skipped == {"damaged record": ["anna/0001"]}
    assert recordings.ids.tolist() == ["anna/monday/0002", "bert/0001"]
    whole = export / "whole"
    shutil.copytree(export / icu_monitor.FOLDER / "anna/monday", whole / icu_monitor.FOLDER / "anna/monday")
    np.testing.assert_array_equal(recordings.lead(0), icu_monitor.read(whole).lead(0))


def test_a_checksum_that_does_not_fit_is_said(export, capsys):
    flip(export / icu_monitor.FOLDER / "anna/0001.hea")
    assert "anna/0001" in icu_monitor.read(export).ids
    assert "1 (anna/0001): the checksum" in capsys.readouterr().err


def test_a_missing_signal_file_is_named(export):
    lose(export / icu_monitor.FOLDER / "anna/0001.hea")
    with pytest.raises(EcgtlError) as error:
        icu_monitor.read(export)
    one_line(error, "0001.dat is missing")


def test_nothing_readable_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path / "cache"))
    truncate(write(tmp_path, "anna/0001", beats()))
    with pytest.raises(EcgtlError) as error:
        icu_monitor.read(tmp_path, on_bad="skip")
    one_line(error, "no usable recording", "damaged record: 1 (anna/0001)", "truncated")
    assert not list((tmp_path / "cache").glob("*icu_monitor*"))


# --- the twin ---

@pytest.fixture(scope="module")
def twin(session_cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        return datasets.load("icu_monitor", twin=True), synthetic.twin_root("icu_monitor")


def test_the_twin_reads_alike_through_wfdb(twin):
    recordings, root = twin
    two_leads = 0
    for i in range(0, len(recordings), 7):
        read = wfdb.rdrecord(str(root / icu_monitor.FOLDER / recordings.ids[i]))
        np.testing.assert_allclose(recordings.signal(i)[0], read.p_signal[:, 0], atol=1e-6, equal_nan=True)
        assert read.fs == 250 and read.sig_name[0] == "II" and read.units[0] == "mV"
        two_leads += len(read.sig_name) == 2
    assert two_leads and recordings.synthetic


def test_the_twin_has_what_a_ward_has(twin):
    recordings, root = twin
    patients, segments = np.unique(recordings.subjects, return_counts=True)
    assert len(patients) == 64 and segments.min() >= 2 and recordings.durations.sum() > 2 * 3600
    assert sum(file.stat().st_size for file in root.rglob("*") if file.is_file()) < 10e6
    signals = [recordings.lead(i) for i in range(len(recordings))]
    rail = 2047 / 400
    assert sum(np.isnan(signal).any() for signal in signals) > 5
    assert sum((signal == np.float32(rail)).sum() > 50 for signal in signals) > 5
    assert max(np.nanmax(np.abs(signal)) for signal in signals) <= 2048 / 400
    changes = [np.flatnonzero(np.diff(np.nan_to_num(signal, nan=9.0))) for signal in signals]
    assert sum(np.diff(at).max() > 2048 for at in changes) > 5  # level for longer than a window


def test_the_windows_of_the_twin_are_usable_but_for_some(twin):
    windows = unlabelled([twin[0]]).materialise()
    assert set(windows.skipped) == {MISSING, FLAT} and min(windows.skipped.values()) > 5
    assert len(windows) > 1000 and sum(windows.skipped.values()) < 0.15 * len(windows)
    assert len(windows.subjects) == 64
