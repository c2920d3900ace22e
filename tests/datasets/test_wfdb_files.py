"""Headers and samples of WFDB records: read as wfdb reads them, and refused in one line where they are wrong."""

import numpy as np
import pytest
import wfdb
from messages import one_line
from scipy.io import savemat

from ecgtl.datasets import wfdb_files, wfdb_header
from ecgtl.errors import EcgtlError

GOOD = "rec 2 250 1000\nrec.dat 16 200(10)/mV 16 5 0 0 0 I\nrec.dat 16 200/mV 16 5 0 0 0 V1 chest\n# Dx: 1,2\n#note\n"


def write(folder, record="rec", fmt="16", n_samples=500, n_leads=2, **options):
    """A record of random whole numbers; returns what was written, shape (samples, leads)."""
    stored = np.random.default_rng(3).integers(-100, 100, (n_samples, n_leads))
    names = ["I", "II", "V1", "V2"][:n_leads]
    wfdb.wrsamp(record, fs=250, units=["mV"] * n_leads, sig_name=names, d_signal=stored, fmt=[fmt] * n_leads,
                adc_gain=[200.0] * n_leads, baseline=list(range(n_leads)), write_dir=str(folder), **options)
    return stored


def stored_at(path):
    return wfdb_files.read_stored(wfdb_header.read_header(path))


def test_header_fields():
    header = wfdb_header.parse_header(GOOD, "rec.hea")
    assert (header.record, header.sampling_rate, header.n_samples) == ("rec", 250.0, 1000)
    assert header.leads == ("I", "V1 chest")
    assert header.files == ("rec.dat", "rec.dat")
    assert header.baseline == (10, 5)  # without a baseline of its own the ADC zero stands for 0 mV
    assert header.gain == (200.0, 200.0)
    assert header.comments == ("Dx: 1,2", "note")
    assert header.checksums == (None, None)


@pytest.mark.parametrize(("unit", "per_millivolt"), [("200/mV", 200), ("0.2/uV", 200), ("0.2/\u00b5V", 200),
                                                     ("0.2/\u03bcV", 200), ("200000/V", 200), ("200", 200),
                                                     ("-200(3)/mV", -200), ("1e3(0)/mV", 1000)])
def test_gain_is_per_millivolt_whatever_the_unit(unit, per_millivolt):
    header = wfdb_header.parse_header(f"a 1 250 9\na.dat 16 {unit}\n", "a.hea")
    assert header.gain == pytest.approx((per_millivolt,))


def test_header_agrees_with_wfdb(tmp_path):
    write(tmp_path, comments=["Dx: af"])
    ours, theirs = wfdb_header.read_header(tmp_path / "rec.hea"), wfdb.rdheader(str(tmp_path / "rec"))
    assert (ours.sampling_rate, ours.n_samples, list(ours.leads)) == (theirs.fs, theirs.sig_len, theirs.sig_name)
    assert (list(ours.gain), list(ours.baseline)) == (theirs.adc_gain, theirs.baseline)
    assert list(ours.checksums) == theirs.checksum
    assert list(ours.comments) == theirs.comments


def test_record_named_with_its_suffix():
    header = wfdb_header.parse_header(GOOD.replace("rec 2", "rec.mat 2", 1), "rec.hea")
    assert header.record == "rec"
    assert header.n_samples == 1000


@pytest.mark.parametrize("text, words", [
    ("", "empty"), ("   \n\n", "empty"), ("# only a comment\n", "empty"),
    ("\x00\x01\x02\x7f\x80 garbage", "not a WFDB header"), ("word", "not a WFDB header"),
    ("rec two 250 1000\n", "not a WFDB header"), ("rec 1 fast 1000\n", "not a WFDB header"),
    ("rec 1 250 1000.5\n", "not a WFDB header"), ("\ufffd" * 2000, "not a WFDB header"),
    ("rec/3 2 250 1000\n", "multi-segment"), ("rec 0 250 1000\n", "at least one"), ("rec -1 250 9\n", "at least one"),
    ("rec 1\na.dat 16 200\n", "sampling rate"), ("rec 1 0 1000\na.dat 16 200\n", "sampling rate"),
    ("rec 1 -250 1000\na.dat 16 200\n", "sampling rate"), ("rec 1 nan 1000\na.dat 16 200\n", "sampling rate"),
    ("rec 1 inf 1000\na.dat 16 200\n", "sampling rate"),
    ("rec 1 250\na.dat 16 200\n", "length"), ("rec 1 250 0\na.dat 16 200\n", "length"),
    ("rec 1 250 -5\na.dat 16 200\n", "length"),
    ("rec 2 250 1000\na.dat 16 200\n", "describes 1"), ("rec 1 250 1000\n", "describes 0"),
    ("rec 1 250 1000\na.dat\n", "format"), ("rec 1 250 1000\na.dat sixteen 200\n", "format"),
    ("rec 1 250 1000\na.dat 16\n", "gain"), ("rec 1 250 1000\na.dat 16 0/mV\n", "gain"),
    ("rec 1 250 1000\na.dat 16 0\n", "gain"), ("rec 1 250 1000\na.dat 16 nan/mV\n", "gain"),
    ("rec 1 250 1000\na.dat 16 1e999/mV\n", "gain"), ("rec 1 250 1000\na.dat 16 --/mV\n", "gain"),
    ("rec 1 250 1000\na.dat 16 200/mmHg\n", "mmHg"),
    ("rec 1 250 1000\na.dat 16x4 200/mV\n", "a rate or a start of its own"),
    ("rec 1 250 1000\na.dat 16:7 200/mV\n", "start of its own"),
])
def test_bad_header_is_one_line(text, words):
    with pytest.raises(EcgtlError) as error:
        wfdb_header.parse_header(text, "some/where.hea")
    one_line(error, "some/where.hea", words)


def test_random_bytes_are_never_a_header():
    rng = np.random.default_rng(5)
    for size in rng.integers(1, 2000, 60):
        with pytest.raises(EcgtlError) as error:
            wfdb_header.parse_header(rng.bytes(int(size)).decode(errors="replace"), "g.hea")
        one_line(error, "g.hea")


def test_length_may_be_left_out_where_the_header_is_not_of_a_release():
    text = "rec 1 250\na.dat 16 200\n"
    assert wfdb_header.parse_header(text, "rec.hea", strict=False).n_samples == 0


def test_a_signal_that_is_no_voltage_has_no_gain():
    text = "rec 2 250 9\na.dat 16 200/mV 16 0 0 0 0 II\na.dat 16 10/mmHg 16 0 0 0 0 ABP\n"
    gain = wfdb_header.parse_header(text, "rec.hea", strict=False).gain
    assert gain[0] == 200
    assert np.isnan(gain[1])


def test_missing_and_unreadable_header(tmp_path):
    with pytest.raises(EcgtlError) as error:
        wfdb_header.read_header(tmp_path / "absent.hea")
    one_line(error, tmp_path / "absent.hea", "missing")
    (tmp_path / "folder.hea").mkdir()
    with pytest.raises(EcgtlError) as error:
        wfdb_header.read_header(tmp_path / "folder.hea")
    one_line(error, tmp_path / "folder.hea", "cannot be read")


@pytest.mark.parametrize("fmt", ["16", "80", "212", "24", "32", "508", "516", "524"])
def test_every_format_reads_as_wfdb_wrote_it(tmp_path, fmt):
    written = write(tmp_path, fmt=fmt, n_samples=501)
    found = stored_at(tmp_path / "rec.hea")
    assert found.dtype.kind == "i"
    np.testing.assert_array_equal(found, written)


def test_large_values_keep_their_size(tmp_path):
    values = np.array([[2**30], [-(2**30)], [17]])
    wfdb.wrsamp("rec", fs=250, units=["mV"], sig_name=["I"], d_signal=values, fmt=["32"], adc_gain=[1.0],
                baseline=[0], write_dir=str(tmp_path))
    np.testing.assert_array_equal(stored_at(tmp_path / "rec.hea"), values)


def test_matlab_file_reads_as_scipy_wrote_it(tmp_path):
    values = np.random.default_rng(1).integers(-900, 900, (2, 300)).astype("<i2")
    savemat(tmp_path / "rec.mat", {"val": values}, format="4")
    lines = ["rec.mat 2 500 300"] + [f"rec.mat 16+24 1000/mV 16 0 0 0 0 {lead}" for lead in ("I", "II")]
    (tmp_path / "rec.hea").write_text("\n".join(lines) + "\n")
    np.testing.assert_array_equal(stored_at(tmp_path / "rec.hea"), values.T)


def test_leads_in_files_and_formats_of_their_own(tmp_path):
    first, second = write(tmp_path, "a", "16", n_leads=1), write(tmp_path, "b", "212", n_leads=1)
    lines = [(tmp_path / f"{name}.hea").read_text().splitlines()[1] for name in ("a", "b")]
    (tmp_path / "both.hea").write_text("\n".join(["both 2 250 500", *lines]) + "\n")
    np.testing.assert_array_equal(stored_at(tmp_path / "both.hea"), np.hstack([first, second]))


@pytest.mark.parametrize("fmt", ["16", "80", "212", "24", "32", "508", "516"])
@pytest.mark.parametrize("keep", [0, 1, 100, -1])
def test_truncated_signal_file(tmp_path, fmt, keep):
    write(tmp_path, fmt=fmt)
    file = tmp_path / "rec.dat"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(EcgtlError) as error:
        stored_at(tmp_path / "rec.hea")
    one_line(error, tmp_path / "rec", "fetch the record again")


@pytest.mark.parametrize("fmt", ["16", "80", "212", "24", "32", "516"])
def test_garbage_of_the_right_size_is_said_or_refused(tmp_path, fmt):
    write(tmp_path, fmt=fmt)
    file, said = tmp_path / "rec.dat", []
    file.write_bytes(np.random.default_rng(9).bytes(file.stat().st_size))
    path = tmp_path / "rec.hea"
    if fmt == "516":  # a FLAC file knows that it is none
        with pytest.raises(EcgtlError) as error:
            stored_at(path)
        one_line(error, path)
    else:
        wfdb_files.read_stored(wfdb_header.read_header(path), remark=said.append)
        assert said == [wfdb_files.CHECKSUM]


def test_checksum_counts_in_either_sign_and_may_be_left_out(tmp_path):
    written = write(tmp_path, n_leads=1)
    header = tmp_path / "rec.hea"
    total = int(written.sum())
    words = header.read_text().splitlines()[1].split()
    for checksum, sound in [(total % 65536, True), (total % 65536 - 65536, True), (0, True), (total + 1, False)]:
        words[6] = str(checksum)
        header.write_text(f"rec 1 250 500\n{' '.join(words)}\n")
        said = []
        found = wfdb_files.read_stored(wfdb_header.read_header(header), remark=said.append)
        np.testing.assert_array_equal(found, written)
        assert said == ([] if sound else [wfdb_files.CHECKSUM])


@pytest.mark.parametrize("fmt", ["16", "212"])
def test_missing_signal_file(tmp_path, fmt):
    write(tmp_path, fmt=fmt)
    (tmp_path / "rec.dat").unlink()
    with pytest.raises(EcgtlError) as error:
        stored_at(tmp_path / "rec.hea")
    one_line(error, tmp_path / "rec.dat", "missing")


@pytest.mark.parametrize("fmt", ["16", "80", "212", "24", "32", "516"])
def test_missing_samples_become_nan_in_every_format(tmp_path, fmt):
    signal = np.random.default_rng(2).normal(size=(300, 2))
    signal[17, 1] = np.nan
    wfdb.wrsamp("rec", fs=250, units=["mV"] * 2, sig_name=["I", "II"], p_signal=signal, fmt=[fmt] * 2,
                write_dir=str(tmp_path))
    np.testing.assert_array_equal(np.argwhere(np.isnan(stored_at(tmp_path / "rec.hea"))), [[17, 1]])


@pytest.mark.parametrize("name", ["../rec.dat", "/etc/passwd", "sub/rec.dat", "..", "~", "-", "sub\\rec.dat"])
def test_signal_file_stands_beside_its_header(tmp_path, name):
    (tmp_path / "rec.hea").write_text(f"rec 1 250 10\n{name} 16 200/mV\n")
    with pytest.raises(EcgtlError) as error:
        stored_at(tmp_path / "rec.hea")
    one_line(error, tmp_path / "rec.hea", "beside the header")


def test_unknown_format_is_one_line(tmp_path):
    (tmp_path / "rec.hea").write_text("rec 1 250 10\nrec.dat 77 200/mV\n")
    (tmp_path / "rec.dat").write_bytes(bytes(100))
    with pytest.raises(EcgtlError) as error:
        stored_at(tmp_path / "rec.hea")
    one_line(error, tmp_path / "rec.hea")


def test_16bit_reader_refuses_other_formats():
    header = wfdb_header.parse_header("rec 1 250 10\nrec.dat 212 200/mV\n", "rec.hea")
    with pytest.raises(EcgtlError) as error:
        wfdb_files.read_16bit(bytes(100), header, "rec.dat")
    one_line(error, "rec.dat", "16-bit")
