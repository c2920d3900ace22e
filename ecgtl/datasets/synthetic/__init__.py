"""Synthetic data: a twin of each database, written in the database's own on-disk format.

The loaders read a twin as they read the release, so the whole way from files to results runs without a
download. Each part stands alone: ``model`` (what the leads see), ``rhythms`` (when the heart beats), ``noise``,
``plans`` and ``hospitals`` (which records a database's twin holds) and ``writers`` (its files). Their numbers stand in
YAML files beside them. A twin is made once and kept in the cache.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ecgtl.datasets import cache
from ecgtl.datasets.synthetic import hospitals, plans, writers
from ecgtl.datasets.synthetic.plans import RecordPlan, synthesise

SEED = 20170


@dataclass(frozen=True)
class Twin:
    """How a database's twin is made: ``plan(seed)`` gives its records, ``write`` puts them into files."""

    plan: Callable[[int], Sequence[RecordPlan]]
    write: Callable[[Path, Sequence[RecordPlan], writers.Make], None]


TWINS = {
    "cinc2017": Twin(plans.cinc2017, writers.write_cinc2017), "mitdb": Twin(plans.mitdb, writers.write_mitdb),
    "qtdb": Twin(plans.qtdb, writers.write_qtdb), "icentia11k": Twin(plans.icentia11k, writers.write_icentia11k),
    "ptbxl": Twin(hospitals.ptbxl, writers.write_ptbxl),
    "cpsc2018": Twin(partial(hospitals.archive, "cpsc2018"), writers.write_cpsc2018),
    "georgia": Twin(partial(hospitals.archive, "georgia"), writers.write_georgia),
    "shaoxing": Twin(plans.shaoxing, writers.write_shaoxing),
    "csn": Twin(partial(hospitals.archive, "csn"), writers.write_csn),
    "icu_monitor": Twin(plans.icu_monitor, writers.write_icu_monitor),
    "folder": Twin(plans.folder, writers.write_folder)}


def twin_root(name: str, seed: int = SEED) -> Path:
    """Folder that holds the twin of ``name`` in its release's layout (for ``folder``, the folder itself).

    It is made on the first call and reused after; a change of this package or of ``seed`` makes another one.
    Raises EcgtlError when the cache cannot be written.
    """
    twin = TWINS[name]

    def build(folder: Path) -> None:
        twin.write(folder, twin.plan(seed), lambda plan, sampling_rate: synthesise(plan, sampling_rate, seed))
        (folder / "SYNTHETIC.txt").write_text(writers.NOTICE)

    # The version of the generator that nobody can forget to raise
    files = sorted(file for file in Path(__file__).parent.iterdir() if file.suffix in (".py", ".yml"))
    source = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
    return cache.entry(f"twin-{name}", {"seed": seed, "generator": source}, build)
