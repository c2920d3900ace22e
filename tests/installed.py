"""Copies of the checkout and environments outside of it, made in seconds and without a network."""

import os
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ecgtl import paths

ROOT = paths.repository()


def known_to_git(*patterns: str) -> list[str]:
    """The files of the working tree that git knows, or would take, by their paths."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in filter(None, listed.split("\0")) if (ROOT / name).is_file()]


def copy(names: Iterable[str], folder: Path) -> None:
    """Copy files of the working tree."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
        (folder / name).chmod((ROOT / name).stat().st_mode)


def commit(folder: Path) -> None:
    """Make ``folder`` a git checkout, all of it committed."""
    for words in (["init"], ["add", "--all"], ["commit", "--allow-empty", "--message", "all"]):
        subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *words], cwd=folder, check=True,
                       capture_output=True)


def python(folder: Path) -> Path:
    return folder / "bin" / "python"


def empty(folder: Path) -> Path:
    """An environment with nothing in it: its site-packages."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    [site] = folder.glob("lib/python*/site-packages")
    return site


def needed(required: Iterable[str]) -> set[str]:
    """The names of what ``required`` (lines as of ``Requires-Dist``) and all that it needs are installed as here."""
    found, todo = set(), [Requirement(line) for line in required]
    while todo:
        one = todo.pop()
        extras = ["", *one.extras]
        name = canonicalize_name(one.name)
        if name not in found and (not one.marker or one.marker.evaluate({"extra": ""})):
            found.add(name)
            todo += [more for line in metadata.requires(name) or () if not (more := Requirement(line)).marker
                     or any(more.marker.evaluate({"extra": extra}) for extra in extras)]
    return found


def link(names: Iterable[str], site: Path) -> None:
    """Make the packages ``names`` of this environment those of ``site`` too: links to their folders and files."""
    for name in names:
        package = metadata.distribution(name)
        for top in {file.parts[0] for file in package.files} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(package.locate_file(top))


def surroundings(folder: Path, **more: str) -> dict[str, str]:
    """What a process of the environment ``folder`` sees: nothing that points at the checkout."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ECGTL_", "PYTHON"))}
    return own | {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1",
                  "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"} | more
