"""Typical wrong kernels of softmax."""
# isort: off
from mistakes import mistake

import kernels._backend  # noqa: F401  before triton is imported
import triton
import triton.language as tl
# isort: on


@mistake("softmax_forward_kernel", "the padding of the tile is 0, which has a weight: exp(0) = 1; other must be -inf")
@triton.jit
def padding_is_zero(x_ptr, y_ptr, M, N, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    place = row[:, None] * N + column[None, :]
    inside = (row[:, None] < M) & (column[None, :] < N)
    x = tl.load(x_ptr + place, mask=inside, other=0.0).to(tl.float32)
    m = tl.max(x, axis=1)
    m = tl.where(m == -float("inf"), 0.0, m)
    e = tl.exp(x - m[:, None])
    total = tl.sum(e, axis=1)
    y = e / tl.where(total == 0.0, 1.0, total)[:, None]
    tl.store(y_ptr + place, y.to(y_ptr.dtype.element_ty), mask=inside)


@mistake("softmax_forward_kernel", "the load has a mask and no `other`: what the masked lanes hold is anything")
@triton.jit
def load_without_other(x_ptr, y_ptr, M, N, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    place = row[:, None] * N + column[None, :]
    inside = (row[:, None] < M) & (column[None, :] < N)
    x = tl.load(x_ptr + place, mask=inside).to(tl.float32)
    m = tl.max(x, axis=1)
    m = tl.where(m == -float("inf"), 0.0, m)
    e = tl.exp(x - m[:, None])
    total = tl.sum(e, axis=1)
    y = e / tl.where(total == 0.0, 1.0, total)[:, None]
    tl.store(y_ptr + place, y.to(y_ptr.dtype.element_ty), mask=inside)


@mistake("softmax_forward_kernel", "the store has no mask: it writes behind the end of each row")
@triton.jit
def store_without_mask(x_ptr, y_ptr, M, N, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    place = row[:, None] * N + column[None, :]
    inside = (row[:, None] < M) & (column[None, :] < N)
    x = tl.load(x_ptr + place, mask=inside, other=-float("inf")).to(tl.float32)
    m = tl.max(x, axis=1)
    m = tl.where(m == -float("inf"), 0.0, m)
    e = tl.exp(x - m[:, None])
    total = tl.sum(e, axis=1)
    y = e / tl.where(total == 0.0, 1.0, total)[:, None]
    tl.store(y_ptr + place, y.to(y_ptr.dtype.element_ty))


@mistake("softmax_forward_kernel", "the maximum is not subtracted: exp overflows for large scores (equation 1)")
@triton.jit
def maximum_not_subtracted(x_ptr, y_ptr, M, N, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    place = row[:, None] * N + column[None, :]
    inside = (row[:, None] < M) & (column[None, :] < N)
    x = tl.load(x_ptr + place, mask=inside, other=-float("inf")).to(tl.float32)
    e = tl.exp(x)
    total = tl.sum(e, axis=1)
    y = e / tl.where(total == 0.0, 1.0, total)[:, None]
    tl.store(y_ptr + place, y.to(y_ptr.dtype.element_ty), mask=inside)


@mistake("softmax_forward_kernel", "a row of -inf gives NaN: -inf - (-inf) is not a number")
@triton.jit
def impossible_row_is_nan(x_ptr, y_ptr, M, N, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    place = row[:, None] * N + column[None, :]
    inside = (row[:, None] < M) & (column[None, :] < N)
    x = tl.load(x_ptr + place, mask=inside, other=-float("inf")).to(tl.float32)
    e = tl.exp(x - tl.max(x, axis=1)[:, None])
    y = e / tl.sum(e, axis=1)[:, None]
    tl.store(y_ptr + place, y.to(y_ptr.dtype.element_ty), mask=inside)


@mistake("softmax_forward_kernel", "one maximum and sum for the whole tile: each row has its own (axis=1)")
@triton.jit
def one_sum_for_the_tile(x_ptr, y_ptr, M, N, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    place = row[:, None] * N + column[None, :]
    inside = (row[:, None] < M) & (column[None, :] < N)
    x = tl.load(x_ptr + place, mask=inside, other=-float("inf")).to(tl.float32)
    m = tl.max(tl.max(x, axis=1), axis=0)
    e = tl.exp(x - tl.where(m == -float("inf"), 0.0, m))
    total = tl.sum(tl.sum(e, axis=1), axis=0)
    y = e / tl.where(total == 0.0, 1.0, total)
    tl.store(y_ptr + place, y.to(y_ptr.dtype.element_ty), mask=inside)


@mistake("softmax_forward_kernel", "the row number is multiplied in 32 bits, and overflows in large arrays")
@triton.jit
def offset_in_32_bits(x_ptr, y_ptr, M, N, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    place = row[:, None] * N + column[None, :]
    inside = (row[:, None] < M) & (column[None, :] < N)
    x = tl.load(x_ptr + place, mask=inside, other=-float("inf")).to(tl.float32)
    m = tl.max(x, axis=1)
    m = tl.where(m == -float("inf"), 0.0, m)
    e = tl.exp(x - m[:, None])
    total = tl.sum(e, axis=1)
    y = e / tl.where(total == 0.0, 1.0, total)[:, None]
    tl.store(y_ptr + place, y.to(y_ptr.dtype.element_ty), mask=inside)


@mistake("softmax_forward_kernel", "every program begins at row 0: the program's number is missing")
@triton.jit
def every_program_does_the_first_rows(x_ptr, y_ptr, M, N, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row = tl.arange(0, ROWS).to(tl.int64)
    column = tl.arange(0, COLUMNS)
    place = row[:, None] * N + column[None, :]
    inside = (row[:, None] < M) & (column[None, :] < N)
    x = tl.load(x_ptr + place, mask=inside, other=-float("inf")).to(tl.float32)
    m = tl.max(x, axis=1)
    m = tl.where(m == -float("inf"), 0.0, m)
    e = tl.exp(x - m[:, None])
    total = tl.sum(e, axis=1)
    y = e / tl.where(total == 0.0, 1.0, total)[:, None]
    tl.store(y_ptr + place, y.to(y_ptr.dtype.element_ty), mask=inside)


@mistake("softmax_backward_kernel", "dy is not multiplied by y in the sum of equation 4")
@triton.jit
def inner_product_without_y(dy_ptr, y_ptr, dx_ptr, M, N, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    place = row[:, None] * N + column[None, :]
    inside = (row[:, None] < M) & (column[None, :] < N)
    dy = tl.load(dy_ptr + place, mask=inside, other=0.0).to(tl.float32)
    y = tl.load(y_ptr + place, mask=inside, other=0.0).to(tl.float32)
    dx = y * (dy - tl.sum(dy, axis=1)[:, None])
    tl.store(dx_ptr + place, dx.to(dx_ptr.dtype.element_ty), mask=inside)


@mistake("softmax_backward_kernel", "it is written over y, which others still need")
@triton.jit
def written_over_y(dy_ptr, y_ptr, dx_ptr, M, N, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    place = row[:, None] * N + column[None, :]
    inside = (row[:, None] < M) & (column[None, :] < N)
    dy = tl.load(dy_ptr + place, mask=inside, other=0.0).to(tl.float32)
    y = tl.load(y_ptr + place, mask=inside, other=0.0).to(tl.float32)
    dx = y * (dy - tl.sum(dy * y, axis=1)[:, None])
    tl.store(y_ptr + place, dx.to(dx_ptr.dtype.element_ty), mask=inside)
    tl.store(dx_ptr + place, dx.to(dx_ptr.dtype.element_ty), mask=inside)


@mistake("softmax_online_forward_kernel", "the sum is not rescaled when the maximum grows (equation 2)")
@triton.jit
def sum_not_rescaled(x_ptr, y_ptr, N, COLUMNS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * N
    m = tl.full([], -float("inf"), tl.float32)
    l = tl.full([], 0.0, tl.float32)
    for start in range(0, N, COLUMNS):
        column = start + tl.arange(0, COLUMNS)
        x = tl.load(x_ptr + row + column, mask=column < N, other=-float("inf")).to(tl.float32)
        m = tl.maximum(m, tl.max(x, axis=0))
        l += tl.sum(tl.exp(x - tl.where(m == -float("inf"), 0.0, m)), axis=0)
    m = tl.where(m == -float("inf"), 0.0, m)
    l = tl.where(l == 0.0, 1.0, l)
    for start in range(0, N, COLUMNS):
        column = start + tl.arange(0, COLUMNS)
        x = tl.load(x_ptr + row + column, mask=column < N, other=-float("inf")).to(tl.float32)
        tl.store(y_ptr + row + column, (tl.exp(x - m) / l).to(y_ptr.dtype.element_ty), mask=column < N)


@mistake("softmax_online_forward_kernel", "a first tile of -inf makes the whole row NaN: exp(-inf - (-inf))")
@triton.jit
def tile_of_minus_infinity_is_nan(x_ptr, y_ptr, N, COLUMNS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * N
    m = tl.full([], -float("inf"), tl.float32)
    l = tl.full([], 0.0, tl.float32)
    for start in range(0, N, COLUMNS):
        column = start + tl.arange(0, COLUMNS)
        x = tl.load(x_ptr + row + column, mask=column < N, other=-float("inf")).to(tl.float32)
        m_new = tl.maximum(m, tl.max(x, axis=0))
        l = l * tl.exp(m - m_new) + tl.sum(tl.exp(x - m_new), axis=0)
        m = m_new
    for start in range(0, N, COLUMNS):
        column = start + tl.arange(0, COLUMNS)
        x = tl.load(x_ptr + row + column, mask=column < N, other=-float("inf")).to(tl.float32)
        tl.store(y_ptr + row + column, (tl.exp(x - m) / l).to(y_ptr.dtype.element_ty), mask=column < N)


@mistake("softmax_online_forward_kernel", "the tail of the last tile adds exp(0) for each place behind the end")
@triton.jit
def tail_adds_exp_of_zero(x_ptr, y_ptr, N, COLUMNS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * N
    m = tl.full([], -float("inf"), tl.float32)
    l = tl.full([], 0.0, tl.float32)
    for start in range(0, N, COLUMNS):
        column = start + tl.arange(0, COLUMNS)
        x = tl.load(x_ptr + row + column, mask=column < N, other=0.0).to(tl.float32)
        m_new = tl.maximum(m, tl.max(x, axis=0))
        shift = tl.where(m_new == -float("inf"), 0.0, m_new)
        l = l * tl.exp(m - shift) + tl.sum(tl.exp(x - shift), axis=0)
        m = m_new
    m = tl.where(m == -float("inf"), 0.0, m)
    l = tl.where(l == 0.0, 1.0, l)
    for start in range(0, N, COLUMNS):
        column = start + tl.arange(0, COLUMNS)
        x = tl.load(x_ptr + row + column, mask=column < N, other=-float("inf")).to(tl.float32)
        tl.store(y_ptr + row + column, (tl.exp(x - m) / l).to(y_ptr.dtype.element_ty), mask=column < N)


@mistake("softmax_online_forward_kernel", "the place of a row is computed in 32 bits, and overflows in large arrays")
@triton.jit
def long_row_in_32_bits(x_ptr, y_ptr, N, COLUMNS: tl.constexpr):
    row = tl.program_id(0) * N
    m = tl.full([], -float("inf"), tl.float32)
    l = tl.full([], 0.0, tl.float32)
    for start in range(0, N, COLUMNS):
        column = start + tl.arange(0, COLUMNS)
        x = tl.load(x_ptr + row + column, mask=column < N, other=-float("inf")).to(tl.float32)
        m_new = tl.maximum(m, tl.max(x, axis=0))
        shift = tl.where(m_new == -float("inf"), 0.0, m_new)
        l = l * tl.exp(m - shift) + tl.sum(tl.exp(x - shift), axis=0)
        m = m_new
    m = tl.where(m == -float("inf"), 0.0, m)
    l = tl.where(l == 0.0, 1.0, l)
    for start in range(0, N, COLUMNS):
        column = start + tl.arange(0, COLUMNS)
        x = tl.load(x_ptr + row + column, mask=column < N, other=-float("inf")).to(tl.float32)
        tl.store(y_ptr + row + column, (tl.exp(x - m) / l).to(y_ptr.dtype.element_ty), mask=column < N)


@mistake("softmax_online_backward_kernel", "each tile subtracts its own sum of dy y; it is the row's (equation 4)")
@triton.jit
def inner_product_of_a_tile(dy_ptr, y_ptr, dx_ptr, N, COLUMNS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * N
    for start in range(0, N, COLUMNS):
        column = start + tl.arange(0, COLUMNS)
        dy = tl.load(dy_ptr + row + column, mask=column < N, other=0.0).to(tl.float32)
        y = tl.load(y_ptr + row + column, mask=column < N, other=0.0).to(tl.float32)
        dx = y * (dy - tl.sum(dy * y, axis=0))
        tl.store(dx_ptr + row + column, dx.to(dx_ptr.dtype.element_ty), mask=column < N)
