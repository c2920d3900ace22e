"""HL7 aECG, SCP-ECG and Philips XML through ecgdatakit.

What the readers make of recordings from elsewhere was compared with other readers (book/own-data.md says which); here
files are made by hand, and refused where they are damaged or would have something else read.
"""

import struct
import sys
from binascii import crc_hqx

import numpy as np
import pytest
from messages import one_line
from own_files import RATE, read_one, signal

from ecgtl.datasets import folder
from ecgtl.datasets.formats import others
from ecgtl.errors import EcgtlError

AECG = """<?xml version="1.0" encoding="UTF-8"?>
<AnnotatedECG xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" type="Observation">
<id root="61d1a24f-b47e-41aa-ae95-f8ac302f4eeb"/><effectiveTime><center value="20260102091000"/></effectiveTime>
<component><series><id root="61d1a24f-b47e-41aa-ae95-f8ac302f4eec"/>
<code code="RHYTHM" codeSystem="2.16.840.1.113883.5.4"/>
<effectiveTime><low value="20260102091000.000"/><high value="20260102091008.000"/></effectiveTime>
<component><sequenceSet>
<component><sequence><code code="TIME_ABSOLUTE" codeSystem="2.16.840.1.113883.6.24"/><value xsi:type="GLIST_TS">
<head value="20260102091000.000" unit="s"/><increment value="{step}" unit="s"/></value></sequence></component>
{leads}</sequenceSet></component></series></component></AnnotatedECG>
"""
LEAD = """<component><sequence><code code="MDC_ECG_LEAD_{name}" codeSystem="2.16.840.1.113883.6.24"/>
<value xsi:type="SLIST_PQ"><origin value="{origin}" unit="{unit}"/><scale value="2.5" unit="{unit}"/>
<digits>{digits}</digits></value></sequence></component>
"""


def aecg(x=None, names=("I", "II"), unit="uV", origin=0, step=1 / RATE, cut=None):
    x = signal() if x is None else x
    stored = np.rint((x * 1000 - origin) / 2.5).astype(int)
    lengths = [None, cut or None]
    leads = "".join(LEAD.format(name=name, unit=unit, origin=origin, digits=" ".join(map(str, lead[:length].tolist())))
                    for name, lead, length in zip(names, stored.T, lengths, strict=True))
    return AECG.format(step=step, leads=leads)


@pytest.fixture
def library():
    return pytest.importorskip("ecgdatakit")


@pytest.mark.parametrize("origin", [0, 40])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_aecg_is_read_back(tmp_path, library, origin, encoding):
    (tmp_path / "a.xml").write_bytes(aecg(origin=origin).replace("UTF-8", encoding.upper()).encode(encoding))
    found, leads, rate = read_one(tmp_path / "a.xml")
    assert (leads, rate) == (["I", "II"], RATE)
    np.testing.assert_allclose(found, signal(), atol=2.5 / 2000 + 1e-6)


@pytest.mark.parametrize("unit", ["", "mmHg"])
def test_a_lead_without_a_voltage_is_refused(tmp_path, library, unit):
    (tmp_path / "a.xml").write_text(aecg(unit=unit))
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "a.xml")


@pytest.mark.parametrize("change", [
    lambda text: text[:len(text) // 2],  # truncated
    lambda text: text.replace("1.113883.6.24", "").replace('<increment value="0.004" unit="s"/>', ""),  # no rate
    lambda text: text.replace('value="0.004"', 'value="0.00244"'),  # 409.8 Hz, which the library rounds and warns of
    lambda text: text.replace("<digits>", "<digits>x "),
    lambda text: aecg(cut=100)])  # leads of different lengths
def test_what_the_library_only_warns_of_is_an_error(tmp_path, library, change):
    (tmp_path / "a.xml").write_text(change(aecg()))
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "a.xml", "cannot be read as ECG")
    (tmp_path / "b.xml").write_text(aecg(signal(seed=1)))
    assert folder.read(tmp_path, on_bad="skip").skipped == {"damaged ECG": ["a"]}


@pytest.mark.parametrize("declared", [
    '<!DOCTYPE AnnotatedECG [<!ENTITY who SYSTEM "file:///etc/hostname">]>', '<!DOCTYPE AnnotatedECG SYSTEM "x.dtd">',
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_xml_with_entities_is_refused_before_it_is_parsed(tmp_path, monkeypatch, declared, encoding):
    monkeypatch.setitem(sys.modules, "ecgdatakit", None)  # so whatever parses would fail otherwise
    (tmp_path / "a.xml").write_bytes(aecg().replace("?>", f"?>{declared}", 1).encode(encoding))
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "a.xml", "entities")


def scp(x, nanovolts=2500):
    """SCP-ECG 2.0 of two leads, neither compressed nor encoded: sections 0 (pointers), 1, 3 and 6."""
    def section(number, content):
        content += b"\0" * (len(content) % 2)
        head = struct.pack("<HIBB6s", number, 16 + len(content), 20, 20, b"SCPECG" if number == 0 else bytes(6))
        return struct.pack("<H", crc_hqx(head + content, 0xFFFF)) + head + content

    stored = np.rint(x * 1e6 / nanovolts).astype("<i2")
    tag = struct.pack("<BHHBB", 25, 4, 2026, 1, 2) + struct.pack("<BH", 255, 0)
    leads = struct.pack("<BB", 2, 0b10100) + b"".join(struct.pack("<IIB", 1, len(x), number) for number in (1, 2))
    rhythm = struct.pack("<HHBB", nanovolts, 1000000 // RATE, 0, 0) + struct.pack("<2H", *[2 * len(x)] * 2)
    sections = {1: section(1, tag), 3: section(3, leads), 6: section(6, rhythm + stored.T.tobytes())}
    size = 16 + 12 * 10
    place, pointers = 7 + size, struct.pack("<HII", 0, size, 7)
    for number in range(1, 12):
        length = len(sections.get(number, b""))
        pointers += struct.pack("<HII", number, length, place if length else 0)
        place += length
    body = section(0, pointers) + b"".join(sections.values())
    whole = struct.pack("<I", len(body) + 6) + body
    return struct.pack("<H", crc_hqx(whole, 0xFFFF)) + whole


def test_scp_is_read_back(tmp_path, library):
    (tmp_path / "a.scp").write_bytes(scp(signal()))
    found, leads, rate = read_one(tmp_path / "a.scp")
    assert (leads, rate) == (["I", "II"], RATE)
    np.testing.assert_allclose(found, signal(), atol=2.5 / 2000 + 1e-6)


@pytest.mark.parametrize("change", [lambda content: content[:-500],
                                    lambda content: content[:2000] + b"\7" + content[2001:],
                                    lambda content: content[:40] + bytes(len(content) - 40)])
def test_a_damaged_scp_is_refused(tmp_path, library, change):
    (tmp_path / "a.scp").write_bytes(change(scp(signal())))
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "a.scp", "cannot be read as ECG")


PHILIPS = """<?xml version="1.0" encoding="UTF-8"?>
<restingecgdata xmlns="http://www3.medical.philips.com"><documentinfo><documenttype>SierraECG</documenttype>
<documentversion>1.03</documentversion></documentinfo><dataacquisition><signalcharacteristics>
<samplingrate>250</samplingrate>{resolution}<numberchannelsallocated>2</numberchannelsallocated><acquisitiontype>STD-12
</acquisitiontype></signalcharacteristics></dataacquisition><waveforms><parsedwaveforms dataencoding="Plain"
durationperchannel="8000">{digits}</parsedwaveforms></waveforms></restingecgdata>
"""


def philips(x, resolution="<signalresolution>5</signalresolution>"):
    return PHILIPS.format(resolution=resolution, digits=" ".join(map(str, np.rint(x.T * 200).astype(int).ravel())))


def test_philips_is_read_back(tmp_path, library):
    (tmp_path / "a.xml").write_text(philips(signal()))
    found, leads, rate = read_one(tmp_path / "a.xml")
    assert (leads, rate) == (["I", "II"], RATE)
    np.testing.assert_allclose(found, signal(), atol=5 / 2000 + 1e-6)


@pytest.mark.parametrize("text", [philips(signal(), resolution=""), philips(signal()[:-1]), philips(signal())[:5000]])
def test_a_damaged_philips_is_refused(tmp_path, library, text):
    """Without its resolution, with too few samples, and cut off."""
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "a.xml", "cannot be read as ECG")


@pytest.mark.parametrize(("name", "content", "word"), [
    ("a.xml", b'<?xml version="1.0"?><RestingECG><Waveform/></RestingECG>', "GE MUSE"),
    ("a.ecg", b"ISHNE1.0" + bytes(1000), "ISHNE")])
def test_formats_whose_reader_nobody_compared_are_not_read(tmp_path, name, content, word):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / name, word, "not read")


def test_the_librarys_networks_are_not_loaded(tmp_path, library):
    (tmp_path / "a.xml").write_text(aecg())
    read_one(tmp_path / "a.xml")
    assert not [name for name in sys.modules if name.startswith("ecgdatakit.processing")]


def test_without_the_library_one_line_says_how_to_get_it(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "ecgdatakit"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ecgdatakit", None)
    (tmp_path / "a.xml").write_text(aecg())
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, on_bad="skip")
    one_line(error, "ecgdatakit", "pip install 'ecgtl[more-formats]'")


def test_other_xml_is_none_of_them():
    assert others.kind(b"<svg></svg>") == others.kind(b"") == ""
