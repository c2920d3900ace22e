"""Run a page of the book as a test sees it."""

import ast
import html
import re
from pathlib import Path

import jupytext

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
