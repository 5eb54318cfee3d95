"""Other right answers to the exercises with a kernel: row by row; e for a base, and every tile with its mask."""
# isort: off
import kernels._backend  # noqa: F401  before triton is imported
import triton
import triton.language as tl

from kernels.attention_tiles import dropout_scale
# isort: on


@triton.jit
def softmax_forward_kernel(x_ptr, y_ptr, M, N, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    for r in range(ROWS):
        row = tl.program_id(0).to(tl.int64) * ROWS + r
        column = tl.arange(0, COLUMNS)
        inside = (column < N) & (row < M)
        x = tl.load(x_ptr + row * N + column, mask=inside, other=-float("inf"))
        x = x if x_ptr.dtype.element_ty == tl.float64 else x.to(tl.float32)
        m = tl.max(x)
        e = tl.where(x == -float("inf"), 0.0, tl.exp(x - m))
        y = e / tl.maximum(tl.sum(e), 1.0 if m == -float("inf") else 0.0)
        tl.store(y_ptr + row * N + column, y.to(y_ptr.dtype.element_ty), mask=inside)


@triton.jit
def attention_forward_kernel(
    q_ptr, k_ptr, v_ptr, key_mask_ptr, seed_ptr, y_ptr, lse_ptr,
    stride_qb, stride_qh, stride_qt, stride_kb, stride_kg, stride_ks, stride_vb, stride_vg, stride_vs,
    H, G, T, S,
    D: tl.constexpr, E: tl.constexpr, CAUSAL: tl.constexpr, DROPOUT: tl.constexpr, ACC: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_T: tl.constexpr, BLOCK_S: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr,
):
    head = tl.program_id(0) // tl.cdiv(T, BLOCK_T)
    t = tl.program_id(0) % tl.cdiv(T, BLOCK_T) * BLOCK_T + tl.arange(0, BLOCK_T)
    b, h, g = (head // H).to(tl.int64), (head % H).to(tl.int64), (head % H // (H // G)).to(tl.int64)
    d, e = tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_E)
    q = tl.load(q_ptr + b * stride_qb + h * stride_qh + t.to(tl.int64)[:, None] * stride_qt + d[None, :],
                mask=(t < T)[:, None] & (d < D)[None, :], other=0.0)
    m, l = tl.full((BLOCK_T,), -1e30, ACC), tl.zeros((BLOCK_T,), ACC)
    o = tl.zeros((BLOCK_T, BLOCK_E), ACC)
    for s0 in range(0, S, BLOCK_S):
        s = s0 + tl.arange(0, BLOCK_S)
        k = tl.load(k_ptr + b * stride_kb + g * stride_kg + s.to(tl.int64)[:, None] * stride_ks + d[None, :],
                    mask=(s < S)[:, None] & (d < D)[None, :], other=0.0)
        v = tl.load(v_ptr + b * stride_vb + g * stride_vg + s.to(tl.int64)[:, None] * stride_vs + e[None, :],
                    mask=(s < S)[:, None] & (e < E)[None, :], other=0.0)
        seen = (t < T)[:, None] & (s < S)[None, :]
        if CAUSAL:
            seen = seen & (s[None, :] <= t[:, None] + S - T)
        if key_mask_ptr is not None:
            seen = seen & tl.load(key_mask_ptr + b * S + s, mask=s < S, other=False)[None, :]
        scores = tl.dot(q, tl.trans(k), input_precision=PRECISION, out_dtype=ACC) / tl.sqrt(tl.full((), D, ACC))
        m_new = tl.maximum(m, tl.max(tl.where(seen, scores, -1e30), axis=1))
        p = tl.where(seen, tl.exp(scores - m_new[:, None]), 0.0)
        a = tl.exp(m - m_new)
        l = a * l + tl.sum(p, axis=1)
        if seed_ptr is not None:
            p = p * dropout_scale(seed_ptr, head, t[:, None], s[None, :], DROPOUT, ACC)
        o = a[:, None] * o + tl.dot(p.to(v.dtype), v, input_precision=PRECISION, out_dtype=ACC)
        m = m_new
    y = tl.where((l > 0)[:, None], o / tl.where(l > 0, l, 1.0)[:, None], 0.0)
    row = head.to(tl.int64) * T + t
    tl.store(y_ptr + row[:, None] * E + e[None, :], y.to(y_ptr.dtype.element_ty),
             mask=(t < T)[:, None] & (e < E)[None, :])
    tl.store(lse_ptr + row, tl.where(l > 0, m + tl.log(tl.where(l > 0, l, 1.0)), -float("inf")), mask=t < T)


@triton.jit
def attention_backward_dq_kernel(
    q_ptr, k_ptr, v_ptr, key_mask_ptr, seed_ptr, dy_ptr, lse_ptr, delta_ptr, dq_ptr,
    stride_qb, stride_qh, stride_qt, stride_kb, stride_kg, stride_ks, stride_vb, stride_vg, stride_vs,
    stride_dyb, stride_dyh, stride_dyt,
    H, G, T, S,
    D: tl.constexpr, E: tl.constexpr, CAUSAL: tl.constexpr, DROPOUT: tl.constexpr, ACC: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_T: tl.constexpr, BLOCK_S: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr,
):
    head = tl.program_id(0) // tl.cdiv(T, BLOCK_T)
    t = tl.program_id(0) % tl.cdiv(T, BLOCK_T) * BLOCK_T + tl.arange(0, BLOCK_T)
    b, h, g = (head // H).to(tl.int64), (head % H).to(tl.int64), (head % H // (H // G)).to(tl.int64)
    d, e = tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_E)
    q = tl.load(q_ptr + b * stride_qb + h * stride_qh + t.to(tl.int64)[:, None] * stride_qt + d[None, :],
                mask=(t < T)[:, None] & (d < D)[None, :], other=0.0)
    dy = tl.load(dy_ptr + b * stride_dyb + h * stride_dyh + t.to(tl.int64)[:, None] * stride_dyt + e[None, :],
                 mask=(t < T)[:, None] & (e < E)[None, :], other=0.0)
    row = head.to(tl.int64) * T + t
    lse = tl.load(lse_ptr + row, mask=t < T, other=-float("inf"))
    delta = tl.load(delta_ptr + row, mask=t < T, other=0.0)
    root = tl.sqrt(tl.full((), D, ACC))
    dq = tl.zeros((BLOCK_T, BLOCK_D), ACC)
    for s0 in range(0, S, BLOCK_S):
        s = s0 + tl.arange(0, BLOCK_S)
        k = tl.load(k_ptr + b * stride_kb + g * stride_kg + s.to(tl.int64)[:, None] * stride_ks + d[None, :],
                    mask=(s < S)[:, None] & (d < D)[None, :], other=0.0)
        v = tl.load(v_ptr + b * stride_vb + g * stride_vg + s.to(tl.int64)[:, None] * stride_vs + e[None, :],
                    mask=(s < S)[:, None] & (e < E)[None, :], other=0.0)
        seen = (lse > -float("inf"))[:, None] & (s < S)[None, :]
        if CAUSAL:
            seen = seen & (s[None, :] <= t[:, None] + S - T)
        if key_mask_ptr is not None:
            seen = seen & tl.load(key_mask_ptr + b * S + s, mask=s < S, other=False)[None, :]
        scores = tl.dot(q, tl.trans(k), input_precision=PRECISION, out_dtype=ACC) / root
        p = tl.where(seen, tl.exp(scores - lse[:, None]), 0.0)
        dp = tl.dot(dy, tl.trans(v), input_precision=PRECISION, out_dtype=ACC)
        if seed_ptr is not None:
            dp = dp * dropout_scale(seed_ptr, head, t[:, None], s[None, :], DROPOUT, ACC)
        ds = p * (dp - delta[:, None]) / root
        dq = dq + tl.dot(ds.to(k.dtype), k, input_precision=PRECISION, out_dtype=ACC)
    tl.store(dq_ptr + row[:, None] * D + d[None, :], dq.to(dq_ptr.dtype.element_ty),
             mask=(t < T)[:, None] & (d < D)[None, :])
