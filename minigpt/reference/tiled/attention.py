"""Attention with the loops of its kernels: one tile of queries and keys at a time, and no score is ever stored."""
import itertools
import math
from collections import Counter, defaultdict, namedtuple

import numpy as np

TiledAttentionCache = namedtuple(
    "TiledAttentionCache", "q k v key_mask causal y lse BLOCK_T BLOCK_S tiles loaded stored")


class Memory:
    """Reads and writes tiles of arrays, and counts what it moves.

    loaded, stored: {array: elements}, without the padding. tiles: {kernel: [(first query, first key, is_diagonal)]},
    those of the first head, in the order of visits; all other heads have the same.
    """

    def __init__(self):
        self.loaded, self.stored, self.tiles = Counter(), Counter(), defaultdict(list)

    def load(self, name, array, first, ROWS):
        """Rows first, first + 1, ... of an array, with rows of 0 (False) where it has no more."""
        rows = array[first:first + ROWS]
        self.loaded[name] += rows.size
        tile = np.zeros((ROWS, *array.shape[1:]), array.dtype)
        tile[:len(rows)] = rows
        return tile

    def store(self, name, array, first, tile):
        """Write a tile into the rows first, first + 1, ... of an array, as far as it has them."""
        rows = array[first:first + len(tile)]
        rows[...] = tile[:len(rows)]
        self.stored[name] += rows.size

    def visit(self, kernel, head, t0, s0, masked):
        """Note a tile of the first head."""
        if not any(head):
            self.tiles[kernel].append((t0, s0, masked))


def attention_forward(q, k, v, *, causal=False, key_mask=None, BLOCK_T=16, BLOCK_S=16):
    """Average the values, weighted by how well each key fits the query: y = softmax(q k^T / sqrt(D)) v

        (1) s_ts = sum_d q_td k_sd / sqrt(D)                   (t, s: of a tile of queries and one of keys)
        (2) s_ts = -inf where s > t + S - T                    (causal; and where key_mask_s is False, or past the end)
        (3) m' = max(m, max_s s_ts)                            (the maximum of all scores of query t so far)
        (4) p_ts = exp(s_ts - m'),  a = exp(m - m')            (a: how much what is summed so far shrinks)
        (5) l <- a l + sum_s p_ts                              (so l is always sum_s exp(s_ts - m) of all seen so far)
        (6) o <- a o + sum_s p_ts v_s                          (dropout would leave out p_ts here, not in (5))
        (7) y_t = o / l,  L_t = m + log l                      (L: the log-sum-exp, all that the backward needs)

    q: (B,H,T,D)  k: (B,G,S,D)  v: (B,G,S,E), head h uses k and v of h // (H/G)  key_mask: (B,S) bool
    Returns y: (B,H,T,E), 0 for a query that may attend to nothing, whose L is -inf; and a cache that also has the
    visited tiles of a head and the elements loaded and stored of each array. Raises ValueError if G does not divide H.
    Source: Dao et al. 2022, arXiv:2205.14135, algorithm 1; without scores beyond the diagonal: Dao 2023,
    arXiv:2307.08691, section 3.1.
    """
    (B, H, T, D), (G, S, E), memory = q.shape, v.shape[1:], Memory()
    if G == 0 or H % G:
        raise ValueError(f"{H} query heads cannot share {G} key heads: {G} does not divide {H}")
    y, lse = np.empty((B, H, T, E), q.dtype), np.empty((B, H, T), q.dtype)
    for b, h, t0 in itertools.product(range(B), range(H), range(0, T, BLOCK_T)):            # a program each
        g = h // (H // G)
        q_tile = memory.load("q", q[b, h], t0, BLOCK_T)       # (BLOCK_T,D)
        t = t0 + np.arange(BLOCK_T)
        m = np.full(BLOCK_T, -np.inf, q.dtype)
        l = np.zeros(BLOCK_T, q.dtype)
        o = np.zeros((BLOCK_T, E), q.dtype)
        whole, end = keys_of(t0, T, S, causal, BLOCK_T, BLOCK_S)
        for masked in (False, True):
            for s0 in range(whole if masked else 0, end if masked else whole, BLOCK_S):
                memory.visit("forward", (b, h), t0, s0, masked)
                s = s0 + np.arange(BLOCK_S)
                k_tile = memory.load("k", k[b, g], s0, BLOCK_S)         # (BLOCK_S,D)
                v_tile = memory.load("v", v[b, g], s0, BLOCK_S)         # (BLOCK_S,E)
                scores = q_tile @ k_tile.T / math.sqrt(D)               # (BLOCK_T,BLOCK_S)  (1)
                if masked:
                    scores = np.where(may_attend(t[:, None], s[None, :], T, S, causal), scores, -np.inf)    # (2)
                if key_mask is not None:
                    seen = memory.load("key_mask", key_mask[b], s0, BLOCK_S)
                    scores = np.where(seen[None, :], scores, -np.inf)   # (2)
                m_new = np.maximum(m, scores.max(axis=1))               # (BLOCK_T,)  (3)
                finite = np.where(m_new == -np.inf, 0, m_new)           # no key so far: -inf - -inf is NaN
                p = np.exp(scores - finite[:, None])                    # (BLOCK_T,BLOCK_S)  (4)
                a = np.exp(m - finite)                                  # (BLOCK_T,)  (4)
                l = a * l + p.sum(axis=1)                               # (5)
                o = p @ v_tile + a[:, None] * o                         # (BLOCK_T,E)  (6)
                m = m_new
        some = np.where(l == 0, 1, l)                         # a query without a key: 0 / 1
        memory.store("y", y[b, h], t0, o / some[:, None])     # (7)
        memory.store("lse", lse[b, h], t0, m + np.log(some))  # (7)
    return y, TiledAttentionCache(q, k, v, key_mask, causal, y, lse, BLOCK_T, BLOCK_S, memory.tiles["forward"],
                                  memory.loaded, memory.stored)


def attention_backward(dy, cache, *, BLOCK_T=None, BLOCK_S=None, memory=None):
    """Gradients of the loss with respect to q, k and v. The scores are computed again, not stored.

        (8) delta_t = sum_e dy_te y_te                         (= sum_s p_ts dp_ts, since y_t = sum_s p_ts v_s)
        (9) p_ts = exp(s_ts - L_t)                             (all at once: L knows the whole row)
        (10) dv_s <- dv_s + sum_t p_ts dy_t                    (t: of all heads that use v_s, a tile at a time)
        (11) dp_ts = sum_e dy_te v_se
        (12) ds_ts = p_ts (dp_ts - delta_t)                    (softmax; dropout would come into (10) and dp)
        (13) dk_s <- dk_s + sum_t ds_ts q_t / sqrt(D)
        (14) dq_t <- dq_t + sum_s ds_ts k_s / sqrt(D)          (in a second pass, so that no two programs add to one)

    dy: (B,H,T,E). BLOCK_T, BLOCK_S: those of the forward if not given. memory: a Memory to count in.
    Returns dq: (B,H,T,D), dk: (B,G,S,D), dv: (B,G,S,E).
    """
    q, k, v, key_mask, causal, y, lse = cache[:7]
    BLOCK_T, BLOCK_S, memory = BLOCK_T or cache.BLOCK_T, BLOCK_S or cache.BLOCK_S, memory or Memory()
    (B, H, T, D), (G, S, E) = q.shape, v.shape[1:]
    delta, dq, dk, dv = (np.empty_like(x) for x in (lse, q, k, v))
    for b, h, t0 in itertools.product(range(B), range(H), range(0, T, BLOCK_T)):            # a program each: delta
        dy_tile = memory.load("dy", dy[b, h], t0, BLOCK_T)    # (BLOCK_T,E)
        y_tile = memory.load("y", y[b, h], t0, BLOCK_T)
        memory.store("delta", delta[b, h], t0, (dy_tile * y_tile).sum(axis=1))              # (BLOCK_T,)  (8)
    for b, g, s0 in itertools.product(range(B), range(G), range(0, S, BLOCK_S)):            # a program each: dk, dv
        k_tile = memory.load("k", k[b, g], s0, BLOCK_S)       # (BLOCK_S,D)
        v_tile = memory.load("v", v[b, g], s0, BLOCK_S)       # (BLOCK_S,E)
        s = s0 + np.arange(BLOCK_S)
        if key_mask is not None:
            seen = memory.load("key_mask", key_mask[b], s0, BLOCK_S)
        dk_tile = np.zeros((BLOCK_S, D), k.dtype)
        dv_tile = np.zeros((BLOCK_S, E), v.dtype)
        first, whole = queries_of(s0, T, S, causal, BLOCK_T, BLOCK_S)
        for h in range(g * (H // G), (g + 1) * (H // G)):
            for masked in (False, True):
                for t0 in range(first if masked else whole, whole if masked else T, BLOCK_T):
                    memory.visit("dkdv", (b, h), t0, s0, masked)
                    t = t0 + np.arange(BLOCK_T)
                    q_tile = memory.load("q", q[b, h], t0, BLOCK_T)     # (BLOCK_T,D)
                    dy_tile = memory.load("dy", dy[b, h], t0, BLOCK_T)  # (BLOCK_T,E)
                    lse_tile = memory.load("lse", lse[b, h], t0, BLOCK_T)
                    delta_tile = memory.load("delta", delta[b, h], t0, BLOCK_T)
                    scores = k_tile @ q_tile.T / math.sqrt(D)           # (BLOCK_S,BLOCK_T)  (1)
                    if masked:
                        scores = np.where(may_attend(t[None, :], s[:, None], T, S, causal), scores, -np.inf)    # (2)
                    if key_mask is not None:
                        scores = np.where(seen[:, None], scores, -np.inf)       # (2)
                    lse_tile = np.where(lse_tile == -np.inf, 0, lse_tile)       # a query without a key: all are -inf
                    p = np.exp(scores - lse_tile[None, :])              # (BLOCK_S,BLOCK_T)  (9)
                    dp = v_tile @ dy_tile.T                             # (11)
                    dv_tile = p @ dy_tile + dv_tile                     # (BLOCK_S,E)  (10)
                    ds = p * (dp - delta_tile[None, :])                 # (BLOCK_S,BLOCK_T)  (12)
                    dk_tile = ds @ q_tile + dk_tile                     # (BLOCK_S,D)  (13)
        memory.store("dk", dk[b, g], s0, dk_tile / math.sqrt(D))
        memory.store("dv", dv[b, g], s0, dv_tile)
    for b, h, t0 in itertools.product(range(B), range(H), range(0, T, BLOCK_T)):            # a program each: dq
        g = h // (H // G)
        q_tile = memory.load("q", q[b, h], t0, BLOCK_T)       # (BLOCK_T,D)
        dy_tile = memory.load("dy", dy[b, h], t0, BLOCK_T)    # (BLOCK_T,E)
        t = t0 + np.arange(BLOCK_T)
        lse_tile = memory.load("lse", lse[b, h], t0, BLOCK_T)
        lse_tile = np.where(lse_tile == -np.inf, 0, lse_tile)
        delta_tile = memory.load("delta", delta[b, h], t0, BLOCK_T)
        dq_tile = np.zeros((BLOCK_T, D), q.dtype)
        whole, end = keys_of(t0, T, S, causal, BLOCK_T, BLOCK_S)
        for masked in (False, True):
            for s0 in range(whole if masked else 0, end if masked else whole, BLOCK_S):
                memory.visit("dq", (b, h), t0, s0, masked)
                s = s0 + np.arange(BLOCK_S)
                k_tile = memory.load("k", k[b, g], s0, BLOCK_S)         # (BLOCK_S,D)
                v_tile = memory.load("v", v[b, g], s0, BLOCK_S)         # (BLOCK_S,E)
                scores = q_tile @ k_tile.T / math.sqrt(D)               # (BLOCK_T,BLOCK_S)  (1)
                if masked:
                    scores = np.where(may_attend(t[:, None], s[None, :], T, S, causal), scores, -np.inf)    # (2)
                if key_mask is not None:
                    seen = memory.load("key_mask", key_mask[b], s0, BLOCK_S)
                    scores = np.where(seen[None, :], scores, -np.inf)   # (2)
                p = np.exp(scores - lse_tile[:, None])                  # (9)
                dp = dy_tile @ v_tile.T                                 # (11)
                ds = p * (dp - delta_tile[:, None])                     # (12)
                dq_tile = ds @ k_tile + dq_tile                         # (BLOCK_T,D)  (14)
        memory.store("dq", dq[b, h], t0, dq_tile / math.sqrt(D))
    return dq, dk, dv


def keys_of(t0, T, S, causal, BLOCK_T, BLOCK_S):
    """For the queries from t0 on: (whole, end). Key tiles before `whole` need no mask; none counts from `end` on."""
    if not causal:
        return S // BLOCK_S * BLOCK_S, S
    whole = max(t0 + S - T + 1, 0) // BLOCK_S * BLOCK_S       # what the first query sees
    end = min(max(t0 + BLOCK_T + S - T, 0), S)                # what the last one sees
    return whole, end


def queries_of(s0, T, S, causal, BLOCK_T, BLOCK_S):
    """For the keys from s0 on: (first, whole). No query before `first` sees one; tiles from `whole` on need no mask."""
    if not causal:
        return 0, T if s0 + BLOCK_S > S else 0                # a tile past the end needs a mask
    first = max(s0 + T - S, 0) // BLOCK_T * BLOCK_T           # who sees the first key
    whole = -(-max(s0 + BLOCK_S - 1 + T - S, 0) // BLOCK_T) * BLOCK_T                       # who sees the last one
    return first, min(whole, T)


def may_attend(t, s, T, S, causal):
    """Whether query t may attend to key s, for positions that broadcast; False past the last key."""
    return (s <= t + S - T) & (s < S) if causal else (s < S) & (t == t)
