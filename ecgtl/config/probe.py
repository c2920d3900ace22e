"""Parameters of a linear probe: a frozen encoder's features into a logistic regression."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import ClassVar

from ecgtl import paths
from ecgtl.config.finetune import FinetuneConfig, Reading
from ecgtl.config.parameters import Planned
from ecgtl.config.protocols import UNSET, source_experiments
from ecgtl.errors import EcgtlError
from ecgtl.models import checkpoint

PROBE = "probe"  # the protocol
RR = "rr_intervals"


@dataclass(frozen=True)
class FrozenConfig(FinetuneConfig):
    """Parameters of one probe, with those of the fine-tuning in whose place it stands; none of the network is trained.

    ``arch=rr_boosting`` stands for RR intervals in place of a network's features.
    """

    frozen: bool = True
    # labels of each class that are used, in place of a share
    per_class: int | None = None


@dataclass(frozen=True)
class ProbeConfig(Reading):
    """Parameters of the probes of one encoder on one data set, at several shares of the training set."""

    NOTEBOOK: ClassVar[str] = "probe"

    # ``random:<network>``, ``rr_intervals``, a word that ``init`` takes (``beat``), data set and network of a source
    # (``cpsc2018-bilstm``), or a checkpoint's path
    encoder: str = "cae"
    # shares of the training set, with commas between: labels of each class, or per cent
    shares: str = "10 labels,10 %,100 %"
    # length of the input in seconds (default: what the network's protocol, or a checkpoint of one's own, has)
    seconds: float = UNSET
    # on what: demo reads a synthetic twin, reduced and paper real recordings
    tier: str = "demo"
    # random seed of the training set, the labels drawn out of it, and random weights
    seed: int = 0
    # where to compute
    device: str = "auto"

    def plan(self) -> Planned:
        """What a job takes."""
        return Planned(self)

    def _ignored(self, alone: bool = False) -> Iterator[tuple[str, str]]:
        yield from super()._ignored(alone)
        if alone and self.encoder == RR:
            yield "seconds", f"encoder={RR} looks at whole recordings; leave it away"

    def _check(self) -> None:
        _ = self.probes

    @cached_property
    def probes(self) -> dict[str, FrozenConfig]:
        """The probe of each share, by its words."""
        own = ("encoder", "shares")
        same = {name: value for name, value in asdict(self).items() if value is not None and name not in own}
        network, found = self._network(), {}
        for share in map(str.strip, self.shares.split(",")):
            if not (asked := re.fullmatch(r"(\d+(?:\.\d+)?) %|(\d+) labels", share)):
                raise EcgtlError(f"shares names {share!r}; give labels of each class or per cent, with commas between, "
                                 f"as in '{ProbeConfig.shares}'")
            size = {"per_class": int(asked[2])} if asked[2] else {"fraction": float(asked[1]) / 100}
            found[share] = FrozenConfig.of(protocol=PROBE, **network | size | same)
        return found

    def _network(self) -> dict:
        """Network and starting weights that the word ``encoder`` stands for."""
        word, (start, _, network) = self.encoder, self.encoder.rpartition("-")
        if word == RR:
            return {"arch": "rr_boosting"}
        if word.startswith("random:"):
            return {"arch": word.partition(":")[2].replace("cae", "cae_classifier", "_classifier" not in word)}
        if word.endswith(".safetensors"):
            facts = checkpoint.load(paths.given(word))[1]
            known = {name: getattr(facts, name) for name in ("sampling_rate", "seconds", "width", "variant")}
            return {"init": word, "arch": "cae_classifier" if facts.arch == "cae" else facts.arch} | known
        return {"init": start, "arch": network} if start in source_experiments() else {"init": word}
