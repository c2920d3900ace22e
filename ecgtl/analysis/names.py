"""Words that a reader sees: rows of the tables, scores and how they are written, ways to choose an epoch."""

import numpy as np

from ecgtl import published
from ecgtl.datasets import catalogue

PENDING = "PENDING"  # in place of what has not been run
NBSP = "\N{NO-BREAK SPACE}"  # numbers break between, not within, a mean and its interval
METHODS = {"random": "None (random weights)", "beat": "Beat classification", "rhythm": "Rhythm classification",
           "heart_rate": "Heart rate classification", "future": "Future prediction", "cae": "Autoencoder",
           "image": "ImageNet features", "random_matched": "None, four times the epochs",
           "subjects8": "8 subjects", "subjects32": "32 subjects", "subjects_all": "All subjects",
           "subjects64": "64 subjects, the minutes of 8", "rr_logistic": "RR intervals",
           "majority": "Majority class",
           "rr_boosting": "RR intervals, boosted trees"}


def _configurations() -> dict[str, str]:
    """The rows of Weimann 2021's Table 1 in words."""
    words = {}
    for name, row in published.load("weimann2021")["table1"]["rows"].items():
        if row["context"]:
            words[name] = (f"{METHODS[row['init']]}, context {row['context']}, {row['negatives']} negatives, "
                           f"offset {row['offset']}")
        elif row["frame"]:
            words[name] = f"{METHODS[row['init']]}, {row['frame']:,} samples"
    return words


METHODS |= _configurations()
# Score of a result -> its words
SCORES = {"macro_f1": "macro F1", "weighted_f1": "weighted F1", "accuracy": "accuracy", "macro_auc": "macro AUC",
          "f_max": "Fmax", "f_beta": "Fβ", "g_beta": "Gβ", "learning_curve_index": "learning curve index"}
CHOICES = {"validated": "best on validation", "last": "last epoch", "best_test": "best on test"}
NETWORKS = {"resnet1d101": "ResNet1d101", "bilstm": "Bi-LSTM"}
RIVALS = {"melep_published": ("MELEP, weights of the text", "small"),
          "melep_normalised": ("MELEP, normalised weights", "small"),
          "leep": ("LEEP", "near 0"), "nce": ("NCE", "near 0"), "n_labels": ("Number of labels", "few"),
          "prevalence": ("Prevalence of a label, mean", "–")}
SHORT = {"csn": "CSN", "georgia": "Georgia", "cinc2017": "CinC 2017"}


def data_set(source: str) -> str:
    """A data set in a word or two."""
    return SHORT.get(source) or catalogue.entry(source).title


def checkpoint_name(source: str, arch: str) -> str:
    """A checkpoint as a reader knows it: network and what it was trained on."""
    return f"{NETWORKS[arch]}, {data_set(source)}"


def score_words(name: str) -> str:
    """A score as a reader knows it; ``f1_per_class.af`` is the F1 of a class."""
    return SCORES.get(name) or name.replace("f1_per_class.", "F1 of ").replace("_", " ")


def f1(value: float | None, signed: bool = False) -> str:
    """A score as the field prints it: three decimals, no leading zero; an en dash where there is none."""
    if value is None or not np.isfinite(value):
        return "–"
    text = f"{abs(value):.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{abs(value):.3f}"
    return ("−" if value < 0 else "+" if signed else "") + text
