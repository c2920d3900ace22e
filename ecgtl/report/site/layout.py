"""Where the book's files lie, and keys by which one sees what has to be made again."""

import hashlib
import json
import os
import platform
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ecgtl import paths
from ecgtl.errors import EcgtlError
from ecgtl.report.site import frame

SKIPPED = {"__pycache__", ".ipynb_checkpoints", "_build"}


@dataclass(frozen=True)
class Layout:
    """Where things lie below ``root``, the checkout."""

    root: Path

    notebooks = property(lambda self: self.root / "notebooks")
    book = property(lambda self: self.root / "book")
    config = property(lambda self: self.root / "_config.yml")
    toc = property(lambda self: self.root / "_toc.yml")
    lock = property(lambda self: self.root / "requirements.lock")
    downloads = property(lambda self: self.root / "build" / "downloads")
    work = property(lambda self: self.root / "build" / "site")
    site = property(lambda self: self.root / "book" / "_build" / "html")

    def name(self, notebook: Path) -> str:
        """A notebook's name: its path below ``notebooks/`` without suffix."""
        return notebook.relative_to(self.notebooks).with_suffix("").as_posix()

    def executed(self, notebook: Path) -> Path:
        """Where the last good run of a notebook is kept; its key lies beside it."""
        return self.work / "executed" / f"{self.name(notebook)}.ipynb"

    def environment(self, **more: str) -> dict[str, str]:
        """Surroundings in which a process imports the package of this checkout."""
        path = os.pathsep.join([str(self.root), *filter(None, [os.environ.get("PYTHONPATH")])])
        return os.environ | {"PYTHONPATH": path} | more


@dataclass(frozen=True)
class Stored(Layout):
    """The site of the notebooks as they are committed: none is run, and it lies in a place of its own."""

    book = property(lambda self: self.work / "prose")
    work = property(lambda self: self.root / "build" / "stored")
    site = property(lambda self: self.work / "html")

    def executed(self, notebook: Path) -> Path:
        """The committed notebook, with the outputs that ``make test`` compares."""
        return notebook

    def bring_prose(self) -> None:
        """Copy the book's prose to where this site is staged."""
        shutil.rmtree(self.book, ignore_errors=True)
        shutil.copytree(Layout(self.root).book, self.book,
                        ignore=shutil.ignore_patterns("_build", "notebooks", "downloads"))


def find(layout: Layout) -> list[Path]:
    """All notebooks, in order."""
    return sorted(file for file in files(layout.notebooks) if file.suffix == ".ipynb")


def code_key(layout: Layout) -> str:
    """Hash of what every notebook depends on: the package, the committed results, the lock file, Python."""
    committed = [file for file in files(paths.results())
                 if file.relative_to(paths.results()).parts[0] not in ("demo", ".running") and file.name[0] != "."]
    package = [file for file in files(layout.root / "ecgtl") if file.suffix != ".pyc"]
    return _digest([*package, *committed, layout.lock], layout.root, platform.python_version())


def notebook_key(notebook: Path, code: str) -> str:
    """Hash of a notebook's cells and of what it depends on; outputs and other metadata do not count."""
    cells = [(cell["cell_type"], "".join(cell["source"]), cell["metadata"]) for cell in content_of(notebook)["cells"]]
    return hashlib.sha256(json.dumps([code, cells], sort_keys=True).encode()).hexdigest()


def site_key(layout: Layout, code: str) -> str:
    """Hash of everything the site is made from."""
    staged = (layout.book / "notebooks", layout.book / "downloads")
    prose = [file for file in files(layout.book) if not any(file.is_relative_to(folder) for folder in staged)]
    notebooks = [notebook_key(notebook, "") for notebook in find(layout)]
    frame_of = [paths.repository() / name for name in frame.SOURCES]
    return _digest([*prose, layout.config, layout.toc, *frame_of], layout.root, code, frame.version(), *notebooks)


def _digest(files: Iterable[Path], root: Path, *more: str) -> str:
    total = hashlib.sha256("\n".join(more).encode())
    for file in sorted(file for file in files if file.is_file()):
        name = file.relative_to(root) if file.is_relative_to(root) else file
        total.update(f"\n{name}\n{hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    return total.hexdigest()


def files(folder: Path) -> Iterator[Path]:
    """All files below ``folder`` that are not made along the way."""
    for file in folder.rglob("*"):
        if file.is_file() and not SKIPPED & set(file.relative_to(folder).parts):
            yield file


def content_of(notebook: Path) -> dict:
    """A notebook's JSON; EcgtlError where it is none."""
    try:
        return json.loads(notebook.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EcgtlError(f"{notebook} is not a notebook ({type(error).__name__}); restore it from git") from None


def write_notebook(notebook: Path, content: dict) -> None:
    """Write a notebook's JSON."""
    write(notebook, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def write(file: Path, text: str) -> None:
    """Write a file and the folders that it lacks."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def holds(file: Path, text: str) -> bool:
    """Whether a file is there and holds ``text``."""
    return file.is_file() and file.read_text(encoding="utf-8") == text


def say(line: str) -> None:
    """A line for who waits, in one piece: two notebooks may speak at once."""
    print(f"{line}\n", end="", flush=True)


def plain(text: str) -> str:
    """``text`` without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
