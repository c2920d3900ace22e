"""How well will a pretrained network transfer? MELEP, its rivals, and predictors that need no network at all.

The scores take ``source_prob`` (n, Z), the probabilities that the pretrained network gives to its own Z
labels on n recordings of the target, and ``target`` (n, Y), the 0/1 table of the labels to come, in float64.

MELEP is a loss, small where a transfer should be easy; LEEP and NCE are log-likelihoods, near 0 there and
negative elsewhere. A label that all recordings have, or none, is predicted without loss by any network: its
loss is 0. What cannot be scored is an EcgtlError of one line: probabilities outside [0, 1], NaN, tables that
are empty or do not match, targets other than 0 and 1. No score is ever NaN.

Source: Nguyen, Duong & Do 2023, section 2.1. The condition in its equations 1 and 4 is printed as ``y_iz``, a
label of the target with a number of the source; meant is the target label y, as in the authors' public code.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ecgtl.errors import EcgtlError
from ecgtl.models import checkpoint
from ecgtl.training import loop

WEIGHTINGS = ("published", "normalised")
LIKELY = 0.5  # from this probability on a source label counts as given (NCE)
_TINY = np.finfo(np.float64).tiny  # added where a cell may be 0: 0 / 0 becomes 0, and so does 0 x log 0


def melep(source_prob: np.ndarray, target: np.ndarray, weighting: str = "published",
          source_weights: np.ndarray | None = None) -> float:
    """Multi-label expected log of empirical predictions, at least 0; smaller means an easier transfer.

    The sum of ``melep_per_label`` x ``label_weights`` (Nguyen 2023, equation 5).

    Parameters
    ----------
    source_prob : array, (n, Z)
        Probabilities that the pretrained network gives to its own labels on n recordings of the target.
    target : array, (n, Y)
        0/1 table of the labels to come.
    weighting : {"published", "normalised"}
        As in ``label_weights``.
    source_weights : array, (Z,), optional
        As in ``melep_per_label``.

    Returns
    -------
    float

    Raises
    ------
    EcgtlError
        For probabilities outside [0, 1], NaN, empty tables, tables that do not match, and as the two functions.

    Examples
    --------
    >>> round(melep(np.array([[0.9, 0.2], [0.1, 0.7], [0.8, 0.3]]), np.array([[1, 0], [0, 1], [1, 0]])), 3)
    0.447
    """
    return float(label_weights(target, weighting) @ melep_per_label(source_prob, target, source_weights))


def melep_per_label(source_prob: np.ndarray, target: np.ndarray,
                    source_weights: np.ndarray | None = None) -> np.ndarray:
    """The loss of each target label, (Y,): the mean of ``pair_losses`` over the source labels.

    ``source_weights`` (Z,), at least 0, make it a weighted mean: how often each label occurs in the source
    data, say, where that is known. Both are extensions that Nguyen 2023 names in section 4. Raises EcgtlError
    for weights that do not match, are negative, not finite or all 0.
    """
    losses = pair_losses(source_prob, target)
    if source_weights is None:
        return losses.mean(axis=1)
    weights = _numbers(source_weights, "source_weights")
    if weights.shape != losses.shape[1:]:
        raise EcgtlError("source_weights must hold one number for each of the source labels, so be of shape "
                         f"{losses.shape[1:]}, not {weights.shape}")
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise EcgtlError("source_weights must be finite, at least 0, and not all 0")
    return losses @ (weights / weights.sum())


def label_weights(target: np.ndarray, weighting: str = "published") -> np.ndarray:
    """How much the loss of each label counts in ``melep``, (Y,).

    ``published``: positives / negatives, divided by Y (Nguyen 2023, equation 5). They do not sum to 1, so the
    score also grows with how frequent the labels are. ``normalised``: shares of positives, divided by their
    sum (the authors' public code). Raises EcgtlError for a target without any positive, and with
    ``published`` for a label that has positives only, whose weight would be infinite.
    """
    if weighting not in WEIGHTINGS:
        raise EcgtlError(f"unknown weighting {weighting!r}; allowed: {', '.join(WEIGHTINGS)}")
    target = _labels(target)
    positives = target.sum(axis=0)
    if not positives.any():
        raise EcgtlError("no recording of the target has any of its labels, so there is nothing to learn; "
                         "choose other labels or recordings")
    if weighting == "normalised":
        return positives / positives.sum()
    negatives = len(target) - positives
    if not negatives.all():
        raise EcgtlError(f"target label {int(negatives.argmin())} (counted from 0) has positives only, so its weight, "
                         "positives / negatives, is infinite; leave it out or use weighting='normalised'")
    return positives / negatives / target.shape[1]


def pair_losses(source_prob: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Negative mean log-likelihood of each target label given one source label alone, (Y, Z), at least 0.

    Equations 1 to 4 of Nguyen 2023, where it is called phi. A predictor draws the value of source label z
    with the probability that the network gives it, then that of target label y as often as it goes with it in
    the table. A source label that never varies leaves the entropy of y.
    """
    probabilities, target = _tables(source_prob, target)
    values = np.stack([1 - probabilities, probabilities])
    _, conditional = _joint_and_conditional(values, target)
    losses = np.empty((target.shape[1], probabilities.shape[1]))
    for y, present in enumerate(target.T > 0):  # label by label: all at once would hold n x Y x Z numbers
        absence, presence = (values * conditional[:, :, y, None]).sum(axis=1)
        likelihood = np.where(present[:, None], presence, absence)
        losses[y] = 0.0 - np.log(np.minimum(likelihood, 1.0) + _TINY).mean(axis=0)  # rounding may exceed 1
    return losses


def leep(source_prob: np.ndarray, target: np.ndarray) -> float:
    """Log expected empirical prediction, at most 0; larger means an easier transfer.

    The score of Nguyen, Hassner, Seeger & Archambeau 2020 (equation 2) is made for one class a recording. For
    several labels it is defined here as its mean over all pairs of a target and a source label, each taken as
    a problem of two classes. That is MELEP with equal weights, and the sign of a log-likelihood.
    """
    return float(0.0 - pair_losses(source_prob, target).mean())


def nce(source_prob: np.ndarray, target: np.ndarray) -> float:
    """Negative conditional entropy in nats, at most 0; larger means an easier transfer.

    The score of Tran, Nguyen & Hassner 2019 compares source and target labels of the same recordings. Here
    the source labels are those that the network finds likely (probability at least ``LIKELY``), and the score
    is defined as -H(target label | source label), averaged over all pairs of a target and a source label.
    """
    probabilities, target = _tables(source_prob, target)
    found = (probabilities >= LIKELY).astype(np.float64)
    joint, conditional = _joint_and_conditional(np.stack([1 - found, found]), target)
    return float((joint * np.log(conditional + _TINY)).sum(axis=(0, 1)).mean())


def n_labels(target: np.ndarray) -> int:
    """Number of target labels: the plainest predictor of how hard a target is."""
    return _labels(target).shape[1]


def prevalence(target: np.ndarray) -> float:
    """Share of recordings that have a label, averaged over the target labels."""
    return float(_labels(target).mean())


def measures(source_prob: np.ndarray, target: np.ndarray, weightings: Sequence[str] = WEIGHTINGS) -> dict[str, float]:
    """Every score and every plain predictor of one transfer, by name; errors as in the single functions."""
    return {**{f"melep_{weighting}": melep(source_prob, target, weighting) for weighting in weightings},
            "leep": leep(source_prob, target), "nce": nce(source_prob, target),
            "n_labels": n_labels(target), "prevalence": prevalence(target)}


def source_probabilities(path: Path, x: np.ndarray, precision: str = "float32") -> tuple[np.ndarray, tuple[str, ...]]:
    """What a checkpoint's network makes of prepared inputs: probabilities (n, Z) and the names of its labels.

    One pass over ``x`` (n, leads, samples) in batches on ``ECGTL_DEVICE``; in float32 unless asked for less,
    so that machines agree. Raises EcgtlError when the checkpoint has no labels of its own (autoencoder,
    future prediction), is damaged, or takes inputs of another shape.
    """
    weights, facts = checkpoint.load(path)
    if not facts.classes:
        raise EcgtlError(f"checkpoint {path} (arch={facts.arch}) names no labels of its own, so there are "
                         "no probabilities to score; choose the checkpoint of a classifier")
    leads, n_samples = facts.in_channels, facts.n_samples
    if x.ndim != 3 or not len(x) or x.shape[1:] != (leads, n_samples):
        raise EcgtlError(f"checkpoint {path} takes inputs of shape (n, {leads}, {n_samples}), {facts.seconds:g} s at "
                         f"{facts.sampling_rate:g} Hz, not {x.shape}; prepare the recordings to match")
    model, device = checkpoint.network(path, weights, facts), loop.pick_device()
    return loop.predict(model, x, device, facts.multi_label, precision), facts.classes


def _joint_and_conditional(values: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Empirical P(t, s) and P(t | s) of each pair, both (2, 2, Y, Z); t: the target's value, s: the source's.

    ``values`` (2, n, Z): probabilities of source labels being absent and present. P(t | s) is 0 for an s that
    never occurs. Nguyen 2023, equations 1 to 3.
    """
    given = np.stack([1 - target, target])
    joint = given.swapaxes(1, 2)[:, None] @ values / len(target)
    return joint, joint / (joint.sum(axis=0) + _TINY)


def _tables(source_prob: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both tables as float64, or EcgtlError."""
    probabilities, target = _numbers(source_prob, "source_prob"), _labels(target)
    if probabilities.ndim != 2 or not probabilities.shape[1]:
        raise EcgtlError("source_prob must be a table (n, Z) of at least one source label; its shape is "
                         f"{probabilities.shape}")
    if len(probabilities) != len(target):
        raise EcgtlError(f"source_prob has {len(probabilities)} rows and target {len(target)}; both need one "
                         "for each recording")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():  # NaN is neither
        raise EcgtlError("source_prob must hold probabilities from 0 to 1 without NaN; outputs of a network "
                         "need a sigmoid or softmax first")
    return probabilities, target


def _labels(target: np.ndarray) -> np.ndarray:
    """The target's table as float64, or EcgtlError."""
    target = _numbers(target, "target")
    if target.ndim != 2 or not target.size:
        raise EcgtlError("target must be a table (n, Y) of at least one recording and one label; its shape "
                         f"is {target.shape}")
    if not np.isin(target, (0, 1)).all():
        raise EcgtlError("target must hold 0 and 1 only, one column a label, no NaN and no class numbers")
    return target


def _numbers(values: np.ndarray, name: str) -> np.ndarray:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise EcgtlError(f"{name} must be an array of numbers") from None
