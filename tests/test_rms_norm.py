"""The contract of rms_norm."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

import minigpt
from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close, may_refuse
from minigpt.grading.op import Op
from minigpt.reference import rms_norm as reference
from minigpt.rms_norm import RMSNorm


def by_pytorch(x, weight, eps=1e-5):
    return torch.nn.functional.rms_norm(x, x.shape[-1:], weight, eps)


REFERENCE = Op("rms_norm", "reference", vars(reference))
PYTORCH = Op("rms_norm", "PyTorch's own", {"rms_norm": by_pytorch}, is_torch=True)


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def arrays(*shape, seed=0):
    """x, weight and dy."""
    inputs = 2 * values(*shape, seed=seed) + 1, values(shape[-1], seed=seed + 1)
    return inputs, values(*shape, seed=seed + 3)


def named(run):
    y, gradients = run
    return dict(zip(("y", "dx", "dweight"), (y, *gradients), strict=False))


def test_a_worked_example(op):
    # mean square (1 + 1 + 9 + 9) / 4 = 5; eps = 4 makes it 9, so the row becomes (1, -1, 3, 3) / 3
    weight = np.array([3.0, 3.0, 6.0, 1.0])
    x, dy = np.array([[1.0, -1.0, 3.0, 3.0]]), np.array([[1.0, 0.0, 0.0, 0.0]])
    y, (dx, dweight) = op.run((x, weight), dy, eps=4.0)
    assert_close(y, np.array([[1.0, -1.0, 6.0, 1.0]]))
    # dn = (3, 0, 0, 0); mean of dn n = 1/4; dx = (dn - n / 4) / 3
    assert_close(dx, np.array([[35.0, 1.0, -3.0, -3.0]]) / 36, "dx")
    assert_close(dweight, np.array([1 / 3, 0.0, 0.0, 0.0]), "dweight")


def test_without_a_weight_it_is_as_if_each_were_one(op):
    (x, _), dy = arrays(3, 6)
    y, (dx,) = op.run((x, None), dy)
    expected, (dx_expected, _) = op.run((x, np.ones(6)), dy)
    assert_close(y, expected)
    assert_close(dx, dx_expected, "dx")


def test_rows_have_mean_square_one(op):
    y = op.forward((5 * values(3, 4, 8) + 2, np.ones(8)), eps=0.0)
    assert_close((y**2).mean(axis=-1), np.ones((3, 4)), "mean square of a row")


def test_the_mean_is_not_subtracted(op):
    y = op.forward((np.full((2, 4), -3.0), np.ones(4)), eps=0.0)
    assert_close(y, -np.ones((2, 4)))


def test_the_weight_scales_each_feature(op):
    (x, weight), _ = arrays(5, 6)
    assert_close(op.forward((x, weight)), op.forward((x, np.ones(6))) * weight)


def test_a_negative_factor_turns_a_row_round_and_changes_nothing_else(op):
    (x, weight), _ = arrays(3, 8)
    assert_close(op.forward((-4 * x, weight), eps=16e-5), -op.forward((x, weight), eps=1e-5))


def test_a_row_does_not_depend_on_the_other_rows(op):
    (x, weight), _ = arrays(4, 6)
    assert_close(op.forward((x, weight))[1:2], op.forward((x[1:2], weight)))


def test_eps_is_inside_the_root(op):
    assert_close(op.forward((np.array([[-0.5, 0.5]]), np.ones(2)), eps=0.75), np.array([[-0.5, 0.5]]))


def test_eps_is_a_hundred_thousandth_unless_given(op):
    (x, weight), _ = arrays(3, 8)
    assert_close(op.forward((x / 100, weight)), op.forward((x / 100, weight), eps=1e-5))


@pytest.mark.parametrize("shape", [[2, 3, 17], [4, 8], [5]])
@pytest.mark.parametrize("has_weight", [True, False])
def test_it_agrees_with_pytorch(op, shape, has_weight):
    (x, weight), dy = arrays(*shape)
    inputs = x, weight if has_weight else None
    assert_close(named(op.run(inputs, dy)), named(PYTORCH.run(inputs, dy)), "result")


def test_the_gradient_of_a_row_is_orthogonal_to_the_row(op):
    (x, weight), dy = arrays(5, 9)
    _, (dx, _) = op.run((x, weight), dy, eps=0.0)
    assert_close((dx * x).sum(axis=-1), np.zeros(5), "sum of dx x", tolerance=(0, 2e-6))      # of float32


def test_a_row_of_zeros_stays_zero(op):
    (_, weight), dy = arrays(2, 4)
    y, (dx, dweight) = op.run((np.zeros((2, 4)), weight), dy)
    assert_close(y, np.zeros((2, 4)))
    assert_close(dweight, np.zeros(4), "dweight")
    assert_close(dx, dy * weight / np.sqrt(1e-5), "dx")


def test_of_a_single_feature_the_sign_is_left(op):
    y, (dx, dweight) = op.run((np.array([[0.5], [-3.0], [7.0]]), np.array([2.0])), np.ones((3, 1)), eps=0.0)
    assert_close(y, np.array([[2.0], [-2.0], [2.0]]))
    assert_close(dx, np.zeros((3, 1)), "dx")
    assert_close(dweight, [1.0], "dweight")


def test_large_and_small_rows_are_normalised_alike(op):
    (x, weight), _ = arrays(3, 8)
    y = op.forward((np.concatenate([1e6 * x, 1e-6 * x]), weight), eps=0.0)
    assert_close(y[:3], y[3:])


def test_no_rows_give_no_rows_and_a_gradient_of_zero(op):
    with may_refuse(op):
        empty = np.zeros((2, 0, 4))
        got = named(op.run((empty, values(4)), empty))
        assert_close(got, {"y": empty, "dx": empty, "dweight": np.zeros(4)}, "result")


def test_strided_and_expanded_arrays_give_the_same(op):
    inputs = values(6, 4).T, values(12)[::2]
    dy = values(1, 6, seed=3)
    expanded = np.lib.stride_tricks.as_strided(dy, (4, 6), (0, dy.strides[1]))
    expected = REFERENCE.run([a.copy() for a in inputs], expanded.copy())
    assert_close(named(op.run(inputs, expanded)), named(expected), "result")


@pytest.mark.parametrize("has_weight", [True, False])
def test_inputs_are_left_untouched(op, has_weight):
    (x, weight), dy = arrays(3, 4)
    before = [a.copy() for a in (x, weight, dy)]
    op.run((x, weight if has_weight else None), dy)
    for a, b, name in zip((x, weight, dy), before, ("x", "weight", "dy"), strict=True):
        assert_close(a, b, f"{name}, afterwards,")


def test_float32_stays_float32(op):
    inputs, dy = arrays(3, 8)
    got = named(op.run([a.astype(np.float32) for a in inputs], dy.astype(np.float32)))
    assert all(a.dtype == np.float32 for a in got.values())
    assert_close(got, named(REFERENCE.run(inputs, dy)), "result")


@hypothesis.given(n=st.integers(1, 5), C=st.integers(1, 40), seed=st.integers(0, 9))
def test_any_shape_agrees_with_the_reference(op, n, C, seed):
    inputs, dy = arrays(n, C, seed=seed)
    assert_close(named(op.run(inputs, dy)), named(REFERENCE.run(inputs, dy)), "result")


@pytest.mark.parametrize("has_weight", [True, False])
def test_the_reference_gradients_equal_finite_differences(has_weight):
    (x, weight), dy = arrays(3, 5)
    inputs = (x, weight if has_weight else None)
    errors = gradient_errors(reference.rms_norm_forward, reference.rms_norm_backward, inputs, dy)
    assert len(errors) == 1 + has_weight
    assert max(errors) < 1e-8


def test_the_module_starts_with_weight_one_and_has_no_bias():
    state = RMSNorm(3).state_dict()
    assert list(state) == ["weight"]
    assert state["weight"].tolist() == [1, 1, 1]


def test_the_module_passes_its_weight_and_eps_to_what_stands_in_for_rms_norm():
    module = RMSNorm(2, eps=0.5)
    with minigpt.use(rms_norm=lambda *args: args):
        assert module(7) == (7, module.weight, 0.5)
