"""Typical wrong kernels of linear: of its matrix product. What they do right is in the functions above the first."""
# isort: off
from mistakes import mistake

import kernels._backend  # noqa: F401  before triton is imported
import triton
import triton.language as tl
# isort: on


@triton.jit
def tile_of(pid, M, N, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, GROUP: tl.constexpr):
    in_group = GROUP * tl.cdiv(N, BLOCK_N)
    first = pid // in_group * GROUP
    height = min(tl.cdiv(M, BLOCK_M) - first, GROUP)
    m = (first + pid % in_group % height) * BLOCK_M + tl.arange(0, BLOCK_M)
    return m.to(tl.int64), (pid % in_group // height * BLOCK_N + tl.arange(0, BLOCK_N)).to(tl.int64)


@triton.jit
def pointers(a_ptr, b_ptr, m, n, k, stride_am, stride_ak, stride_bk, stride_bn):
    k = k.to(tl.int64)
    return (a_ptr + m[:, None] * stride_am + k[None, :] * stride_ak,
            b_ptr + k[:, None] * stride_bk + n[None, :] * stride_bn)


@triton.jit
def product(a_ptr, b_ptr, m, n, M, N, K, stride_am, stride_ak, stride_bk, stride_bn,
            BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr):
    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for start in range(0, K, BLOCK_K):
        k = start + tl.arange(0, BLOCK_K)
        a, b = pointers(a_ptr, b_ptr, m, n, k, stride_am, stride_ak, stride_bk, stride_bn)
        acc = tl.dot(tl.load(a, mask=(m[:, None] < M) & (k[None, :] < K), other=0.0),
                     tl.load(b, mask=(k[:, None] < K) & (n[None, :] < N), other=0.0), acc)
    return acc


@triton.jit
def finish(acc, bias_ptr, c_ptr, m, n, M, N, stride_cm, BIAS: tl.constexpr):
    if BIAS:
        acc += tl.load(bias_ptr + n, mask=n < N, other=0.0).to(tl.float32)[None, :]
    tl.store(c_ptr + m[:, None] * stride_cm + n[None, :], acc.to(c_ptr.dtype.element_ty),
             mask=(m[:, None] < M) & (n[None, :] < N))


@mistake("matmul_kernel", "a column of the last group may have less than GROUP tiles: some are left out")
@triton.jit
def last_group_too_high(
        a_ptr, b_ptr, bias_ptr, c_ptr, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, stride_cm,
        BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP: tl.constexpr,
        BIAS: tl.constexpr, ACCUMULATE: tl.constexpr, PRECISION: tl.constexpr):
    pid, in_group = tl.program_id(0), GROUP * tl.cdiv(N, BLOCK_N)
    m = ((pid // in_group * GROUP + pid % GROUP) * BLOCK_M + tl.arange(0, BLOCK_M)).to(tl.int64)
    n = (pid % in_group // GROUP * BLOCK_N + tl.arange(0, BLOCK_N)).to(tl.int64)
    acc = product(a_ptr, b_ptr, m, n, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, BLOCK_M, BLOCK_N, BLOCK_K)
    finish(acc, bias_ptr, c_ptr, m, n, M, N, stride_cm, BIAS)


@mistake("matmul_kernel", "each step replaces the sum; the tiles along K add up (equation 1)")
@triton.jit
def last_tile_of_k_only(
        a_ptr, b_ptr, bias_ptr, c_ptr, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, stride_cm,
        BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP: tl.constexpr,
        BIAS: tl.constexpr, ACCUMULATE: tl.constexpr, PRECISION: tl.constexpr):
    m, n = tile_of(tl.program_id(0), M, N, BLOCK_M, BLOCK_N, GROUP)
    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for start in range(0, K, BLOCK_K):
        k = start + tl.arange(0, BLOCK_K)
        a, b = pointers(a_ptr, b_ptr, m, n, k, stride_am, stride_ak, stride_bk, stride_bn)
        acc = tl.dot(tl.load(a, mask=(m[:, None] < M) & (k[None, :] < K), other=0.0),
                     tl.load(b, mask=(k[:, None] < K) & (n[None, :] < N), other=0.0))
    finish(acc, bias_ptr, c_ptr, m, n, M, N, stride_cm, BIAS)


@mistake("matmul_kernel", "the last tile along K reads on behind the end of the rows")
@triton.jit
def k_not_masked(
        a_ptr, b_ptr, bias_ptr, c_ptr, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, stride_cm,
        BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP: tl.constexpr,
        BIAS: tl.constexpr, ACCUMULATE: tl.constexpr, PRECISION: tl.constexpr):
    m, n = tile_of(tl.program_id(0), M, N, BLOCK_M, BLOCK_N, GROUP)
    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for start in range(0, K, BLOCK_K):
        k = start + tl.arange(0, BLOCK_K)
        a, b = pointers(a_ptr, b_ptr, m, n, k, stride_am, stride_ak, stride_bk, stride_bn)
        acc = tl.dot(tl.load(a, mask=m[:, None] < M, other=0.0), tl.load(b, mask=n[None, :] < N, other=0.0), acc)
    finish(acc, bias_ptr, c_ptr, m, n, M, N, stride_cm, BIAS)


@mistake("matmul_kernel", "the loads have a mask and no `other`: what masked lanes hold is anything, and is added")
@triton.jit
def load_without_other(
        a_ptr, b_ptr, bias_ptr, c_ptr, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, stride_cm,
        BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP: tl.constexpr,
        BIAS: tl.constexpr, ACCUMULATE: tl.constexpr, PRECISION: tl.constexpr):
    m, n = tile_of(tl.program_id(0), M, N, BLOCK_M, BLOCK_N, GROUP)
    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for start in range(0, K, BLOCK_K):
        k = start + tl.arange(0, BLOCK_K)
        a, b = pointers(a_ptr, b_ptr, m, n, k, stride_am, stride_ak, stride_bk, stride_bn)
        acc = tl.dot(tl.load(a, mask=(m[:, None] < M) & (k[None, :] < K)),
                     tl.load(b, mask=(k[:, None] < K) & (n[None, :] < N)), acc)
    finish(acc, bias_ptr, c_ptr, m, n, M, N, stride_cm, BIAS)


@mistake("matmul_kernel", "the sum is rounded to the dtype of the operands at each step; it stays in float32")
@triton.jit
def sum_in_the_dtype_of_the_operands(
        a_ptr, b_ptr, bias_ptr, c_ptr, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, stride_cm,
        BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP: tl.constexpr,
        BIAS: tl.constexpr, ACCUMULATE: tl.constexpr, PRECISION: tl.constexpr):
    m, n = tile_of(tl.program_id(0), M, N, BLOCK_M, BLOCK_N, GROUP)
    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for start in range(0, K, BLOCK_K):
        k = start + tl.arange(0, BLOCK_K)
        a, b = pointers(a_ptr, b_ptr, m, n, k, stride_am, stride_ak, stride_bk, stride_bn)
        acc = tl.dot(tl.load(a, mask=(m[:, None] < M) & (k[None, :] < K), other=0.0),
                     tl.load(b, mask=(k[:, None] < K) & (n[None, :] < N), other=0.0), acc)
        acc = acc.to(a_ptr.dtype.element_ty).to(tl.float32)
    finish(acc, bias_ptr, c_ptr, m, n, M, N, stride_cm, BIAS)


@mistake("matmul_kernel", "the store has no mask: a tile at the edge writes over what lies behind it")
@triton.jit
def store_without_mask(
        a_ptr, b_ptr, bias_ptr, c_ptr, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, stride_cm,
        BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP: tl.constexpr,
        BIAS: tl.constexpr, ACCUMULATE: tl.constexpr, PRECISION: tl.constexpr):
    m, n = tile_of(tl.program_id(0), M, N, BLOCK_M, BLOCK_N, GROUP)
    acc = product(a_ptr, b_ptr, m, n, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, BLOCK_M, BLOCK_N, BLOCK_K)
    if BIAS:
        acc += tl.load(bias_ptr + n, mask=n < N, other=0.0)[None, :]
    tl.store(c_ptr + m[:, None] * stride_cm + n[None, :], acc.to(c_ptr.dtype.element_ty))


@mistake("matmul_kernel", "the bias is added along the rows of y; it belongs to the columns (equation 2)")
@triton.jit
def bias_for_each_row(
        a_ptr, b_ptr, bias_ptr, c_ptr, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, stride_cm,
        BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP: tl.constexpr,
        BIAS: tl.constexpr, ACCUMULATE: tl.constexpr, PRECISION: tl.constexpr):
    m, n = tile_of(tl.program_id(0), M, N, BLOCK_M, BLOCK_N, GROUP)
    acc = product(a_ptr, b_ptr, m, n, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, BLOCK_M, BLOCK_N, BLOCK_K)
    if BIAS:
        acc += tl.load(bias_ptr + m, mask=m < N, other=0.0).to(tl.float32)[:, None]
    finish(acc, bias_ptr, c_ptr, m, n, M, N, stride_cm, False)


@mistake("matmul_kernel", "elements of a row are taken to be 1 apart; a transposed matrix has them elsewhere")
@triton.jit
def columns_assumed_one_apart(
        a_ptr, b_ptr, bias_ptr, c_ptr, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, stride_cm,
        BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP: tl.constexpr,
        BIAS: tl.constexpr, ACCUMULATE: tl.constexpr, PRECISION: tl.constexpr):
    m, n = tile_of(tl.program_id(0), M, N, BLOCK_M, BLOCK_N, GROUP)
    acc = product(a_ptr, b_ptr, m, n, M, N, K, stride_am, 1, stride_bk, stride_bn, BLOCK_M, BLOCK_N, BLOCK_K)
    finish(acc, bias_ptr, c_ptr, m, n, M, N, stride_cm, BIAS)


@mistake("matmul_kernel", "offsets are products of 32 bits, which do not count to 2^31")
@triton.jit
def offsets_in_32_bits(
        a_ptr, b_ptr, bias_ptr, c_ptr, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, stride_cm,
        BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP: tl.constexpr,
        BIAS: tl.constexpr, ACCUMULATE: tl.constexpr, PRECISION: tl.constexpr):
    m, n = tile_of(tl.program_id(0), M, N, BLOCK_M, BLOCK_N, GROUP)
    m, n = m.to(tl.int32), n.to(tl.int32)
    acc = product(a_ptr, b_ptr, m, n, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, BLOCK_M, BLOCK_N, BLOCK_K)
    finish(acc, bias_ptr, c_ptr, m, n, M, N, stride_cm, BIAS)


@mistake("matmul_kernel", "the offset becomes 64 bits after its product of 32 bits has overflowed")
@triton.jit
def cast_after_the_product(
        a_ptr, b_ptr, bias_ptr, c_ptr, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, stride_cm,
        BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP: tl.constexpr,
        BIAS: tl.constexpr, ACCUMULATE: tl.constexpr, PRECISION: tl.constexpr):
    m, n = tile_of(tl.program_id(0), M, N, BLOCK_M, BLOCK_N, GROUP)
    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for start in range(0, K, BLOCK_K):
        k = start + tl.arange(0, BLOCK_K)
        _, b = pointers(a_ptr, b_ptr, m, n, k, stride_am, stride_ak, stride_bk, stride_bn)
        a = a_ptr + (m.to(tl.int32)[:, None] * stride_am).to(tl.int64) + k.to(tl.int64)[None, :] * stride_ak
        acc = tl.dot(tl.load(a, mask=(m[:, None] < M) & (k[None, :] < K), other=0.0),
                     tl.load(b, mask=(k[:, None] < K) & (n[None, :] < N), other=0.0), acc)
    finish(acc, bias_ptr, c_ptr, m, n, M, N, stride_cm, BIAS)
