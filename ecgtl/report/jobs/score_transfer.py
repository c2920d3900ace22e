"""What the notebook that scores a checkpoint shows: the score, its rivals, and what it is made of."""

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib import pyplot as plt
from scipy import stats

from ecgtl import transferability
from ecgtl.analysis.names import RIVALS
from ecgtl.config import ScoreConfig
from ecgtl.jobs.rank import Ranking
from ecgtl.report import alt, badges, figures
from ecgtl.report.tables import html


def badge(ranking: Ranking) -> HTML:
    """What the recordings are."""
    return badges.of_recordings(ranking.target.recordings)


def target(ranking: Ranking) -> pd.DataFrame:
    """The target in a few lines: recordings, labels, what was left out."""
    found, scored = ranking.target, ranking.scores[0]
    positives = zip(found.names, found.table.sum(axis=0).tolist(), strict=True)
    return pd.DataFrame({"value": {
        "checkpoint": f"{scored.candidate.facts.arch} with {len(scored.names)} labels",
        "target": f"{found.recordings.name} {found.recordings.version}", "recordings": len(found.table),
        "labels": ", ".join(f"{name} {n}" for name, n in positives),
        "left out": ", ".join(f"{reason} {n}" for reason, n in found.left_out.items()) or "none"}})


def score(ranking: Ranking, config: ScoreConfig) -> HTML:
    """MELEP with its interval, and the measures it competes with."""
    (found,) = ranking.scores
    rows = []
    for name, value in found.measures.items():
        words, easy = RIVALS[name]
        limits = f"{found.low:.4f} to {found.high:.4f}" if name == f"melep_{config.weighting}" else "–"
        rows.append({"Measure": words, "Value": value if isinstance(value, int) else f"{value:.4f}",
                     "95 % interval": limits, "Easy when": easy})
    return html(pd.DataFrame(rows), f"One forward pass over {len(ranking.target.table)} recordings, "
                f"{found.seconds:.1f} s; interval from {config.resamples} resamples of the recordings")


def label_rows(ranking: Ranking, config: ScoreConfig) -> pd.DataFrame:
    """One row a target label: recordings with it, its ``weight`` in MELEP, its ``loss`` and its ``entropy`` in nats."""
    found, (scored,) = ranking.target, ranking.scores
    return pd.DataFrame({"label": found.names, "recordings": found.table.sum(axis=0),
                         "weight": transferability.label_weights(found.table, config.weighting),
                         "loss": scored.pair_losses.mean(axis=1), "entropy": _entropies(found.table)})


def labels(ranking: Ranking, config: ScoreConfig) -> HTML:
    """``label_rows`` as a reader sees them."""
    rows = label_rows(ranking, config)
    shown = rows.assign(**{name: rows[name].map("{:.4f}".format) for name in ("weight", "loss", "entropy")})
    columns = ["Target label", "Recordings", "Weight", "Loss (nats)", "Entropy (nats)"]
    return html(shown.set_axis(columns, axis=1), "MELEP is the sum of weight × loss. A loss as large as the label's "
                "entropy says that the checkpoint knows nothing of it")


def told(ranking: Ranking) -> plt.Figure:
    """How much of a target label's entropy (columns) each label of the checkpoint (rows) takes away, in %."""
    share, rows, columns = _told(ranking)
    labels = "label of the target", "label of the checkpoint", "% of the label's entropy"
    return figures.shades(share, rows, columns, np.char.mod("%.1f", share), labels, max(map(len, columns)) > 3, 1.9,
                          darkest=max(share.max(), 1.0))


def _told(ranking: Ranking) -> tuple[np.ndarray, list[str], list[str]]:
    """The shares in %, and the labels of the rows and of the columns."""
    found, (scored,) = ranking.target, ranking.scores
    rows, columns = ([name.replace("_", " ") for name in names] for names in (scored.names, found.names))
    return 100 * explained(scored.pair_losses, found.table).T, rows, columns


def told_said(ranking: Ranking) -> str:
    """What ``told`` says: the pairs of labels with the highest and the lowest share."""
    share, rows, columns = _told(ranking)
    pairs = {f"{row} of {column}": share[z, y] for z, row in enumerate(rows) for y, column in enumerate(columns)}
    return alt.by_panel({"Entropy of a target label that a label of the checkpoint takes away": alt.ordered(
        pairs, "{:.1f} %".format)})


def explained(pair_losses: np.ndarray, table: np.ndarray) -> np.ndarray:
    """1 - loss / entropy of each pair of labels (Y, Z), in [0, 1]; 0 for a label that all have, or none."""
    entropy = _entropies(table)[:, None]
    share = np.divide(entropy - pair_losses, entropy, out=np.zeros_like(pair_losses), where=entropy > 0)
    return np.clip(share, 0.0, 1.0)  # rounding


def _entropies(table: np.ndarray) -> np.ndarray:
    """Entropy in nats of each column of a 0/1 table (n, Y): the loss of a network that knows nothing."""
    return stats.bernoulli(table.mean(axis=0)).entropy()


def recomputed(ranking: Ranking, config: ScoreConfig) -> str:
    """One stable line: does the score follow from the losses of all pairs of labels?"""
    (found,) = ranking.scores
    rows = label_rows(ranking, config)
    agree = abs(float(rows["weight"] @ rows["loss"]) - found.value) < 1e-9
    return (f"MELEP of {len(ranking.target.table)} recordings with {len(rows)} labels, summed up from "
            f"{found.pair_losses.size} pairs: {'equal' if agree else 'DIFFERENT'}")
