"""Which of the papers' tables and figures there are, and how far the runs of every experiment have come."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ecgtl import paths, published, results
from ecgtl.analysis.cells import current, evidence_of, protocols_of, row_of, runs
from ecgtl.analysis.names import METHODS, checkpoint_name
from ecgtl.config import TIERS
from ecgtl.experiments import runners

PLAN = "analysis/coverage"
STATES = ("done", "partial", "pending")
# What an item is: drawn from networks or numbers, counted in one result, or made by the runs of experiments
KINDS = {"drawn": "diagram", "result": "description", "experiment": "experiment"}


def coverage() -> pd.DataFrame:
    """The 24 tables and figures of the three papers: state, evidence behind it, and why it is not done.

    ``coverage.yml`` says which experiment and page carry an item; the state is computed from the results.
    """
    plan, rows = paths.facts(PLAN), []
    for paper, item, caption in published.items():
        entry = (plan.get(paper) or {}).get(item) or {}
        state, evidence, why = _state(entry)
        rows.append({"paper": paper, "item": item, "what": caption, "state": state, "evidence": evidence, "why": why,
                     "page": entry.get("page", ""), "kind": next((KINDS[one] for one in KINDS if one in entry), "")})
    return pd.DataFrame(rows)


def page_of(paper: str, claim: str, experiment: str | None) -> str:
    """The page on which a claim is judged: the one that ``coverage.yml`` names, else that of its experiment's item."""
    plan = paths.facts(PLAN)
    named = (page for page, names in plan["claims"].items() if f"{paper}.{claim}" in names)
    return next(named, None) or next(entry["page"] for entry in plan[paper].values()
                                     if experiment in np.atleast_1d(entry.get("experiment", [])))


def counts(table: pd.DataFrame) -> str:
    """How many items of ``coverage`` are in which state, by what they are: ``experiments: 1 done, 20 partial; …``."""
    by_kind = {kind: table.loc[table["kind"] == kind, "state"] for kind in reversed(KINDS.values())}
    return "; ".join(f"{kind}s: " + ", ".join(f"{(found == state).sum()} {state}" for state in STATES)
                     for kind, found in by_kind.items() if len(found))


def _state(entry: dict) -> tuple[str, str, str]:
    """State of one item, its evidence, and why: drawn from the networks themselves, shown from one result, or counted
    from the runs of one or several experiments.
    """
    if entry.get("drawn"):
        return "done", "none", entry["drawn"]
    if "result" in entry:
        return _of_result(paths.results() / entry["result"], entry)
    names = np.atleast_1d(entry.get("experiment", [])).tolist()
    found = (_of_runs(names, tier, entry.get("arch")) for tier in ("paper", "reduced"))
    return next(filter(None, found), ("pending", "none", entry.get("why", "not built yet")))


def _of_runs(names: Sequence[str], tier: str, arch: str | None) -> tuple[str, str, str] | None:
    """State of an item in one tier, by the runs of its experiments, or by those of one network; None without any."""
    names = [current(name, tier) for name in names]
    planned = {name: [run for run in runners.enumerate_runs(name, tier) if arch in (None, run.config.arch)]
               for name in names}
    done = {run: body for name in names for run, body in runs(name, tier) if arch in (None, run.config.arch)}
    if not done:
        return None
    every, words = [*itertools.chain(*planned.values())], evidence_of(done.values())
    absent = sorted({*map(_row_words, every)} - {*map(_row_words, done)})
    absent += [f"{name}, for which tier {tier} plans no run" for name, plan in planned.items() if not plan]
    own_data = words["target"] == "full" and set(words["upstream"].split("/")) <= {"full", "none"}
    state = "done" if len(done) == len(every) and own_data and not absent else "partial"
    why = f"{len(done)} of {len(every)} runs" + (f"; pending: {'; '.join(absent)}" if absent else "")
    return (state, f"tier {tier}, target {words['target']}, upstream {words['upstream']}",
            ". ".join([why, *protocols_of(names, tier, cells=False)]))


def _row_words(run: runners.Run) -> str:
    """The row of its table that a run is for, in words."""
    row = row_of(run)
    return METHODS[row] if isinstance(row, str) else checkpoint_name(*row)


def _of_result(path: Path, entry: dict) -> tuple[str, str, str]:
    if (body := results.done(path)) is None:
        return "pending", "none", f"{path.name} has not been made"
    words = {name: body.evidence[name] for name in entry["needs"]}
    state = "done" if set(words.values()) == {"full"} else "partial"
    return state, ", ".join(f"{name} {word}" for name, word in words.items()), entry["shows"]


def status_table() -> str:
    """What ``python -m ecgtl status`` prints: every experiment by tier, then the 24 items."""
    lines = [f"{'experiment':28}{'tier':10}{'done':>6}{'stale':>7}{'to do':>7}{'waiting for weights':>21}"]
    for experiment, tier in itertools.product(runners.names(), TIERS):
        planned = runners.enumerate_runs(experiment, tier)
        states = [run.state() for run in planned]
        waiting = sum(state != "done" and bool(run.obstacle()) for run, state in zip(planned, states, strict=True))
        # Those that are stale are also to do, but for those whose starting weights are not available
        done, stale, ready = states.count("done"), states.count("stale"), len(states) - states.count("done") - waiting
        if planned:
            lines.append(f"{experiment:28}{tier:10}{done:>6}{stale:>7}{ready:>7}{waiting:>21}")
    table = coverage()
    lines += ["", f"items: {counts(table)}"]
    lines += [f"  {row.paper:12}{row.item:4}{row.state:9}{row.why}" for row in table.itertuples()]
    return "\n".join(lines)
