"""Which runs make which table: enumerate them, see what is there, make one."""

from ecgtl.experiments.tables import Experiment, Run, enumerate_runs, load, names

__all__ = ["Experiment", "Run", "enumerate_runs", "load", "names"]
