"""What bad input gets on the whole way that a reader takes: one line with the remedy, an exit code above 0.

Here are the ways through the command line, the notebook and whole runs. The parts by themselves:

- a checkpoint of another architecture, width, variant or shape, a truncated one: ``test_models``,
  ``test_pretrain``, ``test_finetune``, ``test_features``
- a flat or NaN-laden window: ``test_windows`` and ``test_features`` (left out, counted), ``test_filters`` and
  ``test_spectrograms`` (an error)
- a window shorter than 8.192 s: ``test_cae``, ``test_pretrain``, ``test_filters``, ``test_windows``,
  ``test_features``
- an xlsx without a column, names without CSV and the reverse, damaged CSV files: ``test_shaoxing``
- ImageNet weights that are missing, truncated or another network's: ``test_googlenet``,
  ``test_spectrograms``, ``test_finetune``
"""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
import wfdb
from messages import one_line

from ecgtl import experiments, models
from ecgtl.__main__ import main
from ecgtl.config import FinetuneConfig, PretrainConfig
from ecgtl.datasets import arrays, folder, shaoxing
from ecgtl.errors import EcgtlError
from ecgtl.experiments import runners
from ecgtl.jobs import finetune, inputs, pretrain
from ecgtl.models import checkpoint, googlenet

pytestmark = pytest.mark.usefixtures("own_results")
RUN = ["run", "jang2021-table2", "--tier", "reduced"]
COMMAND = "python -m ecgtl weights googlenet"


def said(capsys):
    """The one line on stderr."""
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("ecgtl: ") and len(line) < 600
    return line


# --- the Shaoxing release -----------------------------------------------------------------------------------


@pytest.fixture
def release(tmp_path, monkeypatch):
    """A figshare release of two recordings where ``ECGTL_DATA`` points to."""
    monkeypatch.setenv("ECGTL_DATA", str(tmp_path / "data"))
    base = tmp_path / "data" / shaoxing.FIGSHARE
    (base / "ECGData").mkdir(parents=True)
    rows = [("MUSE_1", "SB", 60, "MALE"), ("MUSE_2", "AFIB", 71, "FEMALE")]
    diagnoses = pd.DataFrame(rows, columns=["FileName", "Rhythm", "PatientAge", "Gender"])
    diagnoses.to_excel(base / shaoxing.TABLE, index=False)
    rng = np.random.default_rng(0)
    for name, *_ in rows:
        table(rng.normal(0, 150, (5000, 12)), base / "ECGData" / f"{name}.csv")
    return base


def table(values, path):
    np.savetxt(path, values, fmt="%.1f", delimiter=",")


def without_column(base):
    kept = pd.read_excel(base / shaoxing.TABLE).drop(columns="Rhythm")
    kept.to_excel(base / shaoxing.TABLE, index=False)


def change_csv(change):
    def apply(base):
        path = base / "ECGData" / "MUSE_2.csv"
        change(np.loadtxt(path, delimiter=","), path)
    return apply


DAMAGE = {
    "no column": (without_column, "Diagnostics.xlsx has no column Rhythm .*fetch Diagnostics.xlsx"),
    "name without csv": (lambda base: (base / "ECGData" / "MUSE_2.csv").unlink(),
                         "1 recordings without a file .*MUSE_2.: signal absent.*unpack ECGData.zip whole"),
    "csv without name": (lambda base: table(np.zeros((5000, 12)), base / "ECGData" / "MUSE_3.csv"),
                         "MUSE_3.csv has no row in Diagnostics.xlsx.*remove the file or add its row"),
    "eleven columns": (change_csv(lambda values, path: table(values[:, :11], path)),
                       "MUSE_2.csv has 5000 rows of 11 columns instead of 5000 of 12; fetch the file again"),
    "thirteen columns": (change_csv(lambda values, path: table(np.hstack([values, values[:, :1]]), path)),
                         "MUSE_2.csv has 5000 rows of 13 columns .*; fetch the file again"),
    "text": (change_csv(lambda values, path: path.write_text(path.read_text().replace("\n", "\noff", 1))),
             "MUSE_2.csv is not a table of numbers .*fetch the file again")}


@pytest.mark.parametrize("damage, words", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_release_ends_the_experiment(release, capsys, damage, words, tmp_path):
    damage(release)
    assert main(RUN) == 2
    line = said(capsys)
    assert re.search(words, line), line
    assert not (tmp_path / "results").exists()


# --- weights ------------------------------------------------------------------------------------------------


def test_a_run_stops_where_imagenet_weights_are_missing(tmp_path, monkeypatch):
    """No network with random weights takes their place: the run that the notebook calls fails, and says how to get
    them."""
    monkeypatch.setenv("ECGTL_DATA", str(tmp_path))
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "results"))
    with pytest.raises(EcgtlError) as error:
        finetune.run(FinetuneConfig.from_notebook({"init": "image"}))
    one_line(error, "GoogLeNet's ImageNet weights are not at", COMMAND)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("content", [b"", b"{}", b"\x0a\x09GoogleNet" * 99], ids=["empty", "text", "caffe"])
def test_image_weights_that_are_none_end_the_run(tmp_path, monkeypatch, content):
    monkeypatch.setenv("ECGTL_DATA", str(tmp_path))
    path = googlenet.default_weights()
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(EcgtlError) as error:
        finetune.run(FinetuneConfig.of(init="image"))
    one_line(error, path, "damaged", COMMAND)


def test_a_cut_off_file_is_not_converted(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ECGTL_DATA", str(tmp_path))
    (tmp_path / "cut.caffemodel").write_bytes(b"\x0a\x09GoogleNet" * 99)
    assert main(["weights", "googlenet", str(tmp_path / "cut.caffemodel")]) == 2
    assert googlenet.SHA1 in said(capsys)
    assert not googlenet.default_weights().exists()


def save(path, arch="cae", **facts):
    """A checkpoint with random weights that says ``facts`` of itself."""
    options = {"variant": "text"} if arch == "cae" else {}
    checkpoint.save(path, models.build(arch, 1, 60, width=2, **options).state_dict(), {
        "arch": arch, "width": 2, "variant": options.get("variant"), "in_channels": 1, "sampling_rate": 250.0,
        "seconds": 8.192, "synthetic": True} | facts)
    return str(path)


@pytest.mark.parametrize("facts, words", [({"sampling_rate": 500.0}, ["sampling_rate=500.0", "250.0"]),
                                          ({"seconds": 4.096}, ["seconds=4.096", "8.192"])])
def test_an_autoencoder_of_another_rate_or_length_is_refused(tmp_path, facts, words):
    path = save(tmp_path / "other.safetensors", **facts)
    with pytest.raises(EcgtlError) as error:
        finetune.run(FinetuneConfig.of(init=path, protocol="jang2021", width=2, epochs=1))
    one_line(error, path.rsplit("/", 1)[1], *words, "choose another checkpoint")


def test_other_weights_may_come_from_another_rate_and_the_result_says_so(tmp_path):
    path = save(tmp_path / "r.safetensors", "resnet18", sampling_rate=100.0, seconds=2.0)
    result = finetune.run(FinetuneConfig.of(init=path, arch="resnet18", width=2, epochs=1, seconds=8.0,
                                            sampling_rate=50.0))
    assert result.data["start"] == {"arch": "resnet18", "sampling_rate": 100.0, "seconds": 2.0}
    assert "start" not in finetune.run(FinetuneConfig.of(arch="majority")).data


@pytest.mark.parametrize("facts", [{"width": "2"}, {"sampling_rate": None}, {"seconds": float("nan")},
                                   {"in_channels": True}, {"seconds": 0}, {"sampling_rate": float("inf")}])
def test_facts_that_are_no_numbers_are_refused(tmp_path, facts):
    path = save(tmp_path / "odd.safetensors", **facts)
    with pytest.raises(EcgtlError) as error:
        checkpoint.load(path)
    one_line(error, path.rsplit("/", 1)[1], next(iter(facts)), "no number above 0")


def test_an_experiment_says_which_runs_wait_for_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_DATA", str(tmp_path))
    name, lines = "jang2021-table2-cinc2017", []
    images = [run for run in experiments.enumerate_runs(name, "demo") if run.method == "image"]
    monkeypatch.setattr(experiments, "enumerate_runs", lambda *given: images)
    assert runners.run_missing(name, "demo", report=lines.append) == []
    [line] = lines
    assert re.search(f"3 runs, 0 to do; 3 wait: GoogLeNet's ImageNet weights are not at .*{COMMAND}", line)


# --- windows ------------------------------------------------------------------------------------------------


def write(root, record, seconds, flat=0.0, label="a"):
    """A WFDB record of noise in one lead at 250 Hz, its first ``flat`` seconds constant."""
    root.mkdir(exist_ok=True)
    x = np.random.default_rng([1, *record.encode()]).normal(size=(round(250 * seconds), 1))
    x[:round(250 * flat)] = 0.1
    wfdb.wrsamp(record, fs=250, units=["mV"], sig_name=["II"], p_signal=x, fmt=["16"], adc_gain=[1000.0],
                baseline=[0], comments=[f"label: {label}"], write_dir=str(root))


def own(root, **parameters):
    """The config of a small run on the recordings below ``root`` by the protocol of Jang 2021."""
    small = {"tier": "reduced", "protocol": "jang2021", "arch": "cae_classifier", "width": 2, "epochs": 1}
    mine = {"dataset": "folder", "root": str(root) or "none", "labels": "comments", "lead": "II"}
    return FinetuneConfig.of(**mine | small | parameters)


@pytest.fixture
def records(tmp_path):
    """Twenty-four usable recordings of two classes, and nothing else."""
    for k in range(24):
        write(tmp_path / "mine", f"r{k:02d}", 10, label="ab"[k % 2])
    return tmp_path / "mine"


SHORT, FLAT = "is shorter than its window", "is flat in its window"
GAP = "has missing samples (NaN) in its window"


def test_recordings_without_a_whole_window_meet_the_policy(records):
    write(records, "s97", 6)
    write(records, "s98", 20, flat=9)
    with pytest.raises(EcgtlError) as error:
        finetune.run(own(records))
    one_line(error, "s97", SHORT, "8.192 s", "2 of 26", "on_bad=skip")
    result = finetune.run(own(records, on_bad="skip"))
    assert (result.data["records"], result.data["skipped"]) == (24, {SHORT: 1, FLAT: 1})
    by_the_other = finetune.run(own(records, protocol="weimann2021", arch="resnet18", seconds=8.192,
                                    sampling_rate=50.0))  # pads with zeros, and z-scores nothing
    assert (by_the_other.data["records"], by_the_other.data["skipped"]) == (26, {})


def test_an_input_of_nearly_all_zeros_is_refused():
    source = arrays.from_array(np.random.default_rng(0).normal(size=(3, 5000)), 250, labels=["a", "b", "a"])
    asked = {"lead": 0, "protocol": "weimann2021", "arch": "resnet18"}
    with pytest.raises(EcgtlError) as error:
        inputs.drop_unusable(own("", **asked, seconds=2000.0).plan(), source)
    one_line(error, "seconds is 2000", "has 20 s", "give seconds=20")
    for seconds in (10000.0, 1e9):  # whatever the recordings, at 125 Hz; the second ended in a MemoryError
        with pytest.raises(EcgtlError) as error:
            own("", **asked, seconds=seconds).plan()
        one_line(error, f"seconds is {seconds:g}", "1048576 samples", "give fewer")
    asked["seconds"] = 200.0
    assert len(inputs.drop_unusable(own("", **asked).plan(), source)) == 3
    asked |= {"arch": "majority", "seconds": 2000.0}  # no network, no input
    assert len(inputs.drop_unusable(own("", **asked).plan(), source)) == 3


def test_missing_samples_meet_the_policy():
    source = arrays.from_array(np.random.default_rng(0).normal(size=(3, 5000)), 250, labels=["a", "b", "a"])
    samples = np.array(source.samples)
    samples[100], samples[9000] = np.nan, np.nan  # in the window of the first, behind that of the second
    broken = dataclasses.replace(source, samples=samples)
    kept = inputs.drop_unusable(own("", lead=0, on_bad="skip").plan(), broken)
    assert (kept.ids.tolist(), kept.skipped) == (["1", "2"], {GAP: ["0"]})
    with pytest.raises(EcgtlError) as error:
        inputs.drop_unusable(own("", lead=0, on_bad="skip").plan(), broken.select([0]))
    one_line(error, GAP, "1 of 1", "give others")


@pytest.mark.parametrize("seed", [1, 2, 3])  # the flat window falls into one part or another
def test_pretraining_counts_what_it_leaves_out(tmp_path, monkeypatch, seed):
    """A flat window and a short recording in a source: the run goes on and its result says so."""
    root = tmp_path / "source"
    for k in range(24):
        write(root, f"r{k:02d}", 26, flat=9 if k == 3 else 0)
    write(root, "short", 5)
    source = folder.read(root, lead="II")
    monkeypatch.setattr(pretrain, "read", lambda config: [source])
    done = pretrain.run(PretrainConfig.of(sources="folder", epochs=1, width=2, validation=0.1, test=0.1,
                                          per_subject=9, seed=seed))
    assert done.result.data["skipped"] == {"recording shorter than a window": 1, "flat window": 1}
    assert sum(done.result.data["windows"].values()) == 24 * 3 - 1
