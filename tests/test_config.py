"""Parameters: what passes, what is refused with which words, and what a tier fills in."""

import dataclasses

import pytest

from ecgtl import config as module
from ecgtl.config import TIERS, FinetuneConfig, protocol, protocols
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
    ("init", "cpc", (*module.INITS, ".safetensors")), ("init", "weights.pt", (".safetensors",))])
def test_unknown_words_get_the_allowed_ones(name, value, allowed):
    message = refusal(**{name: value})
    assert name in message and repr(value) in message
    assert all(word in message for word in allowed)


@pytest.mark.parametrize("name", ["seconds", "sampling_rate", "learning_rate"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_quantities_must_be_above_0(name, value):
    assert "must be above 0" in refusal(**{name: value})


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
           "_dh": ["/"], "In": ["", "x"], "Out": {}, "get_ipython": print, "exit": object(), "quit": object(), "open": open,
           "FinetuneConfig": FinetuneConfig, "module": module, "_exit_code": 0}


def test_a_notebook_gives_its_parameters_and_nothing_else():
    config = FinetuneConfig.from_notebook(IPYTHON | {"fraction": 0.5, "tier": "reduced", "width": None})
    assert config == FinetuneConfig.of(fraction=0.5, tier="reduced")


@pytest.mark.parametrize("value", [0.5, 1, "a", None, True, [1]])
def test_a_misspelt_parameter_of_a_notebook_is_caught(value):
    with pytest.raises(EcgtlError, match="unknown parameter 'frction'; did you mean 'fraction'"):
        FinetuneConfig.from_notebook(IPYTHON | {"frction": value})


# --- tiers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("paper", protocols())
def test_every_tier_of_every_protocol_is_complete(paper, tier):
    assert set(protocol(paper)["tiers"]) == set(TIERS)
    assert set(protocol(paper)["tiers"][tier]) == set(module.PAPER_PARAMETERS)
    config = FinetuneConfig.of(protocol=paper, tier=tier).resolved()
    assert None not in dataclasses.asdict(config).values()
    assert all(getattr(config, name) == value for name, value in protocol(paper)["tiers"][tier].items())
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
    assert (rules["split"]["validation"], rules["split"]["test"]) == (0.05, 0.2)
    assert (rules["stop_on"], rules["select_on"]) == ("train_accuracy", "validation_score")
    assert rules["input"]["keep"] == "end"


def test_every_parameter_is_described():
    assert [name for name in FIELDS if f"``{name}``" not in FinetuneConfig.__doc__] == []
