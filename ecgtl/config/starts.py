"""Starting weights: which file ``init`` stands for, and how it is made where it is not here yet."""

import re
from pathlib import Path

from ecgtl import paths, results
from ecgtl.config.protocols import init_word, seeded_experiments, source_experiments
from ecgtl.errors import EcgtlError
from ecgtl.models import checkpoint, googlenet

SHIPPED = paths.PACKAGE / "weights"
checksum = results.while_unchanged(checkpoint.checksum)


def starting_weights(init: str, arch: str, tier: str) -> Path | None:
    """File of the starting weights, None for random ones. Raises EcgtlError when it is not available."""
    if init == "random":
        return None
    if init == "image":
        return googlenet.find_weights()
    if not init_word(init):
        given = paths.given(init)
        checkpoint.one_network(given)  # fails now rather than after the data have been read
        return given
    if init_word(init) == "cae" and arch.removesuffix("_classifier") != "cae":
        raise EcgtlError(f"init={init} does not go with arch={arch}: its encoder is that of cae_classifier; use "
                         "arch=auto, or another init")
    path, (_, asked, seed) = stored_weights(init, arch, tier), init.partition("-seed")
    command = pretraining_command(init, arch, tier)
    if path is None:
        like = f"init={init}-seed0, which is here, or " if stored_weights(f"{init}-seed0", arch, tier) else ""
        raise EcgtlError(f"init={init} has no checkpoint for arch={arch}, tier={tier} yet; make it with '{command}', "
                         f"use {like}init=random, or give the path of a .safetensors checkpoint")
    if asked and str(made := checkpoint.load(path)[1].seed) != seed:
        raise EcgtlError(f"checkpoint {path} is of seed {made}, init={init} asks for {seed}; delete it and make it "
                         f"with '{command}'")
    return path


def pretraining_command(init: str, arch: str, tier: str) -> str:
    """The shell command that makes the checkpoint that ``init`` stands for."""
    seeded, asked, _ = init.partition("-seed")
    if experiment := seeded_experiments().get(seeded) if asked else source_experiments().get(init.partition("-")[0]):
        return f"python -m ecgtl run {experiment} --tier {tier}"
    words = "".join(f"-p {name} {value} " for name, value in pretraining_parameters(init, arch).items())
    return f"papermill notebooks/pretrain.ipynb out.ipynb {words}-p tier {tier}"


def pretraining_parameters(init: str, arch: str) -> dict[str, str | int]:
    """Parameters of the pretraining, of no experiment, that makes the checkpoint that ``init`` stands for."""
    word, *details = init.split("-")
    if word == "cae":
        return {}
    named = [re.fullmatch(r"([a-z]+)(\d+)", detail) for detail in details]
    return {"objective": word, **{found[1]: int(found[2]) for found in named if found}, "arch": arch}


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
