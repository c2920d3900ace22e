"""DICOM waveforms, through pydicom."""

from pathlib import Path

import numpy as np

from ecgtl.datasets.formats.signals import Given, Signals, refusing
from ecgtl.datasets.wfdb_header import truncated
from ecgtl.errors import RecordError

_PLAIN = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")  # little endian, neither deflated nor encapsulated
_INTEGERS = {("SB", 8): "i1", ("UB", 8): "u1", ("SS", 16): "<i2", ("US", 16): "<u2", ("SL", 32): "<i4",
             ("UL", 32): "<u4"}  # others are companded (A-law, mu-law)


def read(path: Path, given: Given) -> Signals:
    """The original multiplex groups of the file at ``path``, which must be of one rate, length and start.

    Groups that are derived, such as median beats, are left out.
    """
    with refusing(path, "DICOM"):
        import pydicom

        whole = pydicom.dcmread(path)
        groups = [group for group in whole.get("WaveformSequence", ())
                  if group.get("WaveformOriginality", "ORIGINAL") == "ORIGINAL"]
        kinds = {_INTEGERS.get((group.WaveformSampleInterpretation, group.WaveformBitsAllocated)) for group in groups}
        syntax = whole.file_meta.get("TransferSyntaxUID")
        if syntax not in _PLAIN or "EncryptedAttributesSequence" in whole or None in kinds:
            raise RecordError("compressed or encrypted DICOM", f"{path} is compressed or encrypted ({syntax}); export "
                              "it as Explicit VR Little Endian with linear samples")
        alike = {(float(group.SamplingFrequency), int(group.NumberOfWaveformSamples),
                  float(group.get("MultiplexGroupTimeOffset") or 0)) for group in groups}
        if len(alike) != 1:
            raise RecordError("unfit multiplex groups", f"{path} holds original waveforms of {len(alike)} rates or "
                              "spans; export each as a file of its own")
        channels = [channel for group in groups for channel in group.ChannelDefinitionSequence]
        leads, units, scale, offset = zip(*map(_channel, channels), strict=True)
        return Signals(leads, alike.pop()[0], units, np.hstack([_stored(path, one) for one in groups]), scale, offset)


def _stored(path: Path, group) -> np.ndarray:
    """Samples (samples, channels) of a multiplex group, NaN where they are padding."""
    kind = np.dtype(_INTEGERS[group.WaveformSampleInterpretation, group.WaveformBitsAllocated])
    n, n_channels = int(group.NumberOfWaveformSamples), int(group.NumberOfWaveformChannels)
    content, needed = group.get("WaveformData") or b"", n * n_channels * kind.itemsize
    if len(content) < needed:
        raise truncated(str(path), len(content), needed)
    stored = np.frombuffer(content, kind, n * n_channels).reshape(n, n_channels)
    padding = np.frombuffer((group.get("WaveformPaddingValue") or b"")[:kind.itemsize], kind)
    return np.where(stored == padding[0], np.nan, stored) if len(padding) else stored


def _channel(channel) -> tuple[str, str, float, float]:
    """Lead, unit, scale and offset of a channel; a scale of 0 where none is said."""
    scale = channel.get("ChannelSensitivity") or 0, channel.get("ChannelSensitivityCorrectionFactor") or 1
    lead, unit = ("".join(str(item.get(name, "")) for item in channel.get(sequence, ())[:1]) for sequence, name in (
        ("ChannelSourceSequence", "CodeMeaning"), ("ChannelSensitivityUnitsSequence", "CodeValue")))
    return lead or str(channel.get("ChannelLabel", "")), unit, float(scale[0]) * float(scale[1]), float(
        channel.get("ChannelBaseline") or 0)
