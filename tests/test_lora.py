"""The contract of LoRA."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close, may_refuse, untouched
from minigpt.grading.op import Op
from minigpt.reference import lora as reference


def by_pytorch(x, weight, a, b, bias=None, scale=1.0):
    return torch.nn.functional.linear(x, weight + scale * b @ a, bias)


REFERENCE = Op("lora", "reference", vars(reference))
PYTORCH = Op("lora", "PyTorch, merged", {"lora": by_pytorch}, is_torch=True)


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def arrays(n, d_in, d_out, rank, seed=0):
    """x, weight, a, b, bias and dy."""
    shapes = (n, d_in), (d_out, d_in), (rank, d_in), (d_out, rank), (d_out,), (n, d_out)
    *inputs, dy = (values(*shape, seed=seed + i) for i, shape in enumerate(shapes))
    return inputs, dy


def named(run):
    y, gradients = run
    return dict(zip(("y", "dx", "dweight", "da", "db", "dbias"), (y, *gradients), strict=False))


def test_a_worked_example(op):
    # u = 1 + 2 = 3; y = (1, 2) + 2 * 3 * (1, -1)
    inputs = [np.array(x) for x in ([[1.0, 2.0]], [[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]], [[1.0], [-1.0]])]
    y, (dx, dweight, da, db) = op.run(inputs, np.array([[1.0, 0.0]]), scale=2.0)
    assert_close(y, np.array([[7.0, -4.0]]))
    assert_close(dx, np.array([[1.0 + 2, 0 + 2]]), "dx")
    assert_close(dweight, np.array([[1.0, 2.0], [0.0, 0.0]]), "dweight")
    assert_close(da, np.array([[2.0, 4.0]]), "da")
    assert_close(db, np.array([[6.0], [0.0]]), "db")


@pytest.mark.parametrize("n_inputs", [4, 5])
def test_it_agrees_with_pytorch(op, n_inputs):
    inputs, dy = arrays(7, 5, 3, 2)
    inputs = inputs[:n_inputs]
    assert_close(named(op.run(inputs, dy, scale=0.7)), named(PYTORCH.run(inputs, dy, scale=0.7)), "result")


def test_with_b_zero_it_is_the_plain_layer_and_only_b_learns(op):
    (x, weight, a, b, bias), dy = arrays(6, 5, 4, 2)
    y, (_, _, da, db, _) = op.run((x, weight, a, np.zeros_like(b), bias), dy, scale=2.0)
    assert_close(y, x @ weight.T + bias)
    assert_close(da, np.zeros_like(a), "da")
    assert np.abs(db).max() > 0.1


def test_the_merged_weight_computes_the_same(op):
    (x, weight, a, b, bias), _ = arrays(6, 5, 4, 2)
    merged = op.call("merged", weight, a, b, 0.5)
    assert_close(x @ merged.T + bias, op.forward((x, weight, a, b, bias), scale=0.5))
    assert_close(op.call("merged", merged, a, b, -0.5), weight, "weight, taken off again,", tolerance=(1e-12, 1e-12))


def test_the_scale_is_one_unless_given(op):
    inputs, _ = arrays(3, 4, 5, 2)
    assert_close(op.forward(inputs), op.forward(inputs, scale=1.0))


def test_a_single_row_and_a_rank_of_one(op):
    inputs, dy = arrays(1, 1, 1, 1)
    assert_close(named(op.run(inputs, dy)), named(REFERENCE.run(inputs, dy)), "result")


def test_no_rows_give_no_rows_and_gradients_of_zero(op):
    with may_refuse(op):
        inputs, dy = arrays(0, 4, 3, 2)
        got = named(op.run(inputs, dy))
        assert got["y"].shape == (0, 3)
        assert all(np.abs(got[name]).sum() == 0 for name in ("dweight", "da", "db", "dbias"))


def test_large_numbers_do_not_overflow(op):
    inputs, dy = arrays(3, 4, 5, 2)
    scaled = [1e12 * inputs[0], *inputs[1:]]
    expected = op.forward([*inputs[:4], 1e-12 * inputs[4]])
    assert_close(op.forward(scaled) / 1e12, expected, tolerance=(1e-5, 1e-5))
    assert np.isfinite(op.run(scaled, dy)[1][2]).all()


def test_strided_and_expanded_arrays_give_the_same(op):
    (x, weight, a, b, bias), dy = arrays(6, 5, 4, 2)
    strided = x[::2], weight.T.copy().T, a[:, ::-1][:, ::-1], b, bias
    dy = np.lib.stride_tricks.as_strided(dy, (3, 4), (0, dy.strides[1]))
    expected = named(REFERENCE.run([array.copy() for array in strided], dy.copy()))
    assert_close(named(op.run(strided, dy)), expected, "result")


def test_inputs_are_left_untouched(op):
    (x, weight, a, b, bias), dy = arrays(3, 4, 5, 2)
    with untouched(x=x, weight=weight, a=a, b=b, bias=bias, dy=dy):
        op.run((x, weight, a, b, bias), dy)
        op.call("merged", weight, a, b)


def test_float32_stays_float32(op):
    inputs, dy = arrays(3, 4, 5, 2)
    got = named(op.run([x.astype(np.float32) for x in inputs], dy.astype(np.float32), scale=0.5))
    assert all(array.dtype == np.float32 for array in got.values())


@hypothesis.given(n=st.integers(1, 5), d_in=st.integers(1, 8), d_out=st.integers(1, 8), rank=st.integers(1, 4),
                  seed=st.integers(0, 9))
def test_any_shape_agrees_with_the_reference(op, n, d_in, d_out, rank, seed):
    inputs, dy = arrays(n, d_in, d_out, rank, seed)
    inputs[0], dy = inputs[0].reshape(n, 1, d_in), dy.reshape(n, 1, d_out)
    got = named(op.run(inputs, dy, scale=1.5))
    assert_close(got, named(REFERENCE.run(inputs, dy, scale=1.5)), "result")


def test_the_reference_gradients_equal_finite_differences():
    inputs, dy = arrays(3, 4, 5, 2)
    assert max(gradient_errors(reference.lora_forward, reference.lora_backward, inputs, dy)) < 1e-8
