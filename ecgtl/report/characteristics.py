"""Who and what the Shaoxing table holds (Jang 2021, Table 1): counted once, shown beside the paper.

    python -m ecgtl.report.characteristics     counts and moments of Diagnostics.xlsx, into results/measured/

reads ``shaoxing-figshare/Diagnostics.xlsx`` below ``ECGTL_DATA``. Rows of the table stay where they are.
"""

import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy import stats

from ecgtl import datasets, paths, published, results
from ecgtl.datasets import cache, catalogue, shaoxing
from ecgtl.errors import EcgtlError
from ecgtl.report.printed import published_text
from ecgtl.results import MEASURED, Result
from ecgtl.statistics import LEVEL

PROGRAM = "python -m ecgtl.report.characteristics"
KEY = "jang2021-table1-shaoxing"
PRINTED = "jang2021.table1.rows"
MOMENTS = ("n", "male", "age_mean", "age_sd")
BLUE, PALE, GREY = "#0072B2", "#9ecae1", "#777777"


@dataclass(frozen=True)
class Characteristic:
    """A row of Table 1: ``place`` in the published table, words for it, ours (None: not in the release)."""

    place: str
    words: str
    ours: float | None


# Counting


def measure(root: Path) -> Result:
    """Counts and moments of the released table below ``root``, for all and by rhythm; not yet saved.

    Raises EcgtlError as ``shaoxing.diagnostics`` does.
    """
    began = time.perf_counter()
    results.code_state()
    table = shaoxing.diagnostics(root)
    file = Path(root) / shaoxing.FIGSHARE / shaoxing.TABLE
    by_name = {name: moments(table[table["rhythm"] == name]) for name in shaoxing.CLASSES}
    whole = len(table) == datasets.RECORDS[shaoxing.NAME]
    data = {"name": shaoxing.NAME, "version": catalogue.entry(shaoxing.NAME).version,
            "digest": cache.source_checksum(file.parent, [file]), "records": len(table), "file": file.name}
    return Result(MEASURED, KEY, {"tier": "paper", "dataset": shaoxing.NAME},
                  {"upstream": "none", "target": "full" if whole else "subset", "leads": "none"},
                  moments(table) | {"rhythms": by_name}, [], data, {"none": np.zeros(0, np.uint8)},
                  results.provenance("cpu", time.perf_counter() - began, 0, 1, PROGRAM))


def moments(table: pd.DataFrame) -> dict[str, int | float | None]:
    """Recordings, men among them, mean and SD (n - 1) of the age in years; None where n is too small."""
    age, n = table["age"], len(table)
    return {"n": n, "male": int((table["sex"] == "male").sum()), "age_mean": float(age.mean()) if n else None,
            "age_sd": float(age.std(ddof=1)) if n > 1 else None}


def load(tier: str = "best") -> Result:
    """What ``measure`` stored: the release as it is, so tier ``paper`` alone.

    Raises EcgtlError for another tier, and when it is absent, damaged, or does not add up.
    """
    if tier not in ("best", "paper"):
        raise EcgtlError(f"the Shaoxing table has no tier {tier}: it is counted whole; allowed: best, paper")
    path = results.path_of(MEASURED, KEY, "paper")
    if not path.is_file():
        raise EcgtlError(f"the Shaoxing table has not been counted; run '{PROGRAM}'")
    counted = results.load(path)
    whole, parts = counted.scores, counted.scores.get("rhythms", {}).values()
    complete = all(name in part for name in MOMENTS for part in (whole, *parts))
    if not (complete and all(whole[name] == sum(part[name] for part in parts) for name in ("n", "male"))):
        raise EcgtlError(f"{path} does not add up over its rhythms; run '{PROGRAM}'")
    return counted


# The paper beside the release


def characteristics(counted: Result) -> list[Characteristic]:
    """The rows of Table 1 with what the release gives; both SDs, since the paper names none."""
    n, male, mean, sd = (counted.scores[name] for name in MOMENTS)
    return [Characteristic("patients", "Recordings, one a patient by the release's word", n),
            Characteristic("age.mean", "Age, mean (years)", mean),
            Characteristic("age.sd", "Age, SD with divisor n − 1 (years)", sd),
            Characteristic("age.sd", "Age, SD with divisor n (years)", sd * np.sqrt(1 - 1 / n)),
            Characteristic("male.count", "Men", male),
            Characteristic("male.percent", "Men (%)", 100 * male / n),
            Characteristic("ecgs", "ECGs", n),
            Characteristic("ecgs_per_patient", "ECGs a patient", None)]


def comparison(counted: Result) -> pd.DataFrame:
    """One row a characteristic: ``aumc``, ``paper`` as printed, ``ours``, ``difference``, ``agreement``."""
    return pd.DataFrame([_row(characteristic) for characteristic in characteristics(counted)])


def _row(found: Characteristic) -> dict:
    aumc, printed = (_printed(found.place, column) for column in ("aumc", "shaoxing"))
    row = {"place": found.place, "characteristic": found.words, "aumc": aumc, "paper": printed}
    if found.ours is None:
        return row | {"ours": np.nan, "difference": np.nan, "agreement": "the table names no patients"}
    return row | {"ours": found.ours, "difference": found.ours - float(printed.replace(",", "")),
                  "agreement": agreement(printed, found.ours)}


def _printed(place: str, column: str) -> str:
    """A cell as printed, digit for digit: ``age.sd`` of ``aumc`` is ``20.172``."""
    row, _, below = place.partition(".")
    return published_text(".".join(filter(None, (PRINTED, row, column, below))))


def _decimals(printed: str) -> int:
    return len(printed.partition(".")[2])


def agreement(printed: str, ours: float) -> str:
    """In words, whether ``ours`` to the digits of ``printed`` is what is printed; else how it differs."""
    decimals = _decimals(printed)
    rounded = f"{ours:,.{decimals}f}"
    if rounded == printed:
        return "equal in every printed digit"
    if f"{np.trunc(ours * 10**decimals) / 10**decimals:,.{decimals}f}" == printed:
        return "equal when truncated"
    if len(rounded) != len(printed):
        return f"differs: {rounded}"
    alike = next(k for k, (a, b) in enumerate(zip(rounded, printed, strict=True)) if a != b)
    return f"differs from digit {sum(c.isdigit() for c in rounded[:alike]) + 1} on: {rounded}"


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """``comparison`` as a reader sees it: ours and the difference with a decimal more than is printed."""
    rows = []
    for row in table.itertuples():
        digits = _decimals(row.paper) + 1 if "." in row.paper else 0
        known = np.isfinite(row.ours)
        rows.append({"Characteristic": row.characteristic, "Shaoxing, paper": row.paper,
                     "Shaoxing, release": f"{row.ours:,.{digits}f}" if known else "–",
                     "Release − paper": _signed(row.difference, digits) if known else "–",
                     "Printed digits": row.agreement, "AUMC, paper (private)": row.aumc})
    return pd.DataFrame(rows)


def _signed(value: float, digits: int) -> str:
    text = f"{abs(value):.{digits}f}"
    return text if float(text) == 0 else ("−" if value < 0 else "+") + text


def verdict(counted: Result) -> HTML:
    """What agrees and what does not, in sentences that follow from the values."""
    table = comparison(counted)
    table = table[table["ours"].notna()]
    equal = table["agreement"].str.startswith("equal").groupby(table["place"]).any()
    sentences = [f"Of {len(equal)} numbers that are printed for Shaoxing and that the release can give, "
                 f"{equal.sum()} are what it gives, digit for digit."]
    if not equal["age.sd"]:
        sd = table[table["place"] == "age.sd"]
        found = " and ".join(f"{row.ours:.{_decimals(row.paper)}f} "
                             + re.search("with divisor n(?: − 1)?", row.characteristic).group()
                             for row in sd.itertuples())
        sentences.append(f"The SD of the age is printed as {sd['paper'].iloc[0]}; the table gives {found}.")
    n_rhythms = len(counted.scores["rhythms"])
    said = published_text("jang2021.scalars.rhythms_abstract")
    sentences.append(f"The {n_rhythms} rhythms add up to all {counted.scores['n']:,} recordings; where the "
                     f"abstract says {said} rhythms, the table has {n_rhythms}.")
    return HTML(Markup("<p>{}</p>").format(" ".join(sentences)))


def source_line(counted: Result) -> HTML:
    """Where the table comes from."""
    entry = catalogue.entry(counted.data["name"])
    link = Markup('<a class="external" href="{}">{}, {}</a>').format(entry.page, entry.title, entry.version)
    return HTML(Markup("<p>Counted from <code>{}</code> of {} ({}).</p>").format(
        counted.data["file"], link, entry.licence))


# By rhythm


def by_rhythm(counted: Result) -> pd.DataFrame:
    """One row a rhythm, the most frequent first: recordings, age and SD, men with Wilson's 95 % limits."""
    rows = []
    found = {name: part for name, part in counted.scores["rhythms"].items() if part["n"]}
    for name, part in sorted(found.items(), key=lambda item: -item[1]["n"]):
        low, high = stats.binomtest(part["male"], part["n"]).proportion_ci(LEVEL, method="wilson")
        rows.append({"rhythm": name, "share": part["n"] / counted.scores["n"], **part,
                     "male_share": part["male"] / part["n"], "male_low": low, "male_high": high})
    return pd.DataFrame(rows)


def readable_rhythms(table: pd.DataFrame) -> pd.DataFrame:
    """``by_rhythm`` as a reader sees it."""
    return pd.DataFrame([{
        "Rhythm": _words(row.rhythm), "Recordings": f"{row.n:,}", "Share": f"{100 * row.share:.2f} %",
        "Age (mean ± SD, years)": f"{row.age_mean:.1f} ± {row.age_sd:.1f}",
        "Men (%) [95 % interval]": f"{100 * row.male_share:.1f} [{100 * row.male_low:.1f}, "
                                   f"{100 * row.male_high:.1f}]"} for row in table.itertuples()])


def rarest(counted: Result) -> HTML:
    """What the rarest rhythm leaves for a test part, by the split that the paper names."""
    table = by_rhythm(counted)
    training, test = published.lookup("jang2021.scalars.split.value")
    share, (first, last) = test / (training + test), (table.iloc[0], table.iloc[-1])
    text = (f"The most frequent rhythm, {_words(first['rhythm'])}, has {first['n']:,} recordings; the "
            f"rarest, {_words(last['rhythm'])}, has {last['n']}. A test part of {100 * share:g} % holds "
            f"{share * last['n']:.0f} of the latter: its F1 is nearly all or nothing, and a score weighted "
            "by frequency hides it.")
    return HTML(Markup("<p>{}</p>").format(text))


def rhythms_figure(counted: Result) -> Figure:
    """Age (mean with 95 % interval, SD) and share of men (95 % interval) by rhythm, with those of all."""
    table, scores = by_rhythm(counted), counted.scores
    y = np.arange(len(table))
    # Narrow, so that the labels stay readable where a telephone shrinks the figure
    figure, (left, right) = plt.subplots(1, 2, figsize=(5.2, 4.2), sharey=True)
    dots = {"fmt": "o", "color": BLUE, "capsize": 3, "markersize": 4}
    half = stats.t.ppf((1 + LEVEL) / 2, table["n"] - 1) * table["age_sd"] / np.sqrt(table["n"])
    left.errorbar(table["age_mean"], y, xerr=table["age_sd"], fmt="none", ecolor=PALE, elinewidth=5,
                  label="SD")
    left.errorbar(table["age_mean"], y, xerr=half, label="mean, 95 % interval", **dots)
    left.axvline(scores["age_mean"], color=GREY, linestyle=":", label="all recordings")
    left.set(xlabel="age (years)", yticks=y,
             yticklabels=[f"{_two_lines(row.rhythm)} ({row.n:,})" for row in table.itertuples()])
    left.tick_params(axis="y", labelsize=8)
    share, low, high = (100 * table[name] for name in ("male_share", "male_low", "male_high"))
    right.errorbar(share, y, xerr=[share - low, high - share], **dots)
    right.axvline(100 * scores["male"] / scores["n"], color=GREY, linestyle=":")
    right.set(xlabel="men (%)", xlim=(0, 100))
    left.invert_yaxis()
    figure.legend(*left.get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=3)
    return figure


def _words(rhythm: str) -> str:
    return rhythm.replace("_", " ").replace("av ", "AV ")


def _two_lines(rhythm: str) -> str:
    """A rhythm's name, on two lines where it is long."""
    words = _words(rhythm).split()
    middle = (len(words) + 1) // 2
    return " ".join(words) if len(rhythm) < 19 else "\n".join(map(" ".join, (words[:middle], words[middle:])))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see ``results.command``."""
    usage = f"{PROGRAM} takes no arguments; set ECGTL_DATA to the folder of the data sets"
    return results.command(lambda: measure(paths.data()), 0, usage, arguments)


if __name__ == "__main__":
    sys.exit(main())
