"""The contract of the exercise transformer.4: its answer is not in the package."""
import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from solutions.soft_cap import soft_cap_backward, soft_cap_forward

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close, may_refuse
from minigpt.grading.op import Op

PYTORCH = Op("soft_cap", "PyTorch", {"soft_cap": lambda x, cap: cap * torch.tanh(x / cap)}, is_torch=True)


def values(*shape, seed=0):
    return 3 * np.random.default_rng(seed).normal(size=shape)


def named(run):
    y, (dx,) = run
    return {"y": y, "dx": dx}


def test_a_worked_example(op):
    # tanh(ln 2) = (2 - 1/2) / (2 + 1/2) = 3/5, and its slope is 1 - 9/25 = 16/25
    x = 10 * math.log(2) * np.array([0.0, 1.0, -1.0])
    y, (dx,) = op.run((x,), np.array([1.0, 1.0, 2.0]), cap=10.0)
    assert_close(y, np.array([0.0, 6.0, -6.0]))
    assert_close(dx, np.array([1.0, 0.64, 1.28]), "dx")


@pytest.mark.parametrize("cap", [0.5, 2.0, 30.0])
def test_it_agrees_with_pytorch(op, cap):
    x, dy = values(2, 3, 5), values(2, 3, 5, seed=1)
    assert_close(named(op.run((x,), dy, cap=cap)), named(PYTORCH.run((x,), dy, cap=cap)), "result")


@pytest.mark.parametrize("cap", [1, 5])
def test_a_cap_may_be_a_whole_number(op, cap):
    x, dy = values(4, 5), values(4, 5, seed=1)
    assert_close(named(op.run((x,), dy, cap=cap)), named(PYTORCH.run((x,), dy, cap=float(cap))), "result")


def test_no_score_leaves_the_cap(op):
    y = op.forward((values(1000),), cap=2.0)
    assert np.abs(y).max() <= 2.0


def test_small_scores_are_hardly_changed(op):
    # tanh(u) = u - u^3/3 + ..., so the first change is x^3 / (3 cap^2): a third of a thousandth for x = 1, cap = 30
    y, (dx,) = op.run((np.array([1.0, -0.1]),), np.ones(2), cap=30.0)
    assert_close(y, np.array([1.0, -0.1]), "y", (5e-4, 0))
    assert_close(dx, np.ones(2), "dx", (2e-3, 0))


def test_the_order_of_scores_stays(op):
    x = values(40)
    assert_close(op.forward((x,), cap=5.0).argsort(), x.argsort(), "order of the scores")


def test_the_cap_is_reached_smoothly_and_not_cut_off(op):
    y, (dx,) = op.run((np.array([1.5, 3.0]),), np.ones(2), cap=3.0)
    assert_close(y, 3 * np.tanh([0.5, 1.0]))
    assert_close(dx, 1 - np.tanh([0.5, 1.0])**2, "dx")


def test_huge_scores_end_at_the_cap_with_gradient_zero(op):
    y, (dx,) = op.run((np.array([1e4, -1e4]),), np.ones(2), cap=10.0)
    assert_close(y, np.array([10.0, -10.0]))
    assert_close(dx, np.zeros(2), "dx")


def test_no_scores_give_no_scores(op):
    with may_refuse(op):
        y, (dx,) = op.run((np.zeros((0, 3)),), np.zeros((0, 3)), cap=1.0)
        assert y.shape == dx.shape == (0, 3)


def test_float32_stays_float32(op):
    x, dy = values(3, 4).astype(np.float32), values(3, 4, seed=1).astype(np.float32)
    got = named(op.run((x,), dy, cap=2.0))
    assert all(a.dtype == np.float32 for a in got.values())


def test_inputs_are_left_untouched(op):
    x, dy = values(3, 4), values(3, 4, seed=1)
    before = x.copy(), dy.copy()
    op.run((x,), dy, cap=2.0)
    assert_close(x, before[0], "x, afterwards,")
    assert_close(dy, before[1], "dy, afterwards,")


@hypothesis.given(shape=st.sampled_from([(5,), (1, 7), (3, 4), (2, 3, 6)]), cap=st.floats(0.1, 50),
                  seed=st.integers(0, 99))
def test_any_shape_agrees_with_pytorch(op, shape, cap, seed):
    x, dy = values(*shape, seed=seed), values(*shape, seed=seed + 1)
    assert_close(named(op.run((x,), dy, cap=cap)), named(PYTORCH.run((x,), dy, cap=cap)), "result")


def test_the_solution_s_gradient_equals_finite_differences():
    [error] = gradient_errors(soft_cap_forward, soft_cap_backward, (values(3, 4),), values(3, 4, seed=1), cap=4.0)
    assert error < 1e-8
