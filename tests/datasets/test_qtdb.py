"""The QTDB loader: what is MITDB's left out, gains of 0 and nameless leads said, one level, records that nobody has
marked."""

import re
from dataclasses import replace

import numpy as np
import pytest
import wfdb
from messages import one_line

from ecgtl import datasets
from ecgtl.datasets import catalogue, qtdb, synthetic
from ecgtl.errors import EcgtlError
from ecgtl.signals import frame_labels
from ecgtl.signals.windows import unlabelled

N_SAMPLES = 2500
NAMED = ("D3", "V4")
# record -> gain and lead names of its header
RECORDS = {"sel100": (200, NAMED), "sel14046": (0, ("record 14046, signal 0", "record 14046, signal 1")),
           "sel35": (600, NAMED),
           "sel820": (200, ("record 820, signal 0", "record 820, signal 1")), "sele0121": (135, NAMED),
           "sele0122": (200, NAMED)}
BEATS = ([10, 300, 900], ["N", "S", "V"])
WITHOUT = "sel35"


def write_record(base, record, stored, gain=200, leads=NAMED, rate="250/128", beats=BEATS):
    """A record as the release has it: format 212, a counter's rate behind the sampling rate, no units."""
    base.mkdir(parents=True, exist_ok=True)
    wfdb.wrsamp(record, fs=250, units=["mV"] * 2, sig_name=["a", "b"], d_signal=stored, fmt=["212"] * 2,
                adc_gain=[200.0] * 2, baseline=[0] * 2, write_dir=str(base))
    lines = [f"{record}.dat 212 {gain} 12 0 {column[0]} {np.sum(column).astype(np.int16)} 0 {lead}"
             for column, lead in zip(stored.T, leads, strict=True)]
    (base / f"{record}.hea").write_text("\n".join([f"{record} 2 {rate} {len(stored)}", *lines, "#Age: 47  Sex: M", ""]))
    if beats:
        wfdb.wrann(record, "atr", np.array(beats[0]), list(beats[1]), write_dir=str(base))


def stored_of(record):
    rng = np.random.default_rng(sorted(RECORDS).index(record))
    return rng.integers(-50, 50, (N_SAMPLES, 2)) + 300


@pytest.fixture
def root(tmp_path):
    for record, (gain, leads) in RECORDS.items():
        write_record(tmp_path / qtdb.FOLDER, record, stored_of(record), gain, leads,
                     beats=None if record == WITHOUT else BEATS)
    return tmp_path


@pytest.fixture
def base(root):
    return root / qtdb.FOLDER


def test_reads_what_was_written(root):
    recordings = qtdb.read(root)
    assert recordings.ids.tolist() == ["sel14046", "sel35", "sel820", "sele0121", "sele0122"]
    assert set(recordings.sampling_rate) == {250.0} and recordings.classes == ()
    assert recordings.leads[1].tolist() == list(NAMED)
    for i, record in enumerate(recordings.ids):
        stored, gain = stored_of(str(record)), RECORDS[str(record)][0] or 200
        expected = (stored - np.median(stored, axis=0)) / gain
        np.testing.assert_allclose(recordings.signal(i), expected.T, atol=1e-6)
        sample, symbol, _ = recordings.annotations.of(i)
        assert (sample.tolist(), symbol.tolist()) == (([], []) if record == WITHOUT else BEATS)


@pytest.mark.parametrize("on_bad", ["error", "skip"])
def test_what_comes_from_mitdb_is_left_out_and_counted(root, on_bad):
    recordings = qtdb.read(root, on_bad=on_bad)
    assert recordings.skipped == {"excerpt of MITDB": ["sel100"]} and "sel100" not in recordings.ids


def test_records_of_one_subject(root):
    assert qtdb.read(root).subjects.tolist() == ["sel14046", "sel35", "sel820", "sele0121", "sele0121"]


def test_what_was_read_by_a_rule_is_said_at_every_load(root, capsys):
    for _ in range(2):
        qtdb.read(root)
        said = capsys.readouterr().err
        assert "qtdb, 1 (sel14046): the header gives no gain, read as 200/mV (the WFDB standard)\n" in said
        unnamed = "the header does not name the leads; lead 0 is the first of a Holter's two"
        assert f"qtdb, 2 (sel14046, sel820): {unnamed}\n" in said
        assert f"qtdb, 1 ({WITHOUT}): it has no beat annotations and serves as a signal alone\n" in said
        assert "median is 0 mV" in said


def test_nothing_is_said_of_what_there_is_not(tmp_path, capsys):
    write_record(tmp_path / qtdb.FOLDER, "sele0704", stored_of("sel820"))
    qtdb.read(tmp_path)
    said = capsys.readouterr().err
    assert "no gain" not in said and "name the leads" not in said and "no beat annotations" not in said


def test_a_record_whose_beats_are_marked_may_not_lack_them(root, base):
    (base / "sel820.atr").unlink()
    with pytest.raises(EcgtlError) as error:
        qtdb.read(root)
    one_line(error, base / "sel820.atr", "missing", "fetch")


@pytest.mark.parametrize("damage", [lambda base: (base / "sel820.dat").write_bytes(b"12345"),
                                    lambda base: (base / "sel820.hea").write_text("sel820 2 0/128 2500\n"),
                                    lambda base: (base / "sel820.atr").write_bytes(b"no marks")])
def test_damage_is_named_and_left_out_where_that_is_asked_for(root, base, damage):
    damage(base)
    with pytest.raises(EcgtlError) as error:
        qtdb.read(root)
    one_line(error, "sel820")
    found = qtdb.read(root, on_bad="skip")
    assert "sel820" not in found.ids and ["sel820"] in found.skipped.values()


def test_a_flat_lead_meets_the_policy(root, base):
    stored = stored_of("sel820")
    stored[:, 1] = 7
    write_record(base, "sel820", stored)
    with pytest.raises(EcgtlError) as error:
        qtdb.read(root)
    one_line(error, base / "sel820.hea", "constant signal", "on_bad=skip")
    assert qtdb.read(root, on_bad="skip").skipped["constant signal"] == ["sel820"]


def test_missing_folder_says_how_to_get_it(tmp_path):
    with pytest.raises(EcgtlError) as error:
        qtdb.read(tmp_path)
    one_line(error, tmp_path / qtdb.FOLDER, "python -m ecgtl data fetch qtdb", "ECGTL_DATA")


def test_recordings_that_nobody_has_marked_are_no_noise(root):
    recordings = qtdb.read(root)
    assert frame_labels.unmarked("beat", recordings) == frame_labels.unmarked("heart_rate", recordings) == [WITHOUT]
    # nobody has marked a rhythm: that is for the task to refuse
    assert frame_labels.unmarked("rhythm", recordings) == []
    assert frame_labels.unmarked("beat", datasets.load("mitdb", twin=True)) == []
    assert frame_labels.unmarked("beat", replace(recordings, annotations=None)) == []


def test_a_recording_without_marks_is_unmarked_only_where_its_whole_subject_is(root, base):
    (base / "sel30.hea").write_text((base / "sele0122.hea").read_text().replace("sele0122", "sel30"))
    (base / "sel30.dat").write_bytes(bytes(reversed((base / "sele0122.dat").read_bytes())))
    (base / "sel30.hea").write_text(re.sub(r"(12 0 \S+) \S+", r"\1 0", (base / "sel30.hea").read_text()))
    recordings = qtdb.read(root)
    assert frame_labels.unmarked("beat", recordings) == ["sel30", WITHOUT]
    together = replace(recordings, subjects=np.where(recordings.ids == "sel30", "sel820", recordings.subjects))
    assert frame_labels.unmarked("beat", together) == [WITHOUT]


def test_the_twin_is_read_by_the_same_rules():
    twin, base = datasets.load("qtdb", twin=True), synthetic.twin_root("qtdb") / qtdb.FOLDER
    written = (base / "RECORDS").read_text().split()
    assert twin.synthetic and twin.skipped == {"excerpt of MITDB": ["sel100"]}
    assert sorted([*twin.ids.tolist(), "sel100"]) == sorted(written)
    assert len(set(twin.subjects.tolist())) == len(twin) - 1 and twin.duplicates == ()
    assert {(base / f"{name}.hea").read_text().split()[2] for name in written} == {"250", "250/128", "250/360"}
    unmarked = {name for name in written if not (base / f"{name}.atr").exists()}
    assert unmarked and unmarked <= qtdb.WITHOUT_MARKS and set(frame_labels.unmarked("beat", twin)) == unmarked
    for i, name in enumerate(twin.ids):
        read = wfdb.rdrecord(str(base / name))  # takes a gain of 0 for 200, too
        np.testing.assert_allclose(twin.signal(i), read.p_signal.T - np.median(read.p_signal, axis=0)[:, np.newaxis],
                                   atol=1e-5)
        assert twin.leads[i].tolist() == read.sig_name
    assert {"N", "S", "V", "F"} <= set(twin.annotations.symbol) and "+" not in twin.annotations.symbol


@pytest.mark.needs("qtdb")
def test_the_release(real_data, capsys):
    recordings = datasets.load("qtdb", real_data)
    said = capsys.readouterr().err
    base = real_data / qtdb.FOLDER
    assert len(recordings) == 90 and recordings.duplicates == () and len(set(recordings.subjects.tolist())) == 87
    assert set(recordings.skipped) <= {"excerpt of MITDB"}
    assert set(np.diff(recordings.offsets)) <= {224993, 224999, 225000}
    assert recordings.durations.sum() / 3600 == pytest.approx(22.5, abs=0.01)
    found = re.findall(r"recordings of qtdb, (\d+) \(.*?\): (?:the header|it) (.*?)[;,\n]", said)
    counted = {what: int(n) for n, what in found}
    assert counted == {"gives no gain": 10, "does not name the leads": 57,
                       "has no beat annotations and serves as a signal alone": 23}
    symbols, counts = np.unique(recordings.annotations.symbol, return_counts=True)
    found = dict(zip(symbols.tolist(), counts.tolist(), strict=True))
    assert (found["N"], found["S"], found["V"]) == (69362, 731, 530)
    assert set(frame_labels.unmarked("beat", recordings)) == qtdb.WITHOUT_MARKS
    # marked in two records alone, so it adds nothing to rhythm
    assert len(frame_labels.unmarked("rhythm", recordings)) == 87
    for record in ("sel14046", "sel35", "sel883", "sele0116"):  # gains of 0, 200, 0, and 200 beside 135
        i = recordings.ids.tolist().index(record)
        theirs = wfdb.rdrecord(str(base / record)).p_signal
        np.testing.assert_allclose(recordings.signal(i), (theirs - np.median(theirs, axis=0)).T, atol=1e-5)
        if record != "sel35":
            assert recordings.annotations.of(i)[0].tolist() == wfdb.rdann(str(base / record), "atr").sample.tolist()
    frame_labels.tracks_of(recordings, 125.0)  # knows every mark
    assert len(unlabelled([recordings])) > 9000
    assert catalogue.available(catalogue.entry("qtdb"), real_data).found in (90, 105)
