"""What all configs share: made from named values, checked for unknown names, types and allowed values."""

import dataclasses
import difflib
import inspect
import math
import re
import shlex
import typing
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import torch

from ecgtl import results
from ecgtl.config.protocols import ALL_LEADS, DEVICES, NEGATIVES_FROM, OBJECTIVES, PRECISIONS, TIERS, VARIANTS
from ecgtl.datasets import LOADERS, Recordings
from ecgtl.datasets.collector import RATES
from ecgtl.errors import EcgtlError
from ecgtl.training import loop
from ecgtl.transferability import WEIGHTINGS

# Parameters that are one of a few words, in whichever config; a config has others in ``words``
WORDS = {"tier": TIERS, "device": DEVICES, "precision": PRECISIONS, "variant": VARIANTS, "objective": OBJECTIVES,
         "negatives_from": NEGATIVES_FROM, "weighting": WEIGHTINGS, "on_bad": ("error", "skip"),
         **dict.fromkeys(("dataset", "source", "target"), tuple(LOADERS))}
# Parameters with a bound -> what holds of their values, and the words for it
COUNTS = ("width epochs batch_size patience features per_subject per_epoch windows frame context negatives records "
          "subjects per_class fewest members")
BOUNDS = {"seconds learning_rate minutes": (lambda value: 0 < value < math.inf, "it must be above 0"),
          "sampling_rate": (lambda value: RATES[0] <= value <= RATES[1], "give Hz, from {:g} to {:g}".format(*RATES)),
          COUNTS: (lambda value: value >= 1, "it must be at least 1"),
          "resamples": (lambda value: value >= 40, "it must be at least 40, so that one lies beyond each 95 % limit"),
          "validation test": (lambda value: 0 < value < 1, "it is a share, above 0 and below 1"),
          "seed fold": (lambda value: 0 <= value < 2**32, "it must not be negative, and below 2**32"),
          "offset rate": (lambda value: 0 <= value < math.inf, "it must not be negative")}


@dataclasses.dataclass(frozen=True)
class Parameters:
    """A config: its fields are the parameters of a job."""

    NOTEBOOK: ClassVar[str] = ""  # the job whose parameters these are, where it is a notebook too

    @classmethod
    def of(cls, **parameters) -> Self:
        """A validated config from named parameters.

        Parameters
        ----------
        **parameters
            Fields of the config; the others keep their defaults.

        Returns
        -------
        Self
            Frozen; ``plan()`` is what a job takes.

        Raises
        ------
        EcgtlError
            For unknown names, values of another type and values that are not allowed, naming what is.

        Examples
        --------
        >>> from ecgtl.config import FinetuneConfig
        >>> FinetuneConfig.of(dataset="cinc2017", fraction=0.25).fraction
        0.25
        """
        allowed = {f.name: f for f in dataclasses.fields(cls)}
        unknown = sorted(set(parameters) - set(allowed))
        if unknown:
            close = difflib.get_close_matches(unknown[0], allowed, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise EcgtlError(f"unknown parameter {unknown[0]!r}; {hint}allowed: {', '.join(allowed)}")
        words = WORDS | cls.words()
        config = cls(**{name: _typed(allowed[name], given, words.get(name)) for name, given in parameters.items()})
        for name in allowed:
            config._check_value(name, words.get(name))
        config._check()
        config._refuse(config._ignored())
        return config

    @classmethod
    def from_notebook(cls, namespace: dict[str, Any]) -> Self:
        """A validated config from a notebook's ``globals()``: papermill itself only warns of a misspelt name.

        It is refused what its network would ignore, too, and a lead of the twin of a folder: the runs of a table share
        their parameters, and code that reads the twin knows what it does. So is a run whose result could not be stored.
        """
        plain = (str, int, float, bool, list, type(None))
        config = cls.of(**{name: value for name, value in namespace.items()
                           if not name.startswith("_") and name not in ("In", "Out") and isinstance(value, plain)})
        config._refuse(config._ignored(alone=True))
        if hasattr(config, "device"):  # it trains
            results.check_folder(config.tier)  # type: ignore[attr-defined]
        return config

    def portable(self) -> dict[str, Any]:
        """The parameters as a result has them: without the folders of this machine."""
        values = dataclasses.asdict(self)
        named = [name for name in ("root", "labels", "init", "encoder", "save_weights") if values.get(name)]
        return values | {name: Path(values[name]).name for name in named}

    def filled(self, table: Mapping[str, Any]) -> Self:
        """The same config with every ``None`` and ``auto`` replaced by what the protocol's ``table`` has for it."""
        return self.of(**{name: table.get(name, value) if value in (None, "auto") else value
                          for name, value in dataclasses.asdict(self).items()})

    def command(self) -> str:
        """The shell command that makes this run: every parameter that differs from its default."""
        values, defaults = dataclasses.asdict(self), {f.name: f.default for f in dataclasses.fields(self)}
        given = {name: shlex.quote(str(value)) for name, value in values.items() if value != defaults[name]}
        if given.pop("root", ""):
            given["root"] = "..."  # not a folder of this machine
        if self.NOTEBOOK:
            words = "".join(f" -p {name} {value}" for name, value in given.items())
            return f"papermill notebooks/{self.NOTEBOOK}.ipynb out.ipynb{words}"
        words = "".join(f" --{name.replace('_', '-')} {value}" for name, value in given.items())
        return f"python -m ecgtl {type(self).__name__.removesuffix('Config').lower()}{words}"

    @classmethod
    def words(cls) -> dict[str, tuple[str, ...]]:
        """Parameters that are one of a few words, and those words, as far as ``WORDS`` has them not."""
        return {}

    @classmethod
    def descriptions(cls) -> dict[str, str]:
        """Every parameter, and what the comment above its field says."""
        sources = "".join(inspect.getsource(kind) for kind in reversed(cls.__mro__[:-1]))
        found = re.findall(r"((?: {4}# .*\n)+) {4}(\w+): ", sources)
        return {name: " ".join(re.findall("# (.*)", comment)).replace("``", "") for comment, name in found}

    def _check_value(self, name: str, words: tuple[str, ...] | None) -> None:
        """Raise EcgtlError for a value that is none of the ``words``, or out of bounds."""
        value = getattr(self, name)
        if value is None:
            return
        if words and value not in words:
            raise EcgtlError(f"unknown {name} {value!r}; allowed: {', '.join(words)}")
        for names, (holds, bound) in BOUNDS.items():
            if name in names.split() and not holds(value):
                raise EcgtlError(f"{name} is {value}; {bound}")

    def _check(self) -> None:
        """Raise EcgtlError for a value that the fields' types admit but a run does not."""

    def _refuse(self, ignored: Iterable[tuple[str, str]]) -> None:
        """Raise EcgtlError for a parameter without effect that differs from its default."""
        defaults = {f.name: f.default for f in dataclasses.fields(self)}
        for names, why in ignored:
            given = [name for name in names.split() if name in defaults and getattr(self, name) != defaults[name]]
            if given:
                raise EcgtlError(f"{given[0]} is {getattr(self, given[0])!r}, which would have no effect: {why}")

    def _ignored(self, alone: bool = False) -> Iterator[tuple[str, str]]:
        """Parameters without effect, and why, with the remedy; more of them in a run that is asked for ``alone``."""
        dataset = getattr(self, "dataset", "")
        if getattr(self, "tier", "") == "demo":
            own = " lead" if alone and dataset == "folder" and getattr(self, "lead", ALL_LEADS) != ALL_LEADS else ""
            yield (f"root labels labels_separator rate unit{own}",
                   "tier demo reads a synthetic twin; for real data give tier=reduced")
        if dataset != "folder":
            yield "labels labels_separator rate unit", "it belongs to dataset=folder, with root=/path/to/records"


def label_columns(label_set: str, recordings: Recordings) -> list[int]:
    """Which classes of ``recordings`` stand in ``label_set``; EcgtlError for one that is none."""
    names, classes = dict.fromkeys(filter(None, map(str.strip, label_set.split(",")))), recordings.classes
    unknown = [name for name in names if name not in classes]
    if unknown:
        raise EcgtlError(f"label_set names {unknown[0]!r}, which {recordings.name} has not; allowed: "
                         f"{', '.join(classes)}")
    return [classes.index(name) for name in names]


def _typed(field: dataclasses.Field, value: Any, allowed: tuple[str, ...] | None) -> Any:
    """``value`` as the field's type; integers pass for floats, nothing else is converted in silence."""
    name, kinds = field.name, typing.get_args(field.type) or (field.type,)
    if value is None and field.default is None:
        return None
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if (isinstance(value, bool) and bool not in kinds) or not isinstance(value, tuple(kinds)):
        names = " or ".join(k.__name__ for k in kinds if k is not type(None))
        words = f"; allowed: {', '.join(allowed)}" if allowed else ""
        bounds = ", 0 < fraction <= 1" if name == "fraction" else ""
        raw = f"; for papermill write -r {name} {value}" if str in kinds and isinstance(value, int | float) else ""
        raise EcgtlError(f"{name} is {value!r} ({type(value).__name__}); it must be of type "
                         f"{names}{bounds}{words}{raw}")
    return value


@dataclasses.dataclass(frozen=True)
class Planned:
    """A plan: a ``config`` without ``None`` or ``auto``; those of some jobs have what follows from it alone, too."""

    config: Any

    def plan(self) -> Self:
        """Itself: a job takes a config as well as its plan."""
        return self

    @cached_property
    def device(self) -> torch.device:
        """Where to compute: as the config says, else as ``ECGTL_DEVICE`` says, else the GPU where there is one."""
        return loop.pick_device(self.config.device)
