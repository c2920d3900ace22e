"""Weimann 2021, Table 3: sampling rate of the target."""

import pandas as pd

from ecgtl import experiments, published
from ecgtl.report.weimann.shared import PAPER, TABLE3, pretraining_config


def rates(tier: str) -> pd.DataFrame:
    """What a column of Table 3 is in ``tier``: sampling rate and length of recordings, and the pretraining's rate."""
    entry = experiments.load(TABLE3)
    configs = {run.size: run.config for run in experiments.enumerate_runs(TABLE3, tier) if run.method == "random"}
    upstream = published.lookup(f"{PAPER}.scalars.icentia_sampling_rate.value")
    own = pretraining_config("beat", tier).rules.tiers[tier]["sampling_rate"]
    return pd.DataFrame([{"Column": entry.column_words(size), "Rate here": f"{config.sampling_rate:g} Hz",
                          "Input here": f"{config.seconds:g} s, {config.n_samples:,} samples",
                          "Pretrained at, in the paper": f"{upstream} Hz", "Pretrained at, here": f"{own:g} Hz"}
                         for size, config in configs.items()])
