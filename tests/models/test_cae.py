"""The autoencoder against parameter counts derived by hand, a rebuild from 1-D layers and its description."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from ecgtl.errors import EcgtlError
from ecgtl.models import count_parameters
from ecgtl.models.cae import CAE, VARIANTS, CAEClassifier, summed_squared_error

# multiples of the width before and after each block, its kernel in the code, whether it halves the length
BLOCKS = [(1, 1, 19, False), (1, 1, 19, True), (1, 2, 19, True), (2, 3, 19, True), (3, 4, 19, True),
          (4, 4, 19, True), (4, 5, 9, True), (5, 5, 9, True), (5, 5, 9, False)]
KINDS = [("code", "upsample"), ("text", "transposed")]


def windows(batch=2, channels=1, seed=0, n=2048):
    """Smooth windows of mean 0 and SD 1 (white noise cannot be compressed)."""
    x = torch.randn(batch, channels, n + 32, generator=torch.Generator().manual_seed(seed))
    x = functional.avg_pool1d(x, 33, 1)
    return (x - x.mean(dim=2, keepdim=True)) / x.std(dim=2, keepdim=True)


def tones(batch, frequency=None, seed=0):
    """Sines of 1 to 4 Hz (or of ``frequency``) in random phase, sampled at 250 Hz, of SD 1."""
    generator = torch.Generator().manual_seed(seed)
    frequency = 1 + 3 * torch.rand(batch, 1, 1, generator=generator) if frequency is None else frequency
    phase = 2 * torch.pi * torch.rand(batch, 1, 1, generator=generator)
    return 2**0.5 * torch.sin(2 * torch.pi * frequency * torch.arange(2048) / 250 + phase)


def small(seed=0, in_channels=1, width=4, **options):
    torch.manual_seed(seed)
    return CAE(in_channels, width=width, **options).to(memory_format=torch.channels_last)


def classifier(seed=0, in_channels=1, n_outputs=4, width=4, **options):
    torch.manual_seed(seed)
    return CAEClassifier(in_channels, n_outputs, width, **options).to(memory_format=torch.channels_last)


# --- size -------------------------------------------------------------------------------------------------


def kernels(variant):
    return [19 if variant == "text" else kernel for _, _, kernel, _ in BLOCKS]


def encoder_parameters(width, channels, variant):
    """Convolutions with bias, batch norms (two values a channel), the two linear layers 80w -> 40w -> 60."""
    total = 19 * channels * width + width + 2 * width
    for (m_in, m_out, _, _), kernel in zip(BLOCKS, kernels(variant), strict=True):
        a, b = m_in * width, m_out * width
        total += 2 * a + (kernel * a * b + b) + 2 * b + (kernel * b * b + b)
        total += (a * b + b) if a != b else 0
    return total + (80 * width * 40 * width + 40 * width) + (40 * width * 60 + 60)


def decoder_parameters(width, channels, variant, decoder):
    """60 -> 80w, the blocks backwards (without biases when upsampling), a last 1x1 convolution."""
    total = 60 * 80 * width + 80 * width
    for (m_in, m_out, _, _), kernel in zip(BLOCKS, kernels(variant), strict=True):
        a, b = m_out * width, m_in * width
        if decoder == "upsample":
            total += kernel * a * a + 2 * a + kernel * a * b + 2 * b
        else:
            total += 2 * a + (kernel * a * a + a) + 2 * a + (kernel * a * b + b)
            total += (a * b + b) if a != b else 0
    return total + width * channels + channels


@pytest.mark.parametrize("width, channels", [(8, 1), (32, 1), (8, 12)])
@pytest.mark.parametrize("variant, decoder", KINDS)
def test_parameter_counts(variant, decoder, width, channels):
    encoder = encoder_parameters(width, channels, variant)
    network = CAE(channels, width=width, variant=variant)
    assert count_parameters(network) == encoder + decoder_parameters(width, channels, variant, decoder)
    assert count_parameters(CAEClassifier(channels, 11, width, variant=variant)) == encoder + 60 * 11 + 11


def test_a_count_done_by_hand():
    # Width 1, one channel, as in the code. Stem 19 + 1 + 2. Blocks, as batch norm, convolution, batch norm,
    # convolution, shortcut: twice 2+20+2+20; 2+40+4+78+4; 4+117+6+174+9; 6+232+8+308+16; 8+308+8+308;
    # 8+185+10+230+25; twice 10+230+10+230. Linear layers 80 x 40 + 40 and 40 x 60 + 60.
    encoder = 22 + 2 * 44 + 128 + 310 + 570 + 632 + 458 + 2 * 480 + 3240 + 2460
    # Linear 60 x 80 + 80. Blocks as two convolutions and batch norms: twice 225+10+225+10; 225+10+180+8;
    # 304+8+304+8; 304+8+228+6; 171+6+114+4; 76+4+38+2; twice 19+2+19+2. Last 1 + 1.
    decoder = 4880 + 2 * 470 + 423 + 624 + 546 + 295 + 120 + 2 * 42 + 2
    assert count_parameters(CAE(1, width=1)) == encoder + decoder
    assert count_parameters(CAEClassifier(1, 4, width=1)) == encoder + 60 * 4 + 4


@pytest.mark.parametrize("variant", VARIANTS)
def test_shapes_from_2048_samples_to_16_positions_and_back(variant):
    network, seen = small(width=8, variant=variant).eval(), []
    for block in (network.encoder.stem, *network.encoder.blocks, *network.decoder.blocks):
        block.register_forward_hook(lambda module, given, out: seen.append(tuple(out.shape[1:])))
    x = windows(1)
    z = network.encoder(x)
    way = [(8, 2048), (8, 2048), (8, 1024), (16, 512), (24, 256), (32, 128), (32, 64), (40, 32), (40, 16),
           (40, 16)]
    assert seen == [(c, 1, n) for c, n in way]
    assert z.shape == (1, 60) and network.n_features == 60
    seen.clear()
    assert network.decoder(z).shape == (1, 1, 2048)
    back = [(40, 16), (40, 32), (32, 64), (32, 128), (24, 256), (16, 512), (8, 1024), (8, 2048), (8, 2048)]
    assert seen == [(c, 1, n) for c, n in back]
    assert [m.in_features for m in network.encoder.bottleneck if isinstance(m, nn.Linear)] == [640, 320]


def test_features_and_leads_are_free():
    network = small(in_channels=3, n_outputs=12)
    assert network.encoder(windows(2, 3)).shape == (2, 12)
    assert network(windows(2, 3)).shape == (2, 3, 2048)
    assert classifier(in_channels=3, features=12).features(windows(2, 3)).shape == (2, 12)


# --- the same network from 1-D layers ---------------------------------------------------------------------


def rebuild(network, x, variant, decoder):
    """``network`` from nn.Conv1d and its kin, on its weights; batch norms follow ``network.training``."""
    state = {name: t.squeeze(2) if t.ndim == 4 else t for name, t in network.state_dict().items()}
    act = nn.ReLU() if variant == "text" else nn.LeakyReLU(0.01)

    def load(layer, name):
        weights = {part: state[f"{name}.{part}"].clone() for part in layer.state_dict()}
        layer.to(x.dtype).load_state_dict(weights)
        return layer.train(network.training)

    def conv(y, name, padding_mode="zeros", transposed=False, stride=1):
        weight, bias = state[f"{name}.weight"], f"{name}.bias" in state
        n_out, n_in, kernel = weight.shape
        if transposed:
            layer = nn.ConvTranspose1d(n_out, n_in, kernel, stride, kernel // 2, stride - 1, bias=bias)
        else:
            layer = nn.Conv1d(n_in, n_out, kernel, padding=kernel // 2, bias=bias, padding_mode=padding_mode)
        return load(layer, name)(y)

    def norm(y, name):
        return load(nn.BatchNorm1d(y.shape[1]), name)(y)

    def linear(y, name):
        weight = state[f"{name}.weight"]
        return load(nn.Linear(weight.shape[1], weight.shape[0]), name)(y)

    y = norm(conv(x, "encoder.stem.0"), "encoder.stem.1")
    for k, (m_in, m_out, _, halve) in enumerate(BLOCKS):
        name = f"encoder.blocks.{k}"
        z = conv(act(norm(y, f"{name}.convs.0")), f"{name}.convs.2")
        z = conv(act(norm(z, f"{name}.convs.3")), f"{name}.convs.5")
        if halve:
            y, z = nn.MaxPool1d(2)(y), nn.MaxPool1d(2)(z)
        y = z + (conv(y, f"{name}.project") if m_in != m_out else y)
    z = linear(act(linear(y.flatten(1), "encoder.bottleneck.0")), "encoder.bottleneck.2")
    y = linear(z, "decoder.expand").unflatten(1, (-1, 16))
    upsample = nn.Upsample(scale_factor=2, mode="linear")
    for k, (m_out, m_in, _, double) in enumerate(BLOCKS[::-1]):
        name = f"decoder.blocks.{k}"
        if decoder == "transposed":
            s = conv(act(norm(y, f"{name}.convs.0")), f"{name}.convs.2", transposed=True)
            s = act(norm(s, f"{name}.convs.3"))
            s = conv(s, f"{name}.convs.5", transposed=True, stride=2 if double else 1)
            y = conv(y, f"{name}.project", transposed=True) if m_in != m_out else y
            y = s + (upsample(y) if double else y)
        else:
            y = act(norm(conv(y, f"{name}.0"), f"{name}.1"))
            y = upsample(y) if double else y
            y = conv(y, f"{name}.{4 if double else 3}", "reflect" if double else "zeros")
            y = act(norm(y, f"{name}.{5 if double else 4}"))
    return z, conv(y, "decoder.last")


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("variant, decoder", KINDS)
def test_networks_equal_their_rebuild_from_1d_layers(variant, decoder, training):
    network = small(width=2, in_channels=2, variant=variant).double()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):  # statistics and scales other than 0 and 1
                for tensor in (module.weight, module.bias, module.running_mean):
                    tensor.add_(0.2 * torch.randn_like(tensor))
                module.running_var.uniform_(0.5, 2)
            elif isinstance(module, nn.Dropout) and variant == "code":
                module.p = 0.0  # the text's variant has none to switch off
        network.train(training)
        x = windows(3, 2).double()
        z, y = rebuild(network, x, variant, decoder)
        torch.testing.assert_close(network.encoder(x), z, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(network(x), y, rtol=1e-9, atol=1e-9 * float(y.abs().max()))


def test_dropout_follows_the_code_or_is_absent():
    for variant, expected in (("code", ([0.3] * 9, [0.2] * 9)), ("text", ([0.0] * 9, [0.0] * 9))):
        network = small(variant=variant)
        found = tuple([m.p for m in part.modules() if isinstance(m, nn.Dropout)]
                      for part in (network.encoder, network.decoder))
        assert found == expected
    network, x = small(), windows(2)
    assert not torch.equal(network.encoder(x), network.encoder(x))
    assert torch.equal(network.eval().encoder(x), network.encoder(x))


def test_variants_differ_as_code_and_text_do():
    def described(network):
        kinds = {type(m).__name__ for m in network.modules()} & {"ReLU", "LeakyReLU", "ConvTranspose2d"}
        return kinds, network.encoder.blocks[8].convs[2].kernel_size[1]

    assert described(small()) == ({"LeakyReLU"}, 9)
    assert described(small(variant="text")) == ({"ReLU", "ConvTranspose2d"}, 19)
    assert described(classifier(variant="text")) == ({"ReLU"}, 19)


# --- behaviour --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["code", "text"])
def test_a_window_alone_gives_what_it_gives_in_a_batch(variant):
    network, x = small(variant=variant).eval(), windows(4)
    with torch.no_grad():
        alone = torch.cat([network(one[None]) for one in x])
        torch.testing.assert_close(network(x), alone, rtol=1e-4, atol=1e-4)
    network.train()
    assert network(x[:1]).shape == (1, 1, 2048)  # batch norm has 2,048 to 16 positions even so


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_gradient_reaches_every_parameter(variant):
    network, x = small(variant=variant), windows(4)
    summed_squared_error(x, network(x)).mean().backward()
    norms = {name: p.grad.abs().max().item() for name, p in network.named_parameters()}
    # A bias that a batch norm follows cannot change anything: its gradient is 0 but for rounding.
    idle = {name for name in norms if name.endswith((".convs.2.bias", "stem.0.bias"))}
    assert [name for name, largest in norms.items() if not largest > 0 and name not in idle] == []


@pytest.mark.parametrize("variant", ["code", "text"])
def test_two_windows_can_be_learnt_by_heart(variant):
    """In double precision, in which the steps end alike whatever the processor's rounding."""
    network, x = small(seed=3, variant=variant).double(), tones(2, seed=3).double()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    optimizer, errors = torch.optim.Adam(network.parameters(), lr=0.006), []
    for _ in range(32):
        error = summed_squared_error(x, network(x)).mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.5 * 2048 < errors[0]  # 2,048 is what a flat line gets


def test_the_classifier_learns_to_tell_slow_from_fast():
    y = torch.arange(16) % 2
    x = tones(16, 1 + 4 * y[:, None, None])
    network = classifier(n_outputs=2, variant="text")  # no dropout, which so few windows do not bear
    optimizer = torch.optim.Adam(network.parameters(), lr=0.003)
    for _ in range(30):
        loss = functional.cross_entropy(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        assert (network.eval()(x).argmax(dim=1) == y).all()


def test_bfloat16_gives_nearly_the_same():
    network, x = small().eval(), windows(2)
    with torch.no_grad():
        exact = network(x)
        with torch.autocast("cpu", torch.bfloat16):
            rough = network(x)
    assert (rough.float() - exact).abs().max() < 0.05 * exact.abs().max()


def test_the_classifier_starts_from_the_autoencoders_encoder():
    source, target = small(seed=1).eval(), classifier(seed=2).eval()
    weights = {name: t for name, t in source.state_dict().items() if name.startswith("encoder.")}
    missing, unexpected = target.load_state_dict(weights, strict=False)
    assert (missing, unexpected) == (["output.weight", "output.bias"], [])
    x = windows(3)
    assert torch.equal(target.features(x), source.encoder(x))
    assert torch.equal(target(x), target.output(source.encoder(x)))


def test_the_same_seed_gives_the_same_weights():
    first, second, other = (small(seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["encoder.stem.0.weight"], other["encoder.stem.0.weight"])


# --- error of a reconstruction ----------------------------------------------------------------------------


def test_the_error_is_a_sum_over_samples():
    x = torch.zeros(3, 1, 2048)
    y = torch.stack([torch.full((1, 2048), value) for value in (0.0, 1.0, -0.5)])
    assert summed_squared_error(x, y).tolist() == [0.0, 2048.0, 512.0]
    # A standardised window against a flat line: 2,048, so the paper's 626.583 leaves 30.6 % of the variance.
    error = summed_squared_error(windows(5), torch.zeros(5, 1, 2048))
    assert error.tolist() == pytest.approx([2047.0] * 5, rel=1e-5)


def test_the_error_of_bfloat16_reconstructions_is_summed_in_float32():
    x = torch.full((1, 1, 2048), 0.75, dtype=torch.bfloat16)
    error = summed_squared_error(x, torch.zeros_like(x))
    assert error.dtype == torch.float32 and error.item() == 2048 * 0.5625


# --- bad input --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2, 1, 2047), (2, 1, 4096), (2, 2, 2048), (2, 2048), (1, 2, 1, 2048)])
def test_windows_of_another_shape_are_refused(shape):
    for network in (small().encoder, small(), classifier(), classifier().features):
        with pytest.raises(EcgtlError, match=r"\(batch, 1, 2048\).*8.192 s at 250 Hz.*not \(\d"):
            network(torch.zeros(shape))


@pytest.mark.parametrize("options, said", [
    ({"variant": "paper"}, "unknown variant 'paper'; allowed: code, text")])
def test_unknown_words_list_what_is_allowed(options, said):
    with pytest.raises(EcgtlError, match=said):
        small(**options)
