"""Starting weights: which file ``init`` stands for, and how it is made where it is not here yet."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from ecgtl import paths, results
from ecgtl.config.protocols import init_word, seeded_experiments, source_experiments
from ecgtl.errors import EcgtlError
from ecgtl.models import checkpoint, googlenet

if TYPE_CHECKING:
    from ecgtl.config.finetune import FinetuneConfig

SHIPPED = paths.PACKAGE / "weights"
checksum = results.while_unchanged(checkpoint.checksum)


def starting_weights(config: "FinetuneConfig") -> Path | None:
    """File of the starting weights, None for random ones. Raises EcgtlError when it is not available."""
    if config.init == "random":
        return None
    if config.init == "image":
        return googlenet.find_weights()
    if not init_word(config.init):
        path = paths.given(config.init)
        checkpoint.load(path)  # fails now rather than after the data have been read
        return path
    path, (_, asked, seed) = stored_weights(config.init, config.arch, config.tier), config.init.partition("-seed")
    if path is None:
        raise EcgtlError(f"init={config.init} has no checkpoint for arch={config.arch}, tier={config.tier} yet; make "
                         f"it with '{pretraining_command(config)}', use init=random, or give the path of a "
                         ".safetensors checkpoint")
    if asked and str(made := checkpoint.load(path)[1].get("seed")) != seed:
        raise EcgtlError(f"checkpoint {path} is of seed {made}, init={config.init} asks for {seed}; delete it and make "
                         f"it with '{pretraining_command(config)}'")
    return path


def pretraining_command(config: "FinetuneConfig") -> str:
    """The shell command that makes ``config``'s checkpoint."""
    word, *details = config.init.split("-")
    seeded, asked, _ = config.init.partition("-seed")
    if experiment := seeded_experiments().get(seeded) if asked else source_experiments().get(word):
        return f"python -m ecgtl run {experiment} --tier {config.tier}"
    named = [re.fullmatch(r"([a-z]+)(\d+)", detail) for detail in details]
    given = [("objective", word), *(found.groups() for found in named if found), ("arch", config.arch)]
    words = "".join(f"-p {name} {value} " for name, value in (given if word != "cae" else []))
    return f"papermill notebooks/pretrain.ipynb out.ipynb {words}-p tier {config.tier}"


def weights_path(init: str, arch: str, tier: str) -> Path:
    """Where pretraining writes the checkpoint that ``init`` stands for: with the package, or in the demo's ignored
    folder.

    Details of another configuration than the protocol's own come last: ``beat-frame512`` is in
    ``beat-resnet18-reduced-frame512.safetensors``, ``beat-seed3``, one of several pretrainings, in
    ``beat-resnet18-reduced-seed3.safetensors``.
    """
    folder = results.folder(tier) / "weights" if tier == "demo" else SHIPPED
    word, hyphen, details = init.partition("-")
    return folder / f"{word}-{arch.removesuffix('_classifier')}-{tier}{hyphen}{details}.safetensors"


def stored_weights(init: str, arch: str, tier: str) -> Path | None:
    """The checkpoint that ``init`` stands for: the reader's own, else the one that came with the package, else None."""
    own = weights_path(init, arch, tier)
    return next((path for path in (own, SHIPPED / own.name) if paths.given(path).is_file()), None)
