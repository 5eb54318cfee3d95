"""The contract of ggml_blocks: bit for bit what GGML's own library reads in its blocks of 4 and 8 bits."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from gguf import GGMLQuantizationType
from gguf.quants import dequantize

from minigpt.grading.compare import Mismatch, Tolerance, assert_close, may_refuse, refused, untouched
from minigpt.reference import ggml_blocks as reference

KINDS = ("Q4_0", "Q4_1", "Q8_0")
HALF = {"one": b"\x00\x3c", "minus two": b"\x00\xc0", "a quarter": b"\x00\x34", "sixty thousand": b"\x53\x7b",
        "smallest": b"\x01\x00", "three thousandths": b"\x25\x1a"}      # as half-precision numbers


def blocks(kind, *shape, seed=0):
    """Random blocks whose scales are random numbers, and finite."""
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 256, size=(*shape, reference.BYTES[kind]), dtype=np.uint8)
    n_scales = 2 if kind == "Q4_1" else 1
    data[..., :2 * n_scales] = rng.normal(size=(*shape, n_scales)).astype(np.float16).view(np.uint8)
    return data.reshape(*shape[:-1], -1)


def judge(kind, data):
    return dequantize(np.ascontiguousarray(data), GGMLQuantizationType[kind])


def run(op, kind, data):
    return op.call(f"dequantise_{kind.lower()}", data)


def assert_equal_bits(got, expected, what="w"):
    got, expected = np.asarray(got), np.asarray(expected)
    assert_close(got, expected, what, Tolerance(0, 0))
    if got.dtype != expected.dtype:
        raise Mismatch(f"{what} is {got.dtype}, expected {expected.dtype}", what, got, expected)


def block(*parts):
    return np.frombuffer(b"".join(parts), dtype=np.uint8).copy()


def test_a_worked_example_of_q4_0(op):
    # the byte 0x9f: the low half is 15, so w_0 = (15 - 8) 0.25; the high half is 9, so w_16 = (9 - 8) 0.25
    w = run(op, "Q4_0", block(HALF["a quarter"], b"\x9f", bytes(15)))
    assert_equal_bits(w, np.array([1.75, *[-2] * 15, 0.25, *[-2] * 15], dtype=np.float32))


def test_a_worked_example_of_q4_1(op):
    # the byte 0x9f: w_0 = 15 * 0.25 - 2, w_16 = 9 * 0.25 - 2
    w = run(op, "Q4_1", block(HALF["a quarter"], HALF["minus two"], b"\x9f", bytes(15)))
    assert_equal_bits(w, np.array([1.75, *[-2] * 15, 0.25, *[-2] * 15], dtype=np.float32))


def test_a_worked_example_of_q8_0(op):
    # 0x7f is 127, 0x80 is -128, 0xff is -1
    w = run(op, "Q8_0", block(HALF["a quarter"], b"\x7f\x80\xff", bytes(29)))
    assert_equal_bits(w, np.array([31.75, -32, -0.25, *[0] * 29], dtype=np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_it_agrees_with_the_gguf_library_bit_for_bit(op, kind):
    data = blocks(kind, 3, 5)
    assert_equal_bits(run(op, kind, data), judge(kind, data))


@pytest.mark.parametrize("kind", KINDS)
def test_it_agrees_with_the_reference_bit_for_bit(op, kind):
    data = blocks(kind, 2, 3, 2, seed=1)
    assert_equal_bits(run(op, kind, data), getattr(reference, f"dequantise_{kind.lower()}")(data))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", HALF)
def test_large_and_tiny_scales_are_half_precision_numbers(op, kind, scale):
    data = blocks(kind, 1).copy()
    data[:2] = np.frombuffer(HALF[scale], dtype=np.uint8)
    assert_equal_bits(run(op, kind, data), judge(kind, data))


@pytest.mark.parametrize("kind", KINDS)
def test_every_code_of_a_single_block_is_its_own_number(op, kind):
    # a block whose scale is 1 (and whose least value is 0): the weights are the codes
    codes = bytes([*range(16), *range(128, 144)]) if kind == "Q8_0" else bytes(16 * (15 - i) + i for i in range(16))
    w = run(op, kind, block(HALF["one"], bytes(2) if kind == "Q4_1" else b"", codes))
    expected = {"Q8_0": [*range(16), *range(-128, -112)], "Q4_1": [*range(16), *range(15, -1, -1)],
                "Q4_0": [*range(-8, 8), *range(7, -9, -1)]}[kind]
    assert_equal_bits(w, np.array(expected, dtype=np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_a_block_says_nothing_about_another(op, kind):
    data = blocks(kind, 4)
    size = reference.BYTES[kind]
    apart = [run(op, kind, data[start:start + size]) for start in range(0, 4 * size, size)]
    assert_equal_bits(run(op, kind, data), np.concatenate(apart))


@pytest.mark.parametrize("kind", KINDS)
def test_no_blocks_are_no_weights(op, kind):
    with may_refuse(op):
        for shape in ((0,), (3, 0), (0, 2 * reference.BYTES[kind])):
            w = run(op, kind, np.zeros(shape, dtype=np.uint8))
            assert_equal_bits(w, np.zeros((*shape[:-1], shape[-1] // reference.BYTES[kind] * 32), dtype=np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_strided_and_expanded_bytes_give_the_same(op, kind):
    data = blocks(kind, 4, 3)
    assert_equal_bits(run(op, kind, data[::2]), judge(kind, data[::2]))
    assert_equal_bits(run(op, kind, np.broadcast_to(data[0], (2, data.shape[1]))), judge(kind, data[[0, 0]]))


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_are_left_untouched(op, kind):
    data = blocks(kind, 2)
    with untouched(data=data):
        run(op, kind, data)


@pytest.mark.parametrize("kind", KINDS)
def test_it_gives_and_keeps_float32(op, kind):
    w = run(op, kind, blocks(kind, 2))
    if w.dtype != np.float32:
        raise Mismatch(f"expected float32, got {w.dtype}", "dtype", w.dtype, np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_half_a_block_and_other_numbers_are_refused(op, kind):
    with refused("a block without its last byte"):
        run(op, kind, blocks(kind, 2)[:-1])
    with refused("bytes as floats"):
        run(op, kind, blocks(kind, 2).astype(np.float32))


@hypothesis.given(kind=st.sampled_from(KINDS), rows=st.integers(0, 3), n=st.integers(0, 4), seed=st.integers(0, 99))
def test_any_shape_and_any_bytes_agree_with_the_gguf_library(op, kind, rows, n, seed):
    data = np.random.default_rng(seed).integers(0, 256, size=(rows, n * reference.BYTES[kind]), dtype=np.uint8)
    with np.errstate(all="ignore"):                    # a random scale may be infinite
        expected = judge(kind, data) if data.size else np.zeros((rows, 32 * n), dtype=np.float32)
        assert_equal_bits(run(op, kind, data), expected)
