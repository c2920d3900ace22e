"""A command that is one run, whose options are the fields of a config."""

from ecgtl import results
from ecgtl.commands.parser import resolved
from ecgtl.config import ProbeConfig
from ecgtl.training import distributed


def carry_out(job: str, config: str, save: str = "", **words) -> None:
    """Make the result of ``job`` with the ``config`` made of ``words``, save it (by ``save``, if given), and print it.

    All three are names, as ``resolved`` takes them. Of the processes that ``torchrun`` started the first does all but
    train.
    """
    chosen = resolved(config).from_notebook(words)
    by = f"  # by torchrun, {distributed.size()} processes" if distributed.size() > 1 else ""
    made = resolved(job)(chosen, command=chosen.command() + by)
    if distributed.rank():
        return
    result, files = (made.result, resolved(save)(made)) if save else (made, (results.save(made),))
    print("evidence:", ", ".join(f"{name} {what}" for name, what in result.evidence.items()))
    scores = result.scores | result.scores.get("measures", {})
    print("\n".join(f"{name}: {score:.4f}" for name, score in scores.items() if isinstance(score, float)))
    if isinstance(chosen, ProbeConfig):
        for share in result.data["split"]:
            own, (name, *_) = scores[share], scores
            print(f"{share}: {name} {own[name]:.4f} [{own['low']:.4f}, {own['high']:.4f}]")
        print("".join(f"{share}: {why}\n" for share, why in result.data["refused"].items()), end="")
    print("\n".join(f"written: {file}" for file in files))
