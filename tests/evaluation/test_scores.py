"""Figures from scores: by hand, and against an implementation in plain loops."""

import numpy as np
import pytest

from kinefract.evaluation.scores import best, confusion, mean_class_accuracy, per_class, top_k

# Of class 0 two videos are right and one is taken for 1; both of class 1 are taken for 2; that of 2 is right.
LABELS = np.array([0, 0, 0, 1, 1, 2])
TAKEN_FOR = np.array([0, 0, 1, 2, 2, 2])
MATRIX = np.array([[2, 1, 0], [0, 0, 2], [0, 0, 1]])


def test_top_k_by_hand():
    predicted = np.array([[0.1, 0.5, 0.4], [0.3, 0.3, 0.4], [0.6, 0.3, 0.1]])
    labels = np.array([2, 0, 0])
    assert top_k(predicted, labels, 1) == 1 / 3
    assert top_k(predicted, labels, 2) == 1.0
    assert top_k(predicted, labels, 5) == 1.0


def test_equal_scores_rank_by_class():
    assert best(np.array([0.2, 0.4, 0.4, 0.0]), 3).tolist() == [1, 2, 0]
    assert best(np.full((2, 4), 0.25), 2).tolist() == [[0, 1], [0, 1]]


def test_the_matrix_by_hand():
    matrix = confusion(TAKEN_FOR, LABELS, 3)
    assert matrix.tolist() == MATRIX.tolist()
    assert mean_class_accuracy(matrix) == pytest.approx((2 / 3 + 0 + 1) / 3)


def test_classes_that_do_not_occur_count_neither_as_right_nor_as_wrong():
    matrix = confusion(TAKEN_FOR, LABELS, 5)
    assert matrix.shape == (5, 5) and matrix.sum() == 6 and not matrix[3:].any()
    assert mean_class_accuracy(matrix) == pytest.approx((2 / 3 + 0 + 1) / 3)
    row = per_class(matrix, "abcde")[4]
    assert (row.videos, row.accuracy, row.confused_with, row.confused) == (0, None, "", 0)


def test_each_class_by_hand():
    assert [tuple(row) for row in per_class(MATRIX, ["a", "b", "c"])] == [
        ("a", 3, 2, 2 / 3, "b", 1),
        ("b", 2, 0, 0.0, "c", 2),
        ("c", 1, 1, 1.0, "", 0),
    ]


def test_of_classes_confused_as_often_the_first_is_named():
    matrix = np.array([[1, 0, 0], [2, 5, 2], [0, 0, 1]])
    assert per_class(matrix, ["a", "b", "c"])[1].confused_with == "a"


@pytest.mark.parametrize("classes", [2, 3, 7, 106])
def test_figures_are_those_of_plain_loops(classes):
    rng = np.random.Generator(np.random.Philox(classes))
    # Few different scores, so that many are equal.
    scores = rng.integers(0, 6, (150, classes)).astype(np.float32)
    labels = rng.integers(0, classes, 150)
    ranked = [sorted(range(classes), key=lambda c, row=row: (-row[c], c)) for row in scores.tolist()]
    for k in (1, 5):
        hits = [label in order[:k] for label, order in zip(labels.tolist(), ranked, strict=True)]
        assert top_k(scores, labels, k) == pytest.approx(sum(hits) / 150)
    matrix = confusion(best(scores, 1)[:, 0], labels, classes)
    recalls, rows = [], per_class(matrix, [f"c{label}" for label in range(classes)])
    for label in range(classes):
        taken_for = [ranked[video][0] for video in range(150) if labels[video] == label]
        right, wrong = taken_for.count(label), [other for other in taken_for if other != label]
        assert (rows[label].videos, rows[label].correct) == (len(taken_for), right)
        assert rows[label].confused == max((wrong.count(other) for other in wrong), default=0)
        if taken_for:
            recalls.append(right / len(taken_for))
            assert rows[label].accuracy == pytest.approx(recalls[-1])
    assert mean_class_accuracy(matrix) == pytest.approx(sum(recalls) / len(recalls))
