"""Attention as one kernel: no score is ever written to memory.

Plan: each program takes BLOCK_T queries of one head and visits the keys and values tile after tile. A softmax whose
maximum m and sum l are still growing is kept up to date: when m rises, what was summed before is scaled down.
Grid: (B H ceil(T / BLOCK_T),), the tiles of a head one after another.
On chip: a tile of queries, keys, values and scores; m and l of each query, and o, the sum of values so far.
Bytes moved: q, y and the log-sum-exp once; k and v once for each tile of queries that sees them. Nothing of T x S.
"""
# isort: off
import torch

import kernels._backend  # noqa: F401  before triton is imported
import triton
import triton.language as tl

from kernels import traffic
from kernels.attention_backward import attention_backward
from kernels.attention_tiles import (LOG2E, capability, constants_of, crowded, dropout_scale, keys_of, load_tile,
                                     may_attend, padded, rows_in_one_piece, shipped_form, store_tile)
# isort: on


@triton.jit
def attention_forward_kernel(
    q_ptr,              # (B, H, T, D) queries; this program owns BLOCK_T of one head
    k_ptr,              # (B, G, S, D) keys
    v_ptr,              # (B, G, S, E) values
    key_mask_ptr,       # (B, S) bool, contiguous, or None
    seed_ptr,           # (1,) int64 for dropout, or None
    y_ptr,              # (B, H, T, E) averaged values, contiguous
    lse_ptr,            # (B, H, T) log-sum-exp of a query's scores, contiguous
    stride_qb, stride_qh, stride_qt, stride_kb, stride_kg, stride_ks, stride_vb, stride_vg, stride_vs,
    H, G, T, S,
    D: tl.constexpr, E: tl.constexpr, CAUSAL: tl.constexpr, DROPOUT: tl.constexpr, ACC: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_T: tl.constexpr, BLOCK_S: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr,
):
    """Equations (1) to (7) for BLOCK_T queries; scores, m and l are kept in units of ln 2, so that exp is 2^x."""
    tiles = tl.cdiv(T, BLOCK_T)
    head = tl.program_id(0) // tiles                                            # b H + h
    t0 = (tiles - 1 - tl.program_id(0) % tiles) * BLOCK_T                       # those that see most keys begin
    b, h = (head // H).to(tl.int64), head % H
    g = (h // (H // G)).to(tl.int64)
    k_ptr += b * stride_kb + g * stride_kg
    v_ptr += b * stride_vb + g * stride_vg
    q = load_tile(q_ptr + b * stride_qb + h.to(tl.int64) * stride_qh, stride_qt, t0, T, D, True, BLOCK_T, BLOCK_D)
    t = t0 + tl.arange(0, BLOCK_T)
    scale = tl.full((), LOG2E, ACC) / tl.sqrt(tl.full((), D, ACC))              # 1 / sqrt(D), in units of ln 2
    m = tl.full((BLOCK_T,), -float("inf"), ACC)
    l = tl.zeros((BLOCK_T,), ACC)
    o = tl.zeros((BLOCK_T, BLOCK_E), ACC)
    whole, end = keys_of(t0, T, S, CAUSAL, BLOCK_T, BLOCK_S)
    for MASKED in tl.static_range(2):
        for s0 in range(whole if MASKED else 0, end if MASKED else whole, BLOCK_S):
            s = s0 + tl.arange(0, BLOCK_S)
            k = load_tile(k_ptr, stride_ks, s0, S, D, MASKED, BLOCK_S, BLOCK_D)
            v = load_tile(v_ptr, stride_vs, s0, S, E, MASKED, BLOCK_S, BLOCK_E)
            scores = tl.dot(q, tl.trans(k), input_precision=PRECISION, out_dtype=ACC) * scale       # (1)
            if MASKED:
                scores = tl.where(may_attend(t[:, None], s[None, :], T, S, CAUSAL), scores, -float("inf"))  # (2)
            if key_mask_ptr is not None:
                seen = tl.load(key_mask_ptr + b * S + s, mask=s < S, other=False)
                scores = tl.where(seen[None, :], scores, -float("inf"))         # (2)
            m_new = tl.maximum(m, tl.max(scores, axis=1))                       # (3)
            finite = tl.where(m_new == -float("inf"), 0.0, m_new)               # no key so far: -inf - -inf is NaN
            p = tl.exp2(scores - finite[:, None])                               # (4)
            a = tl.exp2(m - finite)                                             # (4)
            l = a * l + tl.sum(p, axis=1)                                       # (5)
            if seed_ptr is not None:
                p = p * dropout_scale(seed_ptr, head, t[:, None], s[None, :], DROPOUT, ACC)
            o = tl.dot(p.to(v.dtype), v, a[:, None] * o, input_precision=PRECISION, out_dtype=ACC)  # (6)
            m = m_new
    some = tl.where(l == 0.0, 1.0, l)                                           # a query without a key: 0 / 1
    rows = head.to(tl.int64) * T
    store_tile(y_ptr + rows * E, o / some[:, None], t0, T, E, BLOCK_T, BLOCK_E)             # (7)
    lse = (m + tl.log2(some)) / tl.full((), LOG2E, ACC)                         # (7)
    tl.store(lse_ptr + rows + t, lse, mask=t < T)


def configuration(D, E, dtype, capability, dropout=0.0):
    """Tiles, warps and stages for widths, a dtype, an architecture (80, 90 ...) and a rate of dropout."""
    BLOCK_D, BLOCK_E = padded(D), padded(E)
    wide, tight = max(BLOCK_D, BLOCK_E) > 64, crowded(D, E, dropout)
    if dtype.itemsize == 2:
        BLOCK_T, BLOCK_S, warps = (64 if wide else 128, 32, 8) if tight else (128, 64, 8)
    else:
        BLOCK_T, BLOCK_S, warps = (16, 16, 4) if wide or tight or dtype.itemsize == 8 else (32, 32, 4)
    stages = 3 if dtype.itemsize == 2 and not (wide and capability in (86, 89)) else 2     # those have 99 KB on chip
    return {"BLOCK_T": BLOCK_T, "BLOCK_S": BLOCK_S, "BLOCK_D": BLOCK_D, "BLOCK_E": BLOCK_E,
            "num_warps": warps, "num_stages": stages}


@torch.library.custom_op("minigpt::attention", mutates_args=())
def _attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, key_mask: torch.Tensor | None,
               seed: torch.Tensor | None, causal: bool, dropout: float) -> tuple[torch.Tensor, torch.Tensor]:
    q, k, v = (rows_in_one_piece(x) for x in (q, k, v))
    (B, H, T, D), (G, S), E = q.shape, k.shape[1:3], v.shape[-1]
    y, lse = _shapes(q, k, v, key_mask, seed, causal, dropout)
    tiles = configuration(D, E, q.dtype, capability(q.device), dropout)
    grid = (B * H * triton.cdiv(T, tiles["BLOCK_T"]),)
    if grid != (0,):
        attention_forward_kernel[grid](
            q, k, v, key_mask, seed, y, lse, *q.stride()[:3], *k.stride()[:3], *v.stride()[:3], H, G, T, S,
            **constants_of(q, v, causal, dropout), **tiles)
    return y, lse


@_attention.register_fake
def _shapes(q, k, v, key_mask, seed, causal, dropout):
    shape, sums = (*q.shape[:3], v.shape[-1]), torch.float64 if q.dtype == torch.float64 else torch.float32
    return (torch.empty(shape, dtype=q.dtype, device=q.device),
            torch.empty(shape[:3], dtype=sums, device=q.device))


def _save(ctx, inputs, output):
    q, k, v, key_mask, seed, ctx.causal, ctx.dropout = inputs
    ctx.save_for_backward(q, k, v, *output, key_mask, seed)


def _gradients(ctx, dy, dlse):
    return *attention_backward(dy, *ctx.saved_tensors, ctx.causal, ctx.dropout), None, None, None, None


_attention.register_autograd(_gradients, setup_context=_save)


def attention(q, k, v, *, causal=False, key_mask=None, dropout=0.0, generator=None):
    """Average the values, weighted by how well each key fits the query: y = softmax(q k^T / sqrt(D)) v

    q: (B,H,T,D)  k, v: (B,G,S,D), head h uses k and v of h // (H/G)  key_mask: (B,S) bool, True = may be attended
    dropout: probability; generator: torch.Generator for it, or None for PyTorch's own. D: up to 128.
    Returns y: (B,H,T,D), 0 for a query that may attend to nothing. Sums are in float32 (float64 for float64).
    Raises ValueError if G does not divide H, if a head is wider than 128, or if the rate of dropout is out of range.
    Source: Dao 2023, arXiv:2307.08691.
    """
    H, G, widest = q.shape[1], k.shape[1], max(q.shape[-1], v.shape[-1])
    if G == 0 or H % G:
        raise ValueError(f"{H} query heads cannot share {G} key heads: {G} does not divide {H}")
    if widest > 128:
        raise ValueError(f"a head of width {widest} does not fit on chip, 128 does; try --implementation fused")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout rate={dropout} must be a probability from 0 to below 1; try 0.1")
    seed = None
    if dropout:
        place = q.device if generator is None else generator.device
        seed = torch.randint(2**62, (1,), generator=generator, device=place).to(q.device)
    key_mask = None if key_mask is None else key_mask.contiguous()
    y, _ = _attention(q, k, v, key_mask, seed, causal, float(dropout))
    return y


attention.contains = frozenset({"softmax", "dropout"})


def shipped():
    """The compiled forms that launches use, for `python -m kernels.report`."""
    forms = ((torch.float16, 64, {80: 1, 90: 2}, {}),
             (torch.float16, 128, {80: 1, 90: 1}, {}),
             (torch.bfloat16, 80, {80: 1, 90: 1}, {}),
             (torch.bfloat16, 64, {80: 1, 90: 1}, {"CAUSAL": False, "key_mask": True, "DROPOUT": 0.1}),
             (torch.float32, 64, {80: 4, 90: 4}, {"matrix": False}))
    return [shipped_form(attention_forward_kernel, traffic.attention_forward, dtype,
                         configuration(D, D, dtype, 80, masks.get("DROPOUT", 0.0)), D, blocks, **masks)
            for dtype, D, blocks, masks in forms]
