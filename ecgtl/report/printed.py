"""Numbers of the papers as text, digit for digit as their YAML files have them."""

from functools import cache
from pathlib import Path

import yaml

from ecgtl import paths, published
from ecgtl.errors import EcgtlError

MINUS = "\N{MINUS SIGN}"


def published_text(path: str) -> str:
    """What a paper prints at ``path`` (see ``ecgtl.published``), with all digits: ``.670`` stays ``.670``.

    A cell with mean and SD becomes ``mean ± SD``, an entry with a ``value`` that value, a list its items with
    commas (a ratio with colons, sentences with spaces); whole numbers from 1,000 on get commas.
    """
    found = published.lookup(path)
    keys = path.split(".")
    if isinstance(found, dict) and "value" in found:
        return published_text(f"{path}.value")
    node = _node(published_file(keys[0]), tuple(keys[1:]))
    if isinstance(found, dict) and {"mean", "sd"} <= set(found):
        return " ± ".join(published_text(f"{path}.{part}") for part in ("mean", "sd"))
    if isinstance(found, dict):
        raise EcgtlError(f"{path} is not a value yet; go on with one of {', '.join(found)}")
    if found is None:
        raise EcgtlError(f"{path} is empty: the paper prints nothing there")
    if isinstance(found, list):
        items = [_printed(item) for item in node.value]
        return (" " if items[0].endswith(".") else ":" if _is_ratio(keys) else ", ").join(items)
    return _printed(node, group=keys[-1] != "year")


def published_file(paper: str) -> Path:
    return paths.PACKAGE / "published" / f"{paper}.yml"


@cache
def _tree(file: Path) -> yaml.Node:
    """The YAML as written: a number's node keeps the characters that loading would turn into a float."""
    return yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)


def _node(file: Path, keys: tuple[str, ...]) -> yaml.Node:
    node = _tree(file)
    for key in keys:
        node = next(value for name, value in node.value if name.value == key)
    return node


def _is_ratio(keys: list[str]) -> bool:
    parent = published.lookup(".".join(keys[:-1]))
    return isinstance(parent, dict) and parent.get("unit") == "ratio"


def _printed(node: yaml.ScalarNode, group: bool = True) -> str:
    if node.tag not in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
        return node.value
    text = node.value.removeprefix("-")
    if text.isdigit() and group:
        text = f"{int(text):,}"
    return MINUS + text if node.value.startswith("-") else text
