"""Convolutions whose weight gradient is computed as matrix products: the same numbers as PyTorch's own."""

import itertools

import pytest
import torch
from torch import nn

from ecgtl import models
from ecgtl.models import convolution


@pytest.fixture(params=[(convolution.NATIVE, 1, 1), (convolution.PRODUCTS, 1 << 20, 1), (convolution.PRODUCTS, 100, 3)])
def layout(request, monkeypatch):
    """Each layout, and products over one block by one thread and over many blocks by three."""
    layout, block, threads = request.param
    monkeypatch.setattr(convolution, "layout", lambda: layout)
    monkeypatch.setattr(convolution, "_BLOCK", block)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)


SHAPES = [*itertools.product((1, 3), ((2, 3),), ((7, 1), (5, 2), (1, 2), (19, 1), (9, 3)), (12, 33, 64))]


@pytest.mark.parametrize("batch, channels, shape, n_samples", SHAPES)
def test_gradients_are_those_of_a_plain_1d_convolution(batch, channels, shape, n_samples, layout):
    """Against ``nn.Conv1d`` in float64: inputs that divide by the stride and that do not, kernels longer than the
    input."""
    torch.manual_seed(0)
    plain = nn.Conv1d(*channels, shape[0], shape[1], shape[0] // 2).double()
    ours = convolution.conv(*channels, *shape).double()
    ours.load_state_dict({name: t.unsqueeze(2) if t.ndim == 3 else t for name, t in plain.state_dict().items()})
    x = torch.randn(batch, channels[0], n_samples, dtype=torch.float64)
    ours_in = x.unsqueeze(2).contiguous(memory_format=torch.channels_last).requires_grad_()
    plain_in = x.clone().requires_grad_()
    weight = torch.randn_like(plain(plain_in))
    (plain(plain_in) * weight).sum().backward()
    (ours(ours_in).squeeze(2) * weight).sum().backward()
    for found, expected in ((ours.weight.grad.squeeze(2), plain.weight.grad), (ours.bias.grad, plain.bias.grad),
                            (ours_in.grad.squeeze(2), plain_in.grad)):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name, options, n_samples", [
    ("resnet18", {"width": 8}, 256), ("resnet50", {"width": 4}, 250), ("resnet1d101", {"width": 4}, 128),
    ("cae", {"width": 4, "variant": "text"}, 2048), ("cae", {"width": 4, "variant": "code"}, 2048)])
def test_every_network_learns_the_same_in_either_layout(name, options, n_samples, monkeypatch):
    torch.manual_seed(0)
    model = models.build(name, 1, 4, **options).double().train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    x, found = torch.randn(3, 1, n_samples, dtype=torch.float64), {}
    for choice in (convolution.NATIVE, convolution.PRODUCTS):
        monkeypatch.setattr(convolution, "layout", lambda choice=choice: choice)
        found[choice] = torch.autograd.grad(model(x).square().sum(), list(model.parameters()))
    for native, products in zip(*found.values(), strict=True):
        torch.testing.assert_close(products, native, rtol=1e-7, atol=1e-7)


def test_the_gradient_of_a_pooled_mean_has_its_channels_last():
    torch.manual_seed(0)
    x, seen = torch.randn(2, 3, 1, 5).contiguous(memory_format=torch.channels_last).requires_grad_(), []
    inner = x * 1
    inner.register_hook(seen.append)
    mean = convolution.pooled(inner)
    torch.testing.assert_close(mean, x.mean(dim=(2, 3)))
    mean.square().sum().backward()
    assert seen[0].stride() == inner.stride()
    torch.testing.assert_close(seen[0], (2 * mean / 5)[:, :, None, None].expand_as(x))


def test_products_are_taken_for_training_in_full_precision_alone(monkeypatch):
    asked = []
    monkeypatch.setattr(convolution, "layout", lambda: asked.append(1) or convolution.PRODUCTS)
    layer, x = convolution.conv(2, 2, 3), torch.randn(1, 2, 1, 16)
    with torch.no_grad():
        layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        layer(x)
    assert not asked
    assert type(layer(x).grad_fn).__name__ == "_ProductsBackward" and asked


@pytest.mark.parametrize(("capability", "allowed", "layout"), [
    ("AVX2", None, "PRODUCTS"), ("AVX512", None, "NATIVE"), ("AVX512", "AVX2", "PRODUCTS"), ("DEFAULT", None, "NATIVE"),
    ("AVX512", "AVX512_CORE_BF16", "NATIVE"), ("AVX2", "", "PRODUCTS")])
def test_the_layout_follows_from_the_instructions_alone(capability, allowed, layout, monkeypatch):
    """The same run is equal to the last bit whatever else the machine does."""
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    if allowed is not None:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", allowed)
    assert convolution.layout() == getattr(convolution, layout)


@pytest.mark.parametrize(("n_in", "stride"), [(4, 2), (8, 2), (8, 3), (16, 2)])
def test_a_kernel_of_one_that_skips_samples_gives_what_the_plain_convolution_does(n_in, stride):
    """Of few channels the samples are skipped before: the plain way wrote beyond its memory on some processors."""
    torch.manual_seed(0)
    ours = convolution.conv(n_in, 2 * n_in, 1, stride, bias=False).to(memory_format=torch.channels_last)
    x = torch.randn(5, n_in, 1, 63).to(memory_format=torch.channels_last).requires_grad_()
    y = ours(x)
    y.square().sum().backward()
    exact, weight = x.detach().double().requires_grad_(), ours.weight.detach().double().requires_grad_()
    expected = torch.nn.functional.conv2d(exact, weight, stride=(1, stride))
    expected.square().sum().backward()
    for found, wanted in ((y, expected), (x.grad, exact.grad), (ours.weight.grad, weight.grad)):
        torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=1e-4)
