"""Packs: recordings in a few small files, for a machine that has neither the releases nor a network.

``ecgtl data pack FOLDER NAME...`` (``make gpu-pack``) writes them; tier demo is made of twins.

A pack holds lead 0 alone of what ``datasets.load`` gives, so of recordings with more leads the digest is another one;
nothing else is lost. Second differences of the 16-bit samples, their low and high bytes apart, take a tenth to a
quarter of the space.
"""

import io
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from ecgtl import datasets
from ecgtl.datasets.cache import write_atomic
from ecgtl.datasets.collector import Collector
from ecgtl.datasets.recordings import Recordings, digest_of, store_rest
from ecgtl.errors import EcgtlError

PART = 28 << 20  # bytes of a file at most: what carries them may have a limit
OPTIONS = {"on_bad": "error"}  # of the loader whose recordings are packed


def files(name: str, folder: Path, twin: bool) -> list[Path]:
    """The files of the pack of a data set in ``folder``; none where there is no pack."""
    return sorted(folder.glob(f"{name}{'-twin' * twin}.pack??"))


def write(name: str, folder: Path, twin: bool) -> list[Path]:
    """Pack a data set into ``folder``; returns the files.

    Raises EcgtlError for one that is not of 16-bit samples, as ``load`` does.
    """
    import lzma  # noqa: PLC0415  (some Pythons are built without it)

    whole = datasets.load(name, twin=twin, **OPTIONS)
    first = replace(whole, **{part: getattr(whole, part)[:, :1] for part in ("samples", "leads", "gain", "baseline")})
    if whole.samples.dtype != np.int16:
        raise EcgtlError(f"{name} is stored as {whole.samples.dtype}; packs are for samples of 16 bits")
    if whole.leads.shape[1] > 1:
        notes = *whole.notes, f"{name}: of a pack, which holds lead 0 alone"
        first = replace(first, digest=digest_of(first), notes=notes)
    with tempfile.TemporaryDirectory() as rest:
        store_rest(first, Path(rest))
        kept: dict = {file.name: np.fromfile(file, np.uint8) for file in Path(rest).iterdir()}
    # Without sign, differences wrap, so that any sample comes back; then small ones of either sign become small numbers
    steps = np.diff(first.samples[:, 0].view(np.uint16), n=2, prepend=np.zeros(2, np.uint16)).view(np.int16)
    folded = ((steps << 1) ^ (steps >> 15)).view(np.uint16)
    content = io.BytesIO()
    np.savez(content, low=folded.astype(np.uint8), high=(folded >> 8).astype(np.uint8), **kept)
    packed = lzma.compress(content.getvalue())
    for old in files(name, folder, twin):
        old.unlink()
    for number, start in enumerate(range(0, len(packed), PART)):
        write_atomic(folder / f"{name}{'-twin' * twin}.pack{number:02}", packed[start:start + PART])
    return files(name, folder, twin)


def read(name: str, parts: list[Path], options: dict) -> Recordings:
    """The recordings of a pack, by way of the cache.

    EcgtlError for other ``options`` than it was made with, and for damage.
    """
    import lzma  # noqa: PLC0415

    if OPTIONS | options != OPTIONS:
        raise EcgtlError(f"the pack {parts[0]} holds {name} as read with on_bad=error; take the release for {options}")

    def unpack(folder: Path) -> None:
        try:
            packed = b"".join(part.read_bytes() for part in parts)
            content = dict(np.load(io.BytesIO(lzma.decompress(packed)), allow_pickle=False))
            folded = content["low"] | content["high"].astype(np.uint16) << 8
        except (lzma.LZMAError, EOFError, ValueError, KeyError) as error:
            raise EcgtlError(f"the pack {parts[0]} ({len(parts)} files) is damaged or cut off ({error}); bring it "
                             "again") from None
        for file in ("arrays.npz", "meta.json"):
            content[file].tofile(folder / file)
        steps = (folded >> 1) ^ (0 - (folded & 1))
        samples = steps.cumsum(dtype=np.uint16).cumsum(dtype=np.uint16)
        np.save(folder / "samples.npy", samples.view(np.int16)[:, np.newaxis])

    return Collector(name, "pack").cached(parts[0].parent, parts, write=unpack)
