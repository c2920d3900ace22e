"""What ``ecgtl data list|fetch|check|pack`` does: text on ``out``, progress on stderr, exit codes."""

import importlib.util
import json
import shutil
import sys
import textwrap
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ecgtl import datasets, paths
from ecgtl.datasets import catalogue, packs
from ecgtl.datasets.checksums import REGISTRY, Progress, Verification, verify
from ecgtl.datasets.fetch import RESUME, Transfer
from ecgtl.datasets.fetch import fetch as fetch_files
from ecgtl.errors import EcgtlError

WIDTH = 110
INTERRUPTED = 130  # what shells report after Ctrl-C
_NAMED = 3  # files that a message names at most
_PHYSIONET_CITATION = (
    "Every PhysioNet release asks for this citation too: Goldberger et al., PhysioBank, PhysioToolkit, and "
    "PhysioNet, Circulation 101(23), 2000, https://doi.org/10.1161/01.CIR.101.23.e215")


def list_datasets(name: str | None = None, as_json: bool = False, root: str | Path | None = None) -> int:
    """Print every database with size, licence, citation, version and whether it is available here; returns 0.

    With ``name`` all facts about that one; ``as_json`` prints a list of objects instead. Raises EcgtlError
    for an unknown name.
    """
    root = _root(root)
    chosen = [catalogue.entry(name)] if name else list(catalogue.entries().values())
    found = {entry.name: catalogue.available(entry, root) for entry in chosen}
    if as_json:
        there = {name: asdict(one) | {"path": str(one.path), "state": one.state} for name, one in found.items()}
        print(json.dumps([asdict(entry) | {"address": entry.address, "loader": entry.has_loader,
                                           "at_hand": there[entry.name]} for entry in chosen], indent=2))
        return 0
    print(f"Data sets under {root} (set ECGTL_DATA to look elsewhere)\n")
    if name:
        print(_details(chosen[0], found[name]), end="\n\n")
    else:
        print(_table(chosen, found), end="\n\n")
        for entry in chosen:
            print(textwrap.fill(f"{entry.name}: {_reference(entry)}", WIDTH, subsequent_indent="    "))
            print(f"    {entry.address}\n")
    if not all(entry.by_hand for entry in chosen):
        print(textwrap.fill(_PHYSIONET_CITATION, WIDTH))
    return 0


def fetch(name: str, root: str | Path | None = None, only: str | Sequence[str] | None = None,
          mirror: str | None = None, transfer: Transfer | None = None) -> int:
    """Download ``name`` as ``ecgtl.datasets.fetch.fetch`` does, with progress on stderr.

    Returns 0, or 130 after Ctrl-C. Raises EcgtlError for anything that the user can mend.
    """
    entry, root = catalogue.entry(name), _root(root)
    if not only and not entry.by_hand:
        _check_space(entry, root)
    try:
        done = fetch_files(entry, root, only, mirror, transfer or Transfer(), _progress("fetched"))
    except KeyboardInterrupt:
        print(f"stopped: {RESUME}", file=sys.stderr)
        return INTERRUPTED
    print(f"{name} {entry.version}: {done.fetched:,} files fetched ({done.n_bytes / 1e6:,.1f} MB in "
          f"{done.seconds:,.0f} s), {done.present:,} were here already; all checksums are right")
    print(f"under {done.folder}\nlicence: {entry.licence}\ncite: {_reference(entry)}")
    return 0


def check(name: str, root: str | Path | None = None, only: str | Sequence[str] | None = None) -> int:
    """Verify what is available here of ``name`` by checksum and by reading it.

    Returns 0, or 1 when files lack or differ. Without ``SHA256SUMS.txt`` it says so and only counts
    and reads. Raises EcgtlError when nothing is there, or when that list or a recording is damaged.
    """
    entry, root = catalogue.entry(name), _root(root)
    found = catalogue.available(entry, root)
    if found.state == "no":
        raise EcgtlError(f"{name} is not available under {found.path}; {_how_to_get(entry)}")
    print(f"{name} {entry.version} under {found.path}: {found} ({found.pattern})")
    listed = (found.path / REGISTRY).is_file()
    if listed:
        result = verify(entry, root, only, _progress("checked"))
        print(_verdict(result))
        if result.missing or result.altered:
            print(f"remedy: {_how_to_get(entry)}")
            return 1
    else:
        print(f"checksums: not compared, {REGISTRY} is not available here; {_how_to_get(entry)}")
    print(_reading(entry, root))
    return int(not listed and found.state != "whole")


def pack(name: Sequence[str], folder: str | Path, tier: str) -> int:
    """Write the packs of the data sets ``name`` to ``folder``, in tier demo those of their twins; returns 0."""
    for one in name:
        for file in packs.write(one, Path(folder), tier == "demo"):
            print(f"{file}: {file.stat().st_size / 1e6:.1f} MB", flush=True)
    return 0


def _root(root: str | Path | None) -> Path:
    return paths.given(root) if root else paths.data()


def _how_to_get(entry: catalogue.Entry) -> str:
    return entry.by_hand or f"'python -m ecgtl data fetch {entry.name}' brings it from {entry.address}"


def _table(chosen: Sequence[catalogue.Entry], found: dict[str, catalogue.Available]) -> str:
    rows = [("name", "title", "version", "download", "licence", "available here", "loader", "twin")]
    rows += [(entry.name, entry.title, entry.version, entry.size(), entry.licence, str(found[entry.name]),
              _yes(entry, entry.has_loader), _yes(entry, entry.twin)) for entry in chosen]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _yes(entry: catalogue.Entry, there: object) -> str:
    return "yes" if there else "n/a" if entry.kind == "weights" else "not yet"


def _reference(entry: catalogue.Entry) -> str:
    return f"{entry.citation}, https://doi.org/{entry.doi}"


def _details(entry: catalogue.Entry, found: catalogue.Available) -> str:
    rows = {"title": f"{entry.title}, version {entry.version} ({entry.kind})", "licence": entry.licence,
            "citation": _reference(entry), "data": f"https://doi.org/{entry.data_doi}" if entry.data_doi else "-",
            "page": entry.page, "address": entry.address, "folder": str(found.path),
            "available": f"{found} ({found.pattern})", "records": "-" if entry.records is None else
            f"{entry.records:,}, {entry.sampling_rate} Hz, {entry.leads} lead{'s' * (entry.leads != 1)}",
            "download": f"{entry.size()}; {entry.size('unpacked_gb')} unpacked",
            "files": ", ".join(entry.files) or entry.by_hand, "loader": _yes(entry, entry.has_loader),
            "twin": entry.twin or _yes(entry, False)}
    wrap = textwrap.TextWrapper(WIDTH, subsequent_indent=" " * 10, break_long_words=False, break_on_hyphens=False)
    return "\n".join(wrap.fill(f"{label:<10}{text}") for label, text in rows.items())


def _check_space(entry: catalogue.Entry, root: Path) -> None:
    """Refuse a download that cannot fit before it has run for hours; one that has begun is let go on."""
    if catalogue.available(entry, root).state != "no":
        return
    place = next(folder for folder in (root, *root.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(place).free / 1e9
    if free < entry.download_gb:
        raise EcgtlError(f"{entry.name} takes {entry.size()} but {root} has {free:,.1f} GB free; choose a "
                         "larger disk with --root or ECGTL_DATA, or a part with --only PATTERN")


def _verdict(result: Verification) -> str:
    lines = [f"checksums: {len(result.verified):,} right"]
    for label, files in (("missing", result.missing), ("altered", result.altered), ("extra", result.extra)):
        named = f" ({', '.join(files[:_NAMED])}{', …' * (len(files) > _NAMED)})" if files else ""
        lines.append(f"{label}: {len(files):,}{named}")
    lines += [f"unpacked: {folder}/ stands for its archive, unchecked" for folder in result.unpacked]
    return "\n".join(lines)


def _reading(entry: catalogue.Entry, root: Path) -> str:
    """Read the set with its loader and say what is in it."""
    if not entry.has_loader:
        return "read: not tried, there is no loader for it yet"
    recordings = datasets.load(entry.name, root=root, on_bad="skip")
    marks = f", {len(recordings.annotations.sample):,} annotations" if recordings.annotations else ""
    skipped = {reason: len(ids) for reason, ids in recordings.skipped.items()}
    return "\n".join([
        f"read: {len(recordings):,} recordings, {recordings.durations.sum() / 3600:,.1f} h{marks}",
        f"classes: {_listed(recordings.counts())}", f"skipped: {_listed(skipped)}",
        f"exact duplicates: {', '.join('='.join(pair) for pair in recordings.duplicates) or 'none'}"])


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{label} {number:,}" for label, number in counts.items()) or "none"


def _progress(verb: str) -> Progress:
    return (_Bar if sys.stderr.isatty() and importlib.util.find_spec("tqdm") else _Lines)(verb)


class _Lines(Progress):
    """A line on stderr every ``STEP`` per cent: for logs."""

    STEP = 5

    def __init__(self, verb: str):
        self.verb, self.lock = verb, threading.Lock()
        self.n_files, self.done, self.n_bytes, self.next_line = 1, 0.0, 0, self.STEP

    def begin(self, n_files: int) -> None:
        self.n_files = n_files

    def advance(self, share: float, n_bytes: int) -> None:
        with self.lock:
            self.done += share
            self.n_bytes += n_bytes
            done = self.done + 1e-6  # 48 shares of 1 may add up to 47.999…
            percent = int(100 * done / self.n_files)
            if percent >= self.next_line:
                self.next_line = self.STEP * (percent // self.STEP + 1)
                brought = f", {self.n_bytes / 1e6:,.1f} MB" if self.n_bytes else ""
                self.say(f"{self.verb} {percent:3d} %  {int(done):,} of {self.n_files:,} files{brought}")

    def retry(self, reason: str, pause: float) -> None:
        self.say(f"{reason}; next attempt in {pause:.0f} s")

    def say(self, line: str) -> None:
        """Print a line, at once."""
        print(line, file=sys.stderr, flush=True)


class _Bar(_Lines):
    """A bar on a terminal."""

    def begin(self, n_files: int) -> None:
        from tqdm import tqdm

        form = "{desc} {percentage:3.0f} %|{bar}| of {total} files{postfix}, {remaining} left"
        self.bar = tqdm(total=n_files, desc=self.verb, file=sys.stderr, bar_format=form)

    def advance(self, share: float, n_bytes: int) -> None:
        with self.lock:
            self.n_bytes += n_bytes
            if self.n_bytes:
                self.bar.set_postfix_str(f"{self.n_bytes / 1e6:,.1f} MB", refresh=False)
            self.bar.update(share)

    def say(self, line: str) -> None:
        from tqdm import tqdm

        tqdm.write(line, file=sys.stderr)

    def end(self) -> None:
        self.bar.n = round(self.bar.n, 6)  # sums of shares are not exact, and an estimate below 0 s looks odd
        self.bar.close()
