"""What the three papers print: every cell of every table, and the numbers of the text, each with its place.

One YAML file per paper. Its top level:

- ``paper``: title, authors, year, journal, citation, doi, url, licence, code, and ``n_runs`` (``value``, and
  in ``says`` what a run is there).
- ``table1``, ``table2``, …: ``caption``, ``where``, ``columns``, ``units``, ``rows``; where they apply also
  ``metric`` (a name from ``ecgtl.metrics``), ``runs``, ``decimals``, ``sd_divisor``, ``footnotes``, ``notes``
  (contradictions within the paper) and ``quoted_rows`` (other people's results that the paper repeats).
- ``figures``: ``F1``, …, each with ``caption`` and ``where``.
- ``scalars``: results, protocol and data counts in the running text, each with ``value``, ``unit``,
  ``where``, ``says``; ``printed`` where the paper writes it otherwise (in words, as a ratio), ``note`` where
  the printed number is a slip or needs care, ``quoted`` where it belongs to somebody else.

A cell over runs is ``{mean, sd}``, in Jang also ``trials`` (one float a trial) and, where mean or SD do not
follow from the trials, ``differs`` with the reason; there each size has a ``p_value`` of ``relation`` and
``value``. Initialisations are called ``random``, ``image``, ``cae``, ``beat``, ``rhythm``, ``heart_rate``,
``future``; data sets as in ``ecgtl.datasets``. Every key is a string without a dot, so a dotted path reaches
each value: ``lookup("weimann2021.table2.rows.random.75.mean")``. Scores lie in [0, 1].

Numbers stand as printed, misprints included. Sources: Jang et al. 2021, doi:10.4258/hir.2021.27.1.19; Weimann and
Conrad 2021, doi:10.1038/s41598-021-84374-8; Nguyen et al. 2023, arXiv:2311.04224.
"""

from copy import deepcopy
from functools import cache

from ecgtl import paths
from ecgtl.errors import EcgtlError

_PAPERS = ("jang2021", "weimann2021", "melep2023")


def papers() -> tuple[str, ...]:
    """Names that ``load`` takes, in the order of publication."""
    return _PAPERS


def load(name: str) -> dict:
    """Everything one paper prints, as plain dicts, lists, strings and numbers (shape: see the module).

    Parameters
    ----------
    name : str
        One of ``papers()``.

    Returns
    -------
    dict
        The caller's own copy.

    Raises
    ------
    EcgtlError
        For an unknown name.

    Examples
    --------
    >>> load("weimann2021")["table2"]["rows"]["random"]["75"]["mean"]
    0.731
    """
    return deepcopy(_read(name))


def lookup(path: str):
    """The value at a dotted path that begins with a paper.

    Parameters
    ----------
    path : str

    Returns
    -------
    float, int, str, list or dict
        A dict where the path ends above the leaves.

    Raises
    ------
    EcgtlError
        With the keys that the failing level has, for a path that leads nowhere.

    Examples
    --------
    >>> lookup("jang2021.scalars.cae_mse.value")
    626.583
    """
    name, *keys = path.split(".")
    found, here = _read(name), name
    for key in keys:
        if not isinstance(found, dict):
            raise EcgtlError(f"{here} is a value ({found!r}), nothing lies below it: shorten {path!r}")
        if key not in found:
            raise EcgtlError(f"{here} has no key {key!r}; it has {', '.join(found)}")
        found, here = found[key], f"{here}.{key}"
    return deepcopy(found)


def items() -> list[tuple[str, str, str]]:
    """The 24 tables and figures as (paper, item, caption), an item being ``T1`` or ``F1``, tables first."""
    listed = []
    for name in _PAPERS:
        content = _read(name)
        tables = {key.replace("table", "T"): content[key] for key in content if key.startswith("table")}
        listed += [(name, item, entry["caption"]) for item, entry in (tables | content["figures"]).items()]
    return listed


@cache
def _read(name: str) -> dict:
    if name not in _PAPERS:
        raise EcgtlError(f"no published numbers under {name!r}; there are {', '.join(_PAPERS)}")
    return paths.facts(f"published/{name}")
