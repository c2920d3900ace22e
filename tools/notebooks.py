"""Sync each notebook with its paired .py and execute it in place, so that nbval has outputs to compare with.

Usage: python tools/notebooks.py [notebooks/finetune.py ...]     (all by default)
"""

import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
METADATA = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"}}


def refresh(source: Path) -> None:
    """Make ``source``'s .ipynb from its text and run it; cell ids and metadata stay stable from run to run."""
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
    nbformat.write(notebook, source.with_suffix(".ipynb"))


def main() -> None:
    # Whichever of the two files is named, the text is the source: an .ipynb holds what was there before
    given = [Path(name).resolve().with_suffix(".py") for name in sys.argv[1:]]
    for source in given or sorted((ROOT / "notebooks").rglob("*.py")):
        print(f"running {source.relative_to(ROOT)}", flush=True)
        refresh(source)


if __name__ == "__main__":
    main()
