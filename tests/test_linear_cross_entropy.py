"""The contract of linear_cross_entropy."""
import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

import minigpt
from minigpt import linear_cross_entropy
from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close, refused
from minigpt.grading.op import Op
from minigpt.reference import linear_cross_entropy as reference


def by_pytorch(x, weight, targets, ignore_index=-100):
    logits = torch.nn.functional.linear(x, weight)
    return torch.nn.functional.cross_entropy(logits.reshape(-1, len(weight)), targets.reshape(-1),
                                             ignore_index=ignore_index)


REFERENCE = Op("linear_cross_entropy", "reference", vars(reference))
PYTORCH = Op("linear_cross_entropy", "PyTorch's own", {"linear_cross_entropy": by_pytorch}, is_torch=True)
ONE = np.array(1.0)


def example(*shape, C=4, V=7, seed=0):
    """Hidden states, weight and targets."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(*shape, C)), rng.normal(size=(V, C)), rng.integers(0, V, shape)


def named(run):
    loss, (dx, dweight) = run
    return {"loss": loss, "dx": dx, "dweight": dweight}


def test_a_worked_example(op):
    # the logits of x are log 1, log 2, log 5, and the target is the last: p = (1/8, 2/8, 5/8), dz = p - (0, 0, 1)
    x, weight = np.array([[1.0, 0.0]]), np.stack([np.log([1.0, 2.0, 5.0]), [1.0, -1.0, 2.0]], axis=1)
    loss, (dx, dweight) = op.run((x, weight, np.array([2])), np.array(2.0))
    dz = np.array([1 / 4, 1 / 2, -3 / 4])
    assert_close(loss, math.log(8 / 5), "loss")
    assert_close(dx, np.array([[math.log(2) / 2 - math.log(5) * 3 / 4, 1 / 4 - 1 / 2 - 3 / 2]]), "dx")
    assert_close(dweight, np.stack([dz, [0, 0, 0]], axis=1), "dweight")


@pytest.mark.parametrize("V", [1, 2, 50])
def test_hidden_states_of_zero_know_nothing_and_cost_log_v(op, V):
    _, weight, targets = example(3, V=V)
    assert_close(op.forward((np.zeros((3, 4)), weight, targets)), math.log(V), "loss")


def test_it_agrees_with_pytorch(op):
    inputs = example(3, 8, V=11)
    assert_close(named(op.run(inputs, np.array(0.7))), named(PYTORCH.run(inputs, np.array(0.7))), "result")


@pytest.mark.parametrize("ignore_index", [-100, -1, 3])
def test_with_ignored_targets_it_agrees_with_pytorch(op, ignore_index):
    x, weight, targets = example(4, 5)
    targets[0], targets[2, 3:] = ignore_index, ignore_index
    got = op.run((x, weight, targets), ONE, ignore_index=ignore_index)
    expected = PYTORCH.run((x, weight, targets), ONE, ignore_index=ignore_index)
    assert_close(named(got), named(expected), "result")


def test_ignored_rows_are_as_if_left_out(op):
    (x, weight, _), targets = example(6), np.array([1, -100, 0, 4, -100, 2])
    got, kept = named(op.run((x, weight, targets), ONE)), targets != -100
    expected = named(op.run((x[kept], weight, targets[kept]), ONE))
    assert_close(got["loss"], expected["loss"], "loss")
    assert_close(got["dweight"], expected["dweight"], "dweight")
    assert_close(got["dx"][kept], expected["dx"], "dx of counted rows")
    assert_close(got["dx"][~kept], np.zeros((2, 4)), "dx of ignored rows")


def test_if_no_target_counts_loss_and_gradients_are_zero(op):
    x, weight, targets = example(2, 3)
    got = op.run((x, weight, np.full_like(targets, -100)), ONE)
    expected = {"loss": np.array(0.0), "dx": np.zeros_like(x), "dweight": np.zeros_like(weight)}
    assert_close(named(got), expected, "result")


def test_one_more_row_for_all_tokens_changes_nothing(op):
    x, weight, targets = example(5)
    shift = np.random.default_rng(1).normal(size=4)        # adds x . shift to every logit of a row
    expected = named(op.run((x, weight, targets), ONE))
    got = named(op.run((x, weight + shift, targets), ONE))
    for name in ("loss", "dx", "dweight"):
        assert_close(got[name], expected[name], name)


def test_the_gradient_of_the_weight_sums_to_zero_over_the_tokens(op):
    _, (_, dweight) = op.run(example(6), ONE)
    assert_close(dweight.sum(axis=0), np.zeros(4), "sum of dweight")


def test_the_gradients_grow_with_dy(op):
    inputs = example(6)
    once, thrice = op.run(inputs, ONE)[1], op.run(inputs, np.array(-3.0))[1]
    assert_close(thrice[0], -3 * once[0], "dx")
    assert_close(thrice[1], -3 * once[1], "dweight")


def test_a_batch_costs_the_mean_of_its_halves(op):
    x, weight, targets = example(8)
    halves = [op.run((x[part], weight, targets[part]), ONE) for part in (slice(4), slice(4, 8))]
    loss, (_, dweight) = op.run((x, weight, targets), ONE)
    assert_close(loss, np.mean([half[0] for half in halves]), "loss")
    assert_close(dweight, (halves[0][1][1] + halves[1][1][1]) / 2, "dweight")


def test_large_logits_do_not_overflow(op):
    x, weight = np.array([[100.0]]), np.array([[100.0], [-100.0]])
    loss, (dx, dweight) = op.run((x, weight, np.array([1])), ONE)
    assert_close(loss, 2e4, "loss")
    assert_close(dx, np.array([[200.0]]), "dx")
    assert_close(dweight, np.array([[100.0], [-100.0]]), "dweight")


@pytest.mark.parametrize("bad", [-1, 7, 100])
def test_a_target_outside_the_vocabulary_is_refused(op, bad):
    x, weight, _ = example(2)
    with refused(f"the target {bad} of V=7 tokens", IndexError, ValueError):
        op.forward((x, weight, np.array([0, bad])))


def test_a_single_row_needs_no_leading_axis(op):
    x, weight, targets = example(1)
    got = named(op.run((x[0], weight, np.array(targets[0])), ONE))
    expected = named(REFERENCE.run((x, weight, targets), ONE))
    assert_close(got, expected | {"dx": expected["dx"][0]}, "result")


def test_no_rows_cost_nothing(op):
    inputs = example(0)
    expected = {"loss": np.array(0.0), "dx": np.zeros((0, 4)), "dweight": np.zeros((7, 4))}
    assert_close(named(op.run(inputs, ONE)), expected, "result")


def test_strided_and_expanded_arrays_give_the_same(op):
    x, weight, targets = example(8, V=14)
    expanded = np.lib.stride_tricks.as_strided(x, (4, 4), (0, x.strides[1]))
    for rows in (np.ascontiguousarray(x.T).T[::2], expanded):
        inputs = rows, weight[::2], targets[::2] % 7
        assert_close(named(op.run(inputs, ONE)), named(REFERENCE.run([a.copy() for a in inputs], ONE)), "result")


def test_inputs_are_left_untouched(op):
    inputs = example(3)
    before = [a.copy() for a in inputs]
    op.run(inputs, ONE)
    for name, a, b in zip(("x", "weight", "targets"), inputs, before, strict=True):
        assert_close(a, b, f"{name}, afterwards,")


def test_float32_stays_float32(op):
    x, weight, targets = example(9, V=30)
    got = named(op.run((x.astype(np.float32), weight.astype(np.float32), targets), ONE))
    assert all(a.dtype == np.float32 for a in got.values())
    assert_close(got, named(REFERENCE.run((x, weight, targets), ONE)), "result")


@hypothesis.given(n=st.integers(1, 6), C=st.integers(1, 9), V=st.integers(1, 40), seed=st.integers(0, 9))
def test_any_shape_agrees_with_the_reference(op, n, C, V, seed):
    x, weight, targets = example(n, C=C, V=V, seed=seed)
    targets[::3] = -100
    assert_close(named(op.run((x, weight, targets), ONE)), named(REFERENCE.run((x, weight, targets), ONE)), "result")


def test_the_reference_gradients_equal_finite_differences():
    x, weight, _ = example(2, 3)
    inputs = x, weight, np.array([[0, -100, 4], [2, 2, 1]])
    forward, backward = reference.linear_cross_entropy_forward, reference.linear_cross_entropy_backward
    assert max(gradient_errors(forward, backward, inputs, ONE)) < 1e-8


@pytest.mark.parametrize("name", ["linear", "cross_entropy"])
def test_it_computes_what_stands_in_for_its_parts(name):
    x, weight, targets = map(torch.from_numpy, example(3))
    def nothing(*args):
        return torch.zeros(3, 7, dtype=torch.float64) if name == "linear" else torch.tensor(5.0)
    with minigpt.use(**{name: nothing}):
        loss = linear_cross_entropy.linear_cross_entropy(x, weight, targets)
    assert abs(loss.item() - {"linear": math.log(7), "cross_entropy": 5.0}[name]) < 1e-12
