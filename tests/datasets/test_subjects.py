"""No subject trains and tests: every way of dividing recordings, with random subjects, labels and copies."""

import numpy as np
import pytest

from ecgtl.config import FinetuneConfig
from ecgtl.datasets import label_tasks, splits
from ecgtl.datasets.collector import Collector, Reading
from ecgtl.errors import EcgtlError
from ecgtl.jobs import inputs

SEEDS = range(40)
CLASSES = ("normal", "af", "other")


def random_recordings(seed, multi_label=False, with_folds=False):
    """12 to 150 recordings: some subjects have one, some many, in any order; some are copies under another name."""
    rng = np.random.default_rng([seed, 17])
    n = int(rng.integers(12, 150))
    persons = rng.choice([n, n // 2, n // 4, 3]) + 1
    owner = rng.integers(persons, size=n) if rng.random() < 0.7 else np.minimum(rng.geometric(0.1, n), persons)
    collector = Collector("random", "1", CLASSES, multi_label)
    signals = rng.integers(-99, 99, size=(n, 30, 1)).astype(np.int16)
    for _ in range(int(rng.integers(0, 4))):
        signals[rng.integers(n)] = signals[rng.integers(n)]
    for i in range(n):
        names = [name for name in CLASSES if rng.random() < 0.4]
        label = names if multi_label else CLASSES[rng.integers(len(CLASSES))]
        subject = f"p{owner[i]}" if rng.random() < 0.9 else None
        # a published fold that parts a subject, now and then
        fold = int(owner[i] % 10 + 1) if rng.random() < 0.98 else 9
        collector.add(Reading(f"r{i}", signals[i], 300.0, ["I"], [1.0], [0.0], label=label, subject=subject,
                              fold=fold if with_folds else None), "")
    return collector.recordings()


def held_apart(recordings, split):
    """Whether no subject, and no signal, is in two parts."""
    sides = [set(recordings.subjects[part].tolist()) for part in (split.train, split.validation, split.test)]
    signals = [{recordings.signal(i).tobytes() for i in part} for part in (split.train, split.validation, split.test)]
    return all(not (a & b) for kind in (sides, signals) for k, a in enumerate(kind) for b in kind[k + 1:])


def divisions(recordings, seed):
    """Every way that a run divides these recordings, as functions without arguments."""
    yield lambda: splits.stratified(recordings, 0.1, 0.2, seed, seed)
    yield lambda: splits.bootstrap(recordings, 0.1, 0.2, 0.5, seed, seed)
    yield lambda: splits.by_folds(recordings, 9, 10)
    for protocol in ("weimann2021", "jang2021", "melep2023", "across"):
        config = FinetuneConfig.of(protocol=protocol, fraction=0.4, seed=seed).resolved()
        yield lambda config=config: inputs.Prepared(config.plan(), recordings).split


@pytest.mark.parametrize("with_folds", [False, True])
@pytest.mark.parametrize("multi_label", [False, True])
def test_no_subject_is_in_two_parts_of_any_split(multi_label, with_folds):
    made = refused = 0
    for seed in SEEDS:
        recordings = random_recordings(seed, multi_label, with_folds)
        for divide in divisions(recordings, seed):
            try:
                split = divide()
            except EcgtlError:  # too few subjects, several labels or no folds: said, not split across a subject
                refused += 1
                continue
            made += 1
            assert held_apart(recordings, split), seed
    assert made > 40 and refused > 0  # neither rule may be the one that was tested alone


def test_no_subject_trains_and_tests_in_a_drawn_task():
    made = 0
    for seed in SEEDS:
        recordings = random_recordings(seed, multi_label=True)
        try:
            fold = label_tasks.draw(recordings.label_matrix, recordings.subjects, seed, (1, 2), 12)
        except EcgtlError:
            continue
        made += 1
        assert held_apart(recordings, fold), seed
    assert made > 10


def test_published_folds_that_part_a_subject_are_refused():
    """The subject is in folds 1 and 2, which both train, and then in 2 and 10, which tests."""
    def recordings(own):
        collector = Collector("hand", "1", CLASSES[:2])
        rng = np.random.default_rng(0)
        for i, fold in enumerate([*own, 1, 2, 9, 9, 10, 10]):
            collector.add(Reading(f"r{i}", rng.integers(-9, 9, (30, 1)), 300.0, ["I"], [1.0], [0.0],
                                  label=CLASSES[i % 2], fold=fold, subject="one" if i < 2 else f"p{i}"), "")
        return collector.recordings()

    assert splits.by_folds(recordings([1, 2]), 9, 10).train.tolist() == [0, 1, 2, 3]
    with pytest.raises(EcgtlError,
                       match="subject one of hand is in two sets of the published folds; use a stratified split"):
        splits.by_folds(recordings([2, 10]), 9, 10)
