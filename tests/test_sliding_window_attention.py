"""The contract of the exercise attention.3: its answer is not in the package."""
import numpy as np
import pytest

from minigpt.grading.compare import assert_close
from minigpt.reference.attention import attention_forward

NAME = "sliding_window_attention"


def inputs(T=7, seed=0):
    return tuple(np.random.default_rng(seed).normal(size=(3, 2, 2, T, 4)))


def test_a_worked_example(op):
    # queries of 0 fit every key alike: each answer is the mean of the last two values
    zero, v = np.zeros((1, 1, 4, 2)), np.arange(8.0).reshape(1, 1, 4, 2)
    assert_close(op.call(NAME, zero, zero, v, 2), np.array([[[[0, 1], [1, 2], [3, 4], [5, 6.0]]]]))


def test_a_window_of_one_returns_the_values(op):
    q, k, v = inputs()
    assert_close(op.call(NAME, q, k, v, 1), v)


@pytest.mark.parametrize("window", [7, 8, 1000])
def test_a_window_as_long_as_the_text_is_causal_attention(op, window):
    q, k, v = inputs()
    assert_close(op.call(NAME, q, k, v, window), attention_forward(q, k, v, causal=True)[0])


@pytest.mark.parametrize("window", [1, 2, 3, 5])
def test_each_position_attends_to_its_window_alone(op, window):
    q, k, v = inputs()
    y = op.call(NAME, q, k, v, window)
    for t in range(7):
        near = slice(max(0, t - window + 1), t + 1)
        alone, _ = attention_forward(q[:, :, t:t + 1], k[:, :, near], v[:, :, near])
        assert_close(y[:, :, t:t + 1], alone, f"y at position {t}")


def test_what_lies_outside_the_window_changes_nothing(op):
    q, k, v = inputs()
    before = op.call(NAME, q, k, v, 3)
    k, v = k.copy(), v.copy()
    k[:, :, 1] += 5
    v[:, :, 1] -= 5
    after = op.call(NAME, q, k, v, 3)
    assert_close(np.delete(after, [1, 2, 3], axis=2), np.delete(before, [1, 2, 3], axis=2), "y outside the window")
    assert np.abs(after[:, :, 1:4] - before[:, :, 1:4]).max() > 0.1


def test_a_single_position_returns_its_value(op):
    q, k, v = inputs(T=1)
    assert_close(op.call(NAME, q, k, v, 4), v)


def test_inputs_are_left_untouched(op):
    q, k, v = inputs()
    before = q.copy(), k.copy(), v.copy()
    op.call(NAME, q, k, v, 2)
    for name, now, then in zip("qkv", (q, k, v), before, strict=True):
        assert_close(now, then, f"{name}, afterwards,")
