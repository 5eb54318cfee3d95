"""Typical wrong kernels of cross_entropy. What a mistake does right, it does by the functions above the first one."""
# isort: off
from mistakes import mistake

import kernels._backend  # noqa: F401  before triton is imported
import triton
import triton.language as tl
# isort: on


@triton.jit
def rows_of(targets_ptr, N, ignore_index, ROWS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    target = tl.load(targets_ptr + row, mask=row < N, other=0)
    m, l = tl.full((ROWS,), -float("inf"), tl.float32), tl.zeros((ROWS,), tl.float32)
    return row, target, (row < N) & (target != ignore_index), m, l


@triton.jit
def tile_of(z_ptr, place, counted, start, V, BLOCK_V: tl.constexpr):
    column = start + tl.arange(0, BLOCK_V)
    inside = counted[:, None] & (column[None, :] < V)
    return tl.load(z_ptr + place[:, None] + column[None, :], mask=inside, other=-float("inf")).to(tl.float32)


@triton.jit
def add_tile(m, l, z):
    m_new = tl.maximum(m, tl.max(z, axis=1))                          # (1)
    shift = tl.where(m_new == -float("inf"), 0.0, m_new)
    return m_new, l * tl.exp(m - shift) + tl.sum(tl.exp(z - shift[:, None]), axis=1)              # (2)


@triton.jit
def finish(z_ptr, place, loss_ptr, lse_ptr, row, target, counted, m, l, N):
    z_target = tl.load(z_ptr + place + target, mask=counted, other=0.0).to(tl.float32)
    lse = m + tl.log(tl.where(counted, l, 1.0))                       # (3)
    tl.store(lse_ptr + row, tl.where(counted, lse, 0.0), mask=row < N)
    tl.store(loss_ptr + row, tl.where(counted, lse - z_target, 0.0), mask=row < N)                # (4)


@triton.jit
def probabilities(z_ptr, row, lse_ptr, stride_n, counted, start, N, V, BLOCK_V: tl.constexpr):
    z = tile_of(z_ptr, row * stride_n, counted, start, V, BLOCK_V)
    return tl.exp(z - tl.load(lse_ptr + row, mask=row < N, other=0.0)[:, None])


@mistake("cross_entropy_forward_kernel", "the tail is padded with 0, a token that weighs exp(0) = 1; pad with -inf")
@triton.jit
def padding_is_zero(
        z_ptr, targets_ptr, loss_ptr, lse_ptr, N, V, ignore_index, stride_n, ROWS: tl.constexpr, BLOCK_V: tl.constexpr):
    row, target, counted, m, l = rows_of(targets_ptr, N, ignore_index, ROWS)
    for start in range(0, V, BLOCK_V):
        column = start + tl.arange(0, BLOCK_V)
        inside = counted[:, None] & (column[None, :] < V)
        z = tl.load(z_ptr + row[:, None] * stride_n + column[None, :], mask=inside, other=0.0)
        m, l = add_tile(m, l, z.to(tl.float32))
    finish(z_ptr, row * stride_n, loss_ptr, lse_ptr, row, target, counted, m, l, N)


@mistake("cross_entropy_forward_kernel", "the load has a mask and no `other`: what the masked lanes hold is anything")
@triton.jit
def load_without_other(
        z_ptr, targets_ptr, loss_ptr, lse_ptr, N, V, ignore_index, stride_n, ROWS: tl.constexpr, BLOCK_V: tl.constexpr):
    row, target, counted, m, l = rows_of(targets_ptr, N, ignore_index, ROWS)
    for start in range(0, V, BLOCK_V):
        column = start + tl.arange(0, BLOCK_V)
        inside = counted[:, None] & (column[None, :] < V)
        z = tl.load(z_ptr + row[:, None] * stride_n + column[None, :], mask=inside)
        m, l = add_tile(m, l, z.to(tl.float32))
    finish(z_ptr, row * stride_n, loss_ptr, lse_ptr, row, target, counted, m, l, N)


@mistake("cross_entropy_forward_kernel", "only the first tile is read; a vocabulary may be longer than one")
@triton.jit
def first_tile_only(
        z_ptr, targets_ptr, loss_ptr, lse_ptr, N, V, ignore_index, stride_n, ROWS: tl.constexpr, BLOCK_V: tl.constexpr):
    row, target, counted, m, l = rows_of(targets_ptr, N, ignore_index, ROWS)
    m, l = add_tile(m, l, tile_of(z_ptr, row * stride_n, counted, 0, V, BLOCK_V))
    finish(z_ptr, row * stride_n, loss_ptr, lse_ptr, row, target, counted, m, l, N)


@mistake("cross_entropy_forward_kernel", "the sum so far refers to the old maximum: times exp(m - m') (equation 2)")
@triton.jit
def sum_not_rescaled(
        z_ptr, targets_ptr, loss_ptr, lse_ptr, N, V, ignore_index, stride_n, ROWS: tl.constexpr, BLOCK_V: tl.constexpr):
    row, target, counted, m, l = rows_of(targets_ptr, N, ignore_index, ROWS)
    for start in range(0, V, BLOCK_V):
        z = tile_of(z_ptr, row * stride_n, counted, start, V, BLOCK_V)
        m = tl.maximum(m, tl.max(z, axis=1))
        l += tl.sum(tl.exp(z - tl.where(m == -float("inf"), 0.0, m)[:, None]), axis=1)
    finish(z_ptr, row * stride_n, loss_ptr, lse_ptr, row, target, counted, m, l, N)


@mistake("cross_entropy_forward_kernel", "a first tile of -inf makes the sum NaN: -inf - (-inf) is not a number")
@triton.jit
def impossible_tile_is_nan(
        z_ptr, targets_ptr, loss_ptr, lse_ptr, N, V, ignore_index, stride_n, ROWS: tl.constexpr, BLOCK_V: tl.constexpr):
    row, target, counted, m, l = rows_of(targets_ptr, N, ignore_index, ROWS)
    for start in range(0, V, BLOCK_V):
        z = tile_of(z_ptr, row * stride_n, counted, start, V, BLOCK_V)
        m_new = tl.maximum(m, tl.max(z, axis=1))
        l = l * tl.exp(m - m_new) + tl.sum(tl.exp(z - m_new[:, None]), axis=1)
        m = m_new
    finish(z_ptr, row * stride_n, loss_ptr, lse_ptr, row, target, counted, m, l, N)


@mistake("cross_entropy_forward_kernel", "a row's offset is a product of 32 bits, which do not count to 2^31")
@triton.jit
def offset_in_32_bits(
        z_ptr, targets_ptr, loss_ptr, lse_ptr, N, V, ignore_index, stride_n, ROWS: tl.constexpr, BLOCK_V: tl.constexpr):
    row, target, counted, m, l = rows_of(targets_ptr, N, ignore_index, ROWS)
    place = row.to(tl.int32) * stride_n
    for start in range(0, V, BLOCK_V):
        m, l = add_tile(m, l, tile_of(z_ptr, place, counted, start, V, BLOCK_V))
    finish(z_ptr, place, loss_ptr, lse_ptr, row, target, counted, m, l, N)


@mistake("cross_entropy_forward_kernel", "the offset becomes 64 bits after its product of 32 bits has overflowed")
@triton.jit
def cast_after_the_product(
        z_ptr, targets_ptr, loss_ptr, lse_ptr, N, V, ignore_index, stride_n, ROWS: tl.constexpr, BLOCK_V: tl.constexpr):
    row, target, counted, m, l = rows_of(targets_ptr, N, ignore_index, ROWS)
    place = (row.to(tl.int32) * stride_n).to(tl.int64)
    for start in range(0, V, BLOCK_V):
        m, l = add_tile(m, l, tile_of(z_ptr, place, counted, start, V, BLOCK_V))
    finish(z_ptr, place, loss_ptr, lse_ptr, row, target, counted, m, l, N)


@mistake("cross_entropy_forward_kernel", "rows are taken to be V apart; they may be part of a wider matrix")
@triton.jit
def rows_are_v_apart(
        z_ptr, targets_ptr, loss_ptr, lse_ptr, N, V, ignore_index, stride_n, ROWS: tl.constexpr, BLOCK_V: tl.constexpr):
    row, target, counted, m, l = rows_of(targets_ptr, N, ignore_index, ROWS)
    for start in range(0, V, BLOCK_V):
        m, l = add_tile(m, l, tile_of(z_ptr, row * V, counted, start, V, BLOCK_V))
    finish(z_ptr, row * V, loss_ptr, lse_ptr, row, target, counted, m, l, N)


@mistake("cross_entropy_forward_kernel", "the token with the number ignore_index is left out; only rows are ignored")
@triton.jit
def ignored_token_left_out(
        z_ptr, targets_ptr, loss_ptr, lse_ptr, N, V, ignore_index, stride_n, ROWS: tl.constexpr, BLOCK_V: tl.constexpr):
    row, target, counted, m, l = rows_of(targets_ptr, N, ignore_index, ROWS)
    for start in range(0, V, BLOCK_V):
        z = tile_of(z_ptr, row * stride_n, counted, start, V, BLOCK_V)
        column = start + tl.arange(0, BLOCK_V)
        m, l = add_tile(m, l, tl.where(column[None, :] == ignore_index, -float("inf"), z))
    finish(z_ptr, row * stride_n, loss_ptr, lse_ptr, row, target, counted, m, l, N)


@mistake("cross_entropy_backward_kernel", "the target's column is looked for in each tile, counted from its start (5)")
@triton.jit
def target_in_every_tile(z_ptr, targets_ptr, lse_ptr, share_ptr, dz_ptr, N, V, ignore_index, stride_n,
                         ROWS: tl.constexpr, BLOCK_V: tl.constexpr):
    row, target, counted, _, _ = rows_of(targets_ptr, N, ignore_index, ROWS)
    share = tl.where(counted, tl.load(share_ptr), 0.0)[:, None]
    for start in range(0, V, BLOCK_V):
        column = start + tl.arange(0, BLOCK_V)[None, :]
        p = probabilities(z_ptr, row, lse_ptr, stride_n, counted, start, N, V, BLOCK_V)
        dz = share * (p - tl.where(column - start == target[:, None], 1.0, 0.0))
        tl.store(dz_ptr + row[:, None] * V + column, dz, mask=(row < N)[:, None] & (column < V))


@mistake("cross_entropy_backward_kernel", "rows that do not count stay as torch.empty gave them; their gradient is 0")
@triton.jit
def ignored_rows_not_written(z_ptr, targets_ptr, lse_ptr, share_ptr, dz_ptr, N, V, ignore_index, stride_n,
                             ROWS: tl.constexpr, BLOCK_V: tl.constexpr):
    row, target, counted, _, _ = rows_of(targets_ptr, N, ignore_index, ROWS)
    for start in range(0, V, BLOCK_V):
        column = start + tl.arange(0, BLOCK_V)[None, :]
        p = probabilities(z_ptr, row, lse_ptr, stride_n, counted, start, N, V, BLOCK_V)
        dz = tl.load(share_ptr) * (p - tl.where(column == target[:, None], 1.0, 0.0))
        tl.store(dz_ptr + row[:, None] * V + column, dz, mask=counted[:, None] & (column < V))


@mistake("cross_entropy_backward_kernel", "a row that does not count gets -share where ignore_index is a token (5)")
@triton.jit
def share_for_every_row(z_ptr, targets_ptr, lse_ptr, share_ptr, dz_ptr, N, V, ignore_index, stride_n,
                        ROWS: tl.constexpr, BLOCK_V: tl.constexpr):
    row, target, counted, _, _ = rows_of(targets_ptr, N, ignore_index, ROWS)
    for start in range(0, V, BLOCK_V):
        column = start + tl.arange(0, BLOCK_V)[None, :]
        p = probabilities(z_ptr, row, lse_ptr, stride_n, counted, start, N, V, BLOCK_V)
        dz = tl.load(share_ptr) * (p - tl.where(column == target[:, None], 1.0, 0.0))
        tl.store(dz_ptr + row[:, None] * V + column, dz, mask=(row < N)[:, None] & (column < V))


@mistake("cross_entropy_backward_kernel", "the gradient is written over the logits too: an input, and needed again")
@triton.jit
def gradient_over_the_logits(z_ptr, targets_ptr, lse_ptr, share_ptr, dz_ptr, N, V, ignore_index, stride_n,
                             ROWS: tl.constexpr, BLOCK_V: tl.constexpr):
    row, target, counted, _, _ = rows_of(targets_ptr, N, ignore_index, ROWS)
    share = tl.where(counted, tl.load(share_ptr), 0.0)[:, None]
    for start in range(0, V, BLOCK_V):
        column = start + tl.arange(0, BLOCK_V)[None, :]
        p = probabilities(z_ptr, row, lse_ptr, stride_n, counted, start, N, V, BLOCK_V)
        dz = share * (p - tl.where(column == target[:, None], 1.0, 0.0))
        tl.store(dz_ptr + row[:, None] * V + column, dz, mask=(row < N)[:, None] & (column < V))
        tl.store(z_ptr + row[:, None] * stride_n + column, dz, mask=(row < N)[:, None] & (column < V))
