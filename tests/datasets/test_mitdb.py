"""The MITDB loader: signals, beats and rhythms as wfdb reads them; damage refused in one line."""

import numpy as np
import pytest
import wfdb
from messages import one_line

from ecgtl import datasets
from ecgtl.datasets import mitdb, synthetic
from ecgtl.errors import EcgtlError

N_SAMPLES = 3600
LEADS = {"100": ["MLII", "V5"], "102": ["V5", "V2"], "201": ["MLII", "V1"], "202": ["MLII", "V1"]}
MARKS = ([18, 77, 370, 370, 662], ["+", "N", "V", "~", "N"], ["(N", "", "", "", ""])


def write_record(base, record, stored, marks=MARKS):
    base.mkdir(parents=True, exist_ok=True)
    wfdb.wrsamp(record, fs=360, units=["mV"] * 2, sig_name=LEADS[record], d_signal=stored, fmt=["212"] * 2,
                adc_gain=[200.0] * 2, baseline=[1024] * 2, write_dir=str(base))
    sample, symbol, aux = marks
    wfdb.wrann(record, "atr", np.array(sample), list(symbol), aux_note=list(aux), write_dir=str(base))


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(6)
    for record in LEADS:
        write_record(tmp_path / mitdb.FOLDER, record, rng.integers(900, 1200, (N_SAMPLES, 2)))
    return tmp_path


@pytest.fixture
def base(root):
    return root / mitdb.FOLDER


def test_reads_what_was_written(root, base):
    recordings = mitdb.read(root)
    assert recordings.ids.tolist() == list(LEADS)
    assert recordings.leads.tolist() == list(LEADS.values())
    assert recordings.classes == ()
    assert recordings.labels.tolist() == [-1] * 4
    assert recordings.counts() == {"unlabelled": 4}
    assert recordings.samples.dtype == np.int16
    for i, record in enumerate(LEADS):
        np.testing.assert_allclose(recordings.signal(i), wfdb.rdrecord(str(base / record)).p_signal.T, atol=1e-6)
        sample, symbol, aux = recordings.annotations.of(i)
        assert (sample.tolist(), symbol.tolist(), aux.tolist()) == MARKS


def test_202_is_the_subject_of_201(root):
    assert mitdb.read(root).subjects.tolist() == ["100", "102", "201", "201"]


def test_annotations_stay_with_their_recording(root, base):
    write_record(base, "102", np.random.default_rng(1).integers(900, 1200, (N_SAMPLES, 2)), ([5, 9], "VV", ["", ""]))
    chosen = mitdb.read(root).select([1, 0])
    assert chosen.annotations.of(0)[0].tolist() == [5, 9]
    assert chosen.annotations.of(0)[1].tolist() == ["V", "V"]
    assert chosen.annotations.of(1)[0].tolist() == MARKS[0]


def test_digest_counts_the_annotations(root, base):
    before = mitdb.read(root).digest
    wfdb.wrann("100", "atr", np.array([18, 77, 370, 370, 663]), MARKS[1], aux_note=MARKS[2], write_dir=str(base))
    after = mitdb.read(root)
    assert after.annotations.of(0)[0][-1] == 663
    assert after.digest != before


def test_a_lead_that_rests_for_a_while_is_no_damage(root, base):
    stored = np.random.default_rng(1).integers(900, 1200, (N_SAMPLES, 2))
    stored[100:3000, 1] = 1024
    write_record(base, "100", stored)
    assert mitdb.read(root).skipped == {}


def test_a_lead_that_is_flat_throughout_meets_the_policy(root, base):
    stored = np.random.default_rng(1).integers(900, 1200, (N_SAMPLES, 2))
    stored[:, 1] = 1024
    write_record(base, "102", stored)
    with pytest.raises(EcgtlError) as error:
        mitdb.read(root)
    one_line(error, base / "102.hea", "constant signal", "on_bad=skip")
    recordings = mitdb.read(root, on_bad="skip")
    assert recordings.skipped == {"constant signal": ["102"]}
    assert recordings.ids.tolist() == ["100", "201", "202"]
    assert recordings.annotations.of(1)[0].tolist() == MARKS[0]


def test_missing_folder_says_how_to_get_it(tmp_path):
    with pytest.raises(EcgtlError) as error:
        mitdb.read(tmp_path)
    one_line(error, tmp_path / mitdb.FOLDER, "python -m ecgtl data fetch mitdb", "ECGTL_DATA")


@pytest.mark.parametrize("suffix", ["dat", "atr"])
def test_half_a_record(root, base, suffix):
    (base / f"102.{suffix}").unlink()
    with pytest.raises(EcgtlError) as error:
        mitdb.read(root)
    one_line(error, base / f"102.{suffix}", "missing", "fetch")


@pytest.mark.parametrize("keep", [0, 1, 1000, -1])
def test_truncated_signal(root, base, keep):
    file = base / "201.dat"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(EcgtlError) as error:
        mitdb.read(root)
    one_line(error, file, "truncated", "fetch", "on_bad=skip")
    recordings = mitdb.read(root, on_bad="skip")
    assert recordings.skipped == {"truncated signal file": ["201"]} and "201" not in recordings.ids


def test_a_signal_that_does_not_fit_its_checksum_is_read_and_said(root, base, capsys):
    file = base / "201.dat"
    content = bytearray(file.read_bytes())
    content[30] ^= 1
    file.write_bytes(content)
    for _ in range(2):  # from the cache too
        recordings = mitdb.read(root)
        assert "201" in recordings.ids
        assert [line for line in capsys.readouterr().err.splitlines() if "checksum" in line and "1 (201)" in line]


@pytest.mark.parametrize("text", ["", "garbage\n", "\0\0\0", "102 2 0 3600\n", "102 2 360\n",
                                  "102 2 360 3600\n102.dat 212\n102.dat 212\n",
                                  "102 2 360 3600\n102.dat 212 0/mV\n102.dat 212 0/mV\n"])
def test_damaged_header(root, base, text):
    (base / "102.hea").write_text(text)
    with pytest.raises(EcgtlError) as error:
        mitdb.read(root)
    one_line(error, base / "102.hea")


def damaged_annotations(whole):
    rng = np.random.default_rng(3)
    yield from (b"", b"\0", b"\0\0", b"plain text, no annotations", whole[:5], whole[:6], whole[:-2], whole[:-1])
    yield from (rng.bytes(2 * n) for n in (1, 5, 500))
    yield from (rng.bytes(2 * n) + b"\0\0" for n in (20, 100, 1000))


def test_damaged_annotations(root, base):
    file = base / "201.atr"
    for content in damaged_annotations(file.read_bytes()):
        file.write_bytes(content)
        with pytest.raises(EcgtlError) as error:
            mitdb.read(root)
        one_line(error, file, "fetch")


@pytest.mark.parametrize(("sample", "reason", "dropped"), [
    ([18, 77, 370, 3600, 99999], "annotation outside the signal", ["201@3600", "201@99999"]),
    ([18, -5, 370, 371, 372], "annotation outside the signal", ["201@-5"]),
    ([18, 3599, 370, 371, 3599], "annotation out of order", ["201@370", "201@371"]),
])
def test_misplaced_marks_meet_the_policy(root, base, sample, reason, dropped):
    (base / "201.atr").write_bytes(annotation_bytes(sample))
    with pytest.raises(EcgtlError) as error:
        mitdb.read(root)
    one_line(error, base / "201.atr", reason, dropped[0].split("@")[1], "on_bad=skip")
    recordings = mitdb.read(root, on_bad="skip")
    assert recordings.skipped == {reason: dropped}
    gone = {int(name.split("@")[1]) for name in dropped}
    assert recordings.annotations.of(2)[0].tolist() == [s for s in sample if s not in gone]
    assert len(recordings) == 4


def annotation_bytes(sample):
    """Normal beats at ``sample`` by the format's rules (annot(5)), which wfdb refuses to write out of order."""
    content, last = b"", 0
    for at in sample:
        step = at - last
        if not 0 <= step < 1024:  # SKIP: code 59, then the step as 32 bits, the high half first
            content += np.array([59 << 10, (step >> 16) & 0xFFFF, step & 0xFFFF], "<u2").tobytes()
            step = 0
        content += np.array([1 << 10 | step], "<u2").tobytes()
        last = at
    return content + b"\0\0"


def test_hand_made_annotations_follow_the_format(tmp_path):
    sample = [18, 2000, 2000, 3500]
    (tmp_path / "a.atr").write_bytes(annotation_bytes(sample))
    assert wfdb.rdann(str(tmp_path / "a"), "atr").sample.tolist() == sample


def test_twin():
    twin = datasets.load("mitdb", twin=True)
    base = synthetic.twin_root("mitdb") / mitdb.FOLDER
    assert twin.synthetic
    assert set(twin.sampling_rate) == {360.0}
    assert [f"{name}.hea" for name in twin.ids] == sorted(file.name for file in base.glob("*.hea"))
    for i in (0, len(twin) - 1):
        check_against_wfdb(twin, i, base)


def check_against_wfdb(recordings, i, base):
    record = wfdb.rdrecord(str(base / recordings.ids[i]))
    np.testing.assert_allclose(recordings.signal(i), record.p_signal.T, atol=1e-6)
    assert recordings.leads[i].tolist() == record.sig_name
    theirs = wfdb.rdann(str(base / recordings.ids[i]), "atr")
    sample, symbol, aux = recordings.annotations.of(i)
    assert sample.tolist() == theirs.sample.tolist()
    assert symbol.tolist() == theirs.symbol
    assert aux.tolist() == [text.rstrip("\0") for text in theirs.aux_note]


def rhythm_minutes(recordings):
    """Minutes of each rhythm: from its mark to the next rhythm mark, or to the end."""
    minutes = {}
    for i in range(len(recordings)):
        sample, symbol, aux = recordings.annotations.of(i)
        at = np.flatnonzero(symbol == "+")
        ends = np.append(sample[at[1:]], np.diff(recordings.offsets)[i])
        for rhythm, length in zip(aux[at].tolist(), ends - sample[at], strict=True):
            minutes[rhythm] = minutes.get(rhythm, 0) + length / recordings.sampling_rate[i] / 60
    return minutes


@pytest.mark.needs("mitdb")
def test_release(real_data):
    recordings = datasets.load("mitdb", real_data)
    base = real_data / mitdb.FOLDER
    assert len(recordings) == 48
    assert set(np.diff(recordings.offsets)) == {650000}
    assert recordings.skipped == {}
    assert len(set(recordings.subjects.tolist())) == 47
    first = dict(zip(recordings.ids.tolist(), recordings.leads[:, 0].tolist(), strict=True))
    assert {record for record, lead in first.items() if lead != "MLII"} == {"102", "104", "114"}
    for record in ("100", "102", "114", "207", "234"):
        check_against_wfdb(recordings, recordings.ids.tolist().index(record), base)
    counts = np.diff(recordings.annotations.offsets)
    theirs = [len(wfdb.rdann(str(base / record), "atr").sample) for record in recordings.ids]
    assert counts.tolist() == theirs
    minutes = rhythm_minutes(recordings)
    assert minutes["(AFIB"] == pytest.approx(132.6, abs=0.05)
    assert minutes["(AFL"] == pytest.approx(13.1, abs=0.05)
