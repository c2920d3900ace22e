"""The CinC 2017 loader: folder and archive, real and synthetic, whole and damaged."""

import shutil
import zipfile

import numpy as np
import pytest
import wfdb
from messages import one_line
from scipy.io import loadmat, savemat

from ecgtl import datasets
from ecgtl.datasets import cinc2017, synthetic
from ecgtl.datasets.collector import Collector
from ecgtl.errors import EcgtlError

LABELS = {"A00001": "N", "A00002": "A", "A00003": "O", "A00004": "~", "A00005": "N"}


def write_record(training, record, stored):
    """One record as the release has it: a MATLAB level 4 file, and a header that gives its sum."""
    training.mkdir(parents=True, exist_ok=True)
    savemat(training / f"{record}.mat", {"val": stored.astype("<i2")[np.newaxis]}, format="4")
    checksum = int(stored.astype(np.int64).sum() % 65536)
    (training / f"{record}.hea").write_text(
        f"{record} 1 300 {len(stored)}\n{record}.mat 16+24 1000/mV 16 0 {stored[0]} {checksum} 0 ECG \n")


@pytest.fixture
def root(tmp_path):
    """A small release of five records, unpacked."""
    rng = np.random.default_rng(11)
    base = tmp_path / cinc2017.FOLDER
    for record in LABELS:
        write_record(base / "training2017", record, rng.integers(-2000, 2000, int(rng.integers(2700, 4000))))
    (base / "REFERENCE-v3.csv").write_text("".join(f"{r},{label}\n" for r, label in LABELS.items()))
    return tmp_path


@pytest.fixture
def training(root):
    return root / cinc2017.FOLDER / "training2017"


@pytest.fixture
def labels(root):
    return root / cinc2017.FOLDER / "REFERENCE-v3.csv"


def pack(root, names=None, to=None):
    """The same release as an archive, the folder gone."""
    base = root / cinc2017.FOLDER
    with zipfile.ZipFile(to or base / "training2017.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted((base / "training2017").iterdir()):
            archive.write(file, f"training2017/{file.name}")
        for name in names or ():
            archive.writestr(name, "not from the release")
    shutil.rmtree(base / "training2017")
    return base / "training2017.zip"


def test_reads_what_was_written(root, training):
    recordings = cinc2017.read(root)
    assert recordings.ids.tolist() == list(LABELS)
    assert recordings.classes == ("normal", "af", "other", "noise")
    assert recordings.labels.tolist() == [0, 1, 2, 3, 0]
    assert recordings.counts() == {"normal": 2, "af": 1, "other": 1, "noise": 1}
    assert set(recordings.sampling_rate) == {300.0}
    assert (recordings.skipped, recordings.duplicates, recordings.synthetic) == ({}, (), False)
    for i, record in enumerate(LABELS):
        stored = loadmat(training / f"{record}.mat")["val"]
        assert recordings.durations[i] == pytest.approx(stored.shape[1] / 300)
        np.testing.assert_allclose(recordings.signal(i), stored / 1000, atol=1e-6)
        np.testing.assert_allclose(recordings.signal(i), wfdb.rdrecord(str(training / record)).p_signal.T, atol=1e-6)
        np.testing.assert_array_equal(recordings.lead(i, "ecg"), recordings.signal(i)[0])


def test_archive_and_folder_are_the_same_data(root):
    unpacked = cinc2017.read(root)
    pack(root)
    packed = cinc2017.read(root)
    assert packed.digest == unpacked.digest
    np.testing.assert_array_equal(packed.samples, unpacked.samples)
    assert packed.ids.tolist() == unpacked.ids.tolist()


def test_archive_brings_its_own_labels(root, labels):
    (root / cinc2017.FOLDER / "training2017" / "REFERENCE.csv").write_text(labels.read_text())
    labels.unlink()
    unpacked = cinc2017.read(root)
    pack(root)
    assert cinc2017.read(root).digest == unpacked.digest


def test_version_3_of_the_labels_comes_first(root, training):
    (training / "REFERENCE.csv").write_text("".join(f"{record},~\n" for record in LABELS))
    assert cinc2017.read(root).counts()["noise"] == 1


def test_nothing_is_unpacked(root):
    pack(root)
    before = set(root.rglob("*"))
    cinc2017.read(root)
    assert set(root.rglob("*")) == before


def test_missing_folder_says_how_to_get_it(tmp_path):
    with pytest.raises(EcgtlError) as error:
        cinc2017.read(tmp_path / "nowhere")
    one_line(error, tmp_path / "nowhere", "python -m ecgtl data fetch cinc2017", "ECGTL_DATA")


@pytest.mark.parametrize("content", [b"", b"x", b"\x1e\0\0\0", "half", "one sample short"])
def test_damaged_signal_file(root, training, content):
    file = training / "A00003.mat"
    whole = file.read_bytes()
    file.write_bytes({"half": whole[:len(whole) // 2], "one sample short": whole[:-2]}.get(content, content))
    with pytest.raises(EcgtlError) as error:
        cinc2017.read(root)
    one_line(error, file, "fetch", "on_bad=skip")
    recordings = cinc2017.read(root, on_bad="skip")
    assert recordings.skipped == {"truncated signal file": ["A00003"]} and len(recordings) == len(LABELS) - 1


@pytest.mark.parametrize("text", ["", "garbage", "\0\1\2", "A00003 1 0 3000\nA00003.mat 16+24 1000/mV\n",
                                  "A00003 1 300\nA00003.mat 16+24 1000/mV\n",
                                  "A00003 1 300 3000\nA00003.mat 16+24 0/mV\n",
                                  "A00003 1 300 3000\nA00003.mat 16+24\n",
                                  "A00003 1 300 3000\nA00003.mat 212 1000/mV\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_damaged_header(root, training, text, packed):
    (training / "A00003.hea").write_text(text)
    if packed:
        pack(root)
    with pytest.raises(EcgtlError) as error:
        cinc2017.read(root)
    one_line(error, "A00003")


@pytest.mark.parametrize("suffix", ["mat", "hea"])
@pytest.mark.parametrize("packed", [False, True])
def test_half_a_record(root, training, suffix, packed):
    (training / f"A00002.{suffix}").unlink()
    if packed:
        pack(root)
    with pytest.raises(EcgtlError) as error:
        cinc2017.read(root)
    one_line(error, f"A00002.{suffix}", "fetch")


def flat(n):
    return np.full(n, 7)


def incomplete(n):
    stored = np.arange(n) % 100
    stored[50] = -32768
    return stored


@pytest.mark.parametrize(("make", "reason"), [(flat, "constant signal"), (incomplete, "missing samples (NaN)")])
def test_flat_or_incomplete_signal_meets_the_policy(root, training, make, reason):
    write_record(training, "A00002", make(3000))
    with pytest.raises(EcgtlError) as error:
        cinc2017.read(root)
    one_line(error, training / "A00002.mat", reason, "on_bad=skip")
    recordings = cinc2017.read(root, on_bad="skip")
    assert recordings.skipped == {reason: ["A00002"]}
    assert recordings.ids.tolist() == ["A00001", "A00003", "A00004", "A00005"]
    assert cinc2017.read(root, on_bad="skip").skipped == {reason: ["A00002"]}  # from the cache too


def test_label_without_a_recording_meets_the_policy(root, labels):
    with labels.open("a") as file:
        file.write("A09999,N\nA09998,N\n")
    with pytest.raises(EcgtlError) as error:
        cinc2017.read(root)
    one_line(error, labels, "A09998", "on_bad=skip")
    recordings = cinc2017.read(root, on_bad="skip")
    assert recordings.skipped == {"label without a recording": ["A09998", "A09999"]}
    assert len(recordings) == 5


def test_recording_without_a_label_meets_the_policy(root, training, labels):
    labels.write_text("".join(f"{r},{label}\n" for r, label in LABELS.items() if r != "A00004"))
    with pytest.raises(EcgtlError) as error:
        cinc2017.read(root)
    one_line(error, training / "A00004.mat", labels, "on_bad=skip")
    recordings = cinc2017.read(root, on_bad="skip")
    assert recordings.skipped == {"no label": ["A00004"]}
    assert recordings.counts() == {"normal": 2, "af": 1, "other": 1, "noise": 0}


def test_nothing_usable_is_an_error(root, training):
    for record in LABELS:
        write_record(training, record, flat(3000))
    with pytest.raises(EcgtlError) as error:
        cinc2017.read(root, on_bad="skip")
    one_line(error, "cinc2017", "constant signal: 5")


def test_unknown_policy(root):
    with pytest.raises(EcgtlError) as error:
        cinc2017.read(root, on_bad="ignore")
    one_line(error, "'ignore'", "error, skip")


@pytest.mark.parametrize("text", ["", "A00001\n", "A00001,N,x\n", "A00001,B\n", "\0\0,\0\n", "record,label\nA00001,N\n",
                                  "A00001,N\n\nA00002,A\n", "x" * 200_000])
def test_damaged_label_file(root, labels, text):
    labels.write_text(text)
    with pytest.raises(EcgtlError) as error:
        cinc2017.read(root)
    one_line(error, labels)
    assert len(str(error.value)) < 500


def test_missing_label_file(root, labels):
    labels.unlink()
    with pytest.raises(EcgtlError) as error:
        cinc2017.read(root)
    one_line(error, labels.parent, "REFERENCE")
    archive = pack(root)
    with pytest.raises(EcgtlError) as error:
        cinc2017.read(root)
    one_line(error, archive, "REFERENCE")


@pytest.mark.parametrize("packed", [False, True])
def test_labels_edited_in_a_spreadsheet(root, training, labels, packed):
    expected = cinc2017.read(root).digest
    text = "\ufeff" + labels.read_text().replace("\n", " \r\n") + "\r\n"
    labels.unlink()
    (training / "REFERENCE.csv").write_text(text, newline="")
    if packed:
        pack(root)
    assert cinc2017.read(root).digest == expected


def test_a_record_with_two_labels(root, labels):
    labels.write_text(labels.read_text() + "A00002,O\n")
    with pytest.raises(EcgtlError) as error:
        cinc2017.read(root)
    one_line(error, labels, "line 6", "A00002 has two labels")
    labels.write_text(labels.read_text().replace("A00002,O", "A00002,A"))
    assert cinc2017.read(root).counts()["af"] == 1


@pytest.mark.parametrize("name", ["../outside.mat", "training2017/../../outside.mat", "/etc/outside.mat",
                                  "..\\outside.mat", "\\outside.mat", "C:\\outside.mat", "C:outside.mat"])
def test_archive_with_unsafe_paths(root, name):
    archive = pack(root, [name])
    with pytest.raises(EcgtlError) as error:
        cinc2017.read(root)
    one_line(error, archive, "unsafe")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive at all" * 100])
def test_file_that_is_no_archive(root, content):
    archive = pack(root)
    archive.write_bytes(content)
    with pytest.raises(EcgtlError) as error:
        cinc2017.read(root)
    one_line(error, archive, "fetch")


def test_truncated_archive(root):
    archive = pack(root)
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(EcgtlError) as error:
        cinc2017.read(root)
    one_line(error, archive, "fetch")


def test_no_damaged_archive_is_read_as_other_data(root):
    """Bytes are changed in hundreds of places: each gives the same data or one line naming the file."""
    archive = pack(root)
    whole = archive.read_bytes()
    expected = cinc2017.read(root)
    rng = np.random.default_rng(8)
    refused = 0
    for _ in range(200):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), 3):
            damaged[at] ^= int(rng.integers(1, 256))
        archive.write_bytes(damaged)
        try:
            source = cinc2017.Source(archive.parent)
            collector = Collector(cinc2017.NAME, cinc2017.VERSION, tuple(cinc2017.CLASSES.values()))
            cinc2017.collect(source, collector)
            found = collector.recordings()
        except EcgtlError as error:
            assert "\n" not in str(error)
            assert str(archive) in str(error) or "REFERENCE-v3.csv names A0" in str(error)
            refused += 1
        else:
            assert found.digest == expected.digest
    assert refused > 150


def test_encrypted_archive(root):
    archive = pack(root)
    content = bytearray(archive.read_bytes())
    at = content.find(b"PK\x01\x02")
    while at >= 0:  # the flag that says a member is encrypted, in the directory at the end
        content[at + 8] |= 1
        at = content.find(b"PK\x01\x02", at + 1)
    archive.write_bytes(content)
    with pytest.raises(EcgtlError) as error:
        cinc2017.read(root)
    one_line(error, archive)


def test_copies_of_one_signal_belong_to_one_subject(root, training):
    write_record(training, "A00005", loadmat(training / "A00002.mat")["val"][0])
    recordings = cinc2017.read(root)
    assert recordings.duplicates == (("A00002", "A00005"),)
    assert recordings.subjects.tolist() == ["A00001", "A00002", "A00003", "A00004", "A00002"]
    assert recordings.select([0, 1, 2]).duplicates == ()
    assert recordings.select([4, 1]).duplicates == (("A00002", "A00005"),)


def test_select_keeps_each_recording_whole(root):
    recordings = cinc2017.read(root)
    chosen = recordings.select([3, 0])
    assert chosen.ids.tolist() == ["A00004", "A00001"]
    assert chosen.labels.tolist() == [3, 0]
    np.testing.assert_array_equal(chosen.signal(0), recordings.signal(3))
    np.testing.assert_array_equal(chosen.signal(1), recordings.signal(0))
    assert chosen.digest not in ("", recordings.digest)
    assert recordings.select(range(5)).digest == recordings.digest
    assert recordings.select([-1]).digest == recordings.select([4]).digest
    assert recordings.select(recordings.labels == 0).ids.tolist() == ["A00001", "A00005"]
    assert len(recordings.select([])) == 0
    with pytest.raises(IndexError):
        recordings.select([5])


def test_signal_counts_from_the_end_and_no_further(root):
    recordings = cinc2017.read(root)
    np.testing.assert_array_equal(recordings.signal(-1), recordings.signal(4))
    np.testing.assert_array_equal(recordings.lead(-1), recordings.lead(4))
    with pytest.raises(IndexError):
        recordings.signal(5)


def test_unknown_lead(root):
    recordings = cinc2017.read(root)
    for lead in ("II", 1, -1):
        with pytest.raises(EcgtlError) as error:
            recordings.lead(0, lead)
        one_line(error, "A00001", "ECG")


def test_twin():
    twin = datasets.load("cinc2017", twin=True)
    assert twin.synthetic
    assert twin.classes == ("normal", "af", "other", "noise")
    assert min(twin.counts().values()) > 10
    assert twin.durations.min() >= 9
    assert twin.durations.max() <= 61
    training = synthetic.twin_root("cinc2017") / cinc2017.FOLDER / "training2017"
    for i in np.random.default_rng(0).choice(len(twin), 5, replace=False):
        theirs = wfdb.rdrecord(str(training / twin.ids[i]))
        np.testing.assert_allclose(twin.signal(i), theirs.p_signal.T, atol=1e-6)


def test_twin_as_archive(tmp_path):
    """A handful of the twin's records, in both forms of the release."""
    source = synthetic.twin_root("cinc2017") / cinc2017.FOLDER
    (tmp_path / cinc2017.FOLDER / "training2017").mkdir(parents=True)
    labels = (source / "REFERENCE-v3.csv").read_text().splitlines()[:6]
    for record in (line.split(",")[0] for line in labels):
        for suffix in ("mat", "hea"):
            shutil.copy(source / "training2017" / f"{record}.{suffix}",
                        tmp_path / cinc2017.FOLDER / "training2017")
    (tmp_path / cinc2017.FOLDER / "REFERENCE-v3.csv").write_text("\n".join(labels) + "\n")
    unpacked = cinc2017.read(tmp_path)
    pack(tmp_path)
    assert cinc2017.read(tmp_path).digest == unpacked.digest
    assert len(unpacked) == 6


@pytest.mark.needs("challenge-2017")
def test_release(real_data):
    recordings = datasets.load("cinc2017", real_data)
    assert recordings.counts() == {"normal": 5076, "af": 758, "other": 2415, "noise": 279}
    assert recordings.duplicates == (("A00227", "A01176"), ("A02656", "A03123"))
    assert len(set(recordings.subjects.tolist())) == len(recordings) - 2
    assert recordings.skipped == {}
    assert not recordings.synthetic
    assert 9 <= recordings.durations.min() < recordings.durations.max() <= 61
    training = real_data / cinc2017.FOLDER / "training2017"
    for i in np.random.default_rng(17).choice(len(recordings), 20, replace=False):
        theirs = wfdb.rdrecord(str(training / recordings.ids[i]))
        np.testing.assert_allclose(recordings.signal(i), theirs.p_signal.T, atol=1e-6)
        assert recordings.sampling_rate[i] == theirs.fs
        assert recordings.leads[i].tolist() == theirs.sig_name
