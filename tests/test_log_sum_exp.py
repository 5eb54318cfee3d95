"""The contract of the exercise softmax_kernel.4: its answer is not in the package."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from minigpt.grading.compare import assert_close, untouched


def run(op, x, COLUMNS=4):
    return op.call("log_sum_exp", np.asarray(x, dtype=float), COLUMNS)


def judge(x):
    return torch.logsumexp(torch.tensor(x, dtype=torch.float64), dim=0).item()


def scores(N, seed=0, at=0.0, spread=2.0):
    return at + spread * np.random.default_rng(seed).normal(size=N)


def agrees(op, x, COLUMNS=4):
    assert_close(run(op, x, COLUMNS), judge(x), "L")


def test_a_worked_example(op):
    # exp of the scores is 1, 4, 8 and 2; the second tile has a larger maximum than the first
    assert_close(run(op, np.log([1.0, 4.0, 8.0, 2.0]), 2), np.log(15.0), "L")


@pytest.mark.parametrize("N", [1, 3, 4, 5, 8, 11, 17])
def test_it_agrees_with_pytorch_whatever_the_length(op, N):
    agrees(op, scores(N))


@pytest.mark.parametrize("N", [4, 5])
@pytest.mark.parametrize("at", [-5, -60, -1000])
def test_scores_far_below_zero_agree(op, N, at):
    agrees(op, scores(N, at=at))


@pytest.mark.parametrize("N", [4, 6])
@pytest.mark.parametrize("at", [40, 1000])
def test_large_scores_agree(op, N, at):
    agrees(op, scores(N, at=at))


def test_a_row_shorter_than_its_tile_counts_only_what_is_there(op):
    assert_close(run(op, [0.0], 64), 0.0, "L")


@pytest.mark.parametrize("row", [np.arange(12.0), -np.arange(12.0)], ids=["up", "down"])
def test_the_maximum_may_come_first_or_last(op, row):
    agrees(op, 500 * row, 3)


def test_hidden_scores_count_for_nothing(op):
    row = scores(9, at=-3)
    assert_close(run(op, np.insert(row, [0, 0, 0, 0, 9], -np.inf)), judge(row), "L")


def test_a_row_of_nothing_but_hidden_scores_is_minus_infinity(op):
    assert_close(run(op, np.full(6, -np.inf)), -np.inf, "L")


def test_adding_to_all_scores_adds_to_the_result(op):
    row = scores(7)
    assert_close(run(op, row - 300) + 300, run(op, row), "L", tolerance=(1e-9, 0))


def test_the_size_of_a_tile_does_not_matter(op):
    row = scores(10, at=-2)
    for COLUMNS in (1, 3, 10, 16):
        assert_close(run(op, row, COLUMNS), judge(row), f"L in tiles of {COLUMNS}")


def test_the_row_is_left_untouched(op):
    row = scores(7)
    with untouched(x=row):
        op.call("log_sum_exp", row, 4)


@hypothesis.given(N=st.integers(1, 20), COLUMNS=st.integers(1, 8), at=st.sampled_from([-900.0, -20.0, 0.0, 20.0]),
                  seed=st.integers(0, 99))
def test_any_row_in_any_tiles_agrees_with_pytorch(op, N, COLUMNS, at, seed):
    agrees(op, scores(N, seed, at), COLUMNS)
