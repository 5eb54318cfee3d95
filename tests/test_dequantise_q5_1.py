"""The contract of the exercise real_weights.3: its answer is not in the package."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from gguf import GGMLQuantizationType
from gguf.quants import dequantize
from test_ggml_blocks import HALF, assert_equal_bits, block

from minigpt.grading.compare import may_refuse, untouched


def run(op, data):
    return op.call("dequantise_q5_1", data)


def judge(data):
    return dequantize(np.ascontiguousarray(data), GGMLQuantizationType.Q5_1)


def blocks(*shape, seed=0):
    """Random blocks whose scale and least value are random numbers, and finite."""
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 256, size=(*shape, 24), dtype=np.uint8)
    data[..., :4] = rng.normal(size=(*shape, 2)).astype(np.float16).view(np.uint8)
    return data.reshape(*shape[:-1], -1)


def test_a_worked_example(op):
    # the byte 0x9f: w_0 has 15, w_16 has 9; of the fifth bits, 0x01 sets that of w_0, so 31 of a quarter, less two
    w = run(op, block(HALF["a quarter"], HALF["minus two"], b"\x01\0\0\0", b"\x9f", bytes(15)))
    assert_equal_bits(w, np.array([5.75, *[-2] * 15, 0.25, *[-2] * 15], dtype=np.float32))


@pytest.mark.parametrize("i", range(32))
def test_every_fifth_bit_belongs_to_one_weight(op, i):
    bits = (1 << i).to_bytes(4, "little")
    w = run(op, block(HALF["one"], bytes(2), bits, bytes(16)))
    assert_equal_bits(w, 16 * np.eye(32, dtype=np.float32)[i])


def test_it_agrees_with_the_gguf_library_bit_for_bit(op):
    assert_equal_bits(run(op, blocks(3, 5)), judge(blocks(3, 5)))


@pytest.mark.parametrize("scale", HALF)
def test_large_and_tiny_scales_are_half_precision_numbers(op, scale):
    data = blocks(1).copy()
    data[:2] = np.frombuffer(HALF[scale], dtype=np.uint8)
    assert_equal_bits(run(op, data), judge(data))


def test_no_blocks_are_no_weights(op):
    with may_refuse(op):
        assert_equal_bits(run(op, np.zeros((2, 0), dtype=np.uint8)), np.zeros((2, 0), dtype=np.float32))


def test_strided_bytes_give_the_same(op):
    assert_equal_bits(run(op, blocks(4, 3)[::2]), judge(blocks(4, 3)[::2]))


def test_the_bytes_are_left_untouched(op):
    data = blocks(2)
    with untouched(data=data):
        run(op, data)


@hypothesis.given(rows=st.integers(1, 3), n=st.integers(1, 4), seed=st.integers(0, 99))
def test_any_bytes_agree_with_the_gguf_library(op, rows, n, seed):
    data = np.random.default_rng(seed).integers(0, 256, size=(rows, n * 24), dtype=np.uint8)
    with np.errstate(all="ignore"):                    # a random scale may be infinite
        assert_equal_bits(run(op, data), judge(data))
