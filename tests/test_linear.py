"""The contract of linear."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

import minigpt
from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close, may_refuse
from minigpt.grading.op import Op
from minigpt.linear import Linear
from minigpt.reference import linear as reference

REFERENCE = Op("linear", "reference", vars(reference))
PYTORCH = Op("linear", "PyTorch's own", {"linear": torch.nn.functional.linear}, is_torch=True)


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def arrays(n, d_in, d_out, seed=0):
    """x, weight, bias and dy."""
    inputs = values(n, d_in, seed=seed), values(d_out, d_in, seed=seed + 1), values(d_out, seed=seed + 2)
    return inputs, values(n, d_out, seed=seed + 3)


def named(run):
    y, gradients = run
    return dict(zip(("y", "dx", "dweight", "dbias"), (y, *gradients), strict=False))


def test_a_worked_example(op):
    x, weight = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0], [0.0, 1.0]])
    y, (dx, dweight, dbias) = op.run((x, weight, np.array([10.0, 20.0, 30.0])), np.array([[1.0, 0.0, 2.0]]))
    assert_close(y, np.array([[21.0, 37.0, 32.0]]))
    assert_close(dx, np.array([[3.0, 6.0]]), "dx")
    assert_close(dweight, np.array([[1.0, 2.0], [0.0, 0.0], [2.0, 4.0]]), "dweight")
    assert_close(dbias, np.array([1.0, 0.0, 2.0]), "dbias")


def test_the_weight_is_out_by_in_even_when_it_is_square(op):
    weight = np.array([[0.0, 1.0], [0.0, 0.0]])            # output 0 reads input 1; output 1 reads nothing
    y, (dx, dweight) = op.run((np.array([[2.0, 5.0]]), weight), np.array([[1.0, 7.0]]))
    assert_close(y, np.array([[5.0, 0.0]]))
    assert_close(dx, np.array([[0.0, 1.0]]), "dx")
    assert_close(dweight, np.array([[2.0, 5.0], [14.0, 35.0]]), "dweight")


def test_rows_add_up_in_the_gradients_of_weight_and_bias(op):
    x, weight, dy = np.array([[1.0], [2.0], [4.0]]), np.array([[3.0]]), np.array([[1.0], [1.0], [10.0]])
    _, (_, dweight, dbias) = op.run((x, weight, np.array([0.0])), dy)
    assert_close(dweight, np.array([[43.0]]), "dweight")
    assert_close(dbias, np.array([12.0]), "dbias")


def test_it_agrees_with_pytorch(op):
    inputs, dy = arrays(7, 5, 3)
    assert_close(named(op.run(inputs, dy)), named(PYTORCH.run(inputs, dy)), "result")


def test_without_a_bias_it_agrees_with_pytorch(op):
    (x, weight, _), dy = arrays(7, 5, 3)
    assert_close(named(op.run((x, weight), dy)), named(PYTORCH.run((x, weight), dy)), "result")


def test_of_zeros_it_is_the_bias(op):
    bias = values(3)
    assert_close(op.forward((np.zeros((2, 5)), values(3, 5), bias)), np.stack([bias, bias]))


def test_of_a_sum_it_is_the_sum_of_both(op):
    a, b, weight = values(4, 5), values(4, 5, seed=1), values(3, 5, seed=2)
    assert_close(op.forward((a + b, weight)), op.forward((a, weight)) + op.forward((b, weight)))


@pytest.mark.parametrize("shape", [(), (1, 1), (2, 3), (2, 1, 3)])
def test_leading_axes_are_rows(op, shape):
    (x, weight, bias), dy = arrays(int(np.prod(shape)), 5, 4)
    rows = named(op.run((x, weight, bias), dy))
    got = named(op.run((x.reshape(*shape, 5), weight, bias), dy.reshape(*shape, 4)))
    expected = rows | {"y": rows["y"].reshape(*shape, 4), "dx": rows["dx"].reshape(*shape, 5)}
    assert_close(got, expected, "result")


def test_one_feature_in_and_out_is_a_product(op):
    y, (dx, dweight) = op.run((np.array([[3.0]]), np.array([[-2.0]])), np.array([[5.0]]))
    assert_close([y, dx, dweight], [[[-6.0]], [[-10.0]], [[15.0]]], "y, dx, dweight")


def test_no_rows_give_no_rows_and_gradients_of_zero(op):
    with may_refuse(op):
        inputs, dy = (np.zeros((2, 0, 5)), values(3, 5), values(3)), np.zeros((2, 0, 3))
        expected = {"y": dy, "dx": inputs[0], "dweight": np.zeros((3, 5)), "dbias": np.zeros(3)}
        assert_close(named(op.run(inputs, dy)), expected, "result")


def test_large_and_tiny_values_are_multiplied_alike(op):
    y = op.forward((np.array([[1e15, 2e-15]]), np.array([[1e-15, 1e15], [1e15, 0.0]]), np.zeros(2)))
    assert_close(y, np.array([[3.0, 1e30]]))


def test_strided_and_expanded_arrays_give_the_same(op):
    inputs = values(6, 4).T, values(12, 6, seed=1)[::4], values(3, seed=2)
    dy = np.broadcast_to(values(1, 3, seed=3), (4, 3)).copy()
    expanded = np.lib.stride_tricks.as_strided(dy, (4, 3), (0, dy.strides[1]))
    expected = REFERENCE.run([a.copy() for a in inputs], dy)
    assert_close(named(op.run(inputs, expanded)), named(expected), "result")


def test_inputs_are_left_untouched(op):
    inputs, dy = arrays(3, 4, 2)
    before = [a.copy() for a in (*inputs, dy)]
    op.run(inputs, dy)
    for a, b, name in zip((*inputs, dy), before, ("x", "weight", "bias", "dy"), strict=True):
        assert_close(a, b, f"{name}, afterwards,")


def test_float32_stays_float32(op):
    inputs, dy = arrays(3, 4, 2)
    got = named(op.run([a.astype(np.float32) for a in inputs], dy.astype(np.float32)))
    assert all(a.dtype == np.float32 for a in got.values())
    assert_close(got, named(REFERENCE.run(inputs, dy)), "result")


@hypothesis.given(n=st.integers(1, 5), d_in=st.integers(1, 9), d_out=st.integers(1, 9), seed=st.integers(0, 9))
def test_any_shape_agrees_with_the_reference(op, n, d_in, d_out, seed):
    inputs, dy = arrays(n, d_in, d_out, seed=seed)
    assert_close(named(op.run(inputs, dy)), named(REFERENCE.run(inputs, dy)), "result")


@pytest.mark.parametrize("n_inputs", [2, 3])
def test_the_reference_gradients_equal_finite_differences(n_inputs):
    inputs, dy = arrays(3, 4, 2)
    errors = gradient_errors(reference.linear_forward, reference.linear_backward, inputs[:n_inputs], dy)
    assert len(errors) == n_inputs
    assert max(errors) < 1e-8


def test_the_module_starts_with_a_small_normal_weight_and_bias_zero():
    module = Linear(200, 300, generator=torch.Generator().manual_seed(0))
    assert module.weight.shape == (300, 200)
    assert abs(module.weight.std().item() - 0.02) < 4 * 0.02 / (2 * 60_000) ** 0.5     # four standard errors
    assert abs(module.weight.mean().item()) < 4 * 0.02 / 60_000 ** 0.5
    assert not module.bias.any()


def test_the_module_without_bias_has_the_weight_only():
    assert list(Linear(2, 3, bias=False).state_dict()) == ["weight"]


def test_the_module_starts_alike_from_the_same_generator():
    a, b = (Linear(3, 2, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(a.weight, b.weight)


def test_the_module_computes_what_stands_in_for_linear():
    module, x = Linear(3, 2), torch.ones(1, 3)
    with minigpt.use(linear=lambda x, weight, bias=None: x @ weight.T + 7):
        torch.testing.assert_close(module(x), x @ module.weight.T + 7)
