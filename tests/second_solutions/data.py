"""Other right answers to the exercises of data: Python's own numbers, and loops over pairs."""
import zlib

import numpy as np

from minigpt.reference.minhash import P, words


def shingles(text, n=3):
    w = words(text)
    runs = [w] if 0 < len(w) < n else [w[i:i + n] for i in range(len(w) - n + 1)]
    return np.array(sorted({zlib.crc32(" ".join(run).encode()) % P for run in runs}), dtype=np.int64)


def minhash(s, a, b):
    signature = [min(((int(a_k) * int(x) + int(b_k)) % P for x in s), default=P) for a_k, b_k in np.stack([a, b]).T]
    return np.array(signature, dtype=np.int64)


def candidate_probability(similarity, bands, rows):
    none = 1.0
    for _ in range(bands):
        none = none * (1 - similarity**rows)
    return 1 - none


def candidate_pairs(signatures, bands):
    N, K = signatures.shape
    if K % bands:
        raise ValueError(f"{K} numbers do not make {bands} equal bands")
    cut = signatures.reshape(N, bands, K // bands)
    pairs = [(i, j) for i in range(N) for j in range(i + 1, N) if (cut[i] == cut[j]).all(axis=1).any()]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def contaminated(held_out, learned, n):
    asked = {}                                         # run -> the held-out texts that it would convict
    for number, text in enumerate(held_out):
        length = min(n, len(text))
        for i in range(len(text) - length + 1) if length else ():
            asked.setdefault(tuple(text[i:i + length]), set()).add(number)
    convicted = set()
    for length in {len(run) for run in asked}:
        for text in learned:
            for i in range(len(text) - length + 1):
                convicted |= asked.get(tuple(text[i:i + length]), set())
    return [number in convicted for number in range(len(held_out))]
