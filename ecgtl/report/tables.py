"""Tables that a reader sees, as HTML and as files to download."""

from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup

from ecgtl import paths, statistics
from ecgtl.analysis.names import METHODS, PENDING, SCORES, f1
from ecgtl.config import BASELINES
from ecgtl.report.words import difference
from ecgtl.spreadsheet import as_csv


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The comparison as a reader sees it: words, three decimals, PENDING where no run has been made."""
    rows = []
    for row in table.itertuples():
        interval = f" [{f1(row.low)}, {f1(row.high)}]" if np.isfinite(row.low) else ""
        gap = statistics.Difference(row.difference, row.difference_low, row.difference_high, np.nan, np.nan)
        rows.append({"Initialisation": METHODS[row.method], "Data used": row.words,
                     "Paper (mean ± SD)": f"{f1(row.paper)} ± {f1(row.paper_sd)}" if np.isfinite(row.paper) else "–",
                     "Ours [95 % interval]": f"{f1(row.ours)}{interval}" if row.n else PENDING, "n": row.n,
                     "Ours − paper [95 % interval]": difference(gap) if np.isfinite(gap.low) else "–"})
    return pd.DataFrame(rows)


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
    """A table for a page: caption, header cells with scope, and a frame that scrolls on narrow screens."""
    return HTML(html_text(table, caption))


def html_text(table: pd.DataFrame, caption: str) -> Markup:
    """The same as text; its first column heads the rows, cells are escaped unless they are ``Markup``."""
    heading, cell = Markup('<th scope="col">{}</th>'), Markup("<td>{}</td>")
    head = Markup().join(map(heading.format, table.columns))
    row = Markup('<tr><th scope="row">{}</th>{}</tr>')
    rows = Markup().join(row.format(first, Markup().join(map(cell.format, others)))
                         for first, *others in table.itertuples(index=False, name=None))
    return Markup('<div class="ecgtl-scroll" tabindex="0" role="region" aria-label="{0}">'
                  '<table class="ecgtl-table"><caption>{0}</caption>'
                  "<thead><tr>{1}</tr></thead><tbody>{2}</tbody></table></div>").format(caption, head, rows)
