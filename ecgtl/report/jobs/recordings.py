"""What the notebook ``recordings`` shows of a data set."""

import numpy as np
import pandas as pd
import seaborn
from IPython.display import HTML
from markupsafe import Markup
from matplotlib import pyplot as plt

from ecgtl.datasets import leads
from ecgtl.datasets.recordings import Recordings
from ecgtl.report import alt, figures


def chosen(recordings: Recordings, seconds: float, lead: int | str = 0) -> np.ndarray:
    """The first recording of each class that is long enough and has ``lead``; without classes three.

    Raises EcgtlError when none has the lead.
    """
    leads.check(recordings, (lead,), "skip")
    has_lead = np.array(leads.missing(recordings, (lead,))) == ""
    long_enough = np.flatnonzero((recordings.durations >= seconds) & has_lead)
    if recordings.multi_label or (recordings.labels < 0).all():
        return long_enough[:3]
    found, first = np.unique(recordings.labels[long_enough], return_index=True)
    return long_enough[first[found >= 0]]


def strips(recordings: Recordings, seconds: float, lead: int | str = 0) -> HTML:
    """A strip of each of the ``chosen`` recordings."""
    shown = (_strip(recordings, i, seconds, lead).data for i in chosen(recordings, seconds, lead))
    return HTML(Markup().join(map(Markup, shown)))


def _strip(recordings: Recordings, i: int, seconds: float, lead: int | str) -> HTML:
    words = figures.strip_words(recordings, i, lead)
    x = recordings.lead(i, lead)[:int(seconds * recordings.sampling_rate[i])]
    said = f"{words}: {seconds:g} s between {x.min():.2f} and {x.max():.2f} mV, SD {x.std():.2f} mV."
    return figures.shown(figures.strip(recordings, i, seconds, lead),
                         f"{words}. ECG paper: a large square is 0.2 s by 0.5 mV.", said.replace("-", "−"))


def class_counts(recordings: Recordings) -> plt.Figure:
    """Recordings per class, and the distribution of their lengths."""
    counts = recordings.counts()
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(figures.WIDTH, 3.2 + 0.25 * len(counts)),
                                          height_ratios=[0.25 * len(counts) + 0.3, 1.9])
    seaborn.barplot(x=[*counts.values()], y=[*counts], color="#0072B2", saturation=1, ax=upper)
    for bars in upper.containers:
        upper.bar_label(bars, padding=3)
    upper.set(xlabel="recordings", title="Classes", xmargin=0.15)
    seaborn.histplot(recordings.durations, bins=30, color="#0072B2", alpha=1, ax=lower)
    lower.set(xlabel="length (s)", ylabel="recordings", title="Lengths", yscale="log")
    return figure


def counts_said(recordings: Recordings) -> str:
    """What ``class_counts`` says."""
    seconds = recordings.durations
    return alt.by_panel({"Recordings by class": alt.ordered(recordings.counts(), "{:,}".format),
                         "Lengths": f"{seconds.min():.1f} to {seconds.max():.1f} s, median {np.median(seconds):.1f} s"})


def recordings_table(recordings) -> pd.DataFrame:
    """A data set in a few lines: recordings, subjects, classes, lengths, rates, leads, what was left out."""
    counts = ", ".join(f"{name} {n}" for name, n in recordings.counts().items()) or "no class labels"
    seconds = recordings.durations
    facts = {"recordings": len(recordings), "subjects": len(set(recordings.subjects.tolist())), "classes": counts,
             "length (s)": f"{seconds.min():.1f} to {seconds.max():.1f}, median {np.median(seconds):.1f}",
             "sampling rate (Hz)": ", ".join(f"{rate:g}" for rate in np.unique(recordings.sampling_rate)),
             "leads": ", ".join(np.unique(recordings.leads)),
             "left out": sum(map(len, recordings.skipped.values())), "exact duplicates": len(recordings.duplicates)}
    return pd.DataFrame({"value": facts})
