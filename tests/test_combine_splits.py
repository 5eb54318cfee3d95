"""The contract of the exercise softmax_kernel.3: its answer is not in the package."""
import itertools

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from minigpt.grading.compare import assert_close

NAME = "combine_splits"


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def average(x, v):
    """What one part knows: softmax(x) v and log sum exp x, or (0, -inf) of no scores. x: (..., N), v: (N, D)."""
    m = x.max(axis=-1, keepdims=True, initial=-1e30)
    e = np.exp(x - m)                                                             # (..., N)
    total = e.sum(axis=-1)                                                        # (...)
    with np.errstate(divide="ignore"):
        lse = m[..., 0] + np.log(total)
    return e @ v / np.where(total == 0, 1, total)[..., None], lse


def parts(x, v, *cuts):
    """The same for each part of the row, cut before these columns. Returns (P, ..., D) and (P, ...)."""
    places = [0, *cuts, x.shape[-1]]
    pairs = [average(x[..., a:b], v[a:b]) for a, b in itertools.pairwise(places)]
    return tuple(np.stack(arrays) for arrays in zip(*pairs, strict=True))


def test_a_worked_example(op):
    # the second part holds 3/4 of exp, the first 1/4: (4 + 3 * 8) / 4 = 7
    y, lse = op.call(NAME, np.array([[4.0], [8.0]]), np.log([1.0, 3.0]))
    assert_close(y, np.array([7.0]))
    assert_close(lse, np.log(4.0), "lse")


@pytest.mark.parametrize("cuts", [(9,), (1, 16), (5, 6, 13)])
def test_parts_of_a_row_give_the_whole_row(op, cuts):
    x, v = 3 * normal(4, 17), normal(17, 5, seed=1)
    y, lse = op.call(NAME, *parts(x, v, *cuts))
    expected, expected_lse = average(x, v)
    assert_close(y, expected)
    assert_close(lse, expected_lse, "lse")


def test_a_single_part_stays_as_it_is(op):
    y, lse = normal(1, 3, 4), normal(1, 3, seed=1)
    got, got_lse = op.call(NAME, y, lse)
    assert_close(got, y[0])
    assert_close(got_lse, lse[0], "lse")


def test_the_order_of_the_parts_does_not_matter(op):
    y, lse = normal(5, 3, 4), 3 * normal(5, 3, seed=1)
    forwards, backwards = op.call(NAME, y, lse), op.call(NAME, y[::-1], lse[::-1])
    assert_close(backwards[0], forwards[0])
    assert_close(backwards[1], forwards[1], "lse")


def test_what_was_combined_can_be_combined_again(op):
    y, lse = normal(5, 3, 4), 3 * normal(5, 3, seed=1)
    first, second = op.call(NAME, y[:2], lse[:2]), op.call(NAME, y[2:], lse[2:])
    got = op.call(NAME, np.stack([first[0], second[0]]), np.stack([first[1], second[1]]))
    expected = op.call(NAME, y, lse)
    assert_close(got[0], expected[0])
    assert_close(got[1], expected[1], "lse")


@pytest.mark.parametrize("shift", [1e4, -1e4])
def test_large_and_very_negative_scores_change_nothing_but_lse(op, shift):
    y, lse = normal(3, 4, 2), normal(3, 4, seed=1)
    got, expected = op.call(NAME, y, lse + shift), op.call(NAME, y, lse)
    assert_close(got[0], expected[0])
    assert_close(got[1] - shift, expected[1], "lse")


def test_each_row_has_its_own_largest_part(op):
    y, lse = normal(3, 2, 2), normal(3, 2, seed=1)
    got = op.call(NAME, y, lse + np.array([2000.0, -2000.0]))
    expected = op.call(NAME, y, lse)
    assert_close(got[0], expected[0])
    assert_close(got[1] - np.array([2000.0, -2000.0]), expected[1], "lse")


@pytest.mark.parametrize("left_there", [0.0, 7.0, np.nan, np.inf])
def test_an_empty_part_changes_nothing_whatever_its_y_holds(op, left_there):
    y, lse = normal(3, 4, 2), normal(3, 4, seed=1)
    expected = op.call(NAME, y[[0, 2]], lse[[0, 2]])
    y[1], lse[1] = left_there, -np.inf
    got = op.call(NAME, y, lse)
    assert_close(got[0], expected[0])
    assert_close(got[1], expected[1], "lse")


def test_a_part_may_be_empty_for_some_rows_only(op):
    x, v = normal(3, 8), normal(8, 2, seed=1)
    x[1, :4] = -np.inf
    y, lse = op.call(NAME, *parts(x, v, 4))
    expected, expected_lse = average(x, v)
    assert_close(y, expected)
    assert_close(lse, expected_lse, "lse")


def test_a_row_of_empty_parts_is_zero(op):
    y, lse = normal(3, 2, 4), normal(3, 2, seed=1)
    y[:, 1], lse[:, 1] = np.nan, -np.inf
    got, got_lse = op.call(NAME, y, lse)
    assert_close(got[1], np.zeros(4))
    assert_close(got_lse[1], -np.inf, "lse")
    assert np.isfinite(got[0]).all()
    assert np.isfinite(got_lse[0])


def test_float32_stays_float32(op):
    got = op.call(NAME, normal(3, 4, 2).astype(np.float32), normal(3, 4, seed=1).astype(np.float32))
    assert [a.dtype for a in got] == [np.float32] * 2


def test_inputs_are_left_untouched(op):
    y, lse = normal(3, 4, 2), normal(3, 4, seed=1)
    lse[0, 1] = -np.inf
    before = y.copy(), lse.copy()
    op.call(NAME, y, lse)
    assert_close(y, before[0], "y, afterwards,")
    assert_close(lse, before[1], "lse, afterwards,")


@hypothesis.given(shape=st.sampled_from([(), (1,), (6,), (2, 3)]), N=st.integers(3, 30), D=st.integers(1, 5),
                  seed=st.integers(0, 99))
def test_any_shape_agrees_with_the_whole_row(op, shape, N, D, seed):
    x, v = 4 * normal(*shape, N, seed=seed), normal(N, D, seed=seed + 1)
    y, lse = op.call(NAME, *parts(x, v, 1, N // 2))            # N // 2 may be 1: an empty part
    expected, expected_lse = average(x, v)
    assert_close(y, expected)
    assert_close(lse, expected_lse, "lse")
