"""Labels of frames: every rule on hand-made tracks, and against a slow, plain reading of the same rules."""

import numpy as np
import pytest
from messages import one_line

from ecgtl.datasets import mitdb
from ecgtl.datasets.collector import Collector, Reading
from ecgtl.datasets.recordings import UNLABELLED
from ecgtl.errors import EcgtlError
from ecgtl.signals import frame_labels

RATE = 250.0
NORMAL, PAC, ABERRATION, PVC = range(4)
AFIB, AFLUT, NOISE = 1, 2, 3
SLOW, STEADY, FAST, UNREADABLE = range(4)


def recordings(*tracks, rate=RATE, length=10_000, name="made"):
    """Recordings whose marks are given as (sample, symbol) or (sample, symbol, text) each."""
    collector = Collector(name, "1", classes=())
    for k, marks in enumerate(tracks):
        whole = [(*mark, "")[:3] for mark in marks]
        columns = ([m[0] for m in whole], [m[1] for m in whole], [m[2] for m in whole])
        signal = np.random.default_rng(k).integers(-500, 500, (length, 1)).astype(np.int16)
        collector.add(Reading(f"r{k}", signal, rate, ["I"], [1000.0], [0.0], marks=columns), name)
    return collector.recordings()


def label(task, marks, start, stop, rate=RATE, length=10_000):
    """Class of one frame ``[start, stop)`` in samples at 250 Hz."""
    tracks = frame_labels.tracks_of(recordings(marks, rate=rate, length=length), RATE)
    found = frame_labels.TASKS[task].rule(tracks, np.array([0]), np.array([start]), np.array([stop]))
    return int(found[0])


def beats(symbols, step=200, first=100):
    """Marks of ``symbols`` at equal distances."""
    return [(first + k * step, symbol) for k, symbol in enumerate(symbols)]


# --- beats --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("symbols, expected", [
    ("NNNN", NORMAL), ("NNAN", PAC), ("NNVN", PVC), ("NNaN", ABERRATION), ("NNNNNNNA", PAC),
    ("AVV", PVC), ("AAV", PAC), ("aaA", ABERRATION), ("VVVaaaa", ABERRATION),
    # Of equal counts: atrial, aberrated, ventricular
    ("AV", PAC), ("VA", PAC), ("aV", ABERRATION), ("Va", ABERRATION), ("aA", PAC), ("VaA", PAC),
    # Beats of which nobody said what they are count as much as normal ones
    ("QNN", NORMAL), ("QN", UNLABELLED), ("QQN", UNLABELLED), ("QQQ", UNLABELLED), ("QQQA", PAC),
    ("", UNLABELLED),
    # What Icentia11k has no symbol for
    ("LRBejnE/f", NORMAL), ("NJ", PAC), ("NS", PAC), ("Nx", PAC), ("Nr", PVC), ("NF", PVC),
    ("!!N", UNLABELLED),
])
def test_the_beat_of_a_frame(symbols, expected):
    assert label("beat", beats(symbols), 0, 5000) == expected


@pytest.mark.parametrize("start, stop, expected", [
    (0, 1000, NORMAL), (0, 1001, PVC), (1000, 1001, PVC), (1001, 2000, UNLABELLED), (999, 1000, UNLABELLED),
    (0, 100, UNLABELLED), (0, 101, NORMAL), (100, 101, NORMAL)])
def test_a_beat_on_the_edge_belongs_to_the_frame_that_begins_there(start, stop, expected):
    assert label("beat", [(100, "N"), (1000, "V")], start, stop) == expected


def test_marks_that_are_no_beats_count_for_nothing():
    marks = [(10, "+", "(AFIB"), (20, "~"), (30, '"', "MISSB"), (40, "|"), (50, "N")]
    assert label("beat", marks, 0, 60) == NORMAL
    assert label("beat", marks[:-1], 0, 60) == UNLABELLED


# --- rhythms ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("marks, expected", [
    ([(0, "(N")], NORMAL), ([(0, "(AFIB")], AFIB), ([(0, "(AFL")], AFLUT), ([(0, ")")], NOISE),
    # Fibrillation and flutter first, however short; the longer of both; fibrillation when equal
    ([(0, "(N"), (1999, "(AFIB")], AFIB), ([(0, ")"), (1990, "(AFL")], AFLUT),
    ([(0, "(AFIB"), (900, "(AFL")], AFLUT), ([(0, "(AFL"), (900, "(AFIB")], AFIB),
    ([(0, "(AFL"), (1000, "(AFIB")], AFIB), ([(0, "(AFIB"), (1000, "(AFL")], AFIB),
    ([(0, "(AFL"), (400, "(AFIB"), (900, "(AFL"), (1000, "(AFIB"), (1490, "(AFL")], AFLUT),
    # Otherwise the longest, in several pieces too; of equal ones noise before sinus rhythm
    ([(0, "(N"), (999, ")")], NOISE), ([(0, "(N"), (1001, ")")], NORMAL), ([(0, "(N"), (1000, ")")], NOISE),
    ([(0, "(N"), (600, ")"), (1000, "(N"), (1500, ")")], NORMAL),
    # Sinus rhythm under another name; and what the paper has no class for
    ([(0, "(B"), (700, "(SBR"), (1400, "(T")], NORMAL), ([(0, "(P")], UNLABELLED),
    ([(0, "(P"), (999, "(N")], NORMAL), ([(0, "(P"), (1000, "(N")], UNLABELLED),
    ([(0, "(VT"), (1999, "(AFIB")], AFIB),
    # Nothing holds before the first mark
    ([], UNLABELLED), ([(999, "(N")], NORMAL), ([(1000, "(N")], UNLABELLED), ([(2000, "(N")], UNLABELLED),
    # Of marks at one place the last holds
    ([(0, "(N"), (0, "(AFIB")], AFIB), ([(0, "(AFIB"), (0, "(N")], NORMAL),
])
def test_the_rhythm_of_a_frame(marks, expected):
    assert label("rhythm", [(at, "+", text) for at, text in marks], 0, 2000) == expected


@pytest.mark.parametrize("start, stop, expected", [
    (3000, 3100, AFIB), (4999, 5100, AFIB), (5000, 5100, NORMAL), (2000, 2500, AFIB), (1900, 2000, NORMAL),
    (1900, 2001, AFIB), (9000, 10_000, NORMAL)])
def test_a_rhythm_lasts_until_the_next_one(start, stop, expected):
    marks = [(0, "+", "(N"), (2000, "+", "(AFIB"), (5000, "+", "(N")]
    assert label("rhythm", marks, start, stop) == expected


def test_no_rhythm_lasts_into_the_next_recording():
    made = recordings([(0, "+", "(AFIB")], [(5000, "+", "(N")], [])
    tracks = frame_labels.tracks_of(made, RATE)
    record, start = np.array([0, 1, 1, 2]), np.array([9000, 0, 5000, 9000])
    found = frame_labels.rhythm(tracks, record, start, start + 1000)
    assert found.tolist() == [AFIB, UNLABELLED, NORMAL, UNLABELLED]


# --- heart rates --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step, expected", [(251, SLOW), (250, STEADY), (200, STEADY), (150, STEADY),
                                            (149, FAST), (60, FAST)])
def test_the_bounds_of_a_normal_rate_are_normal(step, expected):
    assert label("heart_rate", beats("N" * 20, step), 0, 4000) == expected


@pytest.mark.parametrize("symbols, expected", [
    ("", UNREADABLE), ("N", UNREADABLE), ("Nx", UNREADABLE), ("NN", STEADY), ("N|~N", STEADY), ("QQ", STEADY),
    ("V/", STEADY)])
def test_a_rate_needs_two_beats_of_any_kind(symbols, expected):
    marks = [(100 + 200 * (k > 0), symbol) for k, symbol in enumerate(symbols)]
    assert label("heart_rate", marks, 0, 2000) == expected


def test_two_marks_at_one_place_give_no_rate():
    assert label("heart_rate", [(100, "N"), (100, "V")], 0, 2000) == UNREADABLE


@pytest.mark.parametrize("at, expected", [(749, UNREADABLE), (750, FAST), (1749, FAST), (1750, UNREADABLE)])
def test_a_second_on_either_side_counts(at, expected):
    """The frame is 1000 to 1500; the first beat stands in it or behind it, the second 100 samples away from
    it.
    """
    first, second = (at, at + 100) if at < 1500 else (at - 100, at)
    assert label("heart_rate", [(first, "N"), (second, "N")], 1000, 1500) == expected


def test_the_second_before_a_frame_does_not_reach_into_another_recording():
    made = recordings([(9900, "N"), (9990, "N")], [(10, "N")])
    tracks = frame_labels.tracks_of(made, RATE)
    assert frame_labels.heart_rate(tracks, np.array([1]), np.array([0]), np.array([500])).tolist() == [UNREADABLE]
    assert frame_labels.heart_rate(tracks, np.array([0]), np.array([9500]), np.array([10_000])).tolist() == [FAST]


def test_the_rate_is_that_of_the_mean_interval():
    tracks = frame_labels.tracks_of(recordings([(0, "N"), (100, "N"), (400, "N")], rate=500.0), RATE)
    rates = tracks.heart_rates(np.array([0, 0]), np.array([0, 900]), np.array([300, 1000]))
    assert rates[0] == pytest.approx(60 * 500 / 200)
    assert np.isnan(rates[1])


# --- many frames at once ------------------------------------------------------------------------------------


def made_up(rng, rate, length):
    """Random marks of all kinds, sorted, some at one place."""
    symbols = [*"NNNNNLAaVFQx/!~|", "+", "+", "+"]
    n = rng.integers(0, 60)
    at = np.sort(rng.integers(0, length, n))
    texts = ["(N", "(AFIB", "(AFL", ")", "(B", "(P", "(VT"]
    drawn = rng.choice(symbols, n)
    return [(int(k), str(s), str(rng.choice(texts)) if s == "+" else "")
            for k, s in zip(at, drawn, strict=True)]


def plain(task, marks, rate, length, start, stop):
    """The rules read aloud, one frame and one mark at a time; times in samples at 250 Hz."""
    scale = RATE / rate
    table = frame_labels.meanings()
    inside = [(s, a) for k, s, a in marks if start <= k * scale < stop]
    if task == "beat":
        names = [frame_labels.BEATS[table["beats"][s]] for s, _ in inside if table["beats"][s] >= 0]
        ranked = sorted(("pac", "aberration", "pvc"), key=lambda name: -names.count(name))
        if names.count(ranked[0]):
            return frame_labels.TASKS["beat"].classes.index(ranked[0])
        return NORMAL if names.count("normal") > names.count("undefined") else UNLABELLED
    if task == "rhythm":
        changes = [(-1.0, "none")]
        changes += [(k * scale, frame_labels.RHYTHMS[table["rhythms"][a]]) for k, s, a in marks if s == "+"]
        ends = [k for k, _ in changes[1:]] + [length * scale + 1]
        lasted = dict.fromkeys(frame_labels.RHYTHMS, 0.0)
        for (begin, name), end in zip(changes, ends, strict=True):
            lasted[name] += max(0.0, min(end, stop) - max(begin, start))
        lasted = {name: round(value, 6) for name, value in lasted.items()}
        for names in (("afib", "aflut"), ("none", "noise", "normal")):
            longest = max(names, key=lambda name: lasted[name])
            if lasted[longest] > 0:
                return UNLABELLED if longest == "none" else frame_labels.TASKS["rhythm"].classes.index(longest)
    qrs = [k * scale for k, s, _ in marks if table["beats"][s] >= 0 and s != "x"]
    near = [at for at in qrs if start - RATE <= at < stop + RATE]
    if len(near) < 2 or near[-1] == near[0]:
        return UNREADABLE
    rate = 60 * RATE / ((near[-1] - near[0]) / (len(near) - 1))
    return SLOW if rate < 60 else STEADY if rate <= 100 else FAST


@pytest.mark.parametrize("task", frame_labels.TASKS)
@pytest.mark.parametrize("rate", [250.0, 360.0, 128.0, 500.0])
def test_many_frames_of_many_recordings_against_one_frame_at_a_time(task, rate):
    rng = np.random.default_rng([7, int(rate)])
    length = 4000
    marks = [made_up(rng, rate, length) for _ in range(12)]
    tracks = frame_labels.tracks_of(recordings(*marks, rate=rate, length=length), RATE)
    last = int(length * RATE / rate)
    record = rng.integers(0, 12, 600)
    start = rng.integers(0, last - 50, 600)
    stop = np.minimum(start + rng.choice([50, 300, 900], 600), last)
    start[:24], stop[:24], record[:24] = 0, last, np.arange(24) % 12
    got = frame_labels.TASKS[task].rule(tracks, record, start, stop)
    frames = zip(record, start, stop, strict=True)
    expected = [plain(task, marks[r], rate, length, a, b) for r, a, b in frames]
    assert got.tolist() == expected
    classes = set(range(len(frame_labels.TASKS[task].classes))) | (set() if task == "heart_rate" else {UNLABELLED})
    assert set(expected) == classes  # every class was put to the test


def test_recordings_of_different_rates_share_one_axis():
    marks = beats("NNVN", step=144, first=72)
    fast, slow = recordings(marks, rate=360.0), recordings(marks, rate=180.0)
    collector = Collector("both", "1", classes=())
    for made in (fast, slow):
        sample, symbol, aux = made.annotations.of(0)
        rate = float(made.sampling_rate[0])
        marked = (sample, symbol, aux)
        collector.add(Reading(f"r{rate}", made.samples, rate, ["I"], [1000.0], [0.0], marks=marked), "both")
    tracks = frame_labels.tracks_of(collector.recordings(), RATE)
    # The premature beat is mark 2, at 360 samples: at 250 Hz that is sample 250 of one and 500 of the other
    record, start = np.array([0, 0, 1, 1]), np.array([250, 251, 500, 501])
    assert frame_labels.beat(tracks, record, start, start + 10).tolist() == [PVC, UNLABELLED, PVC, UNLABELLED]
    assert frame_labels.beat(tracks, record[:2], start[:2] - 10, start[:2]).tolist() == [UNLABELLED, PVC]


@pytest.mark.parametrize("empty", ["beats", "rhythms", "all"])
def test_tracks_come_back_from_the_cache(empty, monkeypatch):
    marks = {"beats": [(5, "+", "(N")], "rhythms": beats("NAN"), "all": []}[empty]
    made = recordings(marks, beats("NVN"), name=f"kept-{empty}")
    fresh = frame_labels.tracks_of(made, 125.0)
    frame_labels.cached_tracks("beat", made, 125.0)
    monkeypatch.setattr(frame_labels, "tracks_of", None)
    again = frame_labels.cached_tracks("rhythm", made, 125.0)
    record, start, stop = np.array([0, 1]), np.array([0, 0]), np.array([600, 600])
    for task in frame_labels.TASKS.values():
        got, expected = (task.rule(tracks, record, start, stop) for tracks in (again, fresh))
        assert got.tolist() == expected.tolist()
    with pytest.raises(TypeError):  # another rate is another entry
        frame_labels.cached_tracks("beat", made, 250.0)


# --- what marks mean ----------------------------------------------------------------------------------------


def test_every_mark_that_wfdb_knows_has_a_meaning():
    """Oracle: wfdb's own table of symbols, and of which of them are QRS complexes."""
    from wfdb.io import annotation

    table = frame_labels.meanings()
    names = {a.symbol: a.label_store for a in annotation.ann_labels if a.symbol.strip()}
    assert set(table["beats"]) == set(names)
    qrs = {symbol for symbol, kind in table["beats"].items() if kind >= 0 and symbol not in table["no_qrs"]}
    assert qrs == {symbol for symbol, code in names.items() if annotation.is_qrs[code]}


def test_no_symbol_stands_in_two_places():
    import yaml

    table = yaml.safe_load(frame_labels.TABLE.read_text())
    for words in ([*table["beats"].values(), table["other"]], table["rhythms"].values()):
        flat = [word for group in words for word in group]
        assert len(flat) == len(set(flat))
    assert list(table["beats"]) == list(frame_labels.BEATS)
    assert set(table["rhythms"]) == set(frame_labels.RHYTHMS)


# --- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("marks, words", [
    ([(10, "%")], ["r0", "symbol '%'", "labels.yml"]),
    ([(10, "+", "(XYZ")], ["r0", "rhythm '(XYZ'", "labels.yml"]),
    ([(10, "+", "")], ["rhythm ''"]),
])
def test_marks_that_cannot_be_trusted_get_one_line(marks, words):
    with pytest.raises(EcgtlError) as error:
        frame_labels.tracks_of(recordings(marks), RATE)
    one_line(error, "made", *words)


def test_marks_out_of_order_between_recordings_are_in_order():
    tracks = frame_labels.tracks_of(recordings([(900, "N")], [(10, "V")]), RATE)
    assert frame_labels.beat(tracks, np.array([1]), np.array([0]), np.array([20])).tolist() == [PVC]


def test_recordings_without_annotations():
    made = recordings([])
    bare = Collector("bare", "1", classes=())
    bare.add(Reading("r0", made.samples, RATE, ["I"], [1000.0], [0.0]), "bare")
    with pytest.raises(EcgtlError) as error:
        frame_labels.tracks_of(bare.recordings(), RATE)
    one_line(error, "bare", "no annotations", "heart_rate")


# --- beats from a detector ----------------------------------------------------------------------------------


def ecg(bpm, seconds, rate, seed=0):
    """Spikes with noise, in stored units of 1000 per mV; and where the spikes are."""
    rng = np.random.default_rng(seed)
    at = np.arange(0.4, seconds - 0.3, 60 / bpm)
    t = np.arange(round(seconds * rate)) / rate
    x = sum(np.exp(-(((t - peak) / 0.012) ** 2)) for peak in at) + 0.02 * rng.normal(size=len(t))
    return np.round(1000 * x).astype(np.int16)[:, np.newaxis], at


def unmarked(name, marks):
    """Three recordings at 45, 75 and 130 beats a minute, with ``marks`` each."""
    collector = Collector(name, "1", classes=())
    for k, bpm in enumerate((45, 75, 130)):
        signal, _ = ecg(bpm, 30, 200, k)
        collector.add(Reading(f"r{k}", signal, 200.0, ["I"], [1000.0], [0.0], marks=marks), name)
    return collector.recordings()


@pytest.mark.parametrize("marks", [None, ([0], ["+"], ["(N"])], ids=["no annotations", "no beats"])
def test_heart_rates_from_a_detector_where_nobody_marked_beats(marks):
    made = unmarked(f"unmarked-{marks is None}", marks)
    tracks = frame_labels.cached_tracks("heart_rate", made, RATE)
    record, start = np.repeat([0, 1, 2], 3), np.tile([1000, 3000, 5000], 3)
    got = tracks.heart_rates(record, start, start + 2048)
    np.testing.assert_allclose(got, np.repeat([45, 75, 130], 3), rtol=0.03)
    found = frame_labels.heart_rate(tracks, record, start, start + 2048)
    assert found.tolist() == [SLOW] * 3 + [STEADY] * 3 + [FAST] * 3


def test_a_detector_does_not_say_of_what_kind_a_beat_is():
    made = unmarked("unmarked", None)
    detected = frame_labels.detected_beats(made)
    tracks = frame_labels.tracks_of(made, RATE, detected)
    assert tracks.beat_counts(np.array([1]), np.array([0]), np.array([7000]))[0, -1] > 25
    assert frame_labels.beat(tracks, np.array([1]), np.array([0]), np.array([7000])).tolist() == [UNLABELLED]
    with pytest.raises(EcgtlError) as error:
        frame_labels.cached_tracks("beat", made, RATE)
    one_line(error, "unmarked", "no annotations")


def test_detected_beats_lie_where_the_spikes_are():
    signal, at = ecg(72, 20, 250)
    collector = Collector("spikes", "1", classes=())
    collector.add(Reading("r0", signal, 250.0, ["I"], [1000.0], [0.0]), "spikes")
    sample, symbol, _ = frame_labels.detected_beats(collector.recordings()).of(0)
    assert set(symbol.tolist()) == {"Q"}
    # The detector may miss beats while it learns
    assert len(at) - 2 <= len(sample) <= len(at)
    assert np.abs(sample[:, np.newaxis] / 250 - at).min(axis=1).max() < 0.06


# --- real annotations ---------------------------------------------------------------------------------------


@pytest.mark.needs("mitdb")
def test_real_annotations_against_one_frame_at_a_time(real_data):
    made = mitdb.read(real_data)
    tracks = frame_labels.tracks_of(made, RATE)
    rng = np.random.default_rng(0)
    record = rng.integers(0, len(made), 80)
    start = rng.integers(0, 440_000, 80)
    columns = [made.annotations.of(i) for i in range(len(made))]
    marks = [list(zip(*(column.tolist() for column in three), strict=True)) for three in columns]
    for task in frame_labels.TASKS:
        got = frame_labels.TASKS[task].rule(tracks, record, start, start + 1000)
        expected = [plain(task, marks[r], 360.0, 650_000, a, a + 1000)
                    for r, a in zip(record, start, strict=True)]
        assert got.tolist() == expected
        assert len(set(expected)) >= 3


@pytest.mark.needs("mitdb")
def test_records_known_for_their_rhythm(real_data):
    made = mitdb.read(real_data)
    tracks = frame_labels.tracks_of(made, RATE)
    ids = made.ids.tolist()
    start = np.arange(0, 440_000, 2048)

    def shares(task, record):
        found = frame_labels.TASKS[task].rule(tracks, np.full(len(start), ids.index(record)), start, start + 2048)
        return {k: float(np.mean(found == k)) for k in (UNLABELLED, 0, 1, 2, 3)}

    assert shares("rhythm", "107")[UNLABELLED] == 1  # paced throughout
    assert shares("rhythm", "219")[AFIB] > 0.7
    assert shares("rhythm", "100")[NORMAL] == 1
    assert shares("beat", "107")[NORMAL] > 0.7
    assert shares("beat", "119")[PVC] > 0.8  # bigeminy and trigeminy
    assert shares("heart_rate", "117")[SLOW] > 0.8
    assert all(shares("rhythm", record)[NOISE] == 0 for record in ("100", "203", "207"))
