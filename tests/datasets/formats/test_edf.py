"""EDF, EDF+ and BDF: written by edfio, read to within quantisation, and refused where they are damaged."""

import numpy as np
import pytest
from messages import one_line
from own_files import LEADS, RATE, read_one, signal

from ecgtl.datasets import folder
from ecgtl.datasets.collector import Collector
from ecgtl.errors import EcgtlError

edfio = pytest.importorskip("edfio")


def write(path, x=None, dimension="uV", bits=16, rates=(), annotations=None, **options):
    """``x`` in mV as a file whose unit is ``dimension``; returns what a step of its numbers is in mV."""
    x = signal() if x is None else x
    kind, whole = (edfio.EdfSignal, edfio.Edf) if bits == 16 else (edfio.BdfSignal, edfio.Bdf)
    factor = {"uV": 1e3, "mV": 1.0, "V": 1e-3}.get(dimension, 1.0)
    options = {"physical_range": (-5 * factor, 5 * factor), "physical_dimension": dimension} | options
    if bits == 24:
        options["digital_range"] = (-(1 << 23), (1 << 23) - 1)
    signals = [kind(lead * factor, rate, label=name, **options) for lead, name, rate in
               zip(x.T, ("ECG I", "ECG II", "ECG V1"), rates or [RATE] * 3, strict=False)]
    whole(signals, annotations=annotations).write(path)
    return 10 / (1 << bits)


@pytest.mark.parametrize("name", ["a.edf", "a", "a.rec"])
@pytest.mark.parametrize(("bits", "dimension"), [(16, "uV"), (16, "mV"), (16, "V"), (24, "uV")])
def test_a_file_is_read_back_whatever_its_name(tmp_path, name, bits, dimension):
    step = write(tmp_path / name, dimension=dimension, bits=bits)
    recordings = folder.read(tmp_path)
    assert recordings.ids.tolist() == [name.removesuffix(".edf")]
    assert (tuple(recordings.leads[0]), recordings.sampling_rate[0]) == (LEADS, RATE)
    np.testing.assert_allclose(recordings.signal(0).T, signal(), atol=step)


def test_numbers_are_those_that_edfio_reads(tmp_path):
    """Ranges that are not centred: the digital and the physical zero lie apart."""
    write(tmp_path / "a.edf", physical_range=(-1000, 4000), digital_range=(-100, 3000))
    expected = np.stack([one.data for one in edfio.read_edf(tmp_path / "a.edf").signals], axis=1) / 1000
    found, _, _ = read_one(tmp_path / "a.edf")
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_24_bits_keep_their_sign(tmp_path):
    digital = np.array([-(1 << 23), -1, 0, 1, (1 << 23) - 1] * 50, np.int32)
    one = edfio.BdfSignal.from_digital(digital, 250, label="ECG", physical_dimension="mV", physical_range=(-8, 8))
    edfio.Bdf([one]).write(tmp_path / "a.bdf")
    found, _, _ = read_one(tmp_path / "a.bdf")
    np.testing.assert_allclose(found[:5, 0], [-8, -1 / (1 << 20), 0, 1 / (1 << 20), 8], atol=2e-6)
    assert found[0, 0] < found[1, 0] < found[2, 0] < found[3, 0]


def test_annotations_are_no_lead(tmp_path):
    write(tmp_path / "a.edf", annotations=[edfio.EdfAnnotation(1.5, None, "artefact")])
    found, leads, _ = read_one(tmp_path / "a.edf")
    assert tuple(leads) == LEADS
    np.testing.assert_allclose(found, signal(), atol=10 / (1 << 16))


def test_only_edfs_own_annotations_are_none(tmp_path):
    x = signal(n_leads=3)
    edfio.Edf([edfio.EdfSignal(lead, RATE, label=name, physical_dimension=unit) for lead, name, unit in zip(
        x.T, ("ECG I", "BDF Annotations", "ECG II"), ("mV", "", "mV"), strict=True)]).write(tmp_path / "a.edf")
    for k, lead in ((0, "I"), (2, "II")):
        np.testing.assert_allclose(read_one(tmp_path / "a.edf", lead=lead)[0][:, 0], x[:, k], atol=1e-3)


def test_signals_have_rates_of_their_own(tmp_path):
    """Leads that are read together share a rate; one alone is read at its own."""
    x = signal(n_leads=2)
    signals = [edfio.EdfSignal(x[:, 0], 250, label="II", physical_dimension="mV"),
               edfio.EdfSignal(x[::5, 1], 50, label="V1", physical_dimension="mV")]
    edfio.Edf(signals).write(tmp_path / "a.edf")
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "a.edf", "different rates")
    for lead, expected, rate in (("II", x[:, 0], 250), ("V1", x[::5, 1], 50)):
        found, _, got = read_one(tmp_path / "a.edf", lead=lead)
        assert got == rate
        np.testing.assert_allclose(found[:, 0], expected, atol=1e-3)


def test_any_stretch_is_read_alone(tmp_path):
    """Data records need not be of a second, nor begin where a stretch does."""
    x, collector = signal(), Collector("folder", "own")
    kinds = [edfio.EdfSignal(lead, RATE, label=name, physical_dimension="mV", physical_range=(-5, 5))
             for lead, name in zip(x.T, LEADS, strict=True)]
    edfio.Edf(kinds, data_record_duration=0.2).write(tmp_path / "a.edf")
    [one] = folder.records(tmp_path, None, collector)
    assert len(one) == len(x)
    for start, stop in ((0, 1), (49, 51), (50, 100), (37, 1234), (len(x) - 1, len(x))):
        np.testing.assert_allclose(one.millivolts(start, stop), x[start:stop], atol=2e-4)


def test_a_signal_that_is_no_voltage_is_passed_by_when_a_lead_is_chosen(tmp_path):
    x = signal()
    edfio.Edf([edfio.EdfSignal(x[:, 0], RATE, label="Resp", physical_dimension="mmHg"),
               edfio.EdfSignal(x[:, 1], RATE, label="ECG", physical_dimension="mV")]).write(tmp_path / "a.edf")
    found, _, _ = read_one(tmp_path / "a.edf", lead="ecg")
    np.testing.assert_allclose(found[:, 0], x[:, 1], atol=1e-3)
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "a.edf", "Resp is not a voltage (mmHg)", "choose a lead", "ECG")


def damage(path, how):
    content = bytearray(path.read_bytes())
    if how == "truncated":
        del content[-501:]
    elif how == "longer":
        content += b"\0\0"
    elif how == "header cut":
        del content[300:]
    elif how == "discontinuous":
        content[192:197] = b"EDF+D"
    elif how == "never finished":
        content[236:244] = b"-1      "
    elif how == "no range":
        n = int(content[252:256])
        for at in (104, 112):  # physical minimum and maximum of all signals
            content[256 + at * n:256 + (at + 8) * n] = b"0       " * n
    elif how == "garbage":
        content[244:252] = b"seconds?"
    elif how == "no signal":
        content[252:256] = b"0   "
    elif how == "0 Hz":
        content[244:252] = b"0       "
    path.write_bytes(content)


@pytest.mark.parametrize(("how", "reason"), [
    ("truncated", "truncated signal file"), ("longer", "oversized signal file"), ("header cut", "damaged EDF"),
    ("discontinuous", "discontinuous recording"), ("never finished", "discontinuous recording"),
    ("no range", "gain out of range"), ("garbage", "damaged EDF"), ("no signal", None), ("0 Hz", "damaged EDF")])
def test_damage_gets_one_line_and_is_counted(tmp_path, how, reason):
    write(tmp_path / "bad.edf")
    write(tmp_path / "good.edf", signal(seed=1))
    damage(tmp_path / "bad.edf", how)
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "bad.edf", "on_bad=skip")
    recordings = folder.read(tmp_path, on_bad="skip")
    assert recordings.ids.tolist() == ["good"]
    [(said, records)] = recordings.skipped.items()
    assert records == ["bad"] and said == (reason or said)


@pytest.mark.parametrize("dimension", ["", "?", "%"])
def test_no_unit_or_another_is_refused(tmp_path, dimension):
    write(tmp_path / "a.edf", dimension=dimension)
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "a.edf", f"not a voltage ({dimension or 'no unit'})")


def test_the_unit_of_a_file_without_any_may_be_given(tmp_path):
    write(tmp_path / "a.edf", dimension="")
    np.testing.assert_allclose(read_one(tmp_path / "a.edf", unit="mV")[0], signal(), atol=2e-4)
    edfio.Edf([edfio.EdfSignal(x, RATE, label=name, physical_dimension=unit) for x, name, unit in zip(
        signal().T, ("ECG I", "TRIGGER"), ("mV", ""), strict=True)]).write(tmp_path / "a.edf")
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, unit="mV")
    one_line(error, "TRIGGER is not a voltage (no unit)")


def test_a_name_that_promises_edf_is_kept_to(tmp_path):
    write(tmp_path / "good.edf")
    (tmp_path / "bad.edf").write_bytes(b"%PDF-1.7 no recording at all" * 100)
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "bad.edf", "not what its name says")
    assert folder.read(tmp_path, on_bad="skip").skipped == {"unknown format": ["bad"]}


def test_without_the_library_one_line_says_how_to_get_it(tmp_path, monkeypatch):
    write(tmp_path / "a.edf")
    monkeypatch.setitem(__import__("sys").modules, "edfio", None)
    for on_bad in ("error", "skip"):
        with pytest.raises(EcgtlError) as error:
            folder.read(tmp_path, on_bad=on_bad)
        one_line(error, tmp_path / "a.edf", "edfio", "pip install 'ecgtl[formats]'")
