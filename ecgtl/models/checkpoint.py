"""Weights in safetensors files, with the facts that are needed to use them; never pickle."""

import hashlib
import json
import re
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

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
MAX_SAMPLES = 1 << 20  # of an input, over an hour at 250 Hz
AGAIN = "make or download it again"
SCHEMA = 1  # of the facts; raise it when their meaning changes. A file that does not say its own has 1
# SHA-256 of the checkpoints that were written without a checksum and come with the package, or from elsewhere
SUMS = paths.PACKAGE / "weights" / "SHA256SUMS"
# The last of the facts, as it stands in a file's header
CHECKSUM = re.compile(rb', \\"checksum\\": \\"sha256:([0-9a-f]{64})\\"')
LOWEST = {"mean": -1e9, "stack": -1e9,  # other numbers are above 0
          **dict.fromkeys(("highpass", "seed", "abstain_below", "shortest", "longest"), 0)}


@dataclass(frozen=True, eq=False)
class CheckpointFacts:
    """What a checkpoint says of itself: what is needed to use its weights.

    ``sampling_rate`` in Hz and ``seconds`` of its input; ``mean`` and ``sd`` in mV, one a lead; ``highpass`` in Hz, 0
    for none; ``stages`` of a ResNet that are there. Of a shipped classifier: its ``kind``, the ``members`` of its
    ensemble, the ``temperature`` that calibrates it, the confidence that it abstains below, and in seconds the
    ``shortest`` recording that it takes and the ``longest`` that it takes as one. What it does not say is empty, or
    None. ``stored`` has all of its facts as they are stored, further ones too.
    """

    arch: str
    width: int
    in_channels: int
    sampling_rate: float
    seconds: float
    protocol: str = ""
    variant: str | None = None
    dataset: str = ""
    evidence: str = ""
    licence: str = ""
    objective: str = ""
    stages: int = 4
    highpass: float | None = None
    multi_label: bool = False
    synthetic: bool = False
    leads: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None
    sources: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    sd: tuple[float, ...] = ()
    seed: int | None = None
    kind: str = ""
    members: int = 1
    temperature: float = 1.0
    abstain_below: float = 0.0
    shortest: float = 0.0
    longest: float = 0.0
    stack: tuple[float, ...] = ()
    schema: int = SCHEMA
    stored: dict = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, stored: dict, path: Path) -> "CheckpointFacts":
        """The facts ``stored`` in the file ``path``; EcgtlError for facts that ecgtl does not write."""
        kinds = {one.name: one.type for one in fields(cls)[:-1]}
        absent = [one.name for one in fields(cls)[:-1] if one.default is MISSING and one.name not in stored]
        if absent:
            raise EcgtlError(f"checkpoint {path} does not say its {', '.join(absent)}; it was not written by ecgtl")
        wrong = [name for name, value in stored.items() if name in kinds and not _belongs(name, kinds[name], value)]
        if not wrong and not 0.5 < stored["seconds"] * stored["sampling_rate"] <= MAX_SAMPLES:
            wrong = ["seconds"]
        if not wrong and len(stored.get("leads", range(stored["in_channels"]))) != stored["in_channels"]:
            wrong = ["leads"]
        if wrong:
            word = "number above 0" if kinds[wrong[0]] in (int, float) else "value of it"
            raise EcgtlError(f"checkpoint {path} says {wrong[0]}={stored[wrong[0]]!r:.40}, which is no {word}; it was "
                             "not written by ecgtl")
        if stored.get("schema", SCHEMA) > SCHEMA:
            raise EcgtlError(f"checkpoint {path} was written by a later version of ecgtl; update ecgtl")
        known: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value
                                 for name, value in stored.items() if name in kinds}
        known |= {"highpass": known["highpass"] or 0} if "highpass" in known else {}
        return cls(**known, stored=stored)

    @property
    def n_samples(self) -> int:
        """Samples of its input."""
        return round(self.seconds * self.sampling_rate)

    def absent(self, *names: str) -> list[str]:
        """Those of ``names`` that it does not say."""
        return [name for name in names if self.stored.get(name) in (None, [])]


def _belongs(name: str, kind, value) -> bool:
    """Whether a fact may have ``value``: of its type, finite and above its bound, and among the known words."""
    inner = get_args(kind)
    if get_origin(kind) is UnionType:
        return value is None or _belongs(name, inner[0], value)
    if get_origin(kind) is tuple:
        known = isinstance(value, list) and all(_belongs(name, inner[0], one) for one in value)
        return known and (name != "classes" or len({*value}) == len(value))
    if kind in (int, float):
        return isinstance(value, int | kind) and not isinstance(value, bool) and LOWEST.get(name, 1e-9) <= value < 2**32
    return isinstance(value, kind) and (name != "variant" or value in ("code", "text"))


def save(path: Path, weights: dict[str, torch.Tensor], facts: dict, half: bool = False) -> None:
    """Write ``weights`` with ``facts`` (arch, width, in_channels, sampling_rate in Hz, seconds, classes, ...).

    ``half``: in float16, half the size; ``load`` gives float32 all the same. Vectors stay as they are: they are small,
    and a norm's variance may be beyond what float16 can hold. The file says its own ``checksum``.
    """
    from safetensors.torch import save as serialise

    def content(**further: str) -> bytes:
        return serialise(plain, metadata={"ecgtl": json.dumps({**facts, **further})})

    plain = {name: tensor.contiguous() for name, tensor in weights.items()}
    if half:
        plain = {name: t.half() if t.is_floating_point() and t.ndim > 1 else t for name, t in plain.items()}
    write_atomic(Path(path), content(checksum=f"sha256:{hashlib.sha256(content()).hexdigest()}"))


def checksum(path: Path) -> str:
    """What ``path`` says of itself as its checksum when it is whole: SHA-256 of the file without the mention of it.

    Of a file that says none it is that of the file, so the same weights and facts have one checksum, whoever wrote
    them.
    """
    return _checksums(Path(path).read_bytes())[0]


def _checksums(content: bytes) -> tuple[str, str]:
    """The checksum of a safetensors file, and the one that it says; empty where it says none, ``?`` where that is
    unclear.
    """
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

    A file without one is read too, and that is said, unless it is among those that ``SUMS`` lists. Raises EcgtlError
    when it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        found, said = _checksums(Path(path).read_bytes())
        with safe_open(str(path), framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("ecgtl", "{}"))
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, OSError, RecursionError) as error:
        raise EcgtlError(f"checkpoint {path} is damaged ({type(error).__name__}); {AGAIN}") from None
    sums = {name: digest for digest, name in map(str.split, SUMS.read_text().splitlines())}
    if Path(path).parent == SUMS.parent:
        said = said or sums.get(Path(path).name, "")
    if said not in ("", found):
        raise EcgtlError(f"checkpoint {path} is damaged (its checksum is not the one that it had); {AGAIN}")
    if not said and found not in sums.values():
        note_once(f"checkpoint {path} carries no checksum, as an older version wrote it: nobody can tell whether it is "
                  "damaged")
    facts = facts if isinstance(facts, dict) else {}
    return stored, {name: value for name, value in facts.items() if name != "checksum"}


def load(path: Path) -> tuple[dict[str, torch.Tensor], CheckpointFacts]:
    """Weights in float32 and facts of a checkpoint; EcgtlError when it is missing, damaged or not one of ours."""
    if not paths.given(path).is_file():
        raise EcgtlError(f"checkpoint {path} does not exist; give the path of a .safetensors file")
    tensors, facts = read(path)
    weights = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    return weights, CheckpointFacts.of(facts, path)


def one_network(path: Path) -> CheckpointFacts:
    """The facts of a checkpoint of one network; EcgtlError as of ``load``, and for a shipped classifier."""
    facts = load(path)[1]
    if facts.kind:
        raise EcgtlError(f"checkpoint {path} is a shipped classifier, which predicts and is not one network that can "
                         "be trained or scored; choose another checkpoint")
    return facts


def strictest(*licences: str) -> str:
    """The licence of weights that come from several things: of theirs those that ask for more than attribution, else
    all.
    """
    more = [licence for licence in licences if licence not in ATTRIBUTION]
    return " and ".join(dict.fromkeys(more or licences))


def transfer(model: nn.Module, path: Path, arch: str, width: int, in_channels: int, variant: str | None = None,
             sampling_rate: float | None = None, seconds: float | None = None) -> None:
    """Copy the weights at ``path`` into ``model``, all but the ``output`` layer, which keeps its random start.

    A checkpoint of one lead fits a network of several: the first filters are repeated over the leads and divided by
    their number, so that equal leads give what one gave. Raises EcgtlError when it
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
        if getattr(facts, name) not in wanted:
            raise EcgtlError(f"checkpoint {path} has {name}={getattr(facts, name)}, the run asks for "
                             f"{' or '.join(map(str, wanted))}; choose another checkpoint or set "
                             f"{name if name != 'in_channels' else 'lead'} to match")
    # An encoder is taken out of an autoencoder; of a network of the same kind all but the output layer is
    prefix = "" if facts.arch == arch else prefix
    kept, own = ({name: t for name, t in state.items() if not name.startswith("output.")}
                 for state in (weights, model.state_dict()))
    kept = {name: t for name, t in kept.items() if name.startswith(prefix)}
    if facts.in_channels != in_channels:  # what the leads go into, (outputs, 1, ...)
        first = {name: tensor for name, tensor in kept.items() if name.endswith(FIRST)}
        kept |= {name: tensor.repeat_interleave(in_channels, dim=1) / in_channels for name, tensor in first.items()}
    if facts.stages < 4:
        kept, own = _first_stages(kept, own)
    shapes = ({name: tensor.shape for name, tensor in tensors.items()} for tensors in (own, kept))
    unmatched = sorted({name for name, _ in set.symmetric_difference(*(set(found.items()) for found in shapes))})
    if unmatched:
        raise EcgtlError(f"checkpoint {path} does not fit {arch}: {unmatched[0]} (and {len(unmatched) - 1} more) "
                         "differ; make it again with this version")
    model.load_state_dict(kept, strict=False)


def _first_stages(kept: dict[str, torch.Tensor], own: dict[str, torch.Tensor]) -> tuple[dict, dict]:
    """The parts that a checkpoint of a ResNet's first stages shares with the whole network.

    The norm behind the last stage (``last.``) is not among them: the later stages begin behind the shorter one's.
    """
    shared = {name: tensor for name, tensor in kept.items() if not name.startswith("last.")}
    units = tuple({f"units.{name.split('.')[1]}." for name in shared if name.startswith("units.")})
    return shared, {name: tensor for name, tensor in own.items() if name.startswith(("stem.", *units))}


def network(path: Path, weights: dict[str, torch.Tensor], facts: CheckpointFacts, **options) -> nn.Module:
    """The whole network of a classifier's checkpoint, on the CPU; ``weights`` and ``facts`` as ``load`` gives them.

    ``options`` are further ones of ``models.build``. ``path`` is for the message alone: EcgtlError when the weights are
    not of the network that the facts describe, found out before any memory is taken for it.
    """
    names = facts.classes or ()
    options |= models.variant_options(facts.arch, facts.variant)
    options |= {"length": facts.n_samples} if facts.arch == "bilstm" else {}
    fits = facts.arch != "cae" and (facts.arch != "cae_classifier" or facts.n_samples == N_SAMPLES)
    try:
        with torch.device("meta"):
            model = models.build(facts.arch, facts.in_channels, len(names), width=facts.width, **options)
        model.load_state_dict(weights, assign=True)
    except (RuntimeError, ValueError, TypeError):
        fits = False
    if not fits:
        raise EcgtlError(f"checkpoint {path} does not hold the {facts.arch} of {len(names)} labels that it says: the "
                         f"shapes of its weights are those of another network, so it does not fit; {AGAIN}")
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
