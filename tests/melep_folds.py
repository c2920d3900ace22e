"""Folds of MELEP's experiments as if they had run, by checkpoint."""

import numpy as np
from stored_runs import store_fold

from ecgtl.experiments import transfers

LABELS = ("NORM", "MI", "STTC", "CD", "HYP")
UPSTREAM = {"cinc2017": "substitute", "cpsc2018": "subset", "georgia": "full", "ptbxl": "full"}
OWN = {"cinc2017": 4, "cpsc2018": 9, "georgia": 10, "ptbxl": 5}


def planned(experiment, tier, source, arch):
    return [run for run in transfers.enumerate_runs(experiment, tier)
            if (run.config.source, run.config.arch) == (source, arch)]


def write(run, melep, score, names=LABELS[:3], validated=None, others=0.5, redrawn=0, upstream=None):
    """A stored fold of ``run`` with a MELEP and a weighted F1, and the evidence of its tier."""
    words = {"demo": ("synthetic", "synthetic"), "paper": ("full", None)}
    target, made = words.get(run.config.tier, ("subset", None))
    store_fold(run, melep, score, label_set="+".join(names), target=target,
               upstream=made or upstream or UPSTREAM[run.config.source], redrawn=redrawn,
               validated=score - 0.02 if validated is None else validated, own_labels=OWN[run.config.source],
               melep_normalised=2 * melep, leep=-others, nce=-others / 2)


def fill(experiment, tier, folds=1000, places=None, seed=0, n_names=5):
    """Plausible folds: few labels are easy, and MELEP predicts F1 beyond that."""
    for run in transfers.enumerate_runs(experiment, tier):
        place = (run.config.source, run.config.arch)
        if run.config.fold >= folds or places is not None and place not in places:
            continue
        task = np.random.default_rng([seed, run.config.fold])  # the same for all checkpoints
        own = np.random.default_rng([seed, run.config.fold, *map(ord, "".join(place))])
        n = int(task.integers(2, n_names + 1))
        names = [f"l{k}" for k in sorted(task.choice(n_names, n, replace=False))]
        ease, bias = task.normal(), {"cinc2017": 0.02, "bilstm": -0.05}
        melep = 0.05 + 0.03 * n - 0.01 * ease + own.normal(0, 0.01)
        score = 0.8 - 0.04 * n + 0.02 * ease + sum(bias.get(word, 0) for word in place) + own.normal(0, 0.02)
        write(run, melep, score, names, validated=score - abs(own.normal(0, 0.03)),
              others=0.3 + melep / 2 + own.normal(0, 0.02), redrawn=int(task.integers(0, 2)))
