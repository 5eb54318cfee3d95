"""GGML blocks: how a GGUF file stores 32 weights in 18, 20 or 34 bytes, and how they become numbers again."""
import torch

SIZE = 32                                              # weights in a block
BYTES = {"Q4_0": 18, "Q4_1": 20, "Q8_0": 34}           # of a block


def dequantise_q4_0(data):
    """Four bits a weight, and a scale that 32 weights share; code 8 is zero.

        (1) d = the half-precision number in bytes 0 and 1
        (2) q_i = the low four bits of byte 2 + i,  q_{16+i} = its high four bits     (i < 16, q from 0 to 15)
        (3) w_i = (q_i - 8) d

    data: (..., 18 N) uint8, N blocks. Returns w: (..., 32 N) float32.
    Raises ValueError for another type, or if the last block is not whole.
    Source: GGML's own Python package, gguf 0.19.0, quants.py, class Q4_0.
    """
    blocks = blocks_of(data, BYTES["Q4_0"])                                       # (...,N,18)
    d = half(blocks[..., 0:2])                                                    # (...,N,1)  (1)
    q = nibbles(blocks[..., 2:])                                                  # (...,N,32)  (2)
    w = (q - 8) * d                                                               # (...,N,32)  (3)
    return in_a_row(w)


def dequantise_q4_1(data):
    """Four bits a weight, and a scale and a least value that 32 weights share.

        (1) d = the half-precision number in bytes 0 and 1,  m = that in bytes 2 and 3
        (2) q_i = the low four bits of byte 4 + i,  q_{16+i} = its high four bits     (i < 16, q from 0 to 15)
        (3) w_i = q_i d + m

    data: (..., 20 N) uint8, N blocks. Returns w: (..., 32 N) float32.
    Raises ValueError for another type, or if the last block is not whole.
    Source: GGML's own Python package, gguf 0.19.0, quants.py, class Q4_1.
    """
    blocks = blocks_of(data, BYTES["Q4_1"])                                       # (...,N,20)
    d = half(blocks[..., 0:2])                                                    # (...,N,1)  (1)
    m = half(blocks[..., 2:4])                                                    # (...,N,1)
    q = nibbles(blocks[..., 4:])                                                  # (...,N,32)  (2)
    w = q * d + m                                                                 # (...,N,32)  (3)
    return in_a_row(w)


def dequantise_q8_0(data):
    """Eight bits a weight, with a sign, and a scale that 32 weights share.

        (1) d = the half-precision number in bytes 0 and 1
        (2) q_i = byte 2 + i, from -128 to 127
        (3) w_i = q_i d

    data: (..., 34 N) uint8, N blocks. Returns w: (..., 32 N) float32.
    Raises ValueError for another type, or if the last block is not whole.
    Source: GGML's own Python package, gguf 0.19.0, quants.py, class Q8_0.
    """
    blocks = blocks_of(data, BYTES["Q8_0"])                                       # (...,N,34)
    d = half(blocks[..., 0:2])                                                    # (...,N,1)  (1)
    q = blocks[..., 2:].contiguous().view(torch.int8)                             # (...,N,32)  (2)
    w = q.to(torch.float32) * d                                                   # (...,N,32)  (3)
    return in_a_row(w)


def blocks_of(data, size):
    """Bytes in blocks of a size: (..., size N) -> (..., N, size)."""
    if data.dtype != torch.uint8 or data.shape[-1] % size:
        raise ValueError(f"{data.shape[-1]} values of {data.dtype} are not whole blocks of {size} bytes (uint8)")
    return data.reshape(*data.shape[:-1], data.shape[-1] // size, size)


def half(pair):
    """Two bytes as the half-precision number that they are, in float32: (..., 2) -> (..., 1)."""
    return pair.contiguous().view(torch.float16).to(torch.float32)


def nibbles(packed):
    """The low halves of the bytes, then their high halves: (..., n) uint8 -> (..., 2 n) float32, 0 to 15."""
    return torch.cat([packed & 15, packed >> 4], dim=-1).to(torch.float32)


def in_a_row(w):
    """The weights of all blocks side by side: (..., N, 32) -> (..., 32 N)."""
    return w.reshape(*w.shape[:-2], w.shape[-2] * SIZE)
