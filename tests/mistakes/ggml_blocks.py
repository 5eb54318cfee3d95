"""Typical wrong answers for ggml_blocks."""
import numpy as np

from minigpt.reference.ggml_blocks import BYTES, blocks_of, half, in_a_row, nibbles
from mistakes import mistake


def q4_0(data, *, codes=nibbles, scale=half, zero=8):
    """dequantise_q4_0 in parts, each of which can be broken."""
    blocks = blocks_of(data, BYTES["Q4_0"])
    return in_a_row((codes(blocks[..., 2:]) - np.float32(zero)) * scale(blocks[..., :2]))


def q4_1(data, *, codes=nibbles, scale=half, places=(0, 2), least=1):
    """dequantise_q4_1 in parts, each of which can be broken."""
    blocks = blocks_of(data, BYTES["Q4_1"])
    d, m = (scale(blocks[..., at:at + 2]) for at in places)
    return in_a_row(codes(blocks[..., 4:]) * d + np.float32(least) * m)


def high_first(packed):
    return np.concatenate([packed >> 4, packed & 15], axis=-1).astype(np.float32)


def neighbours(packed):
    return np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:-1], -1).astype(np.float32)


def as_bfloat16(pair):
    return np.ascontiguousarray(np.concatenate([np.zeros_like(pair), pair], axis=-1)).view(np.float32)


def big_endian(pair):
    return half(pair[..., ::-1])


@mistake("dequantise_q4_0", "the high four bits come first; the low ones are weights 0 to 15 (q4_0, equation 2)")
def q4_0_high_first(data):
    return q4_0(data, codes=high_first)


@mistake("dequantise_q4_0", "the two halves of a byte are taken for neighbours; they are 16 apart (q4_0, equation 2)")
def q4_0_neighbours(data):
    return q4_0(data, codes=neighbours)


@mistake("dequantise_q4_0", "the 8 is forgotten: codes run from 0 to 15, and 8 stands for zero (q4_0, equation 3)")
def q4_0_without_the_8(data):
    return q4_0(data, zero=0)


@mistake("dequantise_q4_0", "7.5 is taken off the codes; code 8 stands for zero (q4_0, equation 3)")
def q4_0_with_7_and_a_half(data):
    return q4_0(data, zero=7.5)


@mistake("dequantise_q4_0", "the scale is read as bfloat16; it is float16, with 10 bits of fraction (q4_0, equation 1)")
def q4_0_bfloat16(data):
    return q4_0(data, scale=as_bfloat16)


@mistake("dequantise_q4_1", "the high four bits come first; the low ones are weights 0 to 15 (q4_1, equation 2)")
def q4_1_high_first(data):
    return q4_1(data, codes=high_first)


@mistake("dequantise_q4_1", "the two halves of a byte are taken for neighbours; they are 16 apart (q4_1, equation 2)")
def q4_1_neighbours(data):
    return q4_1(data, codes=neighbours)


@mistake("dequantise_q4_1", "the least value m is not added: all weights of the block are shifted (q4_1, equation 3)")
def q4_1_without_m(data):
    return q4_1(data, least=0)


@mistake("dequantise_q4_1", "the least value m is taken off; it is added, and mostly negative (q4_1, equation 3)")
def q4_1_m_taken_off(data):
    return q4_1(data, least=-1)


@mistake("dequantise_q4_1", "d and m are confused: the scale comes first, then the least value (q4_1, equation 1)")
def q4_1_d_and_m_confused(data):
    return q4_1(data, places=(2, 0))


@mistake("dequantise_q4_1", "8 is taken off the codes, as in Q4_0; here the least value does that (q4_1, equation 3)")
def q4_1_minus_8(data):
    return q4_1(data, codes=lambda packed: nibbles(packed) - 8)


@mistake("dequantise_q4_1", "d and m are read as bfloat16; they are float16, with a fraction of 10 bits (q4_1, 1)")
def q4_1_bfloat16(data):
    return q4_1(data, scale=as_bfloat16)


@mistake("dequantise_q4_1", "the bytes of d and m are swapped: the low byte comes first (q4_1, equation 1)")
def q4_1_big_endian(data):
    return q4_1(data, scale=big_endian)


@mistake("dequantise_q4_1", "m is multiplied by d as well: it is a weight already, not a code (q4_1, equation 3)")
def q4_1_m_scaled(data):
    blocks = blocks_of(data, BYTES["Q4_1"])
    return in_a_row((nibbles(blocks[..., 4:]) + half(blocks[..., 2:4])) * half(blocks[..., :2]))


@mistake("dequantise_q4_1", "the result is float64; the model's numbers are float32")
def q4_1_in_float64(data):
    return q4_1(data).astype(np.float64)


@mistake("dequantise_q4_1", "it is computed in half precision; d and m become float32 first (q4_1, equation 3)")
def q4_1_in_half_precision(data):
    blocks = blocks_of(data, BYTES["Q4_1"])
    d, m = (half(blocks[..., at:at + 2]).astype(np.float16) for at in (0, 2))
    return in_a_row(nibbles(blocks[..., 4:]).astype(np.float16) * d + m)


@mistake("dequantise_q8_0", "the codes have no sign: 255 must be -1 (q8_0, equation 2)")
def q8_0_without_sign(data):
    blocks = blocks_of(data, BYTES["Q8_0"])
    return in_a_row(blocks[..., 2:].astype(np.float32) * half(blocks[..., :2]))


@mistake("dequantise_q8_0", "128 is taken off the codes; they have their sign already (q8_0, equation 2)")
def q8_0_minus_128(data):
    blocks = blocks_of(data, BYTES["Q8_0"])
    return in_a_row((blocks[..., 2:].astype(np.float32) - 128) * half(blocks[..., :2]))


@mistake("dequantise_q8_0", "the codes are divided by 127 as well; the scale holds that already (q8_0, equation 3)")
def q8_0_over_127(data):
    blocks = blocks_of(data, BYTES["Q8_0"])
    codes = np.ascontiguousarray(blocks[..., 2:]).view(np.int8)
    return in_a_row(codes.astype(np.float32) * half(blocks[..., :2]) / 127)


@mistake("dequantise_q8_0", "the scale is sought behind the codes; it comes first (q8_0, equation 1)")
def q8_0_scale_last(data):
    blocks = blocks_of(data, BYTES["Q8_0"])
    codes = np.ascontiguousarray(blocks[..., :-2]).view(np.int8)
    return in_a_row(codes.astype(np.float32) * half(blocks[..., -2:]))


@mistake("dequantise_q8_0", "products are taken in half precision: each loses bits (q8_0, equation 3)")
def q8_0_in_half_precision(data):
    blocks = blocks_of(data, BYTES["Q8_0"])
    codes = np.ascontiguousarray(blocks[..., 2:]).view(np.int8)
    return in_a_row((codes.astype(np.float16) * half(blocks[..., :2]).astype(np.float16)).astype(np.float32))
