"""Wrong answers to dequantise_q5_1."""
import numpy as np

from minigpt.reference.ggml_blocks import blocks_of, half, in_a_row, nibbles
from mistakes import mistake


def parts(data, *, order="little", codes=nibbles, places=(0, 2), bits=4, low=8, weight=16, least=1):
    """The answer in parts, each of which can be broken."""
    blocks = blocks_of(data, 24)
    d, m = (half(blocks[..., at:at + 2]) for at in places)
    h = np.unpackbits(blocks[..., bits:bits + 4], axis=-1, bitorder=order).astype(np.float32)
    return in_a_row((codes(blocks[..., low:low + 16]) + np.float32(weight) * h) * d + np.float32(least) * m)


@mistake("dequantise_q5_1", "the highest bit of a byte is taken first; bit 0 belongs to the first weight (equation 3)")
def highest_bit_first(data):
    return parts(data, order="big")


@mistake("dequantise_q5_1", "the fifth bit is left out: codes end at 15 (equation 4)")
def four_bits_only(data):
    return parts(data, weight=0)


@mistake("dequantise_q5_1", "the fifth bit counts 1; it is worth 16 (equation 4)")
def fifth_bit_counts_one(data):
    return parts(data, weight=1)


@mistake("dequantise_q5_1", "the fifth bit stands below the four others; it is worth 16 (equation 4)")
def fifth_bit_lowest(data):
    blocks = blocks_of(data, 24)
    d, m = half(blocks[..., :2]), half(blocks[..., 2:4])
    h = np.unpackbits(blocks[..., 4:8], axis=-1, bitorder="little").astype(np.float32)
    return in_a_row((2 * nibbles(blocks[..., 8:]) + h) * d + m)


@mistake("dequantise_q5_1", "the fifth bit is a sign: 16 is taken off where it is set; it is added (equation 4)")
def fifth_bit_as_a_sign(data):
    return parts(data, weight=-16)


@mistake("dequantise_q5_1", "the nibbles come first and the fifth bits last; it is the other way (equations 2 and 3)")
def bits_at_the_end(data):
    return parts(data, bits=20, low=4)


@mistake("dequantise_q5_1", "d and m are confused: the scale comes first (equation 1)")
def d_and_m_confused(data):
    return parts(data, places=(2, 0))


@mistake("dequantise_q5_1", "the least value m is not added (equation 4)")
def without_m(data):
    return parts(data, least=0)


@mistake("dequantise_q5_1", "the high halves of the bytes come first; the low ones are weights 0 to 15 (equation 2)")
def high_first(data):
    return parts(data, codes=lambda p: np.concatenate([p >> 4, p & 15], axis=-1).astype(np.float32))


@mistake("dequantise_q5_1", "the two halves of a byte are taken for neighbours; they are 16 apart (equation 2)")
def neighbours(data):
    return parts(data, codes=lambda p: np.stack([p & 15, p >> 4], axis=-1).reshape(*p.shape[:-1], -1).astype(
        np.float32))


@mistake("dequantise_q5_1", "16 is taken off the codes, as if 16 stood for zero; here m does that (equation 4)")
def minus_16(data):
    return parts(data, codes=lambda p: nibbles(p) - 16)


@mistake("dequantise_q5_1", "the result is float64; the model's numbers are float32")
def in_float64(data):
    return parts(data).astype(np.float64)


@mistake("dequantise_q5_1", "the bytes are written over: an input must be left as it was")
def writes_into_the_bytes(data):
    w = parts(data)
    data[...] = 0
    return w
