"""Splits: shares, subjects, duplicates, what each seed moves, and what cannot be split."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ecgtl.datasets import splits
from ecgtl.datasets.collector import Collector, Reading
from ecgtl.errors import EcgtlError

CLASSES = ("normal", "af", "other", "noise")


def recordings(counts, per_subject=1, copies=(), unlabelled=0, multi_label=False):
    """Recordings with ``counts`` of each class; ``copies`` are pairs (original, copy) of equal signals."""
    rng = np.random.default_rng(7)
    collector = Collector("hand", "1", CLASSES[: len(counts)], multi_label=multi_label)
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    signals = rng.integers(-99, 99, size=(len(labels), 20, 1)).astype(np.int16)
    for original, copy in copies:
        signals[copy], labels[copy] = signals[original], labels[original]
    place = dict.fromkeys(CLASSES, 0)
    for i, k in enumerate(labels):
        name = CLASSES[k]
        subject = f"{name}{place[name] // per_subject}"
        place[name] += 1
        label = None if i < unlabelled else [name] if multi_label else name
        collector.add(Reading(f"r{i}", signals[i], 300.0, ["I"], [1.0], [0.0], label=label, subject=subject), f"r{i}")
    return collector.recordings()


def draw(data, seed=0, test_seed=0):
    return splits.stratified(data, validation=0.05, test=0.2, seed=seed, test_seed=test_seed)


# --- three parts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_parts_are_disjoint_and_leave_nothing_out(seed):
    data = recordings([211, 33, 97, 20])
    split = draw(data, seed, seed)
    parts = [split.train, split.validation, split.test]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(data)))
    assert all((np.diff(part) > 0).all() and part.dtype == np.int64 for part in parts)


@pytest.mark.parametrize("seed", range(5))
def test_each_class_has_its_share_in_each_part_within_one_record(seed):
    data = recordings([211, 33, 97, 20])
    split = draw(data, seed, seed)
    for part, share in ((split.train, 0.75), (split.validation, 0.05), (split.test, 0.2)):
        assert len(part) == pytest.approx(share * len(data), abs=1)
        for k, n in enumerate(data.counts().values()):
            assert (data.labels[part] == k).sum() == pytest.approx(share * n, abs=1)


@pytest.mark.parametrize("per_subject", [2, 3, 7])
def test_no_subject_stands_on_two_sides(per_subject):
    data = recordings([140, 70, 35], per_subject)
    split = draw(data)
    sides = [set(data.subjects[part]) for part in (split.train, split.validation, split.test)]
    assert sum(map(len, sides)) == len(set.union(*sides)) == len(set(data.subjects))


@pytest.mark.parametrize("seed", range(8))
def test_copies_of_a_recording_stay_together(seed):
    copies = ((0, 50), (3, 90), (7, 8))
    data = recordings([60, 40], copies=copies)
    assert len(data.duplicates) == 3
    split = draw(data, seed, seed)
    side = np.empty(len(data), int)
    for number, part in enumerate((split.train, split.validation, split.test)):
        side[part] = number
    assert all(side[original] == side[copy] for original, copy in copies)


def test_the_seed_redraws_training_and_validation_but_never_the_test_part():
    data = recordings([211, 33, 97, 20])
    first, second = draw(data, seed=0), draw(data, seed=1)
    assert (first.test == second.test).all()
    assert not np.array_equal(first.train, second.train)
    assert not np.array_equal(first.validation, second.validation)
    assert not np.array_equal(first.test, draw(data, seed=0, test_seed=1).test)


def test_a_split_is_the_same_every_time():
    data = recordings([60, 40])
    first, second = draw(data, 3), draw(recordings([60, 40]), 3)
    assert all((getattr(first, part) == getattr(second, part)).all() for part in ("train", "validation", "test"))


# --- a share of the training set ---------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.05, 0.25, 1 / 3, 0.5, 2 / 3, 1])
def test_a_fraction_keeps_the_shares_of_the_classes(fraction):
    data = recordings([211, 33, 97, 20])
    train = draw(data).train
    kept = splits.subset(train, data.labels, fraction, seed=0)
    assert set(kept) <= set(train) and (np.diff(kept) > 0).all()
    for k in range(4):
        n = (data.labels[train] == k).sum()
        assert (data.labels[kept] == k).sum() == pytest.approx(max(fraction * n, 1), abs=0.5)


@pytest.mark.parametrize("seed", range(5))
def test_smaller_fractions_lie_within_larger_ones(seed):
    data = recordings([211, 33, 97, 20])
    train = draw(data).train
    kept = [set(splits.subset(train, data.labels, fraction, seed)) for fraction in (0.01, 0.1, 1 / 3, 0.5, 2 / 3, 1)]
    assert all(small < large for small, large in pairwise(kept))


def test_a_fraction_depends_on_the_seed_alone():
    data = recordings([60, 40])
    train = draw(data).train
    kept = [splits.subset(train, data.labels, 0.3, seed) for seed in (0, 0, 1)]
    assert (kept[0] == kept[1]).all() and not np.array_equal(kept[0], kept[2])


def test_a_tiny_fraction_keeps_one_recording_of_each_class():
    data = recordings([60, 40, 10])
    kept = splits.subset(draw(data).train, data.labels, 0.001, 0)
    assert sorted(data.labels[kept].tolist()) == [0, 1, 2]


@pytest.mark.parametrize("fraction", [0, -1, 1.5, "abc", float("nan"), float("inf"), True, None, 1 + 1e-9])
def test_fractions_outside_0_to_1_are_refused(fraction):
    with pytest.raises(EcgtlError, match="0 < fraction <= 1"):
        splits.check_fraction(fraction)


@pytest.mark.parametrize("fraction", [1, 1.0, 0.25, np.float64(0.5), 1e-9])
def test_allowed_fractions_pass(fraction):
    splits.check_fraction(fraction)


# --- drawn with replacement ---------------------------------------------------------------------------------------

COUNTS = [211, 53, 97, 40]


def redraw(data, fraction=1.0, seed=0, test_seed=0):
    return splits.bootstrap(data, validation=0.1, test=0.2, fraction=fraction, seed=seed, test_seed=test_seed)


def pool_of(data, test):
    """Everything that is not tested."""
    return np.setdiff1d(np.arange(len(data)), test)


@pytest.mark.parametrize("fraction", [0.05, 0.25, 0.5, 1])
def test_a_bootstrap_draws_its_share_of_each_class_with_replacement(fraction):
    data = recordings(COUNTS)
    split = redraw(data, fraction)
    pool = pool_of(data, split.test)
    assert set(split.train) <= set(pool) and (np.diff(split.train) >= 0).all() and split.train.dtype == np.int64
    for k in range(4):
        n = int((data.labels[pool] == k).sum())
        assert (data.labels[split.train] == k).sum() == max(1, round(fraction * n))
    if fraction == 1:  # of n draws with replacement about 1 - 1/e of n are distinct
        assert len(set(split.train)) == pytest.approx(len(pool) * (1 - np.exp(-1)), rel=0.1)
    assert fraction < 0.25 or len(set(split.train)) < len(split.train)


@pytest.mark.parametrize("per_subject", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_a_bootstrap_keeps_subjects_on_one_side(per_subject, seed):
    data = recordings([270, 150, 120, 90], per_subject)
    split = redraw(data, 0.25, seed)
    sides = [set(data.subjects[part]) for part in (split.train, split.validation, split.test)]
    assert sum(map(len, sides)) == len(set.union(*sides))
    assert len(set(split.validation)) == len(split.validation) == pytest.approx(0.1 * len(data), abs=3)
    for k, n in enumerate(data.counts().values()):
        assert (data.labels[split.validation] == k).sum() == pytest.approx(0.1 * n, rel=0.4)


@pytest.mark.parametrize("test_seed", [0, 1])
def test_the_test_part_of_a_bootstrap_is_that_of_the_stratified_split(test_seed):
    data = recordings(COUNTS)
    expected = splits.stratified(data, 0.05, 0.2, seed=4, test_seed=test_seed).test
    for fraction, seed in ((1, 0), (0.25, 0), (1, 1)):
        assert np.array_equal(redraw(data, fraction, seed, test_seed).test, expected)


def test_a_bootstrap_is_the_same_every_time_and_another_for_another_seed():
    first, second, other = redraw(recordings(COUNTS)), redraw(recordings(COUNTS)), redraw(recordings(COUNTS), seed=1)
    assert all((getattr(first, part) == getattr(second, part)).all() for part in ("train", "validation", "test"))
    assert not np.array_equal(first.train, other.train) and not np.array_equal(first.validation, other.validation)


def test_a_small_share_of_a_small_class_is_one_recording():
    data = recordings([80, 12])
    drawn = splits.bootstrap(data, 0.05, 0.2, 0.01, 0).train
    assert np.bincount(data.labels[drawn]).tolist() == [1, 1]


def test_a_class_that_the_draw_used_up_is_named():
    data = recordings([60, 9], per_subject=3)  # two subjects of "af" are not tested: as many draws as records take both
    with pytest.raises(EcgtlError, match="class '(normal|af)' of hand has too few subjects"):
        redraw(data)


@pytest.mark.parametrize("made, said", [({"unlabelled": 2}, "have no label"),
                                        ({"multi_label": True}, "several labels")])
def test_a_bootstrap_needs_one_label_a_recording(made, said):
    with pytest.raises(EcgtlError, match=said):
        redraw(recordings([30, 30], **made))


# --- what cannot be split -----------------------------------------------------------------------------------------


def test_one_class_only_is_refused():
    with pytest.raises(EcgtlError, match="hand has only the class 'normal'.*at least two"):
        draw(recordings([30]))


@pytest.mark.parametrize("rare", [1, 2])
def test_a_class_with_too_few_members_is_named(rare):
    with pytest.raises(EcgtlError, match="class 'af' of hand has too few subjects.*merge or remove"):
        draw(recordings([60, rare]))


@pytest.mark.parametrize("rare", range(3, 8))
def test_a_split_that_is_made_has_every_class_in_training_and_test(rare):
    data, made = recordings([60, rare]), 0
    for seed in range(20):
        try:
            split = draw(data, seed, seed)
        except EcgtlError as error:
            assert "class 'af' of hand has too few subjects" in str(error)
        else:
            made += 1
            assert {*data.labels[split.train]} == {*data.labels[split.test]} == {0, 1}
    assert made > 0


def test_classes_that_the_test_part_cannot_hold_are_refused():
    with pytest.raises(EcgtlError, match="class '(af|other|noise)' of hand has too few subjects"):
        draw(recordings([60, 3, 3, 3]))  # 14 of 69 test: two places for three rare classes


def test_members_of_one_subject_count_once():
    data = recordings([60, 9], per_subject=9)
    with pytest.raises(EcgtlError, match="class 'af' of hand has too few subjects"):
        draw(data)


@pytest.mark.parametrize("subjects", [1, 2, 9])
def test_subjects_that_have_every_class_are_no_single_class(subjects):
    """Their first recordings are all of one class, but the data set is not."""
    data = recordings([30, 30])
    data = data.select(np.argsort(data.labels, kind="stable"))
    data = replace(data, subjects=np.array([f"s{k % subjects}" for k in range(len(data))]))
    with pytest.raises(EcgtlError, match=f"hand has {subjects} subjects with several classes each.*more subjects"):
        draw(data)


def test_a_class_that_no_subject_begins_with_is_in_training_and_test_or_refused():
    data, made = recordings([60, 3, 57]), 0
    order = np.argsort(np.array([0, 2, 1])[data.labels], kind="stable")
    subjects = np.array([f"s{k}" for k in range(117)] + ["s5", "s6", "s7"])  # "af" comes behind another class
    data = replace(data.select(order), subjects=subjects)
    for seed in range(30):
        try:
            split = draw(data, seed, seed)
        except EcgtlError as error:
            assert "class 'af' of hand has too few subjects" in str(error)
        else:
            made += 1
            assert 1 in data.labels[split.train] and 1 in data.labels[split.test]
    assert 0 < made < 30


def test_too_few_subjects_for_three_parts_are_refused():
    with pytest.raises(EcgtlError, match="too few"):
        draw(recordings([2, 2]))


def test_recordings_without_a_label_are_named():
    with pytest.raises(EcgtlError, match="2 recordings of hand have no label .the first is r0.*on_bad=skip"):
        draw(recordings([30, 30], unlabelled=2))


def test_several_labels_are_divided_by_the_rarest():
    data = recordings([60, 30, 10], multi_label=True)
    table = data.labels.copy()
    table[:, 0] = 1  # everybody has the common label too
    data = replace(data, labels=table)
    split = draw(data)
    for part, share in ((split.train, 0.75), (split.test, 0.2)):
        np.testing.assert_allclose(table[part].sum(axis=0), share * table.sum(axis=0), atol=1.5)
    assert splits.strata(data).tolist() == [2 if row[2] else 1 if row[1] else 0 for row in table]


def test_a_label_that_nobody_has_is_no_stratum():
    assert splits.strata(recordings([5, 0], multi_label=True)).tolist() == [0] * 5


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_few_of_each_class_of_the_training_set(multi_label):
    data = recordings([30, 20, 12], multi_label=multi_label)
    train = draw(data).train
    three, five = (splits.few(train, data, n, 0) for n in (3, 5))
    assert set(three) <= set(five) <= set(train) and len(five) == 15
    assert np.bincount(splits.strata(data)[five]).tolist() == [5, 5, 5]
    with pytest.raises(EcgtlError, match="10 labels a class are asked for, the training set of hand has 9 of 'other'"):
        splits.few(train, data, 10, 0)
    of_two = train[splits.strata(data)[train] != 2]
    with pytest.raises(EcgtlError, match="1 labels a class are asked for, the training set of hand has 0 of 'other'"):
        splits.few(of_two, data, 1, 0)


def test_recordings_without_any_of_the_labels_are_a_stratum_of_their_own():
    data = recordings([60, 40], multi_label=True)
    table = data.labels.copy()
    table[np.flatnonzero(table[:, 1])[:20]] = 0
    data = replace(data, labels=table)
    assert (splits.strata(data) == 2).sum() == 20
    assert (table[draw(data).test].sum(axis=1) == 0).sum() == 4


def test_published_folds_are_taken_as_they_are():
    data = recordings([50, 50])
    folds = np.arange(100) % 10 + 1
    split = splits.by_folds(replace(data, folds=folds), validation=9, test=10)
    assert [set(folds[part]) for part in (split.train, split.validation, split.test)] == [set(range(1, 9)), {9}, {10}]
    with pytest.raises(EcgtlError, match="hand has no published folds; use a stratified split"):
        splits.by_folds(data, 9, 10)
    with pytest.raises(EcgtlError, match="the test set of hand is empty: folds 9 and 11 are asked for"):
        splits.by_folds(replace(data, folds=folds), 9, 11)
    with pytest.raises(EcgtlError, match="subject .* of hand is in two sets of the published folds"):
        splits.by_folds(replace(recordings([50, 50], per_subject=2), folds=folds), 9, 10)


@pytest.mark.parametrize("seed", range(60))
def test_a_rare_class_is_never_drawn_whole(seed):
    """A few recordings of a class train, and each trial has to leave one of them for validation."""
    data = recordings([200, 5])
    split = splits.bootstrap(data, 0.1, 0.2, 1.0, seed)
    assert (data.labels[split.validation] == 1).any()
    assert (data.labels[split.train] == 1).sum() == 5 - (data.labels[split.test] == 1).sum()
