"""Which checkpoint to fine-tune on given recordings."""

from ecgtl.config import ScoreConfig
from ecgtl.datasets import LOADERS
from ecgtl.errors import EcgtlError
from ecgtl.jobs import rank as job


def rank(checkpoint: list[str], dataset: str, config: str, root: str = "", **words) -> None:
    """Print checkpoints by MELEP; ``dataset`` is a data set, which may lie in ``root``, or a folder of recordings."""
    known = dataset in LOADERS and dataset != "folder"
    if root and not known:
        raise EcgtlError(f"--root is {root!r}, which would have no effect: --target {dataset} is the folder "
                         "itself; give the name of a data set as --target, or leave --root away")
    target = {"dataset": dataset, "root": root} if known else {"dataset": "folder", "root": dataset}
    chosen = ScoreConfig.of(**words | target)
    print("\n".join(job.lines(job.rank(chosen, checkpoint), chosen)))
