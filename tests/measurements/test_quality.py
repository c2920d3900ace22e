"""Signal quality: signals whose shares are known beforehand, a slow way to the same numbers, and real leads."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import wfdb
from own_files import RATE, signal
from scipy import fft

from ecgtl.datasets import folder
from ecgtl.datasets.wfdb_header import Header, read_header
from ecgtl.measurements import quality

TIME = np.arange(20 * RATE) / RATE


def sine(hertz, amplitude=1.0, rate=RATE):
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(20 * rate) / rate)


def noise(n=20 * RATE):
    return np.random.default_rng(0).normal(size=n)


def slow(x, rate):
    """Flat and clipped samples as anybody would count them, run by run."""
    known = [value for value in x if math.isfinite(value)]
    flat = clipped = 0
    for value, run in itertools.groupby(x):
        n = len(list(run))
        flat += n * (n >= max(2, rate) and math.isfinite(value))
        clipped += n * (n >= max(3, 0.02 * rate) and value in (min(known), max(known)) and min(known) < max(known))
    return flat / len(x), clipped / len(x)


# --- mains ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hertz", [50, 60])
def test_pure_mains_is_all_of_the_power_and_a_heartbeat_is_none_of_it(hertz):
    assert quality.of_lead(sine(hertz), RATE).mains > 0.999
    assert quality.of_lead(sine(hertz - 5), RATE).mains < 1e-6
    assert quality.of_lead(signal(20)[:, 0], RATE).mains < 0.01


@pytest.mark.parametrize("hertz", [50, 60])
@pytest.mark.parametrize("amplitude", [0.2, 1, 3])
def test_of_a_mixture_it_is_the_share_of_the_power_and_wander_does_not_count(hertz, amplitude):
    mixed = sine(hertz, amplitude) + sine(10) + sine(0.05, 5) + 7 + 40 * TIME
    assert quality.of_lead(mixed, RATE).mains == pytest.approx(amplitude**2 / (amplitude**2 + 1), abs=0.02)


def test_of_noise_it_is_about_what_a_single_spectrum_of_the_whole_says():
    x = noise(200 * RATE)
    frequency, power = fft.rfftfreq(len(x), 1 / RATE), np.abs(fft.rfft(x)) ** 2
    around = max(power[np.abs(frequency - hertz) <= 1].sum() for hertz in (50, 60))
    assert quality.of_lead(x, RATE).mains == pytest.approx(around / power[frequency >= 1].sum(), abs=0.003)


@pytest.mark.parametrize("rate, known", [(100, False), (101, False), (102, True), (121, True), (500, True)])
def test_a_rate_that_does_not_show_it_says_nothing(rate, known):
    x = np.random.default_rng(0).normal(size=20 * rate)
    assert np.isfinite(quality.of_lead(x, rate).mains) == known
    assert not known or quality.of_lead(sine(50, rate=rate), rate).mains > 0.9


# --- flat and clipped -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds, share", [(0.9, 0), (1, 1 / 20), (5, 5 / 20)])
def test_a_stretch_without_change_is_flat_from_a_second_on(seconds, share):
    x = noise()
    x[3 * RATE:3 * RATE + round(seconds * RATE)] = 0.25
    found = quality.of_lead(x, RATE)
    assert found.flat == pytest.approx(share) and found.clipped == 0


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_of_a_clipped_sine_it_is_the_time_beyond_the_level(level):
    found = quality.of_lead(np.clip(sine(1), -level, level), RATE)
    assert found.clipped == pytest.approx(1 - 2 / np.pi * np.arcsin(level), abs=0.01) and found.flat == 0


def test_peaks_are_not_clipped_and_a_constant_lead_is_flat_alone():
    assert quality.of_lead(sine(1), RATE).clipped == quality.of_lead(signal(20)[:, 0], RATE).clipped == 0
    found = quality.of_lead(np.full(20 * RATE, 0.3), RATE)
    assert (found.flat, found.clipped, found.missing) == (1, 0, 0) and np.isnan(found.mains)


def test_three_samples_make_a_run_at_low_rates_and_twenty_milliseconds_at_high_ones():
    for rate, n in ((100, 3), (1000, 20)):
        for length in (n - 1, n):
            x = np.abs(np.random.default_rng(0).normal(size=30 * rate))
            x[500:500 + length] = -1
            assert quality.of_lead(x, rate).clipped == (length / len(x) if length == n else 0)


# --- missing ----------------------------------------------------------------------------------------------------


def test_missing_samples_are_counted_and_the_other_shares_are_of_what_is_there():
    x = 20 + np.clip(sine(1) + sine(50, 0.1), -0.8, 0.8)
    whole = quality.of_lead(x, RATE)
    x[:100] = np.nan
    x[4000:4100] = np.inf
    found = quality.of_lead(x, RATE)
    assert found.missing == pytest.approx(200 / len(x)) and found.flat == 0
    assert found.clipped == pytest.approx(whole.clipped, abs=0.02)
    assert found.mains == pytest.approx(whole.mains, rel=0.2)


def test_a_lead_without_any_sample_is_missing_alone():
    for gone in (np.nan, np.inf):
        found = quality.of_lead(np.full(1000, gone), RATE)
        assert (found.flat, found.clipped, found.missing) == (0, 0, 1) and np.isnan(found.mains)


@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_the_shortest_leads_have_shares_too(n):
    found = quality.of_lead(np.arange(n, dtype=float), RATE)
    assert (found.flat, found.clipped, found.missing) == (0, 0, 0) and np.isnan(found.mains)


@pytest.mark.parametrize("seed", range(6))
def test_runs_are_those_of_a_slow_count_in_any_unit(seed):
    rng = np.random.default_rng(seed)
    x = np.repeat(rng.integers(-2, 3, 300), rng.integers(1, 60, 300)).astype(float)
    x[rng.random(len(x)) < 0.001] = np.nan
    found = quality.of_lead(x, 40)
    assert (found.flat, found.clipped) == pytest.approx(slow(x.tolist(), 40))
    assert [*quality.of_lead(-4 * x + 8, 40)] == pytest.approx([*found], nan_ok=True)


# --- folders ----------------------------------------------------------------------------------------------------


def test_every_voltage_of_a_folder_has_a_row_and_what_cannot_be_read_has_none(tmp_path):
    x = signal(8, 2)
    x[:, 1] = 0.5
    for name in ("a", "b"):
        wfdb.wrsamp(name, RATE, ["mV", "mV"], ["I", "V1"], x, fmt=["16", "16"], write_dir=str(tmp_path))
    wfdb.wrsamp("c", RATE, ["mV", "mmHg"], ["I", "ABP"], x, fmt=["16", "16"], write_dir=str(tmp_path))
    (tmp_path / "b.dat").unlink()
    headers = {name: header for name, (_, header) in folder.read_headers(tmp_path).items()
               if isinstance(header, Header)}
    headers["b"] = dataclasses.replace(headers["a"], files=("b.dat", "b.dat"))
    found = quality.of_folder(headers)
    assert found[["record", "lead"]].values.tolist() == [["a", "I"], ["a", "V1"], ["c", "I"]]
    assert found["flat"].tolist() == [0, 1, 0]
    assert quality.of_folder(headers, "V1")["record"].tolist() == ["a"]
    assert list(quality.of_folder({}).columns) == ["record", "lead", "flat", "clipped", "mains", "missing"]


@pytest.mark.needs("ecg-arrhythmia/1.0.0")
def test_real_leads_have_the_shares_of_a_slow_count_and_dead_ones_are_found(real_data):
    base = real_data / "ecg-arrhythmia" / "1.0.0" / "WFDBRecords"
    headers = {path.stem: read_header(path) for name in ("JS20004", "JS00087", "JS00022")
               for path in base.rglob(f"{name}.hea")}
    found = quality.of_folder(headers).set_index(["record", "lead"])
    for record, header in headers.items():
        millivolts = wfdb.rdrecord(str(header.path.with_suffix(""))).p_signal
        for k, lead in enumerate(header.leads):
            row = found.loc[(record, lead)]
            assert (row["flat"], row["clipped"]) == pytest.approx(slow(millivolts[:, k].tolist(), 500))
            assert row["missing"] == np.isnan(millivolts[:, k]).mean()
    assert found.loc[("JS20004", "V2"), "flat"] == 1 and found.loc[("JS00022", "V6"), "mains"] > 0.5
    assert found.loc["JS00087"]["flat"].max() == 0
