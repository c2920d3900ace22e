"""1-D convolutions, computed as fast as the processor allows.

A convolution over time is computed as a 2-D one of height 1, channels last: PyTorch has that path for 2-D only. What
then takes longest on a processor without AVX-512 is the gradient of the weights, which a few matrix products give
sooner. Which of the two is taken follows from the instructions (``layout``): results differ in rounding.
"""

import os
from functools import lru_cache

import numpy as np
import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

NATIVE, PRODUCTS = "channels last", "channels last, weight gradients as matrix products"
# Channels in. Of fewer, for the weight gradient of a kernel of 1 with a stride, oneDNN 3 writes beyond the end of its
# memory on some processors with AVX-512, and the process ends: it is not asked to skip samples of so few.
NARROW = 16
_BLOCK = 1 << 20  # numbers multiplied at a time: 4 MiB of float32


def conv(n_in: int, n_out: int, kernel: int, stride: int = 1, **options) -> "Convolution":
    """A convolution over time of (batch, n_in, 1, samples), "same" padding; ``options`` as of ``nn.Conv2d``."""
    return Convolution(n_in, n_out, (1, kernel), (1, stride), (0, kernel // 2), **options)


class Convolution(nn.Conv2d):
    """``nn.Conv2d`` of height 1, whose gradient is computed as ``layout`` says."""

    def _conv_forward(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        learns = torch.is_grad_enabled() and weight.requires_grad and self.in_channels > 1
        alike = self.padding_mode == "zeros" and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
        if learns and alike and layout() == PRODUCTS:
            return _Products.apply(x, weight, bias, self.stride, self.padding)
        if self.kernel_size == (1, 1) and self.stride[1] > 1 and self.in_channels < NARROW and x.device.type == "cpu":
            seen = x[..., ::self.stride[1]].contiguous(memory_format=torch.channels_last)
            return functional.conv2d(seen, weight, bias)
        return super()._conv_forward(x, weight, bias)


def pooled(x: torch.Tensor) -> torch.Tensor:
    """Mean of (batch, channels, height, width) over all places, (batch, channels).

    Taken with the channels last: else their gradient has them first, and what stands before goes back several times
    slower.
    """
    return x.permute(0, 2, 3, 1).mean(dim=(1, 2))


class _Products(torch.autograd.Function):
    """A convolution whose weight gradient is computed by ``weight_gradient``."""

    @staticmethod
    def forward(ctx, x, weight, bias, stride, padding):
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding, ctx.biased = stride, padding, bias is not None
        return functional.conv2d(x, weight, bias, stride, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        wanted = (ctx.needs_input_grad[0], False, False)
        of_x = _native(x, gradient, weight, ctx.stride, ctx.padding, wanted)[0] if wanted[0] else None
        of_bias = gradient.sum((0, 2, 3)) if ctx.biased else None
        return of_x, weight_gradient(x, gradient, weight, ctx.stride, ctx.padding), of_bias, None, None


def weight_gradient(x: torch.Tensor, gradient: torch.Tensor, weight: torch.Tensor, stride: tuple[int, int],
                    padding: tuple[int, int]) -> torch.Tensor:
    """Gradient of ``weight`` (n_out, n_in, 1, kernel) from inputs (batch, n_in, 1, samples) and that of the outputs.

    Channels last, the window of an output is one stretch of memory, and windows that do not overlap are the rows of a
    matrix: as many products as windows overlap (or a few more) give the sum over all outputs, without a copy. They are
    taken over a ``_BLOCK`` after the other, which stays in the processor's cache meanwhile. The recordings of a batch
    count as one long one; what windows near their ends see of a neighbour is taken off again.
    """
    n_out, n_in, _, kernel = weight.shape
    (batch, _, _, n_samples), length, step, before = x.shape, gradient.shape[3], stride[1], padding[1]
    rows, out = _rows(x), _rows(gradient)
    if n_samples != length * step or len(rows) < 2 * kernel:
        return _native(x, gradient, weight, stride, padding, (False, True, False))[1]
    overlap = -(-kernel // step)
    overlap += -overlap % min(torch.get_num_threads(), 8)  # as many products for one thread as for another
    first = -(-before // step)  # the first output whose window lies in the long recording
    n = ((len(rows) - kernel + before) // step + 1 - first) // overlap  # windows of each product
    block = max(1, _BLOCK // (overlap * (step * n_in + n_out)))
    products = x.new_zeros(overlap, kernel * n_in, n_out)
    for begin in range(0, n, block):
        n_rows, start = min(block, n - begin), first + begin * overlap
        windows = rows.as_strided((overlap, kernel * n_in, n_rows), (step * n_in, 1, overlap * step * n_in),
                                  (start * step - before) * n_in)
        products.baddbmm_(windows, out.as_strided((overlap, n_rows, n_out), (n_out, overlap * n_out, 1), start * n_out))
    edge, taps, factor = _edges(batch, length, step, before, kernel, first, first + n * overlap)
    seen = rows[taps].mul_(factor.to(rows.dtype).unsqueeze(-1)).reshape(-1, kernel * n_in)
    return products.sum(0).addmm_(seen.t(), out[edge]).view(kernel, n_in, n_out).permute(2, 1, 0).unsqueeze(2)


def _native(x: torch.Tensor, gradient: torch.Tensor, weight: torch.Tensor, stride: tuple, padding: tuple,
            wanted: tuple) -> tuple:
    """PyTorch's own gradients of inputs, weights and bias; those that are not ``wanted`` are None."""
    backward = torch.ops.aten.convolution_backward
    return backward(gradient, x, weight, None, stride, padding, (1, 1), False, (0, 0), 1, wanted)


def _rows(x: torch.Tensor) -> torch.Tensor:
    """(batch, channels, 1, samples) as (batch x samples, channels), one after the other: a view where channels are last
    in memory.
    """
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).contiguous()


@lru_cache(maxsize=256)
def _edges(batch: int, length: int, step: int, before: int, kernel: int, first: int,
           stop: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Outputs whose windows the products over ``first`` to ``stop`` get wrong, the samples of these, and how to count
    each.

    -1 for a sample of a neighbour that the long recording has counted, 1 for an own one that it has not.
    """
    n_samples, outputs = length * step, np.arange(batch * length)
    windows = outputs[:, None] % length * step - before + np.arange(kernel)
    own = (windows >= 0) & (windows < n_samples)
    counted = (outputs >= first) & (outputs < stop)
    wrong = np.flatnonzero(~own.all(axis=1) | ~counted)
    factor = own[wrong].astype(np.int8) - counted[wrong, None]
    taps = windows[wrong] + outputs[wrong, None] // length * n_samples
    return torch.from_numpy(wrong), torch.from_numpy(taps.clip(0, batch * n_samples - 1)), torch.from_numpy(factor)


def layout() -> str:
    """How weight gradients are computed here: by ``PRODUCTS`` where the widest instructions are AVX2, else ``NATIVE``.

    Not by a timing: the same run would round otherwise where other work happened to slow that down.
    """
    widest = os.environ.get("ONEDNN_MAX_CPU_ISA") or torch.backends.cpu.get_cpu_capability()
    return PRODUCTS if widest.upper().startswith("AVX2") else NATIVE
