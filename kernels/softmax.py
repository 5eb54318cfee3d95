"""Softmax as one kernel: a row is read once and written once, and stays on chip in between.

Plan: each program takes ROWS rows of N scores as one tile, N padded to a power of two with -inf. A row too long for
one tile is gone over twice, COLUMNS scores at a time, with a running maximum and sum (m, l).
Grid: (ceil(M / ROWS),) for M rows; (M,) for long rows.
On chip: the tile, its row maxima and row sums; of a long row one tile of it, m and l.
Bytes moved: forward 2 M N elements (x in, y out), backward 3 M N (dy and y in, dx out); for long rows 3 M N (x in
twice) and 5 M N. Spelled-out softmax moves every intermediate as well.
"""
# isort: off
import torch

from kernels import _backend, traffic  # before triton is imported
import triton
import triton.language as tl
# isort: on

TILE = 4096             # elements of a tile of short rows: enough work for a program, few enough for its registers
LONGEST = 16384         # the longest row that stays on chip whole: 32 numbers a thread for 16 warps


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


@triton.jit
def softmax_online_forward_kernel(
    x_ptr,              # (M, N) scores, row stride N
    y_ptr,              # (M, N) probabilities; this program owns one row
    N,
    COLUMNS: tl.constexpr,
):
    """(1) m' = max(m, max_j x_j)   (2) l <- l exp(m - m') + sum_j exp(x_j - m')   (3) y_j = exp(x_j - m) / l"""
    row = tl.program_id(0).to(tl.int64) * N
    ACC: tl.constexpr = tl.float64 if x_ptr.dtype.element_ty == tl.float64 else tl.float32
    m = tl.full([], -float("inf"), ACC)
    l = tl.full([], 0.0, ACC)
    for start in range(0, N, COLUMNS):
        column = start + tl.arange(0, COLUMNS)
        x = tl.load(x_ptr + row + column, mask=column < N, other=-float("inf")).to(ACC)     # (COLUMNS,)
        m_new = tl.maximum(m, tl.max(x, axis=0))                      # (1)
        shift = tl.where(m_new == -float("inf"), 0.0, m_new)          # nothing but -inf so far: exp gives 0, not NaN
        l = l * tl.exp(m - shift) + tl.sum(tl.exp(x - shift), axis=0)                       # (2)
        m = m_new
    m = tl.where(m == -float("inf"), 0.0, m)
    l = tl.where(l == 0.0, 1.0, l)
    for start in range(0, N, COLUMNS):
        column = start + tl.arange(0, COLUMNS)
        x = tl.load(x_ptr + row + column, mask=column < N, other=-float("inf")).to(ACC)     # (COLUMNS,)
        y = tl.exp(x - m) / l                                         # (COLUMNS,)  (3)
        tl.store(y_ptr + row + column, y.to(y_ptr.dtype.element_ty), mask=column < N)


@triton.jit
def softmax_online_backward_kernel(
    dy_ptr,             # (M, N) gradient of the loss with respect to y
    y_ptr,              # (M, N) what the forward returned
    dx_ptr,             # (M, N) gradient with respect to x; this program owns one row
    N,
    COLUMNS: tl.constexpr,
):
    """(4) inner <- inner + sum_j dy_j y_j   (5) dx_j = y_j (dy_j - inner)"""
    row = tl.program_id(0).to(tl.int64) * N
    ACC: tl.constexpr = tl.float64 if y_ptr.dtype.element_ty == tl.float64 else tl.float32
    inner = tl.full([], 0.0, ACC)
    for start in range(0, N, COLUMNS):
        column = start + tl.arange(0, COLUMNS)
        dy = tl.load(dy_ptr + row + column, mask=column < N, other=0.0).to(ACC)             # (COLUMNS,)
        y = tl.load(y_ptr + row + column, mask=column < N, other=0.0).to(ACC)               # (COLUMNS,)
        inner += tl.sum(dy * y, axis=0)                               # (4)
    for start in range(0, N, COLUMNS):
        column = start + tl.arange(0, COLUMNS)
        dy = tl.load(dy_ptr + row + column, mask=column < N, other=0.0).to(ACC)             # (COLUMNS,)
        y = tl.load(y_ptr + row + column, mask=column < N, other=0.0).to(ACC)               # (COLUMNS,)
        dx = y * (dy - inner)                                         # (COLUMNS,)  (5)
        tl.store(dx_ptr + row + column, dx.to(dx_ptr.dtype.element_ty), mask=column < N)


def configuration(M, N):
    """(whether a row is one tile, constants, warps) for M rows of N scores."""
    if N > LONGEST:
        return False, {"COLUMNS": min(TILE, LONGEST)}, 8
    columns = triton.next_power_of_2(N)
    rows = max(1, min(TILE // columns, triton.next_power_of_2(M)))
    return True, {"ROWS": rows, "COLUMNS": columns}, max(4, min(16, rows * columns // 1024))


def _launch(short_kernel, long_kernel, *arrays):
    M, N = arrays[0].shape
    if not M or not N:
        return
    one_tile, constants, warps = configuration(M, N)
    if one_tile:
        short_kernel[(triton.cdiv(M, constants["ROWS"]),)](*arrays, M, N, **constants, num_warps=warps, num_stages=1)
    else:
        long_kernel[(M,)](*arrays, N, **constants, num_warps=warps, num_stages=1)


@torch.library.custom_op("minigpt::softmax", mutates_args=())
def _softmax(x: torch.Tensor) -> torch.Tensor:
    rows = x.reshape(x.shape[:-1].numel(), x.shape[-1]).contiguous()
    y = torch.empty_like(rows)
    _launch(softmax_forward_kernel, softmax_online_forward_kernel, rows, y)
    return y.view(x.shape)


@torch.library.custom_op("minigpt::softmax_backward", mutates_args=())
def _softmax_backward(dy: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    shape = y.shape[:-1].numel(), y.shape[-1]
    dx = torch.empty_like(y)
    _launch(softmax_backward_kernel, softmax_online_backward_kernel,
            dy.reshape(shape).contiguous(), y.view(shape), dx.view(shape))
    return dx


_softmax.register_fake(lambda x: torch.empty(x.shape, dtype=x.dtype, device=x.device))
_softmax_backward.register_fake(lambda dy, y: torch.empty_like(y))
_softmax.register_autograd(lambda ctx, dy: _softmax_backward(dy, *ctx.saved_tensors),
                           setup_context=lambda ctx, inputs, output: ctx.save_for_backward(output))


def softmax(x):
    """Turn each row of scores into probabilities: y_i = exp(x_i - max x) / sum_j exp(x_j - max x).

    x: (..., N) scores, any floating dtype; computed in float32 (float64 for float64). A row of -inf gives 0.
    Returns y: (..., N) probabilities, in x's dtype.
    """
    return _softmax(x)


softmax.contains = frozenset()


def shipped():
    """The compiled forms that launches use, for `python -m kernels.report`."""
    found = []
    for dtype, size in (("fp16", 2), ("fp32", 4)):
        for M, N in ((4096, 256), (4096, 4096), (4096, 16384), (1024, 65536)):
            one_tile, constants, warps = configuration(M, N)
            names = ("x_ptr", "y_ptr"), ("dy_ptr", "y_ptr", "dx_ptr")
            forward, backward = ((softmax_forward_kernel, softmax_backward_kernel) if one_tile else
                                 (softmax_online_forward_kernel, softmax_online_backward_kernel))
            for kernel, pointers, work in ((forward, names[0], traffic.softmax_forward),
                                           (backward, names[1], traffic.softmax_backward)):
                found.append(_backend.Shipped(
                    kernel, f"{dtype}, N={N}", dict.fromkeys(pointers, f"*{dtype}"), constants, warps, 1, ("N",),
                    {"matrix": False, "copies": False, "vectors": True, "blocks": dict.fromkeys((80, 90), 16 // warps)},
                    work(M, N, size, one_tile=one_tile)))
    return found
