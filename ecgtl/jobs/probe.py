"""The linear probe of an encoder at several shares of a training set: ``run(config) -> Result``."""

import dataclasses

import numpy as np
import torch

from ecgtl import results
from ecgtl.config import Planned, ProbeConfig, protocol
from ecgtl.datasets import cache
from ecgtl.errors import EcgtlError
from ecgtl.jobs import finetune
from ecgtl.jobs.scoring import score, score_multi_label, with_limits
from ecgtl.results import Result

HOME = "probe"  # what is stored under this name belongs to no experiment


def run(config: ProbeConfig | Planned, command: str | None = None) -> Result:
    """Probe the encoder of ``config`` at each of its shares; one result, not yet saved.

    ``scores`` and ``prob_<share>`` by share; the score of the last one stands at the top. A share that cannot be probed
    is named, with the reason, in ``data.refused``; where none can, EcgtlError gives the first one's.
    """
    seconds, plan = results.clock(), config.plan()
    made, refused = {}, {}
    for share, one in plan.config.probes.items():
        try:
            made[share] = finetune.run(one)
        except EcgtlError as error:
            refused[share] = str(error)
    if not made:
        raise EcgtlError(next(iter(refused.values())))
    last = [*made.values()][-1]
    arrays = {name: last.arrays[name] for name in ("test", "y_test")}
    for share, result in made.items():
        arrays |= {f"train_{share}": result.arrays["train"], f"prob_{share}": result.arrays["prob_validated"]}
    data = {**last.data, "refused": refused, "split": {share: one.data["split"] for share, one in made.items()}}
    how = results.provenance(str(plan.device), seconds(), plan.config.seed, torch.get_num_threads(), command)
    return Result(HOME, key_of(plan.config), plan.config.portable(), last.evidence,
                  scores(arrays, last.data["classes"]), [], data, arrays, how)


def key_of(config: ProbeConfig) -> str:
    """File name of a probe."""
    name = f"{config.dataset}-{config.tier}-{config.encoder.rpartition('/')[2].replace(':', '-')}-seed{config.seed}"
    return f"{name}-{cache.key_of(dataclasses.asdict(config))[:8]}"


def scores(arrays: dict[str, np.ndarray], classes: list[str]) -> dict:
    """Scores by share from the arrays of a result, with percentile limits over test recordings drawn again, and the
    reported score of the last share at the top.
    """
    y, found = arrays["y_test"], {}
    name, several = protocol(HOME).for_labels(y.ndim == 2, HOME).score, y.ndim == 2
    for share in (array.removeprefix("prob_") for array in arrays if array.startswith("prob_")):
        p = arrays[f"prob_{share}"].astype(np.float32)
        _, low, high = with_limits(name, y, p)
        found[share] = {**(score_multi_label if several else score)(y, p, tuple(classes)), "low": low, "high": high}
    return {name: found[share][name], **found}
