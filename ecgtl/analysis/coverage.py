"""Which of the papers' tables and figures there are, and how far the runs of every experiment have come."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import yaml

from ecgtl import paths, published, results
from ecgtl.analysis.cells import current, evidence_of, protocols_of, runs
from ecgtl.analysis.names import METHODS
from ecgtl.config import TIERS
from ecgtl.experiments import runners, transfers


def coverage() -> pd.DataFrame:
    """The 24 tables and figures of the three papers: state, evidence behind it, and why it is not done.

    ``analysis/coverage.yml`` says which experiment and page carry an item; the state is worked out from the results.
    """
    plan = yaml.safe_load((paths.PACKAGE / "analysis" / "coverage.yml").read_text())
    rows = []
    for paper, item, caption in published.items():
        entry = (plan.get(paper) or {}).get(item) or {}
        rows.append({"paper": paper, "item": item, "what": caption, **_coverage_state(entry), "page": entry.get("page", "")})
    return pd.DataFrame(rows)


def _coverage_state(entry: dict) -> dict[str, str]:
    """State of one item: drawn from the networks themselves, shown from one result, or counted from the runs of one or
    several experiments.
    """
    if entry.get("drawn"):
        return {"state": "done", "evidence": "none", "why": entry["drawn"]}
    if "result" in entry:
        return _coverage_of_result(paths.results() / entry["result"], entry)
    names = entry.get("experiment", [])
    names = [names] if isinstance(names, str) else names
    found = (_coverage_of_runs(names, tier, entry.get("arch")) for tier in ("paper", "reduced"))
    pending = {"state": "pending", "evidence": "none", "why": entry.get("why", "not built yet")}
    return next((state for state in found if state), pending)


def _coverage_of_runs(names: Sequence[str], tier: str, arch: str | None) -> dict[str, str]:
    """State of an item in one tier, by the runs of its experiments, or by those of one network; empty without any."""
    planned, done = {}, {}
    names = [current(name, tier) for name in names]
    for name in names:
        every = runners.enumerate_runs(name, tier)
        planned[name] = [run for run in every if arch in (None, run.config.arch)]
        done |= {run: body for run, body in runs(name, tier) if arch in (None, run.config.arch)}
    if not done:
        return {}
    every, words = [run for plan in planned.values() for run in plan], evidence_of(done.values())
    absent = sorted({_row_words(run) for run in every} - {_row_words(run) for run in done})
    absent += [f"{name}, for which tier {tier} plans no run" for name, plan in planned.items() if not plan]
    own_data = words["target"] == "full" and set(words["upstream"].split("/")) <= {"full", "none"}
    state = "done" if len(done) == len(every) and own_data and not absent else "partial"
    why = f"{len(done)} of {len(every)} runs" + (f"; pending: {'; '.join(absent)}" if absent else "")
    why = ". ".join([why, *protocols_of(names, tier, cells=False)])
    return {"state": state, "evidence": f"tier {tier}, target {words['target']}, upstream {words['upstream']}", "why": why}


def _row_words(run: runners.Run) -> str:
    """The same in words."""
    if isinstance(run, transfers.Transfer):
        from ecgtl.report.transfer_folds import checkpoint_name

        return checkpoint_name(run.config.source, run.config.arch)
    return METHODS[run.method]


def _coverage_of_result(path: Path, entry: dict) -> dict[str, str]:
    body = results.done(path)
    if body is None:
        return {"state": "pending", "evidence": "none", "why": f"{path.name} has not been made"}
    evidence = body["evidence"]
    words = {word for name, word in evidence.items() if name in entry["needs"]}
    return {"state": "done" if words == {"full"} else "partial", "why": entry["shows"],
            "evidence": ", ".join(f"{name} {evidence[name]}" for name in entry["needs"])}


def status_table() -> str:
    """What ``python -m ecgtl status`` prints: every experiment by tier, then the 24 items."""
    lines = [f"{'experiment':28}{'tier':10}{'done':>6}{'stale':>7}{'to do':>7}{'waiting for weights':>21}"]
    for experiment, tier in itertools.product(runners.names(), TIERS):
        planned = runners.enumerate_runs(experiment, tier)
        states = [run.state() for run in planned]
        waiting = sum(state != "done" and bool(run.obstacle()) for run, state in zip(planned, states, strict=True))
        if states:
            lines.append(_status_line(experiment, tier, states, waiting))
    table = coverage()
    states = table["state"].value_counts()
    lines += ["", "items: " + ", ".join(f"{states.get(s, 0)} {s}" for s in ("done", "partial", "pending"))]
    lines += [f"  {r.paper:12}{r.item:4}{r.state:9}{r.why}" for r in table.itertuples()]
    return "\n".join(lines)


def _status_line(experiment: str, tier: str, states: list[str], waiting: int) -> str:
    """One line: finished, stale, to do (stale ones too), and those whose starting weights are not at hand."""
    ready = len(states) - states.count("done") - waiting
    return f"{experiment:28}{tier:10}{states.count('done'):>6}{states.count('stale'):>7}{ready:>7}{waiting:>21}"
