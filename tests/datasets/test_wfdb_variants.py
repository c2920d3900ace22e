"""Everything that a WFDB header may say or leave out: read as wfdb reads it, or left out in one line."""

import os
import shutil
import socket

import numpy as np
import pytest
import wfdb
from messages import one_line

from ecgtl.datasets import collector as datasets_collector
from ecgtl.datasets import folder, wfdb_files, wfdb_header
from ecgtl.errors import EcgtlError

N = 600


def ecg(n=N, seed=0):
    """Spikes in two leads of 12-bit numbers, 1000 to the mV, shape (n, 2)."""
    rng, t = np.random.default_rng(seed), np.arange(n)[:, None] / 250
    return np.round(900 * np.exp(-(((t * 1.2 + [0.1, 0.3]) % 1 - 0.5) / 0.02) ** 2) + 40
                    * rng.normal(size=(n, 2))).astype(int)


def write(root, record="r", stored=None, fmt="16", **options):
    stored = ecg() if stored is None else stored
    root.mkdir(parents=True, exist_ok=True)
    n = stored.shape[1]
    wfdb.wrsamp(record, fs=250, units=["mV"] * n, sig_name=["I", "II"][:n], d_signal=stored, fmt=[fmt] * n,
                adc_gain=[1000.0] * n, baseline=[0] * n, write_dir=str(root), **options)
    return root / f"{record}.hea"


def header(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


# --- header texts: what wfdb makes of them is right ----------------------------------------------------------------

SOUND = "r 2 250 600\nr.dat 16 1000(0)/mV 16 0 0 0 0 I\nr.dat 16 1000(0)/mV 16 0 0 0 0 II\n"


@pytest.mark.parametrize("text", [
    SOUND, "\ufeff" + SOUND, "\ufeff# exported\n" + SOUND, "# a\n\n#b\n" + SOUND, SOUND.replace("\n", "\r\n"),
    SOUND.replace("250 600", "250"), SOUND.replace("250 600", "250/128 600"),
    SOUND.replace("250 600", "250/250(0) 600"),
    SOUND.replace("250 600", "250/250(-3.5) 600 10:11:12 01/02/2003"), SOUND.replace(" 250 600", ""),
    SOUND.replace("1000(0)/mV", "1000"), SOUND.replace("1000(0)/mV", "0"), SOUND.replace("1000(0)/mV", "0/mV"),
    SOUND.replace("16 0 0 0 0 ", "16 0 0 0 "), SOUND.replace("16 0 0 0 0 ", "16 0 3 "),
    SOUND.replace("16 0 0 0 0 ", "16 "),
    SOUND.replace("16 0 0 0 0 ", ""), SOUND.replace("(0)/mV 16 0", "/mV 16 7"), SOUND.replace("1000(0)", "-1000(12)"),
    SOUND.replace("1000(0)", "1.5e2(-12)"), SOUND.replace("dat 16 ", "dat 16x1:0+0 "),
    SOUND.replace("dat 16 ", "dat 16:7 "),
    SOUND.replace("dat 16 1000(0)/mV 16 0 0 0 0 II", "dat 16:3 1000(0)/mV 16 0 0 0 0 II"),
    SOUND.replace("250 600", "250 300").replace("dat 16 ", "dat 16x2 "),
    SOUND.replace("0 I\n", "0 lead 1, of two\n"), SOUND.replace("250 600", "250 590"),
    SOUND.replace("dat 16 ", "dat 16+40 ").replace("600", "590"),
    SOUND.replace("dat 16 ", "dat 61 "), SOUND.replace("dat 16 ", "dat 160 "), SOUND.replace("dat 16 ", "dat 80 "),
    SOUND.replace("dat 16 ", "dat 212 "), SOUND.replace("dat 16 ", "dat 24 ").replace("600", "400"),
    SOUND.replace("dat 16 ", "dat 32 ").replace("600", "300"), SOUND.replace("dat 16 ", "dat 310 "),
    SOUND.replace("dat 16 ", "dat 311 "),
    SOUND.replace("dat 16 ", "dat 8 "), SOUND.replace("dat 16 ", "dat 212 ").replace("250 600", "250"),
], ids=ascii)
def test_a_header_is_read_as_wfdb_reads_it(tmp_path, text):
    path = write(tmp_path)
    header(path, text)
    theirs = wfdb.rdrecord(str(tmp_path / "r"), smooth_frames=False)
    for k, signal in enumerate(theirs.e_p_signal):
        ours = next(folder.records(tmp_path, k, datasets_collector.Collector("own", "own", ())))
        np.testing.assert_allclose(ours.millivolts()[:, 0], signal, atol=1e-6 * np.nanmax(np.abs(signal)))
        assert ours.sampling_rate == theirs.fs * (theirs.samps_per_frame[k] or 1)
        assert ours.leads == [theirs.sig_name[k]]


@pytest.mark.parametrize("text", [
    SOUND.replace("r 2 250 600", "some/folder/r 2 250 600"), SOUND.replace("r 2 250 600", "mitdb/100 2 250 600"),
    SOUND.replace("r 2 250 600", "r.mat 2 250 600"), SOUND.replace("250 600", "2.5e2 600"),
    SOUND.replace("1000(0)", "1e3(0)"),
    SOUND.replace("16 1000(0)/mV 16 0 0 0 0 I", "16 I"), SOUND.replace("250 600", "250 0"),
    SOUND + "# caf\u00e9\n", (SOUND + "# caf\u00e9\n").encode("latin-1"),
    SOUND.encode() + "# \u2026\n".encode("cp1252")], ids=ascii)
def test_headers_that_wfdb_refuses_or_half_reads(tmp_path, text):
    header(write(tmp_path), text)
    ours = next(folder.records(tmp_path, "I", datasets_collector.Collector("own", "own", ())))
    gain = 200 if b"dat 16 I" in (text if isinstance(text, bytes) else text.encode()) else 1000
    np.testing.assert_allclose(ours.millivolts()[:, 0], ecg()[:, 0] / gain, atol=1e-6)
    assert ours.sampling_rate == 250


@pytest.mark.parametrize(("unit", "per_millivolt"), [
    ("mV", 1), ("MV", 1), ("uV", 1e-3), ("UV", 1e-3), ("\u00b5V", 1e-3), ("\u03bcV", 1e-3), ("uVolt", 1e-3),
    ("\u00b5Volts", 1e-3),
    ("mVolt", 1), ("millivolts", 1), ("Microvolt", 1e-3), ("nV", 1e-6), ("nanoVolt", 1e-6), ("V", 1e3), ("Volts", 1e3)])
def test_every_way_to_write_a_voltage(tmp_path, unit, per_millivolt):
    for encoding in ("utf-8", "latin-1")[:1 if "\u03bc" in unit else 2]:  # Latin-1 has no Greek letters
        header(write(tmp_path), SOUND.replace("/mV", f"/{unit}").encode(encoding))
        found = folder.read(tmp_path, lead="II").signal(0)[0]
        np.testing.assert_allclose(found, ecg()[:, 1] / 1000 * per_millivolt, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("unit", ["mmHg", "NU", "bpm", "kV", "mVs", "pV"])
def test_what_is_no_voltage_is_named(tmp_path, unit):
    header(write(tmp_path), SOUND.replace("/mV 16 0 0 0 0 II", f"/{unit} 16 0 0 0 0 II"))
    assert len(folder.read(tmp_path, lead="I")) == 1
    for lead in ("II", None):
        with pytest.raises(EcgtlError) as error:
            folder.read(tmp_path, lead=lead)
        one_line(error, tmp_path / "r.hea", f"II is not a voltage ({unit})", "(I)")


def test_what_the_standard_decides_is_said_once_for_all(tmp_path, capsys):
    for record in "abcde":
        header(write(tmp_path, record), SOUND.replace("r", record).replace(" 250 600", "").replace("1000(0)/mV", "0"))
    for _ in range(2):  # from the cache too
        assert folder.read(tmp_path, lead="I").sampling_rate.tolist() == [250.0] * 5
        said = capsys.readouterr().err.splitlines()
        assert [line for line in said if "5 (a, b, c, ...): the header gives no gain, read as 200/mV" in line]
        assert [line for line in said if "5 (a, b, c, ...): the header gives no sampling rate, read as 250 Hz" in line]
        assert len(said) == 2


# --- several segments, several samples a frame ---------------------------------------------------------------------

def several(root, layout="fixed", gains=(1000, 1000), **changes):
    """Record m of two segments, 300 and 400 samples; with a gap and a segment of one lead where the layout varies."""
    x = ecg(700)
    for record, part, gain in (("m_1", x[:300], gains[0]), ("m_2", x[300:], gains[1])):
        path = write(root, record, part)
        header(path, path.read_text().replace("1000.0(0)", f"{gain}(0)"))
    if layout == "fixed":
        header(root / "m.hea", "m/2 2 250 700\nm_1 300\nm_2 400\n")
    else:
        two = (root / "m_2.hea").read_text().splitlines()
        header(root / "m_2.hea", "\n".join(["m_2 2 250 400", two[2].replace(" II", " I"),
                                            two[1].replace(" I", " aVR")]) + "\n")
        empty = "".join(f"~ 0 1000(0)/mV 16 0 0 0 0 {lead}\n" for lead in ("I", "II", "aVR"))
        header(root / "m_layout.hea", f"m_layout 3 250 0\n{empty}")
        header(root / "m.hea", "m/4 3 250 750\nm_layout 0\nm_1 300\n~ 50\nm_2 400\n")
    return root


@pytest.mark.parametrize("layout", ["fixed", "variable"])
@pytest.mark.parametrize("gains", [(1000, 1000), (1000, 250)])
def test_several_segments_are_one_record(tmp_path, layout, gains):
    several(tmp_path, layout, gains)
    theirs = wfdb.rdrecord(str(tmp_path / "m"))
    collector = datasets_collector.Collector("own", "own", ())
    for lead, expected in zip(theirs.sig_name, theirs.p_signal.T, strict=True):
        one, = folder.records(tmp_path, lead, collector)
        assert one.id == "m"
        np.testing.assert_allclose(one.millivolts()[:, 0], expected, atol=1e-6)
        np.testing.assert_allclose(one.millivolts(280, 460)[:, 0], expected[280:460], atol=1e-6)
    if layout == "fixed":
        np.testing.assert_allclose(folder.read(tmp_path).signal(0), theirs.p_signal.T, atol=1e-6)


def test_segments_that_name_one_signal_differently(tmp_path):
    path = several(tmp_path) / "m_2.hea"
    header(path, path.read_text().replace(" II\n", " x\n").replace(" I\n", " II\n").replace(" x\n", " I\n"))
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "m.hea", "name a signal i and ii")
    header(path, path.read_text().replace(" II\n", "\n").replace(" I\n", "\n"))  # no names: the order decides
    assert folder.read(tmp_path).leads[0].tolist() == ["I", "II"]


@pytest.mark.parametrize("text", [
    "m/2 2 250 700\nm_1 300\nm_3 400\n", "m/2 2 250 900\nm_1 300\nm_2 400\n", "m/1 2 250 300\nm 300\n",
    "m/2 2 250 800\nm_1 400\nm_2 400\n", "m/2 2 100 700\nm_1 300\nm_2 400\n", "m/1 2 250 9\n~ 9\n",
    f"m/2 2 250\nm_1 300\n~ {10 ** 12}\n", "m/2 2 250 700\nm_1 300\n../m_2 400\n", "m/3 2 250 700\nm_1 300\n"])
def test_segments_that_do_not_fit(tmp_path, text):
    several(tmp_path)
    write(tmp_path, "good")
    header(tmp_path / "m.hea", text)
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, lead="II")
    one_line(error, tmp_path / "m", "on_bad=skip")
    recordings = folder.read(tmp_path, lead="II", on_bad="skip")
    assert "good" in recordings.ids and "m" not in recordings.ids


def test_a_lead_has_its_own_rate(tmp_path):
    x = ecg(600)[:, 0]
    frames = np.column_stack([x[0::2], x[1::2], np.arange(300)]).astype("<i2")
    (tmp_path / "r.dat").write_bytes(frames.tobytes())
    header(tmp_path / "r.hea", "r 2 125 300\nr.dat 16x2 1000(0)/mV 16 0 0 0 0 II\nr.dat 16 100/mmHg 16 0 0 0 0 ABP\n")
    recordings = folder.read(tmp_path, lead="II")
    assert recordings.sampling_rate.tolist() == [250.0] and recordings.durations.tolist() == [2.4]
    theirs = wfdb.rdrecord(str(tmp_path / "r"), smooth_frames=False).e_p_signal[0]
    np.testing.assert_allclose(recordings.signal(0)[0], theirs, atol=1e-6)
    header(tmp_path / "r.hea", (tmp_path / "r.hea").read_text().replace("mmHg", "mV"))
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "r.hea", "different rates", "choose one by name")


def test_a_lead_that_lies_late_in_its_file_ends_in_missing_samples(tmp_path, monkeypatch):
    x = np.arange(1, 1501).reshape(-1, 3)  # in frames of two samples of I and one of II
    (tmp_path / "r.dat").write_bytes(x.astype("<i2").tobytes())
    header(tmp_path / "r.hea", "r 2 125 500\nr.dat 16x2:3 1000/mV\nr.dat 16:11 1000(5)/mV\n")
    for block in (wfdb_files.BLOCK, 64):
        monkeypatch.setattr(wfdb_files, "BLOCK", block)
        for lead, expected, missing in ((0, x[3:, :2].ravel(), 6), (1, x[11:, 2] - 5, 11)):
            one = folder.chosen("r", wfdb_header.read_header(tmp_path / "r.hea", strict=False), lead)
            found = one.millivolts()[:, 0]
            np.testing.assert_allclose(found[:-missing], expected / 1000, rtol=1e-6)
            assert np.isnan(found[-missing:]).all() and len(found) == len(one)
            np.testing.assert_array_equal(one.millivolts(471)[:, 0], found[471:])


@pytest.mark.parametrize("fmt", ["16", "212", "80", "24", "516"])
def test_a_part_is_the_part_of_the_whole_whatever_the_block(tmp_path, monkeypatch, fmt):
    stored = np.clip(ecg(501) // (10 if fmt == "80" else 1), -120, 120) if fmt == "80" else ecg(501)
    path = write(tmp_path, stored=stored, fmt=fmt)
    monkeypatch.setattr(wfdb_files, "BLOCK", 64)
    head, said = wfdb_header.read_header(path), []
    np.testing.assert_array_equal(wfdb_files.read_stored(head, remark=said.append), stored)
    np.testing.assert_array_equal(wfdb_files.read_stored(head, [1, 0]), stored[:, ::-1])
    np.testing.assert_array_equal(wfdb_files.read_part(head, [1], 33, 171), stored[33:171, 1:])
    assert not said


# --- what is no sound record is left out, or said ------------------------------------------------------------------

def fifo(path):
    path.unlink()
    os.mkfifo(path)


def directory(path):
    path.unlink()
    path.mkdir()


def unix_socket(path):
    path.unlink()
    with socket.socket(socket.AF_UNIX) as one:
        here = os.getcwd()
        os.chdir(path.parent)  # the name of a socket may not be long
        try:
            one.bind(path.name)
        finally:
            os.chdir(here)


def outside(path):
    path.rename(path.parent.parent / f"away{path.suffix}")
    path.symlink_to(path.parent.parent / f"away{path.suffix}")


def device(path):
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("change", [fifo, directory, unix_socket, outside, device])
@pytest.mark.parametrize("name", ["b.hea", "b.dat"])
@pytest.mark.timeout(20)
def test_no_other_thing_than_a_file_of_the_folder_is_opened(tmp_path, change, name):
    root = tmp_path / "root"
    write(root, "a")
    write(root, "b")
    change(root / name)
    with pytest.raises(EcgtlError) as error:
        folder.read(root)
    one_line(error, root / name, "cannot be read", "on_bad=skip")
    recordings = folder.read(root, on_bad="skip")
    assert recordings.ids.tolist() == ["a"] and recordings.skipped == {"no regular file": ["b"]}


def test_a_link_within_the_folder_is_a_file(tmp_path):
    write(tmp_path / "deep", "r")
    (tmp_path / "r.hea").symlink_to(tmp_path / "deep" / "r.hea")
    (tmp_path / "r.dat").symlink_to("deep/r.dat")
    assert folder.read(tmp_path).ids.tolist() == ["deep/r", "r"]


def test_names_that_cannot_be_printed(tmp_path):
    write(tmp_path, "good")
    for name in (b"a\nb", b"\xff", b"\x1b[31m"):
        for suffix in (b".hea", b".dat"):
            shutil.copy(tmp_path / f"good{suffix.decode()}", os.fsencode(tmp_path) + b"/" + name + suffix)
    recordings = folder.read(tmp_path, on_bad="skip")
    assert recordings.ids.tolist() == ["good"] and len(recordings.skipped["unprintable name"]) == 3
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, "cannot be printed")


def test_what_is_larger_than_its_header_says_is_read_as_far_as_it_says(tmp_path):
    path = write(tmp_path)
    os.truncate(tmp_path / "r.dat", 1 << 26)
    one, = folder.records(tmp_path, "II", datasets_collector.Collector("own", "own", ()))
    np.testing.assert_allclose(one.millivolts()[:, 0], ecg()[:, 1] / 1000, atol=1e-6)
    os.truncate(tmp_path / "r.dat", 1 << 40)  # a sparse file: reading it all would take for ever
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "r.dat", str(1 << 40), "promises 2400")
    os.truncate(path, 1 << 40)
    with pytest.raises(EcgtlError) as error:
        list(folder.records(tmp_path, "II", datasets_collector.Collector("own", "own", ())))
    one_line(error, path, "a header takes")


def test_nothing_left_names_the_reasons(tmp_path):
    for record in "abcd":
        write(tmp_path, record)
    (tmp_path / "b.dat").unlink()
    header(tmp_path / "c.hea", "")
    header(tmp_path / "d.hea", "d 0 250 600\n")
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, lead="V9", on_bad="skip")
    one_line(error, "no lead V9: 1 (a)", "missing file: 1 (b)", "unreadable header: 1 (c)", "no signals: 1 (d)",
             "it has I, II")


@pytest.mark.parametrize(("factor", "said"), [(1, False), (0.2, False), (5, False), (1 / 2000, True), (1000, True)])
@pytest.mark.parametrize("offset", [0, 300])
def test_an_amplitude_that_no_ecg_has_is_said(tmp_path, capsys, factor, offset, said):
    for record in "ab":
        gain = f"{1000 / factor}({round(-offset * 1000 / factor)})"
        header(write(tmp_path, record), SOUND.replace("r", record).replace("1000(0)", gain))
    folder.read(tmp_path, lead="II")
    lines = [line for line in capsys.readouterr().err.splitlines() if "amplitude" in line]
    assert len(lines) == said
    assert not said or all(word in lines[0] for word in ("2 (a, b)", f"gain {1000 / factor:g} per mV", "unit mV",
                                                         "lead II"))
