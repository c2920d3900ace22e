"""AliveCor Kardia's recordings as its interface gives them: JSON, of KardiaMobile and KardiaMobile 6L."""

import json
from pathlib import Path

import numpy as np

from ecgtl.datasets.files import read_bytes
from ecgtl.datasets.formats.signals import Given, Signals, refusing

_LEADS = {"leadI": "I", "leadII": "II", "leadIII": "III", "AVR": "aVR", "AVL": "aVL", "AVF": "aVF"}


def is_kardia(head: bytes) -> bool:
    """Whether a file begins as such a recording."""
    return head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{") and (
        b'"recordedAt"' in head or b'"amplitudeResolution"' in head)


def read(path: Path, given: Given) -> Signals:
    """The unfiltered signals; a stored unit is ``amplitudeResolution`` nanovolts."""
    with refusing(path, "Kardia JSON"):
        raw = json.loads(read_bytes(path))["data"]["raw"]
        leads = {name: raw["samples"][key] for key, name in _LEADS.items() if raw["samples"].get(key)}
        stored = np.array(list(leads.values()), float).T  # ValueError for leads of different lengths
        rate, nanovolts = float(raw["frequency"]), float(raw["amplitudeResolution"])
        return Signals(list(leads), rate, ["nV"] * len(leads), stored, nanovolts)
