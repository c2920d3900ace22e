"""The checksums of a release: the list that it is published with, and how a folder compares with it."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from ecgtl.datasets.catalogue import Entry
from ecgtl.datasets.files import stays_below
from ecgtl.errors import EcgtlError

REGISTRY = "SHA256SUMS.txt"
_LINE = re.compile(r"([0-9a-fA-F]{64})(?: [ *]?)(\S.*)")


@dataclass(frozen=True)
class Verification:
    """What a folder holds against its registry, as paths; ``unpacked`` folders stand for their archives."""

    verified: list[str]
    missing: list[str]
    altered: list[str]
    extra: list[str]
    unpacked: list[str]


class Progress:
    """Receives the progress of a fetch or a check; this one keeps silent. Called from several threads."""

    def begin(self, n_files: int) -> None:
        """``n_files`` files are to be handled."""

    def advance(self, share: float, n_bytes: int) -> None:
        """A ``share`` of one file is done, with ``n_bytes`` from the network; negative when lost again."""

    def retry(self, reason: str, pause: float) -> None:
        """An attempt failed for ``reason``; the next follows after ``pause`` seconds."""

    def end(self) -> None:
        """Nothing more will come."""


def verify(entry: Entry, root: Path, only: str | Sequence[str] | None = None,
           progress: Progress | None = None) -> Verification:
    """Compare the files of ``entry`` below ``root`` with its ``SHA256SUMS.txt``; nothing is changed.

    Missing and altered are looked for among the catalogue's selection (or ``only``); extra are files that the
    registry does not name. Raises EcgtlError when the registry is absent or damaged.
    """
    folder, progress = Path(root) / entry.folder, progress or Progress()
    registry = read_registry(folder / REGISTRY)
    unpacked = {archive: inside for archive, inside in entry.archives.items()
                if (folder / inside).is_dir() and not (folder / archive).exists()}
    chosen = select(registry, entry, only, folder)
    found: dict[str, list[str]] = {"verified": [], "missing": [], "altered": []}
    progress.begin(len(chosen))
    for path in (path for path in chosen if path not in unpacked):
        file = folder / path
        state = "missing" if not file.is_file() else "verified" if has_checksum(registry[path], file) else "altered"
        found[state].append(path)
        progress.advance(1, 0)
    progress.end()
    files = (file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    known = (".", *(f"{inside}/" for inside in entry.archives.values()))
    extra = sorted(file for file in files if file not in registry and file != REGISTRY and not file.startswith(known))
    return Verification(**found, extra=extra, unpacked=sorted(unpacked.values()))


def read_registry(path: Path) -> dict[str, str]:
    """SHA-256 by file path from a ``SHA256SUMS.txt`` (lines of hash and path).

    Raises EcgtlError when it is missing, empty or not such a list, or a path is absolute or contains ``..``.
    """
    registry: dict[str, str] = {}
    where = path.with_suffix("") if path.suffix == ".part" else path  # the name that it will have
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    registry.update([_registry_line(line.rstrip("\r\n"), f"{where}, line {number}")])
    except FileNotFoundError:
        raise EcgtlError(f"{path} is missing; 'python -m ecgtl data fetch' brings it") from None
    registry.pop(REGISTRY, None)  # a list cannot hold its own checksum
    if not registry:
        raise EcgtlError(f"{where} names no file; delete it and fetch again, or use another --mirror")
    return registry


def _registry_line(line: str, where: str) -> tuple[str, str]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise EcgtlError(f"{where}: {line[:60]!r} is not 'checksum path'; delete the file and fetch again, "
                         "or use another --mirror")
    if not stays_below(found[2]) or "\\" in found[2] or not found[2].isprintable():
        raise EcgtlError(f"{where}: the path {found[2]!r} leads out of the data set's folder; this is not "
                         "the release's list, so use another --mirror")
    return str(PurePosixPath(found[2])), found[1].lower()


def select(registry: Iterable[str], entry: Entry, only: str | Sequence[str] | None, folder: Path) -> list[str]:
    """Paths of the catalogue's selection, or that match any pattern of ``only``.

    EcgtlError for one that matches none.
    """
    registry, patterns = list(registry), entry.files if not only else [only] if isinstance(only, str) else list(only)
    for pattern in patterns:
        if not any(fnmatchcase(path, pattern) for path in registry):
            raise EcgtlError(f"no file of {folder / REGISTRY} matches {pattern!r}; it names for example "
                             f"{', '.join(registry[:3])}")
    return [path for path in registry if any(fnmatchcase(path, pattern) for pattern in patterns)]


def has_checksum(sha256: str, file: Path) -> bool:
    """Whether a file has this checksum."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == sha256
