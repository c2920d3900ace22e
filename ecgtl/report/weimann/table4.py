"""Weimann 2021, Table 4: depth of the network."""

import pandas as pd
from IPython.display import HTML
from markupsafe import Markup

from ecgtl import experiments, models, published
from ecgtl.report.weimann.shared import CLASSES, PAPER, TABLE4, parameters, tuned


def footnotes() -> HTML:
    """The footnotes of Table 4."""
    return HTML(Markup("").join(Markup("<p>{} {}.</p>").format(mark, text[0].upper() + text[1:])
                                for mark, text in published.lookup(f"{PAPER}.table4.footnotes").items()))


def networks(tier: str) -> pd.DataFrame:
    """Parameters and work of the networks of Table 4, counted in the models, as the paper and as ``tier`` has them.

    Work is that of training on one recording, forward and backward (``models.training_flops``). Below them the part of
    ResNet-50 that future prediction pretrains.
    """
    stages = published.lookup(f"{PAPER}.scalars.resnet50_pretrained_stages.value")
    names = experiments.load(TABLE4).columns
    columns = {"Network": [*names, f"resnet50, first {stages} stages, no output"]}
    for size, words in (("paper", "the paper's size"), (tier, f"tier {tier}")):
        config, (whole, output) = tuned(size), parameters("resnet50", size, stages=stages)
        flops = [models.training_flops(name, 1, len(CLASSES), config.n_samples, width=config.width) for name in names]
        counts = [*(parameters(str(name), size)[0] for name in names), whole - output]
        columns[f"Parameters, {words}"] = [f"{n:,}" for n in counts]
        columns[f"GFLOP a recording, {words}"] = [*(f"{n / 1e9:.3g}" for n in flops), "–"]
    return pd.DataFrame(columns).replace({"Network": "resnet"}, "ResNet-", regex=True)
