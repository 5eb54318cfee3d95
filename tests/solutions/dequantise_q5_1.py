"""One right answer to the exercise real_weights.3."""
import numpy as np

from minigpt.reference.ggml_blocks import blocks_of, half, in_a_row, nibbles


def dequantise_q5_1(data):
    """w_i = (q_i + 16 h_i) d + m: the fifth bits h stand in four bytes of their own, the lowest bit of a byte first."""
    blocks = blocks_of(data, 24)                                                  # (...,N,24)
    d, m = half(blocks[..., 0:2]), half(blocks[..., 2:4])                         # (...,N,1)
    h = np.unpackbits(blocks[..., 4:8], axis=-1, bitorder="little")               # (...,N,32)
    q = nibbles(blocks[..., 8:]) + 16 * h.astype(np.float32)                      # (...,N,32)
    return in_a_row(q * d + m)
