"""Parameters of a linear probe: a frozen encoder's features into a logistic regression."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import ClassVar

from ecgtl import paths
from ecgtl.config.finetune import FinetuneConfig, Reading
from ecgtl.config.parameters import Planned
from ecgtl.config.protocols import INITS, UNSET, init_word, source_experiments
from ecgtl.errors import EcgtlError
from ecgtl.models import MODELS, checkpoint

PROBE = "probe"  # the protocol
RR = "rr_intervals"
ENCODERS = [name for name in MODELS if name != "googlenet"]


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
            asked = re.fullmatch(r"(\d+(?:\.\d+)?) %|(\d+) labels", share)
            if not (asked and float(asked[1] or asked[2]) > 0 and float(asked[1] or 0) <= 100):
                raise EcgtlError(f"shares names {share!r}; give labels of each class or per cent (up to 100), above 0 "
                                 f"and with commas between, as in '{ProbeConfig.shares}'")
            size = {"per_class": int(asked[2])} if asked[2] else {"fraction": float(asked[1]) / 100}
            found[share] = FrozenConfig.of(protocol=PROBE, **network | size | same)
        return found

    def _network(self) -> dict:
        """Network and starting weights that the word ``encoder`` stands for."""
        word, (start, _, network) = self.encoder, self.encoder.rpartition("-")
        fresh = word.removeprefix("random:")
        if word == RR:
            return {"arch": "rr_boosting"}
        if fresh != word and fresh in ENCODERS:
            return {"arch": "cae_classifier" if fresh == "cae" else fresh}
        if word.endswith(".safetensors"):
            facts = checkpoint.load(paths.given(word))[1]
            known = {name: getattr(facts, name) for name in ("sampling_rate", "seconds", "width", "variant")}
            return {"init": word, "arch": "cae_classifier" if facts.arch == "cae" else facts.arch} | known
        if start in source_experiments() and network in ENCODERS:
            return {"init": start, "arch": network}
        if not init_word(word) or word == "image" or start in source_experiments():
            words = ", ".join(init for init in INITS if init not in ("random", "image"))
            raise EcgtlError(f"unknown encoder {word!r}; allowed: {RR}, random: and one of {', '.join(ENCODERS)}, "
                             f"{words}, data set and network of a source (cpsc2018-bilstm, say), or the path of a "
                             ".safetensors checkpoint")
        return {"init": word}
