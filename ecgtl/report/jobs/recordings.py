"""What the notebook ``recordings`` shows of a data set."""

import numpy as np
import pandas as pd
import seaborn
from matplotlib import pyplot as plt

from ecgtl.datasets import leads
from ecgtl.datasets.recordings import Recordings
from ecgtl.report.figures import strip


def one_of_each(recordings: Recordings, seconds: float, lead: int | str = 0) -> list[plt.Figure]:
    """A strip of the first recording of each class that is long enough and has ``lead``; without classes of three.

    Raises EcgtlError when none has the lead.
    """
    leads.check(recordings, (lead,), "skip")
    has_lead = np.array(leads.missing(recordings, (lead,))) == ""
    long_enough = np.flatnonzero((recordings.durations >= seconds) & has_lead)
    if recordings.multi_label or (recordings.labels < 0).all():
        chosen = long_enough[:3]
    else:
        found, first = np.unique(recordings.labels[long_enough], return_index=True)
        chosen = long_enough[first[found >= 0]]
    return [strip(recordings, i, seconds, lead) for i in chosen]


def class_counts(recordings: Recordings) -> plt.Figure:
    """Recordings per class, and the distribution of their lengths."""
    counts = recordings.counts()
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 2.8))
    seaborn.barplot(x=[*counts.values()], y=[*counts], color="#0072B2", saturation=1, ax=left)
    for bars in left.containers:
        left.bar_label(bars, padding=3)
    left.set(xlabel="recordings", title="Classes", xmargin=0.15)
    seaborn.histplot(recordings.durations, bins=30, color="#0072B2", alpha=1, ax=right)
    right.set(xlabel="length (s)", ylabel="recordings", title="Lengths", yscale="log")
    return figure


def recordings_table(recordings) -> pd.DataFrame:
    """A data set in a few lines: recordings, subjects, classes, lengths, rates, leads, what was left out."""
    counts = ", ".join(f"{name} {n}" for name, n in recordings.counts().items()) or "no class labels"
    seconds = recordings.durations
    facts = {"recordings": len(recordings), "subjects": len(set(recordings.subjects.tolist())), "classes": counts,
             "length (s)": f"{seconds.min():.1f} to {seconds.max():.1f}, median {np.median(seconds):.1f}",
             "sampling rate (Hz)": ", ".join(f"{rate:g}" for rate in np.unique(recordings.sampling_rate)),
             "leads": ", ".join(np.unique(recordings.leads)),
             "left out": sum(len(ids) for ids in recordings.skipped.values()),
             "exact duplicates": len(recordings.duplicates)}
    return pd.DataFrame({"value": facts})
