"""Where things lie: data sets, results, caches. Environment variables are read here and nowhere else."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ecgtl.errors import EcgtlError, RecordError

PACKAGE = Path(__file__).resolve().parent
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML has it


def facts(name: str) -> Any:
    """What ``name``.yml of this package says; ``name`` is its path below the package."""
    return yaml.load((PACKAGE / f"{name}.yml").read_text(encoding="utf-8"), _LOADER)


def repository() -> Path:
    """The checkout that this package stands in, or the working folder for an installed copy."""
    root = PACKAGE.parent
    return root if (root / "pyproject.toml").exists() else Path.cwd()


def checkout(part: str) -> Path:
    """``part`` of the checkout; EcgtlError in an installed copy, which has none."""
    if not (found := repository() / part).exists():
        raise EcgtlError(f"{repository()} is no checkout of ecgtl: {part} is missing; run this in one")
    return found


def given(path: str | Path) -> Path:
    """``path`` as a user gave it, with ``~`` resolved. Raises EcgtlError for what cannot name a file here at all."""
    try:
        found = Path(path).expanduser()
        os.lstat(found)
    except (ValueError, RuntimeError) as error:  # a NUL, characters that the file system has not, an unknown ~user
        raise EcgtlError(f"the path {str(path)!r:.80} names no file ({error}); correct it") from None
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):  # a name too long, links in a circle, a closed folder
            raise EcgtlError(f"the path {str(path)!r:.80} cannot be reached ({error.strerror}); correct it") from None
    return found


@contextlib.contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """What the system refuses of the file ``path`` inside is a RecordError."""
    try:
        yield
    except FileNotFoundError:
        raise RecordError("missing file", f"{path} is missing; fetch it again or correct the path") from None
    except OSError as error:
        raise RecordError("unreadable file", f"{path} cannot be read ({error.strerror}); correct its "
                                             "permissions") from None


def output(path: str | Path, makes_folder: bool = False) -> Path:
    """``path`` as a file that can be written, new or in place of a regular file; asked for before any work.

    Raises EcgtlError for an empty name, a folder, device, FIFO or link, and where the folder that it is to lie in is
    missing or ``closed``. ``makes_folder``: it may be missing, as the writer makes it.
    """
    target = given(path)
    if not str(path) or str(path).endswith(os.sep) or target.is_dir():
        wrong = "that is a folder or no name"
    elif target.is_symlink() or target.exists() and not target.is_file():
        wrong = "there is a link, device or FIFO, which is not replaced"
    elif not makes_folder and not target.parent.is_dir():
        wrong = f"{target.parent} is no folder"
    elif not (wrong := closed(target.parent)):
        return target
    raise EcgtlError(f"{str(path)!r:.200} cannot be written: {wrong}; give the path of a file to write")


def closed(folder: Path) -> str:
    """Why nothing can be written to ``folder``, or where it is missing to the one that it would lie in; else empty."""
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        return f"{folder} is no folder"
    return "" if os.access(folder, os.W_OK | os.X_OK) else f"{folder} may not be written to"


def data() -> Path:
    """Folder that holds the data sets in the layout of their releases (``ECGTL_DATA``)."""
    return _folder("ECGTL_DATA") or repository() / "data"


def results() -> Path:
    """Folder of the committed results (``ECGTL_RESULTS``, by default ``results/``)."""
    return _folder("ECGTL_RESULTS") or repository() / "results"


def cache() -> Path:
    """Folder for everything that can be made anew (``ECGTL_CACHE``, by default ``~/.cache/ecgtl``)."""
    return _folder("ECGTL_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache") / "ecgtl"


def _folder(variable: str) -> Path | None:
    value = os.environ.get(variable, "")
    return Path(value).expanduser() if value else None


def mirror() -> str:
    """Address that serves the files of PhysioNet's releases in its place, or nothing (``ECGTL_MIRROR``)."""
    return os.environ.get("ECGTL_MIRROR", "")


def device(name: str = "auto") -> str:
    """The device asked for, ``auto``, ``cpu`` or ``cuda``: ``name``, or where that is ``auto`` ``ECGTL_DEVICE``."""
    said, value = ("device", name) if name != "auto" else ("ECGTL_DEVICE", os.environ.get("ECGTL_DEVICE", "auto"))
    if value not in ("auto", "cpu", "cuda"):
        raise EcgtlError(f"{said} is {value!r}; allowed: auto, cpu, cuda")
    return value


def commit() -> str:
    """What git calls a copy of the checkout that lies where git is not, ``-dirty`` behind it if it was changed
    (``ECGTL_COMMIT``).
    """
    return os.environ.get("ECGTL_COMMIT", "")
