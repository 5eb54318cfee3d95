"""The contract of swiglu."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from torch.nn import functional as F

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close, may_refuse
from minigpt.grading.op import Op
from minigpt.reference import swiglu as reference

REFERENCE = Op("swiglu", "reference", vars(reference))
PYTORCH = Op("swiglu", "PyTorch's own", {"swiglu": lambda gate, up: F.silu(gate) * up}, is_torch=True)


def arrays(*shape, seed=0):
    """gate, up and dy."""
    rng = np.random.default_rng(seed)
    gate, up, dy = (2 * rng.normal(size=shape) for _ in range(3))
    return (gate, up), dy


def named(run):
    y, (dgate, dup) = run
    return {"y": y, "dgate": dgate, "dup": dup}


def test_a_worked_example(op):
    # silu(ln 3) = 3/4 ln 3, with slope 3/4 + 3/16 ln 3
    g = np.log(3.0)
    y, (dgate, dup) = op.run((np.array([g]), np.array([4.0])), np.array([2.0]))
    assert_close(y, [3 * g])
    assert_close(dgate, [2 * 4 * (0.75 + g * 3 / 16)], "dgate")
    assert_close(dup, [2 * 0.75 * g], "dup")


def test_it_agrees_with_pytorch(op):
    inputs, dy = arrays(3, 4, 50)
    assert_close(named(op.run(inputs, dy)), named(PYTORCH.run(inputs, dy)), "result")


def test_it_is_linear_in_up(op):
    (gate, up), _ = arrays(50)
    (_, other), _ = arrays(50, seed=1)
    apart = 2 * op.forward((gate, up)) - 3 * op.forward((gate, other))
    assert_close(op.forward((gate, 2 * up - 3 * other)), apart, tolerance=(1e-5, 1e-5))    # float32 sums of some 50


def test_a_gate_of_zero_stops_the_value_but_not_its_own_gradient(op):
    (_, up), dy = arrays(20)
    y, (dgate, dup) = op.run((np.zeros(20), up), dy)
    assert_close(y, np.zeros(20))
    assert_close(dgate, dy * up / 2, "dgate")
    assert_close(dup, np.zeros(20), "dup")


def test_a_gate_far_above_zero_multiplies_and_far_below_it_closes(op):
    gate, up = np.array([100.0, 1e4, -100.0, -1e4]), np.full(4, -3.0)
    y, (dgate, dup) = op.run((gate, up), np.ones(4))
    assert_close(y, [-300.0, -3e4, 0.0, 0.0])
    assert_close(dgate, [-3.0, -3.0, 0.0, 0.0], "dgate")
    assert_close(dup, [100.0, 1e4, 0.0, 0.0], "dup")


@pytest.mark.parametrize("shape", [[], [2, 0, 3]])
def test_a_number_and_an_empty_array_keep_their_shape(op, shape):
    with may_refuse(op):
        inputs, dy = (np.full(shape, 1.5), np.full(shape, -0.5)), np.full(shape, 2.0)
        assert_close(named(op.run(inputs, dy)), named(PYTORCH.run(inputs, dy)), "result")


def test_strided_and_expanded_arrays_give_the_same(op):
    (gate, up), dy = arrays(8, 6)
    gate, up = gate.T[::2], up.T[1::2]
    expanded = np.lib.stride_tricks.as_strided(dy, (3, 8), (0, dy.strides[0]))
    expected = REFERENCE.run((gate.copy(), up.copy()), expanded.copy())
    assert_close(named(op.run((gate, up), expanded)), named(expected), "result")


def test_both_halves_of_one_array_may_be_given(op):
    (whole, _), dy = arrays(3, 10)
    inputs = whole[:, :5], whole[:, 5:]
    expected = REFERENCE.run([a.copy() for a in inputs], dy[:, :5].copy())
    assert_close(named(op.run(inputs, dy[:, :5])), named(expected), "result")


def test_inputs_are_left_untouched(op):
    inputs, dy = arrays(3, 4)
    before = [a.copy() for a in (*inputs, dy)]
    op.run(inputs, dy)
    for a, b, name in zip((*inputs, dy), before, ("gate", "up", "dy"), strict=True):
        assert_close(a, b, f"{name}, afterwards,")


def test_float32_stays_float32(op):
    inputs, dy = arrays(100)
    got = named(op.run([a.astype(np.float32) for a in inputs], dy.astype(np.float32)))
    assert all(a.dtype == np.float32 for a in got.values())
    assert_close(got, named(REFERENCE.run(inputs, dy)), "result")


@hypothesis.given(shape=st.lists(st.integers(0, 5), min_size=1, max_size=3), seed=st.integers(0, 9))
def test_any_shape_agrees_with_the_reference(op, shape, seed):
    inputs, dy = arrays(*shape, seed=seed)
    assert_close(named(op.run(inputs, dy)), named(REFERENCE.run(inputs, dy)), "result")


def test_the_reference_gradients_equal_finite_differences():
    inputs, dy = arrays(4, 5)
    errors = gradient_errors(reference.swiglu_forward, reference.swiglu_backward, inputs, dy)
    assert len(errors) == 2
    assert max(errors) < 1e-8
