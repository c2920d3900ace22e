"""Archives whose sizes are looked at before anything is unpacked: a few bytes can announce any number."""

import math
import os
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from ecgtl.errors import EcgtlError

MEMBER, TOTAL = 64 << 20, 1 << 30  # bytes unpacked: of one file, of all
DEFLATED = 1032  # bytes that a packed byte can stand for


def opened(source: Path | BinaryIO, where: str, remedy: str) -> zipfile.ZipFile:
    """The zip file ``source``; EcgtlError, naming ``where``, when it announces more than it can hold or than is read
    here.

    What is not a zip file raises what ``zipfile`` does.
    """
    archive = zipfile.ZipFile(source)
    packed = archive.fp.seek(0, os.SEEK_END) if archive.fp else 0
    sizes = [member.file_size for member in archive.infolist()]
    if max(sizes, default=0) > MEMBER or sum(sizes) > min(TOTAL, DEFLATED * packed):
        raise EcgtlError(f"{where} has {packed:,} bytes and announces {sum(sizes):,} unpacked, {max(sizes):,} in one "
                         f"file, which it cannot rightly hold; {remedy}")
    return archive


def arrays(source: BinaryIO, where: str, remedy: str) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` file, none larger than its file; nothing is unpickled.

    EcgtlError when it is damaged.
    """
    try:
        with opened(source, where, remedy) as archive:
            for member in archive.infolist():
                with archive.open(member) as file:
                    header = npy.read_array_header_1_0 if npy.read_magic(file) == (1, 0) else npy.read_array_header_2_0
                    shape, _, dtype = header(file)
                if math.prod(shape) * dtype.itemsize > member.file_size:
                    raise EcgtlError(f"{where} announces an array of shape {shape} in {member.file_size:,} bytes; "
                                     f"{remedy}")
        source.seek(0)
        with np.load(source, allow_pickle=False) as stored:
            return dict(stored)
    except EcgtlError:
        raise
    # zipfile, zlib and NumPy, whose heads are Python literals, each raise errors of their own
    except Exception as error:
        raise EcgtlError(f"{where} is no file of arrays ({type(error).__name__}); {remedy}") from None
