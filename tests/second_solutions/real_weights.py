"""Other right answers to the exercises of real_weights: struct, a row at a time, bits unpacked."""
import struct

import numpy as np


def dequantise_q4_1(data):
    if data.dtype != np.uint8 or data.shape[-1] % 20:
        raise ValueError(f"{data.dtype} numbers, {data.shape[-1]} a row: whole blocks of 20 bytes are wanted")
    rows = []
    for row in data.reshape(-1, data.shape[-1]):
        weights = []
        for d, m, packed in struct.iter_unpack("<ee16s", row.tobytes()):
            codes = [byte & 15 for byte in packed] + [byte >> 4 for byte in packed]
            weights += [np.float32(code) * np.float32(d) + np.float32(m) for code in codes]
        rows.append(weights)
    return np.array(rows, np.float32).reshape(*data.shape[:-1], data.shape[-1] // 20 * 32)


def halves_from_neighbours(weight, n_head):
    places = _places(len(weight), n_head)
    result = np.empty_like(weight)
    for old, new in places:
        result[new] = weight[old]
    return result


def neighbours_from_halves(weight, n_head):
    return np.stack([weight[new] for _, new in _places(len(weight), n_head)])


def _places(rows, n_head):
    D, rest = divmod(rows, n_head)
    if rest or D % 2:
        raise ValueError(f"{rows} rows are not {n_head} heads of an even size")
    return [(h * D + 2 * i + s, h * D + i + s * D // 2) for h in range(n_head) for i in range(D // 2) for s in (0, 1)]


def dequantise_q5_1(data):
    if data.dtype != np.uint8 or data.shape[-1] % 24:
        raise ValueError(f"{data.dtype} numbers, {data.shape[-1]} a row: whole blocks of 24 bytes are wanted")
    blocks = np.ascontiguousarray(data).reshape(-1, 24)
    d, m = blocks[:, :4].copy().view(np.float16).astype(np.float32).T[:, :, None]
    fifth = np.unpackbits(blocks[:, 4:8], axis=1, bitorder="little")
    codes = np.concatenate([blocks[:, 8:] % 16, blocks[:, 8:] // 16], axis=1) + 16 * fifth
    return (codes * d + m).reshape(*data.shape[:-1], -1)


def block_from_gpt2(theirs, untrained):
    C = theirs["attn.c_proj.bias"].size
    pieces = {"attention_norm": ("ln_1", ...), "feed_forward_norm": ("ln_2", ...),
              "attention.output": ("attn.c_proj", ...), "feed_forward.up": ("mlp.c_fc", ...),
              "feed_forward.down": ("mlp.c_proj", ...)}
    pieces |= {f"attention.{part}": ("attn.c_attn", slice(at * C, (at + 1) * C))
               for at, part in enumerate(("query", "key", "value"))}
    return {f"{ours}.{kind}": np.einsum("...i->i...", theirs[f"{name}.{kind}"])[columns]
            for ours, (name, columns) in pieces.items() for kind in ("weight", "bias")}
