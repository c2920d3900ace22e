"""Run a page of the book, and read its tables and figures, as a test sees them."""

import ast
import html
import re
from pathlib import Path
from unittest import mock

import jupytext
import numpy as np

from ecgtl.report import tables

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


def run_page(paper, name, tier="best"):
    """Run the code cells of ``notebooks/<paper>/<name>.py``, which leave no download; the HTML of what they show."""
    shown, namespace = [], {}
    with mock.patch.object(tables, "write_csv", lambda table, file: table.to_csv()):
        for cell in jupytext.read(NOTEBOOKS / paper / f"{name}.py").cells:
            if cell.cell_type == "code":
                body = ast.parse(cell.source.replace('tier = "best"', f'tier = "{tier}"')).body
                last = body.pop() if isinstance(body[-1], ast.Expr) else None
                exec(compile(ast.Module(body, []), name, "exec"), namespace)
                if last is not None:
                    shown.append(eval(compile(ast.Expression(last.value), name, "eval"), namespace))
    return "".join(str(getattr(output, "data", "")) for output in shown)


def seen(text):
    """What a reader sees of a cell, with ordinary spaces: neither tags and marks nor what a number opens."""
    for hidden in (r"<div popover.*?</div>", r'[ \N{NO-BREAK SPACE}]<span class="ecgtl-mark".*?</span>', "<[^>]*>"):
        text = re.sub(hidden, "", text, flags=re.DOTALL)
    return html.unescape(text).replace("\N{NO-BREAK SPACE}", " ")


def plain(table):
    """A table as it is ``seen``; of grouped columns the headings are joined."""
    heads = [seen(name if isinstance(name, str) else " ".join(filter(None, name))) for name in table.columns]
    return table.set_axis(heads, axis=1).map(lambda text: seen(text) if isinstance(text, str) else text)


def row_of(table, **where):
    """The one row of a ``plain`` table that has these words, each in a column by its name, with ``_`` for a space."""
    table = plain(table)
    for column, words in where.items():
        table = table[table[column.replace("_", " ")] == words]
    assert len(table) == 1
    return table.iloc[0]


def cell(table, row, *column):
    """Paper, here and difference of the cell of a ``tables.grid`` in a row and a column, as they are ``seen``."""
    found = row_of(table, **{plain(table.iloc[:0]).columns[0]: row})
    return tables.Lines(*map(seen, found[" ".join(column)]))


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def titles(figure):
    return [axes.get_title("left") for axes in figure.axes]


def points(axes):
    """The single points and lines of a panel, rounded."""
    return [np.round(line.get_xydata(), 3).tolist() for line in axes.get_lines()]
