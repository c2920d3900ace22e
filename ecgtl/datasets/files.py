"""Files of a release, or of a user: found, and read no further than they may be."""

import mmap
import os
import stat
import struct
import zlib
from collections.abc import Sequence
from io import StringIO
from pathlib import Path, PureWindowsPath

import numpy as np
import pandas as pd

from ecgtl.errors import EcgtlError, RecordError, short
from ecgtl.paths import reading


def below(root: Path, *suffixes: str) -> list[Path]:
    """What is below ``root`` with one of ``suffixes``, or all, sorted, without hidden ones: macOS leaves ._x.hea.

    Raises EcgtlError for a folder that may not be read.
    """
    def closed(error: OSError) -> None:
        if isinstance(error, PermissionError):  # a root that is missing holds nothing
            with reading(error.filename):
                raise error

    found = (Path(folder, name) for folder, folders, names in os.walk(root, onerror=closed) for name in folders + names)
    endings = tuple(f".{suffix}" for suffix in suffixes) or ""
    return sorted(path for path in found if path.name.endswith(endings)
                  and "/." not in f"/{path.relative_to(root).as_posix()}")


def read_bytes(path: Path | str, limit: int | None = None) -> bytes:
    """The content of ``path``; EcgtlError when it is missing, no regular file, larger than ``limit`` or unreadable."""
    size = file_size(path)
    if limit is not None and size > limit:
        raise RecordError("unreadable header", f"{path} has {size} bytes, but a header takes {limit} at most; correct "
                          "it or fetch the record again")
    with reading(path), open(path, "rb", buffering=0) as file:
        return file.readall()


def read_mat(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The variables ``names`` of a MATLAB file, as SciPy reads them and with its errors.

    RecordError where it would unpack to more than any signal does, before that takes memory.
    """
    from scipy import io  # noqa: PLC0415  (a tenth of a second)

    size = file_size(path)
    with reading(path), open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        check_unpacked(path, size, _unpacked(content, most_unpacked(size)))
    return io.loadmat(path, variable_names=names, appendmat=False)


def most_unpacked(packed: int) -> int:
    """The bytes that a file of ``packed`` bytes may unpack to; no signal packs so well."""
    return 100 * packed + (1 << 26)


def check_unpacked(path: Path, packed: int, size: int) -> None:
    """Raise RecordError where ``size``, what a file of ``packed`` bytes unpacks to, is more than it may be."""
    if size > most_unpacked(packed):
        raise RecordError("oversized signal file", f"{path} would unpack to {size} bytes or more; save it uncompressed")


def _unpacked(content: mmap.mmap, most: int) -> int:
    """What the packed variables of a MATLAB file (version 5 to 7) take; no further counted than to beyond ``most``."""
    order, at, size = "<>"[content[126:128] == b"MI"], 128, 0
    while at + 8 <= len(content) and size <= most:
        kind, n = struct.unpack_from(f"{order}II", content, at)
        unpacking, rest = zlib.decompressobj(), content[at + 8:at + 8 + n] if kind == 15 else b""  # 15: packed
        while rest and size <= most and not unpacking.eof:
            try:
                size += len(unpacking.decompress(rest, 1 << 20))
            except zlib.error:
                break  # SciPy will say it
            rest = unpacking.unconsumed_tail
        at += 8 + n
    return size


def file_size(path: Path | str, root: Path | None = None) -> int:
    """Bytes of the file ``path``, which is not opened.

    Raises EcgtlError unless it is a regular file: to open a FIFO or a device may wait for ever. With ``root`` a link
    must lead to a file below that folder.
    """
    with reading(path):
        found = os.stat(path)
        strays = root is not None and os.path.islink(path) and not Path(path).resolve().is_relative_to(root.resolve())
    if strays or not stat.S_ISREG(found.st_mode):
        what = "a link out of the folder" if strays else "no file"
        raise RecordError("no regular file", f"{path} cannot be read: it is {what}; put the file itself there")
    return found.st_size


def read_text(path: Path) -> str:
    """The text of ``path``, of whatever bytes; errors as of ``read_bytes``."""
    return read_bytes(path).decode("utf-8-sig", errors="replace")


def read_csv(path: Path, needed: Sequence[str], advice: str, **options) -> pd.DataFrame:
    """The table in a CSV file of a release; EcgtlError with the ``advice`` when it cannot be read or lacks a column."""
    try:
        table = pd.read_csv(StringIO(read_text(path)), **options)
    except RecordError as error:
        raise EcgtlError(f"{error}; {advice}") from None
    except ValueError as error:  # pandas' parser errors are ValueErrors
        raise EcgtlError(f"{path} is not a readable CSV file ({short(error)}); {advice}") from None
    return with_columns(table, path, needed, advice)


def with_columns(table: pd.DataFrame, path: Path, needed: Sequence[str], advice: str) -> pd.DataFrame:
    """``table``, read from ``path``.

    EcgtlError when it has no rows, or lacks one of the columns that are ``needed``.
    """
    table.columns = [str(name).strip() for name in table.columns]
    absent = [name for name in needed if name not in table.columns]
    if absent or table.empty:
        lacks = f"column {' or '.join(absent)} (it has {', '.join(table.columns)[:80]})" if absent else "rows"
        raise EcgtlError(f"{path} has no {lacks}; {advice}")
    return table


def stripped(table: pd.DataFrame, path: Path, key: str, advice: str) -> pd.DataFrame:
    """A ``table`` of text without blanks around it.

    EcgtlError when its ``key`` is missing in a row or twice the same.
    """
    table = table.apply(lambda column: column.fillna("").str.strip())
    repeated = table[key][table[key].duplicated()]
    if len(repeated) or (table[key] == "").any():
        wrong = f"names {repeated.iloc[0]!r} twice" if len(repeated) else f"has a row without {key}"
        raise EcgtlError(f"{path} {wrong}; {advice}")
    return table


def stays_below(name: object) -> bool:
    """Whether ``name`` is a path that leads to something below a folder, on any system."""
    path = PureWindowsPath(name if isinstance(name, str) else "/")  # knows both kinds of slash, and drives
    return bool(path.parts) and not path.anchor and ".." not in path.parts


def check_names(found: Sequence[Path]) -> None:
    """Raise EcgtlError when a record lies in two folders: it would count twice."""
    seen: dict[str, Path] = {}
    for path in found:
        other = seen.setdefault(path.name, path)
        if other is not path:
            raise EcgtlError(f"{other} and {path} have the same name; remove one of them")
