"""The contract of rope."""
import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close, may_refuse
from minigpt.grading.op import Op
from minigpt.reference import rope as reference


def by_complex_numbers(x, positions, theta=10000.0):
    """The paper's view: a pair of features is one complex number, multiplied by exp(i angle)."""
    D = x.shape[-1]
    frequency = torch.tensor([theta ** (-2 * i / D) for i in range(D // 2)], dtype=torch.float64)
    angle = torch.outer(positions.double(), frequency)
    turned = torch.complex(x[..., :D // 2], x[..., D // 2:]) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat([turned.real, turned.imag], dim=-1)


REFERENCE = Op("rope", "reference", vars(reference))
COMPLEX = Op("rope", "complex numbers", {"rope": by_complex_numbers}, is_torch=True)


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def pair(x, i):
    """The two features that turn together: (..., 2)."""
    return x[..., [i, i + x.shape[-1] // 2]]


def products(op, q, k, q_positions, k_positions):
    """Of every query with every key: (B,H,T,S)."""
    return op.forward((q, q_positions)) @ op.forward((k, k_positions)).swapaxes(-1, -2)


def assert_same_run(got, expected):
    assert_close(got[0], expected[0])
    assert_close(got[1][0], expected[1][0], "dx")


def test_a_worked_example(op):
    # D = 4 and theta = 16: frequencies 1 and 1/4, so position 2 turns the pairs by 2 and 1/2 radians
    x = np.array([1.0, 0.0, 0.0, 3.0]).reshape(1, 1, 1, 4)              # pairs (1, 0) and (0, 3)
    y, (dx,) = op.run((x, np.array([2])), x, theta=16.0)
    assert_close(y[0, 0, 0], [math.cos(2), -3 * math.sin(0.5), math.sin(2), 3 * math.cos(0.5)])
    assert_close(dx[0, 0, 0], [math.cos(2), 3 * math.sin(0.5), -math.sin(2), 3 * math.cos(0.5)], "dx")


def test_a_quarter_turn_takes_the_first_feature_to_the_second(op):
    x = np.array([0.0, 5.0, 0.0, 7.0]).reshape(1, 1, 1, 4)
    y = op.forward((x, np.array([1])), theta=(2 / math.pi) ** 2)        # frequencies 1 and pi/2
    assert_close(y[0, 0, 0], [0.0, -7.0, 0.0, 5.0])


def test_it_agrees_with_complex_numbers(op):
    x, dy, positions = values(2, 3, 5, 8), values(2, 3, 5, 8, seed=1), np.arange(5)
    assert_same_run(op.run((x, positions), dy), COMPLEX.run((x, positions), dy))


def test_position_zero_changes_nothing(op):
    x = values(2, 3, 4, 6)
    assert_close(op.forward((x, np.zeros(4, dtype=np.int64))), x)


def test_lengths_stay_as_they_are(op):
    x = values(2, 3, 5, 8)
    y = op.forward((x, np.arange(5) + 3))
    for i in range(4):
        assert_close((pair(y, i)**2).sum(axis=-1), (pair(x, i)**2).sum(axis=-1), f"length of pair {i}, squared,")


def test_pairs_do_not_mix(op):
    x = np.zeros((1, 1, 3, 8))
    x[..., [1, 5]] = values(3, 2)
    y = op.forward((x, np.arange(3) + 1))
    assert_close(np.delete(y, [1, 5], axis=-1), np.zeros((1, 1, 3, 6)), "the other pairs of y")


def test_the_product_of_query_and_key_depends_on_their_distance_alone(op):
    q, k, positions = values(1, 2, 6, 8), values(1, 2, 6, 8, seed=1), np.arange(6)
    here, there = (products(op, q, k, positions + shift, positions + shift) for shift in (0, 7))
    assert_close(there, here, "q . k, seven positions later,", tolerance=(1e-9, 1e-9))


def test_the_product_of_query_and_key_does_depend_on_their_distance(op):
    q, k, positions = values(1, 1, 1, 8), values(1, 1, 1, 8, seed=1), np.array([0])
    near, far = (float(products(op, q, k, positions + shift, positions)[0, 0, 0, 0]) for shift in (0, 3))
    assert abs(near - far) > 0.1, f"q . k is {near:.3f} at distance 0 and {far:.3f} at distance 3"


def test_an_offset_continues_where_it_stopped(op):
    x = values(2, 3, 9, 4)
    whole = op.forward((x, np.arange(9)))
    assert_close(op.forward((x[:, :, 5:], np.arange(5, 9))), whole[:, :, 5:], "y from position 5 on")


def test_each_place_has_the_position_it_is_given(op):
    x, positions = values(1, 2, 4, 6), np.array([9, 0, 2, 2])
    y = op.forward((x, positions))
    for t, position in enumerate(positions):
        alone = op.forward((x[:, :, t:t + 1], np.array([position])))
        assert_close(y[:, :, t:t + 1], alone, f"y at place {t}")


def test_each_text_may_have_positions_of_its_own(op):
    with may_refuse(op):
        x, positions = values(3, 2, 4, 6), np.array([[0, 1, 2, 3], [0, 0, 1, 2], [5, 6, 9, 7]])
        y, (dx,) = op.run((x, positions), x)
        for row in range(3):
            alone, (dx_alone,) = op.run((x[row:row + 1], positions[row]), x[row:row + 1])
            assert_close(y[row:row + 1], alone, f"y of text {row}")
            assert_close(dx[row:row + 1], dx_alone, f"dx of text {row}")


def test_texts_and_heads_are_turned_alike(op):
    x = np.broadcast_to(values(1, 1, 4, 6), (4, 3, 4, 6)).copy()        # as many texts as places
    y = op.forward((x, np.arange(4)))
    assert_close(y, np.broadcast_to(y[:1, :1], y.shape))


@pytest.mark.parametrize("theta", [100.0, 10_000.0])
def test_the_first_pair_turns_fastest_and_frequencies_fall_by_a_constant_factor(op, theta):
    x = np.concatenate([np.ones(4), np.zeros(4)]).reshape(1, 1, 1, 8)
    y = op.forward((x, np.array([1])), theta=theta)[0, 0, 0]
    angle = np.arctan2(y[4:], y[:4])
    assert_close(angle, np.array([1, theta**-0.25, theta**-0.5, theta**-0.75]), "angle at position 1, radians,")


def test_theta_is_ten_thousand_unless_given(op):
    x = values(1, 1, 3, 8)
    assert_close(op.forward((x, np.arange(3))), op.forward((x, np.arange(3)), theta=10_000.0))


def test_the_gradient_turns_back(op):
    x, positions = values(2, 1, 5, 6), np.arange(5) + 2
    y = op.forward((x, positions))
    _, (dx,) = op.run((x, positions), y)
    assert_close(dx, x, "the gradient for dy = y")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_far_position_is_turned_as_exactly_as_a_near_one(op, dtype):
    x, positions = values(1, 1, 4, 8), np.array([100_000, 131_071, 500_000, 999_999])
    y = op.forward((x.astype(dtype), positions))
    assert y.dtype == dtype
    assert_close(y, COMPLEX.forward((x, positions)))


@pytest.mark.parametrize("dtype", [np.int64, np.int32])
def test_float32_stays_float32(op, dtype):
    x, dy, positions = values(2, 2, 5, 8), values(2, 2, 5, 8, seed=1), np.arange(5, dtype=dtype)
    got = op.run((x.astype(np.float32), positions), dy.astype(np.float32))
    assert got[0].dtype == np.float32
    assert got[1][0].dtype == np.float32
    assert_same_run(got, REFERENCE.run((x, positions), dy))


@pytest.mark.parametrize(("shape", "n_positions"), [((1, 1, 3, 5), 3), ((1, 1, 3, 4), 1), ((1, 3, 1, 4), 3)])
def test_an_odd_width_and_positions_that_do_not_fit_are_refused(op, shape, n_positions):
    try:
        op.forward((values(*shape), np.arange(n_positions)))
    except ValueError:
        return
    raise AssertionError(f"x of shape {shape} with {n_positions} positions: expected a ValueError")


@pytest.mark.parametrize("shape", [(0, 2, 3, 4), (1, 2, 0, 4), (2, 1, 1, 2)])
def test_no_texts_no_places_or_a_single_one_keep_their_shape(op, shape):
    with may_refuse(op):
        x, positions = values(*shape), np.arange(shape[2]) + 4
        assert_same_run(op.run((x, positions), x), COMPLEX.run((x, positions), x))


def test_strided_and_expanded_arrays_give_the_same(op):
    x, dy = values(2, 5, 3, 8).swapaxes(1, 2), values(1, 1, 1, 8, seed=1)     # as split_heads gives it
    expanded = np.lib.stride_tricks.as_strided(dy, (2, 3, 5, 8), (0, 0, 0, dy.strides[-1]))
    positions = np.arange(10)[::2]
    expected = REFERENCE.run((x.copy(), positions.copy()), expanded.copy())
    assert_same_run(op.run((x, positions), expanded), expected)


def test_inputs_are_left_untouched(op):
    x, positions, dy = values(1, 2, 3, 4), np.arange(3), values(1, 2, 3, 4, seed=1)
    before = x.copy(), positions.copy(), dy.copy()
    op.run((x, positions), dy)
    for a, b, name in zip((x, positions, dy), before, ("x", "positions", "dy"), strict=True):
        assert_close(a, b, f"{name}, afterwards,")


@hypothesis.given(B=st.integers(1, 2), H=st.integers(1, 3), T=st.integers(1, 5), half=st.integers(1, 6),
                  offset=st.integers(0, 50), seed=st.integers(0, 9))
def test_any_shape_agrees_with_complex_numbers(op, B, H, T, half, offset, seed):
    x, dy = values(B, H, T, 2 * half, seed=seed), values(B, H, T, 2 * half, seed=seed + 10)
    positions = np.arange(T) + offset
    assert_same_run(op.run((x, positions), dy, theta=500.0), COMPLEX.run((x, positions), dy, theta=500.0))


def test_the_reference_gradient_equals_finite_differences():
    inputs, dy = (values(1, 2, 3, 4), np.arange(3) + 1), values(1, 2, 3, 4, seed=1)
    assert max(gradient_errors(reference.rope_forward, reference.rope_backward, inputs, dy)) < 1e-8
