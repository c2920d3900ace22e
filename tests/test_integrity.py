"""Nothing is taken for whole that is not: checkpoints, cache entries, state files, results, and the paths that a user
gives."""

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path

import fuzz
import numpy as np
import pytest
import torch
import yaml
from messages import one_line
from safetensors.torch import save as serialise
from stored_runs import planned, store

from ecgtl import config, datasets, errors, experiments, models, paths, results
from ecgtl.__main__ import main
from ecgtl.analysis import cells, coverage
from ecgtl.config import starts
from ecgtl.datasets import cache, synthetic
from ecgtl.errors import EcgtlError
from ecgtl.experiments import pretrainings, runners, sources, transfers
from ecgtl.jobs import features, finetune, inputs, predict, pretrain, rank
from ecgtl.models import checkpoint
from ecgtl.report import provenance

FACTS = {"arch": "resnet18", "width": 2, "variant": "text", "in_channels": 1, "leads": ["I"], "init": "random",
         "protocol": "weimann2021", "sampling_rate": 100.0, "seconds": 2.0, "classes": ["a", "b"], "multi_label": False,
         "dataset": "folder", "evidence": "synthetic", "tier": "demo", "licence": "x", "synthetic": True, "mean": [0.1],
         "sd": [0.5], "seed": 0}


@pytest.fixture(autouse=True)
def _notes_anew(own_results):
    errors.note_once.cache_clear()


@contextlib.contextmanager
def at_most(n_bytes):
    """Memory never grows by more than ``n_bytes``, whatever earlier tests have taken."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = fuzz.peak()
    yield
    assert fuzz.peak() - before < n_bytes


def network(width=2, classes=2):
    torch.manual_seed(0)
    return models.build("resnet18", 1, classes, width=width, preactivation=True)


def saved(path, **facts):
    checkpoint.save(path, network().state_dict(), FACTS | facts)
    return path


def as_before(path, **facts):
    """A checkpoint as versions without a checksum wrote it."""
    plain = {name: tensor.contiguous() for name, tensor in network().state_dict().items()}
    path.write_bytes(serialise(plain, metadata={"ecgtl": json.dumps(FACTS | facts)}))
    return path


# -- checkpoints


def test_weights_and_facts_come_back(tmp_path):
    weights, facts = checkpoint.load(saved(tmp_path / "w.safetensors"))
    assert facts.stored == FACTS
    assert all(torch.equal(weights[name], tensor.float()) for name, tensor in network().state_dict().items())


def test_any_bit_that_turned_is_noticed(tmp_path, capsys):
    content = saved(tmp_path / "w.safetensors").read_bytes()
    size = 8 + int.from_bytes(content[:8], "little")
    header = np.random.default_rng(0).integers(0, 8 * size, 80).tolist()
    bits = header + np.random.default_rng(1).integers(8 * size, 8 * len(content), 40).tolist()
    mention = content.index(b"checksum") * 8
    for bit in bits + list(range(mention - 16, mention + 8 * 90, 11)):  # the mention of the checksum too
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        (tmp_path / "d.safetensors").write_bytes(damaged)
        with pytest.raises(EcgtlError, match="d.safetensors is damaged.*make or download it again"):
            checkpoint.load(tmp_path / "d.safetensors")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 100, -1, -1000])
def test_a_checkpoint_that_is_cut_off(tmp_path, cut):
    path = saved(tmp_path / "w.safetensors")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(EcgtlError) as error:
        checkpoint.load(path)
    one_line(error, path, "is damaged")


def test_an_older_checkpoint_is_read_and_that_is_said_once(tmp_path, capsys):
    path = as_before(tmp_path / "old.safetensors")
    for _ in range(3):
        assert checkpoint.load(path)[1].stored == FACTS
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "old.safetensors carries no checksum" in said[0]


def test_a_checksum_is_that_of_the_file_without_the_mention(tmp_path):
    """So that weights that are made again have the checksum that stored results name."""
    older, newer = as_before(tmp_path / "a.safetensors"), saved(tmp_path / "b.safetensors")
    assert checkpoint.checksum(older) == hashlib.sha256(older.read_bytes()).hexdigest() == checkpoint.checksum(newer)
    assert older.read_bytes() != newer.read_bytes()
    for file in sorted(starts.SHIPPED.glob("*.safetensors")):
        stored, facts = checkpoint.read(file)
        checkpoint.save(tmp_path / "again.safetensors", stored, facts)
        assert checkpoint.checksum(tmp_path / "again.safetensors") == checkpoint.checksum(file)


def test_shipped_checkpoints_are_verified_by_the_list_beside_them(tmp_path, monkeypatch, capsys):
    listed = dict(line.split()[::-1] for line in (starts.SHIPPED / "SHA256SUMS").read_text().splitlines())
    files = {*starts.SHIPPED.glob("*.safetensors")}
    older = {file for file in files if file.name in listed}
    assert all(listed[file.name] == hashlib.sha256(file.read_bytes()).hexdigest() for file in older)
    assert len(older) == 3 and all(b"sha256:" in file.read_bytes() for file in files - older)
    for file in files:
        checkpoint.load(file)
    copied = tmp_path / "anywhere.safetensors"
    shutil.copy(starts.SHIPPED / "cpsc2018-bilstm-demo.safetensors", copied)
    checkpoint.load(copied)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(checkpoint, "SUMS", tmp_path / "SHA256SUMS")
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  anywhere.safetensors\n")
    with pytest.raises(EcgtlError, match="anywhere.safetensors is damaged"):
        checkpoint.load(copied)


WRONG = [("width", "64"), ("width", 2.5), ("width", 0), ("width", True), ("width", None), ("classes", 5),
         ("classes", ["a", "a"]),
         ("classes", ["a", 1]), ("classes", ["a", None]), ("leads", 3), ("leads", "I"), ("leads", ["I", "II"]),
         ("leads", [None]), ("mean", "0.1"),
         ("mean", [float("nan")]), ("sd", [0.0]), ("sd", [-1.0]), ("seconds", 1e12), ("seconds", 1e-12),
         ("sampling_rate", 1e308),
         ("sampling_rate", float("inf")), ("sampling_rate", [100]), ("multi_label", "no"), ("multi_label", 0),
         ("variant", 7), ("variant", "other"), ("variant", ["text"]), ("in_channels", 2.5), ("in_channels", 10**400),
         ("synthetic", "x"),
         ("dataset", None), ("protocol", 3), ("protocol", None), ("arch", None), ("arch", ["resnet18"]),
         ("highpass", -1), ("stages", "4"), ("seconds", "10"), ("evidence", {}), ("sources", "mitdb"), ("objective", 1)]


@pytest.mark.parametrize("fact, value", WRONG)
def test_facts_of_another_kind_are_refused(tmp_path, fact, value):
    path = saved(tmp_path / "w.safetensors", **{fact: value})
    with pytest.raises(EcgtlError) as error:
        checkpoint.load(path)
    one_line(error, path, fact)


@pytest.mark.parametrize("facts", [{"width": 10**7}, {"width": 10**8}, {"arch": "none"}, {"arch": "cae"},
                                   {"arch": "bilstm"},
                                   {"arch": "googlenet"}, {"in_channels": 10**5,
                                                           "leads": [f"l{k}" for k in range(10**5)]},
                                   {"classes": ["a", "b", "c"]}, {"arch": "resnet1d101"}, {"width": 3}],
                         ids=lambda facts: ",".join(facts))
def test_a_network_that_the_weights_are_not_of_takes_no_memory(tmp_path, facts):
    path = saved(tmp_path / "w.safetensors", **facts)
    with at_most(500 << 20), pytest.raises(EcgtlError) as error:
        checkpoint.network(path, *checkpoint.load(path))
    one_line(error, path, "does not hold")


def test_an_autoencoders_width_takes_no_memory(tmp_path):
    model = models.build("cae", 1, 7, width=2, variant="text")
    for width in (10**7, 4):
        checkpoint.save(tmp_path / "c.safetensors", model.state_dict(),
                        {"arch": "cae", "width": width, "variant": "text", "in_channels": 1,
                                                                         "sampling_rate": 250.0, "seconds": 8.192})
        with pytest.raises(EcgtlError) as error:
            features.load(tmp_path / "c.safetensors")
        one_line(error, tmp_path, "does not fit")


def test_a_network_laid_out_first_computes_the_same(tmp_path):
    path = saved(tmp_path / "w.safetensors")
    found, plain, x = checkpoint.network(path, *checkpoint.load(path)).eval(), network().eval(), torch.randn(3, 1, 200)
    assert torch.equal(found(x), plain(x))
    assert [t.stride() for t in found.state_dict().values()] == [t.stride() for t in plain.state_dict().values()]


@pytest.mark.parametrize("name", ["../../x", "../published/weimann2021", "/etc/passwd", "none", ""])
def test_a_protocol_is_a_known_name_and_no_path(tmp_path, name, monkeypatch):
    asked = []
    monkeypatch.setattr(yaml, "safe_load", lambda text: asked.append(text))
    path = saved(tmp_path / "w.safetensors", protocol=name)
    for reader in (lambda: predict.predict(path, tmp_path), lambda: rank.candidate(str(path), "demo")):
        with pytest.raises(EcgtlError) as error:
            reader()
        one_line(error, path)
    assert asked == []


# -- the cache


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def build(folder):
    np.save(folder / "samples.npy", np.arange(30_000, dtype=np.int16))
    (folder / "below").mkdir()
    (folder / "below" / "meta.json").write_text('{"a": 1}')


def flip(path, at=None):
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if at is None else at] ^= 1
    with open(path, "r+b") as file:  # in place, as a disk does it
        file.write(content)


def read_through_yesterday(folder, digest=None):
    """As if the last look were of another day, and as if that had found ``digest``."""
    seal = json.loads((folder / cache.SEAL).read_text())
    sums = seal["sha256"]
    seal["seen"] = [cache._seen(folder, sums)[0] - 1, cache._seen(folder, sums)[1]]
    seal["sha256"] = dict.fromkeys(sums, digest) if digest else sums
    (folder / cache.SEAL).write_text(json.dumps(seal))


DAMAGES = {"bit": lambda folder: flip(folder / "samples.npy"),
           "cut": lambda folder: os.truncate(folder / "samples.npy", 1000),
           "zeros": lambda folder: (folder / "samples.npy").write_bytes(bytes((folder / "samples.npy").stat().st_size)),
           "gone": lambda folder: (folder / "samples.npy").unlink(),
           "below": lambda folder: flip(folder / "below" / "meta.json"),
           "no seal": lambda folder: (folder / cache.SEAL).unlink(),
           "seal": lambda folder: (folder / cache.SEAL).write_text("[1"),
           "other seal": lambda folder: (folder / cache.SEAL).write_text('{"sha256": 3}'),
           "list": lambda folder: (folder / cache.SEAL).write_text("[]"),
           "sums": lambda folder: read_through_yesterday(folder, "0" * 64)}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_made_again_and_that_is_said(own_cache, damage, capsys):
    folder, built = cache.entry("x", {}, build), []
    DAMAGES[damage](folder)
    for _ in range(2):
        again = cache.entry("x", {}, lambda part: (built.append(1), build(part)))
        np.testing.assert_array_equal(np.load(again / "samples.npy"), np.arange(30_000))
        assert (again / "below" / "meta.json").read_text() == '{"a": 1}'
    said = capsys.readouterr().err.splitlines()
    assert again == folder and built == [1]
    assert len(said) == 1 and folder.name in said[0] and "made again" in said[0]
    assert [p.name for p in own_cache.iterdir()] == [folder.name]  # nothing of the old one stays


def test_bits_that_turned_without_a_trace_are_found_the_next_day(own_cache, capsys):
    folder = cache.entry("x", {}, build)
    flip(folder / "samples.npy")
    seal = json.loads((folder / cache.SEAL).read_text())
    (folder / cache.SEAL).write_text(json.dumps(seal | {"seen": cache._seen(folder, seal["sha256"])}))
    assert cache.entry("x", {}, build) == folder
    assert capsys.readouterr().err == ""
    read_through_yesterday(folder)
    cache.entry("x", {}, build)
    assert "samples.npy is not what it was" in capsys.readouterr().err
    np.testing.assert_array_equal(np.load(folder / "samples.npy"), np.arange(30_000))


def test_an_entry_is_read_through_once_when_its_times_change(own_cache, monkeypatch, capsys):
    folder, read, sha256 = cache.entry("x", {}, build), [], cache._sha256
    monkeypatch.setattr(cache, "_sha256", lambda file, contents: (read.append(file), sha256(file, contents))[1])
    cache.entry("x", {}, build)
    assert read == []
    os.utime(folder / "samples.npy", (1, 1))  # copied to another machine, say
    for _ in range(3):
        cache.entry("x", {}, build)
    assert len(read) == 2 and capsys.readouterr().err == ""


def test_who_has_a_damaged_entry_open_keeps_it(own_cache):
    folder = cache.entry("x", {}, build)
    before = np.load(folder / "samples.npy", mmap_mode="r")
    os.truncate(folder / "below" / "meta.json", 0)
    cache.entry("x", {}, build)
    np.testing.assert_array_equal(before, np.arange(30_000))


def test_recordings_from_a_damaged_entry_are_right(own_cache, capsys):
    first = datasets.load("folder", twin=True, lead="II")
    whole, digest = np.array(first.samples), first.digest
    for place in sorted(own_cache.glob("folder-*")):
        flip(place / "samples.npy")
    again = datasets.load("folder", twin=True, lead="II")
    np.testing.assert_array_equal(again.samples, whole)
    assert again.digest == digest and isinstance(again.samples, np.memmap)
    assert "made again" in capsys.readouterr().err
    flip(next(synthetic.twin_root("folder").rglob("*.dat")))
    np.testing.assert_array_equal(datasets.load("folder", twin=True, lead="II").samples, whole)


# -- results


CELL = ("weimann2021-table2", "random", 25)


def stored_cell():
    store(*CELL, [{"macro_f1": 0.5, "weighted_f1": 0.5}] * 3)
    return [run for run in planned(CELL[0]) if (run.method, run.size) == CELL[1:]][:3]


def edit(path, change):
    body = json.loads(path.read_text())
    change(body)
    path.write_text(json.dumps(body))


UNDONE = {"gone": lambda path: path.with_suffix(".npz").unlink(), "bit": lambda path: flip(path.with_suffix(".npz")),
          "cut": lambda path: os.truncate(path.with_suffix(".npz"), 10),
          "no sum": lambda path: edit(path, lambda body: body["predictions"].pop("sha256"))}


@pytest.mark.parametrize("damage", UNDONE)
def test_a_result_without_its_predictions_is_not_done(damage, capsys, monkeypatch):
    runs = stored_cell()
    assert [run.state() for run in runs] == ["done"] * 3
    UNDONE[damage](runs[1].path)
    assert [run.state() for run in runs] == ["done", "missing", "done"]
    assert [run.number for run, _ in cells.runs(CELL[0], "reduced")] == [0, 2]
    if damage == "gone":  # that takes a second
        line = next(line for line in coverage.status_table().splitlines() if line.startswith(CELL[0] + " ")
                    and " reduced " in line)
        assert line.split()[2] == "2"
    said = [line for line in capsys.readouterr().err.splitlines() if runs[1].path.stem in line]
    assert len(said) == 1 and "counts as not done" in said[0]
    asked = []
    monkeypatch.setattr(finetune, "run", lambda config, *given, **options: asked.append(config) or 1 / 0)
    monkeypatch.setattr(experiments.Run, "obstacle", lambda run: "")
    monkeypatch.setattr(experiments, "enumerate_runs", lambda experiment, tier: runs)
    with pytest.raises(ZeroDivisionError):
        runners.run_missing(CELL[0], "reduced", report=lambda line: None)
    assert asked == [runs[1].config]


@pytest.mark.parametrize("damage", [lambda path: path.write_text("{"),
                                    lambda path: edit(path, lambda body: body["predictions"].update(file="../x")),
                                    lambda path: edit(path, lambda body: body.update(schema=3))],
                         ids=["json", "path", "newer"])
def test_a_result_that_cannot_be_read_is_named_and_not_replaced_unasked(damage, capsys):
    run = stored_cell()[0]
    damage(run.path)
    content = run.path.read_bytes()
    for command in (["status"], ["run", CELL[0]]):
        assert main(command) == 2
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1 and run.path.name in said[0]
    assert run.path.read_bytes() == content


@pytest.mark.parametrize("runner, experiment, tier", [(pretrainings, "jang2021-sensitivity", "reduced"),
                                                      (sources, "melep2023-sources", "reduced"),
                                                      (transfers, "melep2023-ptbxl", "reduced")])
def test_every_kind_of_run_needs_its_predictions(runner, experiment, tier, tmp_path):
    committed = paths.repository() / "results"
    run = next(run for run in runner.enumerate_runs(experiment, tier)
               if (committed / experiment / f"{run.key}.json").is_file())
    for suffix in (".json", ".npz"):
        file = run.path.with_suffix(suffix)
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(committed / experiment / file.name, file)
    assert run.state() == "done"
    run.path.with_suffix(".npz").unlink()
    assert run.state() == "missing"


def dig(body, place):
    *above, last = place.split(".")
    for key in above:
        body = body[key]
    return body, last


@pytest.mark.parametrize("place", ["config", "scores", "evidence", "data", "provenance", "predictions", "experiment",
                                   "key", "history",
                                   "config.tier", "scores.macro_f1", "scores.best_test", "evidence.target",
                                   "data.digest", "predictions.file", "predictions.sha256"])
@pytest.mark.parametrize("value", ["absent", None, [], "x", 3, {"a": None}])
def test_what_is_missing_or_null_in_a_result_is_one_line(place, value):
    path = stored_cell()[0].path

    def change(body):
        part, last = dig(body, place)
        if value == "absent":
            del part[last]
        else:
            part[last] = value

    before = json.loads(path.read_text())
    edit(path, change)
    asked = [lambda: results.load(path), lambda: results.table(), lambda: planned(CELL[0])[0].state(),
             lambda: cells.cells(CELL[0], "reduced"), lambda: provenance.made_by(results.load(path)),
             lambda: dig(vars(results.read(path)), place)[0][place.split(".")[-1]]]
    for ask in asked:
        try:
            ask()
        except EcgtlError as error:
            assert "\n" not in str(error) and path.name in str(error)
    assert before != json.loads(path.read_text()) or value in ("x", 3, [])


def test_a_part_that_a_newer_version_added_is_left_out_and_said(capsys):
    path = stored_cell()[0].path
    edit(path, lambda body: body.update(colour="blue"))
    assert not hasattr(results.load(path), "colour") and results.table()["key"].size == 3
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and path.name in said[0] and "colour" in said[0]


def test_every_committed_result_is_whole():
    for path in sorted((paths.repository() / "results").glob("*/*.json")):
        assert results.stored(path).key


# -- paths that a user gives


@pytest.fixture
def odd_places(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file.csv").write_text("x")
    (tmp_path / "link.csv").symlink_to(tmp_path / "file.csv")
    (tmp_path / "dangling.csv").symlink_to(tmp_path / "none")
    return tmp_path


PLACES = ["", ".", "..", "folder", "folder/", "new/", "fifo", "link.csv", "dangling.csv", "none/x.csv",
          "file.csv/x.csv", "file.csv/new/x.csv", "/dev/null",
          "a\0b.csv", "x" * 300, "x" * 300 + "/y.csv", "~nobody-of-that-name/x.csv", "y" * 5000]


@pytest.mark.parametrize("place", PLACES, ids=range(len(PLACES)))
def test_what_cannot_be_written_is_said_before_any_work(odd_places, monkeypatch, place, capsys):
    monkeypatch.chdir(odd_places)
    monkeypatch.setattr(checkpoint, "load", lambda path: 1 / 0)
    monkeypatch.setattr(inputs, "read", lambda config: 1 / 0)
    monkeypatch.setattr(starts, "starting_weights", lambda *words: 1 / 0)
    before = sorted(odd_places.rglob("*"))
    for command in ("predict", "features"):
        assert main([command, ".", "--checkpoint", "w.safetensors", "--out", place]) == 2
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1 and said[0].startswith("ecgtl: ") and len(said[0]) < 500
    if place:
        weights = place if place.endswith("/") or place[0] == "." else f"{place}.safetensors"
        with pytest.raises(EcgtlError):
            paths.output(place)
        if weights == place + ".safetensors" and (place.startswith(("file.csv/", "~")) or len(place) > 200
                                                  or "\0" in place):
            with pytest.raises(EcgtlError):
                finetune.run(config.FinetuneConfig.of(save_weights=weights))
    assert sorted(odd_places.rglob("*")) == before and (odd_places / "file.csv").read_text() == "x"


@pytest.mark.parametrize("words", ["finetune", "pretrain", "probe", "transfer", "classifier",
                                   "run weimann2021-table2 --tier demo"])
def test_that_no_result_can_be_stored_is_said_before_any_work(odd_places, monkeypatch, words, capsys):
    monkeypatch.setenv("ECGTL_RESULTS", str(odd_places / "file.csv" / "results"))
    monkeypatch.setattr(inputs, "read", lambda plan: 1 / 0)
    monkeypatch.setattr(pretrain, "read", lambda plan: 1 / 0)
    assert main(words.split()) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "file.csv" in said and "ECGTL_RESULTS" in said


def test_what_can_be_written_is(odd_places):
    assert paths.output(odd_places / "new.csv") == odd_places / "new.csv"
    assert paths.output(str(odd_places / "file.csv")) == odd_places / "file.csv"
    (odd_places / "linked").symlink_to(odd_places / "folder")
    assert paths.output(odd_places / "linked" / "x.csv").parent.is_dir()  # a folder may be a link


@pytest.mark.parametrize("place", ["a\0b", "x" * 300, "~nobody-of-that-name/x", "y" * 5000],
                         ids=["nul", "name", "user", "path"])
def test_names_that_no_file_can_have(place, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commands = [["predict", place, "--checkpoint", str(saved(tmp_path / "w.safetensors"))],
                ["predict", ".", "--checkpoint", place],
                ["features", place], ["features", ".", "--checkpoint", f"{place}.safetensors"],
                ["data", "list", "--root", place],
                ["data", "check", "mitdb", "--root", place], ["rank", f"{place}.safetensors", "--target", "ptbxl"],
                ["rank", "cpsc2018-bilstm", "--target", place, "--tier", "reduced"], ["weights", "googlenet", place]]
    for command in commands:
        assert main(command) == 2, command
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1 and said[0].startswith("ecgtl: ") and len(said[0]) < 600, command
    for given in ({"root": place}, {"init": f"{place}.safetensors"}, {"save_weights": f"{place}.safetensors"}):
        with pytest.raises(EcgtlError) as error:
            finetune.run(config.FinetuneConfig.of(tier="reduced", **given))
        one_line(error)


# -- anything at all


def mutated(content, rng):
    """``content`` with some bytes changed, cut out, doubled or replaced."""
    damaged = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        at, n = int(rng.integers(0, max(1, len(damaged)))), int(rng.integers(1, 9))
        kind = rng.integers(4)
        if kind == 0:
            damaged[at:at + n] = rng.bytes(n)
        elif kind == 1:
            del damaged[at:at + n]
        elif kind == 2:
            damaged[at:at] = damaged[at:at + n]
        else:
            damaged[at:at + 1] = [b"0", b"9", b'"', b"-", b"e", b"[", b"{", b"null", b"\xff",
                                  b"1e999"][rng.integers(10)]
    return bytes(damaged)


VALUES = (None, True, 0, -1, 2.5, 10**7, 1e12, 1e308, float("nan"), "", "x", "../../x", "64", [], ["a"], [1.0], [None],
          {}, {"a": 1}, 10**400)


def survived(ask):
    try:
        ask()
    except EcgtlError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000
        return False
    return True


def test_no_bytes_of_a_checkpoint_end_in_a_traceback(tmp_path):
    content, header = as_before(tmp_path / "w.safetensors").read_bytes(), 8 + 6000
    for seed in range(200):
        rng = np.random.default_rng(seed)
        (tmp_path / "m.safetensors").write_bytes(mutated(content[:header], rng) + content[header:] if seed % 2
                                                 else mutated(content, rng))

        def ask():
            path = tmp_path / "m.safetensors"
            checkpoint.network(path, *checkpoint.load(path))

        survived(ask)


def test_no_fact_ends_in_a_traceback(tmp_path):
    names, path = [*FACTS, "highpass", "stages", "objective", "sources", "extra"], tmp_path / "w.safetensors"
    whole = 0
    with at_most(1 << 30):
        for seed in range(60):
            rng = np.random.default_rng(seed)
            facts = {name: VALUES[rng.integers(len(VALUES))] for name in rng.choice(names, int(rng.integers(1, 3)),
                                                                                    replace=False)}
            if rng.random() < 0.2:
                facts |= {"arch": sorted(models.MODELS)[rng.integers(len(models.MODELS))]}
            saved(path, **facts)
            whole += survived(lambda: checkpoint.network(path, *checkpoint.load(path)))
            survived(lambda: rank.candidate(str(path), "demo"))
            survived(lambda: features.load(path))
    assert whole > 2


def test_no_result_ends_in_a_traceback():
    run = stored_cell()[0]
    path = run.path
    body = json.loads(path.read_text())

    def places(value, above=()):
        if isinstance(value, dict):
            for key in value:
                yield (*above, key)
                yield from places(value[key], (*above, key))

    every = list(places(body))
    for seed in range(200):
        rng = np.random.default_rng(seed)
        changed = json.loads(json.dumps(body))
        *above, last = every[rng.integers(len(every))]
        part = changed
        for key in above:
            part = part[key]
        if rng.random() < 0.2:
            del part[last]
        else:
            part[last if rng.random() < 0.9 else "extra"] = VALUES[rng.integers(len(VALUES))]
        text = json.dumps(changed).encode()
        path.write_bytes(mutated(text, rng) if seed % 4 == 0 else text)
        for ask in (lambda: results.load(path), lambda: results.table(), lambda: run.state(),
                    lambda: cells.runs(CELL[0], "reduced"),
                    lambda: cells.cells(CELL[0], "reduced"), lambda: provenance.made_by(results.load(path))):
            survived(ask)
