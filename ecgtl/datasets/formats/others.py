"""SCP-ECG, HL7 aECG and Philips XML, through ecgdatakit, whose networks are never loaded.

And AliveCor Kardia's recordings as its interface gives them: JSON, of KardiaMobile and KardiaMobile 6L.
"""

import importlib
import json
import re
from pathlib import Path

import numpy as np

from ecgtl.datasets.files import read_bytes
from ecgtl.datasets.formats.signals import Given, Signals, refusing
from ecgtl.errors import RecordError

# Parsers that were compared with another reader on recordings from elsewhere, and how their XML begins
_PARSERS = {"scp": ("scp_ecg", "SCPECGParser"), "aecg": ("hl7_aecg", "HL7aECGParser"),
            "philips": ("sierra_xml", "SierraXMLParser")}
_BEGINNINGS = {"aecg": r"<([A-Za-z_][\w.-]*:)?AnnotatedECG\b", "philips": r"<restingecgdata\b",
               "GE MUSE": r"<RestingECG\b", "ISHNE": r"ISHNE1\.0"}
_KARDIA = {"leadI": "I", "leadII": "II", "leadIII": "III", "AVR": "aVR", "AVL": "aVL", "AVF": "aVF"}


def kind(head: bytes) -> str:
    """Which of these formats a file that begins with ``head`` is of; empty where it is of none."""
    if re.match(rb"[\xef\xbb\xbf \r\n\t]*\{", head) and re.search(b'"recordedAt"|"amplitudeResolution"', head):
        return "kardia"
    if head[8:10] == head[22:24] == b"\0\0" and head[28:32] == b"\7\0\0\0":
        return "scp"
    return next((name for name, beginning in _BEGINNINGS.items() if re.search(beginning, _text(head))), "")


def read(path: Path, given: Given) -> Signals:
    """The leads of a recording; whatever ecgdatakit only warns of is a RecordError here."""
    content = read_bytes(path)
    name = kind(content[:4096])
    if name == "kardia":
        return _kardia(path, content)
    if name not in _PARSERS:
        raise RecordError("format that is not read", f"{path} is of {name}, which is not read, as no reader of it was "
                          "tested here; export it as DICOM, EDF or CSV")
    if name != "scp" and re.search("<!(DOCTYPE|ENTITY)", _text(content), re.IGNORECASE):
        raise RecordError("XML with entities", f"{path} declares a document type or entities, which are not resolved; "
                          "remove the declaration")
    module, parser = _PARSERS[name]
    with refusing(path, "ECG", "more-formats", warn=True):
        leads = getattr(importlib.import_module(f"ecgdatakit.parsing.parsers.{module}"), parser)().parse(path).leads
        rate, = {lead.sampling_rate for lead in leads}  # ValueError for leads of different rates
        units, scale, offset = zip(*((lead.resolution_unit, lead.resolution, lead.offset) if lead.is_raw else
                                     (lead.units, 1.0, 0.0) for lead in leads), strict=True)
        stored = np.array([lead.samples for lead in leads], float).T
        return Signals([lead.label for lead in leads], rate, units, stored, scale, offset)


def _kardia(path: Path, content: bytes) -> Signals:
    """The unfiltered signals; a stored unit is ``amplitudeResolution`` nanovolts."""
    with refusing(path, "Kardia JSON"):
        raw = json.loads(content)["data"]["raw"]
        leads = {name: raw["samples"][key] for key, name in _KARDIA.items() if raw["samples"].get(key)}
        stored = np.array(list(leads.values()), float).T  # ValueError for leads of different lengths
        rate, nanovolts = float(raw["frequency"]), float(raw["amplitudeResolution"])
        return Signals(list(leads), rate, ["nV"] * len(leads), stored, nanovolts)


def _text(content: bytes) -> str:
    return content.decode("utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "latin-1", "ignore")
