"""Tables that a reader sees, as HTML and as files to download."""

from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from ecgtl import metrics, paths, results, statistics
from ecgtl.analysis.cells import runs
from ecgtl.analysis.names import CHOICES, METHODS, SCORES
from ecgtl.config import BASELINES, protocol
from ecgtl.report.words import PENDING, difference, f1
from ecgtl.spreadsheet import as_csv


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
    from ecgtl.finetune import labels_of

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
