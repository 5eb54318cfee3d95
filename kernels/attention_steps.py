"""The way to attention as one kernel: first with all scores in memory, then with tiles, but two passes over the keys.

naive_attention: three kernels. One writes the scores, a tile a program; a softmax turns them into weights, row by row
(kernels.softmax); one averages the values with them. Of T x S numbers it stores two, and loads both again.
tiled_attention: one kernel. A program takes BLOCK_T queries and goes over their keys twice: for the maximum m and the
sum l of their scores, then for the output. Nothing of T x S is stored, but every key is loaded twice.
kernels.attention needs one pass only, since it corrects what it has summed whenever m grows.
Grid: (B H ceil(T / BLOCK_T) ceil(S / BLOCK_S),) for scores, (B H ceil(T / BLOCK_T),) for the other two.
On chip: the tiles that are multiplied, and their product.
Bytes moved: kernels.traffic has them, for each kernel.
"""
# isort: off
import torch

import kernels._backend  # noqa: F401  before triton is imported
import triton
import triton.language as tl

from kernels import traffic
from kernels.attention_tiles import (LOG2E, constants_of, keys_of, load_tile, may_attend, options, padded,
                                     rows_in_one_piece, shipped_form, store_tile)
from kernels.softmax import softmax
# isort: on


@triton.jit
def attention_scores_kernel(
    q_ptr,              # (B, H, T, D) queries
    k_ptr,              # (B, G, S, D) keys
    scores_ptr,         # (B, H, T, S) contiguous; this program owns BLOCK_T rows and BLOCK_S columns of one head
    stride_qb, stride_qh, stride_qt, stride_kb, stride_kg, stride_ks,
    H, G, T, S,
    D: tl.constexpr, CAUSAL: tl.constexpr, ACC: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_T: tl.constexpr, BLOCK_S: tl.constexpr, BLOCK_D: tl.constexpr,
):
    """(1) s_ts = sum_d q_td k_sd / sqrt(D)   (2) s_ts = -inf where s > t + S - T, if causal"""
    columns, tiles = tl.cdiv(S, BLOCK_S), tl.cdiv(T, BLOCK_T) * tl.cdiv(S, BLOCK_S)
    head, tile = tl.program_id(0) // tiles, tl.program_id(0) % tiles            # b H + h
    t0, s0 = tile // columns * BLOCK_T, tile % columns * BLOCK_S
    b, h = (head // H).to(tl.int64), (head % H).to(tl.int64)
    g = h // (H // G)
    q = load_tile(q_ptr + b * stride_qb + h * stride_qh, stride_qt, t0, T, D, True, BLOCK_T, BLOCK_D)
    k = load_tile(k_ptr + b * stride_kb + g * stride_kg, stride_ks, s0, S, D, True, BLOCK_S, BLOCK_D)
    t, s = t0 + tl.arange(0, BLOCK_T)[:, None], s0 + tl.arange(0, BLOCK_S)[None, :]
    scores = tl.dot(q, tl.trans(k), input_precision=PRECISION, out_dtype=ACC) / tl.sqrt(tl.full((), D, ACC))    # (1)
    scores = tl.where(may_attend(t, s, T, S, CAUSAL), scores, -float("inf"))                                    # (2)
    place = scores_ptr + (head.to(tl.int64) * T + t) * S + s
    tl.store(place, scores.to(scores_ptr.dtype.element_ty), mask=(t < T) & (s < S))


@triton.jit
def attention_average_kernel(
    p_ptr,              # (B, H, T, S) weights, contiguous
    v_ptr,              # (B, G, S, E) values
    y_ptr,              # (B, H, T, E) contiguous; this program owns BLOCK_T rows of one head
    stride_vb, stride_vg, stride_vs,
    H, G, T, S,
    E: tl.constexpr, ACC: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_T: tl.constexpr, BLOCK_S: tl.constexpr, BLOCK_E: tl.constexpr,
):
    """(6) y_t = sum_s p_ts v_s"""
    tiles = tl.cdiv(T, BLOCK_T)
    head, t0 = tl.program_id(0) // tiles, tl.program_id(0) % tiles * BLOCK_T    # b H + h
    b, h = (head // H).to(tl.int64), (head % H).to(tl.int64)
    v_ptr += b * stride_vb + h // (H // G) * stride_vg
    rows = head.to(tl.int64) * T
    t = t0 + tl.arange(0, BLOCK_T)[:, None]
    o = tl.zeros((BLOCK_T, BLOCK_E), ACC)
    for s0 in range(0, S, BLOCK_S):
        s = s0 + tl.arange(0, BLOCK_S)[None, :]
        p = tl.load(p_ptr + (rows + t) * S + s, mask=(t < T) & (s < S), other=0.0)
        v = load_tile(v_ptr, stride_vs, s0, S, E, True, BLOCK_S, BLOCK_E)
        o = tl.dot(p, v, o, input_precision=PRECISION, out_dtype=ACC)           # (6)
    store_tile(y_ptr + rows * E, o, t0, T, E, BLOCK_T, BLOCK_E)


@triton.jit
def attention_tiled_kernel(
    q_ptr,              # (B, H, T, D) queries; this program owns BLOCK_T of one head
    k_ptr,              # (B, G, S, D) keys
    v_ptr,              # (B, G, S, E) values
    y_ptr,              # (B, H, T, E) averaged values, contiguous
    stride_qb, stride_qh, stride_qt, stride_kb, stride_kg, stride_ks, stride_vb, stride_vg, stride_vs,
    H, G, T, S,
    D: tl.constexpr, E: tl.constexpr, CAUSAL: tl.constexpr, ACC: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_T: tl.constexpr, BLOCK_S: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr,
):
    """First (3) m = max_s s_ts and (5) l = sum_s exp(s_ts - m), then (4) p_ts = exp(s_ts - m) / l, (6) y = sum p v."""
    tiles = tl.cdiv(T, BLOCK_T)
    head, t0 = tl.program_id(0) // tiles, tl.program_id(0) % tiles * BLOCK_T    # b H + h
    b, h = (head // H).to(tl.int64), (head % H).to(tl.int64)
    g = h // (H // G)
    k_ptr += b * stride_kb + g * stride_kg
    v_ptr += b * stride_vb + g * stride_vg
    q = load_tile(q_ptr + b * stride_qb + h * stride_qh, stride_qt, t0, T, D, True, BLOCK_T, BLOCK_D)
    t = t0 + tl.arange(0, BLOCK_T)[:, None]
    scale = tl.full((), LOG2E, ACC) / tl.sqrt(tl.full((), D, ACC))              # 1 / sqrt(D), in units of ln 2
    m = tl.full((BLOCK_T,), -float("inf"), ACC)
    l = tl.zeros((BLOCK_T,), ACC)
    o = tl.zeros((BLOCK_T, BLOCK_E), ACC)
    _, end = keys_of(t0, T, S, CAUSAL, BLOCK_T, BLOCK_S)
    for s0 in range(0, end, BLOCK_S):
        k = load_tile(k_ptr, stride_ks, s0, S, D, True, BLOCK_S, BLOCK_D)
        scores = tl.dot(q, tl.trans(k), input_precision=PRECISION, out_dtype=ACC) * scale           # (1)
        s = s0 + tl.arange(0, BLOCK_S)[None, :]
        scores = tl.where(may_attend(t, s, T, S, CAUSAL), scores, -float("inf"))                    # (2)
        m_new = tl.maximum(m, tl.max(scores, axis=1))                           # (3)
        finite = tl.where(m_new == -float("inf"), 0.0, m_new)
        l = l * tl.exp2(m - finite) + tl.sum(tl.exp2(scores - finite[:, None]), axis=1)             # (5)
        m = m_new
    m = tl.where(m == -float("inf"), 0.0, m)
    l = tl.where(l == 0.0, 1.0, l)
    for s0 in range(0, end, BLOCK_S):
        k = load_tile(k_ptr, stride_ks, s0, S, D, True, BLOCK_S, BLOCK_D)
        v = load_tile(v_ptr, stride_vs, s0, S, E, True, BLOCK_S, BLOCK_E)
        scores = tl.dot(q, tl.trans(k), input_precision=PRECISION, out_dtype=ACC) * scale           # (1)
        s = s0 + tl.arange(0, BLOCK_S)[None, :]
        scores = tl.where(may_attend(t, s, T, S, CAUSAL), scores, -float("inf"))                    # (2)
        p = tl.exp2(scores - m[:, None]) / l[:, None]                           # (4)
        o = tl.dot(p.to(v.dtype), v, o, input_precision=PRECISION, out_dtype=ACC)                   # (6)
    store_tile(y_ptr + head.to(tl.int64) * T * E, o, t0, T, E, BLOCK_T, BLOCK_E)


def configuration(D, E, dtype):
    """Tiles, warps and stages of all three kernels, for widths and a dtype."""
    BLOCK_T, BLOCK_S, warps = {2: (64, 64, 4), 4: (32, 32, 4), 8: (16, 16, 4)}[dtype.itemsize]
    return {"BLOCK_T": BLOCK_T, "BLOCK_S": BLOCK_S, "BLOCK_D": padded(D), "BLOCK_E": padded(E),
            "num_warps": warps, "num_stages": 2}


def naive_attention(q, k, v, causal=False):
    """Attention with its scores in memory; arguments and result as in kernels.attention, no gradient."""
    q, k, v = (rows_in_one_piece(x) for x in (q, k, v))
    (B, H, T, _), (G, S), E = q.shape, k.shape[1:3], v.shape[-1]
    tiles, constants = configuration(q.shape[-1], E, q.dtype), constants_of(q, v, causal, 0.0)
    scores = torch.empty((B, H, T, S), dtype=q.dtype, device=q.device)
    y = torch.empty((B, H, T, E), dtype=q.dtype, device=q.device)
    if not y.numel():
        return y
    columns = triton.cdiv(T, tiles["BLOCK_T"])
    if S:
        attention_scores_kernel[(B * H * columns * triton.cdiv(S, tiles["BLOCK_S"]),)](
            q, k, scores, *q.stride()[:3], *k.stride()[:3], H, G, T, S,
            **options(attention_scores_kernel, constants | tiles))
    attention_average_kernel[(B * H * columns,)](
        softmax(scores), v, y, *v.stride()[:3], H, G, T, S,
        **options(attention_average_kernel, constants | tiles))
    return y


def tiled_attention(q, k, v, causal=False):
    """Attention with two passes over the keys; arguments and result as in kernels.attention, no gradient."""
    q, k, v = (rows_in_one_piece(x) for x in (q, k, v))
    (B, H, T, _), (G, S), E = q.shape, k.shape[1:3], v.shape[-1]
    tiles, constants = configuration(q.shape[-1], E, q.dtype), constants_of(q, v, causal, 0.0)
    y = torch.empty((B, H, T, E), dtype=q.dtype, device=q.device)
    if y.numel():
        attention_tiled_kernel[(B * H * triton.cdiv(T, tiles["BLOCK_T"]),)](
            q, k, v, y, *q.stride()[:3], *k.stride()[:3], *v.stride()[:3], H, G, T, S,
            **options(attention_tiled_kernel, constants | tiles))
    return y



def shipped():
    """The compiled forms that a launch uses, for `python -m kernels.report`."""
    tiles = configuration(64, 64, torch.float16)
    return [shipped_form(attention_scores_kernel, traffic.attention_scores, torch.float16, tiles, 64, {80: 4, 90: 2},
                         copies=False),
            shipped_form(attention_average_kernel, traffic.attention_average, torch.float16, tiles, 64, {80: 2, 90: 2}),
            shipped_form(attention_tiled_kernel, traffic.attention_tiled, torch.float16, tiles, 64, {80: 2, 90: 2})]
