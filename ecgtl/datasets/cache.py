"""Parse once, memory-map after: a cache of folders that are either whole or absent.

A cache entry is a folder named by the hash of everything that it depends on (checksums of the source files, options,
the code's own format number). It is written beside its place and renamed into it, so a killed, failed or concurrent
build never leaves an entry that could be mistaken for a whole one.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from ecgtl import paths
from ecgtl.errors import EcgtlError

_NUMPY_FULL = re.compile(r"^Not enough free space|requested and \d+ written")
FILES_TO_SYNC = 16
FORMAT = 1  # raise it when the layout of cached folders changes


def key_of(parts: dict) -> str:
    """Sixteen hex digits that stand for ``parts`` (any JSON value; order of keys does not matter)."""
    text = json.dumps({"format": FORMAT, **parts}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def entry(name: str, parts: dict, build: Callable[[Path], None]) -> Path:
    """The cached folder for ``parts``; ``build(folder)`` fills it when it is absent.

    Raises EcgtlError when the disk is full or the cache cannot be written; nothing half-written stays.
    """
    final = paths.cache() / f"{name}-{key_of(parts)}"
    with _writing(final.parent):
        if final.is_dir():
            return final
        final.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".part-{name}-", dir=final.parent))
        try:
            build(part)
            _sync(part)
            os.chmod(part, 0o755)  # mkdtemp makes folders for their owner alone; a cache may be shared
            _move_into_place(part, final)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return final


def write_atomic(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` so that a reader finds the old file or the new one, never a piece."""
    with _writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=f".part-{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            os.chmod(part, 0o644)
            os.replace(part, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)


def source_checksum(root: Path, files: Iterable[Path | str]) -> str:
    """SHA-256 over names and contents of ``files`` (below ``root``).

    Contents are read again only when a file's size or times differ from the last look. The time of change (ctime)
    counts beside that of modification, because archives set the latter to the same value in every release.
    """
    # Plain strings: with tens of thousands of files Path objects would take most of the time.
    folder, files = os.path.join(root, ""), sorted(map(os.fspath, files))
    stats = [(f.removeprefix(folder), s.st_size, s.st_mtime_ns, s.st_ctime_ns) for f in files for s in [_stat(f)]]
    index = paths.cache() / "checksums" / f"{key_of({'root': str(root), 'stats': stats})}.json"
    with _writing(paths.cache()):
        if index.is_file():
            with contextlib.suppress(ValueError, KeyError):
                return json.loads(index.read_text())["sha256"]
    whole = hashlib.sha256()
    for (name, *_), file in zip(stats, files, strict=True):
        whole.update(f"{name} {_sha256(file)}\n".encode())
    write_atomic(index, json.dumps({"sha256": whole.hexdigest()}).encode())
    return whole.hexdigest()


def _stat(file: str) -> os.stat_result:
    try:
        return os.stat(file)
    except FileNotFoundError:
        raise EcgtlError(f"{file} is missing; fetch the data set again or correct the path") from None
    except OSError as error:
        raise EcgtlError(f"{file} cannot be read ({error.strerror}); correct its permissions") from None


def _sha256(file: str) -> str:
    try:
        with open(file, "rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise EcgtlError(f"{file} cannot be read ({error.strerror}); correct its permissions") from None


def _sync(folder: Path) -> None:
    """Bring the files of ``folder`` to the disk: after a power cut a renamed folder must not hold empty files."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    if len(files) > FILES_TO_SYNC:
        os.sync()  # one call for all: a twin has hundreds of files, and each fsync waits for the disk
        return
    for file in files:
        with open(file, "rb") as handle:
            os.fsync(handle.fileno())


def _move_into_place(part: Path, final: Path) -> None:
    try:
        os.rename(part, final)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        # Somebody else built the same entry meanwhile: theirs is as good as ours.


@contextlib.contextmanager
def _writing(folder: Path):
    """Turn the errors of a full or unwritable disk into one line with the remedy."""
    try:
        yield
    except OSError as error:
        # NumPy reports a full disk without an error number, in words alone.
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or _NUMPY_FULL.search(str(error)):
            raise EcgtlError(f"no space left on the disk of {folder}; free some, or set ECGTL_CACHE / "
                             "ECGTL_RESULTS / ECGTL_DATA to a larger disk; nothing was half-written") from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise EcgtlError(f"{folder} cannot be written; set ECGTL_CACHE / ECGTL_RESULTS to a folder "
                             "of yours") from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            raise EcgtlError(f"{folder} is not a folder; set ECGTL_CACHE / ECGTL_RESULTS to a folder of "
                             "yours") from error
        raise
