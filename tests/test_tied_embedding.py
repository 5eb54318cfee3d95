"""The contract of the exercise backprop.5: its answer is not in the package."""
import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import torch
from solutions.tied_embedding import tied_embedding_backward, tied_embedding_forward

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close, untouched
from minigpt.grading.op import Op


def by_pytorch(before, targets, E, W, b):
    z = torch.tanh(E[before] @ W.T + b) @ E.T
    return torch.nn.functional.cross_entropy(z, targets)


PYTORCH = Op("tied_embedding", "PyTorch", {"tied_embedding": by_pytorch}, is_torch=True)
ONE = np.array(1.0)


def some(N=40, V=7, C=5, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.integers(V, size=N), rng.integers(V, size=N), rng.normal(size=(V, C)), rng.normal(size=(C, C)),
            rng.normal(size=C))


def named(run):
    loss, gradients = run
    return {"the loss": loss, **dict(zip(("dE", "dW", "db"), gradients, strict=True))}


def agrees(op, inputs, dy=ONE):
    assert_close(named(op.run(inputs, dy)), named(PYTORCH.run(inputs, dy)), "result")


def test_a_worked_example(op):
    # E = (0, 0) for both signs: h = tanh(b) = 3/5 and 0, the scores are 0 and 0, so dz = (1/2, -1/2), and dh = 0
    E, W, b = np.zeros((2, 2)), np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([math.log(2), 0.0])
    loss, (dE, dW, db) = op.run((np.array([0]), np.array([1]), E, W, b), ONE)
    assert_close(loss, math.log(2), "the loss")
    assert_close(dE, np.array([[0.3, 0.0], [-0.3, 0.0]]), "dE")
    assert_close(dW, np.zeros((2, 2)), "dW")
    assert_close(db, np.zeros(2), "db")


def test_it_agrees_with_pytorch(op):
    agrees(op, some())


def test_a_sign_that_is_looked_up_and_one_that_never_is_both_have_a_gradient(op):
    _, targets, *params = some()
    _, (dE, _, _) = op.run((np.zeros(40, int), targets, *params), ONE)
    _, (expected, _, _) = PYTORCH.run((np.zeros(40, int), targets, *params), ONE)
    assert_close(dE[0], expected[0], "dE of the sign that is looked up")
    assert_close(dE[1:], expected[1:], "dE of the signs that never are")


def test_signs_that_all_differ_agree_as_well(op):
    agrees(op, (np.arange(7), np.roll(np.arange(7), 1), *some()[2:]))


def test_a_single_place_agrees(op):
    agrees(op, some(N=1))


def test_a_matrix_that_is_its_own_transpose_agrees(op):
    before, targets, E, W, b = some()
    agrees(op, (before, targets, E, W + W.T, b))


def test_where_all_sizes_are_equal_no_shape_helps(op):
    agrees(op, some(N=6, V=6, C=6))


def test_what_comes_back_to_the_loss_multiplies_all(op):
    agrees(op, some(), np.array(-3.0))


def test_the_bias_of_a_saturated_network_has_hardly_a_gradient(op):
    *rest, b = some()
    _, (_, _, db) = op.run((*rest, b + 40.0), ONE)
    assert_close(db, np.zeros(5), "db", tolerance=(0, 1e-12))


def test_inputs_are_left_untouched(op):
    before, targets, E, W, b = some()
    with untouched(before=before, targets=targets, E=E, W=W, b=b):
        op.run((before, targets, E, W, b), ONE)


@hypothesis.given(N=st.integers(1, 9), V=st.integers(1, 6), C=st.integers(1, 5), seed=st.integers(0, 99))
def test_any_shape_agrees_with_pytorch(op, N, V, C, seed):
    agrees(op, some(N, V, C, seed))


def test_the_solution_s_gradient_equals_finite_differences():
    errors = gradient_errors(tied_embedding_forward, tied_embedding_backward, some(N=9, V=4, C=3), ONE)
    assert max(errors) < 1e-8
