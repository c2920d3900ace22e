"""Parameters: what passes, what is refused with which words, and what a tier fills in."""

import dataclasses

import pytest

from ecgtl import config as ecgtl_config
from ecgtl import published
from ecgtl.config import (
    TIERS,
    ClassifierConfig,
    FinetuneConfig,
    PretrainConfig,
    ProbeConfig,
    RecordingsConfig,
    ScoreConfig,
    SectionConfig,
    TransferConfig,
    protocol,
    protocols,
    starts,
)
from ecgtl.datasets import synthetic
from ecgtl.errors import EcgtlError

FIELDS = [f.name for f in dataclasses.fields(FinetuneConfig)]


def refusal(**parameters):
    """The one line that ``parameters`` get."""
    with pytest.raises(EcgtlError) as caught:
        FinetuneConfig.of(**parameters)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 500
    return message


# --- what passes --------------------------------------------------------------------------------------------------


def test_defaults_are_the_demo_of_cinc2017_from_random_weights():
    config = FinetuneConfig.of()
    assert (config.dataset, config.tier, config.init) == ("cinc2017", "demo", "random")
    assert (config.fraction, config.seed) == (1.0, 0)
    assert config == FinetuneConfig()


@pytest.mark.parametrize("name, given, kept", [
    ("fraction", 1, 1.0), ("fraction", 0.25, 0.25), ("seconds", 10, 10.0), ("lead", "II", "II"), ("lead", 3, 3),
    ("width", None, None), ("width", 16, 16), ("init", "models/mine.safetensors", "models/mine.safetensors"),
    ("arch", "majority", "majority"), ("dataset", "mitdb", "mitdb"), ("tier", "paper", "paper"),
    ("on_bad", "skip", "skip"), ("save_weights", "w.safetensors", "w.safetensors")])
def test_good_values_are_kept_in_their_type(name, given, kept):
    value = getattr(FinetuneConfig.of(**{name: given}), name)
    assert value == kept and type(value) is type(kept)


def test_a_folder_needs_to_be_named_unless_its_twin_is_read():
    assert "needs root" in refusal(dataset="folder", tier="reduced")
    assert FinetuneConfig.of(dataset="folder", tier="reduced", root="mine").root == "mine"
    assert FinetuneConfig.of(dataset="folder").tier == "demo"


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, -1, 1.5, "abc", float("nan"), float("inf"), True, None, [0.5]])
def test_bad_fractions(value):
    message = refusal(fraction=value)
    assert "fraction" in message and "0 < fraction <= 1" in message


@pytest.mark.parametrize("name, value, allowed", [
    ("dataset", "cinc2018", ("cinc2017", "mitdb", "folder")), ("dataset", 2018, ("cinc2017", "mitdb", "folder")),
    ("arch", "resnet19", ("resnet18", "resnet34", "resnet50", "majority", "rr_boosting")), ("arch", 18, ("resnet18",)),
    ("tier", "full", ("demo", "reduced", "paper")), ("tier", None, ("demo", "reduced", "paper")),
    ("protocol", "weimann", ("weimann2021",)), ("device", "gpu", ("auto", "cpu", "cuda")),
    ("precision", "float16", ("auto", "float32", "bfloat16")), ("on_bad", "ignore", ("error", "skip")),
    ("init", "cpc", (*ecgtl_config.INITS, ".safetensors")), ("init", "weights.pt", (".safetensors",))])
def test_unknown_words_get_the_allowed_ones(name, value, allowed):
    message = refusal(**{name: value})
    assert name in message and repr(value) in message
    assert all(word in message for word in allowed)


@pytest.mark.parametrize("name", ["seconds", "learning_rate"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_quantities_must_be_above_0(name, value):
    assert "must be above 0" in refusal(**{name: value})


@pytest.mark.parametrize("value", [0, -1, float("nan"), 0.25, 1e5])  # in kHz, 8 samples were an input
def test_a_sampling_rate_is_one_of_a_recorder(value):
    assert "give Hz, from 10 to 50000" in refusal(sampling_rate=value)


@pytest.mark.parametrize("name", ["width", "epochs", "batch_size", "patience"])
@pytest.mark.parametrize("value", [0, -3])
def test_numbers_must_be_at_least_1(name, value):
    assert f"{name} is {value}; it must be at least 1" in refusal(**{name: value})


@pytest.mark.parametrize("name, value, kind", [
    ("seed", 1.0, "int"), ("seed", "1", "int"), ("seed", True, "int"), ("epochs", 2.5, "int"), ("epochs", "all", "int"),
    ("seconds", "10", "float"), ("root", 5, "str"), ("lead", 1.5, "str or int"), ("lead", False, "str or int"),
    ("width", [16], "int"), ("seed", None, "int")])
def test_types_are_not_converted_in_silence(name, value, kind):
    message = refusal(**{name: value})
    assert f"{name} is {value!r} ({type(value).__name__}); it must be of type {kind}" in message


def test_a_negative_seed():
    assert "seed is -1; it must not be negative" in refusal(seed=-1)


def test_weights_are_written_to_safetensors_only():
    assert "'w.pt'; give the path of a .safetensors file" in refusal(save_weights="w.pt")


def test_misspelt_names_get_a_suggestion_and_the_whole_list():
    message = refusal(frction=0.5)
    assert "unknown parameter 'frction'; did you mean 'fraction'?" in message
    assert all(name in message for name in FIELDS)
    assert "did you mean" not in refusal(xyzzy=1)


# --- a notebook's globals -----------------------------------------------------------------------------------------

IPYTHON = {"__name__": "__main__", "__doc__": None, "_": "", "__": 1, "_i": "x", "_ih": ["", "x"], "_oh": {},
           "_dh": ["/"], "In": ["", "x"], "Out": {}, "get_ipython": print, "exit": object(), "quit": object(),
           "open": open, "FinetuneConfig": FinetuneConfig, "module": ecgtl_config, "_exit_code": 0}


def test_a_notebook_gives_its_parameters_and_nothing_else():
    config = FinetuneConfig.from_notebook(IPYTHON | {"fraction": 0.5, "tier": "reduced", "width": None})
    assert config == FinetuneConfig.of(fraction=0.5, tier="reduced")


@pytest.mark.parametrize("value", [0.5, 1, "a", None, True, [1]])
def test_a_misspelt_parameter_of_a_notebook_is_caught(value):
    with pytest.raises(EcgtlError, match="unknown parameter 'frction'; did you mean 'fraction'"):
        FinetuneConfig.from_notebook(IPYTHON | {"frction": value})


@pytest.mark.parametrize("kind", [FinetuneConfig, PretrainConfig, ProbeConfig, TransferConfig, ClassifierConfig])
def test_a_run_whose_result_could_not_be_stored_does_not_begin(kind, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "file"))
    with pytest.raises(EcgtlError, match="no result can be stored: .*file is no folder; set ECGTL_RESULTS"):
        kind.from_notebook({})
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "link"))
    with pytest.raises(EcgtlError, match="no result can be stored: .*link is no folder"):
        kind.from_notebook({})
    kind.of()  # ``reproduce`` stores nothing


# --- tiers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("paper", protocols())
def test_every_tier_of_every_protocol_is_complete(paper, tier):
    assert set(protocol(paper).tiers) == set(TIERS)
    assert set(protocol(paper).tiers[tier]) - {"variant"} == set(ecgtl_config.PAPER_PARAMETERS)
    config = FinetuneConfig.of(protocol=paper, tier=tier).resolved()
    # Only an autoencoder's encoder has variants
    absent = {name for name, value in dataclasses.asdict(config).items() if value is None}
    assert absent == (set() if "variant" in protocol(paper).tiers[tier] else {"variant"})
    assert "auto" not in (config.protocol, config.arch)
    assert all(getattr(config, name) == value for name, value in protocol(paper).tiers[tier].items())
    assert config.resolved() == config


@pytest.mark.parametrize("tier, samples, width", [("demo", 1024, 8), ("reduced", 4096, 16), ("paper", 16384, 64)])
def test_the_tiers_of_weimann_2021(tier, samples, width):
    config = FinetuneConfig.of(tier=tier).resolved()
    assert (config.n_samples, config.width) == (samples, width)


def test_given_parameters_win_over_the_tiers():
    config = FinetuneConfig.of(tier="paper", epochs=3, sampling_rate=300).resolved()
    assert (config.epochs, config.sampling_rate, config.width, config.seconds) == (3, 300.0, 64, 65.536)
    assert config.n_samples == round(300 * 65.536)


def test_the_paper_tier_is_the_published_protocol():
    config, rules = FinetuneConfig.of(tier="paper").resolved(), protocol("weimann2021")
    assert (config.sampling_rate, config.epochs, config.patience, config.learning_rate) == (250, 200, 50, 0.001)
    assert (rules.split.validation, rules.split.test) == (0.05, 0.2)
    assert (rules.stop_on, rules.select_on) == ("train_accuracy", "validation_score")
    assert rules.input.keep == "end"


# --- what "auto" stands for ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("given, paper, arch", [
    ({}, "weimann2021", "resnet18"), ({"init": "beat"}, "weimann2021", "resnet18"),
    ({"init": "mine.safetensors"}, "weimann2021", "resnet18"), ({"arch": "majority"}, "weimann2021", "majority"),
    ({"init": "cae"}, "jang2021", "cae_classifier"), ({"init": "image"}, "jang2021", "googlenet"),
    ({"dataset": "shaoxing"}, "jang2021", "cae_classifier"), ({"protocol": "jang2021"}, "jang2021", "cae_classifier"),
    ({"protocol": "weimann2021", "init": "cae"}, "weimann2021", "resnet18"),
    ({"init": "cae", "arch": "resnet34"}, "jang2021", "resnet34")])
def test_auto_is_the_paper_that_the_start_or_the_data_belong_to(given, paper, arch):
    config = FinetuneConfig.of(**given).resolved()
    assert (config.protocol, config.arch) == (paper, arch)
    assert config.resolved() == config


@pytest.mark.parametrize("given", [{"arch": "googlenet"}, {"init": "image", "arch": "resnet18"},
                                   {"init": "image", "protocol": "weimann2021"}])
def test_images_and_their_network_go_together(given):
    with pytest.raises(EcgtlError, match="does not go with arch=.*use init=image with arch=auto and protocol=auto"):
        FinetuneConfig.of(**given).resolved()
    assert FinetuneConfig.of(init="image", arch="majority").resolved().arch == "majority"


@pytest.mark.parametrize("tier, width, variant, epochs", [("demo", 4, "text", 6), ("reduced", 8, "text", 40),
                                                          ("paper", 32, "code", 150)])
def test_the_tiers_of_jang_2021(tier, width, variant, epochs):
    config = FinetuneConfig.of(init="cae", tier=tier).resolved()
    assert (config.width, config.variant, config.epochs, config.learning_rate) == (width, variant, epochs, 0.005)
    assert (config.n_samples, config.sampling_rate) == (2048, 250)
    assert FinetuneConfig.of(init="cae", tier=tier, variant="code").resolved().variant == "code"


def test_variants_are_code_and_text():
    assert "unknown variant 'both'; allowed: code, text" in refusal(variant="both")


# --- pretraining --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameters, said", [
    ({"sources": "cinc2017,mitbd"}, "unknown source 'mitbd'; allowed, with commas between: cinc2017, mitdb"),
    ({"objective": "contrastive"}, "unknown objective 'contrastive'; allowed: reconstruction, beat, rhythm"),
    ({"arch": "resnet19"}, "unknown arch 'resnet19'; allowed: auto, cae, resnet18"),
    ({"arch": "resnet18"}, "objective=reconstruction does not go with arch=resnet18; allowed: cae"),
    ({"objective": "beat", "arch": "cae"},
     "objective=beat does not go with arch=cae; allowed: resnet18, resnet34, resnet50"),
    ({"objective": "beat", "protocol": "jang2021"},
     "protocol=jang2021 has no objective 'beat'; allowed: reconstruction"),
    ({"frame": 2048},
     "frame does not go with objective=reconstruction; it belongs to beat, rhythm, heart_rate, future"),
    ({"objective": "rhythm", "negatives": 4}, "negatives does not go with objective=rhythm; it belongs to future"),
    ({"objective": "beat", "windows": 9}, "windows does not go with objective=beat; it belongs to reconstruction"),
    ({"objective": "beat", "seconds": 3}, "seconds is 3.0; give frame, in samples at 250 Hz"),
    ({"objective": "future", "offset": -1}, "offset is -1"), ({"objective": "future", "context": 0}, "context is 0"),
    ({"objective": "future", "negatives_from": "me"}, "unknown negatives_from 'me'; allowed: data, patient"),
    ({"variant": "both"}, "unknown variant 'both'; allowed: code, text"),
    ({"tier": "full"}, "unknown tier 'full'; allowed: demo, reduced, paper"),
    ({"protocol": "weimann2021"}, "protocol=weimann2021 has no objective 'reconstruction'; allowed: beat, rhythm"),
    ({"protocol": "melep2023"}, "unknown protocol 'melep2023'; allowed: auto, jang2021, weimann2021"),
    ({"device": "gpu"}, "unknown device 'gpu'"), ({"precision": "float16"}, "unknown precision 'float16'"),
    *(({name: 0}, f"{name} is 0; it must be at least 1") for name in ("width", "epochs", "batch_size", "patience",
                                                                      "features",
                                                                       "per_subject")),
    *(({name: 0}, f"{name} is 0.0; it must be above 0") for name in ("seconds", "learning_rate")),
    ({"validation": 0}, "validation is 0.0; "), ({"test": 1.0}, "test is 1.0; "),
    ({"validation": 0.6, "test": 0.5}, "leave nothing to train on"),
    ({"seed": -1}, "seed is -1; it must not be negative"), ({"sources": 3},
                                                            "sources is 3 (int); it must be of type str"),
    ({"souces": "mitdb"}, "unknown parameter 'souces'; did you mean 'sources'?")])
def test_bad_pretrainings_get_one_line(parameters, said):
    with pytest.raises(EcgtlError) as caught:
        PretrainConfig.of(**parameters)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("tier", TIERS)
def test_every_tier_of_the_pretraining_fits_the_fine_tuning(tier):
    before, after = PretrainConfig.of(tier=tier).resolved(), FinetuneConfig.of(init="cae", tier=tier).resolved()
    assert all(getattr(before, name) == getattr(after, name) for name in ("sampling_rate", "seconds", "width",
                                                                          "variant"))
    assert before.resolved() == before and before.sources and after.arch == f"{before.arch}_classifier"


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("objective", ["beat", "rhythm", "heart_rate", "future"])
def test_frames_fit_the_fine_tuning_and_the_best_row_of_table_1(tier, objective):
    before = PretrainConfig.of(objective=objective, tier=tier).resolved()
    after = FinetuneConfig.of(init=objective, tier=tier).resolved()
    assert all(getattr(before, name) == getattr(after, name) for name in ("arch", "sampling_rate", "width"))
    assert before.seconds == before.frame / 250 and before.resolved() == before
    assert float(before.seconds * before.sampling_rate).is_integer()
    rows = published.load("weimann2021")["table1"]["rows"].values()
    best = max((row for row in rows if row["init"] == objective), key=lambda row: row["f1"]["mean"])
    assert {name: getattr(before, name) for name in ("frame", "context", "negatives", "offset")} == {
        name: best[name] for name in ("frame", "context", "negatives", "offset")}
    longer = PretrainConfig.of(objective=objective, tier=tier, frame=4096, arch="resnet34").resolved()
    assert (longer.seconds, longer.arch) == (16.384, "resnet34")


@pytest.mark.parametrize("objective", ["reconstruction", "beat", "rhythm", "heart_rate", "future"])
def test_the_demo_reads_sources_that_have_a_twin(objective):
    assert set(PretrainConfig.of(objective=objective).resolved().source_names) <= set(synthetic.TWINS)
    assert PretrainConfig.of(sources=" mitdb , cinc2017").source_names == ("mitdb", "cinc2017")


def test_commands_give_what_differs_from_the_defaults():
    assert PretrainConfig.of().command() == "papermill notebooks/pretrain.ipynb out.ipynb"
    assert PretrainConfig.of(sources="cinc2017,mitdb", tier="reduced", seed=2, root="/my data").command() == (
        "papermill notebooks/pretrain.ipynb out.ipynb -p sources cinc2017,mitdb -p tier reduced -p seed 2 -p root ...")
    assert FinetuneConfig.of(init="cae", fraction=0.25).command() == (
        "papermill notebooks/finetune.ipynb out.ipynb -p init cae -p fraction 0.25")
    assert TransferConfig.of(fold=3, batch_size=8, label_set="AF, NSR", tier="reduced", root="/mine").command() == (
        "python -m ecgtl transfer --tier reduced --fold 3 --label-set 'AF, NSR' --batch-size 8 --root ...")


@pytest.mark.parametrize("kind", [FinetuneConfig, PretrainConfig, TransferConfig, ScoreConfig, SectionConfig,
                                  RecordingsConfig, ProbeConfig])
def test_every_parameter_is_described(kind):
    said = kind.descriptions()
    assert [f.name for f in dataclasses.fields(kind) if not said.get(f.name)] == []


def test_a_description_is_the_whole_comment_of_the_class_that_comes_first():
    said = FinetuneConfig.descriptions()
    assert said["init"].startswith("starting weights: a word, ") and said["init"].endswith("or a checkpoint's path")
    assert said["on_bad"] == "error or skip, for recordings that cannot be used", "inherited"
    assert ScoreConfig.descriptions()["dataset"] == "the target" != said["dataset"]


@pytest.mark.parametrize("changes, words", [({"keep": "middle"}, "input.keep is 'middle'; allowed: start, end"),
                                            ({"standardise": "lead"}, "input.standardise is 'lead'; allowed: dataset")])
def test_how_a_protocol_makes_inputs_is_checked(changes, words):
    rules = protocol("weimann2021")
    with pytest.raises(EcgtlError, match=words):
        dataclasses.replace(rules, input=dataclasses.replace(rules.input, **changes))


def test_a_start_that_is_not_here_names_the_seed_of_it_that_is(tmp_path, monkeypatch):
    monkeypatch.setattr(starts, "SHIPPED", tmp_path)
    (tmp_path / "beat-resnet18-reduced-seed0.safetensors").touch()
    with pytest.raises(EcgtlError, match="use init=beat-seed0, which is here, or init=random, or give the path"):
        starts.starting_weights("beat", "resnet18", "reduced")
    with pytest.raises(EcgtlError, match="use init=random, or give the path"):
        starts.starting_weights("future", "resnet18", "reduced")
