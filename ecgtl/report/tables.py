"""From results to the tables that a reader sees. Nothing here is typed: every value is read."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from markupsafe import Markup

from ecgtl import experiments, metrics, paths, published, results, statistics
from ecgtl.config import BASELINES, TIERS, protocol
from ecgtl.errors import EcgtlError
from ecgtl.experiments import runners, transfers
from ecgtl.report.words import PENDING, difference, f1
from ecgtl.spreadsheet import as_csv
from ecgtl.statistics import Sample

METHODS = {"random": "None (random weights)", "beat": "Beat classification", "rhythm": "Rhythm classification",
           "heart_rate": "Heart rate classification", "future": "Future prediction", "cae": "Autoencoder",
           "image": "ImageNet features", "random_matched": "None, four times the epochs", "majority": "Majority class", "rr_boosting": "RR intervals, boosted trees"}


def _configurations() -> dict[str, str]:
    """The rows of Weimann 2021's Table 1 in words."""
    words = {}
    for name, row in published.load("weimann2021")["table1"]["rows"].items():
        if row["context"]:
            words[name] = f"{METHODS[row['init']]}, context {row['context']}, {row['negatives']} negatives, offset {row['offset']}"
        elif row["frame"]:
            words[name] = f"{METHODS[row['init']]}, {row['frame']:,} samples"
    return words


METHODS |= _configurations()
# Score of a result -> its words
SCORES = {"macro_f1": "macro F1", "weighted_f1": "weighted F1", "accuracy": "accuracy", "macro_auc": "macro AUC",
          "f_max": "Fmax", "f_beta": "Fβ", "g_beta": "Gβ"}
CURVE_SCORES = ("learning_curve_index",)  # of the whole learning curve: no epoch is chosen
ONE_PRETRAINING = "Intervals cover fine-tuning, not pretraining: the runs of a pretrained row start from one checkpoint."
CHOICES = {"validated": "best on validation", "last": "last epoch", "best_test": "best on test"}


@dataclass(frozen=True)
class Cell:
    """One cell of a table over its runs: mean, SD (n - 1), n, 95 % limits of the mean, and the single values."""

    mean: float
    sd: float
    n: int
    low: float
    high: float
    values: tuple[float, ...]

    @property
    def sample(self) -> Sample:
        return Sample(self.mean, self.sd, self.n)


def runs(experiment: str, tier: str) -> list[tuple[runners.Run, dict]]:
    """Every finished run of ``experiment``, of whatever kind, with its JSON; stale ones are left out."""
    return [(run, results.stored(run.path)) for run in runners.enumerate_runs(experiment, tier) if run.state() == "done"]


def successor(experiment: str) -> str | None:
    """The experiment that ``replaces`` this one by a later protocol; None where none does."""
    return next((name for name in experiments.names() if experiments.load(name).replaces == experiment), None)


def original(experiment: str) -> str:
    """The experiment of the earlier protocol that this one replaces, else itself: claims and pages speak of that."""
    return (experiments.load(experiment).replaces if experiment in experiments.names() else None) or experiment


def current(experiment: str, tier: str, cells: Iterable[tuple[str, int | str]] | None = None,
            found: Callable[[str], list[tuple[runners.Run, dict]]] | None = None) -> str:
    """The experiment that the ``cells`` (method, size) of one comparison are read from, those of a whole table if not given.

    The one that ``replaces`` this one where it has every planned run of all these cells, else this one: a comparison never
    mixes protocols. ``found`` reads the finished runs of an experiment.
    """
    new = successor(experiment)
    if new is None:
        return experiment
    planned = [run for run in experiments.enumerate_runs(new, tier) if cells is None or (run.method, run.size) in set(cells)]
    done = {run for run, _ in (found(new) if found else runs(new, tier))} if planned else set()
    return new if planned and done.issuperset(planned) else experiment


def protocols_of(names: Iterable[str], tier: str, cells: bool = True) -> list[str]:
    """What is said of experiments that are replaced by a later protocol and of those that replace: runs, full and pending cells.

    ``cells=False`` leaves out which cells are pending.
    """
    said = []
    for name in names:
        new = name if original(name) != name else successor(name)
        planned = experiments.enumerate_runs(new, tier) if new else []
        if planned:
            missing = [run for run in planned if run.state() != "done"]
            every, pending = ({(run.method, run.size) for run in some} for some in (planned, missing))
            listed = f"; pending: {_by_row(new, pending)}" if pending and cells else ""
            said.append(f"{'New' if name == new else 'Earlier'} protocol: of the new one {len(planned) - len(missing)} of "
                        f"{len(planned)} runs have ended, {len(every - pending)} of {len(every)} cells are full{listed}.")
    return said


def _by_row(experiment: str, cells: set[tuple[str, int | str]]) -> str:
    """Cells row by row, as the table has them: ``Beat classification (25 %, 50 %)``."""
    entry = experiments.load(experiment)
    rows = {method: [entry.column_words(size) for size in entry.columns_of(method) if (method, size) in cells]
            for method in entry.methods}
    return "; ".join(f"{METHODS[method]} ({', '.join(sizes)})" for method, sizes in rows.items() if sizes)


def reported(experiment: str) -> tuple[str, str]:
    """The score that the experiment's paper reports, and how it chooses the epoch (a key of ``CHOICES``)."""
    return experiments.load(experiment).score, protocol(experiments.load(experiment).paper)["report"]


def cell(experiment: str, tier: str, method: str, size: int | str, score: str | None = None,
         choice: str | None = None) -> Cell | None:
    """One cell over its finished runs, None when there is none.

    ``score`` is a name in the result's scores, or ``f1_per_class.<class>``; ``choice`` says how the epoch was chosen;
    both are the paper's own where they are not given.
    """
    return cell_of(runs(experiment, tier), experiment, (method, size), score, choice)


def cell_of(found: Sequence[tuple[runners.Run, dict]], experiment: str, place: tuple[str, int | str], score: str | None = None,
            choice: str | None = None) -> Cell | None:
    """``cell`` among the ``found`` runs of an experiment."""
    own_score, own_choice = reported(experiment)
    values = [_score(body, score or own_score, choice or own_choice) for run, body in found
              if (run.method, str(run.size)) == (place[0], str(place[1]))]
    values = tuple(v for v in values if v is not None)
    if not values:
        return None
    sample, highest = Sample.of(values), np.inf if score in CURVE_SCORES else 1.0
    return Cell(sample.mean, sample.sd, sample.n, *statistics.score_interval(sample, highest), values)


def cells(experiment: str, tier: str, score: str | None = None) -> dict[tuple[str, int | str], Cell]:
    """Every cell of an experiment that has a finished run, by (method, size); ``score`` as in ``cell``."""
    finished = runs(experiment, tier)
    found = {place: cell_of(finished, experiment, place, score) for place in experiments.load(experiment).cells}
    return {place: one for place, one in found.items() if one}


def _score(body: dict, score: str, choice: str) -> float | None:
    # A trivial classifier has no epochs to choose from
    found = body["scores"].get("validated" if body["config"]["arch"] in BASELINES else choice)
    if score in CURVE_SCORES:
        return body["scores"].get(score)
    for part in score.split("."):
        found = found.get(part) if found is not None else None
    return found


def runs_table(experiment: str, tier: str) -> pd.DataFrame:
    """One row a run: the raw numbers behind a table, for the CSV."""
    rows = []
    shares = all(isinstance(size, float) for size in experiments.load(experiment).columns.values())
    column = "share_of_dataset" if shares else "column"
    for run, body in runs(experiment, tier):
        for choice in CHOICES:
            if choice in body["scores"]:
                scored = body["scores"][choice]
                rows.append({"experiment": experiment, "tier": tier, "method": run.method, column: run.size,
                             "run": run.number, "seed": body["config"]["seed"], "epoch_chosen_by": choice,
                             **{k: v for k, v in scored.items() if not isinstance(v, dict)},
                             **{f"f1_{k}": v for k, v in scored.get("f1_per_class", {}).items()},
                             **{f"auc_{k}": v for k, v in scored.get("auc_per_class", {}).items()},
                             "target": body["evidence"]["target"], "upstream": body["evidence"]["upstream"],
                             "commit": body["provenance"]["commit"], "device": body["provenance"]["device"],
                             "wall_seconds": body["provenance"]["wall_seconds"]})
    return pd.DataFrame(rows)


def comparison(experiment: str, tier: str, score: str | None = None) -> pd.DataFrame:
    """Published values beside ours: one row a method and size, baselines included; ``score`` as in ``cell``.

    Columns in units of the score: ``paper``, ``paper_sd``, ``ours``, ``sd``, ``n``, ``low``, ``high``, and the difference
    ours - paper with its Welch interval. On synthetic data there is no comparison and the paper's
    columns stay empty; on a substitute no difference is taken.
    """
    entry = experiments.load(experiment)
    printed = published.load(entry.paper)[entry.published]
    found, rows = cells(experiment, tier, score), []
    column = printed_column(experiment, score)
    # On another data set the paper's number is context; a difference would compare recordings, not methods
    same_data = bool(found) and "substitute" not in evidence(experiment, tier)["target"]
    order = (*entry.networks, *entry.baselines)
    for method, size in ((m, s) for m in order for s in entry.columns_of(m)):
        ours = found.get((method, size))
        theirs = printed_cell(printed, method, size, column) if tier != "demo" and prints(experiment, score) else None
        rows.append({"method": method, "size": size, "words": entry.column_words(size), **_paper_columns(theirs), **_our_columns(ours),
                     **_difference_columns(ours, theirs if same_data else None, printed["runs"])})
    return pd.DataFrame(rows)


def printed_column(experiment: str, score: str | None = None) -> str | None:
    """The column of the published table that holds a score, None where the table has one score alone."""
    entry = experiments.load(experiment)
    return entry.printed.get(score or entry.score)


def prints(experiment: str, score: str | None = None) -> bool:
    """Whether the published table holds a score; ``score`` as in ``cell``."""
    entry = experiments.load(experiment)
    return (score or entry.score) in (entry.printed or (entry.score,))


def printed_cell(table: dict, method: str, size: int | str, column: str | None = None) -> dict | None:
    """What a published table prints for a method and size, whichever of the two its rows are; None where nothing is.

    ``column`` for a table of several scores, whose sizes may have no place in it (all runs of Table 1 are of one size).
    """
    rows = table["rows"]
    found = rows.get(method, {}).get(str(size)) or rows.get(str(size), {}).get(method)
    return (found or rows.get(method, {})).get(column) if column else found


def _paper_columns(theirs: dict | None) -> dict:
    return {"paper": theirs["mean"] if theirs else np.nan, "paper_sd": theirs["sd"] if theirs else np.nan}


def _our_columns(ours: Cell | None) -> dict:
    names = ("mean", "sd", "n", "low", "high")
    values = {name: getattr(ours, name) if ours else (0 if name == "n" else np.nan) for name in names}
    return {"ours": values.pop("mean"), **values}


def _difference_columns(ours: Cell | None, theirs: dict | None, n_paper: int) -> dict:
    if ours is None or theirs is None:
        return dict.fromkeys(("difference", "difference_low", "difference_high"), np.nan)
    found = statistics.welch(ours.sample, Sample(theirs["mean"], theirs["sd"], n_paper))
    return {"difference": found.value, "difference_low": found.low, "difference_high": found.high}


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The comparison as a reader sees it: words, three decimals, PENDING where no run has been made."""
    rows = []
    for row in table.itertuples():
        interval = f" [{f1(row.low)}, {f1(row.high)}]" if np.isfinite(row.low) else ""
        ours = f"{f1(row.ours)}{interval}" if row.n else PENDING
        paper = f"{f1(row.paper)} ± {f1(row.paper_sd)}" if np.isfinite(row.paper) else "–"
        gap = "–"
        if np.isfinite(row.difference_low):
            gap = difference(statistics.Difference(row.difference, row.difference_low, row.difference_high, np.nan, np.nan))
        rows.append({"Initialisation": METHODS[row.method], "Data used": row.words, "Paper (mean ± SD)": paper,
                     "Ours [95 % interval]": ours, "n": row.n, "Ours − paper [95 % interval]": gap})
    return pd.DataFrame(rows)


def beside_baselines(table: pd.DataFrame, by: str = "words"):
    """Whether networks lie above the best trivial classifier by their means, a line for each column, or score, of a comparison."""
    from IPython.display import HTML

    lines = []
    for name, own in table[table["n"] > 0].groupby(by, sort=False):
        own = own.sort_values("ours")
        trivial = own["method"].isin(BASELINES)
        if trivial.nunique() == 2:
            (base, top), networks = (own[part].iloc[-1] for part in (trivial, ~trivial)), own.loc[~trivial, "ours"]
            above = (networks > base["ours"]).sum()
            lines.append(Markup("<li>{}: {} ({}) {}; the highest of these is {} ({}).</li>").format(
                SCORES.get(name, name), METHODS[base["method"]], f1(base["ours"]),
                f"has {above} of {len(networks)} networks above it" if above else f"lies above all {len(networks)} networks",
                METHODS[top["method"]], f1(top["ours"])))
    return HTML(Markup("<ul>{}</ul>").format(_markup(lines)) if lines else f"<p>{PENDING}</p>")


def shown_tier(experiment: str, wanted: str = "best", pending: bool = False) -> str:
    """The tier that a page shows: the ``wanted`` one, or the best there is (paper, else reduced, else demo).

    Without any result that is an EcgtlError; with ``pending`` it is the tier that a page says PENDING of.
    """
    tiers = reversed(TIERS) if wanted == "best" else (wanted,)
    for tier in tiers:
        if runs(experiment, tier):
            return tier
    if pending:
        return "reduced" if wanted == "best" else wanted
    tier = "" if wanted == "best" else f" in tier {wanted}"
    raise EcgtlError(f"no result of {experiment}{tier}; run 'python -m ecgtl run {experiment}'")


def evidence(experiment: str | Sequence[str], tier: str) -> dict[str, str]:
    """Evidence words that the runs of a table share, or of several tables; several words are joined by a slash."""
    names = [experiment] if isinstance(experiment, str) else experiment
    return evidence_of(body for name in names for _, body in runs(name, tier))


def evidence_of(bodies: Iterable[dict]) -> dict[str, str]:
    """The same of single runs."""
    found = [body["evidence"] for body in bodies]
    return {part: "/".join(sorted({one[part] for one in found})) for part in ("upstream", "target", "leads")}


def row_of(run: runners.Run) -> str | tuple[str, str]:
    """The row of its table that a run is for: a method, or the source and network of a fold."""
    return (run.config.source, run.config.arch) if isinstance(run, transfers.Transfer) else run.method


def one_pretraining(found: Iterable[tuple[runners.Run, dict]]) -> str:
    """What intervals leave out where all runs of a pretrained row start from one checkpoint, in words; else nothing."""
    starts = {}
    for run, body in found:
        if body["evidence"]["upstream"] != "none":
            own = body["config"].get("init") or body["data"]["start"]["file"]
            starts.setdefault((row_of(run), getattr(run, "size", None)), set()).add(own)
    return ONE_PRETRAINING if any(len(own) == 1 for own in starts.values()) else ""


def made(experiment: str, tier: str) -> pd.DataFrame:
    """How a table was made: command, commit, seeds, device, threads, time, versions, data."""
    bodies = [body for _, body in runs(experiment, tier)]
    if not bodies:
        return pd.DataFrame({"What": [], "Value": []})
    provenance = [body["provenance"] for body in bodies]
    data = bodies[0]["data"]
    hours = sum(p["wall_seconds"] for p in provenance) / 3600
    facts = {
        "Command": _joined(p["command"] for p in provenance),
        "Commit": _joined(p["commit"][:10] + (" (changed)" if p["dirty"] else "") for p in provenance),
        "Runs": str(len(bodies)),
        "Seeds": _joined(sorted({p["seed"] for p in provenance})),
        "Device": _joined(f"{p['device']}, {p['threads']} threads, {p['machine']}" for p in provenance),
        "Time, all runs": f"{hours:.2f} h",
        "Finished": f"{min(p['finished'] for p in provenance)} to {max(p['finished'] for p in provenance)}",
        "Versions": _joined(", ".join(f"{k} {v}" for k, v in p["versions"].items()) for p in provenance),
        "Data": f"{data['name']} {data['version']}, {data['records']} recordings, digest {data['digest'][:12]}",
    }
    return pd.DataFrame({"What": facts.keys(), "Value": facts.values()})


def _joined(values) -> str:
    return "; ".join(dict.fromkeys(str(v) for v in values))


def coverage() -> pd.DataFrame:
    """The 24 tables and figures of the three papers: state, evidence behind it, and why it is not done.

    ``report/coverage.yml`` says which experiment and page carry an item; the state is worked out from the results.
    """
    plan = yaml.safe_load((paths.PACKAGE / "report" / "coverage.yml").read_text())
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


def best_real_tier(experiment: str) -> str | None:
    """``paper`` or ``reduced``, whichever has results on recordings; None where neither has."""
    return next((tier for tier in ("paper", "reduced") if runs(experiment, tier)), None)


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


def write_csv(table: pd.DataFrame, name: str) -> Path:
    """Write a table for readers to download; the site takes it from there."""
    folder = paths.repository() / "build" / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.csv"
    path.write_bytes(as_csv(table, "%.6g"))
    return path


def tier_table(paper: str) -> pd.DataFrame:
    """What each tier means for a paper's experiments, as ``experiments/<paper>.yml`` has it."""
    tiers = pd.DataFrame(protocol(paper)["tiers"]).T
    return tiers.reset_index(names="tier")


def html(table: pd.DataFrame, caption: str):
    """A table for a page: caption, header cells with scope, and a frame that scrolls on narrow screens."""
    from IPython.display import HTML

    return HTML(html_text(table, caption))


def html_text(table: pd.DataFrame, caption: str) -> Markup:
    """The same as text; its first column heads the rows, cells are escaped unless they are ``Markup``."""
    head = _markup(Markup('<th scope="col">{}</th>').format(column) for column in table.columns)
    rows = _markup(Markup('<tr><th scope="row">{}</th>{}</tr>').format(
        first, _markup(Markup("<td>{}</td>").format(cell) for cell in others))
        for first, *others in table.itertuples(index=False, name=None))
    return Markup('<div class="ecgtl-scroll" tabindex="0" role="region" aria-label="{0}">'
                  '<table class="ecgtl-table"><caption>{0}</caption>'
                  "<thead><tr>{1}</tr></thead><tbody>{2}</tbody></table></div>").format(caption, head, rows)


def _markup(pieces) -> Markup:
    return Markup("").join(pieces)


def split_table(result: results.Result) -> pd.DataFrame:
    """Recordings of each class in each part, with sums."""
    table = pd.DataFrame(result.data["split"])
    table.loc["all"] = table.sum()
    return table


def confusion_of(result: results.Result, choice: str = "validated") -> np.ndarray:
    """Confusion matrix of the test part from the stored probabilities: true classes in rows.

    Of several labels a recording, (i, j) counts those with label i for which j is predicted (from ``THRESHOLD`` on), and
    one more column the recordings that have label i: a row does not add up to them.
    """
    from ecgtl.jobs.scoring import labels_of

    y, probabilities = result.arrays["y_test"].astype(np.int64), result.arrays[f"prob_{choice}"]
    if y.ndim == 2:
        return np.column_stack([y.T @ labels_of(probabilities), y.sum(axis=0)])
    return metrics.confusion_matrix(y, probabilities.argmax(axis=1), len(result.data["classes"]))


def followed(result: results.Result) -> tuple[str, str]:
    """The score that a run follows epoch by epoch: its name in the scores, and in words."""
    rules = protocol(result.config["protocol"])
    own = rules.get("multi_label", {}) if result.arrays["y_test"].ndim == 2 else {}
    name = own.get("score", rules["score"])
    return name, SCORES[name]


def scores_table(result: results.Result, trivial: dict[str, results.Result]):
    """Scores of a run and of the trivial classifiers on the same split, as HTML."""
    rows = [_score_row(METHODS.get(result.config["init"], result.config["init"]), result)]
    rows += [_score_row(METHODS[name], other) for name, other in trivial.items()]
    return html(pd.DataFrame(rows), "Scores on the test part")


def _score_row(name: str, result: results.Result) -> dict:
    scores = result.scores
    whole = {words[0].upper() + words[1:]: f1(scores[score]) for score, words in SCORES.items() if score in scores}
    by_class = {f"{kind} {name}": f1(value) for key, kind in (("f1_per_class", "F1"), ("auc_per_class", "AUC"))
                for name, value in scores.get(key, {}).items()}
    return {"Classifier": name, **whole, **by_class}


def pretraining_parts(result: results.Result) -> pd.DataFrame:
    """Windows and subjects in each part of a pretraining."""
    return pd.DataFrame({"windows": result.data["windows"], "subjects": result.data["subjects"]})


def pretraining_scores(result: results.Result):
    """Reconstruction errors on the validation and test windows, as HTML."""
    test = {"summed": result.scores["mse_sum"], "per_sample": result.scores["mse_sample"], "r2": result.scores["r2"]}
    rows = [{"Part": part, "Squared error, summed over a window": f"{s['summed']:.1f}",
             "per sample": f"{s['per_sample']:.3f}", "R²": f"{s['r2']:.3f}".replace("-", "−")}
            for part, s in (("validation", result.scores["validation"]), ("test", test))]
    return html(pd.DataFrame(rows), f"Reconstruction of z-scored windows, weights of epoch {result.scores['epoch']}")


def error_fell(result: results.Result) -> str:
    """One stable line: did the validation error end below that of the first epoch?"""
    first, kept = result.history[0]["validation_loss"], result.scores["validation"]["summed"]
    return f"validation error fell: {kept < first}"


def labels_without_positives(result: results.Result) -> str:
    """One stable line: the labels that the training or the test part lacks, and what the score makes of the latter."""
    absent = result.data.get("without_positives", {})
    told = [f"{', '.join(absent[part])} in the {part} part" for part in ("train", "test") if absent.get(part)]
    score = "no AUC, left out of the mean" if result.arrays["y_test"].ndim == 2 else "an F1 of 0"
    return f"labels without positives: {'; '.join(told)} (in the test part: {score})" if told else "every label has positives"


def verdict_on_trivial(result: results.Result, trivial: dict[str, results.Result]):
    """One sentence: does the network beat the best trivial classifier on this one split?"""
    from IPython.display import HTML

    score, words = followed(result)
    best = max(trivial, key=lambda name: trivial[name].scores[score])
    ours, theirs = result.scores[score], trivial[best].scores[score]
    word = "beats" if ours > theirs else "does not beat"
    return HTML(f"<p>On this one split the network {word} the best trivial classifier ({METHODS[best].lower()}): "
                f"{words} {f1(ours)} against {f1(theirs)}. One run decides nothing; the tables of the papers "
                "give intervals.</p>")


def recomputed(path: Path) -> str:
    """One stable line: do the stored scores follow from the stored probabilities, by scikit-learn's reckoning?"""
    stored = results.load(path)
    several = stored.arrays["y_test"].ndim == 2
    score, by_sklearn = ("macro AUC", _sklearn_auc) if several else ("macro F1", _sklearn_f1)
    agree = all(abs(by_sklearn(stored.arrays["y_test"], stored.arrays[f"prob_{choice}"])
                    - stored.scores[choice][score.lower().replace(" ", "_")]) < 1e-6
                for choice in CHOICES if choice in stored.scores)
    n = len(stored.arrays["y_test"])
    return f"{score} of {n} stored predictions, computed again with scikit-learn: {'equal' if agree else 'DIFFERENT'}"


def _sklearn_f1(y: np.ndarray, probabilities: np.ndarray) -> float:
    from sklearn.metrics import f1_score

    classes = range(probabilities.shape[1])
    return f1_score(y, probabilities.argmax(axis=1), labels=classes, average="macro", zero_division=0)


def _sklearn_auc(y: np.ndarray, probabilities: np.ndarray) -> float:
    """Over the labels with both outcomes; of others scikit-learn has none."""
    from sklearn.metrics import roc_auc_score

    both = (y.any(axis=0)) & (~y.all(axis=0))
    return roc_auc_score(y[:, both], probabilities[:, both], average="macro")


def made_by(result: results.Result):
    """How one result was made, as HTML."""
    p = result.provenance
    facts = {"Command": p["command"], "Commit": p["commit"][:10] + (" (changed)" if p["dirty"] else ""),
             "Seed": p["seed"], "Device": f"{p['device']}, {p['threads']} threads, {p['machine']}",
             "Time": f"{p['wall_seconds']:.0f} s", "Finished": p["finished"],
             "Versions": ", ".join(f"{k} {v}" for k, v in p["versions"].items()),
             "Data": f"{result.data['name']} {result.data['version']}, digest {result.data['digest'][:12]}",
             "Stored as": f"{result.experiment}/{result.key}.json"}
    return html(pd.DataFrame({"What": facts.keys(), "Value": facts.values()}), "How this result was made")


def recordings_table(recordings) -> pd.DataFrame:
    """A data set in a few lines: recordings, subjects, classes, lengths, rates, leads, what was left out."""
    counts = ", ".join(f"{name} {n}" for name, n in recordings.counts().items()) or "no class labels"
    seconds = recordings.durations
    leads = ", ".join(sorted(set(recordings.leads.ravel().tolist())))
    rates = ", ".join(f"{rate:g}" for rate in sorted(set(recordings.sampling_rate.tolist())))
    facts = {"recordings": len(recordings), "subjects": len(set(recordings.subjects.tolist())), "classes": counts,
             "length (s)": f"{seconds.min():.1f} to {seconds.max():.1f}, median {np.median(seconds):.1f}",
             "sampling rate (Hz)": rates, "leads": leads,
             "left out": sum(len(ids) for ids in recordings.skipped.values()),
             "exact duplicates": len(recordings.duplicates)}
    return pd.DataFrame({"value": facts})


def costs() -> pd.DataFrame:
    """What each experiment costs before one starts it (``ecgtl.report.costs``)."""
    from ecgtl.report.costs import readable as readable_costs

    return readable_costs()
