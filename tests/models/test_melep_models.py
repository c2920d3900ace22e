"""ResNet1d101 and Bi-LSTM against counts by hand and against plain forms; transfer between checkpoints."""

import numpy as np
import pytest
import torch
from messages import one_line
from torch.nn import functional

from ecgtl import models
from ecgtl.errors import EcgtlError
from ecgtl.models import checkpoint
from ecgtl.training import loop

NAMES = ("resnet1d101", "bilstm")
WIDTHS = {"resnet1d101": 4, "bilstm": 3}
DEPTHS = (3, 4, 23, 3)
FACTS = {"sampling_rate": 100.0, "seconds": 10.0}


def small(name, seed=0, in_channels=1, n_outputs=4, **options):
    torch.manual_seed(seed)
    return models.build(name, in_channels, n_outputs, **{"width": WIDTHS[name]} | options)


def signals(batch=3, channels=1, n=1000, seed=0):
    return torch.randn(batch, channels, n, generator=torch.Generator().manual_seed(seed))


def stored(tmp_path, name, network):
    path = tmp_path / f"{name}.safetensors"
    width = {"resnet1d101": network.n_features // 8, "bilstm": network.n_features // 2000}[name]
    checkpoint.save(path, network.state_dict(), FACTS | {"arch": name, "width": width, "in_channels": 1})
    return path


# --- parameters and operations ------------------------------------------------------------------------------


def bottleneck_parameters(width, stem, area):
    """All but the head of a ResNet-101: a convolution has no bias, a batch norm two values a channel.

    ``stem`` is the number of inputs of one filter of the stem, ``area`` that of a middle kernel.
    """
    total, n_in = stem * width + 2 * width, width
    for stage, depth in enumerate(DEPTHS):
        w = width * 2**stage
        for unit in range(depth):
            total += n_in * w + area * w * w + w * 4 * w + 2 * (w + w + 4 * w)
            if unit == 0:  # the shortcut is projected, with a norm of its own
                total += n_in * 4 * w + 2 * 4 * w
            n_in = 4 * w
    return total


def test_the_formula_gives_the_known_count_of_the_image_network():
    # ResNet-101 for images: 3 colours, kernels 7 x 7 and 3 x 3, 1,000 classes (torchvision's documentation)
    assert bottleneck_parameters(64, 3 * 49, 9) + 2048 * 1000 + 1000 == 44_549_160


@pytest.mark.parametrize("width, in_channels, n_outputs", [(64, 12, 5), (64, 12, 20), (16, 1, 9)])
def test_parameters_of_resnet1d101(width, in_channels, n_outputs):
    hidden = 32 * width * 8 * width + 8 * width
    expected = bottleneck_parameters(width, 7 * in_channels, 3) + hidden + 8 * width * n_outputs + n_outputs
    with torch.device("meta"):  # laid out only
        network = models.build("resnet1d101", in_channels, n_outputs, width=width)
    assert models.count_parameters(network) == expected
    assert (network.n_features, network.output.in_features) == (8 * width, 8 * width)


def test_a_resnet1d101_counted_by_hand():
    # Width 1, one lead, one output. Stem 7 + 2. First units, with shortcut, and their norms:
    # 1 + 3 + 4 + 4, 12 + 8; 8 + 12 + 16 + 32, 24 + 16; 32 + 48 + 64 + 128, 48 + 32;
    # 128 + 192 + 256 + 512, 96 + 64. The others: 4 + 3 + 4 + 12 (twice), 16 + 12 + 16 + 24 (3 times),
    # 64 + 48 + 64 + 48 (22 times), 256 + 192 + 256 + 96 (twice). Hidden layer 32 x 8 + 8, output 8 + 1.
    by_hand = 9 + 32 + 108 + 352 + 1248 + 2 * 23 + 3 * 68 + 22 * 224 + 2 * 800 + 264 + 9
    assert models.count_parameters(models.build("resnet1d101", 1, 1, width=1)) == by_hand


@pytest.mark.parametrize("width, in_channels, n_outputs, length, by_hand", [
    # Four gates in two directions: weights of inputs and state, two biases. Then linear on 1,000 x 200.
    (100, 12, 5, 1000, 2 * 4 * 100 * (12 + 100 + 2) + 200_000 * 5 + 5),
    (100, 1, 9, 1000, 2 * 4 * 100 * (1 + 100 + 2) + 200_000 * 9 + 9),
    (1, 1, 1, 2, 2 * 16 + 4 + 1)])
def test_parameters_of_bilstm(width, in_channels, n_outputs, length, by_hand):
    network = models.build("bilstm", in_channels, n_outputs, width=width, length=length)
    assert models.count_parameters(network) == by_hand


def test_operations_of_a_training_step():
    # design: 9.4 GFLOP a trained sample of twelve leads and 10 s at 100 Hz
    assert models.training_flops("resnet1d101", 12, 5, 1000) == pytest.approx(9.4e9, rel=0.01)


def test_operations_of_a_bilstm_counted_by_hand():
    """Two a weight and step forwards, two more for the weight's gradient, and two for that of the state."""
    n = 30
    inputs, states, linear = 2 * 4 * 100 * 12 * n, 2 * 4 * 100 * 100 * n, 200 * n * 5
    first_states = 2 * 4 * 100 * 100  # the states before the first step are constants, as the input is
    by_hand = 2 * (2 * inputs + 3 * states - first_states + 3 * linear)
    assert models.training_flops("bilstm", 12, 5, n, length=n) == by_hand


# --- the same networks written out --------------------------------------------------------------------------


def plain_resnet1d101(network, x):
    """The network with 1-D functions on its weights: convolution, norm, activation; stride in the middle."""
    state = {key: t.squeeze(2) if t.ndim == 4 else t for key, t in network.state_dict().items()}

    def conv_norm(y, conv, norm, stride=1):
        kernel = state[f"{conv}.weight"]
        y = functional.conv1d(y, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        mean, var = (state[f"{norm}.running_{name}"].clone() for name in ("mean", "var"))
        return functional.batch_norm(y, mean, var, *(state[f"{norm}.{name}"] for name in ("weight", "bias")),
                                     network.training)

    y, number = functional.max_pool1d(torch.relu(conv_norm(x, "stem.0", "stem.1", 2)), 3, 2, 1), 0
    for stage, depth in enumerate(DEPTHS):
        for unit in range(depth):
            prefix, stride, z = f"units.{number}", 2 if stage and not unit else 1, y
            for k in range(3):
                z = conv_norm(z, f"{prefix}.convs.{k}", f"{prefix}.norms.{k}", stride if k == 1 else 1)
                z = torch.relu(z) if k < 2 else z
            y = y if unit else conv_norm(y, f"{prefix}.project", f"{prefix}.project_norm", stride)
            y, number = torch.relu(y + z), number + 1
    hidden = functional.linear(y.mean(dim=2), state["hidden.0.weight"], state["hidden.0.bias"])
    return functional.linear(torch.relu(hidden), state["output.weight"], state["output.bias"])


@pytest.mark.parametrize("training_mode", [False, True])
def test_resnet1d101_equals_its_plain_1d_form(training_mode):
    network = small("resnet1d101", in_channels=2).double()
    with torch.no_grad():
        for module in network.modules():  # statistics and scales other than 0 and 1
            if isinstance(module, torch.nn.BatchNorm2d):
                for tensor in (module.weight, module.bias, module.running_mean):
                    tensor.add_(0.2 * torch.randn_like(tensor))
                module.running_var.uniform_(0.5, 2)
        network.train(training_mode)
        x = signals(4, 2, 300).double()
        expected = plain_resnet1d101(network, x)
        torch.testing.assert_close(network(x), expected, rtol=0, atol=1e-10 * float(expected.abs().max()))


def lstm_steps(x, w_x, w_h, b_x, b_h):
    """States (steps, width) of one recording (steps, leads); gates: input, forget, cell, output."""
    h = c = torch.zeros(w_h.shape[1], dtype=x.dtype)
    states = []
    for step in x:
        i, f, g, o = (w_x @ step + b_x + w_h @ h + b_h).chunk(4)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        states.append(h)
    return torch.stack(states)


def test_bilstm_equals_its_equations_step_by_step():
    network, x = small("bilstm", in_channels=2, length=17).double(), signals(3, 2, 17).double()
    forwards, backwards = ([network.lstm.get_parameter(f"{name}_l0{end}") for name in
                            ("weight_ih", "weight_hh", "bias_ih", "bias_hh")] for end in ("", "_reverse"))
    with torch.no_grad():
        states = [(lstm_steps(one.T, *forwards), lstm_steps(one.T.flip(0), *backwards).flip(0)) for one in x]
        expected = torch.stack([torch.cat(both, dim=1).flatten() for both in states])
        torch.testing.assert_close(network.features(x), expected, rtol=0, atol=1e-12)
        torch.testing.assert_close(network(x), network.output(expected), rtol=0, atol=1e-12)


def test_bilstm_takes_its_own_length_and_leads_only():
    network = small("bilstm", in_channels=2)
    for shape in ((1, 2, 999), (1, 1, 1000), (2, 1000), (1, 2, 1000, 1)):
        with pytest.raises(EcgtlError) as error:
            network(torch.zeros(shape))
        one_line(error, "(batch, 2, 1000)", f"not {shape}", "length")


# --- what both keep to --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
class TestBothNetworks:
    def test_shapes_from_a_batch_of_one(self, name):
        network = small(name, in_channels=12, n_outputs=5).eval()
        for batch in (1, 2):
            assert network(signals(batch, 12)).shape == (batch, 5)
            assert network.features(signals(batch, 12)).shape == (batch, network.n_features)

    def test_the_output_is_one_linear_layer_on_the_features(self, name):
        network, x = small(name).eval(), signals()
        with torch.no_grad():
            expected = network.features(x) @ network.output.weight.T + network.output.bias
            torch.testing.assert_close(network(x), expected)

    def test_a_recording_scores_alone_as_it_does_in_a_batch(self, name):
        network, x = small(name).eval(), signals(4)
        with torch.no_grad():
            alone = torch.cat([network(one[None]) for one in x])
            torch.testing.assert_close(network(x), alone, rtol=1e-4, atol=1e-5)

    def test_the_gradient_reaches_every_parameter(self, name):
        network = small(name)
        functional.binary_cross_entropy_with_logits(network(signals(4)), torch.eye(4)).backward()
        gradients = {key: p.grad for key, p in network.named_parameters()}
        assert [key for key, grad in gradients.items() if grad is None or not grad.abs().max() > 0] == []

    def test_the_same_seed_gives_the_same_weights(self, name):
        first, second, other = (small(name, seed).state_dict() for seed in (0, 0, 1))
        assert all(torch.equal(first[key], second[key]) for key in first)
        assert any(not torch.equal(first[key], other[key]) for key in first)

    def test_several_labels_are_learnt_by_the_common_loop(self, name):
        """Two labels, each a wave of its own frequency: told apart in recordings that were not trained on.

        By two of three seeds: whether eight epochs are enough for one hangs on the processor's rounding.
        """
        rng = np.random.default_rng(0)
        y = (rng.random((160, 2)) < 0.5).astype(np.int64)
        waves = np.sin(2 * np.pi * np.arange(1000) / 100 * np.array([[3.0], [11.0]]))
        x = (y @ waves + 0.1 * rng.normal(size=(160, 1000))).astype(np.float32)[:, None]
        train, rest = loop.LabelledArray(x[:128], y[:128]), loop.LabelledArray(x[128:], y[128:])

        def learns(seed):
            history = loop.fit(small(name, seed, n_outputs=2), train, rest, rest,
                               loop.TrainConfig(8, 16, 0.01, 50, "train_accuracy", "validation_loss", "float32", seed),
                               lambda y, p: float(((p > 0.5) == y).mean()), torch.device("cpu")).history
            return (history[-1]["train_loss"] / history[0]["train_loss"] < 0.5
                    and max(row["test_score"] for row in history) > 0.9)

        learnt = learns(0) + learns(1)
        assert learnt == 2 or learnt + learns(2) == 2

    def test_only_the_output_layer_keeps_its_random_start(self, name, tmp_path):
        source = small(name, n_outputs=9)
        target = small(name, seed=5)
        start = {key: t.clone() for key, t in target.state_dict().items()}
        checkpoint.transfer(target, stored(tmp_path, name, source), name, WIDTHS[name], 1)
        expected = source.state_dict() | {key: start[key] for key in ("output.weight", "output.bias")}
        found = target.state_dict()
        assert found.keys() == expected.keys()
        assert [key for key in expected if not torch.equal(found[key], expected[key])] == []

    def test_twelve_equal_leads_give_what_one_gave(self, name, tmp_path):
        one, x = small(name, seed=3).eval(), signals()
        twelve = small(name, seed=4, in_channels=12).eval()
        checkpoint.transfer(twelve, stored(tmp_path, name, one), name, WIDTHS[name], 12)
        twelve.output.load_state_dict(one.output.state_dict())
        with torch.no_grad():
            torch.testing.assert_close(twelve(x.repeat(1, 12, 1)), one(x))
            first_alone = torch.cat([x, torch.zeros(3, 11, 1000)], dim=1)
            assert not torch.allclose(twelve(first_alone), one(x), rtol=1e-3)

    def test_another_network_or_width_is_refused(self, name, tmp_path):
        path = stored(tmp_path, name, small(name))
        other = NAMES[1 - NAMES.index(name)]
        for asked, width in ((name, WIDTHS[name] + 1), (other, WIDTHS[name])):
            with pytest.raises(EcgtlError) as error:
                checkpoint.transfer(small(asked, width=width), path, asked, width, 1)
            one_line(error, path, "choose another checkpoint")

    def test_an_unknown_option_is_named(self, name):
        with pytest.raises(EcgtlError, match=f"{name} has no option 'depth'; allowed: width"):
            models.build(name, 1, 4, depth=3)
