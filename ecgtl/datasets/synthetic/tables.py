"""The numbers that the twins are made of, as they stand in the YAML files of this folder."""

from functools import cache

from ecgtl import paths


@cache
def table(name: str) -> dict:
    """The whole of ``name``.yml, read once: ``waves``, ``statements`` or ``plans``."""
    return paths.facts(f"datasets/synthetic/{name}")
