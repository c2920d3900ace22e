"""Icentia11k patient by patient: read by several processes, whole or absent, the same numbers, memory that stays."""

import dataclasses
import gc
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecgtl import datasets, paths
from ecgtl.config import PretrainConfig
from ecgtl.datasets import icentia11k
from ecgtl.datasets.recordings import Annotations, Shard, load_folder, store_rest
from ecgtl.errors import EcgtlError
from ecgtl.jobs import pretrain
from ecgtl.signals.frames import sampled
from ecgtl.training.classification import LabelledFrames

pytestmark = pytest.mark.usefixtures("own_results")
PATIENTS, LENGTH = 10, 20_000
HOURS, MARKS = 58, 20_000  # of a made patient of full size
SMALL = {"tier": "reduced", "sources": "icentia11k", "width": 2, "epochs": 2, "per_subject": 8, "batch_size": 16,
         "precision": "float32", "validation": 0.2, "test": 0.2}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Noise of ten patients with a beat every 200 samples, by turns normal and premature; the last has no marks."""
    base = tmp_path_factory.mktemp("icentia")
    for k in range(PATIENTS):
        name, folder = f"p{k:05d}_s00", base / icentia11k.FOLDER / "p00" / f"p{k:05d}"
        folder.mkdir(parents=True)
        noise = np.random.default_rng(k).integers(-100, 100, (LENGTH, 1))
        wfdb.wrsamp(name, fs=250, units=["mV"], sig_name=["ecg"], d_signal=noise, fmt=["16"], adc_gain=[74.4],
                    baseline=[0], write_dir=str(folder))
        at = np.arange(100, LENGTH, 200) if k < PATIENTS - 1 else np.array([5])
        symbols = ["NS"[i // 20 % 2] for i in range(len(at))] if k < PATIENTS - 1 else ["+"]
        wfdb.wrann(name, "atr", at, symbols, aux_note=["None" if s != "+" else "(N" for s in symbols],
                   write_dir=str(folder))
    return base


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def without_times(result):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in result.history]


@pytest.mark.parametrize("objective", ["beat", "future", "reconstruction"])
def test_a_pretraining_is_that_on_all_patients_as_one(root, monkeypatch, objective):
    own = {"beat": {}, "future": {"context": 2, "negatives": 1, "offset": 0},
           "reconstruction": {"variant": "text", "features": 4, "epochs": 1}}[objective]
    config = PretrainConfig.of(objective=objective, root=str(root), **SMALL | own)
    by_patient = pretrain.run(config)
    monkeypatch.setattr(datasets, "sources", lambda *given, **options: [datasets.load(*given, **options)])
    together = pretrain.run(config)
    assert len(pretrain.read(config.resolved())) == 1
    assert by_patient.result.data == together.result.data and by_patient.result.scores == together.result.scores
    assert without_times(by_patient.result) == without_times(together.result)
    assert by_patient.result.data["sources"]["icentia11k"]["recordings"] == PATIENTS
    assert by_patient.result.data["skipped"] == together.result.data["skipped"]
    assert ("recording excluded" in by_patient.result.data["skipped"]) == (objective == "beat")


def test_several_processes_read_them_and_each_entry_is_whole(root, own_cache):
    writers, ended = set(), threading.Event()

    def watch():
        while not ended.is_set():
            writers.update(part.name.split("@")[2] for part in own_cache.glob(".part-icentia11k-*@*"))
            for entry in own_cache.glob("icentia11k-*"):
                assert len(load_folder(entry)) == 1
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    shards = datasets.sources("icentia11k", root)
    ended.set()
    watcher.join()
    assert len(shards) == PATIENTS == len(list(own_cache.glob("icentia11k-*")))
    assert str(os.getpid()) not in writers and (len(writers) > 1 or os.cpu_count() == 1)
    for shard, name in zip(shards, icentia11k.patients(root), strict=True):
        whole = icentia11k.read(root, patients=name)
        assert shard.digest == whole.digest and shard.ids.tolist() == whole.ids.tolist()
        np.testing.assert_array_equal(shard.signal(0), whole.signal(0))
        assert all(map(np.array_equal, shard.annotations.of(0), whole.annotations.of(0)))
    assert not list(own_cache.glob("icentia11k-together-*"))


def test_a_build_that_was_killed_leaves_whole_patients_only(root, own_cache):
    program = "import sys; from ecgtl.datasets import icentia11k; icentia11k.shards(sys.argv[1])"
    process = subprocess.Popen([sys.executable, "-c", program, str(root)], cwd=paths.repository(),
                               env=os.environ | {"PYTHONPATH": str(paths.repository())})
    while not list(own_cache.glob(".part-icentia11k-*")):
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    assert process.wait() != 0
    time.sleep(1.5)  # its workers end when they find it gone
    before = {entry.name: load_folder(entry).digest for entry in own_cache.glob("icentia11k-*")}
    assert len(before) < PATIENTS
    shards = icentia11k.shards(root)
    assert [shard.digest for shard in shards] == [icentia11k.read(root, patients=name).digest
                                                  for name in icentia11k.patients(root)]
    assert set(before.values()) <= {shard.digest for shard in shards} and not list(own_cache.glob(".part-*"))


def test_a_patient_that_cannot_be_read_is_named(root, tmp_path, own_cache):
    damaged = tmp_path / icentia11k.FOLDER / "p00"
    damaged.mkdir(parents=True)
    for name in ("p00000", "p00001"):
        (damaged / name).mkdir()
        for file in (root / icentia11k.FOLDER / "p00" / name).iterdir():
            (damaged / name / file.name).write_bytes(file.read_bytes())
    file = damaged / "p00001" / "p00001_s00.dat"
    file.write_bytes(file.read_bytes()[:-2])
    with pytest.raises(EcgtlError, match=re.escape(str(file))):
        datasets.sources("icentia11k", tmp_path)


# --- memory -------------------------------------------------------------------------------------------------------


def made(folder, like, k):
    """A patient of full size, sparse on the disk: 58 segments of an hour, and marks enough to notice."""
    folder.mkdir()
    n, hour = HOURS, 3600 * 250
    np.lib.format.open_memmap(folder / "samples.npy", "w+", np.int16, (n * hour, 1)).flush()
    each = np.linspace(100, hour - 100, MARKS // n).astype(np.int64)
    marks = Annotations(np.tile(each, n), np.full(n * len(each), "N"), np.full(n * len(each), ""),
                        np.arange(n + 1) * len(each))
    repeated = {name: np.repeat(getattr(like, name)[:1], n, axis=0) for name in
                ("sampling_rate", "leads", "gain", "baseline", "labels")}
    store_rest(dataclasses.replace(
        like, ids=np.array([f"p{k:05d}_s{i:02d}" for i in range(n)]), subjects=np.full(n, f"p{k:05d}"),
        offsets=np.arange(n + 1) * hour, annotations=marks, digest=f"made {k}", **repeated), folder)
    return folder


def held():
    return int(re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_memory_stays_the_same_from_ten_to_a_hundred_patients_of_full_size(root, tmp_path, own_cache):
    like = icentia11k.read(root, patients="p00000")
    folders = [made(tmp_path / f"patient{k}", like, k) for k in range(100)]
    assert sum((folder / "samples.npy").stat().st_size for folder in folders) > 10e9
    marks = sum(array.nbytes for array in vars(load_folder(folders[0]).annotations).values())

    def most(n):
        gc.collect()
        frames = sampled(list(map(Shard, folders[:n])), statistics={"icentia11k": (0.0, 1.0)})
        labelled = LabelledFrames(frames, "beat", 256 / n)
        drawn = [(held(), len(y)) for epoch in range(2) for _, y in labelled.batches(64, 0, epoch)]
        assert sum(n_frames for _, n_frames in drawn) == 2 * len(labelled) == 512
        return max(bytes_held for bytes_held, _ in drawn)

    few = max(most(10), most(10))  # the first fills what every run needs
    assert most(100) - few < 90 * marks / 4
