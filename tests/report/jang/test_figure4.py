"""Errors of held-out windows: measured on twins against plain NumPy, stored, drawn; and those committed."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from messages import one_line

from ecgtl import published, results
from ecgtl.__main__ import main
from ecgtl.config import PretrainConfig
from ecgtl.errors import EcgtlError
from ecgtl.jobs import pretrain
from ecgtl.measurements import reconstruction_errors
from ecgtl.report.jang import figure4
from ecgtl.statistics import Sample, mean_interval
from ecgtl.training import loop

# Two sources, one epoch; the width stays the tier's, which is part of the name that is looked for
SMALL = {"tier": "demo", "sources": "cinc2017,mitdb", "epochs": 1, "per_subject": 2, "precision": "float32"}


@pytest.fixture(scope="module")
def own_results(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def made(session_cache, own_results):
    """An autoencoder pretrained on twins and its errors; checkpoint and both results are on the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        patch.setenv("ECGTL_RESULTS", str(own_results))
        trained = pretrain.run(PretrainConfig.of(**SMALL))
        pretrain.save(trained)
        measured = reconstruction_errors.measure("demo")
        results.save(measured)
        return trained, measured


@pytest.fixture
def stored(made, own_results, monkeypatch):
    monkeypatch.setenv("ECGTL_RESULTS", str(own_results))
    return made


@pytest.fixture(scope="module")
def committed():
    """The committed errors of the real held-out windows."""
    return reconstruction_errors.load("reduced")


# --- measuring ----------------------------------------------------------------------------------------------


def test_errors_are_those_of_the_kept_weights_on_the_test_windows(stored):
    trained, measured = stored
    x = trained.test.take(np.arange(len(trained.test)))
    with torch.no_grad():
        y = trained.model.cpu().eval()(torch.from_numpy(x)).numpy()
    x, y = x[:, 0].astype(np.float64), y[:, 0].astype(np.float64)
    assert measured.arrays["error"] == pytest.approx(((x - y) ** 2).sum(axis=1), rel=1e-4)
    deviation = ((x - x.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    assert measured.arrays["deviation"] == pytest.approx(deviation, rel=1e-4)
    assert measured.scores["mse_sum"] == pytest.approx(trained.result.scores["mse_sum"], rel=1e-5)
    assert measured.scores["r2"] == pytest.approx(trained.result.scores["r2"], abs=1e-5)


def test_windows_are_told_apart_by_source_and_subject(stored):
    trained, measured = stored
    origins = trained.test.origin(np.arange(len(trained.test)))
    names = [measured.data["order"][k] for k in measured.arrays["source"]]
    assert names == [database for database, _, _ in origins] and set(names) == {"cinc2017", "mitdb"}
    subject = measured.arrays["subject"]
    assert len(np.unique(subject)) == len(trained.test.subjects) == measured.data["subjects"]
    records = {}
    for (database, record, _), number in zip(origins, subject, strict=True):
        assert records.setdefault((database, record), number) == number


def test_what_is_measured_is_read_back(stored):
    _, measured = stored
    again = reconstruction_errors.load("demo")
    assert again.scores == results.rounded(measured.scores) and again.evidence["upstream"] == "synthetic"
    assert all((again.arrays[name] == measured.arrays[name]).all() for name in reconstruction_errors.ARRAYS)


def test_errors_of_other_windows_are_not_stored(stored, monkeypatch):
    right = reconstruction_errors.squared_errors
    monkeypatch.setattr(reconstruction_errors, "squared_errors", lambda *x: 1.1 * right(*x))
    with pytest.raises(EcgtlError) as error:
        reconstruction_errors.measure("demo")
    one_line(error, "the errors average", "not its windows or weights")


def test_other_recordings_are_noticed(stored):
    result = reconstruction_errors.pretrained("demo")
    result = dataclasses.replace(result, data=json.loads(json.dumps(result.data)))
    result.data["sources"]["mitdb"]["digest"] = "0" * 64
    with pytest.raises(EcgtlError) as error:
        reconstruction_errors.held_out(result)
    one_line(error, "the recordings of mitdb are not those", "python -m ecgtl data check mitdb")


def test_the_autoencoder_of_seed_0_comes_first_once_it_is_made(stored):
    single, weights = reconstruction_errors._files("demo")
    assert (single.parent.name, weights.name) == ("pretrain", "cae-cae-demo.safetensors") and single.is_file()
    seeded = results.path_of("jang2021-seeds", "cae-seed0-demo", "demo")
    seeded.parent.mkdir()
    seeded.touch()
    found = reconstruction_errors._files("demo")
    seeded.unlink()
    seeded.parent.rmdir()
    assert found == (seeded, weights.with_name("cae-cae-demo-seed0.safetensors"))


# --- what is stored and does not fit ------------------------------------------------------------------------


@pytest.fixture
def copy(made, own_results, tmp_path, monkeypatch):
    """A copy of the results, to damage; returns its demo folder."""
    for file in own_results.rglob("*"):
        if file.is_file():
            target = tmp_path / "results" / file.relative_to(own_results)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "results"))
    return tmp_path / "results" / "demo"


def rewrite(folder, name, change):
    path = next((folder / name).glob("*.json"))
    body = json.loads(path.read_text())
    change(body)
    path.write_text(json.dumps(body))


def test_missing_errors_name_the_command(copy):
    for file in (copy / "measured").iterdir():
        file.unlink()
    with pytest.raises(EcgtlError) as error:
        reconstruction_errors.load("demo")
    one_line(error, "have not been measured", "--tier demo")


def test_errors_of_other_weights_are_refused(copy):
    rewrite(copy, "measured", lambda body: body["data"]["weights"].update(sha256="0" * 64))
    with pytest.raises(EcgtlError) as error:
        reconstruction_errors.load("demo")
    one_line(error, "was measured with other weights or recordings", "--tier demo")


def test_weights_that_are_not_those_of_the_result_are_refused(copy):
    weights = next((copy / "weights").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(EcgtlError) as error:
        reconstruction_errors.pretrained("demo")
    one_line(error, weights.name, "is not the file", "restore both from git")


def test_an_autoencoder_that_is_not_there_is_named(copy):
    next((copy / "weights").glob("*.safetensors")).unlink()
    with pytest.raises(EcgtlError) as error:
        reconstruction_errors.pretrained("demo")
    one_line(error, "there is no autoencoder of tier demo", "-p tier demo")


def test_a_result_without_errors_is_refused(copy, made):
    other = dataclasses.replace(made[1], arrays=made[1].arrays | {"error": made[1].arrays["error"][:-1]})
    results.save(other)
    with pytest.raises(EcgtlError) as error:
        reconstruction_errors.load("demo")
    one_line(error, "does not hold the errors of windows")


# --- intervals and choices ----------------------------------------------------------------------------------


def test_with_a_window_a_subject_the_interval_is_nearly_students():
    error = np.random.default_rng(0).normal(700, 200, 400)
    found = figure4.clustered_interval(error, np.arange(400))
    assert found == pytest.approx(mean_interval(Sample.of(error)), abs=3)


def test_windows_that_repeat_each_other_add_nothing():
    """Each window ten times: an interval over windows would shrink threefold, one over subjects stays."""
    error = np.random.default_rng(1).normal(700, 200, 60)
    alone = figure4.clustered_interval(error, np.arange(60))
    repeated = figure4.clustered_interval(np.repeat(error, 10), np.repeat(np.arange(60), 10))
    assert repeated == pytest.approx(alone, rel=1e-9)


def test_the_interval_is_of_the_mean_over_windows():
    """A subject with many windows weighs as much as its windows; equal errors leave no doubt."""
    error = np.concatenate([np.full(90, 100.0), np.full(5, 400.0), np.full(5, 400.0), np.full(5, 400.0)])
    subject = np.repeat([0, 1, 2, 3], [90, 5, 5, 5])
    low, high = figure4.clustered_interval(error, subject)
    assert low < error.mean() < high and low >= 100 and high <= 400
    assert figure4.clustered_interval(np.full(9, 5.0), np.arange(9)) == (5.0, 5.0)


def test_two_subjects_have_no_interval():
    assert np.isnan(figure4.clustered_interval(np.arange(10.0), np.repeat([0, 1], 5))).all()


def test_chosen_windows_are_those_at_the_ranks():
    error = np.random.default_rng(2).permutation(101).astype(float)
    chosen = figure4.chosen_windows(error)
    assert [error[i] for i in chosen.values()] == [10, 50, 90] and list(chosen) == list(figure4.SHOWN)
    assert set(figure4.chosen_windows(np.array([3.0])).values()) == {0}


# --- drawings and the command -------------------------------------------------------------------------------


def test_panels_name_lead_rate_and_error(stored):
    measured = stored[1]
    part = reconstruction_errors.held_out(reconstruction_errors.pretrained("demo"))
    figure = figure4.panels(part, measured.arrays["error"], synthetic=True)
    chosen = figure4.chosen_windows(measured.arrays["error"])
    assert len(figure.axes) == len(chosen)
    for axes, (rank, i) in zip(figure.axes, chosen.items(), strict=True):
        title = axes.get_title("left")
        database, record, _ = part.windows.origin([i])[0]
        assert f"{rank}: summed squared error {measured.arrays['error'][i]:.0f}" in title
        assert f"{database} {record}, lead {part.origins['lead'][i]}, 250 Hz" in title
        assert "synthetic" in title
        original, restored = (np.asarray(line.get_ydata()) for line in axes.get_lines())
        assert original == pytest.approx(part.windows.take([i])[0, 0])
        assert ((original - restored) ** 2).sum() == pytest.approx(measured.arrays["error"][i], rel=1e-3)


def test_twins_are_cut_as_the_windows_of_the_result(stored):
    twins = reconstruction_errors.twins(reconstruction_errors.pretrained("demo"))
    assert all(source.synthetic for source in twins.sources)
    assert twins.windows.n_samples == 2048 and twins.windows.rate == 250
    error, deviation = reconstruction_errors.squared_errors(twins.model, twins.windows)
    assert len(error) == len(twins.windows)
    assert deviation == pytest.approx(np.full(len(error), 2048), rel=0.01)


def test_the_command_measures_and_draws(stored, tmp_path, capsys):
    picture = tmp_path / "windows.png"
    assert main(["draw", str(picture), "--tier", "demo"]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main(["measure", "reconstruction-errors", "--tier", "demo"]) == 0
    assert capsys.readouterr().out.count("written: ") == 2
    command = reconstruction_errors.load("demo").provenance["command"]
    assert command == f"{reconstruction_errors.PROGRAM} --tier demo"


@pytest.mark.parametrize("file, words", [
    ("windows.doc", "has no ending of an image; allowed: "),
    ("nowhere/windows.png", "cannot be written (No such file or directory)")])
def test_a_picture_that_cannot_be_written_is_named_in_one_line(stored, tmp_path, capsys, file, words):
    assert main(["draw", str(tmp_path / file), "--tier", "demo"]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1 and not list(tmp_path.glob("**/*.png"))


def test_without_recordings_the_command_says_so_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ECGTL_DATA", str(tmp_path / "empty"))
    assert main(["measure", "reconstruction-errors"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("ecgtl: ") and said.count("\n") == 1 and "empty" in said


# --- the committed errors -----------------------------------------------------------------------------------


def test_committed_errors_are_those_of_the_committed_weights(committed):
    trained = reconstruction_errors.pretrained("reduced")
    error, deviation = (committed.arrays[name].astype(np.float64) for name in ("error", "deviation"))
    assert error.mean() == pytest.approx(trained.scores["mse_sum"], rel=1e-6)
    assert 1 - error.sum() / deviation.sum() == pytest.approx(trained.scores["r2"], abs=1e-6)
    assert len(error) == trained.data["windows"]["test"]
    assert committed.data["subjects"] == trained.data["subjects"]["test"]
    assert committed.evidence == trained.evidence and committed.config["tier"] == "reduced"


def test_sources_make_up_the_whole(committed):
    table = figure4.by_source(committed).set_index("source")
    parts, whole = table.drop("all"), table.loc["all"]
    assert parts["windows"].sum() == whole["windows"] == len(committed.arrays["error"])
    assert parts["subjects"].sum() == whole["subjects"]
    assert (parts["mean"] * parts["windows"]).sum() / whole["windows"] == pytest.approx(whole["mean"])
    few = parts["subjects"] < 3
    assert parts.loc[few, "low"].isna().all() and parts.loc[~few, "low"].notna().all()
    shown = figure4.readable(table.reset_index())["Mean error [95 % interval]"]
    assert shown.str.contains("too few subjects").tolist() == [*few, False]


def test_the_papers_number_stands_beside_ours_in_the_same_units(committed):
    table = figure4.comparison(committed).set_index("Quantity")
    assert table["Paper"].tolist()[:2] == ["626.583", "0.305"] and table["Paper"].tolist()[3] == "3.33 %"
    printed = published.lookup("jang2021.scalars.cae_mse.value")
    assert float(table["Paper"].iloc[2]) == pytest.approx(1 - printed / 2048, abs=5e-4)
    assert table["Paper"].iloc[4] == f"{100 * np.sqrt(printed / 2048) / 9:.1f} %"  # of the range from -3 to 6
    trained = reconstruction_errors.pretrained("reduced")
    assert table["Ours, validation"].iloc[0] == f"{trained.scores['validation']['summed']:.0f}"
    assert table["Ours, test"].iloc[0].startswith(f"{trained.scores['mse_sum']:.0f} [")


def test_the_verdict_says_what_the_values_say(committed):
    trained = reconstruction_errors.pretrained("reduced")
    said = figure4.verdict(committed).data
    assert "not tested" in said and "its number is not tested" in said
    assert f"error is {trained.scores['mse_sum']:.0f} of the 2,048" in said
    assert f"chose the epoch, the error is {trained.scores['validation']['summed']:.0f}." in said


@pytest.mark.parametrize("losses, kept, words", [
    ([9, 5, 4], 3, "still falling (5 to 4)"), ([9, 4, 5], 3, "no longer falling (4 to 5)"),
    ([9, 5, 4], 2, "number 2 was kept")])
def test_the_course_of_the_training_is_told_by_its_history(committed, losses, kept, words):
    history = [{"train_loss": loss, "validation_loss": loss} for loss in losses]
    trained = dataclasses.replace(reconstruction_errors.pretrained("reduced"), history=history)
    trained.scores["epoch"] = kept
    said = figure4._course(trained)
    assert words in said and ("longer run" in said) == ("still" in words)


def test_the_histogram_holds_every_window_and_marks_the_means(committed):
    figure = figure4.distribution(committed)
    axes = figure.axes[0]
    assert sum(patch.get_height() for patch in axes.patches) == len(committed.arrays["error"])
    marked = [line.get_xdata()[0] for line in axes.get_lines()]
    printed = published.lookup("jang2021.scalars.cae_mse.value")
    assert marked == pytest.approx([committed.scores["mse_sum"], printed, 2048])


def test_the_download_has_a_row_a_window(committed):
    table = figure4.windows_table(committed)
    assert len(table) == len(committed.arrays["error"])
    assert table["source"].isin(["mitdb", "qtdb"]).all()
    assert table["summed_squared_error"].mean() == pytest.approx(committed.scores["mse_sum"], rel=1e-6)


def test_the_committed_file_is_small_and_names_no_machine():
    path = results.path_of(results.MEASURED, "jang2021-figure4-cae-cae-reduced-seed0", "reduced")
    assert path.with_suffix(".npz").stat().st_size < 50_000
    assert not any(place in path.read_text() for place in ("/tmp", "/home", "/root", "/work"))


@pytest.mark.needs("mitdb", "qtdb")
def test_the_recordings_give_the_committed_errors(real_data, committed):
    """Every eighth window, in bfloat16 as the stored ones where the processor has it."""
    part = reconstruction_errors.held_out(reconstruction_errors.pretrained("reduced"))
    chosen = np.arange(0, len(part.windows), 8)
    x = torch.from_numpy(part.windows.take(chosen))
    with torch.no_grad(), loop.mixed("auto", torch.device("cpu")):
        error = (x - part.model(x).float()).square().sum(dim=(1, 2)).numpy()
    assert len(part.windows) == len(committed.arrays["error"])
    bound = 0.005 if loop.cpu_has_bfloat16() else 0.01
    assert np.median(np.abs(error / committed.arrays["error"][chosen] - 1)) < bound
    assert error.mean() == pytest.approx(committed.arrays["error"][chosen].mean(), rel=0.005)
