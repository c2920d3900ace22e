"""From the Caffe model zoo's file of GoogLeNet to safetensors, without Caffe.

A ``.caffemodel`` is a protocol-buffer message, ``NetParameter`` of Caffe's ``caffe.proto``. The few fields
that hold weights are read here straight from the wire format, plain lengths and numbers, of nothing but the one file
whose SHA-1 was published.
"""

import hashlib
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from ecgtl import paths
from ecgtl.errors import EcgtlError
from ecgtl.models import checkpoint
from ecgtl.models.googlenet import SHA1, URL, GoogLeNet

MAX_BYTES = 64 << 20  # the file has 53.5 million
TIMEOUT, MAX_SECONDS = (10.0, 30.0), 3600  # seconds to connect, and between two pieces; seconds for all of it
VARINT, BYTES, SIZES = 0, 2, {1: 8, 5: 4}  # wire types, and bytes of those of a fixed size
# NetParameter: field of the layers -> fields of a layer's name and of its blobs (field 2 is the older form)
LAYERS = {100: (1, 7), 2: (4, 6)}
BLOB_DATA = 5  # the numbers of a blob; their shape is known


def convert_googlenet(source: str | Path | None, destination: str | Path) -> Path:
    """Write BVLC's GoogLeNet from ``source`` (a ``.caffemodel``; None downloads it) as safetensors.

    Returns ``destination``. Raises EcgtlError when the file cannot be had or its SHA-1 is not the published
    one; then nothing is written. The auxiliary classifiers, also in the file, stay behind.
    """
    where, target = URL if source is None else str(source), paths.output(destination, makes_folder=True)
    content = _download(URL) if source is None else _file(paths.given(source))
    sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    if sha1 != SHA1:
        again = "download it again" if source is None else f"get the file from {URL}"
        raise EcgtlError(f"{where} is not BVLC's GoogLeNet: its SHA-1 is {sha1}, wanted {SHA1}; {again}")
    blobs, tensors = read_blobs(content), {}
    for name, tensor in GoogLeNet().state_dict().items():
        layer, _, part = name.rpartition(".")
        numbers = blobs[layer][("weight", "bias").index(part)]
        tensors[name] = torch.from_numpy(numbers.reshape(tensor.shape).copy())
    checkpoint.save(target, tensors, {"source": f"BVLC GoogLeNet, Caffe model zoo, SHA-1 {SHA1}"})
    return target


def read_blobs(content: bytes) -> dict[str, list[np.ndarray]]:
    """Weights (float32) of each layer that has some, each flat, by name, from the bytes of a whole ``.caffemodel``."""
    layers, network = {}, _fields(memoryview(content))
    for field, (name_field, blobs_field) in LAYERS.items():
        for layer in map(_fields, network[field]):
            if layer[blobs_field]:
                data = [b"".join(blob[BLOB_DATA]) for blob in map(_fields, layer[blobs_field])]
                layers[bytes(layer[name_field][-1]).decode()] = [np.frombuffer(one, "<f4") for one in data]
    return layers


def _fields(message: memoryview) -> dict[int, list]:
    """Values of a message by the number of their field, in order: an integer for VARINT, else the bytes."""
    at = 0
    values: dict[int, list] = defaultdict(list)
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            values[number].append(value)
        else:
            size, at = _varint(message, at) if kind == BYTES else (SIZES[kind], at)
            values[number].append(message[at:at + size])
            at += size
    return values


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """An integer in groups of seven bits, lowest first, and the position behind it."""
    value, shift = message[at] & 0x7F, 7
    while message[at] >= 0x80:
        at += 1
        value |= (message[at] & 0x7F) << shift
        shift += 7
    return value, at + 1


def _file(path: Path) -> bytes:
    if not path.is_file():
        raise EcgtlError(f"{path} is no file; give the path of bvlc_googlenet.caffemodel, or no path to download it")
    with paths.reading(path), open(path, "rb") as file:
        return file.read(MAX_BYTES)


def _download(url: str) -> bytes:
    import requests
    from urllib3.exceptions import HTTPError  # noqa: PLC0415  (of requests)

    elsewhere, content, began = "get the file elsewhere and give its path", bytearray(), time.monotonic()
    try:
        with requests.get(url, stream=True, timeout=TIMEOUT, headers={"Accept-Encoding": "identity"}) as answer:
            answer.raise_for_status()
            while piece := answer.raw.read1(1 << 16):  # as it is served, whatever encoding the server names
                content += piece
                if len(content) > MAX_BYTES:
                    size = f"{MAX_BYTES >> 20} MB"
                    raise EcgtlError(f"{url} serves more than {size}, not the published file; {elsewhere}")
                if time.monotonic() - began > MAX_SECONDS:
                    raise EcgtlError(f"{url} takes longer than {MAX_SECONDS} s; {elsewhere}")
    except (requests.RequestException, HTTPError) as error:
        raise EcgtlError(f"{url} cannot be downloaded ({type(error).__name__}); try again, or {elsewhere}") from None
    return bytes(content)
