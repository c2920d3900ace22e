"""How often each label of MELEP 2023's data sets stands, and how labels are mapped."""

from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib import pyplot as plt

from ecgtl import results, statistics
from ecgtl.analysis.names import NBSP, PENDING
from ecgtl.datasets import catalogue, ptbxl, snomed
from ecgtl.measurements.melep_datasets import HEADERS, SOURCES, n_recordings, pub
from ecgtl.report import alt, figures
from ecgtl.report.melep.table1 import NOT_AVAILABLE, UNLISTED, counts_of, official_labels, printed
from ecgtl.report.words import paragraph

LABEL_SETS = {"cpsc2018": "cpsc_9", "georgia": "georgia_10", "csn": "csn_20"}
BLUE, ORANGE = "#0072B2", "#D55E00"


def labels(name: str, counted: results.Result | None) -> pd.DataFrame:
    """The labels that the paper takes of a data set: ``label``, ``name``, ``codes``, and their recordings.

    ``released`` (by the official tables) and ``ours`` are counts, NaN where unknown; ``released_n`` and
    ``ours_n`` the recordings that they are counted in.
    """
    part = counts_of(counted, name)
    known = part if isinstance(part, dict) and n_recordings(part) > 0 else None
    counts = known["labels"] | known.get("superclasses", {}) if known else {}
    rows = []
    for label, words, codes in _chosen(name):
        released = sum(snomed.records(code, *SOURCES[name]) for code in codes) if codes else np.nan
        ours = sum(counts.get(key, 0) for key in codes or (label,)) if known else np.nan
        rows.append({"label": label, "name": words, "codes": " ".join(codes), "released": released,
                     "released_n": catalogue.entry(name).records, "ours": ours,
                     "ours_n": n_recordings(known) if known else np.nan})
    return pd.DataFrame(rows)


def _chosen(name: str) -> list[tuple[str, Any, list[str]]]:
    """Each label as the paper writes it, its statement's name and codes; PTB-XL's superclasses have none."""
    if name == "ptbxl":
        return [(label, "", []) for label in ptbxl.SUPERCLASSES]
    chosen = snomed.tables()[LABEL_SETS[name]]
    return [(label, entry["name"], entry["codes"]) if isinstance(entry, dict)
            else (label, snomed.name_of(entry), [entry]) for label, entry in chosen.items()]


def readable_labels(table: pd.DataFrame) -> pd.DataFrame:
    """``labels`` as a reader sees it: counts with shares, those available here with Wilson's 95 % limits."""
    return pd.DataFrame([{"Label": label, "Statement": _statement(name) or UNLISTED, "SNOMED CT": codes or UNLISTED,
                          "Release": _share(released, released_n),
                          "Available here [95 % interval]": _share(ours, ours_n, limits=True)}
                         for label, name, codes, released, released_n, ours, ours_n in table.itertuples(index=False)])


def _statement(name: str) -> str:
    """A statement's name as it is written: ``st_depression`` is ``ST depression``."""
    waves = ("av", "q", "qrs", "qt", "st", "t")
    return " ".join(word.upper() if word in waves else word for word in name.split("_"))


def _share(n_with: float, n: float, limits: bool = False) -> str:
    """``369 (27.0 %)``, with Wilson's limits where they are wanted; a word where the count is unknown."""
    if np.isnan(n_with):
        return NOT_AVAILABLE
    text = f"{n_with:,.0f} ({100 * n_with / n:.1f}{NBSP}%)"
    return text + (" [{:.1f}, {:.1f}]".format(*_wilson(n_with, n)) if limits else "")


def _wilson(n_with: float, n: float) -> np.ndarray:
    """Both limits of a share, in per cent."""
    return 100 * np.array(statistics.share_interval(int(n_with), int(n)))


def shares_figure(counted: results.Result | None) -> plt.Figure:
    """Share of recordings that carry each label: in the release, and here with its 95 % interval.

    A data set of which neither is known is left out.
    """
    tables = {name: labels(name, counted) for name in HEADERS}
    found = {name: table for name, table in tables.items() if table[["released", "ours"]].notna().any(axis=None)}
    heights = [len(table) + 1 for table in found.values()]
    figure, panels = plt.subplots(len(found), 1, figsize=(figures.WIDTH, 0.19 * sum(heights) + 2.4), squeeze=False,
                                  height_ratios=heights)
    for axes, (name, table) in zip(panels[:, 0], found.items(), strict=True):
        _shares(axes, name, table)
    panels[-1, 0].set_xlabel("recordings with the label (%)")
    return figures.legend_below(figure, panels[:, 0])


def shares_said(counted: results.Result | None) -> str:
    """What ``shares_figure`` says: how often the share here differs from the release's beyond its interval, and where
    most.
    """
    said = {}
    for name in HEADERS:
        table = labels(name, counted).dropna(subset=["released", "ours"])
        gaps = {row.label: 100 * (row.ours / row.ours_n - row.released / row.released_n) for row in table.itertuples()}
        other = sum(not low <= 100 * row.released / row.released_n <= high for row in table.itertuples()
                    for low, high in [_wilson(row.ours, row.ours_n)])
        differs = max(gaps, key=lambda label: abs(gaps[label]), default="")
        most = f"{differs} differs most ({gaps[differs]:+.1f} percentage points)".replace("(-", "(−") if gaps else ""
        said[catalogue.entry(name).title] = (f"of {len(gaps)} labels {other} have a share here whose 95 % interval "
                                             f"excludes the release's; {most}" if gaps else "nothing to compare")
    return alt.by_panel(said)


def _shares(axes: plt.Axes, name: str, table: pd.DataFrame) -> None:
    y, n = np.arange(len(table)), table["ours_n"].iloc[0]
    axes.plot(100 * table["released"] / table["released_n"], y, "D", color=ORANGE, markersize=5,
              markerfacecolor="none", label="release")
    if np.isfinite(n):
        limits = np.array([_wilson(k, n) for k in table["ours"]]).T
        share = 100 * table["ours"] / n
        axes.errorbar(share, y, xerr=np.abs(limits - share.to_numpy()), fmt="o", color=BLUE, markersize=4,
                      linewidth=1.2, clip_on=False, label="available here, 95 % interval")
    known = f"{n:,.0f} available" if np.isfinite(n) else PENDING
    axes.set_title(f"{catalogue.entry(name).title}: {known} of {table['released_n'].iloc[0]:,}")
    figures.name_rows(axes, table["label"])
    axes.set_xlim(left=0)


def map_summary() -> pd.DataFrame:
    """The package's map of SNOMED CT codes by source, for a page: codes that occur, the paper's number."""
    rows, least = [], pub("scalars.csn_label_minimum.value")
    for words, name in (("CPSC 2018", "cpsc2018"), ("Georgia", "georgia"), ("Shaoxing", "shaoxing"),
                        ("Ningbo", "ningbo"), ("CSN: both", "csn")):
        known, sources = name in SOURCES, SOURCES.get(name, (name,))
        often = sum(snomed.records(code, *sources) >= least for code in snomed.tables()["codes"])
        rows.append({"Source": words, "Codes that occur": official_labels(*sources),
                     f"in {least:,} recordings or more": often,
                     "Labels, Table 1": printed(name, "labels") if known else UNLISTED,
                     "Labels used": str(len(_chosen(name))) if known else UNLISTED})
    return pd.DataFrame(rows)


def label_map(counted: results.Result | None) -> pd.DataFrame:
    """Every code of the map, for the CSV: names, the paper's label by data set, recordings that carry it.

    ``released_`` columns are the official counts; those of ``at_hand_`` are empty where nothing was counted.
    """
    codes = snomed.tables()["codes"]
    table = pd.DataFrame.from_dict(codes, orient="index")[["short", "name"]].reset_index(names="code")
    for name in SOURCES:
        label_of = {code: label for label, _, own in _chosen(name) for code in own}
        table[f"label_{name}"] = [label_of.get(code, "") for code in codes]
    for source in snomed.SOURCES:
        table[f"released_{source}"] = [snomed.records(code, source) for code in codes]
    for name in SOURCES:
        part = counts_of(counted, name)
        table[f"at_hand_{name}"] = [part["labels"].get(code, 0) for code in codes] if isinstance(part, dict) else None
    return table


def choices_verdict() -> HTML:
    """Whether the paper's choices of labels are what it says they are, by the official counts."""
    codes, least = snomed.tables()["codes"], pub("scalars.csn_label_minimum.value")
    in_csn, in_georgia = ({code: snomed.records(code, *SOURCES[name]) for code in codes} for name in ("csn", "georgia"))
    twenty, ten = (snomed.label_set(LABEL_SETS[name]) for name in ("csn", "georgia"))
    rest = max(n for code, n in in_csn.items() if code not in twenty)
    rarest = min(in_georgia[code] for code in ten)
    passed = sorted((code for code in codes if in_georgia[code] > rarest and code not in ten),
                    key=lambda code: in_georgia[code], reverse=True)
    scored = sum(code in snomed.label_set("scored_2020") for code in passed)
    names = ", ".join(f"{_statement(codes[code]['name'])} ({in_georgia[code]:,})" for code in passed)
    return HTML(paragraph(
        f"CSN: the {len(twenty)} labels have {min(in_csn[code] for code in twenty):,} recordings or more, no other has "
        f"more than {rest:,}, so the limit of {least:,} decides. Georgia: the {len(ten)} labels are said to be the "
        f"most frequent, but {len(passed)} that were not taken are more frequent than the rarest of them ({rarest:,}): "
        f"{names}. The Challenge 2020 scores {scored or 'none'} of these."))


def hospitals() -> HTML:
    """How the two halves of CSN write fibrillation and flutter, by the official counts."""
    codes = snomed.tables()["csn_20"]
    said = " and ".join(f"{source.title()} counts {snomed.records(codes['AF'], source):,} recordings with atrial "
                        f"fibrillation and {snomed.records(codes['AFL'], source):,} with atrial flutter"
                        for source in SOURCES["csn"])
    return HTML(paragraph(f"{said}: in CSN these labels tell the hospitals apart as well as the rhythms."))
