"""The contract of dropout. Two implementations draw different numbers, so laws are what they share."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close, refused, untouched
from minigpt.reference.dropout import dropout_backward, dropout_forward

RATES = [0.1, 0.5, 0.75]


def generator(op, seed):
    return torch.Generator().manual_seed(seed) if op.is_torch else np.random.default_rng(seed)


def values(*shape, seed=0):
    return np.random.default_rng(seed).uniform(1, 2, shape)           # never 0: a 0 in y was dropped


def run(op, x, dy, rate, seed=0):
    y, (dx,) = op.run((x,), dy, rate=rate, generator=generator(op, seed))
    return y, dx


@pytest.mark.parametrize("rate", RATES)
def test_every_value_is_zero_or_scaled_up(op, rate):
    x = values(40, 50)
    y, _ = run(op, x, x, rate)
    assert_close(y, np.where(y == 0, 0, x / (1 - rate)))


@pytest.mark.parametrize("rate", RATES)
def test_the_rate_is_the_share_that_is_dropped(op, rate):
    n = 40_000
    y, _ = run(op, values(n), values(n), rate)
    dropped, error = float((y == 0).mean()), np.sqrt(rate * (1 - rate) / n)
    assert abs(dropped - rate) < 5 * error, f"rate {rate}: {dropped:.4f} of the values were dropped"


@pytest.mark.parametrize("rate", RATES)
def test_the_mean_stays(op, rate):
    n = 40_000
    y, _ = run(op, np.ones(n), np.ones(n), rate)
    error = np.sqrt(rate / (1 - rate) / n)
    assert abs(y.mean() - 1) < 5 * error, f"rate {rate}: the mean of ones became {y.mean():.4f}"


@pytest.mark.parametrize("rate", RATES)
def test_the_gradient_passes_where_the_value_passed(op, rate):
    x, dy = values(20, 30), values(20, 30, seed=1)
    y, dx = run(op, x, dy, rate)
    assert_close(dx, dy * y / x, "dx")


def test_each_value_is_drawn_by_itself(op):
    y, _ = run(op, np.ones((200, 200)), np.ones((200, 200)), 0.5)
    rows, columns = (y == 0).mean(axis=1), (y == 0).mean(axis=0)
    for share, axis in ((rows, "row"), (columns, "column")):
        assert abs(share - 0.5).max() < 6 * 0.5 / np.sqrt(200), f"a {axis} was dropped by {abs(share - 0.5).max():.2f}"
    together = ((y[:, 1:] == 0) & (y[:, :-1] == 0)).mean()
    assert abs(together - 0.25) < 0.02, f"two neighbours were dropped together in {together:.2f} of all cases"


def test_the_same_seed_drops_the_same_values(op):
    x = values(20, 30)
    assert_close(run(op, x, x, 0.5, seed=3)[0], run(op, x, x, 0.5, seed=3)[0])


def test_another_seed_drops_other_values(op):
    x = values(20, 30)
    assert (run(op, x, x, 0.5, seed=3)[0] != run(op, x, x, 0.5, seed=4)[0]).any(), "two seeds gave the same y"


def test_the_next_draw_drops_other_values(op):
    x, same = values(20, 30), generator(op, 0)
    first, second = (op.run((x,), x, rate=0.5, generator=same)[0] for _ in range(2))
    assert (first != second).any(), "two draws of one generator gave the same y"


def test_a_rate_of_zero_changes_nothing(op):
    x, dy = values(4, 5), values(4, 5, seed=1)
    y, dx = run(op, x, dy, 0)
    assert_close(y, x)
    assert_close(dx, dy, "dx")


def test_a_rate_of_zero_needs_no_generator_and_draws_nothing(op):
    x = values(20, 30)
    untouched, used = generator(op, 0), generator(op, 0)
    assert_close(op.run((x,), x, rate=0)[0], x)
    op.run((x,), x, rate=0, generator=used)
    drawn = [op.run((x,), x, rate=0.5, generator=g)[0] for g in (used, untouched)]
    assert_close(drawn[0], drawn[1], "y of the next draw")


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, float("nan")])
def test_a_rate_that_is_no_probability_below_one_is_refused(op, rate):
    with refused(f"rate={rate}"):
        op.forward((values(3),), rate=rate, generator=generator(op, 0))


def test_a_single_value_is_dropped_in_about_half_of_the_draws(op):
    same = generator(op, 0)
    drawn = {float(op.run((np.array([3.0]),), np.ones(1), rate=0.5, generator=same)[0][0]) for _ in range(60)}
    assert drawn == {0.0, 6.0}


def test_nothing_gives_nothing(op):
    y, dx = run(op, np.zeros((0, 4)), np.zeros((0, 4)), 0.5)
    assert y.shape == dx.shape == (0, 4)


def test_large_and_tiny_values_are_dropped_or_scaled_up_like_others(op):
    x = np.tile([1e300, 1e-300], 50)
    y, dx = run(op, x, x, 0.5)
    assert_close(y, np.where(y == 0, 0, 2 * x))
    assert_close(dx, y, "dx")


def test_strided_and_expanded_arrays_give_the_same(op):
    x, dy = values(6, 8).T[::2], values(1, 6, seed=1)
    expanded = np.lib.stride_tricks.as_strided(dy, (4, 6), (0, dy.strides[1]))
    y, dx = run(op, x, expanded, 0.5)
    assert_close((y, dx), run(op, x.copy(), expanded.copy(), 0.5), "(y, dx)")


def test_inputs_are_left_untouched(op):
    x, dy = values(3, 4), values(3, 4, seed=1)
    with untouched(x=x, dy=dy):
        run(op, x, dy, 0.5)


def test_float32_stays_float32(op):
    x = values(30, 40).astype(np.float32)
    y, dx = run(op, x, x, 0.1)
    assert y.dtype == dx.dtype == np.float32
    assert_close(y, np.where(y == 0, 0, x / np.float32(0.9)))


@hypothesis.given(shape=st.lists(st.integers(0, 5), min_size=1, max_size=3), rate=st.floats(0, 0.9),
                  seed=st.integers(0, 9))
def test_any_shape_and_rate_obey_the_laws(op, shape, rate, seed):
    x, dy = values(*shape, seed=seed), values(*shape, seed=seed + 1)
    y, dx = run(op, x, dy, rate, seed)
    assert_close(y, np.where(y == 0, 0, x / (1 - rate)))
    assert_close(dx, dy * y / x, "dx")


def test_the_reference_gradient_equals_finite_differences():
    def forward(x):
        return dropout_forward(x, 0.3, np.random.default_rng(0))       # the same draw for every difference
    assert max(gradient_errors(forward, dropout_backward, (values(4, 5),), values(4, 5, seed=1))) < 1e-8


def test_numpy_keeps_a_value_if_the_number_drawn_for_it_is_at_least_the_rate():
    drawn = np.random.default_rng(3).random(50, dtype=np.float32)
    y, _ = dropout_forward(np.ones(50), float(drawn[7]), np.random.default_rng(3))
    assert_close(y != 0, drawn >= drawn[7], "kept")


def test_numpy_without_a_generator_is_refused_because_randomness_is_an_argument():
    with pytest.raises(ValueError, match="randomness is an argument"):
        dropout_forward(values(3), 0.5)
