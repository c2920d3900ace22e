"""Numbers of the papers as text, digit for digit as their YAML files have them."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ecgtl import paths, published
from ecgtl.errors import EcgtlError

MINUS = "\N{MINUS SIGN}"


def published_text(path: str) -> str:
    """What a paper prints at ``path`` (see ``ecgtl.published``), with all digits: ``.670`` stays ``.670``.

    A cell with mean and SD becomes ``mean ± SD``, an entry with a ``value`` that value, a list its items with
    commas (a ratio with colons, sentences with spaces); whole numbers from 1,000 on get commas.
    """
    found, (paper, *keys) = published.lookup(path), path.split(".")
    if isinstance(found, dict):
        if "value" in found:
            return published_text(f"{path}.value")
        if {"mean", "sd"} <= set(found):
            return " ± ".join(published_text(f"{path}.{part}") for part in ("mean", "sd"))
        raise EcgtlError(f"{path} is not a value yet; go on with one of {', '.join(found)}")
    if found is None:
        raise EcgtlError(f"{path} is empty: the paper prints nothing there")
    written: Any = as_written(paths.PACKAGE / "published" / f"{paper}.yml")
    for key in keys:
        written, above = written[key], written
    if isinstance(found, list):
        items = list(map(_printed, found, written))
        return (" " if items[0].endswith(".") else ":" if above.get("unit") == "ratio" else ", ").join(items)
    return _printed(found, written, group=keys[-1] != "year")


@cache
def as_written(file: Path) -> dict:
    """The YAML with the characters of every number, which loading would turn into a float."""
    return yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def _printed(value, written: str, group: bool = True) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return written
    text = written.removeprefix("-")
    if text.isdigit() and group:
        text = f"{int(text):,}"
    return MINUS + text if written.startswith("-") else text
