"""Predicting recordings of one's own: ``ecgtl predict`` against one record after the other, as tutorials write it.

The plain way reads each record by ``wfdb.rdrecord``, resamples it by ``resample_poly`` and asks the same networks as
1-D layers in float32; it looks for beats with the same detector where the classifier does. The records are made: beats
at a rate of their own, with noise. Answers are compared. Beside it the memory of a day's Holter recording, in a process
of its own.
"""

import os
import re
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy import signal

from benchmarks.timing import Row, own_cache, take_turns
from benchmarks.training import PlainResNet
from ecgtl.config.classifier import shipped
from ecgtl.jobs import classifier, predict
from ecgtl.signals import rr_intervals

RATE, SECONDS, RECORDS = 300, 30, 1000
DAY = 24 * 3600


def made(seconds: float, seed: int, rate: int = RATE) -> np.ndarray:
    """Beats with noise, (samples,) in mV."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    phase = t * rng.uniform(0.9, 1.6) + 0.05 * np.sin(2 * np.pi * 0.2 * t)
    return np.exp(-(((phase % 1) - 0.5) / 0.025) ** 2) + 0.05 * rng.normal(size=len(t))


def write(folder: Path, name: str, x: np.ndarray) -> None:
    """One WFDB record of lead I."""
    import wfdb

    wfdb.wrsamp(name, RATE, ["mV"], ["I"], x[:, None], fmt=["16"], adc_gain=[1000.0], baseline=[0],
                write_dir=str(folder))


def plain(folder: Path, own: classifier.Classifier, networks: list[torch.nn.Module]) -> np.ndarray:
    """Probabilities of every record, one after the other."""
    import wfdb

    facts, found = own.facts, []
    for path in sorted(folder.glob("*.hea")):
        record = wfdb.rdrecord(str(path.with_suffix("")))
        x, rate, parts = record.p_signal[:, 0], int(record.fs), {}
        if networks:
            scaled = signal.resample_poly((x - facts.mean[0]) / facts.sd[0], int(facts.sampling_rate), rate)
            row = np.zeros((1, 1, facts.n_samples), np.float32)
            scaled = scaled[-facts.n_samples:]
            row[0, 0, facts.n_samples - len(scaled):] = scaled
            with torch.no_grad():
                each = [torch.softmax(network(torch.from_numpy(row)), dim=1) for network in networks]
            parts["network"] = torch.stack(each).mean(dim=0).numpy()
        if own.trees:
            features = classifier.rhythm(rr_intervals.detect_beats(x, rate), rate, len(x))
            parts["trees"] = own.trees.probabilities(features[None])
        if own.kind == "stack":
            parts["stack"] = classifier.stacked(parts["network"], parts["trees"], np.array(facts.stack))
        found.append(classifier.calibrated(parts[own.kind], facts.temperature)[0])
    return np.array(found)


def rows(repeats: int, n: int = RECORDS) -> list[Row]:
    """Seconds of a shipped classifier for so many records, and the memory of a day."""
    with own_cache(), tempfile.TemporaryDirectory() as place:
        folder, day = Path(place) / "records", Path(place) / "day"
        folder.mkdir()
        day.mkdir()
        for k in range(n):
            write(folder, f"{k:05d}", made(SECONDS, k))
        write(day, "holter", made(DAY if n == RECORDS else DAY / 24, 0))
        own = classifier.Classifier.load(shipped()[predict.DEFAULT], "cpu")
        networks = [PlainResNet(network).eval() for network in own.networks]
        answers = {}

        def ours() -> None:
            table = predict.predict(predict.DEFAULT, folder, device="cpu", report=lambda _: None)
            answers["ours"] = table.filter(like="probability_").to_numpy()

        def theirs() -> None:
            answers["plain"] = plain(folder, own, networks)

        seconds = take_turns({"ours": ours, "plain": theirs}, repeats)
        np.testing.assert_allclose(answers["ours"], answers["plain"], atol=0.05)  # bfloat16 against float32
        what = f"predicting {n} recordings of {SECONDS} s ({predict.DEFAULT})"
        return [Row(what, "s", seconds["ours"], seconds["plain"],
                    at_least=4.0),
                Row("peak memory of a day at 300 Hz", "GiB", _memory(day), at_most=1.0)]


def _memory(folder: Path) -> float:
    """GiB at most of a process that predicts ``folder``."""
    program = f"import sys; from benchmarks import predicting; predicting.alone({str(folder)!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    return float(done.stdout.split()[-1])


def alone(folder: str) -> None:
    """Predict, and print the most memory that was taken, in GiB."""
    predict.predict(predict.DEFAULT, folder, device="cpu", report=partial(print, file=sys.stderr))
    # Not getrusage's: what the parent process had would count
    print(int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]) / 2**20)
