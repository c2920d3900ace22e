"""Baselines that every network is held against: a constant answer, and rhythm from RR intervals alone."""


import numpy as np

from ecgtl.errors import EcgtlError


def majority(y_train: np.ndarray, n_classes: int, n_test: int) -> np.ndarray:
    """Class shares of the training set for each test recording, (n_test, n_classes): the argmax is the majority.

    ``y_train`` class indices (n,), or 0/1 (n, n_classes), whose shares are the prevalences.
    """
    shares = y_train.mean(axis=0) if y_train.ndim == 2 else np.bincount(y_train, minlength=n_classes) / len(y_train)
    return np.tile(shares, (n_test, 1))


def all_positive(n_test: int, n_labels: int) -> np.ndarray:
    """The all-positive baseline, every recording has every label: ones, uint8 (n_test, n_labels).

    Of all constant answers of several labels it has the highest F1, since a label that is never given scores 0.
    """
    return np.ones((n_test, n_labels), np.uint8)


def rr_boosting(features: np.ndarray, y_train: np.ndarray, train: np.ndarray, test: np.ndarray, n_classes: int,
                seed: int) -> np.ndarray:
    """Class probabilities (n_test, n_classes) of gradient boosting on RR-interval ``features`` (recordings, features).

    With 0/1 tables ``y_train`` (n, n_classes) one model a label; a label without both outcomes keeps its prevalence.
    Raises EcgtlError when no recording to train on has the beats for an RR interval.
    """
    if y_train.ndim == 2:
        columns = [rr_boosting(features, column, train, test, 2, seed)[:, 1] if 0 < column.mean() < 1
                   else np.full(len(test), column.mean()) for column in y_train.T]
        return np.stack(columns, axis=1)
    model = boosted(features[train], y_train, seed)
    out = np.zeros((len(test), n_classes))
    out[:, model.classes_] = model.predict_proba(features[test])
    return out


def boosted(features: np.ndarray, y: np.ndarray, seed: int):
    """scikit-learn's gradient boosting, fitted to RR-interval ``features`` (n, features) and class indices (n,).

    Raises EcgtlError when no recording has the beats for an RR interval.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415  (a fifth of a second)

    if np.isnan(features).any(axis=1).all():
        raise EcgtlError(f"none of the {len(features)} recordings to train on shows enough beats for RR intervals; "
                         "take another lead")
    model = HistGradientBoostingClassifier(random_state=seed, class_weight="balanced", max_iter=150, learning_rate=0.06)
    return model.fit(features, y)
