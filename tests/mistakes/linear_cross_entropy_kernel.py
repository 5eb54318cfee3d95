"""Typical wrong kernels of linear_cross_entropy: its own, and those of its parts where chunks of rows add up."""
# isort: off
from mistakes import mistake

import kernels._backend  # noqa: F401  before triton is imported
import triton
import triton.language as tl
# isort: on


@triton.jit
def product(a_ptr, b_ptr, m, n, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, acc, BLOCK_K: tl.constexpr):
    for start in range(0, K, BLOCK_K):
        k = (start + tl.arange(0, BLOCK_K)).to(tl.int64)
        a, b = a_ptr + m[:, None] * stride_am + k[None, :] * stride_ak, b_ptr + k[:, None] * stride_bk + n * stride_bn
        acc = tl.dot(tl.load(a, mask=(m[:, None] < M) & (k[None, :] < K), other=0.0),
                     tl.load(b, mask=(k[:, None] < K) & (n < N), other=0.0), acc)
    return acc


@triton.jit
def tile_of(pid, N, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr):
    """Rows and columns of a program, without groups: right, if slower."""
    columns = tl.cdiv(N, BLOCK_N)
    m = (pid // columns * BLOCK_M + tl.arange(0, BLOCK_M)).to(tl.int64)
    return m, (pid % columns * BLOCK_N + tl.arange(0, BLOCK_N)).to(tl.int64)[None, :]


@mistake("matmul_kernel", "dW begins anew with each chunk of rows; their parts add up (equation 5)")
@triton.jit
def chunks_do_not_add_up(
        a_ptr, b_ptr, bias_ptr, c_ptr, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, stride_cm,
        BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP: tl.constexpr,
        BIAS: tl.constexpr, ACCUMULATE: tl.constexpr, PRECISION: tl.constexpr):
    m, n = tile_of(tl.program_id(0), N, BLOCK_M, BLOCK_N)
    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    acc = product(a_ptr, b_ptr, m, n, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, acc, BLOCK_K)
    tl.store(c_ptr + m[:, None] * stride_cm + n, acc.to(c_ptr.dtype.element_ty), mask=(m[:, None] < M) & (n < N))


@mistake("matmul_kernel", "the first chunk of rows adds to what torch.empty gave; it begins at 0")
@triton.jit
def first_chunk_adds_to_nothing(
        a_ptr, b_ptr, bias_ptr, c_ptr, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, stride_cm,
        BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP: tl.constexpr,
        BIAS: tl.constexpr, ACCUMULATE: tl.constexpr, PRECISION: tl.constexpr):
    m, n = tile_of(tl.program_id(0), N, BLOCK_M, BLOCK_N)
    c, inside = c_ptr + m[:, None] * stride_cm + n, (m[:, None] < M) & (n < N)
    acc = tl.load(c, mask=inside, other=0.0).to(tl.float32)
    acc = product(a_ptr, b_ptr, m, n, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, acc, BLOCK_K)
    tl.store(c, acc.to(c_ptr.dtype.element_ty), mask=inside)


@mistake("matmul_kernel", "behind the last row of a short chunk the product reads on: K is not masked")
@triton.jit
def short_chunk_not_masked(
        a_ptr, b_ptr, bias_ptr, c_ptr, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, stride_cm,
        BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP: tl.constexpr,
        BIAS: tl.constexpr, ACCUMULATE: tl.constexpr, PRECISION: tl.constexpr):
    m, n = tile_of(tl.program_id(0), N, BLOCK_M, BLOCK_N)
    c, inside = c_ptr + m[:, None] * stride_cm + n, (m[:, None] < M) & (n < N)
    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    if ACCUMULATE:
        acc = tl.load(c, mask=inside, other=0.0).to(tl.float32)
    acc = product(a_ptr, b_ptr, m, n, M, N, tl.cdiv(K, BLOCK_K) * BLOCK_K, stride_am, stride_ak, stride_bk, stride_bn,
                  acc, BLOCK_K)
    tl.store(c, acc.to(c_ptr.dtype.element_ty), mask=inside)


@mistake("cross_entropy_forward_kernel", "the tail of the vocabulary is padded with 0, which weighs exp(0) = 1, not 0")
@triton.jit
def vocabulary_padded_with_zero(
        z_ptr, targets_ptr, loss_ptr, lse_ptr, N, V, ignore_index, stride_n, ROWS: tl.constexpr, BLOCK_V: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    target = tl.load(targets_ptr + row, mask=row < N, other=0)
    counted = (row < N) & (target != ignore_index)
    m, l = tl.full((ROWS,), -1e30, tl.float32), tl.zeros((ROWS,), tl.float32)
    for start in range(0, V, BLOCK_V):
        column = start + tl.arange(0, BLOCK_V)[None, :]
        z = tl.load(z_ptr + row[:, None] * stride_n + column, mask=counted[:, None] & (column < V), other=0.0)
        m_new = tl.maximum(m, tl.max(z.to(tl.float32), axis=1))
        l = l * tl.exp(m - m_new) + tl.sum(tl.exp(z.to(tl.float32) - m_new[:, None]), axis=1)
        m = m_new
    z_target = tl.load(z_ptr + row * stride_n + target, mask=counted, other=0.0).to(tl.float32)
    tl.store(lse_ptr + row, tl.where(counted, m + tl.log(l), 0.0), mask=row < N)
    tl.store(loss_ptr + row, tl.where(counted, m + tl.log(l) - z_target, 0.0), mask=row < N)


@mistake("cross_entropy_backward_kernel", "rows that do not count keep their logits where their gradient of 0 belongs")
@triton.jit
def ignored_rows_keep_their_logits(z_ptr, targets_ptr, lse_ptr, share_ptr, dz_ptr, N, V, ignore_index, stride_n,
                                   ROWS: tl.constexpr, BLOCK_V: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    target = tl.load(targets_ptr + row, mask=row < N, other=0)
    counted = (row < N) & (target != ignore_index)
    lse = tl.load(lse_ptr + row, mask=counted, other=0.0)
    for start in range(0, V, BLOCK_V):
        column = start + tl.arange(0, BLOCK_V)[None, :]
        inside = counted[:, None] & (column < V)
        z = tl.load(z_ptr + row[:, None] * stride_n + column, mask=inside, other=0.0)
        p = tl.exp(z.to(tl.float32) - lse[:, None])
        dz = tl.load(share_ptr) * (p - tl.where(column == target[:, None], 1.0, 0.0))
        tl.store(dz_ptr + row[:, None] * V + column, dz.to(dz_ptr.dtype.element_ty), mask=inside)


@mistake("linear_cross_entropy_backward_kernel", "dy / N is put on in place: a second backward puts it on again")
@triton.jit
def scaled_in_place(gradient_ptr, share_ptr, out_ptr, n, BLOCK: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    scaled = tl.load(share_ptr) * tl.load(gradient_ptr + place, mask=place < n, other=0.0).to(tl.float32)
    tl.store(gradient_ptr + place, scaled.to(gradient_ptr.dtype.element_ty), mask=place < n)
    tl.store(out_ptr + place, scaled.to(out_ptr.dtype.element_ty), mask=place < n)


@mistake("linear_cross_entropy_backward_kernel", "dy / N is left out: these are the gradients of the sum (6)")
@triton.jit
def not_scaled(gradient_ptr, share_ptr, out_ptr, n, BLOCK: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    gradient = tl.load(gradient_ptr + place, mask=place < n, other=0.0)
    tl.store(out_ptr + place, gradient.to(out_ptr.dtype.element_ty), mask=place < n)


@mistake("linear_cross_entropy_backward_kernel", "the last tile has no mask: it reads and writes behind the end")
@triton.jit
def no_mask(gradient_ptr, share_ptr, out_ptr, n, BLOCK: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    scaled = tl.load(share_ptr) * tl.load(gradient_ptr + place).to(tl.float32)
    tl.store(out_ptr + place, scaled.to(out_ptr.dtype.element_ty))


@mistake("linear_cross_entropy_backward_kernel", "all programs do the first tile; each has its own")
@triton.jit
def first_tile_only(gradient_ptr, share_ptr, out_ptr, n, BLOCK: tl.constexpr):
    place = tl.arange(0, BLOCK).to(tl.int64)
    scaled = tl.load(share_ptr) * tl.load(gradient_ptr + place, mask=place < n, other=0.0).to(tl.float32)
    tl.store(out_ptr + place, scaled.to(out_ptr.dtype.element_ty), mask=place < n)
