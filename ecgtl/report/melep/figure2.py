"""MELEP 2023, Figure 2: the Bi-LSTM."""

import numpy as np
from matplotlib.figure import Figure

from ecgtl.report.flowchart import Box, flow
from ecgtl.report.melep.network_diagrams import network, options, shape, size


def bilstm_figure(tier: str) -> Figure:
    """The Bi-LSTM: both directions, their outputs together, and the one layer that a transfer replaces."""
    lstm, output = network("bilstm", tier)
    facts = (f"{options('bilstm', tier)['width']} units, four gates", f"{lstm.parameters // 2:,} parameters")
    ways = [Box(way, f"LSTM, {way}", facts, "transferred") for way in ("forwards", "backwards")]
    rows = [[Box("in", "recording", (size(shape(tier)),), "signal")], ways,
            [Box("both", "outputs of every step", (lstm.size, f"flattened: {np.prod(lstm.shape):,}"), "signal")],
            [Box("out", "linear", (f"{output.parameters:,} parameters", f"{output.shape[0]} labels"), "vector")]]
    arrows = [("in", "forwards"), ("forwards", "both"), ("both", "out"), ("in", "backwards"), ("backwards", "both")]
    words = {"signal": "channels × length", "transferred": "taken over", "vector": "new in a transfer"}
    return flow(rows, arrows, words)
