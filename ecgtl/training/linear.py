"""Frozen networks: their features, and what is learnt on top of these, a logistic regression (a linear probe)."""

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from ecgtl.errors import EcgtlError

BATCH = 128  # inputs that are encoded at a time
STRENGTHS = np.logspace(-5, 2, 8)  # 1 / strength of the regularisation, tried by cross-validation
FOLDS = 5


@torch.inference_mode()
def features(model: nn.Module, x: np.ndarray, device: torch.device) -> np.ndarray:
    """What the last layer of ``model`` sees of inputs (n, channels, samples): (n, features), float32.

    Of a network whose features follow one another in time (Bi-LSTM) their mean over time.
    """
    model, steps = model.to(device).eval(), getattr(model, "steps", 1)
    parts = [model.features(part.to(device)).cpu() for part in _batches(x)]  # type: ignore[operator]
    return torch.cat(parts).reshape(len(x), steps, -1).mean(dim=1).numpy()


@torch.no_grad()
def renormalise(model: nn.Module, x: np.ndarray, device: torch.device) -> None:
    """Estimate the means and variances of batch normalisation again, over the inputs ``x``; no weight changes.

    Those that a network with random weights begins with (0 and 1) fit nothing.
    """
    norms = [layer for layer in model.to(device).eval().modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    for part in _batches(x) if norms else ():
        model.features(part.to(device))  # type: ignore[operator]
    model.eval()


def _batches(x: np.ndarray) -> Iterator[torch.Tensor]:
    return (torch.from_numpy(np.array(x[k:k + BATCH])) for k in range(0, len(x), BATCH))


def regress(found: np.ndarray, y: np.ndarray, subjects: np.ndarray, test: np.ndarray, n_classes: int,
            seed: int) -> np.ndarray:
    """Probabilities (n_test, n_classes) for the features ``test`` by a logistic regression on ``found`` (n, features).

    ``y`` class indices (n,), or a 0/1 table (n, labels), one regression a label. Features are standardised, NaN is
    their median and counts as missing, classes weigh the same. The strength of the regularisation has the best score in
    a cross-validation over ``subjects`` (n,): macro F1, of a label AUC. Raises EcgtlError for a class of one subject.
    """
    if y.ndim == 2:
        return np.stack([_fitted(found, column, subjects, seed, "roc_auc").predict_proba(test)[:, 1] for column in y.T],
                        axis=1)
    model, out = _fitted(found, y, subjects, seed, "f1_macro"), np.zeros((len(test), n_classes))
    out[:, model.classes_] = model.predict_proba(test)
    return out


def _fitted(found: np.ndarray, y: np.ndarray, subjects: np.ndarray, seed: int, score: str):
    from sklearn.impute import SimpleImputer  # noqa: PLC0415  (a second)
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    classes = np.unique(y)
    of_each = min(len(np.unique(subjects[y == one])) for one in classes)
    if len(classes) < 2 or of_each < 2:
        raise EcgtlError("the training set has one class alone, or a class of a single subject, so nothing can be "
                         "chosen by cross-validation; give more recordings, or a larger share of them")
    folds = StratifiedGroupKFold(min(FOLDS, of_each), shuffle=True, random_state=seed)
    imputer = SimpleImputer(strategy="median", keep_empty_features=True, add_indicator=True)
    model = make_pipeline(imputer, StandardScaler(), LogisticRegression(
        class_weight="balanced", solver="newton-cholesky", max_iter=200))
    search = GridSearchCV(model, {"logisticregression__C": STRENGTHS}, scoring=score, cv=folds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fold may lack a class that has few subjects: it does not count then
        return search.fit(found, y, groups=subjects)
