"""Counts and moments of Shaoxing's ``Diagnostics.xlsx`` for Jang 2021's Table 1. No row is kept."""

from pathlib import Path

import numpy as np
import pandas as pd

from ecgtl import results
from ecgtl.datasets import cache, catalogue, shaoxing
from ecgtl.errors import EcgtlError

PROGRAM = "python -m ecgtl measure shaoxing"
KEY = "jang2021-table1-shaoxing"
MOMENTS = ("n", "male", "age_mean", "age_sd")


def measure(root: Path) -> results.Result:
    """Counts and moments of the released table below ``root``, for all and by rhythm; not yet saved.

    Raises EcgtlError as ``shaoxing.diagnostics`` does.
    """
    seconds = results.clock()
    table = shaoxing.diagnostics(root)
    file = Path(root) / shaoxing.FIGSHARE / shaoxing.TABLE
    by_name = {name: moments(table[table["rhythm"] == name]) for name in shaoxing.CLASSES}
    release = catalogue.entry(shaoxing.NAME)
    data = {"name": shaoxing.NAME, "version": release.version,
            "digest": cache.source_checksum(file.parent, [file]), "records": len(table), "file": file.name}
    known = {"upstream": "none", "target": "full" if len(table) == release.records else "subset", "leads": "none"}
    return results.Result(results.MEASURED, KEY, {"tier": "paper", "dataset": shaoxing.NAME}, known,
                          moments(table) | {"rhythms": by_name}, [], data, {"none": np.zeros(0, np.uint8)},
                          results.provenance("cpu", seconds(), 0, 1, PROGRAM))


def moments(table: pd.DataFrame) -> dict[str, int | float | None]:
    """Recordings, men among them, mean and SD (n - 1) of the age in years; None where n is too small."""
    age, n = table["age"], len(table)
    return {"n": n, "male": int((table["sex"] == "male").sum()), "age_mean": float(age.mean()) if n else None,
            "age_sd": float(age.std(ddof=1)) if n > 1 else None}


def load(tier: str = "best") -> results.Result:
    """What ``measure`` stored: the release as it is, so tier ``paper`` alone.

    Raises EcgtlError for another tier, and when it is absent, damaged, or does not add up.
    """
    if tier not in ("best", "paper"):
        raise EcgtlError(f"the Shaoxing table has no tier {tier}: it is counted whole; allowed: best, paper")
    path = results.path_of(results.MEASURED, KEY, "paper")
    if not path.is_file():
        raise EcgtlError(f"the Shaoxing table has not been counted; run '{PROGRAM}'")
    counted = results.load(path)
    whole, parts = counted.scores, counted.scores.get("rhythms", {}).values()
    complete = all(part.keys() >= set(MOMENTS) for part in (whole, *parts))
    if not (complete and all(whole[name] == sum(part[name] for part in parts) for name in ("n", "male"))):
        raise EcgtlError(f"{path} does not add up over its rhythms; run '{PROGRAM}'")
    return counted
