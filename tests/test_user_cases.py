"""Cases that users met: what was given, where it was reported, and the right answer; one row or one function each.

A source is a public thread, ``repository#number``; ``IN_USE`` where a case was met without one. Inputs are made here,
by the case's own code, from one signal whose values are known, so no answer comes from the code under test.
"""

import io
import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
import torch
import wfdb
from messages import one_line
from safetensors.torch import load_file, save_file

from ecgtl import metrics, models, results
from ecgtl.__main__ import main
from ecgtl.config import FinetuneConfig
from ecgtl.datasets import folder
from ecgtl.errors import EcgtlError
from ecgtl.jobs import finetune
from ecgtl.models import checkpoint
from ecgtl.signals import filters, preparation, rr_intervals

IN_USE = "seen in use"
RATE, N = 250, 5000
FACTS = {"arch": "resnet18", "width": 4, "sampling_rate": 62.5, "seconds": 8.192, "classes": ["af", "normal", "other"],
         "protocol": "weimann2021", "multi_label": False, "dataset": "folder", "synthetic": True, "variant": "text"}
PLAIN = "r 2 250 5000\nr.dat 16 1000(0)/mV 16 0 0 0 0 I\nr.dat 16 1000(0)/mV 16 0 0 0 0 II\n"


def ecg(n=N, rate=RATE, seed=0):
    """Leads I and II in microvolts, (n, 2) int16: R waves of 0.55 and 0.82 mV, T waves, some noise."""
    time, rng = np.arange(n) / rate, np.random.default_rng(seed)
    since = time[:, None] - np.arange(0.4 + 0.1 * seed, n / rate, 0.83)
    wave = np.exp(-(since / 0.02) ** 2).sum(axis=1) + 0.25 * np.exp(-((since - 0.28) / 0.06) ** 2).sum(axis=1)
    drift = 0.05 * np.sin(2 * np.pi * 0.25 * time)
    leads = np.stack([0.55 * wave - drift, 0.82 * wave + drift], axis=1) + rng.normal(0, 0.008, (n, 2))
    return np.round(1000 * leads).astype("<i2")


def record(place, name="r", header=None, stored=None, dat=None):
    """A record in ``place``: its header as given (PLAIN, named ``name``, where not), its samples interleaved or as
    ``dat``."""
    place.mkdir(parents=True, exist_ok=True)
    text = PLAIN.replace("r.dat", f"{name}.dat").replace("r 2", f"{name} 2", 1) if header is None else header
    (place / f"{name}.hea").write_bytes(text if isinstance(text, bytes) else text.encode())
    (place / f"{name}.dat").write_bytes((ecg() if stored is None else stored).astype("<i2").tobytes() if dat is None
                                        else dat)
    return place


@dataclass
class Said:
    """What a command left: exit status, standard output, standard error, and its table where it wrote one."""

    rc: int
    out: str
    err: str
    table: pd.DataFrame | None

    def refused(self, *words):
        """The command ended with one line for its user that has ``words``."""
        lines = [line for line in self.err.splitlines() if not line.startswith("ecgtl: note:")]
        assert self.rc == 2 and len(lines) == 1 and lines[0].startswith("ecgtl: "), self
        for word in words:
            assert str(word).lower() in lines[0].lower(), (word, lines[0])

    @property
    def all(self):
        return self.out + self.err


class Desk:
    """A user's desk: a folder of their own, checkpoints of lead II and of leads I and II, and the commands."""

    def __init__(self, place, weights, capsys):
        self.place, self.weights, self.capsys = place, weights, capsys

    def __call__(self, *words):
        """``python -m ecgtl`` with these words."""
        self.capsys.readouterr()
        rc = main([str(word) for word in words])
        out, err = self.capsys.readouterr()
        written = Path(words[words.index("--out") + 1]) if "--out" in words else None
        return Said(rc, out, err, pd.read_csv(written) if rc == 0 and written else None)

    def predict(self, root, *options, weights="one"):
        path = self.weights.get(weights, weights)
        return self("predict", root, "--checkpoint", path, "--out", self.place / "p.csv", "--on-bad", "skip", *options)

    def features(self, root, *options):
        return self("features", root, "--out", self.place / "f.csv", "--lead", "II", *options)

    def read(self, root, **options):
        """The recordings of a folder, and what was said on reading them."""
        self.capsys.readouterr()
        found = folder.read(root, **options)
        return found, self.capsys.readouterr().err


def store(path, seed=0, **facts):
    """A classifier with random weights, whose norms have seen some data."""
    facts = FACTS | {"in_channels": 1, "leads": ["II"], "mean": [0.05], "sd": [0.2]} | facts
    torch.manual_seed(seed)
    model = models.build("resnet18", facts["in_channels"], 3, width=facts["width"])
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.randn(32, facts["in_channels"], 512, generator=torch.Generator().manual_seed(seed)))
    checkpoint.save(path, model.state_dict(), facts)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    place = tmp_path_factory.mktemp("weights")
    both = {"in_channels": 2, "leads": ["I", "II"], "mean": [0.05] * 2, "sd": [0.2] * 2}
    return {"one": store(place / "one.safetensors"), "two": store(place / "two.safetensors", **both),
            "window": store(place / "window.safetensors", protocol="melep2023", seconds=2.0, sampling_rate=100.0,
                            **both)}


@pytest.fixture
def desk(tmp_path, weights, capsys, monkeypatch):
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "results"))
    (tmp_path / "desk").mkdir()
    return Desk(tmp_path / "desk", weights, capsys)


def probabilities(table):
    return table.filter(like="probability_").to_numpy()


# --- records that wfdb reads: the same signal, and so the same answers -----------------------------------------------


def lines(*signals, first="r 2 250 5000"):
    return "\n".join([first, *signals]) + "\n"


def gains(unit, factor, encoding="utf-8"):
    """PLAIN with another unit: ``factor`` of it make a millivolt."""
    return PLAIN.replace("1000(0)/mV", f"{1000 / factor:g}(0)/{unit}").encode(encoding)


def segments(place, layout=False):
    """Two halves, each a record of its own in other gains; with ``layout``, lead I is missing from the first."""
    whole = ecg()
    halves = {"r_1": (whole[:2500, 1:] if layout else whole[:2500], 1), "r_2": (whole[2500:], 2)}
    master = ["r/3 2 250 5000", "r_layout 0", "r_1 2500", "r_2 2500"] if layout else ["r/2 2 250 5000", "r_1 2500",
                                                                                      "r_2 2500"]
    if layout:
        (place
         / "r_layout.hea").write_text("r_layout 2 250 0\n~ 0 1000(0)/mV 16 0 0 0 0 I\n~ 0 1000(0)/mV 16 0 0 0 0 II\n")
    for name, (stored, factor) in halves.items():
        leads = ("II",) if stored.shape[1] == 1 else ("I", "II")
        described = [f"{name}.dat 16 {1000 * factor}(0)/mV 16 0 0 0 0 {lead}" for lead in leads]
        record(place, name, lines(*described, first=f"{name} {len(leads)} 250 2500"), stored * factor)
    (place / "r.hea").write_text("\n".join(master) + "\n")


def two_files(place):
    stored = ecg()
    for k in (0, 1):
        (place / f"r_{k}.dat").write_bytes(stored[:, k].tobytes())
    (place / "r.hea").write_text(lines("r_0.dat 16 1000(0)/mV 16 0 0 0 0 I", "r_1.dat 16 1000(0)/mV 16 0 0 0 0 II"))


def frames_of(other, per_frame, gain):
    """Lead II at its own 250 Hz beside a signal with one sample for ``per_frame`` of it."""
    def write(place):
        beats = ecg()[:, 1].reshape(-1, per_frame)
        slow = np.arange(len(beats), dtype="<i2")[:, None] % 900
        record(place, "r", lines(f"r.dat 16x{per_frame} 1000(0)/mV 16 0 0 0 0 II",
                                 f"r.dat 16 {gain} 12 0 0 0 0 {other}",
                                 first=f"r 2 {RATE / per_frame:g} {len(beats)}"), np.hstack([beats, slow]))
    return write


def skewed(place):
    """Lead II comes three samples late in the file, as its header says; wfdb moves it back and lacks its last three."""
    stored = ecg()
    stored[:, 1] = np.roll(stored[:, 1], 3)
    record(place, "r", PLAIN.replace("r.dat 16 1000(0)/mV 16 0 0 0 0 II", "r.dat 16:3 1000(0)/mV 16 0 0 0 0 II"),
           stored)


def prolog(place):
    record(place, "r", PLAIN.replace("r.dat 16 ", "r.mat 16+24 "), dat=b"")
    (place / "r.mat").write_bytes(b"\x0a" * 24 + ecg().tobytes())


def through_wfdb(form, n=N, **options):
    def write(place):
        stored = ecg()[:n].astype(np.int64)
        wfdb.wrsamp("r", RATE, ["mV", "mV"], ["I", "II"], d_signal=stored, fmt=[form] * 2, adc_gain=[1000.0] * 2,
                    baseline=[0, 0], write_dir=str(place), **options)
    return write


def wide(place):
    """32 bits, a gain with digits after the point and a baseline far below 0, the folder in the record's name."""
    gain, baseline = 6344117.125, -1842966025
    stored = np.round(ecg() / 1000 * gain + baseline).astype("<i4")
    record(place, "r", lines(*(f"median/r.dat 32 {gain}({baseline})/mV 32 0 0 0 0 {lead}" for lead in ("I", "II")),
                             first="median/r 2 250 5000").replace("median/r.dat", "r.dat"), dat=stored.tobytes())


READ = {
    # name: (source, header or a function that writes the record, what must be said of it)
    "no-length": ("MIT-LCP/wfdb-python#129", lines(*PLAIN.splitlines()[1:], first="r 2 250"), ""),
    "length-0": ("MIT-LCP/physionet#84", lines(*PLAIN.splitlines()[1:], first="r 2 250 0"), ""),
    "no-rate": ("wfdb/wfdb-spec#15", lines(*PLAIN.splitlines()[1:], first="r 2"), "250"),
    "no-gain": ("MIT-LCP/wfdb-python#39", (lines("r.dat 16", "r.dat 16"), 5), "200"),
    "gain-0": ("MIT-LCP/wfdb-python#39", (PLAIN.replace("1000(0)/mV", "0"), 5), "200"),
    "missing-blocksize": (IN_USE, PLAIN.replace(" 0 I", " I"), ""),
    "missing-checksum-and-blocksize": (IN_USE, PLAIN.replace(" 0 0 I", " I"), ""),
    "bom-comment-first": (IN_USE, "\ufeff# exported\n" + PLAIN, ""),
    "bom-first": (IN_USE, "\ufeff" + PLAIN, ""),
    "comments-between": ("MIT-LCP/wfdb-python#219", PLAIN.replace("\n", "\n# 37.2 \u00b0C\n").encode("latin-1"), ""),
    "comments-latin-1-last": ("MIT-LCP/wfdb-python#68",
                              (PLAIN + "#Diagn\u00f3stico: ritmo sinusal\n").encode("latin-1"), ""),
    "crlf": (IN_USE, PLAIN.replace("\n", "\r\n"), ""),
    "folder-in-the-name": ("MIT-LCP/wfdb-python#528", wide, ""),
    "date-before-time": ("MIT-LCP/wfdb-python#351", PLAIN.replace("5000\n", "5000 05-May-2020 09:49:17\n"), ""),
    "iso-date": ("MIT-LCP/wfdb-python#128", PLAIN.replace("5000\n", "5000 2014-05-08 05:05:15\n"), ""),
    "year-alone": ("MIT-LCP/wfdb-python#415", PLAIN.replace("5000\n", "5000 2006\n"), ""),
    "counter-frequency": (IN_USE, PLAIN.replace("r 2 250 ", "r 2 250/1000(0) "), ""),
    "uV": (IN_USE, gains("uV", 1000), ""), "uV-word": (IN_USE, gains("uVolt", 1000), ""),
    "micro-sign-utf-8": (IN_USE, gains("\u00b5V", 1000), ""), "greek-mu-utf-8": (IN_USE, gains("\u03bcV", 1000), ""),
    "micro-sign-latin-1": ("MIT-LCP/wfdb-python#429", gains("\u00b5V", 1000, "latin-1"), ""),
    "nV": (IN_USE, gains("nV", 1e6), ""), "V": (IN_USE, gains("V", 1e-3), ""),
    "prolog": ("MIT-LCP/wfdb-python#351", prolog, ""),
    "unsigned-checksum": ("MIT-LCP/wfdb-python#463", PLAIN.replace(
        "16 0 0 0 0 II", f"16 0 0 {int(ecg()[:, 1].sum(dtype=int)) % 65536} 0 II"), ""),
    "multi-fixed": ("MIT-LCP/wfdb-python#14", segments, ""),
    "multi-variable": ("MIT-LCP/wfdb-python#430", lambda place: segments(place, layout=True), ""),
    "two-files": ("MIT-LCP/wfdb-python#6", two_files, ""),
    "spf-mixed": ("MIT-LCP/wfdb-python#331", frames_of("ABP", 2, "100(-5000)/mmHg"), ""),
    "spf-eight": ("MIT-LCP/waveform-annotation#49", frames_of("Resp", 8, "128/Ohm"), ""),
    "unit-with-a-slash-beside": ("MIT-LCP/wfdb-python#231", frames_of("CPAP Flow", 1, "5948.85369237(1)/l/min"), ""),
    "skew": ("MIT-LCP/wfdb-python#6", skewed, ""),
    "format-212": ("MIT-LCP/wfdb-python#53", through_wfdb("212"), ""),
    "format-212-odd": ("MIT-LCP/wfdb-python#53", through_wfdb("212", N - 1), ""),
    "format-32": (IN_USE, through_wfdb("32"), ""), "format-24": (IN_USE, through_wfdb("24"), ""),
}


@pytest.fixture(scope="module")
def plain_answers():
    """Tables of ``predict`` and ``features`` for the same signal in a plain header, by gain and length; made when asked
    for."""
    return {}


@pytest.mark.parametrize("name", READ)
def test_what_wfdb_reads_gives_the_same_answers(desk, name, plain_answers):
    _, given, said = READ[name]
    plain, place = desk.place / "plain", desk.place / "given"
    place.mkdir()
    given, factor = given if isinstance(given, tuple) else (given, 1)
    if callable(given):
        given(place)
    else:
        record(place, header=given)
    whole = ecg()[:, 1] / 1000 * factor
    n = {"format-212-odd": N - 1, "skew": N - 3}.get(name, N)
    if (factor, n) not in plain_answers:
        record(plain, header=PLAIN.replace("1000(0)", f"{1000 / factor:g}(0)").replace("5000", str(n)))
        plain_answers[factor, n] = desk.predict(plain).table, desk.features(plain).table
    expected, others = plain_answers[factor, n]
    lead = "II" if name != "no-gain" else 1  # a header so short names no leads
    options = ("--lead", 1) if name == "no-gain" else ()
    if name != "skew":  # its end is missing, and a network's input is a recording's end
        found, _ = desk.read(place, lead=lead)
        assert found.ids.tolist() == ["r"] and found.sampling_rate.tolist() == [RATE]
        np.testing.assert_allclose(found.lead(0, 0)[:n], whole[:n], atol=1e-6 * factor)
        answer = desk.predict(place, *options)
        assert answer.rc == 0 and answer.table["record"].tolist() == ["r"], answer
        np.testing.assert_allclose(probabilities(answer.table), probabilities(expected), atol=1e-4)
        assert said in answer.err
    values = desk("features", place, "--lead", lead, "--out", desk.place / "f.csv")
    n_windows = 1 if name == "skew" else 2
    assert values.rc == 0 and len(values.table) == n_windows and len(others) == 2, values
    np.testing.assert_allclose(values.table["f0"], others["f0"][:n_windows], atol=1e-3)


# --- one bad record among good ones ----------------------------------------------------------------------------------


def header_of(*words):
    return lambda place: record(place, "bad", " ".join(words) + "\n")


def changed(old, new):
    """The record ``bad``, whose header is PLAIN with a change."""
    header = PLAIN.replace("r.dat", "bad.dat").replace("r 2", "bad 2", 1).replace(old, new)
    return lambda place: record(place, "bad", header)


def with_dat(content):
    return lambda place: record(place, "bad", dat=content)


def without_dat(place):
    record(place, "bad")
    (place / "bad.dat").unlink()


def as_fifo(place):
    without_dat(place)
    os.mkfifo(place / "bad.dat")


def as_link_outside(place):
    without_dat(place)
    (place.parent / "elsewhere.dat").write_bytes(ecg().tobytes())
    (place / "bad.dat").symlink_to(place.parent / "elsewhere.dat")


def annotations_alone(place):
    record(place, "bad", "bad 0 250\n")
    (place / "bad.dat").unlink()
    wfdb.wrann("bad", "atr", np.array([100, 300]), ["N", "N"], write_dir=str(place))


DIGITS = "9" * 400
BAD = {
    "truncated": ("MIT-LCP/wfdb-python#66", with_dat(ecg().tobytes()[:9000])), "zero-length": (IN_USE, with_dat(b"")),
    "missing-signal": (IN_USE, without_dat), "annotations-alone": (IN_USE, annotations_alone),
    "no-signals": (IN_USE, header_of("bad 0 250 5000")),
    "empty-header": (IN_USE, header_of("")),
    "garbage-header": ("MIT-LCP/wfdb-python#208", lambda place: record(place, "bad", bytes(range(256)) * 4)),
    "fewer-signals-than-announced": ("MIT-LCP/mimic-code#791", changed("bad 2", "bad 3")),
    "missing-segment": ("MIT-LCP/mimic-code#791", header_of("bad/2 2 250 5000\ngone_1 2500\ngone_2 2500")),
    "nan-gain": (IN_USE, changed("1000(0)", "nan(0)")), "infinite-gain": (IN_USE, changed("1000(0)", "inf(0)")),
    "nan-prediction": (IN_USE, changed("1000(0)", "1e-300")), "subnormal-gain": (IN_USE, changed("1000(0)", "5e-324")),
    "baseline-400-digits": (IN_USE, changed("(0)", f"({DIGITS})")), "gain-400-digits": (IN_USE,
                                                                                        changed("1000(0)", DIGITS)),
    "zero-400-digits": (IN_USE, changed("(0)/mV 16 0", f"/mV 16 {DIGITS}")),
    "rate-1e-9": (IN_USE, changed("250", "1e-9")), "rate-1e-3": (IN_USE, changed("250", "1e-3")),
    "rate-1e9": (IN_USE, changed("250", "1e9")), "rate-nan": (IN_USE, changed("250", "nan")),
    "rate-0": (IN_USE, changed("250", "0")),
    "length-1e15": (IN_USE, changed("5000", "1000000000000000")), "length-negative": (IN_USE, changed("5000", "-5000")),
    "a-million-signals": (IN_USE, changed("bad 2", "bad 1000000")),
    "frames-1e9": (IN_USE, changed("16 1000", "16x1000000000 1000")),
    "offset-1e15": (IN_USE, changed("16 1000", "16+1000000000000000 1000")),
    "unknown-format": (IN_USE, changed("dat 16", "dat 17")),
    "nul-in-the-file-name": (IN_USE, changed("bad.dat", "b\0d.dat")),
    "long-file-name": (IN_USE, changed("bad.dat", "b" * 5000)),
    "file-above": (IN_USE, changed("bad.dat", "../bad.dat")), "flat": (IN_USE, with_dat(bytes(4 * N))),
    "fifo": (IN_USE, as_fifo), "link-outside": (IN_USE, as_link_outside),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.timeout(60)
def test_one_bad_record_costs_itself_alone(desk, name):
    """With ``on_bad=skip``, and in ``predict`` and ``features``, it is left out, counted and named; else it is the one
    error."""
    place = record(desk.place / "some", "good")
    BAD[name][1](place)
    found, _ = desk.read(place, lead="II", on_bad="skip")
    assert found.ids.tolist() == ["good"] and list(found.skipped.values()) == [["bad"]]
    with pytest.raises(EcgtlError) as error:
        folder.read(place, lead="II")
    one_line(error, "bad")
    for answer in (desk.predict(place), desk.features(place)):
        assert answer.rc == 0 and set(answer.table["record"]) == {"good"} and re.search(r"\bbad\b", answer.all), answer
        assert np.isfinite(answer.table.filter(regex="^(probability_|f\\d)").to_numpy()).all()


def test_its_remedy_on_the_command_line_is_an_option(desk):
    """Not ``on_bad=skip``, as papermill takes it."""
    place = record(desk.place / "some", "good")
    BAD["truncated"][1](place)
    answer = desk("predict", place, "--checkpoint", desk.weights["one"])
    assert answer.rc == 2 and "pass --on-bad skip to" in answer.err and "=" not in answer.err
    assert desk.predict(place).rc == 0


def test_a_folder_of_bad_records_alone_is_one_line(desk):
    """one-bad-among-good: at least one must be left."""
    place = desk.place / "some"
    for k, name in enumerate(("truncated", "no-signals")):
        BAD[name][1](place / str(k))
    for answer in (desk.predict(place), desk.features(place)):
        answer.refused(place)


@pytest.mark.parametrize("change", [7, -1, 32768])
def test_a_whole_file_with_another_checksum_than_its_header_is_read_and_said(desk, change):
    """checksum-official-release; MIT-LCP/wfdb-python#463: as released, 11 of 310 records of ECG-ID."""
    sums = [(int(column.sum(dtype=int)) + 32768) % 65536 - 32768 for column in ecg().T]
    place = record(desk.place / "some", "right")
    described = (f"r.dat 16 1000(0)/mV 16 0 0 {own + change} 0 {lead}" for own,
                 lead in zip(sums, ("I", "II"), strict=True))
    record(place, header=lines(*described))
    found, said = desk.read(place, lead="I")
    assert found.ids.tolist() == ["r", "right"]
    assert "checksum" in said and re.search(r"\br\b", said) and "right" not in said, said
    np.testing.assert_allclose(found.lead(0, 0), ecg()[:, 0] / 1000, atol=1e-6)
    answer = desk.predict(place)
    assert answer.rc == 0 and len(answer.table) == 2 and "checksum" in answer.err
    assert desk.features(place).rc == 0


@pytest.mark.parametrize("second", [19.6, 0.5, 3.0])
def test_missing_samples_cost_the_windows_that_hold_them(desk, second):
    """one-nan-late; PKUDigitalHealth/HeartLang#4 asks what becomes of such a record."""
    stored = ecg()
    stored[int(second * RATE), 1] = -32768
    place = record(desk.place / "some", stored=stored)
    kept = desk.features(place)
    assert kept.rc == 0 and len(kept.table) in (1, 2)
    late = desk.predict(place)
    if second > N / RATE - 8.192:  # within the window, which is a recording's end
        assert late.rc == 2 or "missing" in late.all
    else:
        plain = desk.predict(record(desk.place / "plain"))
        np.testing.assert_allclose(probabilities(late.table), probabilities(plain.table), atol=1e-4)


# --- amplitudes and rates ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gain", ["2000000/mV", "2000000000/mV", "1/mV", "1000/V", "1000000/uV", "0.001/mV"])
def test_an_amplitude_that_no_ecg_has_is_said_with_gain_and_unit(desk, gain):
    """huge-gain; helme/ecg_ptbxl_benchmarking#8: recordings in another unit than their header's."""
    place = record(desk.place / "some", header=PLAIN.replace("1000(0)/mV", gain))
    for answer in (desk.predict(place), desk.features(place)):
        assert "gain" in answer.all and "unit" in answer.all, answer


@pytest.mark.parametrize("rate_in, rate_out", [(249.89, 250.0), (62.4725 * 4, 250.0), (62.4725, 250.0), (250.0, 249.89),
                                               (360.0, 250.0), (128.0003, 250.0), (256.0, 250.0), (1000.0, 62.5),
                                               (499.78, 250.0)])
def test_time_is_kept_over_a_day(rate_in, rate_out):
    """rate-near-target; MIT-LCP/physionet#33: rates are not round numbers. Below one sample in 24 h, or refused."""
    seconds = 1800
    n = int(seconds * rate_in)
    try:
        found = filters.resample(np.zeros(n, np.float32), rate_in, rate_out)
    except EcgtlError as error:
        assert "\n" not in str(error)
        return
    assert abs(len(found) - n * rate_out / rate_in) <= 1 + seconds / 86400
    tone = np.cos(2 * np.pi * 7.0 * np.arange(n) / rate_in).astype(np.float32)
    expected = np.cos(2 * np.pi * 7.0 * np.arange(len(found)) / rate_out)
    inside = slice(len(found) - 2000, len(found) - 200)  # at the end, where an error of time has grown
    np.testing.assert_allclose(filters.resample(tone, rate_in, rate_out)[inside], expected[inside], atol=0.02)


# --- leads by name ----------------------------------------------------------------------------------------------------

ORDERS = {  # name: (source, the orders that records of one folder have their leads in)
    "finetune-all-leads-order": (IN_USE, (("I", "II"), ("II", "I"))),
    "mit-bih-114": ("MIT-LCP/physionet#21", (("MLII", "V5"), ("V5", "MLII"))),
    "avf-and-avl": ("OpenTSLM/OpenTSLM#45", (("I", "II", "III", "aVF", "aVL"), ("I", "II", "III", "aVL", "aVF"))),
    "limb-leads-last": ("AI4HealthUOL/SSSD-ECG#16", (("I", "II", "V1", "III"), ("I", "II", "III", "V1"))),
    "other-case": (IN_USE, (("I", "avr", "II"), ("aVR", "II", "i"))),
}


def labelled(place, orders, n_records=8, n=3000):
    """Records of two classes whose leads stand in ``orders``, in turn; the leads' signals are the same whatever the
    order."""
    names = orders[0]
    for k in range(n_records):
        beats = ecg(n, seed=k)
        signals = {name.lower(): beats[:, j % 2] * (1 + 0.3 * j) * (1 + k % 2) + 40 * j for j, name in enumerate(names)}
        order = orders[k % len(orders)]
        signals |= {name.lower(): beats[:, 0] for name in order if name.lower() not in signals}
        described = (f"{k:05d}.dat 16 1000(0)/mV 16 0 0 0 0 {name}" for name in order)
        header = lines(*described, first=f"{k:05d} {len(order)} 250 {n}")
        record(place, f"{k:05d}", header, np.stack([np.round(signals[name.lower()]) for name in order], axis=1))
    rows = (f"{k:05d},{'fast' if k % 2 else 'slow'}\n" for k in range(n_records))
    (place / "labels.csv").write_text("record,label\n" + "".join(rows))
    return place


@pytest.mark.parametrize("name", ORDERS)
def test_all_leads_are_found_by_their_names(desk, name):
    orders = ORDERS[name][1]
    mixed, alike = labelled(desk.place / "mixed", orders, 24), labelled(desk.place / "alike", orders[:1], 24)
    inputs = []
    for place in (mixed, alike):
        found, _ = desk.read(place)
        inputs.append(preparation.prepare(found, 125.0, 1500, orders[0]))
        np.testing.assert_array_equal(inputs[-1], preparation.prepare(found, 125.0, 1500, tuple(range(len(orders[0])))))
    np.testing.assert_allclose(inputs[0], inputs[1], atol=1e-4)
    small = {"dataset": "folder", "tier": "reduced", "lead": "all", "epochs": 1, "width": 2, "seconds": 4.096}
    one, other = (finetune.run(FinetuneConfig.of(root=str(place), **small)) for place in (mixed, alike))
    np.testing.assert_allclose(one.arrays["prob_last"].astype(float), other.arrays["prob_last"].astype(float),
                               atol=1e-3)


@pytest.mark.parametrize("name", ["finetune-all-leads-order", "limb-leads-last"])
def test_a_ranking_does_not_depend_on_the_order_of_leads(desk, name):
    """rank-multilead-order."""
    orders = ORDERS[name][1]
    mixed, alike = labelled(desk.place / "mixed", orders), labelled(desk.place / "alike", orders[:1])
    one, other = (desk("rank", "--target", place, desk.weights["window"], "--resamples", 40)
                  for place in (mixed, alike))
    assert one.rc == other.rc == 0
    scores = [re.search(r"(\d\.\d{4})\s+\d\.\d{4}-\d", said.out)[1] for said in (one, other)]
    assert scores[0] == scores[1]
    both = [desk.predict(place, weights="two").table for place in (mixed, alike)]
    np.testing.assert_allclose(probabilities(both[0]), probabilities(both[1]), atol=1e-4)


def test_a_record_without_a_lead_is_counted_or_the_one_error(desk):
    place = labelled(desk.place / "some", (("I", "II"), ("I", "V1")))
    for answer in (desk.predict(place, weights="two"), desk.predict(place), desk.features(place)):
        assert answer.rc == 0 and answer.table["record"].nunique() == 4 and "no lead II: 4" in answer.all, answer
    with pytest.raises(EcgtlError) as error:
        finetune.run(FinetuneConfig.of(dataset="folder", tier="reduced", root=str(place), lead="all", epochs=1,
                                       width=2))
    one_line(error, "00001")


def test_lead_0_over_records_whose_first_leads_differ_is_said(desk):
    place = labelled(desk.place / "some", ORDERS["finetune-all-leads-order"][1])
    found, said = desk.read(place, lead=0)
    preparation.prepare(found, 125.0, 1500)
    said += desk.capsys.readouterr().err
    assert re.search(r"\bI\b", said) and re.search(r"\bII\b", said), said


# --- labels and subjects ----------------------------------------------------------------------------------------------

GAELIC = ["\u00e1", "\u00e0"] * 2


def labels_csv(classes, header="record,label", encoding="utf-8", newline="\n"):
    return newline.join([header, *(f"0000{k},{name}" for k, name in enumerate(classes)), ""]).encode(encoding)


def workbook(classes):
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    for row in [("record", "label"), *((f"0000{k}", name) for k, name in enumerate(classes))]:
        book.active.append(row)
    book.save(buffer)
    return buffer.getvalue()


LABELS = {
    # name: (source, labels.csv, the classes that are right or None, words of the one error or of what is said)
    "label-unquoted-comma": (IN_USE, labels_csv(["AF, rapid", "AF, slow", "N", "N"]), None, "line 2"),
    "unquoted-comma-late": (IN_USE, labels_csv(["AF", "N", "AF", "N, paced"]), None, "line 5"),
    "more-cells-than-columns": (IN_USE, labels_csv(["AF,1,2", "N,1,2", "AF", "N"]), None, "line 2"),
    "semicolons": (IN_USE, labels_csv(["AF", "N"] * 2).replace(b",", b";"), ["AF", "N"], "record"),
    "label-latin1": ("codeforbirmingham/Open-Disclosure#7", labels_csv(GAELIC, encoding="latin-1"), GAELIC[:2],
                     "utf-8"),
    "label-cp1252": ("codeforbirmingham/Open-Disclosure#7", labels_csv(["AF\u2013fast", "AF\u2014fast"] * 2,
                                                                       encoding="cp1252"),
                     ["AF\u2013fast", "AF\u2014fast"], "utf-8"),
    "label-shift-jis": (IN_USE, labels_csv(["\u6b63\u5e38", "\u7570\u5e38"] * 2, encoding="shift-jis"),
                        ["\u6b63\u5e38", "\u7570\u5e38"], "utf-8"),
    "label-utf-16": ("ebranlard/pyDatView#196", labels_csv(GAELIC, encoding="utf-16"), GAELIC[:2], ""),
    "label-utf-16-be": (IN_USE, b"\xfe\xff" + labels_csv(GAELIC, encoding="utf-16-be"), GAELIC[:2], ""),
    "label-utf-16-bare": (IN_USE, labels_csv(["AF", "N"] * 2, encoding="utf-16-le"), None, "utf-16"),
    "label-utf-8-bom": ("Pierre-Sassoulas/django-survey#79", labels_csv(GAELIC, encoding="utf-8-sig"), GAELIC[:2], ""),
    "label-xlsx": (IN_USE, workbook(["AF", "N"] * 2), None, "xlsx"),
    "next-line-in-a-name": (IN_USE, labels_csv(["AF\u0085rapid", "N"] * 2), ["AF\u0085rapid", "N"], ""),
    "line-separator-in-a-name": (IN_USE, labels_csv(["AF\u2028rapid", "N"] * 2), ["AF\u2028rapid", "N"], ""),
    "quoted-comma": (IN_USE, labels_csv(['"AF, rapid"', "N"] * 2), ["AF, rapid", "N"], ""),
    "crlf": (IN_USE, labels_csv(["AF", "N"] * 2, newline="\r\n"), ["AF", "N"], ""),
    "cr": (IN_USE, labels_csv(["AF", "N"] * 2, newline="\r"), ["AF", "N"], ""),
}
ALIKE = {
    "case": ("AF", "af"), "space": ("AF rapid", "AF  rapid"), "no-break-space": ("AF rapid", "AF\u00a0rapid"),
    "unicode-form": ("\u00e9", "e\u0301"), "full-width": ("AF", "\uff21\uff26"), "number": ("1", "1.0"),
    "nan": ("N", "nan"), "NA": ("N", "NA"), "empty": ("N", '""'), "several": ("AF;PVC", "AF"),
    "several-bars": ("AF|PVC", "AF"),
}
ALIKE_SOURCES = {"NA": "pandas-dev/pandas#10647", "nan": "pandas-dev/pandas#55032"}


def four(place, labels):
    labelled(place, (("I", "II"),), 4)
    (place / "labels.csv").write_bytes(labels)
    return place


@pytest.mark.parametrize("name", LABELS)
def test_label_files_are_read_rightly_or_refused(desk, name):
    _, content, classes, words = LABELS[name]
    place = four(desk.place / "some", content)
    try:
        found, _ = desk.read(place, lead="II")
    except EcgtlError as error:
        assert words, error
        assert "\n" not in str(error) and "labels.csv" in str(error) and words in str(error).lower()
        return
    assert classes is not None, "was to be refused"
    assert found.classes == tuple(sorted(classes)) and [found.classes[k] for k in found.labels] == classes * 2


@pytest.mark.parametrize("name", ALIKE)
def test_labels_that_may_be_one_are_reported(desk, name):
    one, other = ALIKE[name]
    place = four(desk.place / "some", labels_csv([one, other] * 2))
    try:
        found, said = desk.read(place, lead="II", on_bad="skip")
    except EcgtlError as error:
        said = str(error)
    shown = {other.strip('"'), ascii(other.strip('"'))[1:-1]}
    assert any(name in said for name in shown) and (name != "empty" or "no label" in said or "empty" in said
                                                    or found.skipped), said


def test_several_labels_in_a_cell_are_several(desk):
    place = four(desk.place / "some", labels_csv(["AF;PVC", "N", "AF", "PVC; N"]))
    found, _ = desk.read(place, lead="II", labels_separator=";")
    assert found.classes == ("AF", "N", "PVC") and found.labels.tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 0], [0, 1, 1]]


@pytest.mark.parametrize("column", ["subject", "patient", "patient_id", "subject_id", "Patient_ID", " subject"])
def test_subjects_stand_in_the_label_file(desk, column):
    """label-subject-column; UCSD-AI4H/COVID-CT#11: slices of one patient in training and test."""
    place = four(desk.place / "some", labels_csv(["fast,p1", "slow,p2"] * 2, header=f"record,label,{column}"))
    found, said = desk.read(place, lead="II")
    assert len(set(found.subjects.tolist())) == 2
    assert found.subjects[0] == found.subjects[2]
    assert "independent" not in said


@pytest.mark.parametrize("names", [("p01_1", "p01_2", "p02_1", "p02_2"), ("p01/a", "p01/b", "p02/a", "p02/b"),
                                   ("pat1-rec1", "pat1-rec2", "pat2-rec1", "pat2-rec2")])
def test_names_that_look_like_several_records_a_person_are_said(desk, names):
    place = desk.place / "some"
    for k, name in enumerate(names):
        stem = name.rpartition("/")[2]
        record((place / name).parent, stem, PLAIN.replace("r.dat", f"{stem}.dat").replace("r 2", f"{stem} 2", 1),
               ecg(seed=k))
    (place / "labels.csv").write_text("record,label\n" + "".join(f"{name},{'ab'[k % 2]}\n" for k,
                                                                 name in enumerate(names)))
    assert "independent" in desk.read(place, lead="II")[1]


# --- parameters, checkpoints, results ---------------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", [{"root": "own"}, {"labels": "l.csv"}, {"lead": "II"},
                                        {"root": "own", "lead": "II"}])
def test_tier_demo_refuses_what_it_would_not_read(desk, parameters):
    """demo-tier-ignores-root."""
    own = labelled(desk.place / "own", (("I", "II"),), 2)
    given = {name: str(own) if value == "own" else value for name, value in parameters.items()}
    with pytest.raises(EcgtlError) as error:
        FinetuneConfig.from_notebook({"dataset": "folder"} | given)
    one_line(error, next(iter(parameters)))


def flipped(path, source, where):
    content = bytearray(Path(source).read_bytes())
    start = 8 + int.from_bytes(content[:8], "little")
    place = start + int(where * (len(content) - start - 1))
    content[place] ^= 1 << 6
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("where", [0.0, 0.3, 0.77, 1.0])
def test_a_flipped_bit_in_the_weights_is_found(desk, where):
    """checkpoint-bitflip; safetensors/safetensors#220: damaged weights load as if they were whole."""
    place = record(desk.place / "some")
    damaged = flipped(desk.place / "w.safetensors", desk.weights["one"], where)
    desk.predict(place, weights=damaged).refused(damaged)
    assert not (desk.place / "p.csv").exists()
    desk("rank", "--target", labelled(desk.place / "own", (("I", "II"),), 4), damaged).refused(damaged)


def test_a_checkpoint_without_a_checksum_is_read_and_that_is_said(desk):
    place, old = record(desk.place / "some"), desk.place / "old.safetensors"
    _, facts = checkpoint.load(desk.weights["one"])
    known = {name: value for name, value in facts.stored.items() if "sum" not in name and "sha256" not in name}
    save_file(load_file(desk.weights["one"]), old, metadata={"ecgtl": json.dumps(known)})
    answer, usual = desk.predict(place, weights=old), desk.predict(place)
    assert answer.rc == 0 and "checksum" in answer.err and "checksum" not in usual.err
    np.testing.assert_array_equal(probabilities(answer.table), probabilities(usual.table))


FORGED = {
    "width": ["wide", 10**9, -1, 0, 2.5, True, None, [4]], "in_channels": ["1", 0, 10**7, None],
    "sampling_rate": ["a", 0, -1, 1e300, None], "seconds": [0, -8, 1e12, "8", None],
    "classes": [{}, "af", [], ["a"], [1, 2, 3], ["a"] * 3, None, ["a", "b"]],
    "protocol": ["../../etc/passwd", "/etc/passwd", "none", 3, None, ["weimann2021"], ""],
    "arch": ["resnet999", 7, None, "os.system", ""], "leads": ["II", [], [1], ["I", "II"], None, [["II"]]],
    "mean": [None, [], ["x"], [1e400], 0.1], "sd": [[0.0], [-1.0], [], ["x"], None],
    "multi_label": ["yes", None, 3], "variant": ["../x", 5, []], "dataset": [None, 5, ["x"]]}


@pytest.mark.parametrize("fact", FORGED)
def test_edited_facts_of_a_checkpoint_are_one_line(desk, fact):
    """A checkpoint by somebody else may say anything of itself."""
    place, path = record(desk.place / "some"), desk.place / "w.safetensors"
    weights = load_file(desk.weights["one"])
    _, facts = checkpoint.load(desk.weights["one"])
    for value in FORGED[fact]:
        save_file(weights, path, metadata={"ecgtl": json.dumps({**facts.stored, fact: value})})
        answer = desk.predict(place, weights=path)
        if answer.rc != 0 or fact not in ("multi_label", "variant", "dataset", "classes"):
            answer.refused(path)
        for other in (desk("features", place, "--checkpoint", path, "--lead", "II", "--out", desk.place / "f.csv"),
                      desk("rank", "--target", labelled(desk.place / "own", (("I", "II"),), 4), path)):
            assert other.rc in (0, 2), other


def test_a_result_without_its_predictions_is_not_done(desk, monkeypatch):
    """missing-npz: it counts as missing, with the reason, and is run again."""
    small = {"tier": "demo", "arch": "majority"}
    path = results.save(finetune.run(FinetuneConfig.of(**small), "weimann2021-table2"))
    assert results.load(path).key
    for damage in (lambda: path.with_suffix(".npz").write_bytes(b"PK"), lambda: path.with_suffix(".npz").unlink()):
        damage()
        assert results.done(path) is None
        with pytest.raises(EcgtlError) as error:
            results.load(path)
        one_line(error, path.with_suffix(".npz").name, "again")


# --- words on the command line ----------------------------------------------------------------------------------------


def out_of(desk, kind):
    place = desk.place / "out.csv"
    if kind == "folder":
        place.mkdir()
    elif kind == "fifo":
        os.mkfifo(place)
    elif kind == "link":
        (desk.place / "kept.csv").write_text("kept")
        place.symlink_to(desk.place / "kept.csv")
    elif kind == "dangling-link":
        place.symlink_to(desk.place / "nowhere.csv")
    return {"empty": "", "device": "/dev/null", "missing-parent": desk.place / "none" / "such" / "p.csv",
            "slash": f"{place}/",
            "parent-is-a-file": desk.place / "r" / "r.hea" / "p.csv", "nul": "p\0.csv",
            "long": desk.place / ("p" * 300), "root": "/"}.get(kind, place)


@pytest.mark.parametrize("command", ["predict", "features"])
@pytest.mark.parametrize("kind", ["folder", "empty", "device", "fifo", "link", "dangling-link", "missing-parent",
                                  "parent-is-a-file", "nul", "long", "root", "slash"])
def test_out_must_be_able_to_be_a_file(desk, kind, command):
    """predict-out-folder: one line, before any work, and nothing is replaced."""
    root = record(desk.place / "r")
    out = out_of(desk, kind)
    before = {path: path.lstat().st_mode for path in desk.place.rglob("*")}
    options = ("--checkpoint", desk.weights["one"]) if command == "predict" else ()
    desk(command, root, *options, "--lead", "II", "--out", out).refused()
    assert {path: path.lstat().st_mode for path in desk.place.rglob("*")} == before
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "x/" * 3000, ""])
def test_nul_and_names_that_are_too_long(desk, name):
    root = record(desk.place / "r")
    one, file, other = desk.weights["one"], f"{name}.safetensors", name or "?"
    predict, features = (("predict", "--out", desk.place / "o.csv"), ("features", "--out", desk.place / "o.csv",
                                                                      "--lead"))
    rank = ("rank", "--target")
    for words in ((*predict, name, "--checkpoint", one), (*predict, root, "--checkpoint", name),
                  (*predict, root, "--checkpoint", file), (*predict, root, "--checkpoint", one, "--lead", other),
                  (*features, "II", name), (*features, "II", root, "--checkpoint", name),
                  (*features, "II", root, "--checkpoint", file), (*features, other, root),
                  (*rank, name, one), (*rank, root, name), (*rank, root, file),
                  (*rank, root, "--labels", other, one), ("run", name), ("data", "list", other),
                  ("data", "check", name)):
        desk(*words).refused()


def test_a_file_name_that_is_no_utf_8_is_no_traceback(desk):
    """As an old Windows or a zip from one leaves it; every other record is read."""
    name = os.fsdecode(b"M\xfcller")
    place = record(record(desk.place / "some"), name, PLAIN)
    (place / f"{name}.dat").unlink()
    for answer in (desk.predict(place), desk.features(place)):
        if answer.rc == 0:
            assert "r" in set(answer.table["record"])
        else:
            answer.refused()


def test_no_lead_lists_the_leads_that_there_are(desk):
    place = record(desk.place / "some", header=PLAIN.replace(" II\n", " V5\n"))
    desk.predict(place).refused("V5", "trained on lead II")
    desk.features(place).refused("V5")
    damaged = record(desk.place / "other", dat=b"")
    answer = desk.predict(damaged)
    answer.refused()
    assert "trained on lead" not in answer.err  # the lead is not the cause


def test_labels_of_comments_name_the_keys_that_are_read(desk):
    place = record(desk.place / "some")
    with pytest.raises(EcgtlError) as error:
        folder.read(place, lead="II", labels="comments")
    one_line(error, "label:", "Dx:")


@pytest.mark.parametrize("word", ["=1+1", "+1+1", "-1+cmd", "@SUM(1)", "\t=1", "=cmd|' /C calc'!A0"])
def test_a_spreadsheet_executes_no_name(desk, word):
    """hhurz/tableExport.jquery.plugin#230."""
    weights = store(desk.place / "w.safetensors", classes=[word, "b", "c"])
    name = word.replace("/", "").strip()
    place = record(desk.place / "some", name, PLAIN.replace("r 2", "x 2", 1))
    (place / f"{name}.dat").rename(place / "r.dat")
    answer = desk.predict(place, weights=weights)
    assert answer.rc == 0
    desk.features(place)
    for path in (desk.place / "p.csv", desk.place / "f.csv"):
        for row in pd.read_csv(path, header=None, dtype=str, keep_default_na=False).to_numpy():
            texts = [cell for cell in row if not re.fullmatch(r"-?\d+\.\d*(e[-+]?\d+)?", cell)]
            assert not [cell for cell in texts if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_signals_without_beats_have_no_rr_baseline_and_the_run_ends(desk):
    """MIT-LCP/wfdb-python#389: the detector finds none, or raises."""
    place = labelled(desk.place / "some", (("II",),), 8)
    for k, path in enumerate(place.glob("*.dat")):
        path.write_bytes((np.arange(3000, dtype="<i2") % (2 + k) * 40).tobytes())
    config = FinetuneConfig.of(dataset="folder", tier="reduced", root=str(place), lead="II", epochs=1, width=2,
                               seconds=4.096)
    found = finetune.baseline_results(config)
    assert "majority" in found
    assert rr_intervals.rr_features(folder.read(place, lead="II")).shape[0] == 8


@pytest.mark.parametrize("y, classes", [([0, 1, 1, -1], 2), ([0, 0, 3], 4)])
def test_scores_with_a_missing_label_are_numbers_or_one_line(y, classes):
    try:
        value = metrics.macro_f1(np.array(y), np.array([0] * len(y)), classes)
    except EcgtlError as error:
        assert "\n" not in str(error)
    else:
        assert np.isfinite(value)


def test_recordings_of_a_lead_by_index(desk, monkeypatch):
    """recordings-lead-index: papermill passes the index on; strips are of lead II, whose peak is 0.82 mV."""
    import papermill

    place = record(desk.place / "some")
    notebook = Path(__file__).parents[1] / "notebooks" / "recordings.ipynb"
    given = {"dataset": "folder", "tier": "reduced", "root": str(place), "lead": 1}
    done = papermill.execute_notebook(str(notebook), str(desk.place / "o.ipynb"), given, progress_bar=False,
                                      cwd=str(desk.place))
    assert not [output for cell in done.cells for output in cell.get("outputs", []) if output["output_type"] == "error"]


# --- the table itself -------------------------------------------------------------------------------------------------

REPORTED = ["baseline-400-digits", "bom-comment-first", "checkpoint-bitflip", "checksum-official-release", "demo-tier-ignores-root", "finetune-all-leads-order", "huge-gain", "label-latin1", "label-subject-column", "label-unquoted-comma", "missing-blocksize", "missing-npz", "multi-fixed", "nan-prediction", "no-length", "one-bad-among-good", "one-nan-late", "predict-out-folder", "rank-multilead-order", "rate-1e-9", "rate-near-target", "recordings-lead-index", "spf-mixed", "uV-word"]  # noqa: E501


def test_every_reported_case_stands_here_and_every_source_is_a_thread():
    text = Path(__file__).read_text()
    for name in REPORTED:
        assert name in (*READ, *BAD, *LABELS, *ORDERS) or re.search(rf'"""{name}\b', text), name
    sources = [row[0] for table in (READ, BAD, LABELS, ORDERS) for row in table.values()] + list(ALIKE_SOURCES.values())
    assert all(source == IN_USE or re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", source) for source in sources)
