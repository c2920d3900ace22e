"""DICOM waveforms: written by pydicom, read to within quantisation, and refused where they are damaged."""

import shutil
import sys

import numpy as np
import pytest
from messages import one_line
from own_files import RATE, read_one, signal

from ecgtl.datasets import folder
from ecgtl.errors import EcgtlError

pydicom = pytest.importorskip("pydicom")
from pydicom.data import get_testdata_file  # noqa: E402
from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, JPEGBaseline8Bit  # noqa: E402

MICROVOLTS = 2.5  # a stored unit


def coded(value, meaning):
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "UCUM", meaning
    return code


def group(x, rate=RATE, names=("Lead I (Einthoven)", "Lead II"), unit="uV", correction=1, baseline=0.0,
          originality="ORIGINAL", interpretation="SS", offset=0):
    """A multiplex group of ``x`` (samples, channels) in mV."""
    one = Dataset()
    one.WaveformOriginality, one.SamplingFrequency, one.MultiplexGroupTimeOffset = originality, rate, offset
    one.NumberOfWaveformSamples, one.NumberOfWaveformChannels = x.shape
    one.WaveformBitsAllocated, one.WaveformSampleInterpretation = (8 if interpretation == "MB" else 16), interpretation
    channels = []
    for name in names[:x.shape[1]]:
        channel = Dataset()
        channel.ChannelSourceSequence = [coded("x", name)]
        channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = MICROVOLTS, correction
        channel.ChannelBaseline = baseline
        channel.ChannelSensitivityUnitsSequence = [coded(unit, "microvolt")]
        channel.WaveformBitsStored = 16
        channels.append(channel)
    one.ChannelDefinitionSequence = channels
    stored = np.rint((x * 1000 - baseline) / MICROVOLTS / correction)
    one.WaveformData = stored.astype("u1" if interpretation == "MB" else "<i2").tobytes()
    return one


def write(path, *groups, syntax=ExplicitVRLittleEndian, change=lambda whole: None):
    whole, meta = Dataset(), FileMetaDataset()
    meta.MediaStorageSOPClassUID = whole.SOPClassUID = "1.2.840.10008.5.1.4.1.1.9.1.1"  # 12-lead ECG
    meta.MediaStorageSOPInstanceUID = whole.SOPInstanceUID = "1.2.3.4"
    meta.TransferSyntaxUID, whole.file_meta, whole.WaveformSequence = syntax, meta, list(groups)
    change(whole)
    pydicom.dcmwrite(path, whole, enforce_file_format=True)


@pytest.mark.parametrize("name", ["a.dcm", "IM000001"])
@pytest.mark.parametrize(("correction", "baseline"), [(1, 0.0), (0.98, 0.0), (1, 40.0)])
def test_a_file_is_read_back(tmp_path, name, correction, baseline):
    x = signal()
    write(tmp_path / name, group(x, correction=correction, baseline=baseline))
    found, leads, rate = read_one(tmp_path / name)
    assert (leads, rate) == (["I", "II"], RATE)
    np.testing.assert_allclose(found, x, atol=MICROVOLTS / 2000 + 1e-6)


@pytest.mark.parametrize(("unit", "factor"), [("uV", 1e-3), ("mV", 1.0), ("nV", 1e-6)])
def test_the_unit_is_the_files(tmp_path, unit, factor):
    x = signal()
    write(tmp_path / "a.dcm", group(x, unit=unit))
    found, _, _ = read_one(tmp_path / "a.dcm")
    np.testing.assert_allclose(found / factor / 1000, x, atol=MICROVOLTS / 2000 + 1e-6)


def test_a_recording_of_a_hospital_is_read_as_pydicom_reads_it(tmp_path):
    """What pydicom comes with: 12 leads of 10 s at 1,000 Hz, and 1.2 s of median beats, which are derived."""
    source = get_testdata_file("waveform_ecg.dcm")
    shutil.copy(source, tmp_path / "a.dcm")
    found, leads, rate = read_one(tmp_path / "a.dcm")
    whole = pydicom.dcmread(source)
    assert (len(whole.WaveformSequence), rate, found.shape) == (2, 1000, (10000, 12))
    np.testing.assert_allclose(found, whole.waveform_array(0) / 1000, atol=1e-6)
    assert leads == ["I", "II", "III", "aVR", "aVL", "aVF", *(f"V{k}" for k in range(1, 7))]


def test_groups_of_one_span_are_one_recording_and_derived_ones_none(tmp_path):
    x = signal(n_leads=3)
    write(tmp_path / "a.dcm", group(x[:, :2]), group(x[:, 2:], names=("Lead V1",)),
          group(x[:100, :1], originality="DERIVED"))
    found, leads, _ = read_one(tmp_path / "a.dcm")
    assert leads == ["I", "II", "V1"]
    np.testing.assert_allclose(found, x, atol=MICROVOLTS / 2000 + 1e-6)


def test_padding_is_missing(tmp_path):
    x = signal()
    one = group(x)
    samples = np.frombuffer(one.WaveformData, "<i2").copy()
    samples[:20] = -32768
    one.WaveformData, one.WaveformPaddingValue = samples.tobytes(), np.int16(-32768).tobytes()
    write(tmp_path / "a.dcm", one)
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "a.dcm", "missing samples (NaN)")


def without(name):
    def change(whole):
        for channel in whole.WaveformSequence[0].ChannelDefinitionSequence:
            delattr(channel, name)
    return change


@pytest.mark.parametrize(("given", "words"), [
    ({"syntax": DeflatedExplicitVRLittleEndian}, ["compressed", "Explicit VR Little Endian"]),
    ({"syntax": JPEGBaseline8Bit}, ["compressed"]),
    ({"change": lambda whole: setattr(whole, "EncryptedAttributesSequence", [Dataset()])}, ["encrypted"]),
    ({"change": without("ChannelSensitivityUnitsSequence")}, ["not a voltage (no unit)"]),
    ({"change": without("ChannelSensitivity")}, ["gain"]),
    ({"change": lambda whole: delattr(whole.WaveformSequence[0], "SamplingFrequency")}, ["SamplingFrequency"]),
    ({"change": lambda whole: setattr(whole.WaveformSequence[0], "SamplingFrequency", 0)}, ["0 Hz"]),
    ({"change": lambda whole: setattr(whole.WaveformSequence[0], "NumberOfWaveformSamples", 9999)}, ["truncated"]),
    ({"change": lambda whole: delattr(whole, "WaveformSequence")}, ["original waveforms of 0"])])
def test_what_cannot_be_read_gets_one_line(tmp_path, given, words):
    write(tmp_path / "a.dcm", group(signal()), **given)
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "a.dcm", *words)
    write(tmp_path / "b.dcm", group(signal(seed=1)))
    assert folder.read(tmp_path, on_bad="skip").ids.tolist() == ["b"]


@pytest.mark.parametrize("other", [{"rate": 500}, {"offset": 2500}])
def test_groups_of_different_spans_are_not_joined(tmp_path, other):
    write(tmp_path / "a.dcm", group(signal()), group(signal()[:1000], **other))
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "a.dcm", "2 rates or spans")


def test_companded_samples_are_not_read_as_numbers(tmp_path):
    write(tmp_path / "a.dcm", group(np.abs(signal()) / 1000, interpretation="MB"))
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "a.dcm", "compressed")


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_a_truncated_file_is_an_error(tmp_path, kept):
    """pydicom reads on to the end that it finds."""
    write(tmp_path / "a.dcm", group(signal()))
    content = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(content[:int(kept * len(content))])
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "a.dcm")


def test_without_the_library_one_line_says_how_to_get_it(tmp_path, monkeypatch):
    write(tmp_path / "a.dcm", group(signal()))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, on_bad="skip")
    one_line(error, "pydicom", "pip install 'ecgtl[formats]'")
