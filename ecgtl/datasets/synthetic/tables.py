"""The numbers that the twins are made of, as they stand in the YAML files of this folder."""

from functools import cache
from pathlib import Path

import yaml


@cache
def table(name: str) -> dict:
    """The whole of ``name``.yml, read once: ``waves``, ``statements`` or ``plans``."""
    return yaml.safe_load(Path(__file__).with_name(f"{name}.yml").read_text(encoding="utf-8"))
