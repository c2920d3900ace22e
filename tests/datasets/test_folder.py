"""A user's own recordings: any format and rate, one lead or all, labels from a CSV, from comments or from nowhere."""

import numpy as np
import pytest
import wfdb
from messages import one_line
from scipy.io import savemat

from ecgtl import datasets
from ecgtl.datasets import arrays, folder, synthetic
from ecgtl.errors import EcgtlError


def write(root, record, leads=("I", "II"), fs=250, seconds=4, fmt="16", comments=(), seed=0):
    """A record of noise at ``root/record``; returns its samples in mV as wfdb reads them, (samples, leads)."""
    path = root / record
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, *record.encode()])
    # 12-bit numbers, so that every format holds them
    stored = rng.integers(-100, 100, (int(fs * seconds), len(leads)))
    wfdb.wrsamp(path.name, fs=fs, units=["mV"] * len(leads), sig_name=list(leads), d_signal=stored,
                fmt=[fmt] * len(leads), adc_gain=[100.0] * len(leads), baseline=[3] * len(leads),
                comments=list(comments), write_dir=str(path.parent))
    return wfdb.rdrecord(str(path)).p_signal


@pytest.fixture
def root(tmp_path):
    """Three records, one of them in a sub-folder."""
    for record in ("a", "b", "deep/er/c"):
        write(tmp_path, record)
    return tmp_path


def test_formats_rates_and_lengths_may_differ(tmp_path):
    expected = [write(tmp_path, f"r{fmt}", fs=fs, seconds=seconds, fmt=fmt)
                for fmt, fs, seconds in (("16", 100, 10), ("212", 250, 3), ("516", 500, 7), ("80", 62.5, 4))]
    recordings = folder.read(tmp_path)
    assert recordings.name == "folder"
    assert recordings.version == "own"
    assert recordings.ids.tolist() == ["r16", "r212", "r516", "r80"]
    assert recordings.sampling_rate.tolist() == [100, 250, 500, 62.5]
    assert recordings.durations.tolist() == pytest.approx([10, 3, 7, 4])
    for i, signal in enumerate(expected):
        np.testing.assert_allclose(recordings.signal(i), signal.T, atol=1e-6)


def test_ids_are_paths_below_the_folder(root):
    recordings = folder.read(root)
    assert recordings.ids.tolist() == ["a", "b", "deep/er/c"]
    assert recordings.classes == ()
    assert recordings.counts() == {"unlabelled": 3}
    assert recordings.subjects.tolist() == recordings.ids.tolist()


def test_a_header_in_upper_case_is_one(root):
    (root / "b.hea").rename(root / "b.HEA")  # as DOS names it
    assert folder.read(root).ids.tolist() == ["a", "b", "deep/er/c"]
    assert all([*folder.headers_at(root / name)] == ["b"] for name in ("b", "b.HEA", "b.dat"))


def test_an_empty_or_absent_folder(tmp_path):
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path, "*.hea", "from_array")
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path / "absent")
    one_line(error, tmp_path / "absent", "not a folder")


def test_hidden_files_are_passed_over(root):
    (root / "._a.hea").write_bytes(b"\0\5\x16\7 AppleDouble")
    (root / ".trash").mkdir()
    (root / ".trash" / "x.hea").write_text("")
    assert len(folder.read(root)) == 3


@pytest.mark.parametrize(("lead", "column"), [("II", 1), ("ii", 1), (1, 1), ("I", 0), (0, 0)])
def test_one_lead_by_name_or_index(tmp_path, lead, column):
    expected = write(tmp_path, "a")
    recordings = folder.read(tmp_path, lead=lead)
    assert recordings.leads.tolist() == [[("I", "II")[column]]]
    np.testing.assert_allclose(recordings.signal(0)[0], expected[:, column], atol=1e-6)


def test_lead_by_name_wherever_it_stands(tmp_path):
    first = write(tmp_path, "a", leads=("V1", "II", "aVR"))
    second = write(tmp_path, "b", leads=("II",))
    recordings = folder.read(tmp_path, lead="II")
    np.testing.assert_allclose(recordings.lead(0, "II"), first[:, 1], atol=1e-6)
    np.testing.assert_allclose(recordings.lead(1, "II"), second[:, 0], atol=1e-6)


def test_no_name_is_taken_for_another(tmp_path):
    write(tmp_path, "a", leads=("MLII", "V5"))
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, lead="II")
    one_line(error, tmp_path / "a.hea", "no lead 'II'", "MLII, V5")


def test_absent_lead_meets_the_policy(tmp_path):
    write(tmp_path, "a", leads=("I", "II"))
    write(tmp_path, "b", leads=("V1",))
    for lead, name in (("II", "no lead II"), (1, "no lead 1")):
        with pytest.raises(EcgtlError) as error:
            folder.read(tmp_path, lead=lead)
        one_line(error, tmp_path / "b.hea", f"no lead {lead!r}", "V1")
        recordings = folder.read(tmp_path, lead=lead, on_bad="skip")
        assert recordings.ids.tolist() == ["a"]
        assert recordings.skipped == {name: ["b"]}


@pytest.mark.parametrize("lead", [-1, 1.0, True, ["II"]])
def test_lead_is_a_name_or_an_index(root, lead):
    with pytest.raises(EcgtlError) as error:
        folder.read(root, lead=lead)
    one_line(error, repr(lead))


def test_two_leads_of_one_name_are_chosen_by_index(tmp_path):
    expected = write(tmp_path, "a", leads=("ECG", "ECG2"))
    header = tmp_path / "a.hea"
    header.write_text(header.read_text().replace("ECG2", "ECG"))  # wfdb writes no name twice, other programs do
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, lead="ecg")
    one_line(error, header, "2 leads named ecg", "0 or 1")
    np.testing.assert_allclose(folder.read(tmp_path, lead=1).signal(0)[0], expected[:, 1], atol=1e-6)


def test_unequal_numbers_of_leads(tmp_path):
    write(tmp_path, "a", leads=("I", "II"))
    write(tmp_path, "b", leads=("I",))
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, "1 and 2 leads", "choose one lead")
    assert folder.read(tmp_path, lead="I").leads.tolist() == [["I"], ["I"]]


def test_a_signal_that_is_no_voltage_stands_beside_the_lead(tmp_path):
    write(tmp_path, "a", leads=("II", "ABP"))
    header = tmp_path / "a.hea"
    lines = header.read_text().splitlines()
    lines[2] = lines[2].replace("/mV", "/mmHg")
    header.write_text("\n".join(lines) + "\n")
    assert folder.read(tmp_path, lead="II").leads.tolist() == [["II"]]
    for lead in (None, "ABP"):
        with pytest.raises(EcgtlError) as error:
            folder.read(tmp_path, lead=lead)
        one_line(error, header, "ABP", "not a voltage", "(II)")


def test_labels_from_csv(root):
    (root / "labels.csv").write_text("age,record,label\n70,b,sinus\n61,a.hea,af\n55,deep/er/c.dat,sinus\n")
    recordings = folder.read(root)
    assert recordings.classes == ("af", "sinus")
    assert recordings.labels.tolist() == [0, 1, 1]
    assert recordings.counts() == {"af": 1, "sinus": 2}


@pytest.mark.parametrize("text", ["record,label\na,x\nb,y\nc,x\n",
                                  "\ufeffRecord , LABEL\r\na, x\r\n\r\nb,y \r\ndeep\\er\\c.mat,x\r\n\r\n",
                                  'record,label\n"a","x"\n"b","y"\n"deep/er/c","x"\na,x\n'])
def test_labels_as_people_write_them(root, text):
    (root / "labels.csv").write_text(text, newline="")
    recordings = folder.read(root)
    assert recordings.classes == ("x", "y")
    assert recordings.labels.tolist() == [0, 1, 0]


def test_label_file_elsewhere(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "mine.csv"
    elsewhere.write_text("record,label\na,x\nb,x\nc,z\n")
    (root / "other.csv").write_text("record,label\na,q\nb,q\nc,q\n")
    assert folder.read(root, labels=str(elsewhere)).counts() == {"x": 2, "z": 1}
    assert folder.read(root, labels="other.csv").counts() == {"q": 3}
    assert folder.read(root).classes == ()
    elsewhere.write_text("record,label\na,x\nb,x\nc,y\n")  # another label is another data set, not the cached one
    assert folder.read(root, labels=str(elsewhere)).counts() == {"x": 2, "y": 1}


def test_labels_csv_that_comes_later_is_seen(root):
    assert folder.read(root).classes == ()
    (root / "labels.csv").write_text("record,label\na,x\nb,x\nc,z\n")
    assert folder.read(root).classes == ("x", "z")


def test_missing_label_file(root):
    with pytest.raises(EcgtlError) as error:
        folder.read(root, labels="absent.csv")
    one_line(error, root / "absent.csv", "record and label", "comments")


@pytest.mark.parametrize(("text", "words"), [
    ("", "first line"), ("a,x\nb,y\n", "first line"), ("record label\na x\n", "first line"),
    ("record,class\na,x\n", "first line"), ("record,label\na\n", "line 2"), ("record,label\n,x\n", "line 2"),
    ("record,label\na,x\nb,y\na,y\n", "line 4"), ("record,label\n" + "x" * 200_000 + ",a\n", "CSV"),
    ("\0\1\2\n\3", "first line"),
])
def test_damaged_label_file(root, text, words):
    (root / "labels.csv").write_text(text)
    with pytest.raises(EcgtlError) as error:
        folder.read(root)
    one_line(error, root / "labels.csv", words)


def test_a_bare_name_that_fits_two_records(root):
    write(root, "c")
    write(root, "left/d")
    write(root, "right/d")
    (root / "labels.csv").write_text("record,label\na,x\nb,x\nc,x\ndeep/er/c,y\nd,x\n")
    with pytest.raises(EcgtlError) as error:
        folder.read(root)
    one_line(error, "labels.csv", "left/d or right/d")
    (root / "labels.csv").write_text("record,label\na,x\nb,x\nc,x\ndeep/er/c,y\nleft/d,x\nright/d,y\n")
    assert folder.read(root).labels.tolist() == [0, 0, 0, 1, 0, 1]


def test_labels_and_records_that_lack_each_other_meet_the_policy(root):
    (root / "labels.csv").write_text("record,label\na,x\nb,\nz,x\n")
    with pytest.raises(EcgtlError) as error:
        folder.read(root)
    one_line(error, root / "labels.csv", "line 4", "z", "on_bad=skip")
    (root / "labels.csv").write_text("record,label\na,x\nb,\n")
    with pytest.raises(EcgtlError) as error:
        folder.read(root)
    one_line(error, root / "b.hea", "no label", "on_bad=skip")
    (root / "labels.csv").write_text("record,label\na,x\nb,\nz,q\n")
    recordings = folder.read(root, on_bad="skip")
    assert recordings.skipped == {"label without a recording": ["z"], "no label": ["b", "deep/er/c"]}
    assert recordings.ids.tolist() == ["a"]
    assert recordings.classes == ("x",)


@pytest.mark.parametrize("comment", ["label: af", "Label:af", "Dx: af", "dx:  af "])
def test_labels_from_comments(tmp_path, comment):
    write(tmp_path, "a", comments=["Age: 70", comment, "Rx: nothing"])
    write(tmp_path, "b", comments=["Dx: 426783006"])
    recordings = folder.read(tmp_path, labels="comments")
    assert recordings.classes == ("426783006", "af")
    assert recordings.labels.tolist() == [1, 0]
    assert folder.read(tmp_path).classes == ()


def test_label_comment_comes_before_diagnosis(tmp_path):
    write(tmp_path, "a", comments=["Dx: 1,2", "label: af"])
    assert folder.read(tmp_path, labels="comments").classes == ("af",)


def test_several_codes_or_none_meet_the_policy(tmp_path):
    write(tmp_path, "a", comments=["Dx: 1"])
    write(tmp_path, "b", comments=["Dx: 1,2"])
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, labels="comments")
    one_line(error, tmp_path / "b.hea", "several labels", "on_bad=skip")
    write(tmp_path, "b", comments=["Dx:"])
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, labels="comments")
    one_line(error, tmp_path / "b.hea", "no label")
    write(tmp_path, "c", comments=["Dx: 1,2"])
    recordings = folder.read(tmp_path, labels="comments", on_bad="skip")
    assert recordings.skipped == {"no label": ["b"], "several labels": ["c"]}


def test_subjects_from_comments(tmp_path):
    for record, comments in {"a": ["subject: p1"], "b": ["Subject:p1"], "c": [], "d": ["subject: p2"]}.items():
        write(tmp_path, record, comments=comments)
    assert folder.read(tmp_path).subjects.tolist() == ["p1", "p1", "c", "p2"]


def test_copies_join_their_subjects(tmp_path):
    """b is a copy of a, so the two subjects are one person, and c goes with them."""
    for record, subject in {"a": "p1", "b": "p2", "c": "p2", "d": "p3"}.items():
        write(tmp_path, record, comments=[f"subject: {subject}"])
    (tmp_path / "b.dat").write_bytes((tmp_path / "a.dat").read_bytes())
    words = (tmp_path / "a.hea").read_text().replace("a.dat", "b.dat").replace("p1", "p2")
    (tmp_path / "b.hea").write_text(words)
    recordings = folder.read(tmp_path)
    assert recordings.duplicates == (("a", "b"),)
    assert recordings.subjects.tolist() == ["p1", "p1", "p1", "p3"]


def test_header_that_names_a_matlab_file(tmp_path):
    values = np.random.default_rng(0).integers(-900, 900, (12, 500)).astype("<i2")
    savemat(tmp_path / "E1.mat", {"val": values}, format="4")
    leads = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
    lines = ["E1.mat 12 500 500"] + [f"E1.mat 16+24 1000/mV 16 0 0 0 0 {lead}" for lead in leads] + ["#Dx: 7"]
    (tmp_path / "E1.hea").write_text("\n".join(lines) + "\n")
    recordings = folder.read(tmp_path, labels="comments")
    assert recordings.ids.tolist() == ["E1"]
    assert recordings.classes == ("7",)
    np.testing.assert_allclose(recordings.signal(0), values / 1000, atol=1e-6)
    np.testing.assert_allclose(recordings.lead(0, "AVR"), values[3] / 1000, atol=1e-6)


@pytest.mark.parametrize("fmt", ["16", "212"])
@pytest.mark.parametrize("change", ["truncate", "empty", "delete"])
def test_damaged_signal_file(root, fmt, change):
    write(root, "b", fmt=fmt)
    file = root / "b.dat"
    whole = file.read_bytes()
    if change == "delete":
        file.unlink()
    else:
        file.write_bytes({"truncate": whole[:-3], "empty": b""}[change])
    with pytest.raises(EcgtlError) as error:
        folder.read(root)
    one_line(error, root / "b.", "on_bad=skip")
    recordings = folder.read(root, on_bad="skip")
    assert recordings.skipped == {"missing file" if change == "delete" else "truncated signal file": ["b"]}
    assert recordings.ids.tolist() == ["a", "deep/er/c"]
    file.write_bytes(whole)  # mended, it is read: what was left out is not in the cache for ever
    assert folder.read(root, on_bad="skip").ids.tolist() == ["a", "b", "deep/er/c"]


@pytest.mark.parametrize("text", ["", "garbage", "\0\0", "b 2 0 1000\nb.dat 16\n", "b 1 250 -1\nb.dat 16 200\n",
                                  "b 1 250 9\nb.dat 16 nan\n", "b/2 1 250 9\n", "b 0 250 9\n",
                                  "b 1 1e-9 9\nb.dat 16 200\n", "b 1 250 9\nb.dat 16 1e-300\n",
                                  "b 1 250 9\nb.dat 16 200(" + "9" * 400 + ")\n", "b/1 1 250 9\nb 9\n",
                                  "b 1 250 9\nb\0.dat 16 200\n", "b 1 250 9\n" + "b" * 300 + ".dat 16 200\n",
                                  "b 1 250 9\nb.dat 16 200 16 0 0 0 0 " + "I" * 300 + "\n",
                                  "b 1 250 999999999999\nb.dat 16 200\n", "b 1 250 9\nb.dat 16:9 200\n",
                                  "b 1 250 9\n../a.dat 16 200\n"])
def test_damaged_header(root, text):
    (root / "b.hea").write_text(text)
    with pytest.raises(EcgtlError) as error:
        folder.read(root)
    one_line(error, root / "b.", "on_bad=skip")
    recordings = folder.read(root, on_bad="skip")
    assert list(recordings.skipped.values()) == [["b"]]
    assert recordings.ids.tolist() == ["a", "deep/er/c"]


def test_flat_and_incomplete_signals_meet_the_policy(root):
    flat = np.tile([5, 1], (1000, 1))
    flat[::2, 0] = 9  # the first lead moves, the second does not
    wfdb.wrsamp("b", fs=250, units=["mV"] * 2, sig_name=["I", "II"], d_signal=flat, fmt=["16"] * 2,
                adc_gain=[100.0] * 2, baseline=[0] * 2, write_dir=str(root))
    incomplete = np.random.default_rng(0).normal(size=(1000, 2))
    incomplete[5, 0] = np.nan
    wfdb.wrsamp("d", fs=250, units=["mV"] * 2, sig_name=["I", "II"], p_signal=incomplete, fmt=["212"] * 2,
                write_dir=str(root))
    with pytest.raises(EcgtlError) as error:
        folder.read(root)
    one_line(error, root / "b.hea", "constant signal")
    recordings = folder.read(root, on_bad="skip")
    assert recordings.skipped == {"constant signal": ["b"], "missing samples (NaN)": ["d"]}
    assert recordings.ids.tolist() == ["a", "deep/er/c"]
    # one lead alone is judged alone
    assert folder.read(root, lead="I", on_bad="skip").ids.tolist() == ["a", "b", "deep/er/c"]
    assert folder.read(root, lead="II", on_bad="skip").ids.tolist() == ["a", "d", "deep/er/c"]


def test_a_changed_file_is_read_again(root):
    before = folder.read(root)
    expected = write(root, "b", seed=1)
    after = folder.read(root)
    assert after.digest != before.digest
    np.testing.assert_allclose(after.signal(1), expected.T, atol=1e-6)


def test_options_have_cache_entries_of_their_own(root):
    both, one = folder.read(root), folder.read(root, lead="II")
    assert (both.leads.shape, one.leads.shape) == ((3, 2), (3, 1))
    assert folder.read(root, lead=1).digest == one.digest
    assert folder.read(root).leads.shape == (3, 2)


def test_twin():
    twin = datasets.load("folder", twin=True)
    source = synthetic.twin_root("folder")
    assert twin.synthetic
    assert "unlabelled" not in twin.counts()
    assert min(twin.counts().values()) > 1
    np.testing.assert_allclose(twin.signal(0), wfdb.rdrecord(str(source / twin.ids[0])).p_signal.T, atol=1e-6)
    one = datasets.load("folder", twin=True, lead="II")
    np.testing.assert_array_equal(one.signal(3)[0], twin.lead(3, "II"))


@pytest.mark.needs("mitdb")
def test_real_records_of_every_kind_at_hand(real_data):
    """The first records of whatever WFDB release is unpacked, against wfdb."""
    parts = [real_data / part for part in ("mitdb/1.0.0", "icentia11k-continuous-ecg/1.0/p00/p00000",
                                           "ecg-arrhythmia/1.0.0/WFDBRecords/20/200", "qtdb/1.0.0",
                                           "challenge-2021/1.0.3/training/cpsc_2018/g1",
                                           "challenge-2021/1.0.3/training/ningbo/g1")]
    parts = [part for part in parts if part.is_dir()]
    assert parts
    for part in parts:
        recordings = folder.read(part, lead=0, on_bad="skip")
        for i in (0, len(recordings) - 1):
            theirs = wfdb.rdrecord(str(part / recordings.ids[i]))
            np.testing.assert_allclose(recordings.signal(i)[0], theirs.p_signal[:, 0], atol=1e-5)
            assert recordings.sampling_rate[i] == theirs.fs


# -- arrays in memory


def array(*shape):
    return np.random.default_rng(0).normal(size=shape)


def test_array_of_several_leads():
    values = array(3, 2, 500)
    recordings = arrays.from_array(values, 250, lead_names=["I", "II"], labels=["x", "y", "x"])
    assert recordings.ids.tolist() == ["0", "1", "2"]
    assert recordings.classes == ("x", "y")
    assert recordings.labels.tolist() == [0, 1, 0]
    assert recordings.leads.tolist() == [["I", "II"]] * 3
    assert recordings.durations.tolist() == [2, 2, 2]
    np.testing.assert_allclose([recordings.signal(i) for i in range(3)], values, atol=1e-6)
    np.testing.assert_allclose(recordings.lead(2, "ii"), values[2, 1], atol=1e-6)


def test_array_of_one_lead_without_labels():
    values = array(12, 100)
    recordings = arrays.from_array(values, 62.5)
    assert recordings.ids.tolist() == [f"{i:02d}" for i in range(12)]
    assert recordings.counts() == {"unlabelled": 12}
    assert recordings.leads.tolist() == [["signal 0"]] * 12
    np.testing.assert_allclose(recordings.lead(7), values[7], atol=1e-6)


def test_array_digest_is_that_of_its_content():
    values = array(3, 2, 100)
    digest = arrays.from_array(values, 250).digest
    assert arrays.from_array(values.copy(), 250).digest == digest
    assert arrays.from_array(values + 1e-3, 250).digest != digest
    assert arrays.from_array(values, 500).digest != digest
    assert arrays.from_array(values, 250, labels=["x", "y", "x"]).digest != digest


def test_array_is_copied():
    values = array(2, 100)
    recordings = arrays.from_array(values, 250)
    before = recordings.lead(0).copy()
    values[:] = 0
    np.testing.assert_array_equal(recordings.lead(0), before)


def test_whole_numbers_as_labels_keep_their_order():
    recordings = arrays.from_array(array(4, 50), 100, labels=np.array([10, 2, 10, 0]))
    assert recordings.classes == ("0", "2", "10")
    assert recordings.labels.tolist() == [2, 1, 2, 0]


def test_array_whose_signals_are_flat_or_incomplete_meets_the_policy():
    values = array(4, 50)
    values[1] = 3
    values[2, 7] = np.nan
    with pytest.raises(EcgtlError) as error:
        arrays.from_array(values, 100)
    one_line(error, "array[1]", "constant signal", "on_bad=skip")
    recordings = arrays.from_array(values, 100, labels=["x", "y", "x", "x"], on_bad="skip")
    assert recordings.skipped == {"constant signal": ["1"], "missing samples (NaN)": ["2"]}
    assert recordings.ids.tolist() == ["0", "3"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_array_that_is_not_finite(value):
    values = array(2, 50)
    values[1, 3] = value
    with pytest.raises(EcgtlError) as error:
        arrays.from_array(values, 100)
    one_line(error, "array[1]")


@pytest.mark.parametrize("values", [array(50), array(2, 2, 2, 50), np.zeros((0, 50)), np.zeros((2, 0)),
                                    array(2, 50, 12), np.full((2, 50), "a"), array(2, 50).astype(complex),
                                    np.array([[None] * 50] * 2)])
def test_array_of_another_shape_or_type(values):
    with pytest.raises(EcgtlError) as error:
        arrays.from_array(values, 100)
    one_line(error, "(records, leads, samples)")


@pytest.mark.parametrize("rate", [0, -250, np.nan, np.inf, "250", None, [250, 250]])
def test_array_rate_is_above_zero(rate):
    with pytest.raises(EcgtlError) as error:
        arrays.from_array(array(2, 50), rate)
    one_line(error, "sampling_rate", "Hz")


@pytest.mark.parametrize("names", [["I"], ["I", "II", "III"], "II"])
def test_array_needs_one_name_a_lead(names):
    with pytest.raises(EcgtlError) as error:
        arrays.from_array(array(2, 2, 50), 100, lead_names=names)
    one_line(error, "lead_names", "2")


@pytest.mark.parametrize("labels", [["x"], ["x", "y", "z"], "xy", [], ["x", None], ["x", float("nan")], ["x", 1],
                                    [0.5, 1.5], np.eye(2)])
def test_array_needs_one_label_a_record(labels):
    with pytest.raises(EcgtlError) as error:
        arrays.from_array(array(2, 50), 100, labels=labels)
    one_line(error, "labels", "2 records")
