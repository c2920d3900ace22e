"""Hostile inputs, made from whole ones by a seeded mutator that knows their structure; each is used as a user would.

    python tests/fuzz.py TARGET FIRST COUNT     the cases FIRST, FIRST + 1, ... of a target; more targets may follow
    python tests/fuzz.py TARGET FIRST 1h        as many as an hour allows
    python tests/fuzz.py TARGET NUMBER keep     one case again; its files stay

A case fails when it ends with another error than EcgtlError's one line, with an answer that is no number, takes more
than 20 s of a processor (or 120 s of waiting: the machine may be busy) or more than 2 GiB of memory. The targets are
the functions below whose names begin with ``on_``.
"""

import contextlib
import functools
import hashlib
import io
import json
import os
import random
import resource
import shutil
import signal
import string
import struct
import sys
import tempfile
import time
import traceback
import zipfile
import zlib
from pathlib import Path

SECONDS, WAITING, MEMORY = 20, 120, 2 << 30
ANSWERS = []  # one entry a use that was answered, not refused: a fuzz that is refused at the door tests the door alone
EXTREMES = (*["0", "-0", "1", "-1", "2", "16", "255", "-32768", "32767", "65536", "2147483647", "-2147483648", "4294967296", "9223372036854775807", "-9223372036854775809", "1e-320", "1e-9", "1e-3", "0.5", "1e9", "1e300", "-1e300", "1e999", "nan", "inf", "-inf", "NaN", "0x10", "1_000", "+5", "1/2", "1e"], "\u0661\u0662", "\uff11", "\u00b2",  # noqa: E501
            "9" * 30, "9" * 400, "9" * 5000, "1" + "0" * 309, "")
TOKENS = (*["mV", "uV", "µV", "V", "nV", "mmHg", "/", "//", "(", ")", ":", "+", "x", "x2", ":3", "+24", "~", "-", ".", "..", "../x", "/etc/passwd", "r.dat", "r.hea", "r", "r/2", "r/0", "r/-1", "r/99999999", "r_layout", "II", "I", "ii", "#", '"', "'", ",", ";", "=1+1", "@", "%s", "{}", "$HOME", "\\", "16", "212", "80", "8", "310", "311", "24", "32", "61", "160", "508", "516", "524", "0", "17"],  # noqa: E501
          "# label: a", "#Dx: 1,2", "# subject: p", "\t", " ", "\0", "\r", "\x0b", "\x0c", "\x1a", "\u0085", "\u2028",
          "\ufeff", "\ufffd", "\U0001f600", "e\u0301", "\u202e", "a" * 300, "a" * 5000)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252", "shift-jis",
             "utf-7")
VALUES = (None, True, False, 0, -1, 2, 1.5, 1e-320, 1e308, float("nan"), float("inf"), -float("inf"), 10**9, 10**30, "",
          "x",
          "\0", "../x", "/etc/passwd", "a" * 3000, [], {}, [None], [[]], {"x": None}, [1] * 50, ["a"], "\ud800", "1",
          "=1+1", "resnet50", "cae", "googlenet")
HEADER = "r 2 250 3000\nr.dat 16 1000(0)/mV 16 0 0 0 0 I\nr.dat 16 1000(0)/mV 16 0 0 0 0 II\n# label: a\n# subject: p1\n"  # noqa: E501
MASTER = "r/2 2 250 3000\nr_1 1500\nr_2 1500\n"
FACTS = {"arch": "resnet18", "width": 2, "in_channels": 1, "sampling_rate": 62.5, "seconds": 4.096,
         "classes": ["a", "b"],
         "leads": ["II"], "mean": [0.0], "sd": [0.3], "protocol": "weimann2021", "multi_label": False,
         "dataset": "folder", "synthetic": True, "variant": "text"}
NAME = "cinc2017-demo-majority-25-run0"
BODY = {"schema": 2, "experiment": "weimann2021-table2", "key": NAME,
        "config": {"tier": "demo", "arch": "majority", "seed": 0},
        "evidence": {"upstream": "none", "target": "synthetic", "leads": "synthetic"},
        "scores": {"macro_f1": 0.2, "validated": {"macro_f1": 0.2}},
        "history": {"columns": ["epoch", "train_loss"], "rows": [[1, 0.5], [2, 0.4]]},
        "data": {"name": "cinc2017", "digest": "0" * 64, "classes": ["a", "b"]}, "provenance": {"seed": 0}}


# --- mutations --------------------------------------------------------------------------------------------------------


def mutated_text(rng: random.Random, text: str) -> bytes:
    """``text`` with some of its words and lines changed, in some encoding, with some of its bytes changed at times."""
    lines = text.split("\n")
    for _ in range(rng.choice((0, 1, 1, 1, 1, 2, 4))):
        k = rng.randrange(len(lines))
        kind = rng.randrange(9)
        if kind < 5 and lines[k]:
            lines[k] = _mutated_line(rng, lines[k])
        elif kind == 5:
            lines.insert(k, rng.choice(lines))
        elif kind == 6 and len(lines) > 1:
            del lines[k]
        elif kind == 7:
            lines.insert(k, rng.choice(TOKENS))
        else:
            rng.shuffle(lines)
    text = rng.choice(("\n",) * 16 + ("\r\n", "\r", "\u0085", "\n\n")).join(lines)
    encoding = rng.choice(ENCODINGS) if rng.random() < 0.15 else "utf-8"
    return mutated_bytes(rng, text.encode(encoding, "replace"), 0.08)


def _mutated_line(rng: random.Random, line: str) -> str:
    between = rng.choice(" ,") if "," in line else " "
    words = line.split(between)
    k = rng.randrange(len(words))
    kind = rng.randrange(7)
    if kind == 0:
        words[k] = rng.choice(EXTREMES)
    elif kind == 1:
        words[k] = rng.choice(TOKENS)
    elif kind == 2:  # one number within a word, or one of its letters
        places = [i for i, letter in enumerate(words[k]) if letter in string.digits] or list(range(len(words[k])))
        if places:
            i = rng.choice(places)
            words[k] = words[k][:i] + rng.choice(EXTREMES + TOKENS) + words[k][i + 1:]
    elif kind == 3:
        words.insert(k, rng.choice(words + list(EXTREMES)))
    elif kind == 4:
        del words[k]
    elif kind == 5:
        words[k] += rng.choice(TOKENS)
    else:
        words[k] = words[k].swapcase()
    return between.join(words)


def mutated_bytes(rng: random.Random, content: bytes, often: float = 1.0) -> bytes:
    """``content`` cut off, with bytes flipped, put in, taken out or repeated; ``often`` is how likely that is."""
    content = bytearray(content)
    if rng.random() > often:
        return bytes(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        k = rng.randrange(len(content) + 1)
        kind = rng.randrange(7)
        if kind == 0:
            del content[k:]
        elif kind == 1 and k < len(content):
            content[k] ^= 1 << rng.randrange(8)
        elif kind == 2:
            content[k:k] = rng.randbytes(rng.choice((1, 2, 8, 300)))
        elif kind == 3:
            del content[k:k + rng.choice((1, 2, 16))]
        elif kind == 4:
            content[k:k] = content[max(0, k - 64):k]
        elif kind == 5:
            content[k:k + 4] = struct.pack("<I", rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 20)))
        else:
            content[k:k] = bytes(rng.choice((1, 64)))
    return bytes(content)


def mutated_tree(rng: random.Random, tree):
    """A tree of JSON with one place changed: another type, an extreme, a key more or less; the tree itself stays."""
    if isinstance(tree, dict) and tree and rng.random() < 0.85:
        tree = dict(tree)
        key = rng.choice(list(tree))
        kind = rng.randrange(8)
        if kind == 0:
            del tree[key]
        elif kind == 1:
            tree[rng.choice(("x", "", "__class__", "arrays", "ecgtl", key + " "))] = rng.choice(VALUES)
        elif kind == 2:
            tree[key] = rng.choice(VALUES)
        else:
            tree[key] = mutated_tree(rng, tree[key])
        return tree
    if isinstance(tree, list) and tree and rng.random() < 0.7:
        tree = list(tree)
        k = rng.randrange(len(tree))
        tree[k:k + rng.choice((0, 1))] = rng.choice(([], [mutated_tree(rng, tree[k])], [rng.choice(VALUES)]))
        return tree
    if isinstance(tree, int | float) and rng.random() < 0.6:  # of its own type, which the first check lets pass
        return type(tree)(tree * rng.choice((0, 1, 2, 3, 100, 1000, -1)))
    if isinstance(tree, str) and rng.random() < 0.4:
        return rng.choice((tree[:-1], tree + "x", tree.swapcase(), tree * 2))
    return rng.choice(VALUES)


def mutated_json(rng: random.Random, tree) -> bytes:
    for _ in range(rng.choice((1, 1, 1, 1, 2, 4))):
        tree = mutated_tree(rng, tree)
    text = json.dumps(tree, indent=rng.choice((None, 1)))
    if rng.random() < 0.02:
        text = text[:1] + '"deep":' * text.startswith("{") + "[" * 100_000
    return mutated_bytes(rng, text.encode("utf-8", "surrogatepass"), 0.04)


def zipped(rng: random.Random, members: dict[str, bytes]) -> bytes:
    """A zip of ``members``, with names, sizes or bytes changed, or a member that grows beyond all bounds."""
    name = rng.choice(list(members))
    if rng.random() < 0.2:
        other = rng.choice(("../x", "/x", "C:\\x", "a/../../x", "x" * 300, "\0", "con", name.upper(), name))
        members = members | {other: members[name]}
    grown = {name: rng.choice((64 << 20, 3 << 30))} if rng.random() < 0.08 else {}
    content = bytearray(archive(members, grown))
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):  # numbers of the directory and of the members' own heads
        mark = rng.choice((b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"))
        k = content.find(mark, rng.randrange(len(content))) % len(content) + 4 + 2 * rng.randrange(21)
        content[k:k + 4] = struct.pack("<I", rng.choice((0, 1, 0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF, 99, 12, 14, 1 << 11)))
    return mutated_bytes(rng, bytes(content), 0.15)


def archive(members: dict[str, bytes], grown: dict[str, int]) -> bytes:
    """A zip of ``members``, of which those of ``grown`` unpack to so many zeros."""
    local, directory = b"", b""
    for name, content in members.items():
        packer, size = zlib.compressobj(9, zlib.DEFLATED, -15), grown.get(name, len(content))
        data = packer.compress(content)
        if name in grown:
            data = (packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)) * (grown[name] >> 20)
        data += packer.flush()
        label = name.encode()
        head = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, zlib.crc32(content), len(data), size, len(label), 0)
        directory += b"PK\x01\x02" + struct.pack("<H", 20) + head + struct.pack("<HHHII", 0, 0, 0, 0,
                                                                                len(local)) + label
        local += b"PK\x03\x04" + head + label + data
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(local), 0)
    return local + directory + b"PK\x05\x06" + end


# --- targets: a mutated input, used as a user would
# --------------------------------------------------------------------


def samples(seed: int, n: int = 3000) -> bytes:
    import numpy as np

    time_, rng = np.arange(n) / 250, np.random.default_rng(seed)
    wave = np.exp(-(((time_ - 0.3) % 0.8) / 0.03) ** 2)[:, None] * [600, 900] + rng.normal(0, 9, (n, 2))
    return np.round(wave).astype("<i2").tobytes()


def some_records(place: Path) -> Path:
    root = place / "own"
    root.mkdir()
    for k, name in enumerate(("a1", "a2", "b1")):
        (root / f"{name}.hea").write_text(HEADER.replace("r.dat", f"{name}.dat").replace("r 2", f"{name} 2", 1))
        (root / f"{name}.dat").write_bytes(samples(k))
    return root


def weights(place: Path) -> tuple[Path, bytes]:
    path = place / "whole.safetensors"
    path.write_bytes(_whole_weights())
    return path, _whole_weights()


@functools.cache
def _whole_weights() -> bytes:
    import torch

    from ecgtl import models
    from ecgtl.models import checkpoint

    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "whole.safetensors"
        checkpoint.save(path, models.build("resnet18", 1, 2, width=2).state_dict(), FACTS)
        return path.read_bytes()


def command(*words) -> int:
    """``python -m ecgtl``: 0, or 2 with one line on stderr."""
    from ecgtl.__main__ import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        rc = main([str(word) for word in words])
    said = [line for line in err.getvalue().split("\n") if line and not line.startswith("ecgtl: note:")]
    if rc not in (0, 2) or len(said) != (rc == 2) or (said and len(said[0]) > 3000):
        raise AssertionError(f"exit status {rc} with {len(said)} lines on stderr: {' / '.join(said)[:300]}")
    ANSWERS.extend([words[0]] * (rc == 0))
    return rc


def ask(root: Path, path: Path, place: Path, *options) -> None:
    import numpy as np
    import pandas as pd

    out = place / "p.csv"
    if command("predict", root, "--checkpoint", path, "--out", out, *options) == 0:
        table = pd.read_csv(out)
        values = table.filter(like="probability_").to_numpy()
        if not len(table) or not np.isfinite(values.astype(float)).all():
            raise AssertionError(f"an answer that is no number: {table.head().to_dict()}")


def look(root: Path, lead, labels, on_bad) -> None:
    """The recordings of a folder; one line where they cannot be had."""
    import numpy as np

    from ecgtl.datasets import folder
    from ecgtl.errors import EcgtlError

    try:
        with contextlib.redirect_stderr(io.StringIO()):
            found = folder.read(root, lead, labels, on_bad)
        values = [found.signal(i) for i in range(len(found))]
    except EcgtlError as error:
        if "\n" in str(error) or len(str(error)) > 3000:
            raise AssertionError(f"not one line: {str(error)[:300]}") from None
    else:
        ANSWERS.append("folder")
        if not all(np.isfinite(x).all() for x in values):
            raise AssertionError("a signal that is no number")


def on_headers(rng: random.Random, place: Path) -> None:
    root = some_records(place)
    text = HEADER
    if rng.random() < 0.2:
        text = MASTER
        for name in ("r_1", "r_2"):
            part = HEADER.replace("r.dat", f"{name}.dat").replace("r 2 250 3000", f"{name} 2 250 1500")
            (root / f"{name}.hea").write_bytes(mutated_text(rng, part) if rng.random() < 0.3 else part.encode())
            (root / f"{name}.dat").write_bytes(samples(9, 1500))
    (root / "r.hea").write_bytes(mutated_text(rng, text))
    (root / "r.dat").write_bytes(mutated_bytes(rng, samples(8), 0.1))
    way = rng.randrange(5)
    if way < 2:
        look(root, rng.choice((None, "II", 0, 1)), rng.choice((None, "comments", "none")),
             rng.choice(("error", "skip")))
    elif way < 4:
        ask(root, weights(place)[0], place, *rng.choice(((), ("--lead", "I"), ("--lead", "1"))))
    else:
        command("features", root, "--lead", "II", "--tier", "reduced", "--out", place / "f.csv")


def on_labels(rng: random.Random, place: Path) -> None:
    root = some_records(place)
    rows = "record,label,subject\na1,AF,p1\na2,N,p1\nb1,AF,p1\n"
    head, _, rest = rows.partition("\n")
    content = head.encode() + b"\n" + mutated_text(rng, rest) if rng.random() < 0.6 else mutated_text(rng, rows)
    if rng.random() < 0.15:
        content = mutated_bytes(rng, workbook([row.split(",") for row in rows.split()]), 0.5)
    name = rng.choice(("labels.csv", "labels.csv", "labels.xlsx"))
    (root / name).write_bytes(content)
    if rng.random() < 0.9:
        look(root, "II", name, rng.choice(("error", "skip")))
    else:
        command("rank", "--target", root, "--labels", name, "--lead", "II", "--resamples", 40, weights(place)[0])


def on_checkpoints(rng: random.Random, place: Path) -> None:
    root, (path, content) = some_records(place), weights(place)
    size = int.from_bytes(content[:8], "little")
    head, tensors = json.loads(content[8:8 + size]), content[8 + size:]
    facts = json.loads(head["__metadata__"]["ecgtl"])
    if rng.random() < 0.8:  # as an older version wrote it: with a checksum, nearly everything ends there
        del facts["checksum"]
        head["__metadata__"]["ecgtl"] = json.dumps(facts)
    kind = rng.randrange(7)
    if kind < 5:  # what it says of itself
        head["__metadata__"]["ecgtl"] = mutated_json(rng, facts).decode("utf-8", "replace")
    elif kind == 5:  # names, types, shapes and places of the tensors
        head = mutated_tree(rng, head)
        head = head if isinstance(head, dict) else {"x": head}
    text = json.dumps(head).encode("utf-8", "replace")
    length = struct.pack("<Q", rng.choice((len(text),) * 60 + (0, 1, 1 << 40, (1 << 64) - 1)))
    path.write_bytes(mutated_bytes(rng, length + text + tensors, 1.0 if kind == 6 else 0.02))
    way = rng.randrange(4)
    if way < 2:
        ask(root, path, place)
    elif way == 2:
        command("features", root, "--checkpoint", path, "--lead", "II", "--out", place / "f.csv")
    else:
        command("rank", "--target", root, "--labels", "comments", "--lead", "II", "--resamples", 40, path)


def on_results(rng: random.Random, place: Path) -> None:
    import numpy as np

    from ecgtl import results
    from ecgtl.errors import EcgtlError

    buffer = io.BytesIO()
    np.savez_compressed(buffer, train=np.arange(4), test=np.arange(3), y_test=np.zeros(3, np.int64),
                        prob_last=np.zeros((3, 2)))
    head = mutated_text(rng, "{'descr': '<i8', 'fortran_order': False, 'shape': (4,)}")
    arrays = {"train.npy": b"\x93NUMPY\x01\0v\0" + head, "test.npy": b""}
    predictions = mutated_bytes(rng, zipped(rng, arrays) if rng.random() < 0.3 else buffer.getvalue(), 0.2)
    os.environ["ECGTL_RESULTS"] = str(place / "results")
    path = place / "results" / "demo" / "weimann2021-table2" / f"{NAME}.json"
    path.parent.mkdir(parents=True)
    path.with_suffix(".npz").write_bytes(predictions)
    stored = {"file": f"{NAME}.npz", "sha256": hashlib.sha256(predictions).hexdigest()}
    path.write_bytes(mutated_json(rng, BODY | {"predictions": stored}))
    for use in (results.read, results.load, results.stored, results.done, lambda _: results.table(tier="demo")):
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                use(path)
            ANSWERS.append("results")
        except EcgtlError as error:
            if "\n" in str(error):
                raise AssertionError(f"not one line: {error}") from None
    if rng.random() < 0.05:
        command("status")


def workbook(rows: list[list[str]]) -> bytes:
    import openpyxl

    book, buffer = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(buffer)
    return buffer.getvalue()


def on_zips(rng: random.Random, place: Path) -> None:
    """CinC 2017 is read from the release's own zip, Shaoxing's table from a workbook, which is one too."""
    from ecgtl.datasets import cinc2017, shaoxing
    from ecgtl.errors import EcgtlError

    members, on_bad = {}, rng.choice(("error", "skip"))
    rows = [["FileName", "Rhythm", "PatientAge", "Gender"], ["a", "AF", "60", "MALE"], ["b", "SR", "50", "FEMALE"]]
    with zipfile.ZipFile(io.BytesIO(workbook(rows))) as book:
        table = zipped(rng, {name: mutated_text(rng, book.read(name).decode()) if rng.random() < 0.1
                             else book.read(name)
                             for name in book.namelist()})
    (place / "shaoxing-figshare").mkdir()
    (place / "shaoxing-figshare" / "Diagnostics.xlsx").write_bytes(table)
    for k in range(3):
        text = f"A0000{k} 1 300 3000 05:05:15 1/05/2014\nA0000{k}.mat 16+24 1000/mV 16 0 0 0 0 ECG\n"
        members[f"training2017/A0000{k}.hea"] = mutated_text(rng, text) if rng.random() < 0.1 else text.encode()
        members[f"training2017/A0000{k}.mat"] = b"\0" * 24 + samples(k, 1500)
    labels = "A00000,N\nA00001,A\nA00002,O\n"
    members["training2017/REFERENCE.csv"] = mutated_text(rng, labels) if rng.random() < 0.2 else labels.encode()
    base = place / "challenge-2017" / "1.0.0"
    base.mkdir(parents=True)
    (base / "training2017.zip").write_bytes(zipped(rng, members))
    for use in (lambda: cinc2017.read(place, on_bad=on_bad), lambda: shaoxing.diagnostics(place)):
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                use()
            ANSWERS.append("zip")
        except EcgtlError as error:
            if "\n" in str(error):
                raise AssertionError(f"not one line: {error}") from None


TARGETS = {name[3:]: use for name, use in list(globals().items()) if name.startswith("on_")}


# --- the run ----------------------------------------------------------------------------------------------------------


class Hang(BaseException):
    """A case took too long."""


def _ring(number: int, frame) -> None:
    raise Hang(f"more than {SECONDS} s of work" if number == signal.SIGPROF else f"more than {WAITING} s")


def _watch(seconds: float, waiting: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, waiting)


def peak() -> int:
    """Highest resident memory since ``clear``, in bytes."""
    text = Path("/proc/self/status").read_text()
    return 1024 * int(text.split("VmHWM:")[1].split()[0])


def case(target: str, number: int, keep: bool = False) -> str:
    """One case: empty when it ended as it should, else what it did."""
    rng = random.Random(f"{target} {number}")
    place = Path(tempfile.mkdtemp(prefix=f"fuzz-{target}-{number}-"))
    os.environ["ECGTL_CACHE"] = str(place / "cache")
    Path("/proc/self/clear_refs").write_text("5")
    _watch(SECONDS, WAITING)
    try:
        TARGETS[target](rng, place)
        _watch(0, 0)
        failure = "" if peak() < MEMORY else f"{peak() / 2**30:.1f} GiB of memory"
    except (Exception, Hang, SystemExit):
        _watch(0, 0)
        failure = traceback.format_exc(limit=-6)
    if keep:
        print(place)
    else:
        shutil.rmtree(place, ignore_errors=True)
    return failure


def main(*words: str) -> int:
    os.environ |= {"OMP_NUM_THREADS": "1"}
    import torch

    torch.set_num_threads(1)
    import ecgtl.datasets.folder
    import ecgtl.jobs.rank
    import ecgtl.report.tables  # noqa: F401 what is imported later would count as a case's own time

    # A case that asks for too much fails by itself instead of taking the machine along
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, _ring)
    return max([run(*words[k:k + 3]) for k in range(0, len(words), 3)])


def run(target: str, first: str, amount: str) -> int:
    ANSWERS.clear()
    if amount == "keep":
        print(case(target, int(first), keep=True) or "ended as it should")
        return 0
    end = time.monotonic() + 3600 * float(amount[:-1]) if amount.endswith("h") else None
    failures, slowest, highest, number = {}, 0.0, 0, int(first)
    while time.monotonic() < end if end else number < int(first) + int(amount):
        began = time.monotonic()
        failure = case(target, number)
        slowest, highest = max(slowest, time.monotonic() - began), max(highest, peak())
        if failure:
            kind = failure.strip().splitlines()[-1][:60]
            failures.setdefault(kind, []).append(number)
            if len(failures[kind]) == 1:
                print(f"{target} {number}: {failure}", flush=True)
        number += 1
    failed = sum(map(len, failures.values()))
    print(f"{target}: {number - int(first)} cases, {len(ANSWERS)} answers, {failed} failures of {len(failures)} kinds, "
          f"slowest {slowest:.1f} s, {highest / 2**30:.2f} GiB at most {failures or ''}")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
