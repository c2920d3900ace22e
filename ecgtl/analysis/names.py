"""Names that a reader sees: rows of the tables, scores, and ways to choose an epoch."""

from ecgtl import published

METHODS = {"random": "None (random weights)", "beat": "Beat classification", "rhythm": "Rhythm classification",
           "heart_rate": "Heart rate classification", "future": "Future prediction", "cae": "Autoencoder",
           "image": "ImageNet features", "random_matched": "None, four times the epochs",
           "majority": "Majority class", "rr_boosting": "RR intervals, boosted trees"}


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
          "f_max": "Fmax", "f_beta": "Fβ", "g_beta": "Gβ"}
CHOICES = {"validated": "best on validation", "last": "last epoch", "best_test": "best on test"}
