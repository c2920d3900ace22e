"""Tables that a reader sees, as HTML and as files to download."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup

from ecgtl import metrics, paths, results, statistics
from ecgtl.analysis.cells import runs
from ecgtl.analysis.names import CHOICES, METHODS, SCORES
from ecgtl.config import BASELINES, protocol
from ecgtl.report.words import PENDING, difference, f1
from ecgtl.spreadsheet import as_csv

# Facts of a provenance table in their order; some are of one result, some of many
FACTS = ("Command", "Commit", "Runs", "Seed", "Seeds", "Device", "Time", "Time, all runs", "Finished", "Versions",
         "Data", "Stored as")


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The comparison as a reader sees it: words, three decimals, PENDING where no run has been made."""
    rows = []
    for row in table.itertuples():
        interval = f" [{f1(row.low)}, {f1(row.high)}]" if np.isfinite(row.low) else ""
        gap = statistics.Difference(row.difference, row.difference_low, row.difference_high, np.nan, np.nan)
        rows.append({"Initialisation": METHODS[row.method], "Data used": row.words,
                     "Paper (mean ± SD)": f"{f1(row.paper)} ± {f1(row.paper_sd)}" if np.isfinite(row.paper) else "–",
                     "Ours [95 % interval]": f"{f1(row.ours)}{interval}" if row.n else PENDING, "n": row.n,
                     "Ours − paper [95 % interval]": difference(gap) if np.isfinite(gap.low) else "–"})
    return pd.DataFrame(rows)


def beside_baselines(table: pd.DataFrame, by: str = "words") -> HTML:
    """Whether networks lie above the best baseline by their means, a line for each column, or score."""
    lines = []
    for name, own in table[table["n"] > 0].groupby(by, sort=False):
        own = own.sort_values("ours")
        baselines, networks = (own[own["method"].isin(BASELINES) == wanted] for wanted in (True, False))
        if len(baselines) and len(networks):
            base, top = baselines.iloc[-1], networks.iloc[-1]
            above, n = (networks["ours"] > base["ours"]).sum(), len(networks)
            lines.append(Markup("<li>{}: {} ({}) {}; the highest of these is {} ({}).</li>").format(
                SCORES.get(name, name), METHODS[base["method"]], f1(base["ours"]),
                f"has {above} of {n} networks above it" if above else f"lies above all {n} networks",
                METHODS[top["method"]], f1(top["ours"])))
    return HTML(Markup("<ul>{}</ul>").format(Markup().join(lines)) if lines else f"<p>{PENDING}</p>")


def made(experiment: str, tier: str) -> pd.DataFrame:
    """How a table was made: command, commit, seeds, device, threads, time, versions, data."""
    bodies = [body for _, body in runs(experiment, tier)]
    if not bodies:
        return pd.DataFrame({"What": [], "Value": []})
    made_so, data = [body["provenance"] for body in bodies], bodies[0]["data"]
    finished = sorted(one["finished"] for one in made_so)
    return _provenance(made_so, {
        "Runs": str(len(bodies)), "Seeds": _joined(sorted({one["seed"] for one in made_so})),
        "Time, all runs": f"{sum(one['wall_seconds'] for one in made_so) / 3600:.2f} h",
        "Finished": f"{finished[0]} to {finished[-1]}",
        "Data": f"{data['name']} {data['version']}, {data['records']} recordings, digest {data['digest'][:12]}"})


def made_by(result: results.Result) -> HTML:
    """How one result was made."""
    one, data = result.provenance, result.data
    return html(_provenance([one], {
        "Seed": one["seed"], "Time": f"{one['wall_seconds']:.0f} s", "Finished": one["finished"],
        "Data": f"{data['name']} {data['version']}, digest {data['digest'][:12]}",
        "Stored as": f"{result.experiment}/{result.key}.json"}), "How this result was made")


def _provenance(made_so: Sequence[dict], own: dict[str, str]) -> pd.DataFrame:
    """A row a fact: what results tell alike, and facts of their ``own``."""
    facts = {"Command": _joined(one["command"] for one in made_so),
             "Commit": _joined(one["commit"][:10] + (" (changed)" if one["dirty"] else "") for one in made_so),
             "Device": _joined(f"{one['device']}, {one['threads']} threads, {one['machine']}" for one in made_so),
             "Versions": _joined(", ".join(f"{k} {v}" for k, v in one["versions"].items()) for one in made_so)} | own
    return pd.DataFrame([(name, facts[name]) for name in FACTS if name in facts], columns=["What", "Value"])


def _joined(values: Iterable) -> str:
    return "; ".join(dict.fromkeys(map(str, values)))


def write_csv(table: pd.DataFrame, name: str) -> Path:
    """Write a table for readers to download; the site takes it from there."""
    folder = paths.repository() / "build" / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.csv"
    path.write_bytes(as_csv(table, "%.6g"))
    return path


def html(table: pd.DataFrame, caption: str) -> HTML:
    """A table for a page: caption, header cells with scope, and a frame that scrolls on narrow screens."""
    return HTML(html_text(table, caption))


def html_text(table: pd.DataFrame, caption: str) -> Markup:
    """The same as text; its first column heads the rows, cells are escaped unless they are ``Markup``."""
    heading, cell = Markup('<th scope="col">{}</th>'), Markup("<td>{}</td>")
    head = Markup().join(map(heading.format, table.columns))
    row = Markup('<tr><th scope="row">{}</th>{}</tr>')
    rows = Markup().join(row.format(first, Markup().join(map(cell.format, others)))
                         for first, *others in table.itertuples(index=False, name=None))
    return Markup('<div class="ecgtl-scroll" tabindex="0" role="region" aria-label="{0}">'
                  '<table class="ecgtl-table"><caption>{0}</caption>'
                  "<thead><tr>{1}</tr></thead><tbody>{2}</tbody></table></div>").format(caption, head, rows)


def split_table(result: results.Result) -> pd.DataFrame:
    """Recordings of each class in each set, with sums."""
    table = pd.DataFrame(result.data["split"])
    table.loc["all"] = table.sum()
    return table


def confusion_of(result: results.Result, choice: str = "validated") -> np.ndarray:
    """Confusion matrix of the test set from the stored probabilities: true classes in rows.

    Of several labels a recording, (i, j) counts those with label i for which j is predicted (from ``THRESHOLD`` on),
    and one more column the recordings that have label i: a row does not add up to them.
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


def scores_table(result: results.Result, baselines: dict[str, results.Result]) -> HTML:
    """Scores of a run and of the baselines on the same split."""
    init = result.config["init"]
    rows = [_score_row(METHODS.get(init, init), result)]
    rows += [_score_row(METHODS[name], other) for name, other in baselines.items()]
    return html(pd.DataFrame(rows), "Scores on the test part")


def _score_row(name: str, result: results.Result) -> dict:
    scores = result.scores
    whole = {words[0].upper() + words[1:]: f1(scores[score]) for score, words in SCORES.items() if score in scores}
    by_class = {f"{kind} {name}": f1(value) for key, kind in (("f1_per_class", "F1"), ("auc_per_class", "AUC"))
                for name, value in scores.get(key, {}).items()}
    return {"Classifier": name, **whole, **by_class}


def pretraining_parts(result: results.Result) -> pd.DataFrame:
    """Windows and subjects in each set of a pretraining."""
    return pd.DataFrame({"windows": result.data["windows"], "subjects": result.data["subjects"]})


def pretraining_scores(result: results.Result) -> HTML:
    """Reconstruction errors on the validation and test windows."""
    scores = result.scores
    test = {"summed": scores["mse_sum"], "per_sample": scores["mse_sample"], "r2": scores["r2"]}
    rows = [{"Part": part, "Squared error, summed over a window": f"{s['summed']:.1f}",
             "per sample": f"{s['per_sample']:.3f}", "R²": f"{s['r2']:.3f}".replace("-", "−")}
            for part, s in (("validation", scores["validation"]), ("test", test))]
    return html(pd.DataFrame(rows), f"Reconstruction of z-scored windows, weights of epoch {scores['epoch']}")


def error_fell(result: results.Result) -> str:
    """One stable line: did the validation error end below that of the first epoch?"""
    first, kept = result.history[0]["validation_loss"], result.scores["validation"]["summed"]
    return f"validation error fell: {kept < first}"


def labels_without_positives(result: results.Result) -> str:
    """One stable line: the labels that the training or the test set lacks, and what the score makes of the latter."""
    absent = result.data.get("without_positives", {})
    told = [f"{', '.join(absent[part])} in the {part} part" for part in ("train", "test") if absent.get(part)]
    if not told:
        return "every label has positives"
    score = "no AUC, left out of the mean" if result.arrays["y_test"].ndim == 2 else "an F1 of 0"
    return f"labels without positives: {'; '.join(told)} (in the test part: {score})"


def verdict_on_trivial(result: results.Result, baselines: dict[str, results.Result]) -> HTML:
    """One sentence: does the network beat the best baseline on this one split?"""
    score, words = followed(result)
    best = max(baselines, key=lambda name: baselines[name].scores[score])
    ours, theirs = result.scores[score], baselines[best].scores[score]
    word = "beats" if ours > theirs else "does not beat"
    return HTML(f"<p>On this one split the network {word} the best trivial classifier ({METHODS[best].lower()}): "
                f"{words} {f1(ours)} against {f1(theirs)}. One run decides nothing; the tables of the papers "
                "give intervals.</p>")


def recomputed(path: Path) -> str:
    """One stable line: do the stored scores follow from the stored probabilities, as scikit-learn computes them?"""
    from sklearn.metrics import f1_score, roc_auc_score

    stored = results.load(path)
    y = stored.arrays["y_test"]
    name = "macro AUC" if y.ndim == 2 else "macro F1"
    agree = []
    for choice in (choice for choice in CHOICES if choice in stored.scores):
        probabilities = stored.arrays[f"prob_{choice}"]
        if y.ndim == 2:
            both = y.any(axis=0) & ~y.all(axis=0)  # of labels without both outcomes scikit-learn has no AUC
            score = roc_auc_score(y[:, both], probabilities[:, both], average="macro")
        else:
            classes = range(probabilities.shape[1])
            score = f1_score(y, probabilities.argmax(axis=1), labels=classes, average="macro", zero_division=0)
        agree.append(abs(score - stored.scores[choice][name.lower().replace(" ", "_")]) < 1e-6)
    found = "equal" if all(agree) else "DIFFERENT"
    return f"{name} of {len(y)} stored predictions, computed again with scikit-learn: {found}"


def recordings_table(recordings) -> pd.DataFrame:
    """A data set in a few lines: recordings, subjects, classes, lengths, rates, leads, what was left out."""
    counts = ", ".join(f"{name} {n}" for name, n in recordings.counts().items()) or "no class labels"
    seconds = recordings.durations
    facts = {"recordings": len(recordings), "subjects": len(set(recordings.subjects.tolist())), "classes": counts,
             "length (s)": f"{seconds.min():.1f} to {seconds.max():.1f}, median {np.median(seconds):.1f}",
             "sampling rate (Hz)": ", ".join(f"{rate:g}" for rate in np.unique(recordings.sampling_rate)),
             "leads": ", ".join(np.unique(recordings.leads)),
             "left out": sum(len(ids) for ids in recordings.skipped.values()),
             "exact duplicates": len(recordings.duplicates)}
    return pd.DataFrame({"value": facts})
