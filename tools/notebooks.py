"""Sync each notebook with its paired .py and execute it in place, so that nbval has outputs to compare with.

Usage: python tools/notebooks.py [notebooks/finetune.py ...]     (all by default)
       python tools/notebooks.py --check [notebooks/jang/table2.py ...]

The second writes nothing: it names the cells of pages (all by default) that say other words than a run does now. nbval
compares marked cells alone, so a page whose results, weights or names have changed since it was stored passes it.
"""

import re
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
METADATA = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"}}
PASSING = re.compile(r'data:image[^"]*|\bid="[^"]*"|\b[0-9a-f]{7,40}\b|(?<![−+\d.,])(?<!of )[−+\d.,]++(?! of \d)')


def executed(source: Path) -> nbformat.NotebookNode:
    """``source`` as a notebook that has been run; cell ids and metadata stay stable from run to run."""
    notebook = jupytext.read(source)
    notebook.metadata.update(METADATA)
    notebook.metadata["jupytext"] = {"formats": "ipynb,py:percent"}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
    NotebookClient(notebook, timeout=600, kernel_name="python3",
                   resources={"metadata": {"path": str(source.parent)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata["language_info"] = METADATA["language_info"]
    return notebook


def words(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """What the code cells say, by their ids, without pictures, commits and numbers, which processors round.

    Counts, as 52 of 210, stay.
    """
    said = {cell.id: "".join(one.get("text", "") + one.get("data", {}).get("text/html", "") for one in cell.outputs)
            for cell in notebook.cells if cell.cell_type == "code"}
    return {name: PASSING.sub("", text) for name, text in said.items()}


def main() -> int:
    names = [name for name in sys.argv[1:] if name != "--check"]
    check, stale = "--check" in sys.argv, 0
    # Whichever of the two files is named, the text is the source: an .ipynb holds what was there before
    given = [Path(name).resolve().with_suffix(".py") for name in names]
    for source in given or sorted((ROOT / "notebooks").glob("*/*.py" if check else "**/*.py")):
        print(f"running {source.relative_to(ROOT)}", flush=True)
        notebook, stored = executed(source), source.with_suffix(".ipynb")
        if not check:
            nbformat.write(notebook, stored)
            continue
        before, now = words(nbformat.read(stored, 4)), words(notebook)
        for name in sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name)):
            stale += 1
            print(f"  {name} says something else than what is stored; make the notebook again", flush=True)
    return min(stale, 1)


if __name__ == "__main__":
    sys.exit(main())
