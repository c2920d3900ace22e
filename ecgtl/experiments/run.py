"""What the four kinds of runs have in common: where a run is stored, whether it has been made, and how it is made."""

from pathlib import Path

from ecgtl import results


class PlannedRun:
    """A run that an experiment asks for. Kinds have ``experiment``, ``config`` and ``key``, the name of its files."""

    INCIDENTAL = results.INCIDENTAL  # parameters that do not change what a run is

    @property
    def path(self) -> Path:
        """File of its result."""
        return results.path_of(getattr(self, "home", self.experiment), self.key, self.config.tier)

    def state(self) -> str:
        """``done``, ``missing``, or ``stale`` when the stored result came from another config, other data or other weights."""
        body = results.done(self.path)
        if body is None:
            return "missing"
        return "done" if results.same_config(body["config"], self.config, self.INCIDENTAL) and self.is_current(body) else "stale"

    def is_current(self, body: dict) -> bool:
        """Whether a stored result of the same config stands on what the run is to stand on today."""
        return True

    def is_missing(self) -> bool:
        """Whether the run is to be made: its result, or the weights that it keeps, are missing or stale."""
        return self.state() != "done"

    def obstacle(self) -> str:
        """Why what the run starts from is not available; empty when it is."""
        return ""

    def make(self, command: str) -> tuple[Path, str]:
        """Make the run and save it, with ``command`` in its provenance: the file of its result, and a line on it."""
        raise NotImplementedError
