"""What is made once and stored: ``measure``, ``weights``."""

from ecgtl import paths, results
from ecgtl.commands.parser import resolved
from ecgtl.models.convert import convert_googlenet
from ecgtl.models.googlenet import default_weights


def measure(measurement: str, **words) -> None:
    """Store numbers of a module of ``measurements``; one that asks for nothing reads the data sets."""
    made = resolved(f"measurements.{measurement}:measure")(**words or {"root": paths.data()})
    print(f"written: {results.save(made)}")


def weights(name: str, file: str | None) -> None:
    """Convert published weights, of which there is one kind."""
    print(f"written: {convert_googlenet(file or None, default_weights())}")
