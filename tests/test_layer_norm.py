"""The contract of layer_norm."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

import minigpt
from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close, may_refuse
from minigpt.grading.op import Op
from minigpt.layer_norm import LayerNorm
from minigpt.reference import layer_norm as reference


def by_pytorch(x, weight, bias=None, eps=1e-5):
    return torch.nn.functional.layer_norm(x, weight.shape, weight, bias, eps)


REFERENCE = Op("layer_norm", "reference", vars(reference))
PYTORCH = Op("layer_norm", "PyTorch's own", {"layer_norm": by_pytorch}, is_torch=True)


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def arrays(*shape, seed=0):
    """x, weight, bias and dy."""
    C = shape[-1]
    inputs = 2 * values(*shape, seed=seed) + 1, values(C, seed=seed + 1), values(C, seed=seed + 2)
    return inputs, values(*shape, seed=seed + 3)


def named(run):
    y, gradients = run
    return dict(zip(("y", "dx", "dweight", "dbias"), (y, *gradients), strict=False))


def test_a_worked_example(op):
    # mean 4, variance (9 + 1 + 1 + 9) / 4 = 5; eps = 4 makes it 9, so the row becomes (-3, -1, 1, 3) / 3
    weight, bias = np.array([3.0, 3.0, 6.0, 3.0]), np.array([0.0, 0.0, 0.0, 10.0])
    x, dy = np.array([[1.0, 3.0, 5.0, 7.0]]), np.array([[1.0, 0.0, 0.0, 0.0]])
    y, (dx, dweight, dbias) = op.run((x, weight, bias), dy, eps=4.0)
    assert_close(y, np.array([[-3.0, -1.0, 2.0, 13.0]]))
    # dn = (3, 0, 0, 0), its mean 3/4; mean of dn n = -3/4; dx = (dn - 3/4 + 3/4 n) / 3
    assert_close(dx, np.array([[1.5, -1.0, -0.5, 0.0]]) / 3, "dx")
    assert_close(dweight, np.array([-1.0, 0.0, 0.0, 0.0]), "dweight")
    assert_close(dbias, np.array([1.0, 0.0, 0.0, 0.0]), "dbias")


def test_rows_have_mean_zero_and_biased_variance_one(op):
    y = op.forward((5 * values(3, 4, 8) + 2, np.ones(8), np.zeros(8)), eps=0.0)
    assert_close(y.mean(axis=-1), np.zeros((3, 4)), "mean of a row")
    assert_close((y**2).mean(axis=-1), np.ones((3, 4)), "variance of a row")


def test_weight_scales_and_bias_shifts_each_feature(op):
    (x, weight, bias), _ = arrays(5, 6)
    plain = op.forward((x, np.ones(6), np.zeros(6)))
    assert_close(op.forward((x, weight, bias)), plain * weight + bias)


def test_scaling_a_row_changes_nothing_but_for_eps(op):
    (x, weight, bias), _ = arrays(3, 8)
    assert_close(op.forward((4 * x, weight, bias), eps=16e-5), op.forward((x, weight, bias), eps=1e-5))


def test_a_row_does_not_depend_on_the_other_rows(op):
    (x, weight, bias), _ = arrays(4, 6)
    alone = op.forward((x[1:2], weight, bias))
    assert_close(op.forward((x, weight, bias))[1:2], alone)


def test_eps_is_inside_the_root(op):
    y = op.forward((np.array([[-0.5, 0.5]]), np.ones(2), np.zeros(2)), eps=0.75)
    assert_close(y, np.array([[-0.5, 0.5]]))               # sqrt(1/4 + 3/4) = 1


def test_eps_is_a_hundred_thousandth_unless_given(op):
    (x, weight, bias), _ = arrays(3, 8)
    assert_close(op.forward((x / 100, weight, bias)), op.forward((x / 100, weight, bias), eps=1e-5))


@pytest.mark.parametrize("shape", [(2, 3, 17), (4, 8)])
def test_it_agrees_with_pytorch(op, shape):
    inputs, dy = arrays(*shape)
    assert_close(named(op.run(inputs, dy)), named(PYTORCH.run(inputs, dy)), "result")


def test_without_a_bias_it_agrees_with_pytorch(op):
    (x, weight, _), dy = arrays(2, 3, 7)
    assert_close(named(op.run((x, weight), dy)), named(PYTORCH.run((x, weight), dy)), "result")


def test_the_gradient_of_a_row_sums_to_zero(op):
    inputs, dy = arrays(5, 9)
    _, (dx, _, _) = op.run(inputs, dy)
    assert_close(dx.sum(axis=-1), np.zeros(5), "sum of a row of dx")


def test_the_gradient_of_a_row_is_orthogonal_to_the_row(op):
    (x, weight, bias), dy = arrays(5, 9)
    _, (dx, _, _) = op.run((x, weight, bias), dy, eps=0.0)
    centred = x - x.mean(axis=-1, keepdims=True)
    assert_close((dx * centred).sum(axis=-1), np.zeros(5), "sum of dx (x - mean)", tolerance=(0, 2e-6))  # of float32


def test_a_constant_row_becomes_the_bias(op):
    (_, weight, bias), dy = arrays(2, 4)
    y, (dx, dweight, _) = op.run((np.full((2, 4), 3.0), weight, bias), dy)
    assert_close(y, np.stack([bias, bias]))
    assert_close(dweight, np.zeros(4), "dweight")
    dn = dy * weight
    assert_close(dx, (dn - dn.mean(axis=-1, keepdims=True)) / np.sqrt(1e-5), "dx")


def test_a_single_feature_becomes_the_bias(op):
    y, (dx, dweight, dbias) = op.run((values(3, 1), np.array([2.0]), np.array([7.0])), np.ones((3, 1)))
    assert_close(y, np.full((3, 1), 7.0))
    assert_close(dx, np.zeros((3, 1)), "dx")
    assert_close([dweight, dbias], [[0.0], [3.0]], "dweight, dbias")


def test_a_large_mean_does_not_swallow_a_small_spread(op):
    far = values(3, 8) + 2.0**15
    near = far - 2.0**15                                   # exact: no digit is lost here
    y = op.forward((far, np.ones(8), np.zeros(8)))
    tolerance = (0, 2e-2) if y.dtype == np.float32 else None           # float32 itself has steps of 2^-8 at 2^15
    assert_close(y, op.forward((near, np.ones(8), np.zeros(8))), tolerance=tolerance)


def test_large_and_small_rows_are_normalised_alike(op):
    (x, weight, bias), _ = arrays(3, 8)
    y = op.forward((np.concatenate([1e6 * x, 1e-6 * x]), weight, bias), eps=0.0)
    assert_close(y[:3], y[3:])


def test_no_rows_give_no_rows_and_gradients_of_zero(op):
    with may_refuse(op):
        got = named(op.run((np.zeros((2, 0, 4)), values(4), values(4)), np.zeros((2, 0, 4))))
        empty = np.zeros((2, 0, 4))
        assert_close(got, {"y": empty, "dx": empty, "dweight": np.zeros(4), "dbias": np.zeros(4)}, "result")


def test_strided_and_expanded_arrays_give_the_same(op):
    inputs = values(6, 4).T, values(12)[::2], values(12, seed=1)[::2]
    dy = values(1, 6, seed=3)
    expanded = np.lib.stride_tricks.as_strided(dy, (4, 6), (0, dy.strides[1]))
    expected = REFERENCE.run([a.copy() for a in inputs], expanded.copy())
    assert_close(named(op.run(inputs, expanded)), named(expected), "result")


def test_inputs_are_left_untouched(op):
    inputs, dy = arrays(3, 4)
    before = [a.copy() for a in (*inputs, dy)]
    op.run(inputs, dy)
    for a, b, name in zip((*inputs, dy), before, ("x", "weight", "bias", "dy"), strict=True):
        assert_close(a, b, f"{name}, afterwards,")


def test_float32_stays_float32(op):
    inputs, dy = arrays(3, 8)
    got = named(op.run([a.astype(np.float32) for a in inputs], dy.astype(np.float32)))
    assert all(a.dtype == np.float32 for a in got.values())
    assert_close(got, named(REFERENCE.run(inputs, dy)), "result")


@hypothesis.given(n=st.integers(1, 5), C=st.integers(2, 40), seed=st.integers(0, 9))
def test_any_shape_agrees_with_the_reference(op, n, C, seed):
    inputs, dy = arrays(n, C, seed=seed)
    assert_close(named(op.run(inputs, dy)), named(REFERENCE.run(inputs, dy)), "result")


@pytest.mark.parametrize("n_inputs", [2, 3])
def test_the_reference_gradients_equal_finite_differences(n_inputs):
    inputs, dy = arrays(3, 5)
    errors = gradient_errors(reference.layer_norm_forward, reference.layer_norm_backward, inputs[:n_inputs], dy)
    assert len(errors) == n_inputs
    assert max(errors) < 1e-8


def test_the_module_starts_with_weight_one_and_bias_zero():
    module = LayerNorm(3)
    assert (module.weight == 1).all()
    assert (module.bias == 0).all()


def test_the_module_without_bias_has_the_weight_only():
    assert list(LayerNorm(3, bias=False).state_dict()) == ["weight"]


def test_the_module_passes_its_parameters_and_eps_to_what_stands_in_for_layer_norm():
    module = LayerNorm(2, eps=0.5)
    with minigpt.use(layer_norm=lambda *args: args):
        assert module(7) == (7, module.weight, module.bias, 0.5)
