"""Tasks drawn out of a label table: against hand-made tables, counts and what the paper asks for."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from messages import one_line

from ecgtl.datasets import label_tasks
from ecgtl.errors import EcgtlError


def table(n=400, n_labels=6, share=0.3, seed=0):
    """Labels that come and go by chance, some recordings without any; two recordings a subject."""
    labels = (np.random.default_rng(seed).random((n, n_labels)) < share).astype(np.uint8)
    return labels, np.array([f"p{i // 2}" for i in range(n)])


def drawn(number=0, n_records=100, **options):
    labels, subjects = table()
    return label_tasks.draw(labels, subjects, number, (2, 4), n_records, **options), labels, subjects


@pytest.mark.parametrize("number", range(8))
def test_a_fold_is_what_section_3_1_says(number):
    fold, labels, subjects = drawn(number)
    assert 2 <= len(fold.labels) <= 4 and list(fold.labels) == sorted(set(fold.labels.tolist()))
    everything = np.concatenate([fold.train, fold.validation, fold.test])
    assert len(everything) == len(set(everything.tolist())) == 100
    chosen = labels[np.ix_(everything, fold.labels)]
    assert chosen.any(axis=1).all(), "records without any of the labels are dropped"
    assert set(fold.training.tolist()) == set(fold.train.tolist()) | set(fold.validation.tolist())
    assert len(fold.test) in (29, 30, 31) and len(fold.validation) in (6, 7, 8)
    owners = [set(subjects[part].tolist()) for part in (fold.train, fold.validation, fold.test)]
    assert not any(a & b for a, b in combinations(owners, 2)), "no subject is in two parts"
    for part in (fold.train, fold.test):
        assert labels[np.ix_(part, fold.labels)].any(axis=0).all()
    assert not labels[np.ix_(fold.training, fold.labels)].all(axis=0).any()
    for part in (fold.labels, fold.train, fold.validation, fold.test, fold.training):
        assert part.dtype == np.int64 and (np.diff(part) > 0).all()


def test_a_fold_is_a_function_of_its_number():
    first, again, other = drawn(3)[0], drawn(3)[0], drawn(4)[0]
    for name in ("labels", "train", "validation", "test"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.train, other.train)


def test_the_number_of_labels_is_uniform_and_so_are_the_sets():
    labels, subjects = table(share=0.5)
    found = [tuple(label_tasks.draw(labels, subjects, number, (2, 3), 60).labels.tolist()) for number in range(600)]
    sizes = Counter(map(len, found))
    assert abs(sizes[2] - 300) < 4 * np.sqrt(600 / 4)
    pairs = Counter(labels for labels in found if len(labels) == 2)
    assert set(pairs) == set(combinations(range(6), 2))
    expected = sizes[2] / 15
    assert sum((n - expected) ** 2 / expected for n in pairs.values()) < 36.1  # chi square, 14 degrees, 0.1 %


def by_hand():
    """Twelve recordings: label 0 in four, 1 in four others, 2 in one of these, 3 in all but the last two."""
    labels = np.zeros((12, 4), int)
    labels[0:4, 0] = labels[4:8, 1] = labels[7, 2] = labels[:10, 3] = 1
    return labels, np.arange(12).astype(str)


def test_records_are_those_with_any_of_the_labels():
    labels, subjects = by_hand()
    fold = label_tasks.draw(labels, subjects, 0, n_records=8, test=0.5, validation=0.25, label_set=[0, 1])
    assert sorted([*fold.training, *fold.test]) == list(range(8))
    assert (len(fold.train), len(fold.validation), len(fold.test)) == (3, 1, 4)
    assert fold.labels.tolist() == [0, 1]


def test_a_set_with_too_few_records_is_drawn_again_and_counted():
    labels, subjects = by_hand()
    # Of the pairs only those with label 3 have ten recordings, and then every recording has label 3
    with pytest.raises(EcgtlError) as error:
        label_tasks.draw(labels, subjects, 0, (2, 2), 10, 0.5, 0.25)
    one_line(error, f"none of {label_tasks.ATTEMPTS} draws of 2 labels and 10 recordings",
             "fewer than 10 recordings:", "ask for another number")
    said = str(error.value)
    counted = [int(part.rsplit(": ", 1)[1].split(")")[0])
               for part in said[said.index("(") + 1:said.index(")")].split("; ")]
    assert sum(counted) == label_tasks.ATTEMPTS
    # Eight recordings have label 0 or 1. Pairs with 3 have ten, all of which have 3; the other pairs have
    # four or five
    found = [label_tasks.draw(labels, subjects, number, (2, 2), 8, 0.5, 0.25) for number in range(20)]
    assert {tuple(fold.labels.tolist()) for fold in found} == {(0, 1)}
    reasons = sum((Counter(fold.redrawn) for fold in found), Counter())
    assert reasons["fewer than 8 recordings"] > 10
    assert reasons["a label that the whole training set has"] > 10


def test_a_label_without_positives_in_a_part_is_drawn_again():
    labels, subjects = by_hand()
    with pytest.raises(EcgtlError) as error:  # one positive cannot be in the training and in the test set
        label_tasks.draw(labels, subjects, 0, n_records=4, test=0.5, validation=0.25, label_set=[1, 2])
    one_line(error, "a label without positives in the training set",
             "a label without positives in the test set")


def test_a_label_that_all_have_is_drawn_again():
    labels = np.column_stack([np.ones(20, int), np.arange(20) % 2])
    with pytest.raises(EcgtlError) as error:
        label_tasks.draw(labels, np.arange(20).astype(str), 0, (2, 2), 20)
    one_line(error, "a label that the whole training set has: ")


def test_subjects_with_many_recordings_stay_whole():
    labels, _ = table(60, 3, 0.6)
    subjects = np.repeat(["a", "b", "c", "d", "e", "f"], 10)
    fold = label_tasks.draw(labels, subjects, 1, (2, 2), 40, 0.3, 0.2)
    owners = [set(subjects[part].tolist()) for part in (fold.train, fold.validation, fold.test)]
    assert not any(a & b for a, b in combinations(owners, 2)) and all(owners)
    with pytest.raises(EcgtlError) as error:
        label_tasks.draw(labels, np.repeat("a", 60), 1, (2, 2), 40)
    one_line(error, "too few subjects")


def test_shares_come_as_near_as_whole_subjects_allow():
    rng = np.random.default_rng(0)
    subjects = np.array(["big"] * 50 + [f"p{i}" for i in range(50)])
    kept, taken = label_tasks._by_subject(np.arange(100), subjects, 0.3, rng)
    assert sorted([*kept, *taken]) == list(range(100))
    # Exactly 30 when the big one is not met before; else what stands before it (25 short at most), or it and
    # up to four
    assert len(taken) in (*range(5, 31), *range(50, 55))
    single = np.arange(100).astype(str)
    assert [len(part) for part in label_tasks._by_subject(np.arange(100), single, 0.3, rng)] == [70, 30]


@pytest.mark.parametrize("options, said", [
    ({"n_labels": (2, 7)}, "2 to 7 labels cannot be drawn from a target of 6"),
    ({"n_labels": (0, 2)}, "1 <= fewest"), ({"n_labels": (4, 3)}, "4 to 3 labels"),
    ({"label_set": [0, 6]}, "columns from 0 to 5"), ({"label_set": [1, 1]}, "each once"),
    ({"label_set": []}, "label_set is []"),
    ({"n_records": 4000}, "fewer than 4000 recordings: 1000"),
])
def test_what_no_draw_can_meet_is_refused(options, said):
    labels, subjects = table()
    with pytest.raises(EcgtlError) as error:
        label_tasks.draw(labels, subjects, 0, **{"n_labels": (2, 3), "n_records": 50} | options)
    one_line(error, said)
