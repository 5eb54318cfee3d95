"""Softmax as one kernel: a row is read once and written once, and stays on chip in between.

Plan: each program takes ROWS rows of N scores as one tile, N padded to a power of two with -inf.
Grid: (ceil(M / ROWS),) for M rows.
On chip: the tile, its row maxima and row sums.
Bytes moved: forward 2 M N elements (x in, y out), backward 3 M N (dy and y in, dx out); spelled-out
softmax moves every intermediate as well.
"""
# isort: off
import torch

import kernels._backend  # noqa: F401  before triton is imported
import triton
import triton.language as tl
# isort: on

TILE = 4096             # elements of a tile: enough work for a program, few enough for its registers


@triton.jit
def softmax_forward_kernel(
    x_ptr,              # (M, N) scores, row stride N
    y_ptr,              # (M, N) probabilities; this program owns ROWS whole rows
    M, N,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):
    """(1) m = max_j x_j   (2) y_i = exp(x_i - m) / sum_j exp(x_j - m), for ROWS rows at once."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    place = row[:, None] * N + column[None, :]
    inside = (row[:, None] < M) & (column[None, :] < N)
    x = tl.load(x_ptr + place, mask=inside, other=-float("inf"))      # (ROWS, COLUMNS)
    if x_ptr.dtype.element_ty != tl.float64:
        x = x.to(tl.float32)
    m = tl.max(x, axis=1)                                             # (ROWS,)  (1)
    m = tl.where(m == -float("inf"), 0.0, m)
    e = tl.exp(x - m[:, None])
    total = tl.sum(e, axis=1)                                         # (ROWS,)
    y = e / tl.where(total == 0.0, 1.0, total)[:, None]               # (ROWS, COLUMNS)  (2)
    tl.store(y_ptr + place, y.to(y_ptr.dtype.element_ty), mask=inside)


@triton.jit
def softmax_backward_kernel(
    dy_ptr,             # (M, N) gradient of the loss with respect to y
    y_ptr,              # (M, N) what the forward returned
    dx_ptr,             # (M, N) gradient with respect to x; this program owns ROWS whole rows
    M, N,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):
    """(4) dx_j = y_j (dy_j - sum_i dy_i y_i), for ROWS rows at once."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    place = row[:, None] * N + column[None, :]
    inside = (row[:, None] < M) & (column[None, :] < N)
    dy = tl.load(dy_ptr + place, mask=inside, other=0.0)              # (ROWS, COLUMNS)
    y = tl.load(y_ptr + place, mask=inside, other=0.0)
    if y_ptr.dtype.element_ty != tl.float64:
        dy, y = dy.to(tl.float32), y.to(tl.float32)
    inner = tl.sum(dy * y, axis=1)                                    # (ROWS,)  sum_i dy_i y_i
    dx = y * (dy - inner[:, None])                                    # (ROWS, COLUMNS)  (4)
    tl.store(dx_ptr + place, dx.to(dx_ptr.dtype.element_ty), mask=inside)


def _launch(kernel, *arrays):
    M, N = arrays[0].shape
    columns = triton.next_power_of_2(N)
    rows = max(1, min(TILE // columns, triton.next_power_of_2(M)))
    if M:
        kernel[(triton.cdiv(M, rows),)](*arrays, M, N, ROWS=rows, COLUMNS=columns)


@torch.library.custom_op("minigpt::softmax", mutates_args=())
def _softmax(x: torch.Tensor) -> torch.Tensor:
    rows = x.reshape(-1, x.shape[-1]).contiguous()
    y = torch.empty_like(rows)
    _launch(softmax_forward_kernel, rows, y)
    return y.view(x.shape)


@torch.library.custom_op("minigpt::softmax_backward", mutates_args=())
def _softmax_backward(dy: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    N = y.shape[-1]
    dx = torch.empty_like(y)
    _launch(softmax_backward_kernel, dy.reshape(-1, N).contiguous(), y.view(-1, N), dx.view(-1, N))
    return dx


_softmax.register_fake(lambda x: torch.empty(x.shape, dtype=x.dtype, device=x.device))
_softmax_backward.register_fake(lambda dy, y: torch.empty_like(y))
_softmax.register_autograd(lambda ctx, dy: _softmax_backward(dy, *ctx.saved_tensors),
                           setup_context=lambda ctx, inputs, output: ctx.save_for_backward(output))


def softmax(x):
    """Turn each row of scores into probabilities: y_i = exp(x_i - max x) / sum_j exp(x_j - max x).

    x: (..., N) scores, any floating dtype, N up to about 64,000 (one tile must hold a row); computed in float32
    (float64 for float64). A row of -inf gives 0. Returns y: (..., N) probabilities, in x's dtype.
    """
    return _softmax(x)


softmax.contains = frozenset()
