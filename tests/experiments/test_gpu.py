"""Runs on a lent GPU, as far as they can be tested without one: packs, full-size steps, memory, the whole script on the
CPU."""

import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.training import gigaflops
from ecgtl import datasets, experiments, models, paths, results
from ecgtl.config import OBJECTIVES, FinetuneConfig, PretrainConfig
from ecgtl.datasets import catalogue, packs
from ecgtl.errors import EcgtlError
from ecgtl.experiments import gpu, pretrainings, queue, runners
from ecgtl.jobs import inputs
from ecgtl.models import convolution, googlenet
from ecgtl.results import Result
from ecgtl.training import classification, loop, reconstruction

ROOT = paths.repository()
GIB = 1 << 30
GPU_MEMORY, PROCESSES = 139 * GIB, 4
PACKED = re.search(r"^gpu-pack: DATASETS = (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def twin_packs(session_cache, tmp_path_factory):
    """A folder with packs of two twins, each of several files."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        patch.setattr(packs, "PART", 150_000)
        for name in ("mitdb", "cinc2017"):
            packs.write(name, folder, twin=True)
    return folder


@pytest.fixture
def packed(twin_packs, tmp_path, monkeypatch):
    """``ECGTL_DATA`` as that folder."""
    monkeypatch.setenv("ECGTL_DATA", str(twin_packs))
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "results"))
    return twin_packs


# --- packs --------------------------------------------------------------------------------------------------------


def assert_equal(found, expected):
    for field in dataclasses.fields(expected):
        ours, theirs = getattr(found, field.name), getattr(expected, field.name)
        if field.name == "annotations" and theirs is not None:
            assert_equal(ours, theirs)
        elif isinstance(theirs, np.ndarray):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs, field.name)
        elif field.name not in ("digest", "notes"):
            assert ours == theirs, field.name


def test_a_pack_of_one_lead_gives_what_was_packed(packed):
    whole, found = datasets.load("cinc2017", ROOT / "absent", twin=True), datasets.load("cinc2017", twin=True,
                                                                                        on_bad="error")
    assert_equal(found, whole)
    assert found.digest == whole.digest and found.samples.filename != whole.samples.filename
    files = packs.files("cinc2017", packed, True)
    assert len(files) > 2 and sum(file.stat().st_size for file in files) < whole.samples.nbytes / 2


def test_a_pack_of_two_leads_holds_the_first_and_says_so(packed, capsys):
    whole = datasets.load("mitdb", ROOT / "absent", twin=True)
    found = datasets.load("mitdb", twin=True)
    assert "ecgtl: note: mitdb: of a pack, which holds lead 0 alone" in capsys.readouterr().err
    first = {name: getattr(whole, name)[:, :1] for name in ("samples", "leads", "gain", "baseline")}
    assert whole.samples.shape[1] == 2 and whole.annotations is not None
    assert_equal(found, dataclasses.replace(whole, **first))
    assert found.digest != whole.digest and found.digest == found.select(range(len(found))).digest


def test_any_16_bit_sample_survives(tmp_path, monkeypatch):
    samples = np.random.default_rng(0).integers(-32768, 32768, (5000, 1)).astype(np.int16)
    samples[:4, 0] = -32768, 32767, -32768, 0
    made = dataclasses.replace(datasets.load("cinc2017", twin=True).select([0]), samples=samples,
                               offsets=np.array([0, 5000]))
    monkeypatch.setattr(datasets, "load", lambda name, twin, on_bad: made)
    packs.write("cinc2017", tmp_path, twin=False)
    np.testing.assert_array_equal(packs.read("cinc2017", packs.files("cinc2017", tmp_path, False), {}).samples, samples)
    floats = dataclasses.replace(made, samples=samples.astype(np.float32))
    monkeypatch.setattr(datasets, "load", lambda name, twin, on_bad: floats)
    with pytest.raises(EcgtlError, match="stored as float32"):
        packs.write("cinc2017", tmp_path, twin=False)


@pytest.mark.parametrize("damage", ["cut", "bits", "first", "last", "empty", "other"])
def test_a_damaged_pack_is_one_line(twin_packs, tmp_path, damage):
    files = [Path(shutil.copy(file, tmp_path)) for file in packs.files("cinc2017", twin_packs, True)]
    content = bytearray(files[1].read_bytes())
    content[len(content) // 2] ^= 1
    change = {"cut": lambda: files[-1].write_bytes(files[-1].read_bytes()[:-1]),
              "bits": lambda: files[1].write_bytes(content),
              "first": files[0].unlink, "last": files[-1].unlink, "empty": lambda: [file.write_bytes(b"")
                                                                                    for file in files],
              "other": lambda: files[0].write_bytes(b"x" * 1000)}
    change[damage]()
    with pytest.raises(EcgtlError,
                       match=r"^the pack \S+cinc2017-twin.pack\d\d .*is damaged or cut off.*bring it again$"):
        packs.read("cinc2017", packs.files("cinc2017", tmp_path, True), {})


def test_a_pack_is_not_read_with_other_options(packed):
    with pytest.raises(EcgtlError, match="as read with on_bad=error; take the release"):
        datasets.load("cinc2017", twin=True, on_bad="skip")


def test_a_new_pack_leaves_no_file_of_the_old_one(tmp_path, monkeypatch):
    few = datasets.load("cinc2017", twin=True).select(range(3))
    monkeypatch.setattr(datasets, "load", lambda name, twin, on_bad: few)
    monkeypatch.setattr(packs, "PART", 10_000)
    before = packs.write("cinc2017", tmp_path, twin=True)
    monkeypatch.setattr(packs, "PART", 28 << 20)
    assert packs.write("cinc2017", tmp_path, twin=True) == [tmp_path / "cinc2017-twin.pack00"] and len(before) > 1


# --- full size ----------------------------------------------------------------------------------------------------


def paper(kind, **parameters):
    return kind.of(tier="paper", **parameters).resolved()


def fine_tuned(protocol, dataset, **parameters):
    return paper(FinetuneConfig, protocol=protocol, dataset=dataset, **parameters)


NETWORKS = {
    "resnet18": fine_tuned("weimann2021", "cinc2017"),
    "resnet34": fine_tuned("weimann2021", "cinc2017", arch="resnet34"),
    "resnet50": fine_tuned("weimann2021", "cinc2017", arch="resnet50"),
    "resnet18, 300 Hz": fine_tuned("weimann2021", "cinc2017", sampling_rate=300.0),
    "autoencoder's classifier": fine_tuned("jang2021", "cinc2017"),
    "images": fine_tuned("jang2021", "cinc2017", init="image"),
    "resnet1d101": fine_tuned("melep2023", "ptbxl", lead="all"),
    "bilstm": fine_tuned("melep2023", "ptbxl", lead="all", arch="bilstm"),
    **{objective: paper(PretrainConfig, objective=objective) for objective in OBJECTIVES}}


@pytest.fixture
def twins(monkeypatch):
    """Twins in place of the recordings, which tell a network its classes and leads alone."""
    monkeypatch.setattr(inputs, "read", lambda plan, read=inputs.read: read(dataclasses.replace(plan.config,
                                                                                                tier="demo").plan()))


def network_of(config):
    """With a linear layer on features of images, which trains in no time anywhere."""
    if getattr(config, "init", "") == "image":
        if not googlenet.default_weights().is_file():
            pytest.skip("no ImageNet weights available here")
        return inputs.Prepared(config.plan(), inputs.read(config.plan())).network(), (googlenet.N_FEATURES,)
    return gpu.network_of(config)


class Made:
    """Two inputs of a pretraining, with classes of their own, as the training loops take them."""

    def __init__(self, shape, n_classes):
        self.x = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
        self.y, self.classes, self.n_samples, self.left_out = np.arange(2) % n_classes, (), shape[-1], 0

    def batches(self, batch_size, *_):
        yield (self.x, self.y) if self.labelled else self.x


def recipe_of(config):
    return loop.TrainConfig(1, config.batch_size, config.learning_rate, 1, "train_loss", "validation_loss", "auto", 0)


@pytest.mark.parametrize("name", NETWORKS)
def test_one_step_at_full_size(twins, name):
    config = NETWORKS[name]
    torch.manual_seed(0)
    model, shape = network_of(config)
    before = {key: weight.clone() for key, weight in model.state_dict().items() if weight.is_floating_point()}
    if isinstance(config, PretrainConfig):
        made, kind = Made(shape, 2), reconstruction if name == "reconstruction" else classification
        made.labelled = kind is classification
        fit = kind.fit(model, made, made, recipe_of(config), CPU)
    else:
        y = np.eye(5, dtype=np.uint8)[:1] if config.dataset == "ptbxl" else np.zeros(1, np.int64)
        part = loop.LabelledArray(np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32), y)
        fit = loop.fit(model, part, part, part, recipe_of(config), lambda y, p: 0.0, CPU)
        assert np.isfinite(fit.chosen["last"][1]).all()
    assert len(fit.history) == 1 and np.isfinite(fit.history[0]["train_loss"])
    still = [key for key in before if key.endswith("weight") and torch.equal(before[key], fit.weights[key])]
    assert not still, "every layer learns"


def memory(config, batch, device):
    """Bytes of a step in float32: what the backward pass needs of the forward one; and weights, gradients, Adam's two
    means."""
    with torch.device(device):
        model, shape = network_of(config)
        saved = {}

        def keep(tensor):
            saved[tensor.untyped_storage()._cdata] = tensor  # held, so that no storage takes the name of an earlier one
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            out = model(torch.randn(batch, *shape)).sum()
    own = {weight.untyped_storage()._cdata for weight in model.parameters()}
    activations = sum(tensor.untyped_storage().nbytes() for key, tensor in saved.items() if key not in own)
    return activations, 16 * sum(weight.numel() for weight in model.parameters()), out


def resident():
    with open("/proc/self/statm") as status:
        return int(status.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_the_estimate_of_memory_is_what_a_step_takes(twins):
    config = dataclasses.replace(NETWORKS["resnet18"], width=16)
    expected, _, _ = memory(config, 24, "meta")
    memory(config, 24, "cpu")  # libraries take their own first
    before = resident()
    counted, _, graph = memory(config, 24, "cpu")
    took = resident() - before
    assert counted == expected and expected > 200e6
    assert 0.7 * expected < took < 1.4 * expected, (took / 1e6, expected / 1e6)
    del graph


@pytest.mark.parametrize("name", NETWORKS)
def test_the_papers_batch_fits_into_a_share_of_the_gpu(twins, name):
    config = NETWORKS[name] if name != "bilstm" else dataclasses.replace(NETWORKS[name], seconds=0.1)
    activations, weights, _ = memory(config, config.batch_size, "meta")
    if name == "bilstm":  # every step in time adds as much, and is kept by itself
        longer = memory(dataclasses.replace(config, seconds=0.11), config.batch_size, "meta")[0]
        activations += 990 * (longer - activations)
        config = NETWORKS["bilstm"]
    with torch.device("meta"):
        shape = network_of(config)[1]
    data = 4 * np.prod(shape) * (0 if isinstance(config, PretrainConfig) else catalogue.entry(config.dataset).records)
    # In float32, of which bfloat16 takes half; the gradients of activations are freed as they are used
    assert 1.5 * activations + weights + data < GPU_MEMORY / PROCESSES, (activations / GIB, weights / GIB, data / GIB)
    assert activations > 0


# --- what is run --------------------------------------------------------------------------------------------------


def test_make_packs_what_the_first_runs_of_the_queue_need(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_DATA", str(tmp_path))
    first, others = queue.order("paper")[:6], queue.order("paper")[6:]
    assert not any(gpu.takes(entry.run) for entry in first)
    for name in PACKED:
        (tmp_path / f"{name}.pack00").touch()
    starts = [entry.start for entry in first if entry.start]
    assert len(starts) == 4 and all(gpu.takes(run) for run in [*starts, *(entry.run for entry in first)])
    assert not [entry.run for entry in others if gpu.takes(entry.run)
                and (entry.run.config.arch in ("majority", "rr_boosting") or hasattr(entry.run.config, "frozen"))]
    sources = [entry.run.config.source_names for entry in others if gpu.takes(entry.run)
               and hasattr(entry.run.config, "source_names")]
    assert sources and {name for names in sources for name in names} <= set(PACKED)


def test_a_run_that_surely_does_not_fit_is_not_begun(packed, monkeypatch):
    begun = []
    monkeypatch.setattr(runners, "make", lambda run, command: begun.append(run.key))
    runs = [run for run in experiments.enumerate_runs("weimann2021-table2", "demo") if run.method == "random"]
    monkeypatch.setattr(queue, "order", lambda tier: [queue.Entry("", "any", run) for run in runs])
    run = runs[-1]
    n, epochs = len(inputs.Prepared(run.config.plan(), inputs.read(run.config.plan())).split.train), run.config.epochs
    assert epochs < run.config.patience and n > 20
    monkeypatch.setattr(gpu, "step_seconds", lambda config: 100 / (n * epochs))
    assert gpu.Estimate("demo").seconds(run) == pytest.approx(100)
    queue.work("demo", time.time() + 90, gpu.takes, None, gpu.Estimate)
    assert run.key not in begun and begun, "those with fewer recordings fit"
    begun.clear()
    queue.work("demo", time.time() + 110, gpu.takes, None, gpu.Estimate)
    assert run.key in begun


def test_steps_are_timed_once_a_network(packed, capsys, monkeypatch):
    monkeypatch.setenv("ECGTL_DEVICE", "cpu")
    runs = [run for run in experiments.enumerate_runs("weimann2021-table2", "demo") if run.method in ("random", "beat")]
    seconds = {(run.method, run.size): gpu.Estimate("demo").seconds(run) for run in runs}
    said = capsys.readouterr().out.splitlines()
    words = r"resnet18, inputs of \(1, 1024\): \d+ recordings/s, \S+ % of the floor in steps alone"
    assert len(said) == 1 and re.fullmatch(words, said[0])
    assert seconds["random", 75] == seconds["beat", 75] > 2 * seconds["random", 25] > 0


def finished(run, data, arrays, seconds):
    """A stored result of one epoch."""
    return results.save(Result(run.experiment, run.key, dataclasses.asdict(run.config), {"target": "synthetic"},
                               {"accuracy": 0.5},
                               [{"epoch": 1, "seconds": seconds}], data | {"digest": "0"}, arrays,
                               {"wall_seconds": 9.0}))


def test_each_run_leaves_at_once_in_its_process_s_one_archive(packed, tmp_path, capsys):
    tuned = next(run for run in experiments.enumerate_runs("weimann2021-table2", "demo") if run.method == "random")
    future = next(run for run in pretrainings.enumerate_runs("weimann2021-seeds", "demo")
                  if run.config.objective == "future")
    places = [finished(tuned, {}, {"train": np.arange(10)}, 2.0), finished(future, {"frames": {"train": 640}},
                                                                           {"none": np.zeros(0)}, 4.0)]
    held = []
    for k, run in enumerate((tuned, future)):
        gpu._carry(tmp_path / "out", held, run, places[k], f"run {k}")
        [archive] = (tmp_path / "out").iterdir()
        with tarfile.open(archive) as tar:
            assert tar.getnames() == [f"demo/{path.parent.name}/{path.stem}{end}" for path in places[:k + 1]
                                      for end in (".json", ".npz")]
            assert tar.extractfile(tar.getmembers()[-2]).read() == places[k].read_bytes()
    said = capsys.readouterr().out.splitlines()
    work = models.training_flops("resnet18", 1, 4, tuned.config.n_samples, width=tuned.config.width)
    assert said[0] == f"run 0; 5 recordings/s, {100 * 5 * work / 7.9e14:.3g} % of the floor"
    assert said[1].startswith("run 1; 160 recordings/s, ")


def test_the_caller_says_the_commit_where_git_is_not(monkeypatch):
    for told, known in (("a" * 40, ("a" * 40, False)), ("b" * 40 + "-dirty", ("b" * 40, True))):
        monkeypatch.setenv("ECGTL_COMMIT", told)
        assert results.code_state.__wrapped__() == known


def test_without_packs_there_is_nothing_to_run(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_DATA", str(tmp_path))
    with pytest.raises(EcgtlError, match="holds no packs; 'make gpu-pack'"):
        gpu.work_off(str(tmp_path / "out"), "paper", 1, 2)


# --- the script ---------------------------------------------------------------------------------------------------


def test_the_whole_script_on_the_cpu(packed, tmp_path, monkeypatch):
    """Without wfdb and git, as there; stopped when two runs are finished, whose results have left by then."""
    checkout = tmp_path / "checkout"
    (checkout / "build" / "gpu").mkdir(parents=True)
    (checkout / "build" / "gpu" / "data").symlink_to(packed)
    (checkout / "results").mkdir()
    (checkout / "wfdb.py").write_text("raise ImportError('no wfdb here')")
    for name in ("Makefile", "ecgtl"):
        (checkout / name).symlink_to(ROOT / name)
    words = ["make", "gpu-runs", f"PYTHON={sys.executable}", "TIER=demo", "MINUTES=9", "PROCESSES=2",
             f"OUT={tmp_path / 'out'}", f"COMMIT={'0' * 40}"]
    with subprocess.Popen(words, cwd=checkout, stderr=subprocess.PIPE, text=True, start_new_session=True,
                          env=os.environ | {"ECGTL_DEVICE": "cpu"}) as script:
        said = []
        for line in script.stderr:
            said.append(line)
            finished = re.findall(r"^(\S+): .* \(\d+ s\); (\d+) recordings/s, (\S+) % of the floor$", "".join(said),
                                  re.MULTILINE)
            if len(finished) == 2:
                break
        os.killpg(script.pid, signal.SIGINT)
        script.stderr.read()
    archives = list((tmp_path / "out").iterdir())
    assert len(finished) == 2, "".join(said)
    assert 1 <= len(archives) <= 2 and all(re.fullmatch(r"runs-\d+\.tar", file.name) for file in archives)
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    for archive in archives:
        subprocess.run(["tar", "-C", unpacked, "-xf", archive], check=True)
    monkeypatch.setattr(convolution, "layout", lambda: convolution.NATIVE)  # PyTorch's counter knows its operations
    runs = {entry.run.key: entry.run for entry in queue.order("demo")}
    for key, per_second, share in finished:
        [path] = unpacked.glob(f"demo/*/{key}.json")
        result = results.load(path)
        assert (result.provenance["commit"], result.provenance["dirty"]) == ("0" * 40, False)
        seconds = sum(row["seconds"] for row in result.history) / len(result.history)
        assert float(per_second) == pytest.approx(len(result.arrays["train"]) / seconds, abs=0.51)
        config = runs[key].config
        network = inputs.Prepared(config.plan(), inputs.read(config.plan())).network()
        work = gigaflops(network, config.n_samples) * len(result.arrays["train"])
        assert float(share) == pytest.approx(100 * work / seconds / 790e3, rel=0.01)
