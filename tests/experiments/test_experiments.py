"""Experiments: which runs there are, which are done, and that a sweep runs just the missing ones."""

import dataclasses
import json

import numpy as np
import pytest

from ecgtl import experiments, results
from ecgtl.config import BASELINES, TIERS, protocol, protocols, starts
from ecgtl.datasets import catalogue
from ecgtl.errors import EcgtlError
from ecgtl.experiments import runners
from ecgtl.jobs import finetune, inputs
from ecgtl.results import Result

pytestmark = pytest.mark.usefixtures("own_results")
NAME = "weimann2021-table2"


def digest():
    return experiments.load(NAME).data.digest


def quick(config, experiment, key, report=None, command=None):
    """A result such as ``finetune.run`` makes, without the work."""
    return Result(experiment, key, dataclasses.asdict(config), {"upstream": "none", "target": "full", "leads": "full"},
                  {"macro_f1": 0.5}, [], {"digest": digest()}, {"test": np.arange(2)}, {"wall_seconds": 1.0})


@pytest.fixture
def sweep(monkeypatch):
    """``run_missing`` with quick runs; the keys that were run, in order."""
    ran = []

    def run(config, experiment, key, **options):
        ran.append(key)
        return quick(config, experiment, key)

    monkeypatch.setattr(finetune, "run", run)
    return ran


def first(tier="reduced"):
    return experiments.enumerate_runs(NAME, tier)[0]


def change(run, **places):
    """Alter the stored JSON of a run: ``part=(name, value)``, value None removes the name."""
    body = json.loads(run.path.read_text())
    for part, (name, value) in places.items():
        body[part].pop(name) if value is None else body[part].update({name: value})
    run.path.write_text(json.dumps(body))


# --- what there is ------------------------------------------------------------------------------------------------


def test_no_two_experiments_of_any_kind_share_a_name():
    assert sorted(runners.names()) == sorted(set(runners.names()))


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name", experiments.names())
def test_every_run_has_a_key_of_its_own(name, tier):
    runs = experiments.enumerate_runs(name, tier)
    own = [run for run in runs if run.home == name]
    assert len({run.key for run in own}) == len({run.path for run in own}) == len(own)
    assert bool(runs) == bool(experiments.load(name).runs[tier])
    assert len({run.config for run in own}) == len(own)
    assert all(run.config.tier == tier and run.experiment == name for run in runs)


@pytest.mark.parametrize("tier, n_random, n_pretrained", [("demo", 1, 1), ("reduced", 5, 3), ("paper", 10, 10)])
def test_counts_of_table_2(tier, n_random, n_pretrained):
    runs = experiments.enumerate_runs(NAME, tier)
    cells = {}
    for run in runs:
        cells.setdefault((run.method, run.size), []).append(run.number)
    assert set(cells) == {(method, size) for size in (25, 50, 75)
                          for method in (*BASELINES, "random", "beat", "rhythm", "heart_rate", "future")}
    for (method, _), numbers in cells.items():
        assert numbers == list(range(n_random if method in ("random", *BASELINES) else n_pretrained))


def test_a_table_fills_evenly():
    numbers = [run.number for run in experiments.enumerate_runs(NAME, "reduced")]
    assert numbers == sorted(numbers)


def test_shares_of_the_data_set_are_thirds_of_the_training_part():
    for run in experiments.enumerate_runs(NAME, "paper"):
        assert run.config.fraction == pytest.approx(run.size / 75)
        assert run.config.seed == run.number
        assert (run.config.arch if run.method in BASELINES else run.config.init) == run.method
        assert run.config == run.config.resolved()


def test_a_key_says_what_ran():
    assert first().key == "cinc2017-reduced-majority-25-run0"
    assert first("demo").path.parts[-3:-1] == ("demo", NAME)
    assert first().path == results.folder("reduced") / NAME / "cinc2017-reduced-majority-25-run0.json"


def test_unknown_experiments_get_the_list():
    with pytest.raises(EcgtlError, match=f"unknown experiment 'table9'; allowed: .*{NAME}"):
        experiments.load("table9")
    assert {name for paper in protocols() for name in protocol(paper).experiments} == set(experiments.names())


# --- done, missing, stale -----------------------------------------------------------------------------------------


def test_a_run_is_missing_and_then_done():
    run = first()
    assert run.state() == "missing"
    results.save(quick(run.config, NAME, run.key))
    assert run.state() == "done"
    assert {other.state() for other in experiments.enumerate_runs(NAME, "reduced")[1:]} == {"missing"}


@pytest.mark.parametrize("name, value", [("epochs", 26), ("seed", 9), ("fraction", 0.3334), ("arch", "resnet34"),
                                         ("learning_rate", 0.002), ("precision", "float32")])
def test_another_config_makes_a_result_stale(name, value):
    run = experiments.enumerate_runs(NAME, "reduced")[2]
    results.save(quick(dataclasses.replace(run.config, **{name: value}), NAME, run.key))
    assert run.state() == "stale"


def test_other_data_make_a_result_stale_but_not_in_tier_demo():
    for tier, expected in (("reduced", "stale"), ("demo", "done")):
        run = first(tier)
        results.save(quick(run.config, NAME, run.key))
        change(run, data=("digest", "0" * 64))
        assert run.state() == expected


@pytest.mark.parametrize("name, value", [("device", "cuda"), ("root", "elsewhere"), ("save_weights", "w.safetensors")])
def test_where_a_run_happened_does_not_matter(name, value):
    run = first()
    results.save(quick(dataclasses.replace(run.config, **{name: value}), NAME, run.key))
    assert run.state() == "done"


def test_a_parameter_added_later_does_not_make_old_results_stale():
    run = first()
    results.save(quick(run.config, NAME, run.key))
    change(run, config=("on_bad", None))  # as if the result were older than this parameter
    assert run.state() == "done"
    assert dataclasses.replace(run, config=dataclasses.replace(run.config, on_bad="skip")).state() == "stale"


def test_rounding_in_the_file_does_not_make_a_result_stale():
    run = next(run for run in experiments.enumerate_runs(NAME, "reduced") if run.size == 50)
    results.save(quick(run.config, NAME, run.key))
    assert json.loads(run.path.read_text())["config"]["fraction"] != run.config.fraction
    assert run.state() == "done"


def test_a_damaged_result_is_named():
    run = first()
    results.save(quick(run.config, NAME, run.key))
    run.path.write_text("{")
    with pytest.raises(EcgtlError, match="run0.json is not a result .*delete it"):
        run.state()


# --- running ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_shards_cover_every_run_once(sweep, n):
    for k in range(1, n + 1):
        runners.run_missing(NAME, "demo", (k, n), report=lambda line: None)
    at_hand = [run.key for run in experiments.enumerate_runs(NAME, "demo") if not run.obstacle()]
    assert sorted(sweep) == sorted(at_hand) and len(set(sweep)) == len(sweep)


def test_only_what_is_missing_or_stale_is_run(sweep):
    runs = [run for run in experiments.enumerate_runs(NAME, "demo") if not run.obstacle()]
    results.save(quick(runs[0].config, NAME, runs[0].key))
    results.save(quick(dataclasses.replace(runs[1].config, epochs=99), NAME, runs[1].key))
    lines = []
    written = runners.run_missing(NAME, "demo", report=lines.append)
    assert sweep == [run.key for run in runs[1:]] and written == [run.path for run in runs[1:]]
    assert f"{len(runs) - 1} to do" in lines[0] and len(lines) == len(runs)
    assert f"[1/{len(runs) - 1}] {runs[1].key}: macro F1 0.500 (1 s)" == lines[1]
    assert runners.run_missing(NAME, "demo", report=lambda line: None) == []
    assert {run.state() for run in runs} == {"done"}


def test_a_sweep_that_was_stopped_goes_on(sweep, monkeypatch):
    run = finetune.run

    def stop(config, experiment, key, **options):
        if len(sweep) == 2:
            raise KeyboardInterrupt
        return run(config, experiment, key)

    monkeypatch.setattr(finetune, "run", stop)
    with pytest.raises(KeyboardInterrupt):
        runners.run_missing(NAME, "demo", report=lambda line: None)
    monkeypatch.setattr(finetune, "run", run)
    before = list(sweep)
    runners.run_missing(NAME, "demo", report=lambda line: None)
    assert len(before) == 2 and not set(before) & set(sweep[2:]) and len(set(sweep)) == len(sweep)


def test_what_another_process_makes_or_has_made_meanwhile_is_left_to_it(sweep, monkeypatch):
    runs, said = [run for run in experiments.enumerate_runs(NAME, "demo") if not run.obstacle()], []

    def run(config, experiment, key, real=finetune.run, **options):
        if key == runs[0].key:
            results.save(quick(runs[1].config, NAME, runs[1].key))
        return real(config, experiment, key)

    monkeypatch.setattr(finetune, "run", run)
    with runners.reserved(runs[2].path):
        runners.run_missing(NAME, "demo", report=said.append)
    assert sweep == [run.key for run in (runs[0], *runs[3:])]
    assert said[-1] == "2 left to other processes, which have made them or are making them"


def test_a_run_that_fails_does_not_stop_the_others_unless_a_second_fails_alike(sweep, monkeypatch):
    runs, said = [run for run in experiments.enumerate_runs(NAME, "demo") if not run.obstacle()], []
    reasons = {runs[0].key: "the loss is not finite", runs[2].key: "no data"}

    def run(config, experiment, key, real=finetune.run, **options):
        if key in reasons:
            raise EcgtlError(reasons[key])
        return real(config, experiment, key)

    monkeypatch.setattr(finetune, "run", run)
    with pytest.raises(EcgtlError,
                       match=f"^2 of {len(runs)} runs of {NAME} failed; the first, {runs[0].key}: the loss is not "
                             "finite$"):
        runners.run_missing(NAME, "demo", report=said.append)
    assert sweep == [run.key for run in runs if run.key not in reasons] and f"{runs[2].key} failed: no data" in said[3]
    reasons |= {runs[0].key: "no data"}
    with pytest.raises(EcgtlError, match="^no data$"):
        runners.run_missing(NAME, "demo", report=said.append)


def test_some_rows_alone(sweep):
    runners.run_missing(NAME, "demo", report=lambda line: None, rows=("random", "majority"))
    assert sweep == [run.key for run in experiments.enumerate_runs(NAME, "demo")
                     if run.method in ("random", "majority")]
    with pytest.raises(EcgtlError,
                       match="weimann2021-table2 has no row 'beet'; allowed, with commas between: majority, .*beat"):
        runners.run_missing(NAME, "demo", report=lambda line: None, rows=("beet",))


def test_a_run_that_two_tables_share_is_made_and_stored_once(sweep):
    shared = [run for run in experiments.enumerate_runs("weimann2021-table1", "reduced") if run.home == NAME]
    assert {(run.method, run.size) for run in shared} == {(row, 75) for row in (
        *BASELINES, "random", "beat_2048", "rhythm_2048", "heart_rate_512", "future_c16_n8_o8")}
    by_key = {run.key: run for run in experiments.enumerate_runs(NAME, "reduced")}
    assert all(by_key[run.key].config == run.config and by_key[run.key].path == run.path for run in shared)
    written = runners.run_missing("weimann2021-table1", "reduced", report=lambda line: None, rows=("random",))
    assert written == [run.path for run in shared if run.method == "random"] and len(sweep) == 5
    assert {by_key[run.key].state() for run in shared if run.method == "random"} == {"done"}
    own = [run for run in experiments.enumerate_runs("weimann2021-table1", "reduced") if run.home != NAME]
    assert {run.config.init for run in own} == {"beat-frame512", "beat-frame4096", "rhythm-frame512",
                                                "rhythm-frame4096", "heart_rate-frame2048", "heart_rate-frame4096",
                                                "future-frame512-context8-negatives4-offset2",
                                                "future-frame512-context16-negatives8-offset2",
                                                "future-frame512-context16-negatives16-offset8"}


def test_columns_of_rates_and_depths():
    rates = {run.size: run.config.sampling_rate for run in experiments.enumerate_runs("weimann2021-table3", "paper")}
    assert rates == {128: pytest.approx(128), 250: 250, 300: pytest.approx(300)}
    halves = {run.size: run.config.sampling_rate for run in experiments.enumerate_runs("weimann2021-table3", "reduced")}
    assert halves == {128: pytest.approx(64), 250: 125, 300: pytest.approx(150)}
    assert {run.config.n_samples for run in experiments.enumerate_runs("weimann2021-table3", "paper")
            if run.size == 300} == {19661}
    for run in experiments.enumerate_runs("weimann2021-table4", "reduced"):
        assert run.config.arch == (run.method if run.method in BASELINES else run.size)


def test_runs_whose_weights_are_absent_wait(sweep, monkeypatch):
    def only_random(init, arch, tier):
        if init != "random":
            raise EcgtlError("absent")

    monkeypatch.setattr(starts, "starting_weights", only_random)
    runners.run_missing(NAME, "demo", report=lambda line: None)
    assert {key.split("-")[2] for key in sweep} == {"random", *BASELINES} and len(sweep) == 9


def test_a_result_names_the_command_that_made_it(monkeypatch):
    commands = []

    def run(config, experiment, key, command):
        commands.append(command)
        return quick(config, experiment, key)

    monkeypatch.setattr(finetune, "run", run)
    runners.run_missing(NAME, "demo", report=lambda line: None)
    assert set(commands) == {f"python -m ecgtl run {NAME} --tier demo"}


def test_every_experiment_names_its_data():
    for name in experiments.names():
        data = experiments.load(name).data
        assert len(data.digest) == 64 or data.digest == "unknown" and name == "jang2021-table2"  # not here yet
        assert data.records > 0 and str(data.version)


@pytest.mark.parametrize("name", [n for n in experiments.names() if experiments.load(n).data.digest != "unknown"])
def test_the_real_data_are_those_of_the_experiments(real_data, name):
    entry = experiments.load(name)
    if catalogue.available(catalogue.entry(entry.dataset), real_data).state == "no":
        pytest.skip(f"ECGTL_DATA lacks {entry['dataset']}")
    recordings = inputs.read(experiments.enumerate_runs(name, "reduced")[0].config.plan())
    if len(recordings) != entry.data.records:
        pytest.skip(f"another part of {entry['dataset']} is available here than the experiment stands on")
    assert (recordings.digest, recordings.version) == (entry.data.digest, entry.data.version)


# --- Jang 2021: rows of their own ---------------------------------------------------------------------------------

PTBXL = "jang2021-table2-ptbxl"


def test_controls_are_rows_with_sizes_of_their_own():
    entry = experiments.load(PTBXL)
    assert entry.methods == (*BASELINES, "random", "image", "cae", "random_matched")
    assert entry.columns_of("random_matched") == (25,)
    assert entry.columns_of("random") == entry.columns_of("majority") == (100, 50, 25)
    weimann = experiments.load(NAME)
    assert weimann.methods == (*BASELINES, *weimann.inits)
    cells = {(run.method, run.size) for run in experiments.enumerate_runs(PTBXL, "reduced")}
    assert {size for method, size in cells if method == "random_matched"} == {25} and len(cells) == 5 * 3 + 1


@pytest.mark.parametrize("name, tier, epochs", [(PTBXL, "reduced", 150), (PTBXL, "paper", 150),
                                                ("jang2021-table2-cinc2017", "reduced", 40),
                                                ("jang2021-table2-cinc2017", "paper", 150)])
def test_an_experiment_may_have_epochs_of_its_own_in_a_tier(name, tier, epochs):
    runs = experiments.enumerate_runs(name, tier)
    assert {run.config.epochs for run in runs if run.method != "random_matched"} == {epochs}
    assert {run.config.epochs for run in runs if run.method == "random_matched"} <= {4 * epochs}


def test_the_control_is_the_random_row_but_for_its_epochs():
    runs = {(run.method, run.size, run.number): run for run in experiments.enumerate_runs(PTBXL, "reduced")}
    matched, random, whole = (runs[cell].config for cell in (("random_matched", 25, 0), ("random", 25, 0),
                                                             ("random", 100, 0)))
    assert dataclasses.replace(matched, epochs=random.epochs) == random and matched.init == "random"
    assert matched.epochs * matched.fraction == whole.epochs * whole.fraction  # as many steps as with all of the data


def test_the_arms_of_jang_2021_have_their_networks():
    for run in experiments.enumerate_runs("jang2021-table2-cinc2017", "demo"):
        networks = {"random": "cae_classifier", "cae": "cae_classifier", "image": "googlenet"}
        expected = networks.get(run.method, run.method)
        assert run.config.arch == expected and run.config.protocol == "jang2021" and run.config == run.config.resolved()
        assert run.config.fraction == run.size / 100


def test_a_data_set_of_unknown_digest_makes_no_result_stale():
    run = experiments.enumerate_runs("jang2021-table2", "reduced")[0]
    results.save(quick(run.config, run.experiment, run.key))
    assert experiments.load("jang2021-table2").data.digest == "unknown"
    assert run.state() == "done"
