"""What the four kinds of runs have in common: where a run is stored, whether it has been made, and how it is made."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, TypeVar

from ecgtl import results
from ecgtl.config import FinetuneConfig, PretrainConfig, TransferConfig, protocol, protocols, starts
from ecgtl.errors import EcgtlError

T = TypeVar("T")


class PlannedRun:
    """A run that an experiment asks for: what is common to all kinds."""

    experiment: str
    config: FinetuneConfig | PretrainConfig | TransferConfig
    INCIDENTAL: ClassVar[tuple[str, ...]] = results.INCIDENTAL  # parameters that do not change what a run is

    @property
    def key(self) -> str:
        """Name of its files."""
        raise NotImplementedError

    @property
    def home(self) -> str:
        """The experiment that it is stored under."""
        return self.experiment

    @property
    def weights(self) -> Path | None:
        """Where its checkpoint is written; None where none is kept."""
        return None

    @property
    def path(self) -> Path:
        """File of its result."""
        return results.path_of(self.home, self.key, self.config.tier)

    def state(self) -> str:
        """``done``, ``missing``, or ``stale`` when the stored result came from another config, other data or other
        weights.
        """
        found = results.done(self.path)
        if found is None:
            return "missing"
        same = results.same_config(found.config, self.config, self.INCIDENTAL)
        return "done" if same and self.is_current(found) else "stale"

    def is_current(self, result: results.Result) -> bool:
        """Whether a stored result of the same config stands on what the run is to stand on today.

        The checkpoint in its place must be its own. One that is not here is: it may be too large to ship.
        """
        kept = self.weights
        return kept is None or not kept.is_file() or starts.checksum(kept) == result.data["weights"]["sha256"]

    def is_missing(self) -> bool:
        """Whether the run is to be made: its result, or the weights that it keeps, are missing or stale."""
        return self.state() != "done" or self.weights is not None and not self.weights.is_file()

    def obstacle(self) -> str:
        """Why what the run starts from is not available; empty when it is."""
        return ""

    def execute(self, command: str) -> results.Result:
        """Make the run, with ``command`` in its provenance, and save nothing."""
        raise NotImplementedError

    def make(self, command: str) -> tuple[Path, str]:
        """Make the run and save it, with ``command`` in its provenance: the file of its result, and a line on it."""
        result = self.execute(command)
        return results.save(result), self.line(result)

    def words(self, result: results.Result) -> str:
        """What a line says of the run's scores."""
        raise NotImplementedError

    def line(self, result: results.Result) -> str:
        """A line on the finished run."""
        return f"{self.key}: {self.words(result)} ({result.provenance['wall_seconds']:.0f} s)"


def entries(section: str) -> dict[str, tuple[str, Mapping]]:
    """Experiment -> its protocol's name, and its entry in a ``section`` of that."""
    return {name: (paper, entry) for paper in protocols() for name, entry in getattr(protocol(paper), section).items()}


def of_tier(given: Mapping, tier: str) -> dict:
    """Parameters as they are in ``tier``: of a value by tier its own, None where it has none such."""
    return {name: value.get(tier) if isinstance(value, Mapping) else value for name, value in given.items()}


def known(found: Mapping[str, T], name: str, kind: str = "experiment") -> T:
    """One of the experiments, or of what ``kind`` says, by its name; another is an EcgtlError with those allowed."""
    if name not in found:
        raise EcgtlError(f"unknown {kind} {name!r}; allowed: {', '.join(found)}")
    return found[name]
