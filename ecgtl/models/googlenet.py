"""GoogLeNet (Szegedy et al. 2015, table 1) with the ImageNet weights of BVLC, to extract features of images.

Layers carry the names that they have in Caffe, so that tensors and layers need no translation. The auxiliary
classifiers, which serve training only, are left out.
"""

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from ecgtl import paths
from ecgtl.errors import EcgtlError
from ecgtl.models import checkpoint
from ecgtl.models.convolution import pooled

SIZE = 224  # height and width of an image
N_FEATURES = 1024
MEAN = (104.0, 117.0, 123.0)  # of ImageNet, in BGR
WEIGHTS = "bvlc_googlenet.safetensors"
URL = "http://dl.caffe.berkeleyvision.org/bvlc_googlenet.caffemodel"  # the Caffe model zoo
SHA1 = "405fc5acd08a3bb12de8ee5e23a96bec22f08204"  # published beside the file; it makes up for plain http
HOW_TO_GET = (f"run 'python -m ecgtl weights googlenet', which downloads and converts {URL} "
              f"(SHA-1 {SHA1}), or add the path of that file to the command if you have it")
# module -> channels in, then of: 1x1; 3x3 reduced, 3x3; 5x5 reduced, 5x5; projection after pooling
INCEPTIONS = {
    "3a": (192, 64, 96, 128, 16, 32, 32), "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64), "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64), "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128), "5b": (832, 384, 192, 384, 48, 128, 128)}
POOLED_AFTER = ("3b", "4e")


class GoogLeNet(nn.Module):
    """Images (batch, in_channels, 224, 224) to class scores (batch, n_outputs).

    Images are BGR from 0 to 255; the mean colour is subtracted here. Raises EcgtlError for another shape.
    """

    mean: torch.Tensor

    def __init__(self, in_channels: int = 3, n_outputs: int = 1000):
        super().__init__()
        self.in_channels, self.n_features = in_channels, N_FEATURES
        mean = torch.tensor(MEAN) if in_channels == 3 else torch.full((in_channels,), sum(MEAN) / 3)
        self.register_buffer("mean", mean[:, None, None], persistent=False)
        self._add("conv1", {"7x7_s2": (in_channels, 64, 7)}, stride=2)
        self._add("conv2", {"3x3_reduce": (64, 64, 1), "3x3": (64, 192, 3)})
        for name, (n_in, one, three_in, three, five_in, five, projection) in INCEPTIONS.items():
            self._add(f"inception_{name}", {
                "1x1": (n_in, one, 1), "3x3_reduce": (n_in, three_in, 1), "3x3": (three_in, three, 3),
                "5x5_reduce": (n_in, five_in, 1), "5x5": (five_in, five, 5), "pool_proj": (n_in, projection, 1)})
        self.dropout = nn.Dropout(0.4)
        self.add_module("loss3/classifier", nn.Linear(N_FEATURES, n_outputs))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Globally pooled features, (batch, 1024)."""
        if images.ndim != 4 or tuple(images.shape[1:]) != (self.in_channels, SIZE, SIZE):
            raise EcgtlError(f"GoogLeNet takes images of shape (batch, {self.in_channels}, {SIZE}, {SIZE}), "
                             f"not {tuple(images.shape)}; resize them to that")
        x = (images - self.mean).contiguous(memory_format=torch.channels_last)
        x = _normalise(_halve(self._through(x, "conv1/7x7_s2")))
        x = _halve(_normalise(self._through(x, "conv2/3x3_reduce", "conv2/3x3")))
        for name in INCEPTIONS:
            x = self._inception(f"inception_{name}", x)
            x = _halve(x) if name in POOLED_AFTER else x
        return pooled(x)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.get_submodule("loss3/classifier")(self.dropout(self.features(images)))

    def _add(self, group: str, layers: dict[str, tuple[int, int, int]], stride: int = 1) -> None:
        """Convolutions by name: channels in and out, kernel."""
        for name, (n_in, n_out, kernel) in layers.items():
            convolution = nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2)
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
            self.add_module(f"{group}/{name}", convolution)

    def _through(self, x: torch.Tensor, *names: str) -> torch.Tensor:
        for name in names:
            x = functional.relu(self.get_submodule(name)(x), inplace=True)
        return x

    def _inception(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """The four branches of one module, side by side."""
        return torch.cat([
            self._through(x, f"{name}/1x1"), self._through(x, f"{name}/3x3_reduce", f"{name}/3x3"),
            self._through(x, f"{name}/5x5_reduce", f"{name}/5x5"),
            self._through(functional.max_pool2d(x, 3, 1, 1), f"{name}/pool_proj")], dim=1)


def _halve(x: torch.Tensor) -> torch.Tensor:
    """Max-pooling 3/2; a last window that reaches over the edge counts (Caffe rounds up)."""
    return functional.max_pool2d(x, 3, 2, ceil_mode=True)


def _normalise(x: torch.Tensor) -> torch.Tensor:
    """Local response normalisation: x / (1 + 1e-4 * mean of squares over 5 neighbouring channels) ** 0.75.

    The sum over neighbours is a 1x1 convolution with a band of ones: PyTorch's own took as long as a third
    of the network on a CPU.
    """
    band = torch.ones(x.shape[1], x.shape[1]).triu(-2).tril(2)[:, :, None, None].to(x)
    root = (1 + 1e-4 / 5 * functional.conv2d(x.square(), band)).rsqrt()
    return x * root * root.sqrt()


def load_imagenet(path: str | Path | None = None) -> GoogLeNet:
    """GoogLeNet with BVLC's weights from a safetensors file (``find_weights``), float32, ready to predict.

    Raises EcgtlError when the file is missing, damaged or holds anything but the network's 116 tensors.
    """
    path, network = find_weights(path), GoogLeNet()
    try:
        weights = checkpoint.read(path)[0]
    except EcgtlError:
        raise EcgtlError(f"{path} is no safetensors file or damaged; {HOW_TO_GET}") from None
    expected, found = ({name: "x".join(map(str, tensor.shape)) for name, tensor in held.items()}
                       for held in (network.state_dict(), weights))
    for name in sorted(expected.keys() | found.keys()):
        is_here, wanted = found.get(name, "absent"), expected.get(name, "absent")
        if is_here != wanted:
            raise EcgtlError(f"{path} is not BVLC's GoogLeNet: {name} is {is_here}, wanted {wanted}; {HOW_TO_GET}")
    broken = [name for name, tensor in weights.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise EcgtlError(f"{path} has values that are not finite in {broken[0]}; {HOW_TO_GET}")
    network.load_state_dict(weights)  # into float32, whatever the file holds
    return network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]


def find_weights(path: str | Path | None = None) -> Path:
    """File of the ImageNet weights: ``path``, or ``weights/bvlc_googlenet.safetensors`` below ``ECGTL_DATA``.

    Raises EcgtlError that says how to get it when it is not there: there is no random substitute.
    """
    found = paths.given(path) if path else default_weights()
    if not found.is_file():
        raise EcgtlError(f"GoogLeNet's ImageNet weights are not at {found}; {HOW_TO_GET}")
    return found


def default_weights() -> Path:
    """Where the ImageNet weights lie unless somebody says otherwise."""
    return paths.data() / "weights" / WEIGHTS
