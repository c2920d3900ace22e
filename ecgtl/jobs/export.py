"""A classifier as an ONNX file, which predicts without PyTorch."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ecgtl import paths
from ecgtl.datasets.cache import write_atomic
from ecgtl.errors import EcgtlError
from ecgtl.jobs.classifier import RHYTHM, SMALLEST, Classifier
from ecgtl.jobs.inputs import rules_of
from ecgtl.jobs.predict import file_of
from ecgtl.models.trees import LEAF, Trees

SAID = ("classes", "leads", "sampling_rate", "seconds", "mean", "sd", "licence", "dataset", "abstain_below", "shortest",
        "longest")  # facts that the file carries


class TreesModule(nn.Module):
    """``Trees`` in operations on tensors: features (n, features), float64, to probabilities (n, classes)."""

    def __init__(self, trees: Trees):
        super().__init__()
        self.shape, self.depth = trees.roots.shape, _depth(trees)
        self.roots, self.feature, self.right = (
            torch.from_numpy(array.astype(np.int64)) for array in (trees.roots.ravel(), trees.feature, trees.right))
        self.missing, self.number, self.baseline = (
            torch.from_numpy(array.astype(np.float64)) for array in (trees.missing, trees.number, trees.baseline))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """All trees go down one step at a time."""
        at = self.roots.expand(features.shape[0], -1)
        for _ in range(self.depth):
            feature = self.feature[at]
            values = torch.gather(features, 1, feature.clamp(min=0))
            next_one = (values <= self.number[at]) | (torch.isnan(values) & (self.missing[at] > 0))
            step = torch.where(next_one, torch.ones_like(feature), self.right[at])
            at = at + torch.where(feature == LEAF, torch.zeros_like(feature), step)
        sums = self.number[at].reshape(-1, *self.shape).sum(dim=1) + self.baseline
        return torch.softmax(sums, dim=1)


class Whole(nn.Module):
    """A classifier as one network: what ``Classifier.probabilities`` computes."""

    def __init__(self, own: Classifier):
        super().__init__()
        facts = own.facts
        self.networks = nn.ModuleList(own.networks).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.trees = TreesModule(own.trees) if own.trees else None
        self.temperature, self.multi_label = facts.temperature, facts.multi_label
        n = len(facts.classes or ())
        stack = torch.tensor(facts.stack, dtype=torch.float64)
        self.weights = stack[:-n].reshape(n, 2 * n) if facts.stack else None
        self.constants = stack[-n:] if facts.stack else None

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Of ``x`` (n, leads, samples) where there are networks, and of ``rhythm`` (n, features) where there are trees.
        """
        parts = []
        if len(self.networks):
            squash = torch.sigmoid if self.multi_label else lambda logits: torch.softmax(logits, dim=1)
            parts.append(torch.stack([squash(one(inputs[0])) for one in self.networks]).mean(dim=0).double())
        if self.trees is not None:
            parts.append(self.trees(inputs[-1]))
        p = parts[0]
        if self.weights is not None:
            seen = torch.cat(parts, dim=1).clamp(min=SMALLEST).log()
            p = torch.softmax(torch.nn.functional.linear(seen, self.weights, self.constants), dim=1)
        if self.temperature != 1:
            p = torch.softmax(p.clamp(min=SMALLEST).log() / self.temperature, dim=1)
        return p.float()


def export(model: str, onnx: str) -> Path:
    """Write the classifier ``model`` (a name or a checkpoint's path) to the file ``onnx``, whole or not at all.

    Inputs: ``x`` (n, leads, samples), float32, of its networks; ``rhythm`` (n, features), float64, of its trees. The
    output is ``probabilities`` (n, classes), float32. How inputs are made stands in the file's metadata ``ecgtl``, as
    JSON. Raises EcgtlError where the libraries are absent.
    """
    path = paths.output(onnx)
    if path.suffix != ".onnx":
        raise EcgtlError(f"{onnx!r:.200} does not end in .onnx; give the file such a name")
    try:
        import onnx as library  # noqa: PLC0415
        import onnxscript  # noqa: F401, PLC0415
    except ImportError as error:
        raise EcgtlError(f"export needs {error.name}, which is absent; run: pip install 'ecgtl[export]'") from None
    own = Classifier.load(file_of(model), "cpu")
    facts = own.facts
    shown = {"x": torch.zeros(2, facts.in_channels, facts.n_samples)} if own.networks else {}
    shown |= {"rhythm": torch.ones(2, len(RHYTHM), dtype=torch.float64)} if own.trees else {}
    batch = torch.export.Dim("n", min=1, max=4096)
    program = torch.onnx.export(Whole(own).eval(), tuple(shown.values()), dynamo=True, input_names=[*shown],
                                output_names=["probabilities"], dynamic_shapes=(tuple({0: batch} for _ in shown),),
                                verbose=False)
    assert program is not None  # as with dynamo=True
    made, rules = program.model_proto, rules_of(facts)
    known = {name: facts.stored[name] for name in SAID if name in facts.stored}
    known |= {"standardise": rules.standardise, "highpass": rules.highpass, "keep": rules.keep, "unit": "mV"}
    known |= {"rhythm": list(RHYTHM)} if own.trees else {}
    library.helper.set_model_props(made, {"ecgtl": json.dumps(known)})
    write_atomic(path, made.SerializeToString())
    return path


def _depth(trees: Trees) -> int:
    """Steps from a root to the farthest leaf."""
    at, depth = trees.roots.ravel(), 0
    while len(at := at[trees.feature[at] != LEAF]):
        at, depth = np.unique(np.concatenate([at + 1, at + trees.right[at]])), depth + 1
    return depth
