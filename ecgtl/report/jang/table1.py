"""Jang 2021, Table 1: who and what the Shaoxing table holds, the paper beside the release."""

import itertools

import numpy as np
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup
from matplotlib import pyplot as plt
from scipy import stats

from ecgtl import published, results, statistics
from ecgtl.datasets import catalogue
from ecgtl.measurements.shaoxing import MOMENTS
from ecgtl.report import alt, badges, figures, in_short, words
from ecgtl.report.printed import published_text


def comparison(counted: results.Result) -> pd.DataFrame:
    """One row a characteristic: ``aumc``, ``paper`` as printed, ``ours``, ``difference``, ``agreement``.

    Both SDs of the age stand there, since the paper names no divisor.
    """
    n, male, mean, sd = (counted.scores[name] for name in MOMENTS)
    found = [("patients", "Recordings, one a patient by the release's word", n),
             ("age.mean", "Age, mean (years)", mean), ("age.sd", "Age, SD with divisor n − 1 (years)", sd),
             ("age.sd", "Age, SD with divisor n (years)", sd * np.sqrt(1 - 1 / n)),
             ("male.count", "Men", male), ("male.percent", "Men (%)", 100 * male / n), ("ecgs", "ECGs", n),
             ("ecgs_per_patient", "ECGs a patient", np.nan)]
    rows = []
    for place, what, ours in found:
        row, dot, below = place.partition(".")
        aumc, paper = (published_text(f"jang2021.table1.rows.{row}.{column}{dot}{below}")
                       for column in ("aumc", "shaoxing"))
        rows.append((place, what, aumc, paper, ours, ours - float(paper.replace(",", "")),
                     agreement(paper, ours) if np.isfinite(ours) else "the table names no patients"))
    return pd.DataFrame(rows, columns=["place", "characteristic", "aumc", "paper", "ours", "difference", "agreement"])


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
    alike = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(rounded, printed, strict=True))
    return f"differs from digit {sum(digit.isdigit() for digit, _ in alike) + 1} on: {rounded}"


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """``comparison`` as a reader sees it: ours and the difference with a decimal more than is printed."""
    rows = []
    for row in table.itertuples():
        digits, ours, difference = _decimals(row.paper) + 1 if "." in row.paper else 0, "–", "–"
        if np.isfinite(row.ours):
            ours, difference = f"{row.ours:,.{digits}f}", f"{row.difference:+z.{digits}f}".replace("-", "−")
            difference = difference if difference.strip("+0.") else difference[1:]  # no sign where all digits are 0
        rows.append((row.characteristic, row.paper, ours, difference, row.agreement, row.aumc))
    return pd.DataFrame(rows, columns=["Characteristic", "Shaoxing, paper", "Shaoxing, release", "Release − paper",
                                       "Printed digits", "AUMC, paper (private)"])


def answer(counted: results.Result) -> HTML:
    """In short: how many printed numbers are the release's, and the share of men with Wilson's interval."""
    n, male = counted.scores["n"], counted.scores["male"]
    low, high = statistics.share_interval(male, n)
    share = (f"The share of men is {100 * male / n:.1f} % [{100 * low:.1f}, {100 * high:.1f}]; "
             f"{published_text('jang2021.table1.rows.male.shaoxing.percent')} % is printed.")
    return in_short.block([_agreeing(counted), share], badges.row(counted.config["tier"], counted.evidence))


def _equal(counted: results.Result) -> pd.Series:
    """Whether the release gives what is printed, by place."""
    table = comparison(counted).dropna(subset="ours")
    return table["agreement"].str.startswith("equal").groupby(table["place"]).any()


def _agreeing(counted: results.Result) -> str:
    equal = _equal(counted)
    return (f"Of {len(equal)} numbers that are printed for Shaoxing and that the release can give, {equal.sum()} are "
            "what it gives, digit for digit.")


def verdict(counted: results.Result) -> HTML:
    """What agrees and what does not, in sentences that follow from the values."""
    table, equal, sentences = comparison(counted), _equal(counted), [_agreeing(counted)]
    if not equal["age.sd"]:
        sd = table[table["place"] == "age.sd"]
        kinds = sd["characteristic"].str.removeprefix("Age, SD ").str.removesuffix(" (years)")
        printed = sd["paper"].iloc[0]
        found = [f"{ours:.{_decimals(printed)}f} {kind}" for ours, kind in zip(sd["ours"], kinds, strict=True)]
        sentences.append(f"The SD of the age is printed as {printed}; the table gives {' and '.join(found)}.")
    n_rhythms = len(counted.scores["rhythms"])
    sentences.append(f"The {n_rhythms} rhythms add up to all {counted.scores['n']:,} recordings; where the abstract "
                     f"says {published_text('jang2021.scalars.rhythms_abstract')} rhythms, the table has {n_rhythms}.")
    return HTML(words.paragraph(" ".join(sentences)))


def source_line(counted: results.Result) -> HTML:
    """Where the table comes from."""
    entry = catalogue.entry(counted.data["name"])
    return HTML(Markup("<p>Counted from <code>{}</code> of {} ({}).</p>").format(
        counted.data["file"], words.link(entry.page, f"{entry.title}, {entry.version}"), entry.licence))


def by_rhythm(counted: results.Result) -> pd.DataFrame:
    """One row a rhythm, the most frequent first: recordings, age and SD, men with Wilson's 95 % limits."""
    table = pd.DataFrame.from_dict(counted.scores["rhythms"], orient="index").query("n > 0")
    table = table.sort_values("n", ascending=False, kind="stable").rename_axis("rhythm").reset_index()
    table.insert(1, "share", table["n"] / counted.scores["n"])
    table["male_share"] = table["male"] / table["n"]
    table[["male_low", "male_high"]] = [*map(statistics.share_interval, table["male"], table["n"])]
    return table


def readable_rhythms(table: pd.DataFrame) -> pd.DataFrame:
    """``by_rhythm`` as a reader sees it."""
    return pd.DataFrame([{
        "Rhythm": _rhythm_words(row.rhythm), "Recordings": f"{row.n:,}", "Share": f"{100 * row.share:.2f} %",
        "Age (mean ± SD, years)": f"{row.age_mean:.1f} ± {row.age_sd:.1f}",
        "Men (%) [95 % interval]": f"{100 * row.male_share:.1f} [{100 * row.male_low:.1f}, {100 * row.male_high:.1f}]"}
        for row in table.itertuples()])


def rarest(counted: results.Result) -> HTML:
    """What the rarest rhythm leaves for a test set, by the split that the paper names."""
    table = by_rhythm(counted)
    training, test = published.lookup("jang2021.scalars.split.value")
    share, first, last = test / (training + test), table.iloc[0], table.iloc[-1]
    return HTML(words.paragraph(
        f"The most frequent rhythm, {_rhythm_words(first['rhythm'])}, has {first['n']:,} recordings; the rarest, "
        f"{_rhythm_words(last['rhythm'])}, has {last['n']}. A test set of {100 * share:g} % holds "
        f"{share * last['n']:.0f} of the latter: its F1 is nearly all or nothing, and a score weighted by frequency "
        "hides it."))


def rhythms_figure(counted: results.Result) -> plt.Figure:
    """Age (mean with 95 % interval, SD) and share of men (95 % interval) by rhythm, with those of all."""
    table, scores = by_rhythm(counted), counted.scores
    y, dots = np.arange(len(table)), {"fmt": "o", "color": "#0072B2", "markersize": 4}
    figure, (left, right) = plt.subplots(1, 2, figsize=(figures.WIDTH, 4.2), sharey=True)
    half = stats.t.ppf((1 + statistics.LEVEL) / 2, table["n"] - 1) * table["age_sd"] / np.sqrt(table["n"])
    left.errorbar(table["age_mean"], y, xerr=table["age_sd"], fmt="none", ecolor="#9ecae1", elinewidth=5, label="SD")
    left.errorbar(table["age_mean"], y, xerr=half, label="mean, 95 % interval", **dots)
    left.set(xlabel="age (years)", yticks=y,
             yticklabels=[f"{_two_lines(row.rhythm)} ({row.n:,})" for row in table.itertuples()])
    share, low, high = (100 * table[name] for name in ("male_share", "male_low", "male_high"))
    right.errorbar(share, y, xerr=[share - low, high - share], **dots)
    right.set(xlabel="men (%)", xlim=(0, 100))
    for axes, whole in ((left, scores["age_mean"]), (right, 100 * scores["male"] / scores["n"])):
        axes.axvline(whole, color=figures.GREY, linestyle=":", label="all recordings")
    left.invert_yaxis()
    return figures.legend_below(figure, [left])


def rhythms_said(counted: results.Result) -> str:
    """What ``rhythms_figure`` says: where the age and the share of men are highest and lowest."""
    table = by_rhythm(counted)
    table = table.set_index(table["rhythm"].map(_rhythm_words))
    return alt.by_panel({
        "Mean age (years) by rhythm": alt.ordered(table["age_mean"].to_dict(), "{:.1f}".format),
        "Men (%) by rhythm": alt.ordered((100 * table["male_share"]).to_dict(), "{:.1f}".format)})


def _rhythm_words(rhythm: str) -> str:
    return rhythm.replace("_", " ").replace("av ", "AV ")


def _two_lines(rhythm: str) -> str:
    """A rhythm's name, on two lines where it is long."""
    words = _rhythm_words(rhythm).split()
    middle = (len(words) + 1) // 2 if len(rhythm) >= 19 else len(words)
    return "\n".join(filter(None, (" ".join(words[:middle]), " ".join(words[middle:]))))
