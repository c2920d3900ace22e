"""What the notebook ``finetune`` shows of a run."""

from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib import pyplot as plt
from sklearn.metrics import f1_score, roc_auc_score

from ecgtl import metrics, results
from ecgtl.analysis.names import CHOICES, METHODS, SCORES, f1
from ecgtl.config import protocol
from ecgtl.jobs.scoring import labels_of
from ecgtl.report import alt, figures
from ecgtl.report.tables import html


def learning_curves(history: list[dict], chosen: int, reference: float | None, score: str) -> plt.Figure:
    """Loss and score of the training, validation and test sets by epoch; ``chosen`` marks the reported epoch.

    ``score`` names the score; ``reference`` is that of the RR-interval baseline, drawn as a line.
    """
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(figures.WIDTH, 4.8), sharex=True)
    figures.by_epoch(upper, history, "loss", {"train": "training", "validation": "validation", "test": "test"})
    figures.by_epoch(lower, history, "score", {"validation": "validation", "test": "test"}, marker="o", markersize=3)
    lower.axvline(chosen, color=figures.GREY, linewidth=1, label=f"reported epoch ({chosen})")
    if reference is not None:
        lower.axhline(reference, color=figures.COLOURS["rr_boosting"], linewidth=1, linestyle="-.",
                      label="RR intervals alone")
    upper.set(title="Loss", ylabel="mean cross-entropy (nats)", xlabel="")
    lower.set(title="Score", ylabel=score, ylim=(0, 1))
    return figures.legend_below(figure, (upper, lower))


def curves_said(result: results.Result, reference: float | None) -> str:
    """What ``learning_curves`` says: loss and scores of the first and the reported epoch."""
    first, kept = result.history[0], result.history[result.scores["validated"]["epoch"] - 1]
    said = {f"From epoch {first['epoch']} to the reported epoch {kept['epoch']}": "; ".join(
        f"{words} {f1(first[name])} to {f1(kept[name])}" for name, words in (
            ("train_loss", "training loss"), ("validation_score", f"validation {followed(result)[1]}"),
            ("test_score", "on the test set")))}
    return alt.by_panel(said | ({} if reference is None else {"RR intervals alone": f1(reference)}))


def confusion(counts: np.ndarray, classes: list[str]) -> plt.Figure:
    """Confusion matrix (true classes in rows): shares of each true class as shade, counts as figures.

    ``counts`` (classes, classes), or with one more column, the recordings of each class, if they have several.
    """
    names = [name.replace("_", " ") for name in classes]
    labels = "predicted class", "true class", "share of the true class"
    return figures.shades(recalls(counts), names, names, counts, labels, max(map(len, names)) * len(names) > 24, 2.6,
                          square=True, shrink=0.8)


def recalls(counts: np.ndarray) -> np.ndarray:
    """Share of each true class that is predicted as each class, from the counts of ``confusion``."""
    totals = counts[:, -1:] if counts.shape[1] > len(counts) else counts.sum(axis=1, keepdims=True)
    return counts[:, :len(counts)] / np.maximum(totals, 1)


def confusion_said(counts: np.ndarray, classes: list[str]) -> str:
    """What ``confusion`` says: the share of each class that is predicted as such."""
    found = dict(zip((name.replace("_", " ") for name in classes), 100 * recalls(counts).diagonal(), strict=True))
    return alt.by_panel({"Share of each true class that is predicted as such": alt.ordered(found, "{:.0f} %".format)})


def split_table(result: results.Result) -> pd.DataFrame:
    """Recordings of each class in each set, with sums."""
    table = pd.DataFrame(result.data["split"])
    return pd.concat([table, table.sum().to_frame("all").T])  # a class may be called so, too


def confusion_of(result: results.Result) -> np.ndarray:
    """Confusion matrix of the test set from the stored probabilities: true classes in rows.

    Of several labels a recording, (i, j) counts those with label i for which j is predicted (from ``THRESHOLD`` on),
    and one more column the recordings that have label i: a row does not add up to them.
    """
    y, probabilities = result.arrays["y_test"].astype(np.int64), result.arrays["prob_validated"]
    if y.ndim == 2:
        return np.column_stack([y.T @ labels_of(probabilities), y.sum(axis=0)])
    return metrics.confusion_matrix(y, probabilities.argmax(axis=1), len(result.data["classes"]))


def followed(result: results.Result) -> tuple[str, str]:
    """The score that a run follows epoch by epoch: its name in the scores, and in words."""
    several = result.arrays["y_test"].ndim == 2
    name = protocol(result.config["protocol"]).for_labels(several, result.experiment).score
    return name, SCORES[name]


def scores_table(result: results.Result, baselines: dict[str, results.Result]) -> HTML:
    """Scores of a run and of the baselines on the same split."""
    init = result.config["init"]
    rows = [_score_row(METHODS.get(init, init), result)]
    rows += [_score_row(METHODS[name], other) for name, other in baselines.items()]
    return html(pd.DataFrame(rows).fillna("–"), "Scores on the test set")


def _score_row(name: str, result: results.Result) -> dict:
    scores = result.scores
    whole = {words[0].upper() + words[1:]: f1(scores[score]) for score, words in SCORES.items() if score in scores}
    by_class = {f"{kind} {name}": f1(value) for key, kind in (("f1_per_class", "F1"), ("auc_per_class", "AUC"))
                for name, value in scores.get(key, {}).items()}
    return {"Classifier": name, **whole, **by_class}


def labels_without_positives(result: results.Result) -> str:
    """One stable line: the labels that the training or the test set lacks, and what the score makes of the latter."""
    absent = result.data.get("without_positives", {})
    told = [f"{', '.join(absent[part])} in the {part} set" for part in ("train", "test") if absent.get(part)]
    if not told:
        return "every label has positives"
    score = "no AUC, left out of the mean" if result.arrays["y_test"].ndim == 2 else "an F1 of 0"
    return f"labels without positives: {'; '.join(told)} (in the test set: {score})"


def verdict_on_baselines(result: results.Result, baselines: dict[str, results.Result]) -> HTML:
    """One sentence: does the network beat the best baseline on this one split?"""
    score, words = followed(result)
    best = max(baselines, key=lambda name: baselines[name].scores[score])
    ours, theirs = result.scores[score], baselines[best].scores[score]
    word = "beats" if ours > theirs else "does not beat"
    return HTML(f"<p>On this one split the network {word} the best baseline ({METHODS[best]}): "
                f"{words} {f1(ours)} against {f1(theirs)}. One run decides nothing; the tables of the papers "
                "give intervals.</p>")


def recomputed(path: Path) -> str:
    """One stable line: do the stored scores follow from the stored probabilities, as scikit-learn computes them?"""
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
