"""What tests of a user's own files share: a signal of two leads, and how a folder that holds one file is read."""

import numpy as np

from ecgtl.datasets import folder

RATE, LEADS = 250, ("I", "II")


def signal(seconds=8, n_leads=2, seed=0, rate=RATE):
    """Beats once a second in noise, mV, (samples, leads), rounded to microvolts."""
    rng, time = np.random.default_rng(seed), np.arange(seconds * rate) / rate
    beats = np.exp(-((time % 1 - 0.4) / 0.02) ** 2)[:, np.newaxis] * (1 + np.arange(n_leads))
    return (beats + rng.normal(0, 0.03, (len(time), n_leads))).round(3)


def read_one(path, **options):
    """The one recording of the folder that ``path`` lies in: mV (samples, leads), names of the leads, rate in Hz."""
    recordings = folder.read(path.parent, **options)
    assert recordings.ids.tolist() == [path.name.rpartition(".")[0] or path.name]
    return recordings.signal(0).T, recordings.leads[0].tolist(), float(recordings.sampling_rate[0])
