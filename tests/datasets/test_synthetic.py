"""The twins: physics held to independent oracles, files read back by other people's readers."""

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import wfdb
from scipy.io import loadmat
from scipy.signal import periodogram, welch
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import cross_val_predict
from wfdb.processing import XQRS

from ecgtl import datasets
from ecgtl.datasets import csn, shaoxing, snomed, splits, synthetic
from ecgtl.datasets.leads import LEADS
from ecgtl.datasets.synthetic import plans, rhythms, writers
from ecgtl.datasets.synthetic.noise import RAIL, Loss, Noise, apply_losses, band_noise, draw_bursts, render_noise
from ecgtl.datasets.synthetic.plans import RecordPlan, synthesise
from ecgtl.datasets.synthetic.rhythms import Segment, draw_segment, table, with_ectopics

CLEAN = Noise()
NOISY = Noise(wander=0.2, mains=0.05, muscle=0.05, motion=0.3, bursts=20, settling=1.0)


def record(rhythm="sinus", seconds=30.0, rate=500, leads=LEADS, noise=CLEAN, subject=1, stream=2, st=0.0,
           conduction="normal", **fields):
    """A record of one segment, made at ``rate`` Hz."""
    segment = draw_segment(np.random.default_rng(stream), rhythm, seconds, **fields)
    return synthesise(RecordPlan("x", (9, stream), (9, 0, subject), (segment,), noise, leads=leads,
                                 conduction=conduction, st=st), rate, seed=0)


def column(made, lead, leads=LEADS):
    return made.signal[:, leads.index(lead)]


def windows(signal, made, start, stop, chosen=slice(None)):
    """Parts of ``signal`` from ``start`` to ``stop`` s about each R peak, shape (beats, samples)."""
    offsets = np.arange(int(start * made.sampling_rate), int(stop * made.sampling_rate))
    at = np.rint(made.beat_times[chosen] * made.sampling_rate).astype(int)[:, None] + offsets
    return signal[at[(at[:, 0] >= 0) & (at[:, -1] < len(signal))]]


# --- leads ---

@pytest.mark.parametrize("rhythm", list(rhythms.rhythms()))
def test_leads_obey_einthoven_and_goldberger(rhythm):
    made = record(rhythm, seconds=8, noise=NOISY)
    lead = {name: column(made, name) for name in LEADS}
    np.testing.assert_allclose(lead["III"], lead["II"] - lead["I"], atol=1e-12)
    np.testing.assert_allclose(lead["aVR"], -(lead["I"] + lead["II"]) / 2, atol=1e-12)
    np.testing.assert_allclose(lead["aVL"], (lead["I"] - lead["III"]) / 2, atol=1e-12)
    np.testing.assert_allclose(lead["aVF"], (lead["II"] + lead["III"]) / 2, atol=1e-12)
    assert all(np.ptp(values) > 0.1 for values in lead.values())


def test_a_record_does_not_depend_on_which_leads_are_asked_for():
    np.testing.assert_allclose(record(leads=("V5", "MLII")).signal,
                               record().signal[:, [LEADS.index("V5"), LEADS.index("II")]], atol=1e-12)


def test_normal_beats_look_normal_in_12_leads():
    # Median over subjects: R grows from V1 to V5, aVR is negative, P and T are upright in II.
    beats = []
    for subject in range(15):
        made = record(subject=subject, seconds=10)
        beats.append([windows(column(made, lead), made, -0.25, 0.4).mean(axis=0) for lead in LEADS])
    beat = dict(zip(LEADS, np.median(beats, axis=0), strict=True))
    r_peak, p_wave, t_wave = slice(100, 150), slice(0, 90), slice(180, 320)
    heights = [beat[lead][r_peak].max() for lead in ("V1", "V3", "V5")]
    assert heights == sorted(heights) and 0.8 < heights[-1] < 3.5
    assert beat["V1"][r_peak].min() < -0.5 and abs(beat["aVR"].min()) > beat["aVR"].max()
    assert 0.08 < beat["II"][p_wave].max() < 0.35 and 0.15 < beat["II"][t_wave].max() < 0.8


# --- rhythm ---

def cv_and_lag1(rhythm, **fields):
    rng = np.random.default_rng(0)
    intervals = rhythms.rhythms()[rhythm].intervals(rng, draw_segment(rng, rhythm, 600, **fields))
    lag1 = np.corrcoef(intervals[:-1], intervals[1:])[0, 1]
    return intervals.std() / intervals.mean(), lag1, len(intervals)


def test_fibrillation_is_irregular_and_uncorrelated_unlike_sinus():
    af_cv, af_lag1, n_beats = cv_and_lag1("fibrillation", variability=0.25)
    sinus_cv, sinus_lag1, _ = cv_and_lag1("sinus", variability=0.04)
    assert af_cv == pytest.approx(0.25, abs=0.04) and af_cv > 4 * sinus_cv
    assert abs(af_lag1) < 3 / np.sqrt(n_beats) and sinus_lag1 > 0.2


@pytest.mark.parametrize(("rhythm", "low", "high"), [
    ("bradycardia", 30, 52), ("sinus", 50, 102), ("tachycardia", 100, 145), ("supraventricular", 145, 205),
    ("fibrillation", 55, 150), ("flutter", 60, 170), ("paced", 58, 82), ("ventricular", 125, 185),
    ("wandering pacemaker", 48, 85), ("atrial tachycardia", 100, 175), ("av node reentry", 140, 210),
    ("av reentry", 125, 225)])
def test_rates_are_those_of_the_rhythm(rhythm, low, high):
    for stream in range(5):
        assert low < 60 / np.diff(record(rhythm, stream=stream, leads=("II",)).beat_times).mean() < high


def test_sinus_rate_follows_breathing():
    # Heart rate on an even grid: its spectrum peaks at a breathing rate, 0.18-0.30 Hz.
    made = record("sinus arrhythmia", seconds=300, leads=("II",))
    grid = np.arange(2, 298, 0.25)
    rate = np.interp(grid, made.beat_times[1:], 60 / np.diff(made.beat_times))
    frequency, power = welch(rate - rate.mean(), 4, nperseg=512)
    assert 0.17 < frequency[power.argmax()] < 0.31


def test_flutter_conducts_whole_numbers_of_waves():
    segment = draw_segment(np.random.default_rng(1), "flutter", 60, ratios=(2, 3, 4))
    ratios = rhythms.rhythms()["flutter"].intervals(np.random.default_rng(2), segment) * segment.atrial_rate
    np.testing.assert_allclose(ratios, np.rint(ratios), atol=1e-9)
    assert set(np.rint(ratios)) == {2, 3, 4} and 4 <= segment.atrial_rate <= 5.5


def test_ventricular_ectopy_has_a_full_compensatory_pause():
    made = record(seconds=120, leads=("II",), variability=0.0, ectopics="V", share=0.15)
    at = np.flatnonzero(made.symbols == "V")[1:-1]
    intervals = np.diff(made.beat_times)
    before, after, sinus = intervals[at - 1], intervals[at], np.median(intervals)
    assert len(at) > 10 and (before < 0.8 * sinus).all()
    np.testing.assert_allclose(before + after, 2 * sinus, atol=1e-6)


def test_ventricular_ectopy_leaves_the_sinus_beats_where_they_were():
    intervals = np.random.default_rng(0).uniform(0.7, 0.9, 200)
    segment = Segment("sinus", 160, 75, 0, "V", share=0.2)
    changed, symbols = with_ectopics(np.random.default_rng(1), intervals, segment)
    moved = np.cumsum(changed) - np.cumsum(intervals)
    ectopic = symbols[1:] == "V"  # cumsum entry i is the time of beat i + 1
    assert ectopic.sum() == 40 and (moved[:-1][ectopic] < -0.1).all()
    np.testing.assert_allclose(moved[:-1][~ectopic], 0, atol=1e-9)


def test_atrial_ectopy_resets_the_sinus_node():
    intervals = np.full(100, 0.8)
    segment = Segment("sinus", 80, 75, 0, "A", share=0.2)
    changed, symbols = with_ectopics(np.random.default_rng(1), intervals, segment)
    at = np.flatnonzero(symbols == "A")
    pair = changed[at - 1] + changed[at]
    assert len(at) == 20 and (pair < 1.5).all() and (changed[at] >= 0.8).all()


@pytest.mark.parametrize(("every", "aux"), [(2, "(B"), (3, "(T")])
def test_bigeminy_and_trigeminy(every, aux):
    made = record(ectopics="V", every=every, leads=("II",))
    at = np.flatnonzero(made.symbols == "V")
    assert set(np.diff(at)) == {every} and made.spans[0].aux == aux


def test_segments_follow_each_other_at_their_times():
    rng = np.random.default_rng(0)
    parts = tuple(draw_segment(rng, name, 20) for name in ("sinus", "fibrillation", "paced"))
    beats, spans = rhythms.schedule(rng, parts)
    assert [span.aux for span in spans] == ["(N", "(AFIB", "(P"]
    np.testing.assert_allclose([span.start for span in spans[1:]], [20, 40], atol=3)
    assert beats.time[0] < 0 and beats.time[-1] > 60 and (np.diff(beats.time) > 0.2).all()
    in_paced = beats.time > spans[2].start
    assert (beats.symbol[in_paced] == "/").all() and (beats.symbol[~in_paced] == "N").all()


def test_p_waves_belong_to_the_kind_of_beat():
    segment = draw_segment(np.random.default_rng(0), "sinus", 120, ectopics="VAaF", share=0.25)
    beats, _ = rhythms.schedule(np.random.default_rng(1), [segment])
    found = {symbol: set(beats.p_wave[beats.symbol == symbol]) for symbol in "NVAaF"}
    assert found == {"N": {"sinus"}, "V": {"none"}, "A": {"ectopic"}, "a": {"ectopic"}, "F": {"sinus"}}


def test_a_wandering_pacemaker_moves_from_place_to_place_and_back():
    segment = draw_segment(np.random.default_rng(0), "wandering pacemaker", 120)
    beats, _ = rhythms.schedule(np.random.default_rng(1), [segment])
    place = np.array([("sinus", "middle", "ectopic").index(kind) for kind in beats.p_wave])
    moved = np.flatnonzero(np.diff(place))
    assert set(place) == {0, 1, 2} and set(np.abs(np.diff(place))) == {0, 1}
    assert np.diff(moved).min() >= 2 and np.diff(moved).max() <= 4  # beats at each place


# --- shape ---

@pytest.mark.parametrize("rate", [250, 300, 360])
def test_xqrs_finds_the_beats_where_they_were_put(rate):
    made = record(seconds=60, rate=rate, leads=("II",), noise=Noise(wander=0.02, muscle=0.005))
    detector = XQRS(sig=made.signal[:, 0], fs=rate)
    detector.detect(verbose=False)
    found = detector.qrs_inds / rate
    inside = made.beat_times[(made.beat_times > 1) & (made.beat_times < 59)]
    assert len(inside) > 40 and np.abs(found[:, None] - inside).min(axis=0).max() < 0.05
    assert abs(len(found) - len(made.beat_times)) <= 2


def p_wave_height(rhythm, subject):
    """Height in mV of what precedes every beat, averaged over the beats, in the lead that shows it most."""
    made = record(rhythm, seconds=240, rate=250, subject=subject)
    return max(np.ptp(windows(lead, made, -0.25, -0.08).mean(axis=0)) for lead in made.signal.T)


@pytest.mark.parametrize("subject", range(3))
def test_p_waves_are_absent_in_fibrillation(subject):
    # What is locked to the beat survives averaging; f waves do not.
    assert p_wave_height("fibrillation", subject) < 0.3 * p_wave_height("sinus", subject)


def atrial_part(rhythm, subject, lead):
    """What the atria add to a beat of ``rhythm`` in ``lead``: height (mV) of its peak, and seconds after R.

    A supraventricular tachycardia of the same subject, rate and chance has the same beats without it.
    """
    made, without = (
        synthesise(RecordPlan("x", (9, 2), (9, 0, subject), (Segment(name, 20.0, rate=140, variability=0.005),),
                              CLEAN, leads=(lead,)), 500, seed=0) for name in (rhythm, "supraventricular"))
    np.testing.assert_array_equal(made.beat_times, without.beat_times)
    added = windows((made.signal - without.signal)[:, 0], made, -0.2, 0.2).mean(axis=0)
    peak = np.abs(added).argmax()
    return added[peak], peak / 500 - 0.2


@pytest.mark.parametrize("subject", range(3))
@pytest.mark.parametrize(("rhythm", "earliest", "latest", "signs"), [
    # A focus low in the atrium: a negative P wave before the QRS complex
    ("atrial tachycardia", -0.17, -0.07, {"II": -1, "aVF": -1}),
    # through the AV node: r' in V1 and s in the inferior leads end the QRS complex, less than 70 ms after R
    ("av node reentry", 0.03, 0.07, {"V1": 1, "II": -1, "aVF": -1}),
    # through an accessory pathway: a negative P wave of its own in the ST segment, more than 70 ms after R
    ("av reentry", 0.07, 0.16, {"II": -1, "aVF": -1})])
def test_tachycardias_differ_by_where_the_atria_are_excited_from(rhythm, earliest, latest, signs, subject):
    for lead, sign in signs.items():
        height, time = atrial_part(rhythm, subject, lead)
        assert np.sign(height) == sign and 0.02 < abs(height) < 0.6, lead
        assert earliest < time < latest, lead


def gap_spectrum(made, lead, start, stop):
    """Mean power spectrum between the T wave and the next beat."""
    parts = windows(column(made, lead), made, start, stop)
    parts = parts - parts.mean(axis=0)  # what is locked to the beat goes
    frequency, power = periodogram(parts, made.sampling_rate, window="hann", nfft=4096, detrend="linear")
    return frequency, power.mean(axis=0)


def slow_record(rhythm, stream, **fields):
    """45 beats a minute leave long gaps to look at."""
    segment = replace(draw_segment(np.random.default_rng(stream), rhythm, 120, **fields), rate=45)
    return synthesise(RecordPlan("x", (9, stream), (9, 0, 1), (segment,), CLEAN, leads=LEADS), 250, seed=0)


@pytest.mark.parametrize("stream", [3, 4])
def test_fibrillatory_waves_fill_the_gaps_at_4_to_9_hz(stream):
    made = slow_record("fibrillation", stream, variability=0.1)
    frequency, power = gap_spectrum(made, "V1", 0.45, 1.1)
    assert abs(frequency[power.argmax()] - made.spans[0].atrial_rate) < 1.0
    assert power[(frequency > 3.5) & (frequency < 9.5)].sum() > 0.6 * power.sum()
    _, sinus = gap_spectrum(slow_record("sinus", stream), "V1", 0.45, 1.1)
    assert power.max() > 20 * sinus.max()


def test_flutter_waves_run_near_5_hz():
    made = record("flutter", seconds=60, ratios=(8,), rate=250)  # rare conduction leaves long gaps to look at
    parts = windows(column(made, "III"), made, 0.5, 1.3)
    frequency, power = periodogram(parts, 250, nfft=8192, detrend="linear")
    peak = frequency[power.mean(axis=0).argmax()]
    assert 4 <= peak <= 5.5 and peak == pytest.approx(made.spans[0].atrial_rate, abs=0.3)


def qrs_seconds(**fields):
    """How long the leads together exceed a quarter of their peak, from first to last, near the R peak."""
    made = record(seconds=20, stream=1, **fields)
    chosen = made.symbols == fields.get("ectopics", made.symbols[3])
    parts = np.stack([windows(lead, made, -0.10, 0.12, chosen).mean(axis=0) for lead in made.signal.T])
    size = np.linalg.norm(parts, axis=0)
    high = np.flatnonzero(size > 0.25 * size.max())
    return (high[-1] - high[0]) / 500


@pytest.mark.parametrize("subject", range(3))
def test_qrs_is_narrow_when_normal_and_wide_in_block_and_ventricular_beats(subject):
    normal = qrs_seconds(subject=subject)
    assert 0.035 < normal < 0.075
    for wide in (dict(conduction="rbbb"), dict(conduction="lbbb"), dict(ectopics="V", share=0.2)):
        assert qrs_seconds(subject=subject, **wide) > max(0.09, 1.5 * normal)


def test_bundle_branch_blocks_have_their_signs_in_v1_and_v6():
    beat = {}
    for kind in ("rbbb", "lbbb"):
        records = [record(conduction=kind, seconds=10, subject=subject) for subject in range(15)]
        means = {lead: [windows(column(made, lead), made, -0.1, 0.45).mean(axis=0) for made in records]
                 for lead in ("V1", "V6")}
        beat[kind] = {lead: np.median(values, axis=0) for lead, values in means.items()}
    late, t_wave = slice(75, 100), slice(140, 260)  # 50-100 ms and 180-420 ms after the R peak
    assert beat["rbbb"]["V1"][late].max() > 0.4 and beat["rbbb"]["V6"][late].min() < -0.2
    assert beat["lbbb"]["V1"].min() < -0.8 and beat["lbbb"]["V6"].max() > 0.6
    assert beat["lbbb"]["V1"][t_wave].mean() > 0 > beat["lbbb"]["V6"][t_wave].mean()


@pytest.mark.parametrize("subject", range(4))
def test_ventricular_beats_have_a_discordant_t_wave(subject):
    made = record(subject=subject, seconds=60, ectopics="V", share=0.2)
    beats = [windows(lead, made, -0.3, 0.5, made.symbols == "V").mean(axis=0) for lead in made.signal.T]
    beat = max(beats, key=np.ptp)
    qrs = beat[130:185][np.abs(beat[130:185]).argmax()]
    t_wave = beat[260:350][np.abs(beat[260:350]).argmax()]
    assert qrs * t_wave < 0 and np.abs(t_wave) > 0.15 * np.abs(qrs)


@pytest.mark.parametrize("shift", [-0.2, 0.3])
def test_st_shift_moves_the_st_segment_by_its_size(shift):
    plain, moved = record(seconds=20), record(seconds=20, st=shift)
    parts = windows(column(moved, "V5") - column(plain, "V5"), plain, 0.10, 0.18)
    assert np.sign(parts.mean()) == np.sign(shift) and 0.5 < parts.mean() / shift < 2
    before = windows(column(moved, "V5") - column(plain, "V5"), plain, -0.12, -0.02)
    assert np.abs(before).max() < 0.05 * np.abs(parts).max()


# --- noise ---

def share_between(signal, rate, low, high):
    frequency, power = periodogram(signal, rate, window="hann")
    return power[(frequency >= low) & (frequency <= high)].sum() / power.sum()


@pytest.mark.parametrize(("noise", "low", "high"), [
    (Noise(wander=0.3), 0, 0.5), (Noise(muscle=0.3), 19, 101), (Noise(mains=0.3, mains_hz=50), 49, 51),
    (Noise(mains=0.3, mains_hz=60), 59, 61)])
def test_noise_has_its_band_and_its_level(noise, low, high):
    made = render_noise(np.random.default_rng(0), noise, 30_000, 500, 2, np.zeros((0, 2)))
    for lead in made.T:
        assert share_between(lead, 500, low, high) > 0.95
        assert lead.std() == pytest.approx(0.3, rel=0.35)
    assert noise.mains or abs(np.corrcoef(made.T)[0, 1]) < 0.5


def test_band_noise_is_gaussian_of_unit_rms_in_its_band():
    noise = band_noise(np.random.default_rng(0), 200_000, 250, 5, 40)
    assert noise.std() == pytest.approx(1, abs=0.02) and share_between(noise, 250, 4.9, 40.1) > 0.99
    assert not band_noise(np.random.default_rng(0), 1000, 30, 20, 100).any()  # nothing fits below 15 Hz


def test_motion_stays_within_its_bursts():
    rng = np.random.default_rng(3)
    noise = Noise(motion=0.5, bursts=6)
    bursts = draw_bursts(rng, noise, 60)
    made = render_noise(rng, noise, 15_000, 250, 1, bursts)[:, 0]
    t = np.arange(15_000) / 250
    inside = ((t >= bursts[:, :1]) & (t <= bursts[:, 1:])).any(axis=0)
    assert len(bursts) >= 2 and not made[~inside].any() and made[inside].std() > 0.2


def test_losses_are_level_missing_or_beyond_the_rail_and_nowhere_else():
    t = np.arange(10_000) / 250
    plain = np.tile(0.3 * np.sin(2 * np.pi * t)[:, None] + 0.1, 2)
    made = plain.copy()
    apply_losses(made, 250, [Loss("off", 4, 9), Loss("missing", 15, 16), Loss("rail", 20, 22)])
    off, missing, rail = (t >= 4) & (t < 9), (t >= 15) & (t < 16), (t >= 20) & (t < 22)
    assert (made[off] == 0).all() and np.isnan(made[missing]).all()
    assert (made[rail] >= RAIL - 0.3).all() and np.abs(made - plain)[t > 23.5].max() < 0.05
    clear = ~(off | missing | (t >= 20))
    np.testing.assert_array_equal(made[clear], plain[clear])


# --- determinism ---

def test_a_record_is_the_same_at_any_sampling_rate():
    fine, coarse = record(rate=500), record(rate=100)
    np.testing.assert_allclose(fine.signal[::5], coarse.signal, atol=2e-3)
    np.testing.assert_array_equal(fine.beat_times, coarse.beat_times)


def written(name, folder, seed):
    """SHA-256 of every file of the first records of a twin."""
    twin = synthetic.TWINS[name]
    folder.mkdir()
    twin.write(folder, twin.plan(seed)[:6], lambda plan, rate: synthesise(plan, rate, seed))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("name", list(synthetic.TWINS))
def test_a_seed_gives_the_same_bytes_and_another_seed_others(name, tmp_path):
    first, again = written(name, tmp_path / "first", 1), written(name, tmp_path / "again", 1)
    other = written(name, tmp_path / "other", 2)
    assert first == again and len(first) >= 12
    signals = [path for path in first if path.endswith((".mat", ".dat")) or "ECGData" in path]
    assert len(signals) >= 6 and all(first[path] != other.get(path) for path in signals)


def test_records_do_not_depend_on_each_other():
    plan = plans.cinc2017(1)[17]
    synthesise(plans.cinc2017(1)[3], 300, 1)
    np.testing.assert_array_equal(synthesise(plan, 300, 1).signal, synthesise(plan, 300, 1).signal)


# --- the twins' files ---

def test_every_twin_has_a_loader_and_reads_as_synthetic():
    for name in synthetic.TWINS:
        made = datasets.load(name, twin=True)
        assert made.synthetic and len(made) >= 12
        assert "not recordings of any person" in (synthetic.twin_root(name) / "SYNTHETIC.txt").read_text()


def test_a_twin_is_made_once():
    root = synthetic.twin_root("folder")
    before = (root / "labels.csv").stat().st_mtime_ns
    assert synthetic.twin_root("folder") == root and (root / "labels.csv").stat().st_mtime_ns == before
    assert synthetic.twin_root("folder", seed=1) != root


def test_cinc2017_twin_has_the_counts_lengths_and_copy_of_the_plan():
    made = datasets.load("cinc2017", twin=True)
    assert made.counts() == {"normal": 220, "af": 44, "other": 108, "noise": 28}
    assert len(made.duplicates) == 1
    first, copy = (np.flatnonzero(made.ids == name)[0] for name in made.duplicates[0])
    assert made.labels[first] == made.labels[copy] and made.subjects[first] == made.subjects[copy]
    assert made.durations.min() >= 9 and made.durations.max() <= 61
    assert 0.6 < (made.durations == 30).mean() < 0.8
    assert set(made.sampling_rate) == {300.0} and set(made.leads.ravel()) == {"ECG"}


def test_cinc2017_twin_reads_alike_through_wfdb_matlab_and_our_loader():
    made = datasets.load("cinc2017", twin=True)
    base = synthetic.twin_root("cinc2017") / "challenge-2017/1.0.0"
    training = base / "training2017"
    for i in range(0, len(made), 40):
        path = training / str(made.ids[i])
        stored = wfdb.rdrecord(str(path), physical=False)
        physical = wfdb.rdrecord(str(path))
        ours = made.samples[made.offsets[i]:made.offsets[i + 1]]
        np.testing.assert_array_equal(stored.d_signal, ours)
        np.testing.assert_array_equal(loadmat(path.with_suffix(".mat"))["val"].T, ours)
        np.testing.assert_allclose(physical.p_signal.T, made.signal(i), atol=1e-6)
        assert (stored.checksum[0] - stored.calc_checksum()[0]) % 65536 == 0
        assert stored.init_value == [ours[0, 0]]
        assert stored.fmt == ["16"] and stored.byte_offset == [24] and stored.sig_name == ["ECG"]
    assert (base / "REFERENCE-v3.csv").read_bytes() == (training / "REFERENCE.csv").read_bytes()


@pytest.mark.needs("challenge-2017")
def test_cinc2017_twin_resembles_the_real_recordings(real_data):
    real, made = datasets.load("cinc2017", real_data), datasets.load("cinc2017", twin=True)

    def spreads(recordings, label):
        chosen = np.flatnonzero(recordings.labels == recordings.classes.index(label))[:200]
        return np.array([recordings.lead(i).std() for i in chosen])

    for label in real.classes:
        assert 0.6 < np.median(spreads(made, label)) / np.median(spreads(real, label)) < 1.6
    assert np.abs((made.durations == 30).mean() - (real.durations == 30).mean()) < 0.1


def rr_features(name):
    rows, labels = [], []
    for plan in synthetic.TWINS[name].plan(synthetic.SEED):
        beats, _ = rhythms.schedule(plans.generator(synthetic.SEED, *plan.stream), plan.segments)
        intervals = np.diff(beats.time[(beats.time > 0) & (beats.time < plan.seconds)])
        steps = np.diff(intervals)
        rows.append([intervals.mean(), intervals.std(), intervals.min(), intervals.max(),
                     np.median(intervals), np.sqrt((steps ** 2).mean()), (np.abs(steps) > 0.05).mean()])
        labels.append(plan.label)
    return np.array(rows), np.array(labels)


@pytest.mark.parametrize("name", ["cinc2017", "shaoxing"])
def test_rr_intervals_alone_do_not_solve_a_twin(name):
    features, labels = rr_features(name)
    forest = RandomForestClassifier(100, class_weight="balanced", random_state=0)
    score = f1_score(labels, cross_val_predict(forest, features, labels, cv=4), average="macro")
    assert 0.45 < score < 0.75  # even with the true beats: better than chance, far from solved


@pytest.mark.training
def test_a_small_network_learns_the_cinc2017_twin():
    import torch

    made = datasets.load("cinc2017", twin=True)
    inputs = np.zeros((len(made), 1, 3000), np.float32)
    for i in range(len(made)):
        tail = made.lead(i)[::3][-3000:]
        inputs[i, 0, 3000 - len(tail):] = tail / 0.2
    torch.manual_seed(0)
    layers = []
    for n_in, n_out in ((1, 16), (16, 32), (32, 32), (32, 64), (64, 64)):
        layers += [torch.nn.Conv1d(n_in, n_out, 9, stride=2, padding=4), torch.nn.BatchNorm1d(n_out),
                   torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten(),
                                  torch.nn.Linear(64, 4))
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    inputs, labels = torch.from_numpy(inputs), torch.from_numpy(made.labels)
    order = np.random.default_rng(0).permutation(len(made))
    train, test = order[:300], order[300:]
    best = 0.0
    for _ in range(6):
        network.train()
        for batch in torch.from_numpy(train)[torch.randperm(300)].split(16):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(network(inputs[batch]), labels[batch]).backward()
            optimiser.step()
        network.eval()
        with torch.no_grad():
            guess = network(inputs[test]).argmax(1)
        best = max(best, f1_score(labels[test], guess, average="macro"))
    assert 0.4 < best < 0.97  # by chance 0.25


def test_mitdb_twin_through_wfdb():
    base = synthetic.twin_root("mitdb") / "mitdb/1.0.0"
    names = (base / "RECORDS").read_text().split()
    assert {"100", "101", "102", "103", "104", "105", "114", "201", "202"} <= set(names)
    symbols, rhythm_names = set(), set()
    for name in names:
        read = wfdb.rdrecord(str(base / name))
        marks = wfdb.rdann(str(base / name), "atr")
        assert read.fs == 360 and read.sig_len == 64800 and read.fmt == ["212", "212"]
        assert read.adc_gain == [200.0, 200.0] and read.baseline == [1024, 1024]
        checksum = wfdb.rdrecord(str(base / name), physical=False).calc_checksum()
        assert not (np.subtract(read.checksum, checksum) % 65536).any()
        assert np.isfinite(read.p_signal).all() and np.abs(read.p_signal).max() < 5.12
        assert (np.diff(marks.sample) >= 0).all() and marks.sample[-1] < 64800
        assert marks.symbol[0] == "+"  # a record opens with its rhythm
        symbols |= set(marks.symbol)
        rhythm_names |= {text.rstrip("\0") for text in marks.aux_note if text}
    assert {"N", "A", "a", "V", "F", "L", "R", "/", "+", "~"} == symbols
    assert {"(N", "(AFIB", "(AFL", "(SVTA", "(VT", "(P", "(B", "(T"} <= rhythm_names
    leads = {name: wfdb.rdheader(str(base / name)).sig_name for name in ("100", "101", "102", "104", "114")}
    assert leads == {"100": ["MLII", "V5"], "101": ["MLII", "V1"], "102": ["V5", "V2"], "104": ["V5", "V2"],
                     "114": ["V5", "MLII"]}


def test_mitdb_twin_reads_alike_through_wfdb_and_our_loader():
    made = datasets.load("mitdb", twin=True)
    base = synthetic.twin_root("mitdb") / "mitdb/1.0.0"
    for i, name in enumerate(made.ids):
        read, marks = wfdb.rdrecord(str(base / name)), wfdb.rdann(str(base / name), "atr")
        np.testing.assert_allclose(made.signal(i).T, read.p_signal, atol=1e-6)
        sample, symbol, _ = made.annotations.of(i)
        np.testing.assert_array_equal(sample, marks.sample)
        assert symbol.tolist() == marks.symbol


def test_mitdb_twin_marks_the_beats_where_xqrs_finds_them():
    base = synthetic.twin_root("mitdb") / "mitdb/1.0.0"
    read, marks = wfdb.rdrecord(str(base / "100")), wfdb.rdann(str(base / "100"), "atr")
    detector = XQRS(sig=read.p_signal[:, 1], fs=360)
    detector.detect(verbose=False)
    beats = marks.sample[np.isin(marks.symbol, ["N", "A"])]
    distance = np.abs(detector.qrs_inds[:, None] - beats).min(axis=0)
    assert len(beats) > 200 and (distance <= 0.05 * 360).mean() > 0.98


def test_mitdb_twin_201_and_202_are_one_subject():
    made = datasets.load("mitdb", twin=True)
    beats = {}
    for name in ("201", "202", "222"):
        i = made.ids.tolist().index(name)
        sample, symbol, aux = made.annotations.of(i)
        rhythm = aux[np.maximum.accumulate(np.where(aux != "", np.arange(len(aux)), 0))]
        at = sample[(symbol == "N") & (rhythm == "(N")][5:-5]
        parts = made.signal(i)[:, at[:, None] + np.arange(-80, 30)].mean(axis=1)  # P and QRS, both leads
        beats[name] = (parts - parts[:, :10].mean(axis=1, keepdims=True)).ravel()
    assert np.corrcoef(beats["201"], beats["202"])[0, 1] > 0.98
    assert np.abs(beats["201"] - beats["202"]).max() < 0.5 * np.abs(beats["201"] - beats["222"]).max()


@pytest.fixture(scope="module")
def hospital(session_cache):
    """The Shaoxing twin in lead II, and the folder of its files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        return datasets.load("shaoxing", twin=True, leads=["II"]), synthetic.twin_root("shaoxing")


def table_of(root):
    return pd.read_excel(root / shaoxing.FIGSHARE / shaoxing.TABLE, keep_default_na=False)


def test_shaoxing_twin_has_the_eleven_rhythms_in_their_proportions(hospital):
    made, _ = hospital
    counts, released, least = made.counts(), table("plans")["shaoxing"]["released"], plans.SHAOXING_LEAST
    names = {code: entry["name"] for code, entry in snomed.tables()["shaoxing"].items()}
    assert set(counts) == set(names.values()) and min(counts.values()) == least
    for code, n in released.items():
        assert counts[names[code]] == max(least, round(150 * n / sum(released.values())))
    assert len(made.duplicates) == 1 and set(made.durations) == {10.0} and set(made.sampling_rate) == {500.0}


@pytest.mark.needs("shaoxing-figshare")
def test_shaoxing_twin_follows_the_real_table(real_data, hospital):
    real, made = table_of(real_data), table_of(hospital[1])
    assert real["Rhythm"].value_counts().to_dict() == table("plans")["shaoxing"]["released"]
    assert made.columns.tolist() == real.columns.tolist()
    for code, rows in real.groupby("Rhythm"):
        ours = made[made["Rhythm"] == code]
        for column, off in (("PatientAge", 4), ("VentricularRate", 5), ("QTCorrected", 5), ("QRSCount", 1)):
            chance = 3 * np.sqrt(ours[column].var() / len(ours) + rows[column].var() / len(rows))
            assert abs(ours[column].mean() - rows[column].mean()) < off + chance, (code, column)
    for column in real.select_dtypes("int64"):
        assert made[column].between(real[column].min() - 20, real[column].max() + 20).all(), column


def test_shaoxing_twin_has_both_ways_of_writing_csv(hospital):
    made, root = hospital
    files = sorted((root / shaoxing.FIGSHARE / "ECGData").glob("*.csv"))
    headed = [file for file in files if file.read_bytes().startswith(b"\xef\xbb\xbfI,II,III,aVR")]
    assert len(files) == len(made) and 0.2 < len(headed) / len(files) < 0.5
    for file in (headed[0], next(file for file in files if file not in headed)):
        header = 0 if file in headed else None
        values = pd.read_csv(file, header=header, encoding="utf-8-sig").to_numpy()  # somebody else's reader
        assert values.shape == (5000, 12)
        second = made.lead(made.ids.tolist().index(file.stem))
        np.testing.assert_allclose(1000 * second, values[:, 1], atol=1e-3)
        np.testing.assert_allclose(values[:, 2], values[:, 1] - values[:, 0], atol=1)  # Einthoven, microvolts
    assert sum(file.stat().st_size for file in root.rglob("*") if file.is_file()) < 60e6


def test_shaoxing_twin_is_the_same_in_both_forms(hospital):
    _, root = hospital
    figshare, physionet = (datasets.load("shaoxing", twin=True, form=form) for form in shaoxing.FORMS)
    table, ids = table_of(root), figshare.ids.tolist()
    assert len(physionet) >= 15 and physionet.counts()["sinus_irregularity"] == 0
    for i, record in enumerate(physionet.ids):
        row = table.iloc[int(record[2:]) - 1]
        k = ids.index(row["FileName"])
        assert physionet.labels[i] == figshare.labels[k]
        np.testing.assert_allclose(physionet.signal(i), figshare.signal(k), atol=1e-6)
        read = wfdb.rdrecord(str(root / csn.FOLDER / "WFDBRecords" / "01" / "010" / str(record)))
        np.testing.assert_allclose(read.p_signal.T, physionet.signal(i), atol=1e-6)
        assert {f"Age: {row['PatientAge']}", f"Sex: {row['Gender'].title()}"} <= set(read.comments)


def test_shaoxing_twin_table_agrees_with_itself_and_with_the_signals(hospital):
    made, root = hospital
    table = table_of(root)
    rate = table["VentricularRate"]
    assert (table["QRSDuration"] == 2 * (table["QOffset"] - table["QOnset"])).all()
    assert (table["QTInterval"] == 2 * (table["TOffset"] - table["QOnset"])).all()
    bazett = table["QTInterval"] / np.sqrt(60 / rate)
    np.testing.assert_allclose(bazett, table["QTCorrected"], atol=8)
    np.testing.assert_allclose(table["QRSCount"], rate / 6, atol=3)
    bounds = {"SB": (30, 60), "SR": (55, 101), "ST": (99, 165), "SVT": (125, 225), "AVNRT": (140, 210)}
    for code, (low, high) in bounds.items():
        assert rate[table["Rhythm"] == code].between(low, high).mean() > 0.9  # ectopic beats add to it
    assert (table["AtrialRate"] >= rate - 1).all()
    assert table["RAxis"].between(-30, 110).mean() > 0.8  # most hearts point down and to the left
    for row in table.iloc[:60:10].itertuples():  # somebody else's detector finds as many beats
        signal = made.lead(made.ids.tolist().index(row.FileName)).astype(float)
        detector = XQRS(sig=signal, fs=500)
        detector.detect(verbose=False)
        assert abs(len(detector.qrs_inds) - row.QRSCount) <= max(2, 0.15 * row.QRSCount)


@pytest.mark.parametrize("fraction", [1.0, 0.5, 0.25])
def test_shaoxing_twin_can_be_split_as_the_paper_does(hospital, fraction):
    made, _ = hospital
    for seed in range(10):
        split = splits.bootstrap(made, 0.1, 0.2, fraction, seed)
        parts = [set(made.labels[index].tolist()) for index in (split.train, split.validation, split.test)]
        assert parts == [set(range(11))] * 3


def test_folder_twin_is_a_plain_wfdb_folder_with_labels():
    root = synthetic.twin_root("folder")
    lines = (root / "labels.csv").read_text().splitlines()
    assert lines[0] == "record,label" and len(lines) == 31
    made = datasets.load("folder", twin=True)
    assert made.counts() == {"af": 8, "normal": 14, "other": 8}
    for i, name in enumerate(made.ids):
        read = wfdb.rdrecord(str(root / str(name)))
        assert read.fs == 250 and read.sig_name == ["I", "II"] and 10 <= read.sig_len / 250 <= 20
        np.testing.assert_allclose(read.p_signal.T, made.signal(i), atol=1e-6)


def test_quantising_clips_and_never_gives_the_value_for_no_sample():
    stored = writers.quantise(np.array([-1e3, -1.0, 0.0, 0.0012, 1e3]), 1000, 16)
    np.testing.assert_array_equal(stored, [-32767, -1000, 0, 1, 32767])
    stored = writers.quantise(np.array([-9.0, 0.0, 9.0]), 200, 11, 1024)
    np.testing.assert_array_equal(stored, [1, 1024, 2047])
