"""Our networks in the form that tutorials write: 1-D layers, with copies of the weights."""

import copy

from torch import nn


def in_1d(module: nn.Module) -> nn.Module:
    """A copy of ``module`` in which every 2-D layer of height 1 is the 1-D layer that it stands for."""
    for kind, make in _IN_1D.items():
        if isinstance(module, kind):
            layer = make(module)
            layer.load_state_dict({name: tensor.squeeze(2) if tensor.ndim == 4 else tensor
                                   for name, tensor in module.state_dict().items()})
            return layer
    if not module._modules:
        return copy.deepcopy(module)
    copied = copy.copy(module)
    copied._modules = {name: None if child is None else in_1d(child)
                       for name, child in module._modules.items()}
    return copied


def _along_time(size: float | tuple) -> float:
    return size[-1] if isinstance(size, tuple) else size


def _conv(module: nn.Conv2d) -> nn.Conv1d:
    return nn.Conv1d(module.in_channels, module.out_channels, module.kernel_size[1], module.stride[1],
                     module.padding[1], bias=module.bias is not None, padding_mode=module.padding_mode)


def _transposed(module: nn.ConvTranspose2d) -> nn.ConvTranspose1d:
    return nn.ConvTranspose1d(module.in_channels, module.out_channels, module.kernel_size[1],
                              module.stride[1], module.padding[1], module.output_padding[1],
                              bias=module.bias is not None)


def _pool(module: nn.MaxPool2d) -> nn.MaxPool1d:
    return nn.MaxPool1d(*map(_along_time, (module.kernel_size, module.stride, module.padding)))


def _upsample(module: nn.Upsample) -> nn.Upsample:
    return nn.Upsample(scale_factor=_along_time(module.scale_factor), mode="linear")


_IN_1D = {nn.Conv2d: _conv, nn.ConvTranspose2d: _transposed, nn.MaxPool2d: _pool, nn.Upsample: _upsample,
          nn.BatchNorm2d: lambda module: nn.BatchNorm1d(module.num_features)}
