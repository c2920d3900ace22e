"""Weights in safetensors files, with the facts that are needed to use them; never pickle."""

import hashlib
import json
import re
from pathlib import Path

import torch
from torch import nn

from ecgtl import models, paths
from ecgtl.datasets.cache import write_atomic
from ecgtl.errors import EcgtlError, note_once
from ecgtl.models.cae import N_SAMPLES

# network -> the network that its beginning can be taken from, and the part that is taken
PARTS = {"cae_classifier": ("cae", "encoder.")}
# Endings of the weights that the leads go into: of a stem, and of an LSTM in either direction
FIRST = ("stem.0.weight", "lstm.weight_ih_l0", "lstm.weight_ih_l0_reverse")
ATTRIBUTION = ("CC BY 4.0", "ODC-BY 1.0", "unrestricted use")  # licences that ask for no more than to name the source
NEEDED = ("arch", "width", "in_channels", "sampling_rate", "seconds")
MAX_SAMPLES = 1 << 20  # of an input, over an hour at 250 Hz
# SHA-256 of the checkpoints that were written without a checksum and come with the package, or from elsewhere
SUMS = paths.PACKAGE / "weights" / "SHA256SUMS"
# The last of the facts, as it stands in a file's header
CHECKSUM = re.compile(rb', \\"checksum\\": \\"sha256:([0-9a-f]{64})\\"')
# Fact -> its type, in a list where there are several; other facts are carried along as they are
FACTS = {"arch": str, "protocol": str, "variant": str, "dataset": str, "evidence": str, "licence": str, "objective": str, "width": int,
         "in_channels": int, "stages": int, "sampling_rate": float, "seconds": float, "highpass": float, "multi_label": bool,
         "synthetic": bool, "leads": [str], "classes": [str], "sources": [str], "mean": [float], "sd": [float]}
MAY_BE_NULL = ("variant", "highpass", "classes")
LOWEST = {"mean": -1e9, "highpass": 0}  # other numbers are above 0


def save(path: Path, weights: dict[str, torch.Tensor], facts: dict, half: bool = False) -> None:
    """Write ``weights`` with ``facts`` (arch, width, in_channels, sampling_rate in Hz, seconds, classes, ...).

    ``half``: in float16, half the size; ``load`` gives float32 all the same. Vectors stay as they are: they are small, and
    a norm's variance may be beyond what float16 can hold. The file says its own ``checksum``.
    """
    from safetensors.torch import save as serialise

    plain = {name: tensor.contiguous().to(torch.float16 if half and tensor.is_floating_point() and tensor.ndim > 1 else tensor.dtype)
             for name, tensor in weights.items()}
    found = hashlib.sha256(serialise(plain, metadata={"ecgtl": json.dumps(facts)})).hexdigest()
    write_atomic(Path(path), serialise(plain, metadata={"ecgtl": json.dumps(facts | {"checksum": f"sha256:{found}"})}))


def checksum(path: Path) -> str:
    """What ``path`` says of itself as its checksum when it is whole: SHA-256 of the file without the mention of it.

    Of a file that says none it is that of the file, so the same weights and facts have one checksum, whoever wrote them.
    """
    return _checksums(Path(path).read_bytes())[0]


def _checksums(content: bytes) -> tuple[str, str]:
    """The checksum of a safetensors file, and the one that it says; empty where it says none, ``?`` where that is unclear."""
    size = int.from_bytes(content[:8], "little")
    header, data = content[8:8 + size], memoryview(content)[8 + size:]
    said = CHECKSUM.search(header)
    if not said:
        return hashlib.sha256(content).hexdigest(), "?" if b"checksum" in header or b"sha256:" in header else ""
    header = (header[:said.start()] + header[said.end():]).rstrip(b" ")
    header += b" " * (-len(header) % 8)
    whole = hashlib.sha256(len(header).to_bytes(8, "little") + header)
    whole.update(data)
    return whole.hexdigest(), said[1].decode()


def read(path: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Tensors and facts of a safetensors file as they are stored, once its checksum has been verified.

    A file without one is read too, and that is said, unless it is among those that ``SUMS`` lists. Raises EcgtlError when it
    is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        found, said = _checksums(Path(path).read_bytes())
        with safe_open(str(path), framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("ecgtl", "{}"))
            stored = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, ValueError, OSError, RecursionError) as error:
        raise EcgtlError(f"checkpoint {path} is damaged ({type(error).__name__}); make or download it again") from None
    sums = {name: digest for digest, name in map(str.split, SUMS.read_text().splitlines())}
    if Path(path).parent == SUMS.parent:
        said = said or sums.get(Path(path).name, "")
    if said not in ("", found):
        raise EcgtlError(f"checkpoint {path} is damaged (its checksum is not the one that it had); make or download it again")
    if not said and found not in sums.values():
        note_once(f"checkpoint {path} carries no checksum, as an older version wrote it: nobody can tell whether it is damaged")
    return stored, {name: value for name, value in facts.items() if name != "checksum"} if isinstance(facts, dict) else {}


def load(path: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Weights in float32 and facts of a checkpoint; EcgtlError when it is missing, damaged or not one of ours."""
    if not paths.given(path).is_file():
        raise EcgtlError(f"checkpoint {path} does not exist; give the path of a .safetensors file")
    stored, facts = read(path)
    absent = [name for name in NEEDED if name not in facts]
    if absent:
        raise EcgtlError(f"checkpoint {path} does not say its {', '.join(absent)}; it was not written by ecgtl")
    wrong = [name for name, value in facts.items() if name in FACTS and not _belongs(name, FACTS[name], value)]
    if not wrong and not 0.5 < facts["seconds"] * facts["sampling_rate"] <= MAX_SAMPLES:
        wrong = ["seconds"]
    if wrong:
        word = "number above 0" if FACTS[wrong[0]] in (int, float) else "value of it"
        raise EcgtlError(f"checkpoint {path} says {wrong[0]}={facts[wrong[0]]!r:.40}, which is no {word}; it was not written by ecgtl")
    if "leads" in facts and len(facts["leads"]) != facts["in_channels"]:
        raise EcgtlError(f"checkpoint {path} says in_channels={facts['in_channels']} and names {len(facts['leads'])} leads; it was "
                         "not written by ecgtl")
    return {name: t.float() if t.is_floating_point() else t for name, t in stored.items()}, facts


def _belongs(name: str, kind: type | list, value) -> bool:
    """Whether a fact may have ``value``: of its type, finite and above its bound, and among the known words."""
    if value is None:
        return name in MAY_BE_NULL
    if isinstance(kind, list):
        known = isinstance(value, list) and all(one is not None and _belongs(name, kind[0], one) for one in value)
        return known and (name != "classes" or len({*value}) == len(value))
    if kind in (int, float):
        return isinstance(value, int | kind) and not isinstance(value, bool) and LOWEST.get(name, 1e-9) <= value < 1e9
    return isinstance(value, kind) and (name != "variant" or value in ("code", "text"))


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
    if facts["in_channels"] != in_channels:  # what the leads go into, (outputs, 1, ...)
        first = {name: tensor for name, tensor in kept.items() if name.endswith(FIRST)}
        kept |= {name: tensor.repeat_interleave(in_channels, dim=1) / in_channels for name, tensor in first.items()}
    own = {name: t for name, t in model.state_dict().items() if not name.startswith(f"{output}.")}
    if facts.get("stages", 4) < 4:
        kept, own = _first_stages(kept, own)
    unmatched = [n for n in sorted(own.keys() | kept.keys()) if n not in own or n not in kept or own[n].shape != kept[n].shape]
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


def network(path: Path, weights: dict[str, torch.Tensor], facts: dict, **options) -> nn.Module:
    """The whole network of a classifier's checkpoint, on the CPU; ``weights`` and ``facts`` as ``load`` gives them.

    ``options`` are further ones of ``models.build``. ``path`` is for the message alone: EcgtlError when the weights are not of
    the network that the facts describe, found out before any memory is taken for it.
    """
    n_samples, n_classes = round(facts["seconds"] * facts["sampling_rate"]), len(facts["classes"])
    options |= models.variant_options(facts["arch"], facts.get("variant")) | ({"length": n_samples} if facts["arch"] == "bilstm" else {})
    fits = facts["arch"] != "cae" and (facts["arch"] != "cae_classifier" or n_samples == N_SAMPLES)
    try:
        with torch.device("meta"):
            model = models.build(facts["arch"], facts["in_channels"], n_classes, width=facts["width"], **options)
        model.load_state_dict(weights, assign=True)
    except (RuntimeError, ValueError, TypeError):
        fits = False
    if not fits:
        raise EcgtlError(f"checkpoint {path} does not hold the {facts['arch']} of {n_classes} labels that it says: the shapes "
                         "of its weights are those of another network, so it does not fit; make or download it again")
    return model.to(memory_format=torch.channels_last)
