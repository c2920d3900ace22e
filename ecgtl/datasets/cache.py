"""Parse once, memory-map after: a cache of folders that are either whole or absent.

A cache entry is a folder named by the hash of everything that it depends on (checksums of the source files, options,
the code's own format number). It is written beside its place and renamed into it, so a killed, failed or concurrent
build never leaves an entry that could be mistaken for a whole one. What is being written is called ``.part-…`` and
after its process; whoever writes into the same folder next removes those whose process has ended.
"""

import contextlib
import errno
import functools
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ecgtl import paths, processes
from ecgtl.errors import EcgtlError, note

_NUMPY_FULL = re.compile(r"^Not enough free space|requested and \d+ written")
FILES_TO_SYNC = 16
REFUSED = (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP,
           errno.ENAMETOOLONG, errno.EIO)
THREADS = max(1, min(4, os.cpu_count() or 1))
SEAL, DAY = ".checksums.json", 86400
FORMAT = 1  # raise it when the layout of cached folders changes


def key_of(parts: dict) -> str:
    """Sixteen hex digits that stand for ``parts`` (any JSON value; order of keys does not matter)."""
    text = json.dumps({"format": FORMAT, **parts}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def entry(name: str, parts: dict, build: Callable[[Path], None]) -> Path:
    """The cached folder for ``parts``; ``build(folder)`` fills it when it is absent, or damaged, which is said.

    What is found when: a file that is missing, cut off, or that anybody wrote to, at the next use, by its size and
    times; bits that turned on the disk without that, once a day, when every file is read through against the SHA-256
    that it was built with. Raises EcgtlError when the disk is full or the cache cannot be written; nothing half-written
    stays.
    """
    final = paths.cache() / f"{name}-{key_of(parts)}"
    with disk_errors(final.parent):
        _sweep(final.parent)
        if final.is_dir():
            damage = _damage(final)
            if not damage:
                return final
            note(f"the cached folder {final} is damaged, or of an older version ({damage}), and is made again")
            aside = tempfile.mkdtemp(prefix=".part-damaged-", dir=final.parent)
            with contextlib.suppress(FileNotFoundError):  # somebody else has found it too
                os.rename(final, aside)  # who has it open keeps what they see
            shutil.rmtree(aside, ignore_errors=True)
        final.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".part-{name}-", suffix=f"@{processes.me()}", dir=final.parent))
        with processes.undone(functools.partial(shutil.rmtree, part, ignore_errors=True)):
            build(part)
            files = [file for file in part.rglob("*") if file.is_file()]
            with ThreadPoolExecutor(1) as pool:  # the disk works meanwhile
                synced = pool.submit(_sync, files)
                _seal(part, {file.relative_to(part).as_posix(): _sha256(str(file), None) for file in files})
                synced.result()
            os.chmod(part, 0o755)  # mkdtemp makes folders for their owner alone; a cache may be shared
            try:
                os.rename(part, final)
            except OSError as error:  # somebody else built the same entry meanwhile: theirs is as good as ours
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
    return final


def _seal(folder: Path, sums: dict[str, str]) -> None:
    """Write down the checksums of the files in an entry, and when these files, as they are, were read through."""
    write_atomic(folder / SEAL, json.dumps({"sha256": sums, "seen": _seen(folder, sums)}).encode())


def _seen(folder: Path, files: Iterable[str]) -> list:
    stats = [(s.st_size, s.st_mtime_ns, s.st_ctime_ns) for s in (os.stat(os.path.join(folder, file)) for file in files)]
    return [int(time.time() // DAY), hashlib.sha256(repr(stats).encode()).hexdigest()]


def _damage(folder: Path) -> str:
    """What is wrong with an entry; empty for nothing.

    It is read through where its files have changed, and once a day.
    """
    try:
        seal = json.loads((folder / SEAL).read_bytes())
        sums = dict(seal["sha256"])
        seen = _seen(folder, sums)
    except FileNotFoundError as error:
        return f"{os.path.relpath(error.filename, folder)} is missing"
    except (ValueError, KeyError, TypeError):
        return f"{SEAL} cannot be read"
    if seal.get("seen") == seen:
        return ""
    wrong = [file for file, digest in sums.items() if _sha256(os.path.join(folder, file), None) != digest]
    if wrong:
        return f"{wrong[0]} is not what it was"
    with contextlib.suppress(EcgtlError):  # somebody else's cache: it is read through at each use then
        _seal(folder, sums)
    return ""


def write_atomic(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` so that a reader finds the old file or the new one, never a piece."""
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        handle, part = tempfile.mkstemp(prefix=f".part-{path.name[:80]}-", suffix=f"@{processes.me()}", dir=path.parent)
        with processes.undone(functools.partial(Path(part).unlink, missing_ok=True)):
            with os.fdopen(handle, "wb") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            os.chmod(part, 0o644)
            os.replace(part, path)


def _sweep(folder: Path) -> None:
    """Remove what processes of this host that have ended left half-written in ``folder``, and states that nobody
    resumed.

    Parts without their process's name are older than such names are; outside of the cache they might be somebody
    else's.
    """
    for part in folder.glob(".part-*"):
        _, _, owner = part.name.partition("@")
        with contextlib.suppress(OSError):
            if processes.is_gone(owner) or not owner and folder.is_relative_to(paths.cache()) and _untouched(part, DAY):
                shutil.rmtree(part) if part.is_dir() else part.unlink()
    if folder == paths.cache() / "unfinished":
        for state in folder.glob("*.pt"):
            with contextlib.suppress(OSError):
                if _untouched(state, 90 * DAY):
                    state.unlink()


def _untouched(path: Path, seconds: float) -> bool:
    return all(file.stat().st_mtime < time.time() - seconds for file in (path, *path.rglob("*")))


def source_checksum(root: Path, files: Iterable[Path | str], contents: dict[str, bytes] | None = None) -> str:
    """SHA-256 over names and contents of ``files`` (below ``root``).

    Contents are read again only when a file's size or times differ from the last look. The time of change (ctime)
    counts beside that of modification, because archives set the latter to the same value in every release. What had
    to be read is put into ``contents`` by path, for a parser that would read it next.
    """
    # Plain strings: with tens of thousands of files Path objects would take most of the time.
    folder, names = os.path.join(root, ""), sorted(os.fspath(file) for file in files)
    stats = [(f.removeprefix(folder), s.st_size, s.st_mtime_ns, s.st_ctime_ns) for f in names for s in [_stat(f)]]
    index = paths.cache() / "checksums" / f"{key_of({'root': str(root), 'stats': stats})}.json"
    with disk_errors(paths.cache()):
        if index.is_file():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                return json.loads(index.read_text())["sha256"]
    # A thread a core: reading and hashing release the interpreter lock
    parts = [names[k::THREADS] for k in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(lambda part: [(file, _sha256(file, contents)) for file in part], parts)
        digests = {file: digest for part in found for file, digest in part}
    whole = hashlib.sha256()
    for (name, *_), file in zip(stats, names, strict=True):
        whole.update(f"{name} {digests[file]}\n".encode())
    write_atomic(index, json.dumps({"sha256": whole.hexdigest()}).encode())
    return whole.hexdigest()


def _stat(file: str) -> os.stat_result:
    with paths.reading(file):
        return os.stat(file)


def _sha256(file: str, contents: dict[str, bytes] | None) -> str:
    with paths.reading(file), open(file, "rb", buffering=0) as handle:
        if contents is None:
            return hashlib.file_digest(handle, "sha256").hexdigest()
        contents[file] = handle.readall()
        return hashlib.sha256(contents[file]).hexdigest()


def _sync(files: list[Path]) -> None:
    """Bring ``files`` to the disk: after a power cut a renamed folder must not hold empty ones."""
    if len(files) > FILES_TO_SYNC:
        os.sync()  # one call for all: a twin has hundreds of files, and each fsync waits for the disk
        return
    for file in files:
        with open(file, "rb") as handle:
            os.fsync(handle.fileno())


@contextlib.contextmanager
def disk_errors(folder: Path, remedy: str = "set ECGTL_CACHE / ECGTL_RESULTS / ECGTL_DATA to a folder of yours on a "
                "larger disk"):
    """Turn what the disk of ``folder`` refuses into one line with the ``remedy``; nothing is half-written then."""
    try:
        yield
    except OSError as error:
        # NumPy reports a full disk without an error number, in words alone.
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or _NUMPY_FULL.search(str(error)):
            raise EcgtlError(f"no space left on the disk of {folder}; free some, or {remedy}") from error
        if error.errno in REFUSED:
            raise EcgtlError(f"{error.filename or folder} cannot be written ({error.strerror}); {remedy}") from error
        raise
