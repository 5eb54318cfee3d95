"""The contract of orthogonalise, a part of that of muon."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from minigpt.grading.compare import assert_close
from minigpt.reference.muon import POLAR_EXPRESS

CONCEPT = "muon"
FLOAT32 = (1e-4, 3e-5)      # steps multiply a small singular value, and its rounding of 6e-8, by up to 3.4445^5 = 485


def after(s, steps=5, polynomials=((3.4445, -4.7750, 2.0315),)):
    """Where the polynomials of equation 3 take a singular value."""
    for a, b, c in [*polynomials, *steps * polynomials[-1:]][:steps]:
        s = a * s + b * s**3 + c * s**5
    return s


def by_svd(g, *iteration):
    """The judge: each singular value by itself, the directions as they are."""
    u, s, vt = np.linalg.svd(g, full_matrices=False)
    length = np.sqrt((s**2).sum(axis=-1, keepdims=True))
    return (u * after(s / np.maximum(length, 1e-7), *iteration)[..., None, :]) @ vt


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_a_worked_step_of_orthogonalise(op):
    # |g| = 5, so 3/5 and 4/5 are left; the polynomial takes each to its end
    y = op.call("orthogonalise", np.array([[3.0, 0.0], [0.0, -4.0]]), steps=1)
    first = 3.4445 * 0.6 - 4.775 * 0.216 + 2.0315 * 0.07776
    second = 3.4445 * 0.8 - 4.775 * 0.512 + 2.0315 * 0.32768
    assert_close(y, np.array([[first, 0.0], [0.0, -second]]))


def test_without_steps_the_matrix_gets_length_one(op):
    assert_close(op.call("orthogonalise", np.array([[3.0, 0.0, 4.0]]), steps=0), np.array([[0.6, 0.0, 0.8]]))


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (1, 6), (6, 1), (5, 4, 4), (2, 3, 5, 2), (1, 1), (0, 3, 4)])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_it_does_to_each_singular_value_what_the_polynomial_does(op, shape, steps):
    g = 7 * values(*shape)
    assert_close(op.call("orthogonalise", g, steps=steps), by_svd(g, steps), tolerance=(1e-9, 1e-9))


@pytest.mark.parametrize("smallest", [1.0, 0.1, 0.01, 0.0035])
def test_singular_values_end_between_0_68_and_1_21(op, smallest):
    u, v = (np.linalg.qr(values(40, 40, seed=seed))[0] for seed in (0, 1))
    s = np.geomspace(1, smallest, 40)
    assert smallest > 0.0016 * np.sqrt((s**2).sum())
    ends = np.linalg.svd(op.call("orthogonalise", (u * s) @ v.T), compute_uv=False)
    assert ends.min() > 0.68, f"the smallest singular value ends at {ends.min():.3f}"
    assert ends.max() < 1.21, f"the largest singular value ends at {ends.max():.3f}"


def test_that_holds_on_the_whole_line_and_barely():
    s = np.linspace(0.0016, 1, 1_000_001)
    ends = after(s)
    assert 0.68 < ends.min() < 0.69
    assert 1.20 < ends.max() < 1.21


@pytest.mark.parametrize("steps", [1, 2, 3, 6])
def test_each_step_has_a_polynomial_of_its_own_and_further_steps_the_last(op, steps):
    g, polynomials = values(3, 4), ((2.0, -1.5, 0.5), (1.5, -0.5, 0.0), (1.0, 0.25, -0.25))
    y = op.call("orthogonalise", g, steps=steps, polynomials=polynomials)
    assert_close(y, by_svd(g, steps, polynomials), tolerance=(1e-9, 1e-9))


def test_three_steps_of_the_polar_express_end_between_0_13_and_1_87_and_barely():
    ends = after(np.linspace(0.001, 1, 1_000_001), 3, POLAR_EXPRESS)
    assert 0.13 < ends.min() < 0.14
    assert 1.86 < ends.max() < 1.87


def test_a_tiny_singular_value_is_multiplied_by_the_fifth_power_of_the_slope(op):
    y = op.call("orthogonalise", np.diag([1.0, 1e-6]))
    assert_close(y[1, 1], 3.4445**5 * 1e-6, tolerance=(1e-5, 0))


@pytest.mark.parametrize("factor", [1e-3, 0.1, 1e5, -1.0])
def test_a_positive_factor_changes_nothing_and_a_negative_one_the_sign(op, factor):
    g = values(3, 5)
    assert_close(op.call("orthogonalise", factor * g), np.sign(factor) * op.call("orthogonalise", g))


def test_the_transpose_gives_the_transpose(op):
    g = values(2, 4, 6)
    assert_close(op.call("orthogonalise", g.swapaxes(1, 2)), op.call("orthogonalise", g).swapaxes(1, 2))


def test_turning_the_matrix_turns_the_answer(op):
    g, turn = values(4, 6), np.linalg.qr(values(4, 4, seed=1))[0]
    assert_close(op.call("orthogonalise", turn @ g), turn @ op.call("orthogonalise", g))


def test_each_matrix_of_a_batch_goes_by_itself(op):
    g = values(4, 3, 5) * np.array([1.0, 100.0, 0.01, 3.0])[:, None, None]
    alone = [op.call("orthogonalise", matrix) for matrix in g]
    assert_close(op.call("orthogonalise", g), np.stack(alone))


def test_a_matrix_of_zeros_stays_zero(op):
    g = values(2, 3, 4)
    g[0] = 0
    y = op.call("orthogonalise", g)
    assert_close(y[0], np.zeros((3, 4)))
    assert_close(y[1], by_svd(g[1]))


def test_a_matrix_shorter_than_1e_7_is_taken_to_be_that_long(op):
    assert_close(op.call("orthogonalise", np.array([[3e-9, 4e-9]]), steps=0), np.array([[0.03, 0.04]]))


def test_a_strided_matrix_gives_the_same(op):
    g = values(12, 5)[::3].T
    assert_close(op.call("orthogonalise", g), by_svd(g))


@pytest.mark.parametrize("shape", [(6, 6), (12, 5), (5, 12)])
def test_orthogonalise_keeps_float32_and_leaves_its_input_untouched(op, shape):
    g = values(*shape).astype(np.float32)
    before = g.copy()
    y = op.call("orthogonalise", g)
    assert y.dtype == np.float32
    assert_close(y, by_svd(before.astype(np.float64)), tolerance=FLOAT32)
    assert_close(g, before, "g, afterwards,")


@hypothesis.given(batch=st.lists(st.integers(1, 3), max_size=2), rows=st.integers(1, 9), columns=st.integers(1, 9),
                  seed=st.integers(0, 9))
def test_any_shape_agrees_with_the_judge(op, batch, rows, columns, seed):
    g = values(*batch, rows, columns, seed=seed)
    assert_close(op.call("orthogonalise", g), by_svd(g), tolerance=(1e-9, 1e-9))
