"""Labels of frames from annotations: beat, rhythm and heart rate (Weimann 2021, "Pretraining").

What a symbol or a rhythm's text counts as stands in ``frame_labels.yml``. Ties and cases that the paper leaves open
are decided as in the authors' public code, or leave the frame without a label: never a guess.

- Beat: the most frequent of premature atrial, aberrated and premature ventricular beats in the frame; of
  equal counts the first in that order. Without any of them the frame is normal, if its normal beats outnumber
  the undefined ones; else (no beat at all, too) it has no label.
- Rhythm: atrial fibrillation or flutter if the frame has any, the longer one, fibrillation when equal; else
  the longest of no class, noise and sinus rhythm, of equal ones the first in that order. "No class" gives no
  label; it is also what holds before the first mark of a recording.
- Heart rate: from the mean RR interval of the beats in the frame and one second on either side, within the
  recording: below 60, 60 to 100, above 100 per minute; noise where there are fewer than two beats.

A frame holds its first sample and not its ``stop``: a mark on the edge belongs to the frame that begins
there.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache as once
from pathlib import Path

import numpy as np

from ecgtl import paths
from ecgtl.datasets import cache
from ecgtl.datasets.recordings import UNLABELLED, Annotations, Recordings
from ecgtl.errors import EcgtlError
from ecgtl.signals import rr_intervals
from ecgtl.signals.window_index import LEAD, ratios

TABLE = Path(__file__).with_suffix(".yml")
BEATS = ("normal", "pac", "aberration", "pvc", "undefined")
RHYTHMS = ("normal", "afib", "aflut", "noise", "none")
SLOW, FAST = 60.0, 100.0  # beats a minute; both bounds are normal
AROUND = 1.0  # seconds on either side of a frame whose beats count for its heart rate
_NORMAL, _UNDEFINED, _NONE = 0, BEATS.index("undefined"), RHYTHMS.index("none")
_REST = [_NONE, RHYTHMS.index("noise"), RHYTHMS.index("normal")]  # but for fibrillation and flutter; for ties


@dataclass(frozen=True)
class Tracks:
    """The marks of all recordings of a source on one axis of integer ticks, ready for any number of frames.

    A tick divides both a sample of the recording and a sample of the frames, so nothing is rounded.

    ``bounds`` (R + 1,) where each recording begins and ends; ``per_sample`` (R,) ticks in a sample of the
    frames' rate; ``per_second`` (R,); ``beats`` (B,) sorted and ``counts`` (B + 1, len(BEATS)), how many of
    each class come before; ``qrs`` (Q,) sorted; ``changes`` (K,) where a rhythm begins, ``rhythms`` (K,)
    which, and ``spent`` (K, len(RHYTHMS)), how long each has lasted until then.
    """

    bounds: np.ndarray
    per_sample: np.ndarray
    per_second: np.ndarray
    beats: np.ndarray
    counts: np.ndarray
    qrs: np.ndarray
    changes: np.ndarray
    rhythms: np.ndarray
    spent: np.ndarray

    def ticks(self, record: np.ndarray, sample: np.ndarray) -> np.ndarray:
        """Where samples (n,) at the frames' rate lie on the axis, for recordings (n,) by number."""
        return self.bounds[record] + sample * self.per_sample[record]

    def beat_counts(self, record: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Beats of each class (n, len(BEATS)) in frames ``[start, stop)`` (n,) of recordings (n,)."""
        first, last = (np.searchsorted(self.beats, self.ticks(record, edge)) for edge in (start, stop))
        return self.counts[last] - self.counts[first]

    def heart_rates(self, record: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Beats a minute (n,) by the mean RR interval in frames ``[start, stop)`` (n,) and ``AROUND`` them.

        NaN where there are fewer than two beats. No frame looks beyond its recording.
        """
        margin = np.rint(AROUND * self.per_second[record]).astype(np.int64)
        low = np.maximum(self.ticks(record, start) - margin, self.bounds[record])
        high = np.minimum(self.ticks(record, stop) + margin, self.bounds[record + 1])
        first, end = np.searchsorted(self.qrs, low), np.searchsorted(self.qrs, high)
        known = np.flatnonzero(end - first >= 2)
        lasted = self.qrs[end[known] - 1] - self.qrs[first[known]]
        known, lasted = known[lasted > 0], lasted[lasted > 0]
        rates = np.full(len(low), np.nan)
        rates[known] = 60 * self.per_second[record[known]] * (end - first - 1)[known] / lasted
        return rates

    def spent_until(self, tick: np.ndarray) -> np.ndarray:
        """How long each rhythm has lasted (n, len(RHYTHMS)) before each ``tick`` (n,)."""
        last = np.searchsorted(self.changes, tick, side="right") - 1
        spent = np.array(self.spent[last])
        spent[np.arange(len(tick)), self.rhythms[last]] += tick - self.changes[last]
        return spent

    def save(self, folder: Path) -> None:
        """Write every array into ``folder``."""
        for name, array in vars(self).items():
            np.save(folder / f"{name}.npy", array)

    @classmethod
    def load(cls, folder: Path) -> "Tracks":
        """The tracks in ``folder``, memory-mapped: they take no memory of their own however long they are."""
        return cls(**{field.name: np.asarray(np.load(folder / f"{field.name}.npy", mmap_mode="r", allow_pickle=False))
                      for field in fields(cls)})


def beat(tracks: Tracks, record: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Class of each frame (n,), index into ``TASKS["beat"].classes``, or ``UNLABELLED``."""
    counts = tracks.beat_counts(record, start, stop)
    abnormal = counts[:, 1:_UNDEFINED]
    rest = np.where(counts[:, _NORMAL] > counts[:, _UNDEFINED], _NORMAL, UNLABELLED)
    return np.where(abnormal.any(axis=1), 1 + abnormal.argmax(axis=1), rest)


def rhythm(tracks: Tracks, record: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Class of each frame (n,), index into ``TASKS["rhythm"].classes``, or ``UNLABELLED``."""
    ticks = tracks.spent_until(tracks.ticks(record, stop)) - tracks.spent_until(tracks.ticks(record, start))
    first = ticks[:, 1:3]
    rest = np.array(_REST)[ticks[:, _REST].argmax(axis=1)]
    rest = np.where(rest == _NONE, UNLABELLED, rest)
    return np.where(first.any(axis=1), 1 + first.argmax(axis=1), rest)


def heart_rate(tracks: Tracks, record: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Class of each frame (n,), index into ``TASKS["heart_rate"].classes``; every frame has one."""
    rates = tracks.heart_rates(record, start, stop)
    return np.select([rates < SLOW, rates <= FAST, rates > FAST], [0, 1, 2], 3)


@dataclass(frozen=True)
class Task:
    """Names of the classes, and the rule that gives frames theirs."""

    classes: tuple[str, ...]
    rule: Callable[[Tracks, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


TASKS = {"beat": Task(BEATS[:_UNDEFINED], beat), "rhythm": Task(RHYTHMS[:_NONE], rhythm),
         "heart_rate": Task(("bradycardia", "normal", "tachycardia", "noise"), heart_rate)}


@once
def meanings() -> dict:
    """``frame_labels.yml`` turned round: ``beats`` symbol -> number in ``BEATS`` or -1 for no beat; ``rhythms``
    text -> number in ``RHYTHMS``; ``no_qrs`` symbols of beats without a QRS complex.
    """
    table = paths.facts("signals/frame_labels")
    beats = {symbol: BEATS.index(name) for name, symbols in table["beats"].items() for symbol in symbols}
    rhythms = {text: RHYTHMS.index(name) for name, texts in table["rhythms"].items() for text in texts}
    return {"beats": beats | dict.fromkeys(table["other"], -1), "rhythms": rhythms, "no_qrs": table["no_qrs"]}


def tracks_of(recordings: Recordings, rate: float, annotations: Annotations | None = None) -> Tracks:
    """The marks of ``recordings`` for frames at ``rate`` Hz; ``annotations`` in place of their own.

    Raises EcgtlError when there are no marks, and for those that ``frame_labels.yml`` does not know. They lie inside
    the signal and in order, as loaders leave them (``datasets.mitdb.marks``).
    """
    marks = recordings.annotations if annotations is None else annotations
    if marks is None:
        raise EcgtlError(f"{recordings.name} has no annotations, from which frames get their labels; choose "
                         "sources that have (mitdb, icentia11k), or objective=heart_rate: it finds the beats")
    up, down = ratios(recordings, rate)
    lengths = np.diff(recordings.offsets)
    bounds = np.concatenate([[0], np.cumsum(-(-lengths * up // down) * down)])
    record = np.repeat(np.arange(len(recordings)), np.diff(marks.offsets))
    at = bounds[record] + marks.sample * up[record]
    return Tracks(bounds=bounds, per_sample=down, per_second=recordings.sampling_rate * up,
                  **_beats(recordings, marks, record, at), **_rhythms(recordings, marks, record, at, bounds))


def _beats(recordings: Recordings, marks: Annotations, record: np.ndarray, at: np.ndarray) -> dict[str, np.ndarray]:
    kind = _numbers(marks.symbol, meanings()["beats"], "symbol", recordings, record)
    no_qrs = np.isin(marks.symbol, meanings()["no_qrs"])
    found = kind >= 0
    counts = np.zeros((found.sum() + 1, len(BEATS)), np.int32)
    counts[np.arange(1, len(counts)), kind[found]] = 1
    return {"beats": at[found], "counts": counts.cumsum(axis=0, dtype=np.int32), "qrs": at[found & ~no_qrs]}


def _rhythms(recordings: Recordings, marks: Annotations, record: np.ndarray, at: np.ndarray,
             bounds: np.ndarray) -> dict[str, np.ndarray]:
    changed = marks.symbol == "+"
    kind = _numbers(marks.aux[changed], meanings()["rhythms"], "rhythm", recordings, record[changed])
    # Every recording begins without a rhythm; of marks at one place the last holds, for it alone lasts
    changes = np.concatenate([bounds[:-1], at[changed]])
    order = np.argsort(changes, kind="stable")
    rhythms = np.concatenate([np.full(len(recordings), _NONE), kind]).astype(np.int8)
    changes, rhythms = changes[order], rhythms[order]
    lasted = np.zeros((len(changes), len(RHYTHMS)), np.int64)
    lasted[np.arange(len(changes)), rhythms] = np.diff(changes, append=bounds[-1])
    return {"changes": changes, "rhythms": rhythms, "spent": lasted.cumsum(axis=0) - lasted}


def _numbers(words: np.ndarray, meaning: dict[str, int], what: str, recordings: Recordings,
             record: np.ndarray) -> np.ndarray:
    """What each of ``words`` (n,) means, int64 (n,); EcgtlError for one that ``frame_labels.yml`` does not know."""
    found, inverse = np.unique(words, return_inverse=True)
    unknown = [str(word) for word in found if str(word) not in meaning]
    if unknown:
        first = recordings.ids[record[(words == unknown[0]).argmax()]]
        raise EcgtlError(f"{recordings.name} {first} has the unmapped {what} {unknown[0]!r}; add it to "
                         f"{TABLE.name}, under the class that it belongs to")
    return np.array([meaning[str(word)] for word in found], np.int64)[inverse.reshape(-1)]


def cached_tracks(task: str, recordings: Recordings, rate: float) -> Tracks:
    """Tracks for ``task``, memory-mapped from the cache.

    ``heart_rate`` takes the beats from a QRS detector where the recordings have none.
    """
    table = hashlib.sha256(TABLE.read_bytes()).hexdigest()
    parts = {"digest": recordings.digest, "rate": rate, "table": table, "version": 2}
    parts |= {"lead": LEAD} if task == "heart_rate" else {}

    def build(folder: Path) -> None:
        detect = task == "heart_rate" and not _read_by(task, recordings).any()
        tracks_of(recordings, rate, detected_beats(recordings) if detect else None).save(folder)

    return Tracks.load(cache.entry("labels", parts, build))


def unmarked(task: str, *sources: Recordings) -> list[str]:
    """Recordings of the subjects without any mark that ``task`` reads, where others of the ``sources`` have some.

    Nobody has annotated them, so their frames have no label, nor are they noise to ``heart_rate``.
    """
    counts, ids, subjects = map(np.concatenate, zip(*((_read_by(task, r), r.ids, r.subjects) for r in sources),
                                                    strict=True))
    subject = np.unique(subjects, return_inverse=True)[1]
    return ids[np.bincount(subject, counts)[subject] == 0].tolist() if counts.any() else []


def _read_by(task: str, recordings: Recordings) -> np.ndarray:
    """How many marks of each recording (R,) the task reads: rhythm changes, or beats."""
    marks = recordings.annotations
    if marks is None:
        return np.zeros(len(recordings), np.int64)
    beats = [symbol for symbol, kind in meanings()["beats"].items() if kind >= 0]
    record = np.repeat(np.arange(len(recordings)), np.diff(marks.offsets))
    return np.bincount(record[np.isin(marks.symbol, "+" if task == "rhythm" else beats)], minlength=len(recordings))


def detected_beats(recordings: Recordings) -> Annotations:
    """Beats of the first lead by wfdb's XQRS detector, as marks of unclassified beats (``Q``)."""
    lengths = np.diff(recordings.offsets)
    beats = [np.sort(one[(one >= 0) & (one < n)])
             for one, n in zip(rr_intervals.beats_of(recordings, LEAD), lengths, strict=True)]
    sample = np.concatenate(beats)
    return Annotations(sample, np.full(len(sample), "Q"), np.full(len(sample), ""), np.cumsum([0, *map(len, beats)]))
