"""What each kernel must move and compute, in closed form: bytes for each launch, FLOPs of matrix products.

The sanitizer counts the same in the interpreter, and tests/ hold the two equal. Bytes are what programs ask for; a
cache may spare a GPU some of them. itemsize: bytes of an element.
"""
from kernels._backend import Work


def softmax_forward(M, N, itemsize, *, one_tile=True):
    """M rows of N: x in and y out; x twice if a row does not stay on chip."""
    passes = 1 if one_tile else 2
    return Work(f"{M} rows of {N}", passes * M * N * itemsize, M * N * itemsize, 0, 0)


def softmax_backward(M, N, itemsize, *, one_tile=True):
    """M rows of N: dy and y in, dx out; dy and y twice if a row does not stay on chip."""
    passes = 1 if one_tile else 2
    return Work(f"{M} rows of {N}", 2 * passes * M * N * itemsize, M * N * itemsize, 0, 0)


# Attention. shape: (B, H, G, T, S, D, E), B sequences, H query heads, G key heads, T queries, S keys of width D, values
# of width E. tiles: what the kernel's `configuration` gives. Without dropout, which loads its seed for each tile.

def _pairs(T, S, causal):
    """How many (query, key) may meet: all, or those on and below the diagonal that ends bottom right."""
    N = min(T, S)
    return N * (N + 1) // 2 + T * max(S - T, 0) if causal else T * S


def _keys(T, S, causal, BLOCK_T, BLOCK_S):
    """(keys that all tiles of queries of one head load together, tiles that are computed)."""
    ends = [min(max(t0 + BLOCK_T + S - T, 0), S) if causal else S for t0 in range(0, T, BLOCK_T)]
    tiles = [-(-end // BLOCK_S) for end in ends]
    return sum(min(n * BLOCK_S, S) for n in tiles), sum(tiles)


def _queries(T, S, causal, BLOCK_T, BLOCK_S):
    """(queries that all tiles of keys load together for one head of a group, tiles that are computed)."""
    firsts = [min(max(s0 + T - S, 0) // BLOCK_T * BLOCK_T, T) if causal else 0 for s0 in range(0, S, BLOCK_S)]
    return sum(T - first for first in firsts), sum(-(-(T - first) // BLOCK_T) for first in firsts)


def _attention(shape, itemsize, tiles, causal, *, loads, stores, useful, issued, visited):
    """The Work of one kernel: bytes, the widths that a pair must be multiplied with, those that are, and the tiles."""
    B, H, G, T, S, D, E = shape
    problem = f"B {B}, H {H}, G {G}, T {T}, S {S}, D {D}{'' if E == D else f', E {E}'}{', causal' if causal else ''}"
    return Work(problem, loads, stores, 2 * B * H * _pairs(T, S, causal) * useful,
                2 * B * H * visited * tiles["BLOCK_T"] * tiles["BLOCK_S"] * issued)


def _sum_size(itemsize):
    return 8 if itemsize == 8 else 4                   # of float64, else of float32


def attention_forward(shape, itemsize, tiles, *, causal, key_mask=False):
    """q in, y and the log-sum-exp out; k and v, and the mask of a byte a key, once for each tile of queries."""
    B, H, _, T, S, D, E = shape
    keys, visited = _keys(T, S, causal, tiles["BLOCK_T"], tiles["BLOCK_S"])
    return _attention(
        shape, itemsize, tiles, causal, visited=visited, useful=D + E, issued=tiles["BLOCK_D"] + tiles["BLOCK_E"],
        loads=B * H * ((T * D + keys * (D + E)) * itemsize + keys * key_mask),
        stores=B * H * T * (E * itemsize + _sum_size(itemsize)))


def attention_backward_delta(shape, itemsize, tiles, *, causal=False, key_mask=False):
    """dy and y in, delta out."""
    B, H, _, T, _, _, E = shape
    return _attention(shape, itemsize, tiles | {"BLOCK_S": 0}, causal, visited=0, useful=0, issued=0,
                      loads=2 * B * H * T * E * itemsize, stores=B * H * T * _sum_size(itemsize))


def attention_backward_dkdv(shape, itemsize, tiles, *, causal, key_mask=False):
    """k and v in, dk and dv out; q, dy, the log-sum-exp and delta of all heads of a group for each tile of keys."""
    B, H, G, T, S, D, E = shape
    queries, visited = _queries(T, S, causal, tiles["BLOCK_T"], tiles["BLOCK_S"])
    return _attention(
        shape, itemsize, tiles, causal, visited=visited, useful=2 * (D + E),
        issued=2 * (tiles["BLOCK_D"] + tiles["BLOCK_E"]),
        loads=B * H * queries * ((D + E) * itemsize + 2 * _sum_size(itemsize))
        + B * G * S * ((D + E) * itemsize + key_mask),
        stores=B * G * S * (D + E) * itemsize)


def attention_backward_dq(shape, itemsize, tiles, *, causal, key_mask=False):
    """q, dy, the log-sum-exp and delta in, dq out; k, v and the mask once for each tile of queries."""
    B, H, _, T, S, D, E = shape
    keys, visited = _keys(T, S, causal, tiles["BLOCK_T"], tiles["BLOCK_S"])
    return _attention(
        shape, itemsize, tiles, causal, visited=visited, useful=2 * D + E,
        issued=2 * tiles["BLOCK_D"] + tiles["BLOCK_E"],
        loads=B * H * ((T + keys) * (D + E) * itemsize + 2 * T * _sum_size(itemsize) + keys * key_mask),
        stores=B * H * T * D * itemsize)


def attention_scores(shape, itemsize, tiles, *, causal, key_mask=False):
    """q for each tile of keys, k for each tile of queries in; T x S scores out, hidden ones too."""
    B, H, _, T, S, D, _ = shape
    rows, columns = -(-T // tiles["BLOCK_T"]), -(-S // tiles["BLOCK_S"])
    return _attention(shape, itemsize, tiles, causal, visited=rows * columns, useful=D, issued=tiles["BLOCK_D"],
                      loads=B * H * (T * columns + S * rows) * D * itemsize, stores=B * H * T * S * itemsize)


def attention_average(shape, itemsize, tiles, *, causal, key_mask=False):
    """T x S weights in, and v for each tile of queries; y out."""
    B, H, _, T, S, _, E = shape
    rows, columns = -(-T // tiles["BLOCK_T"]), -(-S // tiles["BLOCK_S"])
    return _attention(shape, itemsize, tiles, causal, visited=rows * columns, useful=E, issued=tiles["BLOCK_E"],
                      loads=B * H * (T * S + S * rows * E) * itemsize, stores=B * H * T * E * itemsize)


def attention_tiled(shape, itemsize, tiles, *, causal, key_mask=False):
    """q in, y out; k twice and v once for each tile of queries."""
    B, H, _, T, S, D, E = shape
    keys, visited = _keys(T, S, causal, tiles["BLOCK_T"], tiles["BLOCK_S"])
    return _attention(
        shape, itemsize, tiles, causal, visited=visited, useful=D + E, issued=2 * tiles["BLOCK_D"] + tiles["BLOCK_E"],
        loads=B * H * (T * D + keys * (2 * D + E)) * itemsize, stores=B * H * T * E * itemsize)
