"""Result files: written whole or not at all, checked when they are read; and every committed one recomputed."""

import dataclasses
import hashlib
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn import metrics as oracle

from ecgtl import experiments, results
from ecgtl.config import FinetuneConfig, FrozenConfig, protocol
from ecgtl.datasets import cache
from ecgtl.errors import EcgtlError
from ecgtl.experiments import pretrainings, sources, transfers
from ecgtl.jobs import ensemble, inputs
from ecgtl.results import Result

pytestmark = pytest.mark.usefixtures("own_results")
COMMITTED = Path(__file__).parents[1] / "results"
FILES = sorted(path for path in COMMITTED.glob("*/*.json") if path.parent.name in experiments.names())
PRETRAINED = sorted(COMMITTED.glob("pretrain/*.json"))
AUTOENCODER = COMMITTED / "jang2021-seeds/cae-seed0-reduced.json"  # that is shipped
SHIPPED = [COMMITTED / "weimann2021-seeds/beat-seed0-reduced.json"]
SHORT = sorted(path for path in COMMITTED.glob("*/*.json") if path.parent.name in pretrainings.names())
ALL = sorted(path for path in COMMITTED.glob("*/*.json") if path.parent.name != "demo")


def made(key="cinc2017-reduced-random-75-run0", tier="reduced", experiment="hand", **scores):
    """A small result with numbers that need rounding."""
    config = dataclasses.asdict(FinetuneConfig.of(tier=tier, fraction=1 / 3).resolved())
    scores = {"macro_f1": 2 / 3, "f1_per_class": {"normal": 1 / 3}} | scores
    return Result(experiment, key, config, {"upstream": "none", "target": "full", "leads": "full"}, scores,
                  [{"epoch": 1, "train_loss": 1 / 7}], {"name": "hand", "digest": "d" * 64, "classes": ["normal"]},
                  {"test": np.arange(3, dtype=np.uint32), "prob_last": np.full((3, 2), 0.1, np.float16)},
                  {"commit": "unknown", "dirty": False})


def test_a_stored_config_is_the_planned_one_or_not():
    planned = FinetuneConfig.of(tier="reduced", fraction=1 / 3).resolved()
    stored = results.rounded(dataclasses.asdict(planned))
    assert results.same_config(stored, planned)
    # from before there was such a parameter
    older = {name: value for name, value in stored.items() if name != "on_bad"}
    assert results.same_config(older, planned)
    assert not results.same_config(older, dataclasses.replace(planned, on_bad="skip"))
    assert not results.same_config(stored, dataclasses.replace(planned, fraction=0.3334))
    assert results.same_config(stored, dataclasses.replace(planned, device="cuda"), ("device",))
    assert not results.same_config(stored, dataclasses.replace(planned, device="cuda"))


# --- save and load ------------------------------------------------------------------------------------------------


def test_a_result_comes_back(tmp_path):
    path = results.save(made())
    assert path == tmp_path / "results" / "hand" / "cinc2017-reduced-random-75-run0.json"
    again = results.load(path)
    assert again.config["fraction"] == pytest.approx(1 / 3, rel=1e-8) and again.history[0]["train_loss"] == 0.142857143
    assert {name: (a.dtype, a.tolist()) for name, a in again.arrays.items()} == {
        name: (a.dtype, a.tolist()) for name, a in made().arrays.items()}
    first = dataclasses.asdict(dataclasses.replace(made(), arrays={}))
    assert dataclasses.asdict(dataclasses.replace(again, arrays={}, predictions={})) == results.rounded(first)
    assert sorted(f.suffix for f in path.parent.iterdir()) == [".json", ".npz"]


def test_saving_again_replaces(tmp_path):
    results.save(made())
    path = results.save(made(macro_f1=0.5))
    assert results.load(path).scores["macro_f1"] == 0.5 and len(list(path.parent.iterdir())) == 2


def test_a_crash_before_the_json_leaves_the_run_undone(monkeypatch):
    written, write = [], cache.write_atomic

    def crash(path, content):
        if path.suffix == ".json":
            raise KeyboardInterrupt
        written.append(path)
        write(path, content)

    monkeypatch.setattr(results, "write_atomic", crash)
    with pytest.raises(KeyboardInterrupt):
        results.save(made())
    assert [path.suffix for path in written] == [".npz"]  # predictions first, the JSON makes a run done
    assert not results.path_of("hand", made().key, "reduced").exists() and results.table().empty


def test_a_crash_between_two_versions_is_noticed(monkeypatch):
    path = results.save(made())
    newer = dataclasses.replace(made(), arrays={"test": np.arange(4)})
    monkeypatch.setattr(results.json, "dumps", lambda *given, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        results.save(newer)
    monkeypatch.undo()
    with pytest.raises(EcgtlError, match="is not the file that .*run0.json was written with"):
        results.load(path)


def test_altered_and_missing_predictions_are_noticed():
    path = results.save(made())
    stored = path.with_suffix(".npz")
    content = stored.read_bytes()
    stored.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(EcgtlError, match="npz is not the file.*run the experiment again"):
        results.load(path)
    stored.unlink()
    with pytest.raises(EcgtlError, match="npz is missing beside"):
        results.load(path)


def test_a_history_has_one_line_an_epoch_and_reads_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path))
    history = [{"epoch": k, "train_loss": 1 / k, "note": '"history": []'} for k in range(1, 4)]
    for rows in (history, []):
        path = results.save(dataclasses.replace(made(), history=rows))
        assert results.load(path).history == results.rounded(rows)
        lines = path.read_text().splitlines()
        assert [line[:5] for line in lines if line.startswith("   [")] == [f"   [{k}" for k in range(1, len(rows) + 1)]
        assert json.loads(path.read_text())["schema"] == 2
    with pytest.raises(ValueError, match="every epoch of a history has the columns epoch, train_loss, note"):
        results.save(dataclasses.replace(made(), history=[*history, {"epoch": 4}]))


def test_histories_of_the_first_schema_are_still_read():
    path = results.save(made())
    body = json.loads(path.read_text())
    columns, rows = body["history"]["columns"], body["history"]["rows"]
    older = body | {"schema": 1, "history": [dict(zip(columns, row, strict=True)) for row in rows]}
    path.write_text(json.dumps(older))
    assert results.load(path).history == results.rounded(made().history)
    path.write_text(json.dumps(body | {"history": {"columns": columns, "rows": [rows[0][:-1]]}}))
    with pytest.raises(EcgtlError, match="is not a result"):
        results.load(path)


def test_pickled_arrays_are_never_loaded(tmp_path):
    path = results.save(made())
    np.savez(path.with_suffix(".npz"), test=np.array([{}], dtype=object))
    body = json.loads(path.read_text())
    body["predictions"]["sha256"] = hashlib.sha256(path.with_suffix(".npz").read_bytes()).hexdigest()
    path.write_text(json.dumps(body))
    with pytest.raises(EcgtlError, match="is no file of arrays"):
        results.load(path)


@pytest.mark.parametrize("content", ["", "garbage", "[]", "3", "{}", '{"schema": 1', '{"schema": 1}'])
def test_files_that_are_no_results_are_named(tmp_path, content):
    (tmp_path / "odd.json").write_text(content)
    with pytest.raises(EcgtlError, match="odd.json is not a result .*delete it and run again"):
        results.read(tmp_path / "odd.json")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(EcgtlError, match="none.json is not a result"):
        results.load(tmp_path / "none.json")


def test_another_schema_is_refused():
    path = results.save(made())
    path.write_text(path.read_text().replace('"schema": 2', '"schema": 99'))
    with pytest.raises(EcgtlError, match="has schema 99, this version reads 1 and 2"):
        results.load(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_nan_gets_into_a_file(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        results.save(made(macro_f1=value))
    assert not list(results.folder("reduced").glob("*/*.json"))


def test_numbers_are_cut_to_nine_digits():
    given = {"a": [1 / 3, 7, "x", None, True], "b": (np.float64(2 / 3), 1e-20 / 3), 5: 123456789.123}
    assert results.rounded(given) == {"a": [0.333333333, 7, "x", None, True], "b": [0.666666667, 3.33333333e-21],
                                      "5": 123456789.0}
    assert results.rounded(results.rounded(given)) == results.rounded(given)


# --- the table ----------------------------------------------------------------------------------------------------


def test_the_table_has_a_row_a_run_and_plain_columns():
    for number, experiment in enumerate(("one", "one", "two")):
        results.save(made(key=f"run{number}", experiment=experiment, macro_f1=number / 10))
    table = results.table()
    assert table["key"].tolist() == ["run0", "run1", "run2"] and table["macro_f1"].tolist() == [0, 0.1, 0.2]
    assert {"experiment", "dataset", "init", "fraction", "tier", "seed", "evidence_target", "digest"} <= set(table)
    assert "f1_per_class" not in table
    assert all(Path(path).is_file() for path in table["path"])
    assert results.table("one")["key"].tolist() == ["run0", "run1"]
    assert results.table("none").empty


def test_demo_results_lie_apart():
    results.save(made(key="real"))
    path = results.save(made(key="made", tier="demo"))
    assert path.parent.parent.name == "demo"
    assert results.table()["key"].tolist() == results.table(tier="reduced")["key"].tolist() == ["real"]
    assert results.table(tier="demo")["key"].tolist() == ["made"]
    assert results.table(tier="paper").empty


def test_the_folder_of_demo_results_is_ignored_by_git():
    assert "results/demo/" in (COMMITTED.parent / ".gitignore").read_text().split()


# --- provenance ---------------------------------------------------------------------------------------------------


def test_provenance_names_what_ran(monkeypatch):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    found = results.provenance("cpu", 1.5, 7, 2, command="python -m ecgtl run x")
    assert (found["device"], found["wall_seconds"], found["seed"], found["threads"]) == ("cpu", 1.5, 7, 2)
    assert found["command"] == "python -m ecgtl run x" and set(found["versions"]) == {"python", *results.LIBRARIES}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["finished"])
    assert found["instructions"] in ("AMX", torch.backends.cpu.get_cpu_capability())
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")
    assert results.provenance("cpu", 1.5, 7, 2)["instructions"] == "AVX512_CORE_BF16"
    assert found["commit"] == "unknown" or re.fullmatch("[0-9a-f]{40}", found["commit"])


def test_the_command_carries_no_folder_of_this_machine(monkeypatch):
    monkeypatch.setattr(results.sys, "argv", ["/somewhere/ecgtl/__main__.py", "run", "x"])
    assert results.provenance("cpu", 0, 0, 1)["command"] == "python -m ecgtl run x"
    monkeypatch.setattr(results.sys, "argv", ["/somewhere/bin/sweep.py", "--fast"])
    assert results.provenance("cpu", 0, 0, 1)["command"] == "sweep.py --fast"


def test_a_checkout_without_git_is_unknown(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert results.git("rev-parse", "HEAD") == "unknown"


# --- every committed result ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def committed():
    if not FILES:
        pytest.skip("no result is committed yet")
    return [(path, results.load(path)) for path in FILES]


def rules_of(result):
    """The protocol's rules as they hold for a result."""
    return protocol(result.config["protocol"]).for_labels(result.arrays["y_test"].ndim == 2, result.key)


def check_scores(path, result):
    """Every stored score by scikit-learn's reckoning, from the stored probabilities; its way to Fmax's 100 thresholds
    is slow."""
    y, names = result.arrays["y_test"], result.data["classes"]
    choices = [name for name in ("validated", "best_test", "last") if name in result.scores]
    assert "validated" in choices, path
    # At the top stands what the paper reports; a baseline has no epochs to choose from
    top = rules_of(result).report if result.history else "validated"
    for choice in choices:
        check = check_labels if y.ndim == 2 else check_classes
        stored = [result.scores[choice], *[result.scores] * (choice == top)]
        check(path, stored, y, result.arrays[f"prob_{choice}"], names)
    assert top in choices, path
    if y.ndim == 2:
        assert result.scores["f_max"] == pytest.approx(f_max(y, result.arrays[f"prob_{top}"].astype(float)),
                                                       abs=1e-8), path


def check_classes(path, stored, y, probabilities, names):
    predicted, n = probabilities.argmax(axis=1), len(names)
    f1 = oracle.precision_recall_fscore_support(y, predicted, labels=range(n), zero_division=0)[2]
    for scores in stored:
        assert scores["macro_f1"] == pytest.approx(f1.mean(), abs=1e-8), path
        assert scores["weighted_f1"] == pytest.approx(np.average(f1, weights=np.bincount(y, minlength=n))), path
        assert scores["accuracy"] == pytest.approx((predicted == y).mean()), path
        assert scores["f1_per_class"] == pytest.approx(dict(zip(names, f1, strict=True)), abs=1e-8), path
        if "challenge_f1" in scores:
            three = [f1[names.index(name)] for name in ("normal", "af", "other")]
            assert scores["challenge_f1"] == pytest.approx(np.mean(three)), path


def check_labels(path, stored, y, probabilities, names):
    areas = {name: oracle.roc_auc_score(y[:, k], probabilities[:, k]) if 0 < y[:, k].sum() < len(y) else None
             for k, name in enumerate(names)}
    known = {name: area for name, area in areas.items() if area is not None}
    weight = 1 / np.maximum(y.sum(axis=1), 1)
    for scores in stored:
        assert scores["macro_auc"] == pytest.approx(np.mean(list(known.values())), abs=1e-8), path
        assert {name for name, area in scores["auc_per_class"].items() if area is None} == set(areas) - set(known), path
        assert {name: scores["auc_per_class"][name] for name in known} == pytest.approx(known, abs=1e-8), path
        for name, threshold in scores.get("thresholds", {}).items():
            counts = oracle.multilabel_confusion_matrix(y, probabilities >= threshold, sample_weight=weight)
            hits, misses, false = counts[:, 1, 1], counts[:, 1, 0], counts[:, 0, 1]
            below = {"f_beta": 5 * hits + 4 * misses + false, "g_beta": hits + 2 * misses + false}[name]
            above = {"f_beta": 5 * hits, "g_beta": hits}[name]
            assert scores[name] == pytest.approx((above[below > 0] / below[below > 0]).mean(), abs=1e-8), path


def f_max(y, probabilities):
    """By its definition: precision over recordings that get a label, recall over all."""
    found, true = [], y.astype(bool)
    for threshold in np.linspace(0, 1, 100):
        predicted = probabilities >= threshold
        hits, given = (true & predicted).sum(axis=1), predicted.sum(axis=1)
        if given.any():
            precision = (hits[given > 0] / given[given > 0]).mean()
            recall = (hits / np.maximum(true.sum(axis=1), 1)).mean()
            found.append(2 * precision * recall / max(precision + recall, 1e-12))
    return max(found)


def check_split(path, result):
    """Parts are disjoint, counted rightly, and together the data set where all of it is used."""
    y, kind = result.arrays["y_test"], protocol(result.config["protocol"]).split.kind
    several = y.ndim == 2
    parts = [set(result.arrays[part].tolist()) for part in ("train", "validation", "test")]
    assert len(set.union(*parts)) == sum(map(len, parts)), path
    drawn_again = kind == "bootstrap"
    for part, indices in zip(("train", "validation", "test"), parts, strict=True):
        counts, n = list(result.data["split"][part].values()), len(result.arrays[part])
        assert max(counts) <= n if several else sum(counts) == n, path
        assert len(indices) == n or (part == "train" and drawn_again), path
    positives = y.sum(axis=0) if several else np.bincount(y, minlength=len(result.data["classes"]))
    assert list(result.data["split"]["test"].values()) == positives.tolist(), path
    assert len(y) == len(result.arrays["test"]), path
    assert result.data["records"] > max(set.union(*parts)), path
    if not several:
        assert sum(result.data["counts"].values()) == result.data["records"], path
    if result.config["fraction"] == 1 and not result.config.get("per_class") and not drawn_again:
        assert len(set.union(*parts)) == result.data["records"], path


def check_history(path, result):
    """The reported epochs are those that the protocol chooses from the history."""
    assert [row["epoch"] for row in result.history] == list(range(1, len(result.history) + 1)), path
    column = rules_of(result).select_on
    values = [row[column] for row in result.history]
    best = min(values) if column.endswith("loss") else max(values)
    assert result.scores["validated"]["epoch"] == values.index(best) + 1, path
    assert result.scores["last"]["epoch"] == len(result.history), path
    tested = [row["test_score"] for row in result.history]
    assert tested[result.scores["best_test"]["epoch"] - 1] == max(tested), path


def test_committed_scores_are_those_of_the_committed_predictions(committed):
    for path, result in committed:
        check_scores(path, result)


def test_committed_splits_are_disjoint_and_add_up(committed):
    for path, result in committed:
        check_split(path, result)


@pytest.fixture(scope="module")
def several_labels(session_cache):
    """A short run and a baseline on a twin with several labels a recording."""
    from ecgtl.jobs import finetune

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        given = {"dataset": "ptbxl", "lead": "all", "seconds": 4.096, "protocol": "weimann2021", "tier": "demo"}
        return [finetune.run(FinetuneConfig.of(**given, arch="resnet18", width=4, epochs=2)),
                finetune.run(FinetuneConfig.of(**given, arch="majority"))]


def test_runs_with_several_labels_pass_the_same_checks(several_labels):
    for made_now in several_labels:
        path = results.save(made_now)
        result = results.load(path)
        assert result.arrays["y_test"].ndim == 2 and {"f_beta", "g_beta", "f_max"} <= set(result.scores)
        check_scores(path, result)
        check_split(path, result)
    check_history("network", several_labels[0])


@pytest.mark.parametrize("score", ["macro_auc", "f_max", "f_beta", "g_beta"])
def test_an_altered_score_of_several_labels_is_noticed(several_labels, score):
    result = results.load(results.save(several_labels[0]))
    result.scores[score] += 0.01
    with pytest.raises(AssertionError):
        check_scores("altered", result)


@pytest.mark.needs("ptb-xl")
def test_committed_parts_of_ptbxl_are_its_folds_and_share_no_patient(committed, real_data):

    found = [(path, result) for path, result in committed if result.experiment == "weimann2021-table5-ptbxl"]
    if not found:
        pytest.skip("no result on PTB-XL with several labels is committed yet")
    recordings = inputs.read(FinetuneConfig.of(**found[0][1].config).plan())
    for path, result in found:
        folds, people = ([set(of[result.arrays[part]].tolist()) for part in ("train", "validation", "test")]
                         for of in (recordings.folds, recordings.subjects))
        assert folds == [set(range(1, 9)), {9}, {10}], path
        assert len(set.union(*people)) == sum(map(len, people)), path


def test_committed_runs_of_one_experiment_share_their_test_part(committed):
    tests = {}
    for path, result in committed:
        same = result.experiment, result.config["dataset"], result.data["records"]  # some networks take fewer
        fixed = tests.setdefault(same, result.arrays["test"])
        assert (fixed == result.arrays["test"]).all(), path


def test_committed_histories_are_those_of_the_chosen_epochs(committed):
    for path, result in committed:
        if result.history:
            check_history(path, result)


@pytest.fixture(scope="module")
def everything():
    return [(path, results.load(path)) for path in ALL]


def test_committed_results_were_recorded_not_made(everything):
    for path, result in everything:
        assert "synthetic" not in result.evidence.values() and result.config.get("tier") != "demo", path
        assert set(result.evidence) == {"upstream", "target", "leads"}, path
        assert set(result.evidence.values()) <= set(results.EVIDENCE), path


def test_committed_results_lie_where_their_names_say(everything):
    known = {*experiments.names(), *pretrainings.names(), *sources.names(), *transfers.names(), "pretrain", "measured",
             ensemble.HOME}
    for path, result in everything:
        assert (path.parent.name, path.stem) == (result.experiment, result.key), path
        assert result.experiment in known, path
    for path in FILES:
        config = results.load(path).config
        (FrozenConfig if "frozen" in config else FinetuneConfig).of(**config)


@pytest.mark.parametrize("path", SHORT, ids=lambda path: path.stem)
def test_committed_pretrainings_are_those_of_their_experiment(path):
    result = results.load(path)
    run = next(run for run in pretrainings.enumerate_runs(result.experiment, result.config["tier"])
               if run.key == result.key)
    assert results.same_config(result.config, run.config)
    followed = run.config.rules.select_on
    best = (min if followed.endswith("loss") else max)(row[followed] for row in result.history)
    assert best == result.history[result.scores["epoch"] - 1][followed]


def test_committed_results_come_from_committed_code(everything):
    for path, result in everything:
        assert re.fullmatch("[0-9a-f]{40}", result.provenance["commit"]) and not result.provenance["dirty"], path


def test_no_folder_of_a_machine_is_committed(everything):
    for path, _ in everything:
        assert not re.search(r"/(tmp|home|work|root|Users|mnt)\b|[A-Z]:\\\\", path.read_text()), path


def test_committed_numbers_are_finite_and_short(everything):
    def numbers(value):
        children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return [value] if isinstance(value, float) else [x for child in children for x in numbers(child)]

    for path, _ in everything:
        found = numbers(json.loads(path.read_text()))
        assert all(math.isfinite(x) and float(f"{x:.9g}") == x for x in found), path


def test_committed_results_are_small():
    sizes = [path.stat().st_size for path in COMMITTED.glob("*/*") if path.parent.name != "demo" and path.is_file()]
    assert sum(sizes) < 22e6


def test_committed_weights_are_those_that_their_result_speaks_of():
    from ecgtl import paths
    from ecgtl.config import PretrainConfig
    from ecgtl.jobs import pretrain
    from ecgtl.models import checkpoint

    result = results.load(AUTOENCODER)
    config = PretrainConfig.of(**result.config).resolved()
    weights = paths.PACKAGE / "weights" / result.data["weights"]["file"]
    assert checkpoint.checksum(weights) == result.data["weights"]["sha256"]
    state, facts = checkpoint.load(weights)
    pretrain.network(config).load_state_dict(state)
    assert (facts.arch, facts.width, facts.variant) == (config.arch, config.width, config.variant)
    assert facts.stored["mse_sum"] == pytest.approx(result.scores["mse_sum"]) and not facts.synthetic and facts.licence
    best = min(result.history, key=lambda row: row["validation_loss"])
    assert best["epoch"] == result.scores["epoch"]
    assert best["validation_loss"] == pytest.approx(result.scores["validation"]["summed"], rel=1e-6)


@pytest.mark.parametrize("path", [path for path in PRETRAINED if "cae-" not in path.stem], ids=lambda path: path.stem)
def test_a_committed_pretraining_of_frames_reports_its_best_epoch(path):
    from ecgtl.config import PretrainConfig

    result = results.load(path)
    config = PretrainConfig.of(**result.config)
    best = max(result.history, key=lambda row: row[config.rules.select_on])  # the first of equal ones
    assert best["epoch"] == result.scores["epoch"] and len(result.history) == config.epochs
    assert best["validation_accuracy"] == pytest.approx(result.scores["validation"]["accuracy"], rel=1e-6)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_committed_weights_of_frames_are_those_that_their_result_speaks_of(path):
    from ecgtl import models, paths
    from ecgtl.config import PretrainConfig
    from ecgtl.models import checkpoint

    result = results.load(path)
    config = PretrainConfig.of(**result.config)
    weights = paths.PACKAGE / "weights" / result.data["weights"]["file"]
    assert checkpoint.checksum(weights) == result.data["weights"]["sha256"]
    state, facts = checkpoint.load(weights)
    network = models.build(config.arch, 1, 4, width=config.width).state_dict()
    for name, tensor in network.items():
        assert name.startswith("output.") or state[name].shape == tensor.shape
    assert {name for name in state if not name.startswith("output.")} <= set(network)
    assert all(facts.stored[name] == getattr(config, name) for name in ("arch", "width", "objective", "frame",
                                                                        "sampling_rate"))
    assert not facts.synthetic and facts.licence


@pytest.mark.needs("mitdb", "qtdb")
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_committed_weights_classify_as_well_as_their_result_says(path, real_data):
    """In float32, and they were scored in bfloat16 where the machine has it."""
    from ecgtl import paths
    from ecgtl.config import PretrainConfig
    from ecgtl.jobs import pretrain
    from ecgtl.models import checkpoint
    from ecgtl.training import classification, loop

    result, cpu = results.load(path), torch.device("cpu")
    config = PretrainConfig.of(**result.config)
    test = pretrain.parts_of(config, pretrain.whole_of(config, pretrain.read(config)))["test"]
    network = pretrain.network(config)
    network.load_state_dict(checkpoint.load(paths.PACKAGE / "weights" / result.data["weights"]["file"])[0])
    found = classification.scores(network, test, loop.mixed("float32", cpu), cpu, config.seed)
    assert found["accuracy"] == pytest.approx(result.scores["accuracy"], abs=0.01)
    assert found["counts"] == result.scores["counts"]
