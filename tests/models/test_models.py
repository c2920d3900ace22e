"""Residual networks against parameter counts by formula and a plain 1-D forward pass; checkpoints against damage."""

import json
import pickle
from dataclasses import FrozenInstanceError, replace

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from ecgtl import models
from ecgtl.errors import EcgtlError
from ecgtl.models import STAGES, checkpoint

DEPTHS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3), "resnet50": (3, 4, 6, 3)}
KERNELS = (7, 5, 5, 3)
FACTS = {"arch": "resnet18", "width": 4, "in_channels": 1, "sampling_rate": 125.0, "seconds": 32.768}


def small(name="resnet18", seed=0, in_channels=1, n_outputs=4, width=4, **options):
    torch.manual_seed(seed)
    return models.build(name, in_channels, n_outputs, width=width, **options)


def signals(batch=3, channels=1, n=257, seed=0):
    return torch.randn(batch, channels, n, generator=torch.Generator().manual_seed(seed))


# --- architecture -------------------------------------------------------------------------------------------------


def expected_parameters(name, width, in_channels, n_outputs, preactivation):
    """The sum over convolutions (no bias), batch norms (two values a channel) and the linear layer."""
    total, n_in, first = 7 * in_channels * width + 2 * width, width, True
    for stage, (depth, kernel) in enumerate(zip(DEPTHS[name], KERNELS, strict=True)):
        w = width * 2**stage
        n_out = 4 * w if name == "resnet50" else w
        for unit in range(depth):
            if name == "resnet50":
                total += n_in * w + kernel * w * w + w * n_out
                norms_v1, norms_v2 = w + w + n_out, n_in + w + w
            else:
                total += kernel * n_in * w + kernel * w * w
                norms_v1, norms_v2 = w + w, n_in + w
            projected = n_in != n_out or (stage > 0 and unit == 0)
            total += n_in * n_out * projected
            if preactivation:
                total += 2 * (norms_v2 - (n_in if first else 0))  # the first unit starts from the stem's own norm
            else:
                total += 2 * (norms_v1 + n_out * projected)
            n_in, first = n_out, False
    return total + 2 * n_in * preactivation + n_in * n_outputs + n_outputs


@pytest.mark.parametrize("preactivation", [True, False])
@pytest.mark.parametrize("width, in_channels, n_outputs", [(64, 1, 4), (16, 1, 4), (16, 12, 5)])
@pytest.mark.parametrize("name", DEPTHS)
def test_parameter_counts(name, width, in_channels, n_outputs, preactivation):
    network = models.build(name, in_channels, n_outputs, width=width, preactivation=preactivation)
    assert models.count_parameters(network) == expected_parameters(name, width, in_channels, n_outputs, preactivation)


def test_a_count_done_by_hand():
    # resnet18 v1, width 1, one channel, one output. Stem 7 + 2; stage 1: two units of 2 x 7 + 4; stage 2 (1 -> 2):
    # 10 + 20 + 2 + 12 and 40 + 8; stage 3 (2 -> 4): 40 + 80 + 8 + 24 and 160 + 16; stage 4 (4 -> 8):
    # 96 + 192 + 32 + 48 and 384 + 32; linear 8 + 1.
    by_hand = 9 + 2 * 18 + 44 + 48 + 152 + 176 + 368 + 416 + 9
    assert models.count_parameters(models.build("resnet18", 1, 1, width=1, preactivation=False)) == by_hand


def plain_forward(network, x, name, preactivation):
    """The same network written out with 1-D functions on its weights; batch norms follow ``network.training``."""
    state = {key: t.squeeze(2) if t.ndim == 4 else t for key, t in network.state_dict().items()}

    def norm(y, prefix):
        return functional.batch_norm(y, state[f"{prefix}.running_mean"].clone(), state[f"{prefix}.running_var"].clone(),
                                     state[f"{prefix}.weight"], state[f"{prefix}.bias"], network.training)

    def conv(y, key, stride=1):
        kernel = state[f"{key}.weight"]
        return functional.conv1d(y, kernel, stride=stride, padding=kernel.shape[-1] // 2)

    y = functional.max_pool1d(torch.relu(norm(conv(x, "stem.0", 2), "stem.1")), 3, 2, 1)
    strided = 1 if name == "resnet50" else 0  # which convolution of a unit carries the stride
    number = 0
    for stage, depth in enumerate(DEPTHS[name]):
        for unit in range(depth):
            prefix, stride = f"units.{number}", 2 if stage > 0 and unit == 0 else 1
            n_convs = 3 if name == "resnet50" else 2
            start = torch.relu(norm(y, f"{prefix}.norms.0")) if preactivation and number else y
            shortcut, z = y, start
            if f"{prefix}.project.weight" in state:
                shortcut = conv(start, f"{prefix}.project", stride)
                shortcut = shortcut if preactivation else norm(shortcut, f"{prefix}.project_norm")
            for k in range(n_convs):
                if preactivation and k:
                    z = torch.relu(norm(z, f"{prefix}.norms.{k}"))
                z = conv(z, f"{prefix}.convs.{k}", stride if k == strided else 1)
                if not preactivation:
                    z = norm(z, f"{prefix}.norms.{k}")
                    z = torch.relu(z) if k < n_convs - 1 else z
            y = z + shortcut if preactivation else torch.relu(z + shortcut)
            number += 1
    y = torch.relu(norm(y, "last.0")) if preactivation else y
    return functional.linear(y.mean(dim=2), state["output.weight"], state["output.bias"])


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("preactivation", [True, False])
@pytest.mark.parametrize("name, kind, tolerance", [(name, torch.float64, 1e-10) for name in DEPTHS]
                         + [("resnet18", torch.float32, 1e-5)])
def test_networks_equal_their_plain_1d_form(name, kind, tolerance, preactivation, training):
    network = small(name, in_channels=2, preactivation=preactivation).to(kind)
    with torch.no_grad():
        for module in network.modules():  # statistics and scales other than 0 and 1
            if isinstance(module, torch.nn.BatchNorm2d):
                for tensor in (module.weight, module.bias, module.running_mean):
                    tensor.add_(0.2 * torch.randn_like(tensor))
                module.running_var.uniform_(0.5, 2)
    x = signals(4, 2, 300).to(kind)
    network.train(training)
    with torch.no_grad():
        expected = plain_forward(network, x, name, preactivation)
        torch.testing.assert_close(network(x), expected, rtol=0, atol=tolerance * float(expected.abs().max()))


def test_operations_of_a_training_step_grow_with_length_and_width():
    flops = {key: models.training_flops("resnet18", 1, 4, n, width=width)
             for key, n, width in (("one", 4096, 16), ("long", 8192, 16), ("wide", 4096, 32))}
    assert flops["long"] == pytest.approx(2 * flops["one"], rel=0.01)
    assert flops["wide"] == pytest.approx(4 * flops["one"], rel=0.05)
    # design: 22.6 GFLOP a trained sample at full width and 16,384 samples
    assert models.training_flops("resnet18", 1, 4, 16384, width=64) == pytest.approx(22.6e9, rel=0.05)


def test_weights_start_as_he_et_al_draw_them():
    network = models.build("resnet18", 1, 4, width=64)
    for kernel in (network.units[2].convs[0].weight, network.units[6].convs[0].weight):  # twice as many channels out
        n_out, _, _, length = kernel.shape
        assert kernel.std().item() == pytest.approx((2 / (n_out * length)) ** 0.5, rel=0.05)


# --- what every residual network keeps to --------------------------------------------------------------------------


@pytest.mark.parametrize("name", DEPTHS)
class TestEveryResNet:
    def test_shapes_for_any_batch_and_length(self, name):
        network = small(name, in_channels=3, n_outputs=5).eval()
        for batch, n in ((1, 64), (1, 65), (2, 33), (3, 1000), (2, 1023)):
            assert network(signals(batch, 3, n)).shape == (batch, 5)
            assert network.features(signals(batch, 3, n)).shape == (batch, network.n_features)

    def test_a_recording_scores_alone_as_it_does_in_a_batch(self, name):
        network, x = small(name).eval(), signals(4)
        with torch.no_grad():
            alone = torch.cat([network(one[None]) for one in x])
            torch.testing.assert_close(network(x), alone, rtol=1e-4, atol=1e-5)

    def test_the_gradient_reaches_every_parameter(self, name):
        network = small(name)
        functional.cross_entropy(network(signals(4)), torch.tensor([0, 1, 2, 3])).backward()
        assert [key for key, p in network.named_parameters() if p.grad is None or not p.grad.abs().max() > 0] == []

    def test_the_same_seed_gives_the_same_weights(self, name):
        first, second, other = (small(name, seed).state_dict() for seed in (0, 0, 1))
        assert all(torch.equal(first[key], second[key]) for key in first)
        assert any(not torch.equal(first[key], other[key]) for key in first)

    def test_a_checkpoint_gives_the_same_predictions(self, name, tmp_path):
        network = small(name).eval()
        checkpoint.save(tmp_path / "w.safetensors", network.state_dict(), FACTS | {"arch": name})
        again = small(name, seed=1).eval()
        weights, facts = checkpoint.load(tmp_path / "w.safetensors")
        again.load_state_dict(weights)
        assert facts.arch == name
        assert torch.equal(again(signals()), network(signals()))


def test_unknown_names_and_options_list_what_is_allowed():
    with pytest.raises(EcgtlError, match=f"unknown arch 'resnet19'; allowed: {', '.join(models.MODELS)}"):
        models.build("resnet19", 1, 4)
    assert set(DEPTHS) <= set(models.MODELS)
    with pytest.raises(EcgtlError, match="resnet18 has no option 'depth'; allowed: width, kernels, preactivation"):
        models.build("resnet18", 1, 4, depth=3)


# --- checkpoints --------------------------------------------------------------------------------------------------


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "start.safetensors"
    checkpoint.save(path, small().state_dict(), FACTS)
    return path


def test_a_checkpoint_comes_back_bit_for_bit(stored):
    weights, facts = checkpoint.load(stored)
    expected = small().state_dict()
    assert facts.stored == FACTS and weights.keys() == expected.keys()
    for key, tensor in expected.items():
        assert torch.equal(weights[key], tensor) and weights[key].dtype == tensor.dtype


def test_facts_have_attributes_and_a_schema_of_their_own(tmp_path):
    path = tmp_path / "w.safetensors"
    checkpoint.save(path, small().state_dict(), FACTS | {"leads": ["II"], "highpass": None, "seed": 3})
    facts = checkpoint.load(path)[1]
    assert (facts.arch, facts.leads, facts.highpass, facts.n_samples, facts.classes) == ("resnet18", ("II",), 0, 4096,
                                                                                         None)
    assert facts.schema == 1 and "schema" not in facts.stored and facts.seed == 3
    with pytest.raises(FrozenInstanceError):
        facts.arch = "cae"
    checkpoint.save(path, small().state_dict(), FACTS | {"schema": 2})
    with pytest.raises(EcgtlError, match="w.safetensors was written by a later version of ecgtl; update ecgtl"):
        checkpoint.load(path)


def test_half_the_size_gives_nearly_the_same_outputs(stored, tmp_path):
    network = small().eval()
    checkpoint.save(tmp_path / "half.safetensors", network.state_dict(), FACTS, half=True)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.65 * stored.stat().st_size
    weights, facts = checkpoint.load(tmp_path / "half.safetensors")
    assert all(t.dtype == network.state_dict()[name].dtype for name, t in weights.items())
    again = checkpoint.network(tmp_path, weights, replace(facts, classes=tuple("abcd"))).eval()
    x = torch.randn(3, 1, 512, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        gap = (again(x) - network(x)).abs().max()
    assert 0 < gap < 0.01 * network(x).abs().max()


def test_the_first_three_stages_start_a_whole_resnet50(tmp_path):
    """Weimann 2021, Table 4: future prediction pretrains three stages of ResNet-50 only."""
    three = models.build("resnet50", 1, 1, width=4, stages=3)
    assert three.n_features == 4 * 4 * 2**2
    facts = FACTS | {"arch": "resnet50", "stages": 3}
    checkpoint.save(tmp_path / "three.safetensors", three.state_dict(), facts)
    whole = models.build("resnet50", 1, 4, width=4)
    before = {name: t.clone() for name, t in whole.state_dict().items()}
    checkpoint.transfer(whole, tmp_path / "three.safetensors", "resnet50", 4, 1)
    first = sum(STAGES["resnet50"][:3])
    for name, tensor in whole.state_dict().items():
        carried = name.startswith("stem.") or name.startswith("units.") and int(name.split(".")[1]) < first
        assert torch.equal(tensor, (three.state_dict() if carried else before)[name]), name
    checkpoint.save(tmp_path / "claims_all.safetensors", three.state_dict(), facts | {"stages": 4})
    with pytest.raises(EcgtlError, match="does not fit resnet50"):
        checkpoint.transfer(whole, tmp_path / "claims_all.safetensors", "resnet50", 4, 1)


@pytest.mark.parametrize("variant, preactivation", [(None, True), ("text", True), ("code", False)])
def test_the_variant_says_where_the_activation_stands(variant, preactivation):
    """Weimann 2021: in front of the convolutions (text), behind them (public code)."""
    options = models.variant_options("resnet34", variant)
    network = models.build("resnet34", 1, 4, width=4, **options)
    assert {unit.preactivation for unit in network.units} == {preactivation}
    assert models.variant_options("bilstm", variant) == models.variant_options("resnet1d101", variant) == {}
    assert models.variant_options("cae_classifier", variant) == {"variant": variant}


def test_transfer_copies_all_but_the_output_layer(stored):
    target = small(seed=5, n_outputs=7)
    before = {key: t.clone() for key, t in target.state_dict().items()}
    checkpoint.transfer(target, stored, "resnet18", 4, 1)
    source = small().state_dict()
    for key, tensor in target.state_dict().items():
        assert torch.equal(tensor, before[key] if key.startswith("output.") else source[key]), key


@pytest.mark.parametrize("given, said", [
    ({"arch": "resnet34"}, "has arch=resnet18, the run asks for resnet34.*set arch"),
    ({"width": 16}, "has width=4, the run asks for 16.*set width"),
    ({"variant": "text"}, "has variant=None, the run asks for text.*set variant")])
def test_a_checkpoint_of_another_kind_is_refused(stored, given, said):
    with pytest.raises(EcgtlError, match=said):
        checkpoint.transfer(small(), stored, **{"arch": "resnet18", "width": 4, "in_channels": 1} | given)


@pytest.mark.parametrize("change", ["absent", "extra", "shape"])
def test_weights_that_do_not_fit_leave_the_network_as_it_was(tmp_path, change):
    weights = dict(small().state_dict())
    if change == "absent":
        del weights["units.3.convs.1.weight"]
    elif change == "extra":
        weights["units.9.convs.1.weight"] = torch.zeros(2)
    else:
        weights["units.3.convs.1.weight"] = torch.zeros(2)
    checkpoint.save(tmp_path / "odd.safetensors", weights, FACTS)
    target = small(seed=5)
    before = {key: t.clone() for key, t in target.state_dict().items()}
    with pytest.raises(EcgtlError, match=r"odd.safetensors does not fit resnet18: units\.[39]\.convs\.1\.weight"):
        checkpoint.transfer(target, tmp_path / "odd.safetensors", "resnet18", 4, 1)
    assert all(torch.equal(before[key], t) for key, t in target.state_dict().items())


def test_a_missing_checkpoint_is_named(tmp_path):
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(EcgtlError, match=f"{path} does not exist"):
            checkpoint.load(path)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff" * 4096, b"{}" * 50])
def test_garbage_is_refused(tmp_path, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(EcgtlError, match="bad.safetensors is damaged"):
        checkpoint.load(path)


def test_a_truncated_checkpoint_is_refused(stored):
    stored.write_bytes(stored.read_bytes()[:-10])
    with pytest.raises(EcgtlError, match="is damaged"):
        checkpoint.load(stored)


@pytest.mark.parametrize("metadata", [None, {"ecgtl": "{}"}, {"ecgtl": "3"},
                                      {"ecgtl": json.dumps({"arch": "resnet18"})}])
def test_weights_without_facts_are_refused(tmp_path, metadata):
    save_file({"a": torch.zeros(1)}, tmp_path / "plain.safetensors", metadata=metadata)
    with pytest.raises(EcgtlError, match="does not say its .*in_channels.*not written by ecgtl"):
        checkpoint.load(tmp_path / "plain.safetensors")


def test_facts_that_are_no_json_are_refused(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "odd.safetensors", metadata={"ecgtl": "{arch"})
    with pytest.raises(EcgtlError, match="odd.safetensors is damaged"):
        checkpoint.load(tmp_path / "odd.safetensors")


class _Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("write", [lambda trap, path: path.write_bytes(pickle.dumps(trap)),
                                   lambda trap, path: torch.save({"weights": trap}, path)])
def test_a_pickle_with_another_name_is_refused_and_never_run(tmp_path, write):
    path, mark = tmp_path / "pickle.safetensors", tmp_path / "ran"
    write(_Trap(mark), path)
    with pytest.raises(EcgtlError, match="pickle.safetensors is damaged"):
        checkpoint.load(path)
    assert not mark.exists()


# --- from one lead to several -------------------------------------------------------------------------------------


@pytest.mark.parametrize("preactivation", [True, False])
def test_twelve_equal_leads_give_what_one_gave(tmp_path, preactivation):
    """Weimann 2021, "Downstream data set": the filters are repeated and scaled."""
    one = small(seed=3, preactivation=preactivation).eval()
    checkpoint.save(tmp_path / "w.safetensors", one.state_dict(), FACTS)
    twelve = small(seed=4, in_channels=12, preactivation=preactivation).eval()
    checkpoint.transfer(twelve, tmp_path / "w.safetensors", "resnet18", 4, 12)
    twelve.output.load_state_dict(one.output.state_dict())
    x = torch.randn(3, 1, 512, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(twelve(x.repeat(1, 12, 1)), one(x), atol=1e-5, rtol=0)
        assert not torch.allclose(twelve(torch.cat([x, torch.zeros(3, 11, 512)], dim=1)), one(x), atol=1e-3)


def test_twelve_leads_do_not_fit_one(tmp_path):
    checkpoint.save(tmp_path / "w.safetensors", small(in_channels=12).state_dict(), FACTS | {"in_channels": 12})
    with pytest.raises(EcgtlError,
                       match="has in_channels=12, the run asks for 1; choose another checkpoint or set lead"):
        checkpoint.transfer(small(), tmp_path / "w.safetensors", "resnet18", 4, 1)
