"""The gradients of attention, with the scores computed again instead of read: nothing of T x S is stored.

Plan: three kernels, with 7 products where stored weights would need 4. One adds up delta, a number for each query. One
takes BLOCK_S keys of one key head and visits all queries that see them, of all heads of its group: it alone writes
their dk and dv, so nothing is added atomically, and two runs give the same bits. One takes BLOCK_T queries and visits
their keys for dq.
Grid: (B H ceil(T / BLOCK_T),) for delta and dq, (B G ceil(S / BLOCK_S),) for dk and dv.
On chip: a tile of keys and values with their gradients, and one of queries, dy and scores; for dq the other way round.
Bytes moved: dk and dv: k, v, dk, dv once, and q, dy, lse, delta once for each tile of keys that they see; dq: q, dy,
lse, delta, dq once, and k, v once for each tile of queries that sees them; delta: dy and y once.
"""
# isort: off
import torch

import kernels._backend  # noqa: F401  before triton is imported
import triton
import triton.language as tl

from kernels import traffic
from kernels.attention_tiles import (LOG2E, capability, constants_of, crowded, dropout_scale, keys_of, load_tile,
                                     may_attend, options, padded, queries_of, rows_in_one_piece, shipped_form,
                                     store_tile)
# isort: on


@triton.jit
def attention_backward_delta_kernel(
    dy_ptr,             # (B, H, T, E) gradient of the loss with respect to y
    y_ptr,              # (B, H, T, E) what the forward returned, contiguous
    delta_ptr,          # (B, H, T) contiguous; this program owns BLOCK_T of one head
    stride_dyb, stride_dyh, stride_dyt,
    H, T,
    E: tl.constexpr, ACC: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_E: tl.constexpr,
):
    """(8) delta_t = sum_e dy_te y_te, which is sum_s p_ts dp_ts: what the softmax subtracts in (12)."""
    tiles = tl.cdiv(T, BLOCK_T)
    head, t0 = tl.program_id(0) // tiles, tl.program_id(0) % tiles * BLOCK_T
    b, h = (head // H).to(tl.int64), (head % H).to(tl.int64)
    rows = head.to(tl.int64) * T
    dy = load_tile(dy_ptr + b * stride_dyb + h * stride_dyh, stride_dyt, t0, T, E, True, BLOCK_T, BLOCK_E)
    y = load_tile(y_ptr + rows * E, E, t0, T, E, True, BLOCK_T, BLOCK_E)
    delta = tl.sum(dy.to(ACC) * y.to(ACC), axis=1)                              # (BLOCK_T,)  (8)
    t = t0 + tl.arange(0, BLOCK_T)
    tl.store(delta_ptr + rows + t, delta, mask=t < T)


@triton.jit
def attention_backward_dkdv_kernel(
    q_ptr, k_ptr, v_ptr, key_mask_ptr, seed_ptr,        # as in the forward
    dy_ptr,             # (B, H, T, E) gradient of the loss with respect to y
    lse_ptr,            # (B, H, T) log-sum-exp, from the forward
    delta_ptr,          # (B, H, T) from (8)
    dk_ptr,             # (B, G, S, D) contiguous; this program owns BLOCK_S keys of one key head
    dv_ptr,             # (B, G, S, E) likewise
    stride_qb, stride_qh, stride_qt, stride_kb, stride_kg, stride_ks, stride_vb, stride_vg, stride_vs,
    stride_dyb, stride_dyh, stride_dyt,
    H, G, T, S,
    D: tl.constexpr, E: tl.constexpr, CAUSAL: tl.constexpr, DROPOUT: tl.constexpr, ACC: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_T: tl.constexpr, BLOCK_S: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr,
):
    """Equations (9) to (13) for BLOCK_S keys; scores, p, dp, ds: (BLOCK_S, BLOCK_T), a row is a key."""
    tiles = tl.cdiv(S, BLOCK_S)
    head, s0 = tl.program_id(0) // tiles, tl.program_id(0) % tiles * BLOCK_S    # b G + g
    b, g = (head // G).to(tl.int64), (head % G).to(tl.int64)
    k = load_tile(k_ptr + b * stride_kb + g * stride_kg, stride_ks, s0, S, D, True, BLOCK_S, BLOCK_D)
    v = load_tile(v_ptr + b * stride_vb + g * stride_vg, stride_vs, s0, S, E, True, BLOCK_S, BLOCK_E)
    s = s0 + tl.arange(0, BLOCK_S)
    if key_mask_ptr is not None:
        seen = tl.load(key_mask_ptr + b * S + s, mask=s < S, other=False)
    root = tl.sqrt(tl.full((), D, ACC))
    log2e = tl.full((), LOG2E, ACC)
    dk = tl.zeros((BLOCK_S, BLOCK_D), ACC)
    dv = tl.zeros((BLOCK_S, BLOCK_E), ACC)
    first, whole = queries_of(s0, T, S, CAUSAL, BLOCK_T, BLOCK_S)
    for i in range(H // G):
        h = g * (H // G) + i                                                    # a head of the group
        rows = (b * H + h) * T
        for MASKED in tl.static_range(2):
            for t0 in range(first if MASKED else whole, whole if MASKED else T, BLOCK_T):
                t = t0 + tl.arange(0, BLOCK_T)
                q = load_tile(q_ptr + b * stride_qb + h * stride_qh, stride_qt, t0, T, D, True, BLOCK_T, BLOCK_D)
                dy = load_tile(dy_ptr + b * stride_dyb + h * stride_dyh, stride_dyt, t0, T, E, True, BLOCK_T, BLOCK_E)
                lse = tl.load(lse_ptr + rows + t, mask=t < T, other=0.0)
                delta = tl.load(delta_ptr + rows + t, mask=t < T, other=0.0)
                scores = tl.dot(k, tl.trans(q), input_precision=PRECISION, out_dtype=ACC) * (log2e / root)  # (1)
                if MASKED:
                    scores = tl.where(may_attend(t[None, :], s[:, None], T, S, CAUSAL), scores, -float("inf"))  # (2)
                if key_mask_ptr is not None:
                    scores = tl.where(seen[:, None], scores, -float("inf"))     # (2)
                lse = tl.where(lse == -float("inf"), 0.0, lse)                  # a query without a key: all are -inf
                p = tl.exp2(scores - (lse * log2e)[None, :])                    # (9)
                dp = tl.dot(v, tl.trans(dy), input_precision=PRECISION, out_dtype=ACC)          # (11)
                z = p
                if seed_ptr is not None:
                    scale = dropout_scale(seed_ptr, (b * H + h).to(tl.int32), t[None, :], s[:, None], DROPOUT, ACC)
                    z, dp = p * scale, dp * scale
                dv = tl.dot(z.to(dy.dtype), dy, dv, input_precision=PRECISION, out_dtype=ACC)   # (10)
                ds = p * (dp - delta[None, :])                                  # (12)
                dk = tl.dot(ds.to(q.dtype), q, dk, input_precision=PRECISION, out_dtype=ACC)    # (13)
    rows = head.to(tl.int64) * S
    store_tile(dk_ptr + rows * D, dk / root, s0, S, D, BLOCK_S, BLOCK_D)
    store_tile(dv_ptr + rows * E, dv, s0, S, E, BLOCK_S, BLOCK_E)


@triton.jit
def attention_backward_dq_kernel(
    q_ptr, k_ptr, v_ptr, key_mask_ptr, seed_ptr, dy_ptr, lse_ptr, delta_ptr,    # as above
    dq_ptr,             # (B, H, T, D) contiguous; this program owns BLOCK_T queries of one head
    stride_qb, stride_qh, stride_qt, stride_kb, stride_kg, stride_ks, stride_vb, stride_vg, stride_vs,
    stride_dyb, stride_dyh, stride_dyt,
    H, G, T, S,
    D: tl.constexpr, E: tl.constexpr, CAUSAL: tl.constexpr, DROPOUT: tl.constexpr, ACC: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_T: tl.constexpr, BLOCK_S: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr,
):
    """Equations (9), (11), (12) and (14) for BLOCK_T queries, with the loops of the forward."""
    tiles = tl.cdiv(T, BLOCK_T)
    head = tl.program_id(0) // tiles                                            # b H + h
    t0 = (tiles - 1 - tl.program_id(0) % tiles) * BLOCK_T
    b, h = (head // H).to(tl.int64), (head % H).to(tl.int64)
    g = h // (H // G)
    rows = head.to(tl.int64) * T
    k_ptr += b * stride_kb + g * stride_kg
    v_ptr += b * stride_vb + g * stride_vg
    q = load_tile(q_ptr + b * stride_qb + h * stride_qh, stride_qt, t0, T, D, True, BLOCK_T, BLOCK_D)
    dy = load_tile(dy_ptr + b * stride_dyb + h * stride_dyh, stride_dyt, t0, T, E, True, BLOCK_T, BLOCK_E)
    t = t0 + tl.arange(0, BLOCK_T)
    lse = tl.load(lse_ptr + rows + t, mask=t < T, other=0.0)
    lse = tl.where(lse == -float("inf"), 0.0, lse)
    delta = tl.load(delta_ptr + rows + t, mask=t < T, other=0.0)
    root = tl.sqrt(tl.full((), D, ACC))
    log2e = tl.full((), LOG2E, ACC)
    dq = tl.zeros((BLOCK_T, BLOCK_D), ACC)
    whole, end = keys_of(t0, T, S, CAUSAL, BLOCK_T, BLOCK_S)
    for MASKED in tl.static_range(2):
        for s0 in range(whole if MASKED else 0, end if MASKED else whole, BLOCK_S):
            s = s0 + tl.arange(0, BLOCK_S)
            k = load_tile(k_ptr, stride_ks, s0, S, D, MASKED, BLOCK_S, BLOCK_D)
            v = load_tile(v_ptr, stride_vs, s0, S, E, MASKED, BLOCK_S, BLOCK_E)
            scores = tl.dot(q, tl.trans(k), input_precision=PRECISION, out_dtype=ACC) * (log2e / root)      # (1)
            if MASKED:
                scores = tl.where(may_attend(t[:, None], s[None, :], T, S, CAUSAL), scores, -float("inf"))  # (2)
            if key_mask_ptr is not None:
                seen = tl.load(key_mask_ptr + b * S + s, mask=s < S, other=False)
                scores = tl.where(seen[None, :], scores, -float("inf"))         # (2)
            p = tl.exp2(scores - (lse * log2e)[:, None])                        # (9)
            dp = tl.dot(dy, tl.trans(v), input_precision=PRECISION, out_dtype=ACC)                          # (11)
            if seed_ptr is not None:
                dp = dp * dropout_scale(seed_ptr, head, t[:, None], s[None, :], DROPOUT, ACC)
            ds = p * (dp - delta[:, None])                                      # (12)
            dq = tl.dot(ds.to(k.dtype), k, dq, input_precision=PRECISION, out_dtype=ACC)                    # (14)
    store_tile(dq_ptr + rows * D, dq / root, t0, T, D, BLOCK_T, BLOCK_D)


def configuration(kernel, D, E, dtype, capability, dropout=0.0):
    """Tiles, warps and stages of a kernel ("delta", "dkdv" or "dq"); the rest as in the forward."""
    BLOCK_D, BLOCK_E = padded(D), padded(E)
    if kernel == "delta":
        return {"BLOCK_T": 64, "BLOCK_E": BLOCK_E, "num_warps": 4, "num_stages": 1}
    wide, tight = max(BLOCK_D, BLOCK_E) > 64, crowded(D, E, dropout)
    if kernel == "dkdv":
        BLOCK_T, BLOCK_S, warps = {2: (32, 32 if tight else 64, 8 if wide or tight else 4),
                                   4: (16, 16 if wide or tight else 32, 8), 8: (16, 16, 8)}[dtype.itemsize]
    else:
        BLOCK_T, BLOCK_S, warps = {2: (64, 32 if tight else 64, 8 if wide else 4),
                                   4: (32, 16, 8) if wide else (32, 32, 4), 8: (16, 16, 4)}[dtype.itemsize]
    return {"BLOCK_T": BLOCK_T, "BLOCK_S": BLOCK_S, "BLOCK_D": BLOCK_D, "BLOCK_E": BLOCK_E,
            "num_warps": warps, "num_stages": 2}


@torch.library.custom_op("minigpt::attention_backward", mutates_args=())
def attention_backward(
    dy: torch.Tensor, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, y: torch.Tensor, lse: torch.Tensor,
    key_mask: torch.Tensor | None, seed: torch.Tensor | None, causal: bool, dropout: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients with respect to q, k and v, from what the forward was given and returned."""
    dy, q, k, v = (rows_in_one_piece(x) for x in (dy, q, k, v))
    (B, H, T, D), (G, S), E = q.shape, k.shape[1:3], v.shape[-1]
    delta, (dq, dk, dv) = torch.empty_like(lse), _shapes(dy, q, k, v, y, lse, key_mask, seed, causal, dropout)
    tiles = {kernel: configuration(kernel, D, E, q.dtype, capability(q.device), dropout)
             for kernel in ("delta", "dkdv", "dq")}
    inputs = q, k, v, key_mask, seed, dy, lse, delta
    sizes = *(stride for x in (q, k, v, dy) for stride in x.stride()[:3]), H, G, T, S
    constants = constants_of(q, v, causal, dropout)
    if queries := B * H * T:
        grid = (B * H * triton.cdiv(T, tiles["delta"]["BLOCK_T"]),)
        attention_backward_delta_kernel[grid](
            dy, y, delta, *dy.stride()[:3], H, T,
            **options(attention_backward_delta_kernel, constants | tiles["delta"]))
    if B * G * S:
        grid = (B * G * triton.cdiv(S, tiles["dkdv"]["BLOCK_S"]),)
        attention_backward_dkdv_kernel[grid](*inputs, dk, dv, *sizes, **constants, **tiles["dkdv"])
    if queries:
        grid = (B * H * triton.cdiv(T, tiles["dq"]["BLOCK_T"]),)
        attention_backward_dq_kernel[grid](*inputs, dq, *sizes, **constants, **tiles["dq"])
    return dq, dk, dv


@attention_backward.register_fake
def _shapes(dy, q, k, v, y, lse, key_mask, seed, causal, dropout):
    return tuple(torch.empty(x.shape, dtype=x.dtype, device=x.device) for x in (q, k, v))


def shipped():
    """The compiled forms that launches use, for `python -m kernels.report`."""
    forms = ((torch.float16, 64, {80: 2, 90: 2}, {}),
             (torch.bfloat16, 128, {80: 1, 90: 1}, {}),
             (torch.bfloat16, 64, {80: 1, 90: 1}, {"CAUSAL": False, "key_mask": True, "DROPOUT": 0.1}),
             (torch.float32, 64, {80: 2, 90: 2}, {"matrix": False}))
    found = [shipped_form(kernel, work, dtype, configuration(name, D, D, dtype, 80, masks.get("DROPOUT", 0.0)), D,
                          blocks, **masks)
             for name, kernel, work in (
                 ("dkdv", attention_backward_dkdv_kernel, traffic.attention_backward_dkdv),
                 ("dq", attention_backward_dq_kernel, traffic.attention_backward_dq))
             for dtype, D, blocks, masks in forms]
    delta = shipped_form(attention_backward_delta_kernel, traffic.attention_backward_delta, torch.float16,
                         configuration("delta", 64, 64, torch.float16, 80), 64, {80: 8, 90: 8}, matrix=False,
                         copies=False)
    return [delta, *found]
