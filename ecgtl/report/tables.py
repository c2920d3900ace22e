"""Tables that a reader sees, as HTML and as files to download."""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup

from ecgtl import paths
from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import METHODS, PENDING, SCORES, f1
from ecgtl.config import BASELINES
from ecgtl.report.numbers import Numbers
from ecgtl.report.words import difference, plus_minus
from ecgtl.spreadsheet import as_csv

LINES = ("paper", "here", "here − paper")
NEEDS = (22, 28, 34, 40, 46, 52, 58, 64)  # rem: a table whose frame is narrower than it needs becomes cards
SORTED_FROM = 16  # a table of so many rows sorts and filters
_BRIEF = 5  # a comparison of so many columns leaves intervals of differences to what its numbers open
_DENSE = 8  # a table of so many columns is set in small type,
_WIDE = 58  # and one that would need more rem than a window of 1,300 pixels has for it
POPOVER = re.compile("<div popover.*?</div>", re.DOTALL)


class Lines(NamedTuple):
    """A cell of a comparison: what the paper prints, what was obtained here, and the difference; "" leaves one out."""

    paper: str = ""
    here: str = ""
    gap: str = ""

    def __html__(self) -> str:
        """Each line begins with what it is: heard by screen readers, seen where the table has become cards."""
        line = Markup('<div class="ecgtl-line"><span class="ecgtl-what">{} </span>{}</div>')
        return Markup().join(line.format(*one) for one in zip(LINES, self, strict=True) if one[1])


def grid(frame: pd.DataFrame, columns: str = "words",
         headings: Mapping[str, tuple[str, str] | str] | None = None) -> pd.DataFrame:
    """A comparison in the shape of the paper's table: a row a method, a column for each of ``columns``, three lines.

    ``frame`` is a ``cells.comparison`` with the columns ``experiment``, ``tier`` and, for several, ``score``.
    ``headings`` are the columns' in words, pairs where they are grouped.
    """
    numbers: dict[tuple[str, str], Numbers] = {}
    brief, lines = frame[columns].nunique() >= _BRIEF, []
    for row in frame.to_dict("records"):
        where = row["experiment"], row["tier"]
        known, heading = numbers.setdefault(where, Numbers(*where)), (headings or {}).get(row[columns], row[columns])
        gap = Interval(row["difference"], row["difference_low"], row["difference_high"])
        printed = plus_minus(row["paper"], row["paper_sd"]) if np.isfinite(row["paper"]) else ""
        lines.append((METHODS[row["method"]], heading, Lines(
            printed + row.get("mark", ""), known.cell(row["method"], row["size"], row.get("score"), gap, brief),
            difference(gap, brief) if gap.reach else "")))
    return grid_of(lines, "Initialisation")


def grid_of(cells: Iterable[tuple[str, tuple[str, str] | str, Lines]], corner: str) -> pd.DataFrame:
    """A table of ``cells``, each of a row and a column, in the order in which these first occur."""
    rows: dict[str, dict] = {}
    for row, column, lines in cells:
        rows.setdefault(row, {})[column] = lines
    shown = pd.DataFrame.from_dict(rows, orient="index")
    shown = shown.where(shown.notna(), "–")
    if len(shown.columns) and isinstance(shown.columns[0], tuple):
        shown.columns = pd.MultiIndex.from_tuples(shown.columns)
    shown.insert(0, (corner, "") if shown.columns.nlevels > 1 else corner, shown.index)
    return shown


def beside_baselines(table: pd.DataFrame, by: str = "words") -> HTML:
    """Whether networks lie above the best baseline by their means, a line for each column, or score."""
    lines = []
    for name, own in table[table["n"] > 0].groupby(by, sort=False):
        own = own.sort_values("ours")
        baselines, networks = (own[own["method"].isin(BASELINES) == wanted] for wanted in (True, False))
        if len(baselines) and len(networks):
            base, top = baselines.iloc[-1], networks.iloc[-1]
            above, n = (networks["ours"] > base["ours"]).sum(), len(networks)
            lines.append(Markup("<li>{}: {} ({}) {}; the highest of these is {} ({}).</li>").format(
                SCORES.get(name, name), METHODS[base["method"]], f1(base["ours"]),
                f"has {above} of {n} networks above it" if above else f"lies above all {n} networks",
                METHODS[top["method"]], f1(top["ours"])))
    return HTML(Markup("<ul>{}</ul>").format(Markup().join(lines)) if lines else f"<p>{PENDING}</p>")


def write_csv(table: pd.DataFrame, name: str) -> Path:
    """Write a table for readers to download; the site takes it from there."""
    folder = paths.repository() / "build" / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.csv"
    path.write_bytes(as_csv(table, "%.6g"))
    return path


def html(table: pd.DataFrame, caption: str) -> HTML:
    """A table for a page: caption, header cells with scope, and a frame that knows how wide it is."""
    return HTML(html_text(table, caption))


def html_text(table: pd.DataFrame, caption: str) -> Markup:
    """The same as text; its first column heads the rows, cells are escaped unless they are ``Markup`` or ``Lines``.

    Where the frame is too narrow for the table, each row becomes a card (``book/_static/ecgtl.css``). Columns with two
    levels are grouped. A long table is marked as one to sort and filter (``book/_static/ecgtl.js``).
    """
    heads = [" ".join(filter(None, head)) if isinstance(head, tuple) else str(head) for head in table.columns]
    compared = any(isinstance(cell, Lines) for cell in table.to_numpy().flat)
    lines = Markup('<td class="ecgtl-lines" aria-hidden="true">{}</td>')
    rows = []
    for first, *others in table.itertuples(index=False, name=None):
        tds = Markup().join(map(Markup('<td data-head="{}">{}</td>').format, heads[1:], others))
        shown = [any(texts) for texts in zip(*(one for one in others if isinstance(one, Lines)), strict=True)]
        label = lines.format(Lines(*(Markup("&nbsp;") * there for there in shown or (True,) * 3))) if compared else ""
        rows.append(Markup('<tr><th scope="row">{}</th>{}{}</tr>').format(first, label, tds))
    dense = len(heads) >= _DENSE or compared and len(heads) > _BRIEF or _need(table, heads, compared, False) > _WIDE
    css = f"ecgtl-needs-{_need(table, heads, compared, dense)}" + " ecgtl-dense" * dense
    if len(rows) >= SORTED_FROM and not compared:
        css += " ecgtl-sortable"
    return Markup('<div class="ecgtl-scroll" tabindex="0" role="region" aria-label="{0}">'
                  '<table class="ecgtl-table {3}"><caption>{0}</caption><thead>{1}</thead><tbody>{2}</tbody></table>'
                  "</div>").format(caption, _head(table.columns, compared), Markup().join(rows), css)


def card_rules() -> str:
    """CSS by which the rows of a table become cards where its frame is narrower than it needs."""
    card = paths.facts("report/site/theme")["card"]
    return "".join(f"@container (max-width: {need}rem) {{ .ecgtl-needs-{need} {{ {card} }} }}" for need in NEEDS)


def _head(columns: pd.Index, compared: bool) -> Markup:
    """One row of column headings, or two where they are grouped."""
    blank, one = Markup("<td></td>") if compared else Markup(), Markup('<th scope="col"{}>{}</th>')
    if columns.nlevels == 1:
        first, others = (Markup().join(one.format("", name) for name in some) for some in (columns[:1], columns[1:]))
        return Markup("<tr>{}{}{}</tr>").format(first, blank, others)
    groups = [(heads, len([*members])) for heads, members in itertools.groupby(
        columns[1:], key=lambda pair: (pair[0], pair[1] == ""))]
    first = Markup().join(one.format(Markup(' rowspan="2"'), name) if alone else
                          Markup('<th scope="colgroup" colspan="{1}">{0}</th>').format(name, n)
                          for (name, alone), n in groups)
    second = Markup().join(one.format("", name) for _, name in columns[1:] if name)
    return Markup("<tr>{}{}{}</tr><tr>{}</tr>").format(
        one.format(Markup(' rowspan="2"'), columns[0][0]), Markup('<td rowspan="2"></td>') if compared else "",
        first, second)


def _need(table: pd.DataFrame, heads: Sequence[str], compared: bool, dense: bool) -> int:
    """About how wide a table has to be, in rem: by the longest piece of each column that does not break."""
    size, pad = (0.44, 0.6) if dense else (0.5, 1.3)
    width = 12 * size + pad if compared else 0.0
    for place, head in enumerate(heads):
        whole = [line for cell in table.iloc[:, place]
                 for text in (cell if isinstance(cell, Lines) else (cell,)) for line in _seen(text)]
        lines_stay = any(isinstance(cell, Lines) for cell in table.iloc[:, place])
        pieces = whole if lines_stay else [word for text in whole for word in text.split(" ")]
        width += pad + size * max(map(len, [*pieces, *head.split(" "), *(text[:24] for text in whole)]))
    return next((need for need in NEEDS if width <= need), NEEDS[-1])


def _seen(cell: Any) -> list[str]:
    """The lines that a cell takes room for: not what a number opens."""
    lines = POPOVER.sub("", cell).split("<br>") if isinstance(cell, Markup) else [cell]
    return [Markup(line).striptags() if isinstance(cell, Markup) else str(line) for line in lines]
