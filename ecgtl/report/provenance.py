"""How a table was made: commands, commits, seeds, machines, data. One table for all pages."""

from collections.abc import Iterable, Sequence

import pandas as pd
from IPython.display import HTML

from ecgtl import results
from ecgtl.analysis.cells import runs
from ecgtl.report.tables import html

# Facts of a provenance table in their order; some are of one result, some of many
FACTS = ("Command", "Commit", "Runs", "Seed", "Seeds", "Device", "Time", "Time, all runs", "Finished", "Versions",
         "Data", "Stored as")


def made(experiment: str, tier: str) -> pd.DataFrame:
    """How a table was made: command, commit, seeds, device, threads, time, versions, data."""
    bodies = [body for _, body in runs(experiment, tier)]
    if not bodies:
        return pd.DataFrame({"What": [], "Value": []})
    made_so, finished = [body.provenance for body in bodies], sorted(body.provenance["finished"] for body in bodies)
    return _provenance(made_so, {
        "Runs": str(len(bodies)), "Seeds": _joined(sorted({one["seed"] for one in made_so})),
        "Time, all runs": f"{sum(one['wall_seconds'] for one in made_so) / 3600:.2f} h",
        "Finished": f"{finished[0]} to {finished[-1]}",
        "Data": _joined(_held(body.data) for body in bodies)})


def _held(data: dict) -> str:
    held = f"{data['records']} recordings" if "records" in data else f"{sum(data['subjects'].values())} subjects"
    return f"{data['name']} {data['version']}, {held}, digest {data['digest'][:12]}"


def made_by(result: results.Result, what: str = "this result") -> HTML:
    """How one result was made; ``what`` it is, where a page has several."""
    one, data = result.provenance, result.data
    return html(_provenance([one], {
        "Seed": one["seed"], "Time": f"{one['wall_seconds']:.0f} s", "Finished": one["finished"],
        "Data": f"{data['name']} {data['version']}, digest {data['digest'][:12]}",
        "Stored as": f"{result.experiment}/{result.key}.json"}), f"Provenance of {what}")


def _provenance(made_so: Sequence[dict], own: dict[str, str]) -> pd.DataFrame:
    """A row a fact: what results tell alike, and facts of their ``own``."""
    facts = {"Command": _joined(one["command"] for one in made_so),
             "Commit": _joined(one["commit"][:10] + (" (changed)" if one["dirty"] else "") for one in made_so),
             "Device": _joined(f"{one['device']}, {one['threads']} threads, {one['machine']}" for one in made_so),
             "Versions": _joined(", ".join(f"{k} {v}" for k, v in one["versions"].items()) for one in made_so)} | own
    return pd.DataFrame([(name, facts[name]) for name in FACTS if name in facts], columns=["What", "Value"])


def _joined(values: Iterable) -> str:
    return "; ".join(dict.fromkeys(map(str, values)))
