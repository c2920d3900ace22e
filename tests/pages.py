"""Run a page of the book as a test sees it."""

import ast
import html
import re
from pathlib import Path

import jupytext

from ecgtl.report.tables import Lines

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


def run_page(paper, name, tier="best"):
    """Run the code cells of ``notebooks/<paper>/<name>.py``; the HTML of what they show."""
    shown, namespace = [], {}
    for cell in jupytext.read(NOTEBOOKS / paper / f"{name}.py").cells:
        if cell.cell_type == "code":
            body = ast.parse(cell.source.replace('tier = "best"', f'tier = "{tier}"')).body
            last = body.pop() if isinstance(body[-1], ast.Expr) else None
            exec(compile(ast.Module(body, []), name, "exec"), namespace)
            if last is not None:
                shown.append(eval(compile(ast.Expression(last.value), name, "eval"), namespace))
    return "".join(str(getattr(output, "data", "")) for output in shown)


def unmarked(text):
    """A cell of a readable table with ordinary spaces, as text, without the marks of what a difference decides."""
    if not isinstance(text, str):
        return text
    marks = r'[ \N{NO-BREAK SPACE}]<span class="ecgtl-mark".*?</span>'
    bare = html.unescape(re.sub(marks, "", text)) if "ecgtl-mark" in text else text
    return bare.replace("\N{NO-BREAK SPACE}", " ")


def seen(text):
    """What a reader sees of a cell, with ordinary spaces: neither tags and marks nor what a number opens."""
    for hidden in (r"<div popover.*?</div>", r'[ \N{NO-BREAK SPACE}]<span class="ecgtl-mark".*?</span>', "<[^>]*>"):
        text = re.sub(hidden, "", text, flags=re.DOTALL)
    return html.unescape(text).replace("\N{NO-BREAK SPACE}", " ")


def cell(table, row, *column):
    """Paper, here and difference of the cell of a ``tables.grid`` in a row and a column, as they are ``seen``."""
    rows = table.set_index(table.columns[0])
    rows.columns = [" ".join(filter(None, [name] if isinstance(name, str) else name)).replace(
        "\N{NO-BREAK SPACE}", " ") for name in rows.columns]
    return Lines(*map(seen, rows.loc[row, " ".join(column)].texts))
