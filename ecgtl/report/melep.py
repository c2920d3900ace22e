"""What MELEP 2023 shows before any training: its data sets (Table 1) and its networks (Figures 1 and 2).

    python -m ecgtl.report.melep     counts of the data sets at hand, into results/measured/

reads headers and tables of the four data sets below ``ECGTL_DATA``, no signals; no row of them is kept.
"""

import ast
import dataclasses
import functools
import itertools
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from IPython.display import HTML
from markupsafe import Markup
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from ecgtl import models, paths, published, results
from ecgtl.config import TIERS, protocol
from ecgtl.datasets import cache, catalogue, cpsc2018, csn, georgia, ptbxl, snomed
from ecgtl.datasets.wfdb_files import Header, read_header
from ecgtl.errors import EcgtlError
from ecgtl.report import badges, book_tables, diagrams, tables, values
from ecgtl.report.diagrams import Block, Box
from ecgtl.report.words import NBSP, PENDING
from ecgtl.results import MEASURED, Result
from ecgtl.statistics import LEVEL

PROGRAM = "python -m ecgtl.report.melep"
KEY = "melep2023-table1"
PAPER = "melep2023"
UNLISTED, NOT_AT_HAND = "–", "not at hand"
# Folder of each data set's headers, in the order of Table 1
HEADERS = {"cpsc2018": cpsc2018.FOLDER, "ptbxl": f"{ptbxl.FOLDER}/records500", "georgia": georgia.FOLDER,
           "csn": f"{csn.FOLDER}/WFDBRecords"}
# Columns of the official tables of codes that make up a data set, and the labels that the paper takes of it
SOURCES = {"cpsc2018": ("cpsc2018",), "georgia": ("georgia",), "csn": ("shaoxing", "ningbo")}
LABEL_SETS = {"cpsc2018": "cpsc_9", "georgia": "georgia_10", "csn": "csn_20"}
# What is counted, beside it the places of the printed numbers in published/melep2023.yml
QUANTITIES = {"records": "Recordings", "labels": "Labels", "rates": "Sampling rates (Hz)",
              "durations": "Durations (s)", "short": "Recordings below 10 s (in the text)"}
COLUMNS = {"records": "records", "labels": "labels", "rates": "sampling_rates", "durations": "durations"}
SHORT = {"cpsc2018": "cpsc2018_short_records", "georgia": "georgia_short_records",
         "ptbxl": "ptbxl_short_records", "csn": "ptbxl_short_records"}
FACTS = ("records", "rates", "leads", "durations", "short", "long", "labels", "refused")
NETWORKS = {"resnet1d101": "ResNet1d101", "bilstm": "Bi-LSTM"}
# Number of labels that each use of a network has, by its place among the paper's scalars
OUTPUTS = {"pretrained on PTB-XL": "ptbxl_superclasses", "pretrained on CPSC2018": "cpsc2018_labels",
           "pretrained on Georgia": "georgia_labels_used", "fine-tuned on CSN": "csn_labels_per_fold",
           "fine-tuned on PTB-XL": "ptbxl_labels_per_fold"}
BLUE, ORANGE = "#0072B2", "#D55E00"


# Table 1: counting


def measure(root: Path) -> Result:
    """Counts of the four data sets below ``root`` from headers and tables; not yet saved.

    CPSC2018 counts in its form of the Challenge 2020, which has headers. Raises EcgtlError when no data set
    has any, and for damaged tables of PTB-XL.
    """
    began = time.perf_counter()
    results.code_state()
    root = Path(root)
    found = {name: _headers(root / folder) for name, folder in HEADERS.items()}
    if not any(found.values()):
        raise EcgtlError(f"{root} holds no header of {', '.join(HEADERS)}; run 'python -m ecgtl data fetch "
                         "NAME', or set ECGTL_DATA to the folder of the data sets")
    scores = {name: count(name, files) if files else None for name, files in found.items()}
    files = list(itertools.chain(*found.values()))
    if found["ptbxl"]:
        scores["ptbxl"] |= statements(root)
        files += [root / ptbxl.FOLDER / name for name in (ptbxl.TABLE, ptbxl.STATEMENTS)]
    data = {"name": "headers and tables", "digest": cache.source_checksum(root, files),
            "version": ", ".join(f"{name} {catalogue.entry(name).version}" for name in HEADERS),
            "records": sum(part["records"] for part in scores.values() if part)}
    return Result(MEASURED, KEY, {"tier": "paper"}, _evidence(scores), scores, [], data,
                  {"none": np.zeros(0, np.uint8)},
                  results.provenance("cpu", time.perf_counter() - began, 0, 1, PROGRAM))


def _headers(folder: Path) -> list[Path]:
    """Headers below ``folder``, without what macOS leaves beside them."""
    return sorted(path for path in folder.rglob("*.hea") if not path.name.startswith("."))


def count(name: str, files: Sequence[Path]) -> dict:
    """What the headers ``files`` of the data set ``name`` say, of the recordings that its loader can take.

    ``records``; how many have each of ``rates`` (Hz) and of ``leads`` (their number); ``durations``, the
    shortest and the longest (s, empty when there is none); ``short`` and ``long``, how many are shorter than
    the paper's window and longer than its longest; ``labels``, how many carry each SNOMED CT code (PTB-XL's
    labels stand in its table); ``refused``, how many were left out, by the reason.
    """
    read = [_read(name, path) for path in files]
    taken = [found for found in read if isinstance(found, Header)]
    seconds = [header.n_samples / header.sampling_rate for header in taken]
    window, longest = _pub("scalars.duration.value"), _pub(f"table1.rows.{name}.durations")[-1]
    return {"records": len(taken), "rates": _counted(f"{header.sampling_rate:g}" for header in taken),
            "leads": _counted(len(header.leads) for header in taken),
            "durations": [min(seconds), max(seconds)] if seconds else [],
            "short": sum(s < window for s in seconds), "long": sum(s > longest for s in seconds),
            "labels": _counted(code for header in taken for code in snomed.diagnoses(header)),
            "refused": _counted(found for found in read if isinstance(found, str))}


def _read(name: str, path: Path) -> Header | str:
    """The header at ``path``, or why its recording is refused."""
    try:
        header = read_header(path)
    except EcgtlError:
        return "damaged header"
    if not all((path.parent / file).is_file() for file in header.files):
        return "signal absent"
    codes = snomed.diagnoses(header)
    if name in SOURCES and not codes:
        return "no diagnosis"
    return "code outside the map" if any(snomed.name_of(code) is None for code in codes) else header


def _counted(found: Iterable) -> dict[str, int]:
    return {str(key): n for key, n in sorted(Counter(found).items())}


def statements(root: Path) -> dict:
    """What PTB-XL's own tables say: ``rows`` and ``patients`` of the table of recordings, ``labels``.

    ``labels`` counts the diagnostic statements, ``superclasses`` the recordings with any statement of each;
    ``listed`` are the diagnostic statements of the release, ``rates`` those it names files for (Hz). Raises
    EcgtlError when a table is missing or damaged.
    """
    patients = ptbxl.demographics(root)["patient"].nunique()  # whose checks come first
    base = Path(root) / ptbxl.FOLDER
    try:
        table = pd.read_csv(base / ptbxl.TABLE)
        diagnostic = pd.read_csv(base / ptbxl.STATEMENTS, index_col=0).query("diagnostic == 1")
        said = [diagnostic.index.intersection(ast.literal_eval(text)) for text in table["scp_codes"]]
    except (OSError, ValueError, SyntaxError, TypeError, NameError) as error:
        raise EcgtlError(f"{base} has {ptbxl.STATEMENTS} or scp_codes that cannot be read "
                         f"({type(error).__name__}); run 'python -m ecgtl data fetch ptbxl'") from None
    broader = diagnostic["diagnostic_class"]
    rates = table[["filename_lr", "filename_hr"]].stack().str.extract(r"records(\d+)/", expand=False)
    return {"rows": len(table), "patients": patients, "listed": len(diagnostic),
            "labels": _counted(key for keys in said for key in keys),
            "superclasses": _counted(name for keys in said for name in set(broader[keys])),
            "named_rates": sorted(map(int, rates.dropna().unique()))}


def _evidence(scores: dict) -> dict[str, str]:
    """``full`` where all four are whole, with all leads; else ``subset``."""
    whole = all(_is_whole(name, part) for name, part in scores.items())
    n_leads = str(_pub("scalars.leads.value"))
    all_leads = all(set(part["leads"]) == {n_leads} for part in scores.values() if part)
    return {"upstream": "none", "target": "full" if whole else "subset",
            "leads": "full" if whole and all_leads else "subset"}


def _is_whole(name: str, part: dict | None) -> bool:
    """Whether all recordings of the release were met, those that are refused among them."""
    met = part["records"] + sum(part["refused"].values()) if part else 0
    return met >= catalogue.entry(name).records


def load(tier: str = "best") -> Result | None:
    """What ``measure`` stored, or None when nothing is: pages then say PENDING.

    Raises EcgtlError for another tier than ``paper``, and when what is stored is damaged or does not add up.
    """
    if tier not in ("best", "paper"):
        raise EcgtlError(f"the data sets have no tier {tier}: they are counted as they are; allowed: best, "
                         "paper")
    path = results.path_of(MEASURED, KEY, "paper")
    if not path.is_file():
        return None
    counted = results.load(path)
    if set(counted.scores) != set(HEADERS) or not all(map(_adds_up, counted.scores.values())):
        raise EcgtlError(f"{path} does not add up; run '{PROGRAM}'")
    return counted


def _adds_up(part: dict | None) -> bool:
    if part is None:
        return True
    if not all(name in part for name in FACTS):
        return False
    sums = [sum(part[name].values()) for name in ("rates", "leads")]
    return sums == [part["records"]] * 2 and max(part["labels"].values(), default=0) <= _n(part)


def _n(part: dict) -> int:
    """Recordings that the labels are counted in: PTB-XL's stand in a table, without signals."""
    return part.get("rows", part["records"])


# Table 1: the paper beside the releases and what is at hand


def state(counted: Result | None) -> HTML:
    """Badges of the counts, or PENDING with the command that makes them."""
    if counted is not None:
        return badges.of_result(counted)
    return HTML(Markup("<p>{} What is at hand has not been counted; <code>{}</code> does it.</p>").format(
        book_tables.badge("pending"), PROGRAM))


def at_hand(counted: Result | None) -> pd.DataFrame:
    """One row a data set, for a page: version, recordings released and at hand, leads, what is refused."""
    rows = []
    for name in HEADERS:
        entry, part = catalogue.entry(name), _part(counted, name)
        row = {"Data set": Markup('<a class="external" href="{}">{}</a>').format(entry.page, entry.title),
               "Version": entry.version, "Release": f"{entry.records:,}"}
        if not isinstance(part, dict):
            rows.append(row | {"At hand": part, "Leads": part, "Refused": part, "Evidence": part})
            continue
        word = "full" if _is_whole(name, part) else "subset"
        rows.append(row | {
            "At hand": f"{part['records']:,} ({100 * part['records'] / entry.records:.1f}{NBSP}%)",
            "Leads": ", ".join(part["leads"]), "Evidence": Markup(badges.badge("target", word)),
            "Refused": ", ".join(f"{n} × {reason}" for reason, n in part["refused"].items()) or "none"})
    return pd.DataFrame(rows)


def _part(counted: Result | None, name: str) -> dict | str:
    """The counts of one data set, or the word that stands in their place."""
    if counted is None:
        return PENDING
    return counted.scores[name] or NOT_AT_HAND


def comparison(counted: Result | None) -> pd.DataFrame:
    """One row a data set and quantity, all as text: ``paper`` as printed, ``release``, ``ours``, ``finding``.

    ``release`` is what the release's own lists say, as far as the package or the counted tables have them.
    """
    return pd.DataFrame([{"dataset": name, "quantity": quantity, **_row(name, quantity, _part(counted, name))}
                         for name, quantity in itertools.product(HEADERS, QUANTITIES)])


def _row(name: str, quantity: str, part: dict | str) -> dict[str, str]:
    paper, release = printed(name, quantity), _released(name, quantity, part)
    return {"paper": paper, "release": release, "ours": _ours(quantity, part),
            "finding": _finding(paper, release, quantity, part, catalogue.entry(name).version)}


def printed(name: str, quantity: str) -> str:
    """What the paper prints of a data set, digit for digit: a range as ``6–60``, rates with "and"."""
    if quantity == "short":
        return values.published_text(f"{PAPER}.scalars.{SHORT[name]}")
    text = values.published_text(f"{PAPER}.table1.rows.{name}.{COLUMNS[quantity]}")
    return text.replace(", ", {"durations": "–", "rates": " and "}.get(quantity, ", "))


def _released(name: str, quantity: str, part: dict | str) -> str:
    """From the catalogue, the official tables of codes, or PTB-XL's own lists where they are at hand."""
    entry, own_lists = catalogue.entry(name), name == "ptbxl" and quantity in ("labels", "rates")
    if own_lists and not isinstance(part, dict):
        return part
    if quantity == "records":
        return f"{entry.records:,}"
    if quantity == "labels":
        return str(part["listed"] if own_lists else official_labels(*SOURCES[name]))
    if quantity == "rates":
        return " and ".join(map(str, part["named_rates"])) if own_lists else f"{entry.sampling_rate:g}"
    return UNLISTED


def official_labels(*sources: str) -> int:
    """How many SNOMED CT codes the official tables count in ``sources`` (of ``snomed.SOURCES``)."""
    return sum(snomed.records(code, *sources) > 0 for code in snomed.tables()["codes"])


def _ours(quantity: str, part: dict | str) -> str:
    if not isinstance(part, dict):
        return part
    if quantity == "durations":
        return _span(part["durations"])
    if quantity == "rates":
        return " and ".join(part["rates"]) or NOT_AT_HAND
    return f"{len(part['labels']) if quantity == 'labels' else part[quantity]:,}"


def _span(seconds: Sequence[float]) -> str:
    """``8–144``, or ``10`` where all are as long."""
    return "–".join(f"{s:.4g}" for s in dict.fromkeys(seconds)) or NOT_AT_HAND


def _finding(paper: str, release: str, quantity: str, part: dict | str, version: str) -> str:
    """In words, whether the printed number is the release's, or what is at hand speaks against it."""
    if release not in (UNLISTED, PENDING, NOT_AT_HAND):
        same = set(release.split(" and ")) == set(paper.split(" and "))
        return "as released" if same else f"differs: {release} in {version}"
    if not isinstance(part, dict) or not part["records"]:
        return part if isinstance(part, str) else NOT_AT_HAND
    if quantity == "durations" and part["long"]:
        return f"contradicted: {part['long']} at hand are longer"
    if quantity == "short" and part["short"] > int(paper):
        return "contradicted: more are at hand"
    return "not contradicted"


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """``comparison`` as a reader sees it."""
    return pd.DataFrame([{"Data set": catalogue.entry(row.dataset).title, "What": QUANTITIES[row.quantity],
                          "Paper": row.paper, "Release": row.release, "At hand": row.ours,
                          "Printed number": row.finding} for row in table.itertuples()])


def verdict(table: pd.DataFrame) -> HTML:
    """How many printed numbers are the release's, and which are not, from ``comparison``."""
    known = table[table["finding"].str.startswith(("as released", "differs"))]
    other = table[table["finding"].str.startswith(("differs", "contradicted"))]
    wrong = "; ".join(f"{catalogue.entry(row.dataset).title}, {QUANTITIES[row.quantity]}: {row.paper} "
                      f"printed, {row.finding}" for row in other.itertuples())
    as_released = (known["finding"] == "as released").sum()
    text = (f"Of {len(known)} printed numbers that a list of the release can check, {as_released} are as "
            f"released.{f' What differs: {wrong}.' if wrong else ''}")
    return HTML(Markup("<p>{}</p>").format(text))


def slips(counted: Result | None) -> pd.DataFrame:
    """Where the paper's table, its text and the releases do not say the same, for a page."""
    rows = [("Georgia, labels", "georgia", "labels", "georgia_labels"),
            ("Georgia, recordings", "georgia", "records", "georgia_records_preprocessing"),
            ("PTB-XL, sampling rates (Hz)", "ptbxl", "rates", "source_sampling_rate"),
            ("PTB-XL, recordings", "ptbxl", "records", "ptbxl_records")]
    return pd.DataFrame([{"What": words, "Table 1": printed(name, quantity),
                          "Text": values.published_text(f"{PAPER}.scalars.{scalar}"),
                          "Release": _released(name, quantity, _part(counted, name)),
                          "Note": _pub(f"scalars.{scalar}").get("note", UNLISTED)}
                         for words, name, quantity, scalar in rows])


# Table 1: labels


def labels(name: str, counted: Result | None) -> pd.DataFrame:
    """The labels that the paper takes of a data set: ``label``, ``name``, ``codes``, and their recordings.

    ``released`` (by the official tables) and ``ours`` are counts, NaN where unknown; ``released_n`` and
    ``ours_n`` the recordings that they are counted in.
    """
    part = _part(counted, name)
    known = isinstance(part, dict) and _n(part) > 0
    rows = []
    for label, words, codes in _chosen(name):
        released = sum(snomed.records(code, *SOURCES[name]) for code in codes) if codes else np.nan
        found = part["labels"] if known and codes else part.get("superclasses", {}) if known else {}
        ours = sum(found.get(key, 0) for key in codes or (label,)) if known else np.nan
        rows.append({"label": label, "name": words, "codes": " ".join(codes), "released": released,
                     "released_n": catalogue.entry(name).records, "ours": ours,
                     "ours_n": _n(part) if known else np.nan})
    return pd.DataFrame(rows)


def _chosen(name: str) -> list[tuple[str, str, list[str]]]:
    """Each label as the paper writes it, its statement's name and codes; PTB-XL's superclasses have none."""
    if name == "ptbxl":
        return [(label, "", []) for label in ptbxl.SUPERCLASSES]
    chosen = snomed.tables()[LABEL_SETS[name]]
    return [(label, entry["name"], entry["codes"]) if isinstance(entry, dict)
            else (label, snomed.name_of(entry), [entry]) for label, entry in chosen.items()]


def readable_labels(table: pd.DataFrame) -> pd.DataFrame:
    """``labels`` as a reader sees it: counts with shares, those at hand with Wilson's 95 % limits."""
    return pd.DataFrame([{
        "Label": row.label, "Statement": _words(row.name_) or UNLISTED,
        "SNOMED CT": row.codes or UNLISTED, "Release": _share(row.released, row.released_n),
        "At hand [95 % interval]": _share(row.ours, row.ours_n, limits=True)}
        for row in table.rename(columns={"name": "name_"}).itertuples()])


def _words(name: str) -> str:
    """A statement's name as it is written: ``st_depression`` is ``ST depression``."""
    waves = ("av", "q", "qrs", "qt", "st", "t")
    return " ".join(word.upper() if word in waves else word for word in name.split("_"))


def _share(n_with: float, n: float, limits: bool = False) -> str:
    """``369 (27.0 %)``, with Wilson's limits where they are wanted; a word where the count is unknown."""
    if np.isnan(n_with):
        return NOT_AT_HAND
    text = f"{n_with:,.0f} ({100 * n_with / n:.1f}{NBSP}%)"
    if not limits:
        return text
    low, high = _wilson(n_with, n)
    return f"{text} [{100 * low:.1f}, {100 * high:.1f}]"


def _wilson(n_with: float, n: float) -> tuple[float, float]:
    return tuple(stats.binomtest(int(n_with), int(n)).proportion_ci(LEVEL, method="wilson"))


def shares_figure(counted: Result | None) -> Figure:
    """Share of recordings that carry each label: in the release, and at hand with its 95 % interval."""
    found = {name: labels(name, counted) for name in HEADERS}
    # Narrow, so that the labels stay readable where a telephone shrinks the figure
    heights = [len(table) + 1 for table in found.values()]
    figure, panels = plt.subplots(len(found), 1, figsize=(4.6, 0.19 * sum(heights) + 2.4),
                                  height_ratios=heights)
    for axes, (name, table) in zip(panels, found.items(), strict=True):
        _shares(axes, name, table)
    panels[-1].set_xlabel("recordings with the label (%)", fontsize=8)
    handles = dict(zip(*reversed(panels[0].get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), fontsize=8, loc="outside lower center", ncols=2)
    return figure


def _shares(axes: Axes, name: str, table: pd.DataFrame) -> None:
    y, n = np.arange(len(table)), table["ours_n"].iloc[0]
    axes.plot(100 * table["released"] / table["released_n"], y, "D", color=ORANGE, markersize=5,
              markerfacecolor="none", label="release")
    if np.isfinite(n):
        limits = 100 * np.array([_wilson(k, n) for k in table["ours"]]).T
        share = 100 * table["ours"] / n
        axes.errorbar(share, y, xerr=np.abs(limits - share.to_numpy()), fmt="o", color=BLUE, capsize=2,
                      markersize=4, linewidth=1.2, clip_on=False, label="at hand, 95 % interval")
    known = f"{n:,.0f} at hand" if np.isfinite(n) else PENDING
    released = f"of {table['released_n'].iloc[0]:,}" + ("" if table["released"].notna().any() else
                                                         ", whose labels are not at hand")
    axes.set_title(f"{catalogue.entry(name).title}: {known} {released}", fontsize=8)
    axes.set(yticks=y, yticklabels=table["label"], ylim=(len(table) - 0.4, -0.6))
    axes.set_xlim(left=0)
    axes.tick_params(labelsize=7)


def map_summary() -> pd.DataFrame:
    """The package's map of SNOMED CT codes by source, for a page: codes that occur, the paper's number."""
    rows = []
    least = _pub("scalars.csn_label_minimum.value")
    for words, name, sources in (("CPSC 2018", "cpsc2018", SOURCES["cpsc2018"]),
                                 ("Georgia", "georgia", SOURCES["georgia"]),
                                 ("Shaoxing", None, ("shaoxing",)), ("Ningbo", None, ("ningbo",)),
                                 ("CSN: both", "csn", SOURCES["csn"])):
        often = sum(snomed.records(code, *sources) >= least for code in snomed.tables()["codes"])
        rows.append({"Source": words, "Codes that occur": official_labels(*sources),
                     f"in {least:,} recordings or more": often,
                     "Labels, Table 1": printed(name, "labels") if name else UNLISTED,
                     "Labels used": str(len(_chosen(name))) if name else UNLISTED})
    return pd.DataFrame(rows)


def label_map(counted: Result | None) -> pd.DataFrame:
    """Every code of the map, for the CSV: names, the paper's label by data set, recordings that carry it.

    ``released_`` columns are the official counts; those of ``at_hand_`` are empty where nothing was counted.
    """
    chosen = {name: {code: label for label, _, codes in _chosen(name) for code in codes} for name in SOURCES}
    rows = []
    for code, entry in snomed.tables()["codes"].items():
        row = {"code": code, "short": entry["short"], "name": entry["name"]}
        row |= {f"label_{name}": chosen[name].get(code, "") for name in SOURCES}
        row |= {f"released_{source}": snomed.records(code, source) for source in snomed.SOURCES}
        parts = {name: _part(counted, name) for name in SOURCES}
        row |= {f"at_hand_{name}": part["labels"].get(code, 0) if isinstance(part, dict) else None
                for name, part in parts.items()}
        rows.append(row)
    return pd.DataFrame(rows)


def choices_verdict() -> HTML:
    """Whether the paper's choices of labels are what it says they are, by the official counts."""
    codes, least = snomed.tables()["codes"], _pub("scalars.csn_label_minimum.value")
    counts = {name: {code: snomed.records(code, *sources) for code in codes}
              for name, sources in SOURCES.items()}
    twenty, ten = (snomed.label_set(LABEL_SETS[name]) for name in ("csn", "georgia"))
    rest = max(n for code, n in counts["csn"].items() if code not in twenty)
    rarest = min(counts["georgia"][code] for code in ten)
    passed = [code for code in codes if counts["georgia"][code] > rarest and code not in ten]
    scored = sum(code in snomed.label_set("scored_2020") for code in passed)
    names = ", ".join(f"{_words(codes[code]['name'])} ({counts['georgia'][code]:,})"
                      for code in sorted(passed, key=lambda code: -counts["georgia"][code]))
    of_csn = (f"CSN: the {len(twenty)} labels have {min(counts['csn'][code] for code in twenty):,} "
              f"recordings or more, no other has more than {rest:,}, so the limit of {least:,} decides.")
    of_georgia = (f"Georgia: the {len(ten)} labels are said to be the most frequent, but {len(passed)} that "
                  f"were not taken are more frequent than the rarest of them ({rarest:,}): {names}. The "
                  f"Challenge 2020 scores {scored or 'none'} of these.")
    return HTML(Markup("<p>{} {}</p>").format(of_csn, of_georgia))


def hospitals() -> HTML:
    """How the two halves of CSN write fibrillation and flutter, by the official counts."""
    codes = snomed.tables()["csn_20"]
    counts = {source: {label: snomed.records(codes[label], source) for label in ("AF", "AFL")}
              for source in SOURCES["csn"]}
    said = " and ".join(f"{source.title()} counts {found['AF']:,} recordings with atrial fibrillation and "
                        f"{found['AFL']:,} with atrial flutter" for source, found in counts.items())
    text = f"{said}: in CSN these labels tell the hospitals apart as well as the rhythms."
    return HTML(Markup("<p>{}</p>").format(text))


def made_by(counted: Result | None) -> HTML:
    """How the counts were made; the command where they have not been."""
    return state(counted) if counted is None else tables.made_by(counted)


def source_lines() -> HTML:
    """Where the four data sets come from, and under which licences."""
    rows = [Markup('<li><a class="external" href="{}">{}, {}</a> ({}); {}</li>').format(
        entry.page, entry.title, entry.version, entry.licence, entry.citation)
        for entry in map(catalogue.entry, HEADERS)]
    return HTML(Markup("<ul>{}</ul>").format(Markup("").join(rows)))


# Figures 1 and 2: the networks


def drawn_tier(wanted: str = "best") -> str:
    """The tier whose network is drawn: the paper's size, unless another is asked for."""
    return "paper" if wanted == "best" else wanted


def shape(tier: str) -> tuple[int, int]:
    """Leads and samples that a tier's networks take."""
    rules = protocol(PAPER)
    entry = rules["tiers"][tier]
    leads = _pub("scalars.leads.value") if rules["lead"][tier] == "all" else 1
    return leads, round(entry["seconds"] * entry["sampling_rate"])


def options(name: str, tier: str) -> dict:
    """Options of ``models.build`` for the network ``name`` in ``tier``."""
    rules = protocol(PAPER)
    entry = rules["tiers"][tier] | rules.get("networks", {}).get(name, {}).get(tier, {})
    return {"width": entry["width"]} | ({"length": shape(tier)[1]} if name == "bilstm" else {})


def network(name: str, tier: str, n_labels: int | None = None) -> list[Block]:
    """Blocks of ``resnet1d101`` or ``bilstm`` in ``tier``, in the order in which they compute.

    ``n_labels`` outputs, by default the labels of CPSC2018. Shapes are channels by length, of the recurrent
    layer too, which itself gives steps by channels.
    """
    return list(_network(name, tier, n_labels or _pub("scalars.cpsc2018_labels.value")))


@functools.cache
def _network(name: str, tier: str, n_labels: int) -> tuple[Block, ...]:
    given = name, shape(tier)[0], n_labels
    if name == "bilstm":  # PyTorch unrolls it on the meta device, step by step: to compute it is faster
        blocks = diagrams.trace(models.build(*given, **options(name, tier)), shape(tier))
    else:
        blocks = diagrams.network(*given, shape(tier), **options(name, tier))
    return tuple(dataclasses.replace(block, shape=block.shape[::-1]) if block.name == "lstm" else block
                 for block in blocks)


def grouped(blocks: Sequence[Block]) -> list[Block]:
    """``blocks`` with each run of equal ones as a single block that names the run and sums its parameters."""
    found = []
    for _, group in itertools.groupby(blocks, key=lambda b: (b.layers, b.shape, b.parameters)):
        run = list(group)
        name = run[0].name
        if len(run) > 1:
            name = f"{name}–{run[-1].name.rpartition('.')[2]} ({len(run)}×)"
        found.append(dataclasses.replace(run[0], name=name, parameters=diagrams.parameters(run)))
    return found


def resnet_figure(tier: str) -> Figure:
    """ResNet1d101 from top to bottom, equal units as one bar."""
    return diagrams.hourglass(grouped(network("resnet1d101", tier)), f"ResNet1d101, tier {tier}", shape(tier))


def unit_figure(tier: str) -> Figure:
    """A residual unit that shortens its input, the first of the second stage, with both of its paths."""
    blocks = network("resnet1d101", tier)
    place = next(k for k, block in enumerate(blocks) if any(layer.stride > 1 for layer in block.layers)
                 and block.name.startswith("units."))
    layers = [str(layer) for layer in blocks[place].layers]
    shortcut, path = layers[:2], layers[2:]  # the projection and its norm compute first
    path = [f"{layer}, ReLU" if k % 2 and k < len(path) - 1 else layer for k, layer in enumerate(path)]
    rows = [[Box("in", f"from {blocks[place - 1].name}", (blocks[place - 1].size,), "signal")],
            [Box("path", "path", tuple(path)), Box("shortcut", "shortcut", tuple(shortcut))],
            [Box("out", "sum, then ReLU", (blocks[place].size,), "signal")]]
    arrows = [("in", "path"), ("in", "shortcut"), ("path", "out"), ("shortcut", "out")]
    words = {"signal": "channels × length", "plain": f"layers of {blocks[place].name}"}
    return diagrams.flow(rows, arrows, words)


def bilstm_figure(tier: str) -> Figure:
    """The Bi-LSTM: both directions, their outputs together, and the one layer that a transfer replaces."""
    lstm, output = network("bilstm", tier)
    (n_out,), n_features = output.shape, np.prod(lstm.shape)
    way = {name: f"{n:,} parameters" for name, n in directions(tier).items()}
    units = f"{options('bilstm', tier)['width']} units, four gates"
    rows = [[Box("in", "recording", (_size(shape(tier)),), "signal")],
            [Box("forwards", "LSTM, forwards", (units, way["forwards"]), "transferred"),
             Box("backwards", "LSTM, backwards", (units, way["backwards"]), "transferred")],
            [Box("both", "outputs of every step", (lstm.size, f"flattened: {n_features:,}"), "signal")],
            [Box("out", "linear", (f"{output.parameters:,} parameters", f"{n_out} labels"), "vector")]]
    paths_ = (("in", "forwards", "both", "out"), ("in", "backwards", "both"))
    arrows = [arrow for path in paths_ for arrow in itertools.pairwise(path)]
    words = {"signal": "channels × length", "transferred": "taken over", "vector": "new in a transfer"}
    return diagrams.flow(rows, arrows, words)


def _size(sizes_: Sequence[int]) -> str:
    return " × ".join(f"{n:,}" for n in sizes_)


def directions(tier: str) -> dict[str, int]:
    """Parameters of the recurrent layer in each direction of time."""
    with torch.device("meta"):
        model = models.build("bilstm", shape(tier)[0], 1, **options("bilstm", tier))
    sizes = {name: weights.numel() for name, weights in model.lstm.named_parameters()}
    backwards = sum(n for name, n in sizes.items() if name.endswith("_reverse"))
    return {"forwards": sum(sizes.values()) - backwards, "backwards": backwards}


def outputs(name: str, tier: str) -> pd.DataFrame:
    """Parameters by the number of labels, for a page: of the output layer and of the whole network."""
    rows = []
    for use, place in OUTPUTS.items():
        numbers = _pub(f"scalars.{place}.value")
        for n in numbers if isinstance(numbers, list) else [numbers]:
            blocks = network(name, tier, n)
            last, whole = blocks[-1].parameters, diagrams.parameters(blocks)
            rows.append({"Use": use, "Labels": n, "Output layer": f"{last:,}", "Whole network": f"{whole:,}",
                         "Share": f"{100 * last / whole:.2g} %"})
    return pd.DataFrame(rows)


def sizes(name: str) -> pd.DataFrame:
    """The network in every tier, for a page: input, width, parameters with CPSC2018's labels."""
    rows = []
    for tier in TIERS:
        blocks = network(name, tier)
        rows.append({"Tier": Markup(badges.badge("tier", tier)),
                     "Input": _size(shape(tier)), "Width": options(name, tier)["width"],
                     "Features": f"{np.prod(blocks[-2].shape):,}",
                     "Parameters": f"{diagrams.parameters(blocks):,}"})
    return pd.DataFrame(rows)


def depth(tier: str) -> HTML:
    """Where the 101 of the name comes from, counted in the network."""
    blocks = network("resnet1d101", tier)
    units = diagrams.part(blocks, "units.")
    n = Counter(layer.kind for block in blocks for layer in block.layers)
    per_unit = [sum(layer.kind == "convolution" for layer in unit.layers) for unit in units]
    starts = [k for k, found in enumerate(per_unit) if found == max(per_unit)]
    stages = " + ".join(str(b - a) for a, b in itertools.pairwise([*starts, len(units)]))
    text = (f"{len(units)} units ({stages}) have {min(per_unit)} convolutions each on their path, and "
            f"{len(starts)} of them one on the shortcut; with the stem's that makes "
            f"{n['convolution'] - len(starts)} in a row. ResNet-101 has its name from these and a single "
            f"linear layer; here are {n['linear']}.")
    return HTML(Markup("<p>{}</p>").format(text))


def _pub(place: str):
    return published.lookup(f"{PAPER}.{place}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see ``results.command``."""
    usage = f"{PROGRAM} takes no arguments; set ECGTL_DATA to the folder of the data sets"
    return results.command(lambda: measure(paths.data()), 0, usage, arguments)


if __name__ == "__main__":
    sys.exit(main())
