"""Folds of the transferability experiment: enumerate them, make one, and one tidy table of all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from ecgtl import metrics, results
from ecgtl.config import TRANSFERS, TransferConfig, TransferPlan, protocol, starts
from ecgtl.errors import why_not
from ecgtl.experiments.run import PlannedRun, known
from ecgtl.jobs import transfer
from ecgtl.models import baselines

CHOICES = ("best_test", "validated")  # of the epoch; the published one first


@dataclass(frozen=True)
class Transfer(PlannedRun):
    """One checkpoint on one fold of an experiment."""

    experiment: str
    config: TransferConfig

    @property
    def key(self) -> str:
        """Name of its files."""
        return transfer.default_key(self.config)

    def is_current(self, result: results.Result) -> bool:
        """Whether recordings and checkpoint are those that the fold is to stand on."""
        start = starts.stored_weights(self.config.source, self.config.arch, self.config.tier)
        return self.same_data(result) and (start is None or starts.checksum(start) == result.data["start"]["sha256"])

    def same_data(self, result: results.Result) -> bool:
        """Whether a stored result stands on the recordings that the tier is to stand on."""
        digest = _entries()[self.experiment].get("data", {}).get(self.config.tier, "unknown")
        return digest in ("unknown", result.data["digest"])

    def obstacle(self) -> str:
        """Why the checkpoint is not available."""
        return why_not(lambda: TransferPlan(self.config).start)

    def execute(self, command: str) -> results.Result:
        """Score the checkpoint and fine-tune it."""
        return transfer.run(self.config, self.experiment, self.key, command=command)

    def words(self, result: results.Result) -> str:
        """Labels of the task, MELEP and the score."""
        measures, f1 = result.scores["measures"], result.scores["weighted_f1"]
        return f"{measures['n_labels']} labels, MELEP {measures['melep_published']:.3f}, weighted F1 {f1:.3f}"


def names() -> tuple[str, ...]:
    """All experiments that are made of folds."""
    return tuple(_entries())


def _entries() -> Mapping[str, Mapping]:
    return protocol(TRANSFERS).transfers.experiments


@lru_cache
def enumerate_runs(experiment: str, tier: str) -> list[Transfer]:
    """Every fold with every checkpoint, the first folds of all first; none in a tier that has no folds.

    Do not change the list: it depends on the YAML alone and is kept.
    """
    entry = known(_entries(), experiment)
    task = ({"label_set": ",".join(entry["label_set"])} if "label_set" in entry else
            dict(zip(("fewest", "most"), entry["labels"], strict=True)))
    planned = [(fold, arch, source) for arch, n in entry["folds"].get(tier, {}).items() for fold in range(n)
               for source in entry["sources"][tier]]
    task |= {"target": entry["target"], "tier": tier}
    return [Transfer(experiment, TransferConfig.of(source=source, arch=arch, fold=fold, **task).resolved())
            for fold, arch, source in sorted(planned, key=lambda run: run[0])]


def table(experiment: str, tier: str) -> pd.DataFrame:
    """One row a finished run: checkpoint, fold and its labels, every measure, scores by choice of the epoch.

    ``label_set`` joins the names of the task's labels with ``+``: folds with equal ones are resampled
    together. ``weighted_f1_every_label`` is the F1 of the all-positive baseline
    (``baselines.all_positive``), on the same test set, and ``macro_auc_<choice>`` the network's area under the
    ROC curve, which no threshold moves.
    """
    runs = [run for run in enumerate_runs(experiment, tier) if run.state() == "done"]
    return table_of((run, results.stored(run.path)) for run in runs)


def table_of(finished: Iterable[tuple[Transfer, results.Result]]) -> pd.DataFrame:
    """``table`` of runs and their results."""
    return pd.DataFrame([_row(run, result) for run, result in finished])


def _row(run: Transfer, result: results.Result) -> dict:
    scores, data = result.scores, result.data
    measures = {name: value for name, value in scores["measures"].items() if not isinstance(value, dict)}
    chosen = {f"{name}_{choice}": scores[choice][name]
              for choice in CHOICES for name in ("weighted_f1", "train_weighted_f1")}
    return {"source": run.config.source, "arch": run.config.arch, "target": run.config.target, "fold": run.config.fold,
            "label_set": "+".join(data["classes"]), **measures, **chosen, **_from_predictions(run.path),
            "redrawn": sum(data["redrawn"].values()),
            **{f"evidence_{name}": word for name, word in result.evidence.items()}}


@results.while_unchanged
def _from_predictions(path: Path) -> dict[str, float]:
    """What a row takes from a fold's predictions."""
    arrays = results.load(path).arrays
    y_test = arrays["y_test"]
    return {"weighted_f1_every_label": metrics.weighted_f1(y_test, baselines.all_positive(*y_test.shape)),
            **{f"macro_auc_{choice}": metrics.macro_auc(y_test, arrays[f"prob_{choice}"].astype(np.float64))
               for choice in CHOICES}}
