"""The contract of the exercise quantisation.3: its answer is not in the package."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from minigpt.grading.compare import assert_close, untouched
from minigpt.reference.quantization import dequantize, quantize

LEVELS = np.array([-1.0, -0.25, 0.0, 0.5, 1.0])


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def restored(op, weight, levels=LEVELS, group=4):
    codes, scale = op.call("codebook_quantize", weight, levels, group)
    return op.call("codebook_restore", codes, scale, levels, group)


def test_a_worked_example(op):
    # the largest of the first group is 2: shares 1, -0.2, 0.3, -0.05; of the second 10: shares -1, 0.7, 0.8, 0.1
    weight = np.array([[2.0, -0.4, 0.6, -0.1, -10.0, 7.0, 8.0, 1.0]])
    codes, scale = op.call("codebook_quantize", weight, LEVELS, 4)
    assert_close(codes, np.array([[4, 1, 3, 2, 0, 3, 4, 2]], dtype=np.uint8), "codes")
    assert_close(scale, np.array([[2.0, 10.0]]), "scale")
    back = op.call("codebook_restore", codes, scale, LEVELS, 4)
    assert_close(back, np.array([[2.0, -0.5, 1.0, 0.0, -10.0, 5.0, 10.0, 0.0]]), "w^")


def test_each_weight_gets_the_nearest_level(op):
    weight = values(6, 8)
    back, scale = restored(op, weight), np.abs(weight.reshape(6, 2, 4)).max(axis=-1).repeat(4, axis=1)
    nearest = np.abs(weight[..., None] - LEVELS * scale[..., None]).min(axis=-1)
    assert_close(np.abs(back - weight), nearest, "distance", (0, 1e-12))


def test_even_levels_give_what_absmax_gives(op):
    weight = values(5, 12)
    codes, scale, _ = quantize(weight, 4, 4)
    assert_close(restored(op, weight, np.arange(-7, 8) / 7), dequantize(codes, scale, None, 4), "w^")


def test_the_largest_of_a_group_comes_back_exactly(op):
    weight = values(4, 12)
    back, at = restored(op, weight), np.abs(weight.reshape(4, 3, 4)).argmax(axis=-1)[..., None]
    largest = [np.take_along_axis(w.reshape(4, 3, 4), at, axis=-1) for w in (back, weight)]
    assert_close(*largest, "the largest", (1e-12, 0))


def test_with_a_level_at_zero_zeros_stay_zeros(op):
    weight = values(3, 8)
    weight[0, :4], weight[1, 2] = 0, 0
    back = restored(op, weight)
    assert_close(back[0, :4], np.zeros(4), "a group of zeros")
    assert_close(back[1, 2], 0.0, "a zero")


def test_a_huge_weight_costs_its_own_group_alone(op):
    weight = values(2, 8)
    plain = restored(op, weight)
    weight[0, 1] = 1e5
    assert_close(restored(op, weight)[:, 4:], plain[:, 4:], "w^ of the other group")


def test_rows_do_not_share_a_scale(op):
    weight = values(3, 4)
    alone = np.concatenate([restored(op, 10.0**i * weight[i:i + 1]) for i in range(3)])
    assert_close(restored(op, weight * [[1.0], [10.0], [100.0]]), alone, "w^")


@pytest.mark.parametrize("group", [1, 2, 8])
def test_the_group_may_be_one_column_or_all(op, group):
    codes, scale = op.call("codebook_quantize", values(3, 8), LEVELS, group)
    assert codes.shape == (3, 8)
    assert scale.shape == (3, 8 // group)


def test_codes_are_small_whole_numbers_and_float32_stays_float32(op):
    codes, scale = op.call("codebook_quantize", values(3, 8).astype(np.float32), LEVELS.astype(np.float32), 4)
    assert codes.dtype == np.uint8
    assert scale.dtype == np.float32
    assert op.call("codebook_restore", codes, scale, LEVELS, 4).dtype == np.float32


def test_inputs_are_left_untouched(op):
    weight, levels = values(3, 8), LEVELS.copy()
    codes, scale = op.call("codebook_quantize", weight.copy(), levels, 4)
    with untouched(weight=weight, levels=levels, codes=codes, scale=scale):
        op.call("codebook_quantize", weight, levels, 4)
        op.call("codebook_restore", codes, scale, levels, 4)


@hypothesis.given(d_out=st.integers(1, 4), n=st.integers(1, 3), group=st.integers(1, 5), n_levels=st.integers(2, 16),
                  seed=st.integers(0, 99))
def test_no_other_level_is_nearer_whatever_the_levels(op, d_out, n, group, n_levels, seed):
    weight = values(d_out, n * group, seed=seed)
    levels = np.append(np.sort(np.random.default_rng(seed).uniform(-1, 1, n_levels - 1)), 1.0)
    back, scale = restored(op, weight, levels, group), np.abs(weight.reshape(d_out, n, group)).max(axis=-1)
    nearest = np.abs(weight[..., None] - levels * scale.repeat(group, axis=1)[..., None]).min(axis=-1)
    assert_close(np.abs(back - weight), nearest, "distance", (0, 1e-12))
