"""From the Caffe model zoo's file of GoogLeNet to safetensors, without Caffe.

A ``.caffemodel`` is a protocol-buffer message, ``NetParameter`` of Caffe's ``caffe.proto``. The few fields
that hold weights are read here straight from the wire format: plain lengths and numbers, every one checked
against what is left of the file, and nothing that could run.
"""

import errno
import hashlib
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from ecgtl import paths
from ecgtl.errors import EcgtlError
from ecgtl.models import checkpoint
from ecgtl.models.googlenet import SHA1, URL, GoogLeNet

MAX_BYTES = 64 << 20  # the file has 53.5 million
TIMEOUT, MAX_SECONDS = (10.0, 30.0), 3600  # seconds to connect, and between two pieces; seconds for all of it
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types
# NetParameter: field of the layers -> fields of a layer's name and of its blobs (field 2 is the older form)
LAYERS = {100: (1, 7), 2: (4, 6)}
BLOB_DATA, BLOB_SHAPE, SHAPE_DIM = 5, 7, 1
BLOB_SIZES = (1, 2, 3, 4)  # num, channels, height, width, which ``shape`` has replaced
MAX_DIMENSIONS = 32  # of a blob, in Caffe too


def convert_googlenet(source: str | Path | None, destination: str | Path) -> Path:
    """Write BVLC's GoogLeNet from ``source`` (a ``.caffemodel``; None downloads it) as safetensors.

    Returns ``destination``. Raises EcgtlError when the file cannot be had, its SHA-1 is not the published
    one or a tensor is not as the network needs it; then nothing is written.
    """
    where, target = URL if source is None else str(source), paths.output(destination, makes_folder=True)
    content = _download(URL) if source is None else _file(paths.given(source))
    found = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    if found != SHA1:
        again = "download it again" if source is None else f"get the file from {URL}"
        raise EcgtlError(f"{where} is not BVLC's GoogLeNet: its SHA-1 is {found}, wanted {SHA1}; {again}")
    tensors = _googlenet_tensors(read_blobs(content, where), where)
    checkpoint.save(target, tensors, {"source": f"BVLC GoogLeNet, Caffe model zoo, SHA-1 {SHA1}"})
    return target


def read_blobs(content: bytes, where: str = "the file") -> dict[str, list[np.ndarray]]:
    """Weight arrays (float32) of each layer that has some, by name, from the bytes of a ``.caffemodel``.

    Raises EcgtlError, naming ``where``, when it is not such a message or is cut off.
    """
    layers = {}
    try:
        whole = _fields(memoryview(content))
        for field, (name_field, blobs_field) in LAYERS.items():
            for layer in map(_fields, whole[field]):
                names = [bytes(name).decode(errors="replace") for name in _pieces(layer[name_field])]
                if layer[blobs_field]:
                    layers["".join(names[-1:])] = [*map(_blob, layer[blobs_field])]
    except _Malformed as error:
        raise EcgtlError(f"{where} is damaged or no .caffemodel ({error}); get it from {URL}") from None
    return layers


class _Malformed(Exception):
    """Bytes that are no message of the kind that they stand for."""


def _fields(message: memoryview) -> dict[int, list[int | memoryview]]:
    """Values of a message by the number of their field, in order: an integer for VARINT, else the bytes."""
    if not isinstance(message, memoryview):
        raise _Malformed("a number where a message belongs")
    at, values = 0, defaultdict(list)
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(message, at)
        elif kind in (FIXED64, FIXED32, BYTES):
            size, at = _varint(message, at) if kind == BYTES else (8 if kind == FIXED64 else 4, at)
            if size > len(message) - at:
                raise _Malformed(f"field {number} reaches beyond the end")
            value, at = message[at:at + size], at + size
        else:
            raise _Malformed(f"wire type {kind}")
        values[number].append(value)
    return values


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """An integer in groups of seven bits, lowest first, and the position behind it."""
    value = 0
    for k, byte in enumerate(message[at:at + 10]):
        value |= (byte & 0x7F) << (7 * k)
        if byte < 0x80:
            return value, at + k + 1
    raise _Malformed("an integer without end")


def _numbers(values: list[int | memoryview]) -> list[int]:
    return [value for value in values if isinstance(value, int)]


def _pieces(values: list[int | memoryview]) -> list[memoryview]:
    return [value for value in values if not isinstance(value, int)]


def _blob(message: memoryview) -> np.ndarray:
    """A ``BlobProto``: float32 data, and a shape in the new form or in the old one of four sizes."""
    blob = _fields(message)
    raw = b"".join(_pieces(blob[BLOB_DATA]))  # packed, or one number at a time
    if blob[BLOB_SHAPE]:
        sizes = _fields(blob[BLOB_SHAPE][-1])[SHAPE_DIM]
        shape = [size for value in sizes for size in ([value] if isinstance(value, int) else _packed(value))]
    else:
        shape = [(_numbers(blob[size]) or [0])[-1] for size in BLOB_SIZES]
    if len(shape) > MAX_DIMENSIONS or len(raw) != 4 * math.prod(shape):
        raise _Malformed(f"{len(raw)} bytes of data for a blob of shape {shape[:MAX_DIMENSIONS]}")
    return np.frombuffer(raw, "<f4").reshape(shape)


def _packed(message: memoryview) -> Iterator[int]:
    at = 0
    while at < len(message):
        number, at = _varint(message, at)
        yield number


def _googlenet_tensors(blobs: dict[str, list[np.ndarray]], where: str) -> dict[str, torch.Tensor]:
    """The tensors of ``GoogLeNet`` by name; the auxiliary classifiers, also in the file, stay behind."""
    tensors = {}
    for name, tensor in GoogLeNet().state_dict().items():
        layer, part = name.rsplit(".", 1)
        arrays, index, wanted = blobs.get(layer, []), ("weight", "bias").index(part), tuple(tensor.shape)
        if index >= len(arrays):
            raise EcgtlError(f"{where} has no {name}; get the file from {URL}")
        found = arrays[index].shape
        leading = len(found) - len(wanted)  # the old form pads shapes to four dimensions with ones in front
        if leading < 0 or found != (1,) * leading + wanted:
            raise EcgtlError(f"{where}: {name} has shape {found}, wanted {wanted}; get the file from {URL}")
        tensors[name] = torch.from_numpy(arrays[index].reshape(wanted).copy())
    return tensors


def _file(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "it is no regular file")
        with open(path, "rb") as file:
            return file.read(MAX_BYTES)
    except OSError as error:
        raise EcgtlError(f"{path} cannot be read ({error.strerror}); give the path of bvlc_googlenet.caffemodel, or no path "
                         "to download it") from None


def _download(url: str) -> bytes:
    import requests
    from urllib3.exceptions import HTTPError

    elsewhere, content, began = "get the file elsewhere and give its path", bytearray(), time.monotonic()
    try:
        with requests.get(url, stream=True, timeout=TIMEOUT, headers={"Accept-Encoding": "identity"}) as answer:
            answer.raise_for_status()
            while piece := answer.raw.read1(1 << 16):  # as it is served, whatever encoding the server names
                content += piece
                if len(content) > MAX_BYTES:
                    raise EcgtlError(f"{url} serves more than {MAX_BYTES >> 20} MB, not the published file; {elsewhere}")
                if time.monotonic() - began > MAX_SECONDS:
                    raise EcgtlError(f"{url} takes longer than {MAX_SECONDS} s; {elsewhere}")
    except (requests.RequestException, HTTPError) as error:
        raise EcgtlError(f"{url} cannot be downloaded ({type(error).__name__}); try again, or {elsewhere}") from None
    return bytes(content)
