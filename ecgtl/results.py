"""One JSON a run, written atomically, with its predictions and split beside it; all of them as one tidy table."""

import contextlib
import hashlib
import io
import json
import os
import platform
import subprocess
import sys
import time
from collections import UserDict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property, lru_cache, wraps
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch

from ecgtl import paths
from ecgtl.datasets import archives
from ecgtl.datasets.cache import write_atomic
from ecgtl.errors import EcgtlError, note_once
from ecgtl.models import convolution

T = TypeVar("T")
AGAIN, DELETE = "run the experiment again", "delete that file and run again"  # remedies
MEASURED = "measured"  # folder of what is measured once and belongs to no table of runs
SCHEMA = 2
INCIDENTAL = ("device", "root", "save_weights")  # where a run happened does not change what it is
READABLE = (1, SCHEMA)  # in schema 1 each epoch of a history named its columns again
LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "pandas", "wfdb")
EVIDENCE = ("full", "subset", "substitute", "synthetic", "none")
# What a value must be, where readers count on it; a value that is absent is named when it is asked for
_DICTS = ("config evidence scores data provenance predictions provenance.versions scores.measures scores.best_test "
          "scores.last scores.validated")
_TEXTS = "experiment key config.tier data.digest data.name predictions.sha256 provenance.commit"
KINDS = {**dict.fromkeys(_DICTS.split(), dict), **dict.fromkeys(_TEXTS.split(), str), "data.classes": list,
         "provenance.wall_seconds": int | float}
NUMBERS = ("macro_f1", "weighted_f1", "macro_auc", "accuracy", "mse_sum", "epoch")  # wherever they stand


@dataclass(frozen=True, eq=False)
class Result:
    """What a run leaves behind, and the one form in which stored ones are read.

    ``config`` every parameter; ``evidence`` what the data are (upstream, target, leads), in the words of ``EVIDENCE``;
    ``scores`` the protocol's own choice of epoch at the top, ``best_test``, ``last`` and ``validated`` below;
    ``history`` one row an epoch; ``data`` name, version, digest and counts; ``arrays`` split and predictions:
    ``train``, ``validation``, ``test`` indices, ``y_test`` and ``prob_<choice>`` float16 (n_test, classes), of a stored
    result read when they are asked for; ``provenance`` where, when and how; ``predictions`` file and SHA-256 of stored
    arrays.
    """

    experiment: str
    key: str
    config: dict
    evidence: dict
    scores: dict
    history: list[dict]
    data: dict
    arrays: Mapping[str, np.ndarray] = field(repr=False)
    provenance: dict
    predictions: dict = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def synthetic(self) -> bool:
        """Whether the target data were made, not recorded."""
        return self.evidence["target"] == "synthetic"

    def text(self) -> str:
        """The JSON, its history as ``columns`` and ``rows``, one line an epoch: histories are most of a result.

        Raises ValueError when the epochs differ in their columns.
        """
        body = {"schema": SCHEMA} | {name: getattr(self, name) for name in STORED if name != "schema"} | {"history": []}
        text = json.dumps(rounded(body), indent=1, allow_nan=False) + "\n"
        if not self.history:
            return text
        columns = [*self.history[0]]
        if any([*row] != columns for row in self.history):
            raise ValueError(f"every epoch of a history has the columns {', '.join(columns)}")
        rows = ",\n".join(f"   {_line(rounded([*row.values()]))}" for row in self.history)
        history = f'{{\n  "columns": {_line(columns)},\n  "rows": [\n{rows}\n  ]\n }}'
        return text.replace('\n "history": []', f'\n "history": {history}', 1)


STORED = tuple(f.name for f in fields(Result) if f.name != "arrays")
# State files of the trainings of this process's run -> seconds of their epochs that earlier processes made
STATES: dict[Path, float] = {}


def folder(tier: str) -> Path:
    """Where results of a tier live: ``demo`` in an ignored folder that is made anew, the others committed."""
    return paths.results() / "demo" if tier == "demo" else paths.results()


def check_folder(tier: str) -> None:
    """Raise EcgtlError where no result of a tier can be stored: better before a training than behind it."""
    if wrong := paths.closed(folder(tier)):
        raise EcgtlError(f"no result can be stored: {wrong}; set ECGTL_RESULTS to a folder of yours")


def path_of(experiment: str, key: str, tier: str) -> Path:
    """File of a run's result."""
    return folder(tier) / experiment / f"{key}.json"


def save(result: Result) -> Path:
    """Write predictions, then the JSON that names their checksum: the JSON is what makes a run done.

    Until then the states of its trainings are kept: where the disk is full the same run goes on from them.
    """
    path = path_of(result.experiment, result.key, result.config["tier"])
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **result.arrays)  # type: ignore[arg-type]
    write_atomic(path.with_suffix(".npz"), buffer.getvalue())
    predictions = {"file": path.with_suffix(".npz").name, "sha256": hashlib.sha256(buffer.getvalue()).hexdigest()}
    write_atomic(path, replace(result, predictions=predictions).text().encode())
    forget_states()
    return path


def forget_states() -> None:
    """Remove the state files of this process's run: its result is stored, or not to be."""
    for state in STATES:
        with contextlib.suppress(OSError):
            state.unlink()


def _line(values: list) -> str:
    return json.dumps(values, separators=(",", ":"), allow_nan=False)


class StoredArrays(UserDict):
    """The arrays beside the result at ``path``, read when one is asked for; EcgtlError if missing or others."""

    def __init__(self, path: Path, sha256: str | None):
        self.path, self.file, self.sha256 = path, path.with_suffix(".npz"), sha256

    @cached_property
    def data(self) -> dict[str, np.ndarray]:  # type: ignore[override]
        """All arrays."""
        return archives.arrays(io.BytesIO(self.content()), str(self.file), AGAIN)

    def content(self) -> bytes:
        """The file as it was written; UndoneError when it is missing or another one."""
        try:
            content = self.file.read_bytes()
        except OSError as error:
            reason = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
            raise UndoneError(f"{self.file} {reason} beside {self.path.name}; {AGAIN}") from None
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise UndoneError(f"{self.file} is not the file that {self.path.name} was written with; {AGAIN}")
        return content


def load(path: Path) -> Result:
    """The result at ``path`` with its arrays. Raises EcgtlError when either file is missing, damaged or changed."""
    return replace(result := read(path), arrays=dict(result.arrays))


def stamp(path: Path) -> tuple[int, ...]:
    """What changes when somebody writes to a file; also of one that is not there."""
    found = path.stat() if path.is_file() else None
    return (found.st_mtime_ns, found.st_size) if found else (0, -1)


def while_unchanged(function: Callable[[Path], T]) -> Callable[[Path], T]:
    """``function`` of a file, computed once as long as the file and what a result has beside it stay as they are."""
    kept = lru_cache(maxsize=4096)(lambda path, *_stamps: function(path))
    return wraps(function)(lambda path: kept(path, *stamp(path), *stamp(path.with_suffix(".npz"))))


@while_unchanged
def stored(path: Path) -> Result:
    """``read`` of a result whose predictions are there and are its own; EcgtlError otherwise.

    Read once as long as both files stay as they are. The result is shared: do not change what is in it.
    """
    result = read(path)
    StoredArrays(path, result.predictions.get("sha256")).content()
    return result


class UndoneError(EcgtlError):
    """A result whose predictions are missing or others."""


def done(path: Path) -> Result | None:
    """``stored`` of a finished run; None where there is none and, saying why, where its predictions are missing or
    others.

    Raises EcgtlError for a JSON that is damaged or of another version: nothing replaces it unasked.
    """
    if not path.is_file():
        return None
    try:
        return stored(path)
    except UndoneError as error:
        note_once(f"counts as not done: {error}")
        return None


def read(path: Path) -> Result:
    """The result whose JSON is at ``path``, checked for its schema and its parts; its arrays are not looked at.

    A part that this version does not know is left out, and that is said. A value that is null, no number or of another
    kind where readers count on one is an EcgtlError, and so is a key that is asked for, at any level, and not there.
    """
    try:
        body = json.loads(path.read_text())
        schema, history = body["schema"], body.get("history", [])
        if not isinstance(history, list):
            body["history"] = [dict(zip(history["columns"], row, strict=True)) for row in history["rows"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise EcgtlError(f"{path} is not a result ({type(error).__name__}); delete it and run again") from None
    if schema not in READABLE:
        raise EcgtlError(f"{path} has schema {schema}, this version reads {' and '.join(map(str, READABLE))}; {AGAIN}")
    absent, unknown = set(STORED) - body.keys(), body.keys() - set(STORED)
    if absent:
        raise EcgtlError(f"{path} is not a result (it has no {', '.join(sorted(absent))}); delete it and run again")
    if unknown:
        note_once(f"{path} has {', '.join(sorted(unknown))}, which this version does not know and leaves out")
    checked = _parts({name: body[name] for name in body if name in STORED}, str(path), "")
    arrays = StoredArrays(path, checked["predictions"].get("sha256"))
    if checked["predictions"]["file"] != arrays.file.name:
        raise EcgtlError(f"{path}: predictions.file is no {arrays.file.name}; {DELETE}")
    return Result(**checked, arrays=arrays)


class _Part(dict):
    """A part of a stored result; ``where`` names file and part for the error of a key that is asked for and not there.
    """

    where = ""

    def __missing__(self, key):
        raise EcgtlError(f"{self.where}{key} is missing; {DELETE}")


def _parts(value, file: str, name: str):
    """``value``, the part ``name`` of a result, with every dict as a ``_Part``; EcgtlError for what does not belong
    there.
    """
    part: Any = value
    if isinstance(value, dict):
        part = _Part({key: _parts(one, file, f"{name}{key}.") for key, one in value.items()})
        part.where = f"{file}: {name}"
    elif isinstance(value, list):
        part = [_parts(one, file, f"{name}each.") for one in value]
    kind = int | float if name[:-1].rpartition(".")[2] in NUMBERS else KINDS.get(name[:-1], object)
    if not isinstance(value, kind) or not _belongs(value, name):
        raise EcgtlError(f"{file}: {name[:-1]} is {value!r:.40}, which does not belong there; {DELETE}")
    return part


def _belongs(value, name: str) -> bool:
    """Whether a leaf may be there: null where it says something, numbers that are some, scores that are numbers, known
    evidence.
    """
    if value is None:
        return name.startswith(("config.", "scores.")) and not name.startswith("scores.measures.")
    if isinstance(value, int | float):
        return -1e300 < value < 1e300  # NaN is not
    unknown = name.startswith("scores.") or name.startswith("evidence.") and value not in EVIDENCE
    return not (isinstance(value, str) and unknown)


def table(experiment: str | None = None, tier: str | None = None) -> pd.DataFrame:
    """All stored results as a tidy table: one row a run, columns from config, top scores, evidence and file.

    ``tier="demo"`` reads the demo folder; otherwise the committed folder, where no synthetic result may lie.
    """
    root = folder(tier or "reduced")
    rows = []
    for path in sorted(root.glob(f"{experiment or '*'}/*.json")):
        found = read(path)
        if tier is None or found.config["tier"] == tier:
            top = {name: value for name, value in found.scores.items() if isinstance(value, float)}
            evidence = {f"evidence_{name}": word for name, word in found.evidence.items()}
            rows.append({"experiment": found.experiment, "key": found.key, **found.config, **top, **evidence,
                         "digest": found.data["digest"], "path": str(path)})
    return pd.DataFrame(rows)


def provenance(device: str, seconds: float, seed: int, threads: int, command: str | None = None) -> dict:
    """Commit, versions, device, instructions, layout, threads, seed, wall time and the exact command of the run that
    ends.
    """
    commit, dirty = code_state()
    return {"commit": commit, "dirty": dirty,
            "versions": {"python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}},
            "device": device, "machine": platform.machine(), "instructions": instructions(),
            "layout": convolution.layout(), "threads": threads, "seed": seed, "wall_seconds": seconds,
            "finished": pd.Timestamp.now("UTC").strftime("%Y-%m-%dT%H:%M:%SZ"), "command": command or _command()}


def git(*arguments: str) -> str:
    """Output of a git command in the checkout, or ``unknown`` where there is none: an installed copy may lie in, and be
    called from, a checkout of something else.
    """
    if not (paths.PACKAGE.parent / ".git").exists():
        return "unknown"
    try:
        done = subprocess.run(["git", *arguments], cwd=paths.PACKAGE.parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


@lru_cache
def code_state() -> tuple[str, bool]:
    """Commit and whether the code differs from it, as it stood when the process first asked: ask before a run."""
    if told := paths.commit():
        return told.removesuffix("-dirty"), told.endswith("-dirty")
    changes = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!results")
    return git("rev-parse", "HEAD"), bool(changes)


def clock() -> Callable[[], float]:
    """Ask for the code's state, which a run has to do before it begins; and what tells the seconds since then, and of
    epochs that earlier processes made.
    """
    STATES.clear()
    began, _ = time.perf_counter(), code_state()
    return lambda: time.perf_counter() - began + sum(STATES.values())


def instructions() -> str:
    """What the CPU's kernels may use: numbers come out the same to the last bit only where this is the same."""
    widest = "AMX" if torch.cpu._is_amx_tile_supported() else torch.backends.cpu.get_cpu_capability()
    return os.environ.get("ONEDNN_MAX_CPU_ISA", widest)


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "absent"


def _command() -> str:
    """The command line, without the folders of this machine."""
    program = Path(sys.argv[0])
    name = "python -m ecgtl" if program.name == "__main__.py" else program.name
    return " ".join([name, *sys.argv[1:]])


def same_config(stored: dict, planned, incidental: tuple[str, ...] = ()) -> bool:
    """Whether a stored result's parameters are those of the dataclass ``planned``, but for the ``incidental`` ones.

    A parameter that was added after the run had, in that run, what is its default today.
    """
    had = _values(type(planned)()) | stored
    return all(rounded(had[name]) == value for name, value in _values(planned).items() if name not in incidental)


@lru_cache(maxsize=4096)
def _values(config) -> dict:
    """The parameters of a config as a stored result has them. Do not change the dict."""
    return json.loads(json.dumps(rounded(asdict(config))))


def rounded(value):
    """``value`` with its floats cut to nine significant digits: enough to compare, stable in a diff."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {str(k): rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(v) for v in value]
    return value
