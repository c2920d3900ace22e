"""Download a public release: every file verified, whole or absent; a second call goes on where one stopped.

PhysioNet publishes the SHA-256 of each file of a release in ``SHA256SUMS.txt``; that list is the registry.
One ``requests`` session keeps its connections open for all files (``pooch`` opens one for each, which costs a
handshake for each of tens of thousands of small files). A file is believed only when its checksum agrees. A server may
send no more than the release has by the catalogue, nor fewer bytes a second than ``Transfer.slowest``.
"""

import contextlib
import fcntl
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from urllib.parse import quote, urlsplit

from ecgtl import paths
from ecgtl.datasets.cache import disk_errors
from ecgtl.datasets.catalogue import PHYSIONET, Entry
from ecgtl.datasets.checksums import REGISTRY, Progress, has_checksum, read_registry, select
from ecgtl.errors import EcgtlError

RESUME = "what has arrived is whole, so run the same command again to go on"
_CHUNK = 1 << 16  # bytes between two looks at the stop flag
_ROOM = 1.25  # catalogued sizes are rounded, and --only may choose more than the catalogue does
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_LARGEST = 50e9  # bytes that --only may choose, where the release has less by the catalogue


@dataclass(frozen=True)
class Transfer:
    """How files are brought: parallel ``connections``, ``attempts`` a file, timeouts and pauses in seconds.

    The pause doubles with every attempt from ``backoff`` up to ``longest_pause``. A file takes ``grace`` and a second
    for every ``slowest`` bytes at most.
    """

    connections: int = 4
    attempts: int = 6
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    backoff: float = 1.0
    longest_pause: float = 30.0
    slowest: float = 1000.0
    grace: float = 120.0


@dataclass(frozen=True)
class Fetched:
    """What a call of ``fetch`` did: files ``fetched`` now, and ``present`` ones that were right already."""

    folder: Path
    fetched: int
    present: int
    n_bytes: int
    seconds: float


class _Stopped(Exception):
    """Another file failed, or the user pressed Ctrl-C."""


class RetryableError(Exception):
    """An attempt failed in a way that another may mend; ``pause`` in seconds is what the server asked for."""

    def __init__(self, reason: str, pause: float = 0.0):
        super().__init__(reason)
        self.pause = pause


def fetch(entry: Entry, root: Path, only: str | Sequence[str] | None = None, mirror: str | None = None,
          transfer: Transfer = Transfer(), progress: Progress | None = None) -> Fetched:
    """Bring the files of ``entry`` below ``root`` in the layout of the release, except those already right.

    ``only`` (patterns over the whole release, ``*`` matches ``/`` too) replaces the catalogue's selection;
    ``mirror`` (or ``ECGTL_MIRROR``) replaces ``https://physionet.org/files``. Raises EcgtlError for a pattern
    that matches nothing, an unsafe address or path, a file that cannot be had, is encoded or larger than the release or
    whose checksum stays wrong, a server that drips, and a full disk; after it, and after KeyboardInterrupt, there are
    only whole files and no ``.part``, nor what an earlier fetch left of such when it was killed.
    """
    if entry.by_hand:
        raise EcgtlError(f"{entry.name} is not fetched by this command: {entry.by_hand}; it belongs into "
                         f"{Path(root) / entry.folder}")
    base, folder = base_address(mirror), Path(root) / entry.folder
    start, progress = time.monotonic(), progress or Progress()
    most = max(_LARGEST * bool(only), 1e6 + _ROOM * 1e9 * max(entry.download_gb, entry.unpacked_gb))
    remedy = f"choose another folder with --root or ECGTL_DATA; {RESUME}"
    with disk_errors(folder, remedy), _alone(folder) as alone, _session(base, transfer) as session:
        downloader = Downloader(session, f"{base}/{entry.folder}", folder, transfer, Progress(), most)
        downloader.progress.retry = progress.retry  # type: ignore[method-assign]  # the list itself is not counted
        if not (folder / REGISTRY).is_file():
            downloader.download_all({REGISTRY: lambda part: bool(read_registry(part))})
        registry = read_registry(folder / REGISTRY)
        chosen = select(registry, entry, only, folder)
        for path in registry if alone else ():
            _part(folder / path).unlink(missing_ok=True)
        downloader.progress = progress
        progress.begin(len(chosen))
        try:
            sizes = downloader.download_all({path: partial(has_checksum, registry[path]) for path in chosen})
        finally:
            progress.end()
    fetched = [size for size in sizes if size is not None]
    return Fetched(folder, len(fetched), len(sizes) - len(fetched), sum(fetched), time.monotonic() - start)


def base_address(mirror: str | None = None) -> str:
    """Address that the folders of the releases lie under: ``mirror``, ``ECGTL_MIRROR`` or PhysioNet.

    Only https is accepted, and http from this machine itself; anything else raises EcgtlError.
    """
    base = (mirror or paths.mirror() or PHYSIONET).rstrip("/")
    parts = urlsplit(base)
    if parts.hostname and (parts.scheme == "https" or parts.scheme == "http" and parts.hostname in _THIS_MACHINE):
        return base
    raise EcgtlError(f"{base!r} is not an https address; give --mirror or ECGTL_MIRROR one, as {PHYSIONET}")


class Downloader:
    """Downloads files of one release over one session: each whole and verified, or not at all.

    They take ``most`` bytes together at most.
    """

    def __init__(self, session, base: str, folder: Path, transfer: Transfer, progress: Progress, most: float = 50e9):
        self.session, self.base, self.folder, self.most = session, base, folder, most
        self.transfer, self.progress, self.stop = transfer, progress, threading.Event()
        self.brought = 0  # bytes of files that are here
        self.arriving: dict[Path, tuple[float, int]] = {}  # when a file on its way began, and its bytes

    def download_all(self, wanted: dict[str, Callable[[Path], bool]]) -> list[int | None]:
        """Bytes brought for each file, None for one that is right already by its test; the first failure ends all.

        A connection that hangs in a library's code cannot be ended, so its thread is one that nobody waits for.
        """
        todo = iter(list(wanted.items()))  # one for all threads
        done: queue.SimpleQueue[int | BaseException | None] = queue.SimpleQueue()

        def work() -> None:
            for path, is_right in todo:
                if self.stop.is_set():
                    return
                try:
                    done.put(self.download(path, is_right))
                except BaseException as error:
                    done.put(error)

        try:
            for _ in range(min(self.transfer.connections, len(wanted))):
                threading.Thread(target=work, daemon=True).start()
            return [self._next(done) for _ in wanted]
        except BaseException:  # files on their way get a second to notice, and nothing is left of them
            self.stop.set()
            end = time.monotonic() + 1
            while self.arriving and time.monotonic() < end:
                time.sleep(0.01)
            while self.arriving:
                _part(self.arriving.popitem()[0]).unlink(missing_ok=True)
            raise

    def _next(self, done: queue.SimpleQueue) -> int | None:
        while True:
            with contextlib.suppress(queue.Empty):
                size = done.get(timeout=1.0)
                if isinstance(size, BaseException):
                    raise size
                self.brought += size or 0
                return size
            for file, (begun, size) in list(self.arriving.items()):
                seconds = time.monotonic() - begun
                if size < self.transfer.slowest * (seconds - self.transfer.grace):
                    raise EcgtlError(f"{self.base}/{file.relative_to(self.folder)}: the server has sent {size:,} bytes "
                                     f"in {seconds:.0f} s, which is too slow; {RESUME}, or try another --mirror")

    def download(self, path: str, is_right: Callable[[Path], bool]) -> int | None:
        """Bring one file and return its size, None where it was right.

        It takes its name only after ``is_right`` agreed.
        """
        target, url = self.folder / path, f"{self.base}/{quote(path)}"
        if target.is_file() and is_right(target):
            self.progress.advance(1, 0)
            return None
        for attempt in range(1, self.transfer.attempts + 1):
            try:
                return self._attempt(url, target, is_right)
            except RetryableError as failure:
                reason = failure
            if attempt < self.transfer.attempts:
                self._pause(url, reason, attempt)
        raise EcgtlError(f"{url}: {reason} ({attempt} attempts); {RESUME}, or try another --mirror")

    def _pause(self, url: str, reason: RetryableError, attempt: int) -> None:
        wanted = max(self.transfer.backoff * 2 ** (attempt - 1), reason.pause)
        seconds = min(wanted, self.transfer.longest_pause)
        self.progress.retry(f"{url}: {reason}", seconds)
        if self.stop.wait(seconds):
            raise _Stopped

    def _attempt(self, url: str, target: Path, is_right: Callable[[Path], bool]) -> int:
        self._check(url, 0)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.arriving[target] = time.monotonic(), 0
        share, whole, part = [0.0], 0.0, _part(target)
        try:
            with _failures(url):
                size = self._receive(url, target, part, share)
            if not is_right(part):
                raise RetryableError(f"the checksum of what is served is not the one in {REGISTRY}")
            os.replace(part, target)
            whole = 1.0
            return size
        finally:
            if self.arriving.pop(target, None):  # else it was given up, and another fetch may be at work
                part.unlink(missing_ok=True)
            self.progress.advance(whole - share[0], 0)  # a failed attempt takes its share back

    def _receive(self, url: str, target: Path, part: Path, share: list[float]) -> int:
        """Bytes that ``url`` has put into ``part``.

        ``share`` holds how much of the file that is, as far as it is said.
        """
        begun, size = self.arriving[target]
        timeout = self.transfer.connect_timeout, self.transfer.read_timeout
        with self.session.get(url, stream=True, timeout=timeout) as answer:
            _check_status(answer, url)
            length = answer.raw.length_remaining or 0
            self._check(url, length)
            with part.open("wb") as out:
                for chunk in answer.iter_content(_CHUNK):
                    size += len(chunk)
                    self._check(url, size)
                    self.arriving[target] = begun, size
                    out.write(chunk)
                    step = min(len(chunk) / length, 1 - share[0]) if length else 0.0
                    share[0] += step
                    self.progress.advance(step, len(chunk))
        return size

    def _check(self, url: str, size: int) -> None:
        """Raise when all was given up meanwhile, so that the part may be another fetch's, or for more than there can
        be.
        """
        if self.stop.is_set():
            raise _Stopped
        if self.brought + size > self.most:
            raise EcgtlError(f"{url}: the server has more for this than the {self.most / 1e9:,.3g} GB that the release "
                             "may take; use another --mirror")


@contextlib.contextmanager
def _session(base: str, transfer: Transfer) -> Iterator:
    """A session that can speak https, and http with ``base`` alone: a redirect to plain http finds no way."""
    try:
        import requests
        from requests.adapters import HTTPAdapter
    except ImportError:
        raise EcgtlError("a download needs the package 'requests': pip install 'ecgtl[data]'") from None
    with requests.Session() as session:
        session.adapters.clear()
        session.mount("https://", HTTPAdapter(pool_maxsize=transfer.connections))
        if base.startswith("http://"):
            session.mount(f"{base}/", HTTPAdapter(pool_maxsize=transfer.connections))
            session.trust_env = False  # no proxy stands between this machine and itself
        # The session is shared by threads, and cookies are the one thing in it that a request would change.
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.headers.update({"Accept-Encoding": "identity", "User-Agent": "ecgtl"})
        yield session


def _check_status(answer, url: str) -> None:
    status = answer.status_code
    if status == 429 or status >= 500:
        asked = answer.headers.get("Retry-After", "")
        raise RetryableError(f"the server answers {status} {answer.reason}", float(asked) if asked.isdigit() else 0.0)
    if status != 200:
        raise EcgtlError(f"{url}: the server answers {status} {answer.reason}; {RESUME}, or try another --mirror")
    encoding = answer.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise EcgtlError(f"{url} comes in the encoding {encoding[:20]!r}, not as it is; use another --mirror")


@contextlib.contextmanager
def _failures(url: str) -> Iterator[None]:
    """What a request fails with inside, in one line without the library's inner layers, and whether another may
    succeed.
    """
    from requests import exceptions
    from urllib3.exceptions import HTTPError  # noqa: PLC0415  (of requests)

    try:
        yield
    except exceptions.SSLError as error:
        raise EcgtlError(f"{url}: its certificate is refused ({error}); see REQUESTS_CA_BUNDLE") from None
    except exceptions.InvalidSchema:
        raise EcgtlError(f"{url} redirects to an address without https; use another --mirror") from None
    except exceptions.ConnectTimeout:
        raise RetryableError("the server cannot be reached in time") from None
    except (exceptions.RequestException, HTTPError) as error:
        reason = "the server cannot be reached or dropped the connection"
        if isinstance(error, exceptions.ChunkedEncodingError):
            reason = "the connection broke off before the end of the file"
        silent = isinstance(error, exceptions.Timeout) or "timed out" in str(error)
        raise RetryableError("the server stopped sending" if silent else reason) from None


def _part(file: Path) -> Path:
    """What a file is called while it arrives."""
    return file.with_name(f"{file.name}.part")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Hold the folder for one fetch at a time; the lock goes with the process, whatever ends it.

    False where the file system has no locks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle, alone = os.open(folder, os.O_RDONLY), True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise EcgtlError(f"another fetch is writing into {folder}; wait until it has ended") from None
    except OSError:
        alone = False  # some network file systems have no locks
    try:
        yield alone
    finally:
        os.close(handle)
