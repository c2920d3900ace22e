"""Parameters of the notebooks that show results or score a checkpoint: nothing in them is left to a protocol."""

from dataclasses import dataclass
from typing import ClassVar

from ecgtl.config.finetune import FinetuneConfig, Reading
from ecgtl.config.parameters import Parameters
from ecgtl.config.protocols import TIERS


@dataclass(frozen=True)
class ScoreConfig(Reading):
    """Parameters of scoring how well a checkpoint should transfer to a target, without any training."""

    NOTEBOOK: ClassVar[str] = "score_transfer"

    # a path, or data set and network of a stored one (``cpsc2018-resnet1d101``)
    checkpoint: str = "cpsc2018-resnet1d101"
    # the target
    dataset: str = "ptbxl"
    # error or skip, for recordings that cannot be used
    on_bad: str = "skip"
    # of stored checkpoints; demo also takes the target's synthetic twin
    tier: str = "demo"
    # names of its labels with commas between (default: all)
    label_set: str = ""
    # recordings at most, drawn with ``seed`` (default: all)
    records: int | None = None
    # weights of MELEP's labels
    weighting: str = "published"
    # resamples of the recordings, which the interval comes from
    resamples: int = 200
    # random seed of what is drawn
    seed: int = 0

    def _check(self) -> None:
        FinetuneConfig.of(dataset=self.dataset, root=self.root, tier=self.tier)


@dataclass(frozen=True)
class ReportConfig(Reading):
    """Parameters of the report on a folder of recordings of one's own."""

    dataset: ClassVar[str] = "folder"  # type: ignore[misc]
    # error or skip, for recordings that cannot be used
    on_bad: str = "skip"


@dataclass(frozen=True)
class SectionConfig(Parameters):
    """Parameters of a section notebook."""

    # whose results it shows; ``best`` is the best evidence there is
    tier: str = "best"

    @classmethod
    def words(cls) -> dict[str, tuple[str, ...]]:
        """``tier`` may be ``best``."""
        return {"tier": ("best", *TIERS)}
