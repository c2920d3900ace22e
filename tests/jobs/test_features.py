"""Features of one's own recordings: the network's own numbers, whatever way the windows come in."""

import inspect
import json
import shutil
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import torch
import wfdb
from messages import one_line
from scipy import signal

from ecgtl import models, paths
from ecgtl.commands.parser import lead as _lead
from ecgtl.config import starts as config_starts
from ecgtl.datasets import folder, synthetic
from ecgtl.errors import EcgtlError
from ecgtl.jobs import features
from ecgtl.models import checkpoint
from ecgtl.signals import filters, windows

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
NAN, FLAT = "window with missing samples (NaN)", "flat window"
FACTS = {"arch": "cae", "width": 2, "variant": "text", "in_channels": 1, "sampling_rate": 250.0,
         "seconds": 8.192}


def ecg(seconds, rate, seed, leads=1):
    """Spikes at times of its own in each lead, noise and drift, in mV, (samples, leads)."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate))[:, np.newaxis] / rate
    spikes = np.exp(-(((t * 1.1 + rng.random(leads)) % 1 - 0.5) / 0.02) ** 2)
    return spikes + 0.5 * np.sin(2 * np.pi * 0.07 * t + seed) + 0.05 * rng.normal(size=(len(t), leads))


def write(root, record, millivolts, rate, leads=("II",), units="mV", **options):
    """A WFDB record at ``root/record``; returns its samples in mV as wfdb reads them, (samples, leads)."""
    path = root / record
    path.parent.mkdir(parents=True, exist_ok=True)
    n = len(leads)
    options = {"fmt": ["16"] * n, "adc_gain": [1000.0] * n, "baseline": [0] * n} | options
    wfdb.wrsamp(path.name, fs=rate, units=[units] * n, sig_name=list(leads), p_signal=millivolts,
                write_dir=str(path.parent), **options)
    return wfdb.rdrecord(str(path)).p_signal


@pytest.fixture(scope="module")
def encoder():
    return features.load("cae")


def autoencoder(path):
    """The network of the checkpoint at ``path``, put together by hand."""
    weights, facts = checkpoint.load(path)
    model = models.build("cae", 1, 60, width=facts.width, variant=facts.variant)
    model.load_state_dict(weights)
    return model.eval()


@pytest.fixture(scope="module")
def by_hand():
    """Features (n, 60) of prepared windows (n, samples) by the whole autoencoder of the package."""
    model = autoencoder(config_starts.weights_path("cae-seed0", "cae", "reduced"))

    def encode(cut):
        with torch.no_grad():
            return model.encoder(torch.from_numpy(np.asarray(cut, np.float32))[:, None]).numpy()

    return encode


def prepared(x, rate):
    """Windows of a recording ``x`` (samples,) in mV, one step after the other with SciPy alone."""
    level = x - x.mean()
    whole = signal.resample_poly(level, 250, rate) if rate != 250 else level
    whole = signal.sosfiltfilt(signal.butter(3, 0.5, "highpass", fs=250, output="sos"), whole)
    cut = whole[:len(whole) // 2048 * 2048].reshape(-1, 2048)
    return (cut - cut.mean(axis=1, keepdims=True)) / cut.std(axis=1, keepdims=True)


# --- the same numbers by every way --------------------------------------------------------------------------


def test_the_features_are_those_of_the_network(encoder, by_hand):
    root = synthetic.twin_root("folder")
    found = encoder.of_folder(root, lead="II")
    cut = windows.unlabelled([folder.read(root, lead="II")])
    np.testing.assert_allclose(found.values, by_hand(cut.take(range(len(cut)))[:, 0]), rtol=1e-3, atol=1e-3)
    origins = [origin[1:] for origin in cut.origin(range(len(cut)))]
    assert list(zip(found.record, found.start, strict=True)) == origins
    assert found.values.shape == (len(cut), 60) and found.values.dtype == np.float32
    assert found.values.std(axis=0).min() > 0.1 and found.skipped == {}


@pytest.mark.parametrize("rate", [250, 500, 360])
def test_twelve_leads_at_any_rate(encoder, by_hand, tmp_path, rate):
    x = write(tmp_path, "ward/one", ecg(27, rate, 1, 12), rate, LEADS)
    write(tmp_path, "two", ecg(9, rate, 2, 12), rate, LEADS)
    found = encoder.of_folder(tmp_path, lead="v1")
    assert found.record.tolist() == ["two", "ward/one", "ward/one", "ward/one"]
    assert found.start.tolist() == [0.0, 0.0, 8.192, 16.384]
    expected = by_hand(prepared(x[:, 6], rate))
    np.testing.assert_allclose(found.values[1:], expected, atol=0.02 * expected.std())
    other = encoder.of_folder(tmp_path, lead=1).values[1:]
    assert np.abs(other - expected).max() > expected.std() / 2  # another lead gives other features


def test_an_array_gives_what_a_folder_gives(encoder, tmp_path):
    x = np.stack([write(tmp_path, f"r{k}", ecg(20, 500, k), 500)[:, 0] for k in range(3)])
    expected = encoder.of_folder(tmp_path)
    found = encoder.of_array(x, sampling_rate=500)
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-3, atol=1e-3)
    assert found.record.tolist() == ["0", "0", "1", "1", "2", "2"]
    assert found.start.tolist() == expected.start.tolist()
    alone = encoder.of_array(x[1], sampling_rate=500)
    np.testing.assert_allclose(alone.values, expected.values[2:4], rtol=1e-3, atol=1e-3)
    assert alone.record.tolist() == ["0", "0"]


@pytest.mark.parametrize("unit", [lambda x: x / 1000, lambda x: 1e6 * x - 4e7, lambda x: x.tolist(),
                                  lambda x: 5 + x.astype(np.float32),
                                  lambda x: np.round(x * 10000).astype(np.int16)])
def test_the_unit_does_not_matter(encoder, unit):
    x = ecg(17, 250, 3).T
    expected = encoder.of_array(x, 250)
    found = encoder.of_array(unit(x), 250)
    np.testing.assert_allclose(found.values, expected.values, atol=0.01 * expected.values.std())


def test_a_data_set_gives_what_its_folder_gives(encoder):
    root = synthetic.twin_root("folder")
    both = folder.read(root)
    expected = encoder.of_folder(root, lead="I")
    for lead in ("i", 0):
        found = encoder.of_recordings(both, lead)
        np.testing.assert_allclose(found.values, expected.values, rtol=1e-3, atol=1e-3)
    one = encoder.of_recordings(folder.read(root, lead="I"))
    assert one.record.tolist() == expected.record.tolist()
    with pytest.raises(EcgtlError) as error:
        encoder.of_recordings(both)
    one_line(error, "I, II", "choose one")


def test_batches_change_nothing(encoder, monkeypatch):
    x = np.concatenate([ecg(60, 250, k).T for k in (1, 2)])
    x[0, 5000] = np.nan
    whole = encoder.of_array(x, 250)
    monkeypatch.setattr(features, "BATCH", 3)
    parts = encoder.of_array(x, 250)
    np.testing.assert_allclose(parts.values, whole.values, rtol=1e-3, atol=1e-3)
    assert parts.table()[["record", "start"]].equals(whole.table()[["record", "start"]])
    assert parts.skipped == whole.skipped


def test_memory_does_not_grow_with_the_number_of_recordings(encoder, monkeypatch):
    monkeypatch.setattr(encoder, "encode", lambda cut: np.zeros((len(cut), 60), np.float32))
    row = ecg(300, 250, 1)[:, 0]

    def peak(n_recordings):
        rows = np.broadcast_to(row, (n_recordings, len(row)))
        tracemalloc.start()
        try:
            assert len(encoder.of_array(rows, 250)) == 36 * n_recordings
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(24) < 1.3 * peak(4)


@pytest.mark.needs("ecg-arrhythmia")
def test_real_recordings_of_a_hospital(encoder, by_hand, real_data, tmp_path):
    source = real_data / "ecg-arrhythmia/1.0.0/WFDBRecords/01/010"
    records = sorted(path.stem for path in source.glob("*.hea"))[:5]
    for record in records:
        for file in source.glob(f"{record}.*"):
            shutil.copy(file, tmp_path)
    found = encoder.of_folder(tmp_path, lead="II")
    assert found.record.tolist() == records
    x = [wfdb.rdrecord(str(tmp_path / record)).p_signal[:, 1] for record in records]
    expected = by_hand(np.concatenate([prepared(one, 500) for one in x]))
    assert np.corrcoef(found.values.ravel(), expected.ravel())[0, 1] > 0.999


# --- what is left out ---------------------------------------------------------------------------------------


def test_what_cannot_be_encoded_is_left_out_and_counted(encoder, tmp_path):
    rate, x = 250, ecg(50, 250, 1, 2)
    write(tmp_path, "good", x, rate, ("I", "II"))
    write(tmp_path, "short", x[:2000], rate, ("I", "II"))
    write(tmp_path, "other", x, rate, ("V1", "V2"))
    gap, still = x.copy(), x.copy()
    gap[9000:9010, 1] = np.nan  # 36 s: in the window from 32.768 s and within 4 s of the one before
    still[2000:4200, 1] = 0.25  # the whole window from 8.192 s
    write(tmp_path, "gap", gap, rate, ("I", "II"))
    write(tmp_path, "still", still, rate, ("I", "II"))
    found = encoder.of_folder(tmp_path, lead="II")
    assert found.skipped == {"recording shorter than a window": ["short"], "no lead II": ["other"],
                             NAN: ["gap", "gap"], FLAT: ["still"]}
    starts = {name: found.start[found.record == name].round(3).tolist() for name in ("gap", "good", "still")}
    every = [0.0, 8.192, 16.384, 24.576, 32.768, 40.96]
    assert starts == {"good": every, "gap": [every[k] for k in (0, 1, 2, 5)], "still": [every[0], *every[2:]]}
    gap, good = (found.values[found.record == name] for name in ("gap", "good"))
    np.testing.assert_allclose(gap[:3], good[:3], rtol=1e-3, atol=1e-3)  # far from the gap nothing changes
    assert str(found) == ("15 windows of 3 recordings, 60 features each; left out: "
                          f"{NAN}: 2 (gap); no lead II: 1 (other); recording shorter than a window: 1 (short); {FLAT}: "
                          "1 (still)")


def test_an_array_leaves_out_what_a_folder_leaves_out(encoder):
    x = np.tile(ecg(33, 250, 1).T, (5, 1))
    x[0, 0], x[1], x[2, 2048:4096], x[3] = np.inf, 7.0, 0.0, np.nan
    found = encoder.of_array(x, 250)
    assert found.skipped == {NAN: ["0"] + ["3"] * 4, FLAT: ["1"] * 4 + ["2"]}
    assert found.record.tolist() == ["0"] * 3 + ["2"] * 3 + ["4"] * 4


@pytest.mark.parametrize("x, words", [
    (np.ones((2, 2047)), "shorter than a window: 2"), (np.ones(5000), "flat window: 2"),
    (np.full((1, 5000), np.nan), "missing samples (NaN): 2")])
def test_an_array_of_which_nothing_remains(encoder, x, words):
    with pytest.raises(EcgtlError) as error:
        encoder.of_array(x, 250)
    one_line(error, str(x.shape), words, "at least 8.192 s")


def test_a_folder_of_which_nothing_remains(encoder, tmp_path):
    write(tmp_path, "a", ecg(8, 250, 1), 250)
    with pytest.raises(EcgtlError) as error:
        encoder.of_folder(tmp_path)
    one_line(error, tmp_path, "shorter than a window: 1", "at least 8.192 s")


def test_a_window_is_as_long_as_it_says(encoder):
    assert len(encoder.of_array(ecg(9, 250, 1)[:2048].T, 250)) == 1
    with pytest.raises(EcgtlError):
        encoder.of_array(ecg(9, 250, 1)[:2047].T, 250)


def test_a_baseline_that_16_bits_do_not_hold(encoder, tmp_path):
    x = ecg(9, 250, 1)
    write(tmp_path / "a", "r", x, 250)
    write(tmp_path / "b", "r", x - 40, 250, baseline=[40000])
    expected = encoder.of_folder(tmp_path / "a").values
    np.testing.assert_allclose(encoder.of_folder(tmp_path / "b").values, expected, atol=0.01 * expected.std())


# --- what cannot be done ------------------------------------------------------------------------------------


@pytest.mark.parametrize("x, rate, words", [
    (np.ones((2, 12, 5000)), 250, ["(2, 12, 5000)", "(recordings, samples)", "choose a lead"]),
    (np.ones((0, 5000)), 250, ["(0, 5000)", "(recordings, samples)"]), ("ecg", 250, ["<U3"]),
    (np.ones(5000, complex), 250, ["complex128"]),
    ([[1.0, 2.0], [1.0]], 250, ["differ in length", "at a time"]),
    (np.ones(5000), 0, ["sampling_rate is 0", "above 0"]), (np.ones(5000), None, ["sampling_rate is None"]),
    (np.ones(5000), np.nan, ["sampling_rate is nan"]), (np.ones(5000), "250", ["sampling_rate is '250'"])])
def test_arrays_of_another_kind_are_refused(encoder, x, rate, words):
    with pytest.raises(EcgtlError) as error:
        encoder.of_array(x, rate)
    one_line(error, *words)


def test_a_lead_must_be_chosen_and_be_there(encoder, tmp_path):
    write(tmp_path, "a", ecg(9, 250, 1, 2), 250, ("I", "II"))
    for lead, words in ((None, ["2 leads (I, II)", "choose one"]), ("V9", ["no lead V9", "I, II"]),
                        (2, ["lead 2", "I, II"]), (-1, ["lead is -1"])):
        with pytest.raises(EcgtlError) as error:
            encoder.of_folder(tmp_path, lead)
        one_line(error, *words)


def test_a_lead_that_is_no_voltage(encoder, tmp_path):
    write(tmp_path, "a", ecg(9, 250, 1, 2), 250, ("II", "ABP"))
    path = tmp_path / "a.hea"
    first, second, third = path.read_text().splitlines()[:3]
    path.write_text("\n".join([first, second, third.replace("/mV", "/mmHg")]) + "\n")
    assert len(encoder.of_folder(tmp_path, "II")) == 1
    with pytest.raises(EcgtlError) as error:
        encoder.of_folder(tmp_path, "ABP")
    one_line(error, path, "ABP is not a voltage", "II")


def test_a_damaged_record_is_named(encoder, tmp_path):
    write(tmp_path, "a", ecg(9, 250, 1), 250)
    (tmp_path / "a.dat").write_bytes((tmp_path / "a.dat").read_bytes()[:999])
    with pytest.raises(EcgtlError) as error:
        encoder.of_folder(tmp_path)
    one_line(error, tmp_path / "a.dat", "truncated")


@pytest.mark.parametrize("place", ["nowhere", "."])
def test_a_folder_without_records(encoder, tmp_path, place):
    with pytest.raises(EcgtlError) as error:
        encoder.of_folder(tmp_path / place)
    one_line(error, "WFDB")


# --- checkpoints --------------------------------------------------------------------------------------------


def save(path, arch="cae", outputs=60, variant="text", **facts):
    torch.manual_seed(0)
    options = {"variant": variant} if arch.startswith("cae") else {}
    weights = models.build(arch, 1, outputs, width=2, **options).state_dict()
    checkpoint.save(path, weights, FACTS | {"arch": arch, "variant": variant} | facts)
    return path


@pytest.mark.parametrize("variant", ["text", "code"])
def test_a_checkpoint_of_ones_own(tmp_path, variant):
    path = save(tmp_path / "mine.safetensors", variant=variant)
    mine = features.load(path)
    x = ecg(20, 250, 1)[:, 0]
    cut = torch.from_numpy(prepared(x, 250).astype(np.float32))[:, None]
    with torch.no_grad():
        expected = autoencoder(path).encoder(cut).numpy()
    found = mine.of_array(x, 250)
    np.testing.assert_allclose(found.values, expected, atol=0.02 * expected.std())
    np.testing.assert_array_equal(features.load(str(path)).of_array(x, 250).values, found.values)


def test_the_autoencoder_is_that_of_seed_0_where_no_other_is_here(tmp_path, monkeypatch):
    monkeypatch.setattr(config_starts, "SHIPPED", tmp_path)
    save(tmp_path / "cae-cae-reduced-seed0.safetensors", seed=0)
    assert features.load("cae").facts.stored["seed"] == 0
    save(tmp_path / "cae-cae-reduced.safetensors", seed=7)
    assert features.load("cae").facts.stored["seed"] == 7


@pytest.mark.parametrize("facts", [{"highpass": 0}, {"highpass": None}, {"highpass": 0.5},
                                   {"protocol": "jang2021"}, {}])
def test_windows_are_filtered_as_the_encoder_knows_them(tmp_path, facts):
    path = save(tmp_path / "mine.safetensors", **facts)
    drifting = 3 * np.sin(2 * np.pi * 0.2 * np.arange(4096) / 250) + ecg(17, 250, 1)[:4096, 0]
    raw = drifting.reshape(2, 2048)
    raw = (raw - raw.mean(axis=1, keepdims=True)) / raw.std(axis=1, keepdims=True)
    cut = raw if facts.get("highpass", 0.5) in (0, None) else prepared(drifting, 250)
    with torch.no_grad():
        expected = autoencoder(path).encoder(torch.from_numpy(cut.astype(np.float32))[:, None]).numpy()
    found = features.load(path).of_array(drifting, 250)
    np.testing.assert_allclose(found.values, expected, atol=0.02 * expected.std())


def test_a_classifier_and_another_number_of_features(tmp_path):
    classifier = features.load(save(tmp_path / "c.safetensors", "cae_classifier", outputs=4))
    small = features.load(save(tmp_path / "s.safetensors", outputs=7))
    x = ecg(9, 250, 1)[:, 0]
    assert classifier.of_array(x, 250).values.shape == (1, 60)
    assert small.of_array(x, 250).values.shape == (1, 7)
    weights = checkpoint.load(tmp_path / "c.safetensors")[0]
    model = models.build("cae_classifier", 1, 4, width=2, variant="text")
    model.load_state_dict(weights)
    cut = prepared(x, 250).astype(np.float32)[:, None]
    with torch.no_grad():
        expected = model.eval().features(torch.from_numpy(cut)).numpy()
    np.testing.assert_allclose(classifier.encode(cut), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("facts, words", [
    ({"arch": "resnet18", "outputs": 4}, ["holds a resnet18", "cae or cae_classifier"]),
    ({"arch": "cae_classifier", "outputs": 4, "protocol": "weimann2021"}, ["weimann2021", "by window"]),
    ({"protocol": "none"}, ["protocol none"]), ({"width": 4}, ["does not fit"]),
    ({"in_channels": 2}, ["in_channels=2"]), ({"seconds": 4.096}, ["4.096 s at 250 Hz"]),
    ({"sampling_rate": 500.0}, ["8.192 s at 500 Hz", "2048 samples"])])
def test_checkpoints_of_another_kind_are_refused(tmp_path, facts, words):
    path = save(tmp_path / "other.safetensors", **facts)
    with pytest.raises(EcgtlError) as error:
        features.load(path)
    one_line(error, path, *words)


@pytest.mark.parametrize("name, tier, words", [
    ("bert", "reduced", ["'bert'", "allowed: cae", ".safetensors"]), ("cae", "huge", ["tier huge", "another tier"]),
    ("cae", "paper", ["cae of tier paper", ".safetensors"]),
    ("no/such.safetensors", "reduced", ["does not exist"])])
def test_checkpoints_that_there_are_none_of(monkeypatch, tmp_path, name, tier, words):
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path))
    with pytest.raises(EcgtlError) as error:
        features.load(name, tier)
    one_line(error, *words)


def test_a_checkpoint_that_is_cut_off(tmp_path):
    path = save(tmp_path / "cut.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(EcgtlError) as error:
        features.load(path)
    one_line(error, path, "damaged")


def test_a_checkpoint_without_an_encoder(tmp_path):
    path = tmp_path / "empty.safetensors"
    checkpoint.save(path, {"weight": torch.zeros(1)}, FACTS)
    with pytest.raises(EcgtlError) as error:
        features.load(path)
    one_line(error, path, "no encoder")


# --- the table and the command ------------------------------------------------------------------------------


def test_the_table_has_one_row_a_window(encoder, tmp_path):
    found = encoder.of_array(ecg(20, 250, 1).T, 250)
    table = found.table()
    assert table.columns.tolist() == ["record", "start", *(f"f{k}" for k in range(60))]
    np.testing.assert_array_equal(table.iloc[:, 2:].to_numpy(np.float32), found.values)
    found.to_csv(tmp_path / "t.csv")
    read = pd.read_csv(tmp_path / "t.csv", dtype={"record": str})
    np.testing.assert_array_equal(read.iloc[:, 2:].to_numpy(np.float32), found.values)  # no digit is lost
    assert read[["record", "start"]].equals(table[["record", "start"]])


def test_the_command_writes_what_python_gives(encoder, tmp_path, capsys):
    root = tmp_path / "records"
    write(root, "a", ecg(20, 250, 1, 2), 250, ("I", "II"))
    write(root, "b", ecg(5, 250, 1, 2), 250, ("I", "II"))
    for lead, chosen in (("II", "II"), ("0", 0)):
        features.write(str(root), str(tmp_path / "f.csv"), lead=_lead(lead))
        expected = encoder.of_folder(root, chosen)
        assert capsys.readouterr().out == f"{expected}\nwritten: {tmp_path / 'f.csv'}\n"
        values = pd.read_csv(tmp_path / "f.csv").iloc[:, 2:].to_numpy(np.float32)
        np.testing.assert_array_equal(values, expected.values)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.csv", "records"]


def test_a_table_printed_or_of_another_format_says_the_same(encoder, tmp_path, capsys):
    root = tmp_path / "records"
    write(root, "a", ecg(20, 250, 1), 250)
    features.write(str(root), str(tmp_path / "f.jsonl"))
    features.write(str(root), "-")
    out, err = capsys.readouterr()
    _, written, header, *rows = out.splitlines()
    assert written == f"written: {tmp_path / 'f.jsonl'}" and header.startswith("record,start,f0,")
    assert err.splitlines()[-1] == "written: -"
    lines = [list(json.loads(line).values()) for line in (tmp_path / "f.jsonl").read_text().splitlines()]
    printed = [row.split(",") for row in rows]
    assert [row[0] for row in printed] == [row[0] for row in lines] == ["a", "a"]
    np.testing.assert_array_equal(*(np.array([row[1:] for row in some], np.float32) for some in (printed, lines)))


@pytest.mark.parametrize("out, words", [(".", ["is a folder"]), ("none/f.csv", ["is no folder", "none"])])
def test_the_command_refuses_what_cannot_be_a_file_before_it_reads(tmp_path, monkeypatch, out, words):
    monkeypatch.setattr(features, "load", lambda *given: pytest.fail("read the checkpoint first"))
    with pytest.raises(EcgtlError) as error:
        features.write(str(tmp_path), str(tmp_path / out))
    one_line(error, *words)


def test_a_command_that_fails_leaves_nothing(tmp_path):
    write(tmp_path, "a", ecg(5, 250, 1), 250)
    with pytest.raises(EcgtlError):
        features.write(str(tmp_path), str(tmp_path / "f.csv"))
    assert not (tmp_path / "f.csv").exists()


def test_the_page_shows_what_works(encoder, tmp_path):
    """The three lines of the book are run as they stand there, and its limits are those of the code."""
    page = (paths.repository() / "book" / "own-data.md").read_text()
    blocks = [block.partition("```")[0] for block in page.split("```python\n")[1:]]
    lines = next(block for block in blocks if "features.load" in block)
    write(tmp_path, "a", ecg(20, 250, 1, 2), 250, ("I", "II"))
    scope = {}
    exec(lines.replace("/path/to/my-records", str(tmp_path)), scope)
    assert len([line for line in lines.splitlines() if line]) == 3 and len(scope["found"]) == 2
    assert f"windows of {encoder.seconds:g} s" in page.replace("\n", " ")
    assert f"within {windows.MARGIN:g} s" in page and f"below {windows.FLAT:g} mV" in page
    cutoff = inspect.signature(filters.remove_baseline_wander).parameters["cutoff"].default
    assert f"baseline wander below {cutoff:g} Hz" in page
