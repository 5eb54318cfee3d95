"""The contract of calibration: reliability, the expected calibration error, the fitted temperature."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from minigpt.grading.compare import assert_close, untouched
from minigpt.reference import calibration as reference

P = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.45, 0.55]])
LABELS = np.array([0, 0, 0, 1])


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def some(n, K, seed=0):
    rng = np.random.default_rng(seed)
    return 2 * rng.normal(size=(n, K)), rng.integers(K, size=n)


def one_by_one(p, labels, n_bins):
    """ECE, text by text and bin by bin."""
    total = 0
    for m in range(n_bins):
        sure = [max(row) for row in p]
        inside = [i for i, s in enumerate(sure) if m / n_bins < s <= (m + 1) / n_bins]
        if inside:
            right = sum(list(p[i]).index(sure[i]) == labels[i] for i in inside)
            total += abs(right - sum(sure[i] for i in inside))
    return total / len(labels)


def nll(logits, labels, T):
    return torch.nn.functional.cross_entropy(torch.from_numpy(logits) / T, torch.from_numpy(labels)).item()


def test_a_worked_example(op):
    # bins ]0, 1/2], ]1/2, 1]: all four in the second, sure by (0.9 + 0.8 + 0.6 + 0.55) / 4 = 0.7125, right: 3 of 4
    n, conf, acc = op.call("reliability", P, LABELS, 2)
    assert_close(n, np.array([0, 4]), "n")
    assert_close(conf, np.array([0, 0.7125]), "conf")
    assert_close(acc, np.array([0, 0.75]), "acc")
    assert_close(op.call("calibration", P, LABELS, 2), 0.0375, "ECE")
    # bins of a quarter: 0.6 and 0.55 in the third, both right; 0.9 and 0.8 in the fourth, one of them right
    assert_close(op.call("calibration", P, LABELS, 4), (2 * 0.425 + 2 * 0.35) / 4, "ECE of 4 bins")


def test_who_is_sure_and_always_right_has_no_error_and_who_is_sure_and_always_wrong_one(op):
    sure = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert_close(op.call("calibration", sure, np.array([0, 1])), 0.0, "ECE")
    assert_close(op.call("calibration", sure, np.array([1, 0])), 1.0, "ECE")


def test_a_fair_coin_that_says_so_has_no_error(op):
    assert_close(op.call("calibration", np.full((10, 2), 0.5), np.array([0, 1] * 5)), 0.0, "ECE")


def test_too_modest_and_too_sure_do_not_cancel(op):
    # sure by 0.7 and always right; sure by 0.9 and right in 3 of 5: errors of 0.3 each
    p = np.array([[0.7, 0.3]] * 5 + [[0.9, 0.1]] * 5)
    assert_close(op.call("calibration", p, np.array([0] * 8 + [1] * 2)), 0.3, "ECE")


def test_a_bin_counts_by_its_texts(op):
    p = np.array([[0.95, 0.05]] * 9 + [[0.55, 0.45]])
    assert_close(op.call("calibration", p, np.zeros(10, dtype=int)), (9 * 0.05 + 0.45) / 10, "ECE")


def test_the_upper_edge_belongs_to_a_bin(op):
    n, _, _ = op.call("reliability", np.array([[0.5, 0.5], [0.75, 0.25], [1.0, 0.0]]), np.array([0, 0, 0]), 4)
    assert_close(n, np.array([0, 1, 1, 1]), "n")


def test_there_are_fifteen_bins_unless_told(op):
    # 0.68 and 0.62 lie on two sides of 10/15, but both between 6/10 and 7/10
    p, labels = np.array([[0.68, 0.32], [0.62, 0.38]]), np.array([0, 1])
    assert_close(op.call("calibration", p, labels), (0.32 + 0.62) / 2, "ECE")
    assert_close(op.call("calibration", p, labels, 10), 0.15, "ECE of 10 bins")
    assert len(op.call("reliability", p, labels)[0]) == 15


def test_without_texts_there_is_no_error(op):
    assert op.call("calibration", np.zeros((0, 3)), np.zeros(0, dtype=int)) == 0
    assert op.call("fitted_temperature", np.zeros((0, 3)), np.zeros(0, dtype=int)) == 1


@hypothesis.given(n=st.integers(1, 40), K=st.integers(2, 5), n_bins=st.integers(1, 20), seed=st.integers(0, 99))
def test_it_agrees_with_counting_one_by_one(op, n, K, n_bins, seed):
    logits, labels = some(n, K, seed)
    p = softmax(logits)
    assert_close(op.call("calibration", p, labels, n_bins), one_by_one(p, labels, n_bins), "ECE")


@pytest.mark.parametrize("seed", range(4))
def test_no_other_temperature_makes_the_labels_more_probable(op, seed):
    logits, labels = some(60, 4, seed)
    labels = np.where(np.arange(60) % 3 > 0, logits.argmax(axis=1), labels)       # right in most of them
    T = op.call("fitted_temperature", logits, labels)
    assert 0.05 < T < 20
    assert nll(logits, labels, T) <= min(nll(logits, labels, T * f) for f in (0.5, 0.95, 0.999, 1.001, 1.05, 2)) + 1e-12


def test_the_temperature_of_a_worked_example(op):
    # sure by 9 : 1 but right in 3 of 4: with odds of 3 : 1 it would be calibrated, and log 9 = 2 log 3
    logits = np.tile([[np.log(9.0), 0.0]], (4, 1))
    assert_close(op.call("fitted_temperature", logits, np.array([0, 0, 0, 1])), 2.0, "T", (1e-8, 0))


def test_scores_that_are_three_times_as_large_have_three_times_the_temperature(op):
    logits, labels = some(80, 3)
    labels[::2] = logits[::2].argmax(axis=1)
    once, thrice = (op.call("fitted_temperature", factor * logits, labels) for factor in (1.0, 3.0))
    assert_close(thrice, 3 * once, "T", (1e-8, 0))


def test_a_temperature_of_what_is_always_right_or_hopeless_stays_within_its_bounds(op):
    logits = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert_close(op.call("fitted_temperature", logits, np.array([0, 1])), 0.01, "T", (1e-6, 0))
    assert_close(op.call("fitted_temperature", logits, np.array([1, 0])), 100.0, "T", (1e-6, 0))


def test_inputs_are_left_untouched(op):
    logits, labels = some(20, 3)
    p = softmax(logits)
    with untouched(logits=logits, labels=labels, p=p):
        op.call("calibration", p, labels)
        op.call("fitted_temperature", logits, labels)


def test_a_single_text(op):
    assert_close(op.call("calibration", np.array([[0.8, 0.2]]), np.array([0])), 0.2, "ECE")
    assert_close(op.call("fitted_temperature", np.array([[2.0, 0.0]]), np.array([1])), 100.0, "T", (1e-6, 0))


def test_strided_arrays_give_the_same(op):
    logits, labels = some(20, 6)
    p = softmax(logits[:, ::2])
    wide = np.repeat(p, 2, axis=1)[:, ::2]
    assert_close(op.call("calibration", wide, labels[::-1][::-1] % 3), op.call("calibration", p, labels % 3), "ECE")


def test_float32_stays_float32(op):
    logits, labels = some(20, 3)
    p = softmax(logits).astype(np.float32)
    same = op.call("calibration", p.astype(np.float64), labels)
    assert_close(op.call("calibration", p, labels), same, "ECE", (1e-5, 1e-7))


def test_large_scores_do_not_overflow(op):
    logits, labels = some(20, 3)
    assert np.isfinite(op.call("fitted_temperature", 1e4 * logits, labels))


@hypothesis.given(n=st.integers(1, 20), K=st.integers(2, 4), seed=st.integers(0, 99))
def test_the_temperature_agrees_with_the_reference(op, n, K, seed):
    logits, labels = some(n, K, seed)
    assert_close(op.call("fitted_temperature", logits, labels), reference.fitted_temperature(logits, labels), "T",
                 (1e-6, 0))
