"""Weights in safetensors files, with the facts that are needed to use them; never pickle."""

import json
import math
from pathlib import Path

import torch
from torch import nn

from ecgtl import models
from ecgtl.datasets.cache import write_atomic
from ecgtl.errors import EcgtlError

# network -> the network that its beginning can be taken from, and the part that is taken
PARTS = {"cae_classifier": ("cae", "encoder.")}
# Endings of the weights that the leads go into: of a stem, and of an LSTM in either direction
FIRST = ("stem.0.weight", "lstm.weight_ih_l0", "lstm.weight_ih_l0_reverse")
NUMBERS = ("width", "in_channels", "sampling_rate", "seconds")
NEEDED = ("arch", *NUMBERS)
ATTRIBUTION = ("CC BY 4.0", "ODC-BY 1.0", "unrestricted use")  # licences that ask for no more than to name the source


def save(path: Path, weights: dict[str, torch.Tensor], facts: dict, half: bool = False) -> None:
    """Write ``weights`` with ``facts`` (arch, width, in_channels, sampling_rate in Hz, seconds, classes, ...).

    ``half``: in float16, half the size; ``load`` gives float32 all the same. Vectors stay as they are: they are small, and
    a norm's variance may be beyond what float16 can hold.
    """
    from safetensors.torch import save as serialise

    plain = {name: tensor.contiguous().to(torch.float16 if half and tensor.is_floating_point() and tensor.ndim > 1 else tensor.dtype)
             for name, tensor in weights.items()}
    write_atomic(Path(path), serialise(plain, metadata={"ecgtl": json.dumps(facts)}))


def load(path: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Weights and facts of a checkpoint. Raises EcgtlError when it is missing, damaged or not one of ours."""
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise EcgtlError(f"checkpoint {path} does not exist; give the path of a .safetensors file")
    try:
        with safe_open(str(path), framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("ecgtl", "{}"))
            stored = {name: file.get_tensor(name) for name in file.keys()}
            weights = {name: t.float() if t.is_floating_point() else t for name, t in stored.items()}
    except (SafetensorError, ValueError, OSError) as error:
        raise EcgtlError(f"checkpoint {path} is damaged ({type(error).__name__}); make or download it again") from None
    absent = [name for name in NEEDED if not isinstance(facts, dict) or name not in facts]
    if absent:
        raise EcgtlError(f"checkpoint {path} does not say its {', '.join(absent)}; it was not written by ecgtl")
    wrong = [name for name in NUMBERS if isinstance(facts[name], bool) or not isinstance(facts[name], int | float)
             or not 0 < facts[name] < math.inf]
    if wrong:
        raise EcgtlError(f"checkpoint {path} says {wrong[0]}={facts[wrong[0]]!r}, which is no number above 0; it was not "
                         "written by ecgtl")
    return weights, facts


def strictest(*licences: str) -> str:
    """The licence of weights that come from several things: of theirs those that ask for more than attribution, else all."""
    more = [licence for licence in licences if licence not in ATTRIBUTION]
    return " and ".join(dict.fromkeys(more or licences))


def transfer(model: nn.Module, path: Path, arch: str, width: int, in_channels: int, output: str = "output",
             variant: str | None = None, sampling_rate: float | None = None, seconds: float | None = None) -> dict:
    """Copy the weights at ``path`` into ``model``, all but the ``output`` layer, which keeps its random start.

    A checkpoint of one lead fits a network of several: the first filters are repeated over the leads and divided by
    their number, so that equal leads give what one gave. Returns the checkpoint's facts. Raises EcgtlError when it
    holds another architecture, width or number of leads. Where ``sampling_rate`` in Hz and ``seconds`` of the run are
    given they must be the checkpoint's for an autoencoder, whose input is fixed; other networks take inputs of any rate
    and length, and carrying their weights over is an experiment of its own (Weimann 2021, Table 3). Source: Weimann
    2021, "Finetuning" (the output layer is replaced) and "Downstream data set" (twelve leads).
    """
    weights, facts = load(path)
    source, prefix = PARTS.get(arch, (arch, ""))
    accepted = {"arch": (arch, source), "width": (width,), "in_channels": tuple(dict.fromkeys((1, in_channels)))}
    asked = {"variant": variant} | ({"sampling_rate": sampling_rate, "seconds": seconds} if arch in PARTS else {})
    accepted |= {name: (value,) for name, value in asked.items() if value}
    for name, wanted in accepted.items():
        if facts.get(name) not in wanted:
            raise EcgtlError(f"checkpoint {path} has {name}={facts.get(name)}, the run asks for {' or '.join(map(str, wanted))}; "
                             f"choose another checkpoint or set {name if name != 'in_channels' else 'lead'} to match")
    # An encoder is taken out of an autoencoder; of a network of the same kind all but the output layer is
    whole = facts["arch"] == arch
    kept = {name: t for name, t in weights.items() if not name.startswith(f"{output}.") and (whole or name.startswith(prefix))}
    if facts["in_channels"] != in_channels:
        kept = _over_leads(kept, in_channels)
    own = {name: t for name, t in model.state_dict().items() if not name.startswith(f"{output}.")}
    if facts.get("stages", 4) < 4:
        kept, own = _first_stages(kept, own)
    unmatched = [n for n in sorted(own.keys() | kept.keys())
                 if n not in own or n not in kept or own[n].shape != kept[n].shape]
    if unmatched:
        raise EcgtlError(f"checkpoint {path} does not fit {arch}: {unmatched[0]} (and {len(unmatched) - 1} more) differ; "
                         "make it again with this version")
    model.load_state_dict(kept, strict=False)
    return facts


def _first_stages(kept: dict[str, torch.Tensor], own: dict[str, torch.Tensor]) -> tuple[dict, dict]:
    """The parts that a checkpoint of a ResNet's first stages shares with the whole network.

    The norm behind the last stage (``last.``) is not among them: the later stages begin behind the shorter one's.
    """
    shared = {name: tensor for name, tensor in kept.items() if not name.startswith("last.")}
    units = {name.split(".")[1] for name in shared if name.startswith("units.")}
    return shared, {name: tensor for name, tensor in own.items()
                    if name.startswith("stem.") or name.startswith("units.") and name.split(".")[1] in units}


def network(path: Path, weights: dict[str, torch.Tensor], facts: dict) -> nn.Module:
    """The whole network of a classifier's checkpoint, on the CPU; ``weights`` and ``facts`` as ``load`` gives them.

    ``path`` is for the message alone: EcgtlError when the weights are not of the network that the facts describe.
    """
    options = models.variant_options(facts["arch"], facts.get("variant"))
    if facts["arch"] == "bilstm":
        options["length"] = round(facts["seconds"] * facts["sampling_rate"])
    model = models.build(facts["arch"], facts["in_channels"], len(facts["classes"]), width=facts["width"], **options)
    try:
        model.load_state_dict(weights)
    except RuntimeError:
        raise EcgtlError(f"checkpoint {path} does not hold the {facts['arch']} of {len(facts['classes'])} labels that it "
                         "says; make or download it again") from None
    return model


def _over_leads(weights: dict[str, torch.Tensor], n_leads: int) -> dict[str, torch.Tensor]:
    """One-lead weights for ``n_leads``: those that the leads go into, (outputs, 1, ...), repeated and scaled."""
    first = {name: tensor for name, tensor in weights.items() if name.endswith(FIRST)}
    return weights | {name: tensor.repeat_interleave(n_leads, dim=1) / n_leads for name, tensor in first.items()}
