"""Which module enumerates and makes the runs of an experiment: they all have the same functions."""

from types import ModuleType

from ecgtl import experiments
from ecgtl.errors import EcgtlError
from ecgtl.experiments import pretrainings, sources, transfers

RUNNERS = (experiments, pretrainings, sources, transfers)
Run = experiments.Run | pretrainings.Pretraining | sources.Source | transfers.Transfer


def of(experiment: str) -> ModuleType:
    """The runner of an experiment, with ``enumerate_runs``, ``state`` and ``run_missing``.

    An unknown experiment is an EcgtlError with the allowed names.
    """
    known = {name: runner for runner in RUNNERS for name in runner.names()}
    if experiment not in known:
        raise EcgtlError(f"unknown experiment {experiment!r}; allowed: {', '.join(known)}")
    return known[experiment]
