"""RMS norm: forward and backward read a row once, and keep all that lies between on chip.

Plan: as kernels/layer_norm.py, without mean and bias. A tile is BLOCK_M rows of C features, C padded to a power of two
with 0. Backward, each of P programs walks over TILES tiles: it writes their dx, and keeps the sums of its rows for
dweight, which row_sums_kernel adds afterwards in a fixed order (kernels/row_norms.py). Without a weight there are no
sums. Of rows of more than 8192 features the backward goes over each in blocks, twice, with its sums in `parts`.
Grid: forward (ceil(M / BLOCK_M),) for M rows; backward (P,), two programs a multiprocessor, or one for long rows.
On chip: the tile and its deviations; backward also dy, and the sums for dweight.
Bytes moved: forward 2 M C elements (x in, y out), backward 3 M C (dy and x in, dx out) and P C partial sums; for
long rows 5 M C, and the partial sums in and out with each row.
"""
# isort: off
import torch

import kernels._backend  # noqa: F401  before triton is imported
from kernels.row_norms import A100, add_up, check, configuration, form, share, work_of_backward, work_of_forward
import triton
import triton.language as tl
# isort: on


@triton.jit
def rms_norm_forward_kernel(
    x_ptr,              # (M, C) features; this program owns BLOCK_M whole rows
    weight_ptr,         # (C,), or None
    y_ptr,              # (M, C)
    rstd_ptr,           # (M,) kept for the backward, in float32 (float64 for float64)
    M, C,
    EPS: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_C: tl.constexpr,
):
    """Equations (1) to (4), for BLOCK_M rows at once."""
    ACC: tl.constexpr = rstd_ptr.dtype.element_ty
    row = tl.program_id(0).to(tl.int64) * BLOCK_M + tl.arange(0, BLOCK_M)
    column = tl.arange(0, BLOCK_C)
    place = row[:, None] * C + column[None, :]
    inside = (row[:, None] < M) & (column[None, :] < C)
    x = tl.load(x_ptr + place, mask=inside, other=0.0).to(ACC)        # (BLOCK_M, BLOCK_C)
    square = tl.sum(x * x, axis=1) / C                                # (BLOCK_M,)  (1)
    rstd = tl.rsqrt(square + EPS)                                     # (2)
    y = x * rstd[:, None]                                             # (BLOCK_M, BLOCK_C)  (3)
    if weight_ptr is not None:
        y *= tl.load(weight_ptr + column, mask=column < C, other=0.0).to(ACC)[None, :]          # (4)
    tl.store(y_ptr + place, y.to(y_ptr.dtype.element_ty), mask=inside)
    tl.store(rstd_ptr + row, rstd, mask=row < M)


@triton.jit
def rms_norm_backward_kernel(
    dy_ptr,             # (M, C) gradient of the loss with respect to y
    x_ptr,              # (M, C)
    weight_ptr,         # (C,), or None
    rstd_ptr,           # (M,)
    dx_ptr,             # (M, C) gradient with respect to x; this program owns TILES * BLOCK_M rows
    parts_ptr,          # (P, 1, C) sums over the rows of a program, for dweight; None without a weight
    M, C, TILES,
    BLOCK_M: tl.constexpr, BLOCK_C: tl.constexpr,
):
    """Equations (5) and (7), for TILES tiles of BLOCK_M rows, one after another."""
    ACC: tl.constexpr = rstd_ptr.dtype.element_ty
    program = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK_C)
    weight = tl.full((1, BLOCK_C), 1.0, ACC)
    if weight_ptr is not None:
        weight = tl.load(weight_ptr + column, mask=column < C, other=0.0).to(ACC)[None, :]
    dweight = tl.zeros((BLOCK_M, BLOCK_C), ACC)
    for tile in range(TILES):
        row = (program * TILES + tile) * BLOCK_M + tl.arange(0, BLOCK_M)
        place = row[:, None] * C + column[None, :]
        inside = (row[:, None] < M) & (column[None, :] < C)
        rstd = tl.load(rstd_ptr + row, mask=row < M, other=0.0)[:, None]
        dy = tl.load(dy_ptr + place, mask=inside, other=0.0).to(ACC)  # (BLOCK_M, BLOCK_C)
        normal = tl.load(x_ptr + place, mask=inside, other=0.0).to(ACC) * rstd                  # (3), made again
        dnormal = dy * weight                                         # (5)
        mean_dn_n = tl.sum(dnormal * normal, axis=1)[:, None] / C     # (BLOCK_M, 1)
        dx = rstd * (dnormal - normal * mean_dn_n)                    # (BLOCK_M, BLOCK_C)  (7)
        tl.store(dx_ptr + place, dx.to(dx_ptr.dtype.element_ty), mask=inside)
        dweight += dy * normal                                        # (5)
    if parts_ptr is not None:
        tl.store(parts_ptr + program * C + column, tl.sum(dweight, axis=0), mask=column < C)


@triton.jit
def rms_norm_long_backward_kernel(
    dy_ptr, x_ptr, weight_ptr, rstd_ptr, dx_ptr, parts_ptr,               # as above; this program owns TILES rows
    M, C, TILES,
    BLOCK_C: tl.constexpr,
):
    """Equations (5) and (7), a row after another, each in blocks of BLOCK_C features: first the mean, then dx."""
    ACC: tl.constexpr = rstd_ptr.dtype.element_ty
    program = tl.program_id(0).to(tl.int64)
    first = program * TILES
    for tile in range(tl.minimum(TILES, M - first)):
        row = first + tile
        rstd = tl.load(rstd_ptr + row)
        total = tl.zeros((BLOCK_C,), ACC)
        for start in range(0, C, BLOCK_C):
            column = start + tl.arange(0, BLOCK_C)
            dnormal = tl.load(dy_ptr + row * C + column, mask=column < C, other=0.0).to(ACC)
            if weight_ptr is not None:
                dnormal *= tl.load(weight_ptr + column, mask=column < C, other=0.0).to(ACC)     # (5)
            normal = tl.load(x_ptr + row * C + column, mask=column < C, other=0.0).to(ACC) * rstd
            total += dnormal * normal
        mean_dn_n = tl.sum(total, axis=0) / C
        for start in range(0, C, BLOCK_C):
            column = start + tl.arange(0, BLOCK_C)
            dy = tl.load(dy_ptr + row * C + column, mask=column < C, other=0.0).to(ACC)
            normal = tl.load(x_ptr + row * C + column, mask=column < C, other=0.0).to(ACC) * rstd               # (3)
            dnormal = dy
            if weight_ptr is not None:
                dnormal = dy * tl.load(weight_ptr + column, mask=column < C, other=0.0).to(ACC)                 # (5)
            dx = rstd * (dnormal - normal * mean_dn_n)                # (BLOCK_C,)  (7)
            tl.store(dx_ptr + row * C + column, dx.to(dx_ptr.dtype.element_ty), mask=column < C)
            if parts_ptr is not None:
                part = parts_ptr + program * C + column
                later = (column < C) & (tile > 0)                        # before its first row a part holds nothing
                tl.store(part, tl.load(part, mask=later, other=0.0) + dy * normal, mask=column < C)             # (5)
        tl.debug_barrier()                             # the next row may read a sum by another thread than wrote it


@torch.library.custom_op("minigpt::rms_norm", mutates_args=())
def _rms_norm(x: torch.Tensor, weight: torch.Tensor | None, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    M, C = x.shape[:-1].numel(), x.shape[-1]
    y, rstd = _results(x, weight, eps)
    if not M or not C:
        return y, rstd.zero_()
    constants, warps, _ = configuration(M, C)
    weight = None if weight is None else weight.contiguous()
    rms_norm_forward_kernel[(triton.cdiv(M, constants["BLOCK_M"]),)](
        x.contiguous(), weight, y, rstd, M, C, EPS=eps, **constants, num_warps=warps, num_stages=1)
    return y, rstd


@torch.library.custom_op("minigpt::rms_norm_backward", mutates_args=())
def _rms_norm_backward(dy: torch.Tensor, x: torch.Tensor, weight: torch.Tensor | None,
                       rstd: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    M, C = rstd.shape[0], x.shape[-1]
    dx, dweight = _gradients(dy, x, weight, rstd)
    if not M or not C:
        return dx, dweight.zero_()
    constants, warps, programs = configuration(M, C, backward=True)
    kernel = rms_norm_backward_kernel if "BLOCK_M" in constants else rms_norm_long_backward_kernel
    P, tiles = share(M, constants.get("BLOCK_M", 1), programs, x.device)
    parts = None if weight is None else rstd.new_empty(P, 1, C)
    weight = None if weight is None else weight.contiguous()
    kernel[(P,)](dy.contiguous(), x.contiguous(), weight, rstd, dx, parts, M, C, tiles, **constants,
                 num_warps=warps, num_stages=1)
    if weight is not None:
        add_up(parts, dweight)
    return dx, dweight


@_rms_norm.register_fake
def _results(x, weight, eps):
    kind = torch.promote_types(x.dtype, torch.float32)
    return x.new_empty(x.shape), x.new_empty(x.shape[:-1].numel(), dtype=kind)


@_rms_norm_backward.register_fake
def _gradients(dy, x, weight, rstd):
    return x.new_empty(x.shape), x.new_empty(0) if weight is None else weight.new_empty(weight.shape)


def _keep(ctx, inputs, output):
    ctx.save_for_backward(*inputs[:2], output[1])


def _backward(ctx, dy, _):
    dx, dweight = _rms_norm_backward(dy, *ctx.saved_tensors)
    return dx, None if ctx.saved_tensors[1] is None else dweight, None


_rms_norm.register_autograd(_backward, setup_context=_keep)


def rms_norm(x, weight, eps=1e-5):
    """Divide each row by the root of its mean square.

        (1) square = 1/C sum_c x_c^2
        (2) rstd = 1 / sqrt(square + eps)
        (3) n_c = x_c rstd
        (4) y_c = n_c w_c
        (5) dw_c = sum over rows of dy_c n_c,    dn_c = dy_c w_c
        (7) dx_j = rstd (dn_j - n_j 1/C sum_i dn_i n_i)

    x: (..., C) features, any floating dtype; weight: (C,), or None for no weight; it may have another dtype than x.
    Computed in float32 (float64 for float64). Returns y: (..., C), in x's dtype.
    Raises ValueError for C over 65536, or a weight that is not (C,).
    """
    check(x, weight=weight)
    return _rms_norm(x, weight, eps)[0]


rms_norm.contains = frozenset()


def shipped():
    """The compiled forms that launches use, for `python -m kernels.report`."""
    M, found = 4096, []
    for dtype, parameter, C in (("fp16", "fp16", 768), ("fp16", "fp16", 4096), ("fp16", "fp16", 16384),
                                ("fp32", "fp32", 768), ("fp32", "fp32", 4096), ("bf16", "fp32", 1024),
                                ("bf16", None, 1024), ("bf16", None, 16384)):
        name = f"{dtype}, C={C}" if parameter == dtype else f"{dtype}, C={C}, weight {parameter}"
        types = dict.fromkeys(("x_ptr", "y_ptr", "dy_ptr", "dx_ptr"), f"*{dtype}")
        types |= {"weight_ptr": f"*{parameter}", "rstd_ptr": "*fp32", "parts_ptr": "*fp32"}
        missing = {} if parameter else {"weight_ptr": None}
        size, weight = int(dtype[2:]) // 8, int(parameter[2:]) // 8 if parameter else 0
        constants, warps, _ = configuration(M, C)
        found.append(form(rms_norm_forward_kernel, name, types, constants | {"EPS": 1e-5} | missing, warps, 32 // warps,
                          work_of_forward(M, C, size, parameters=weight, statistics=4)))
        constants, warps, programs = configuration(M, C, backward=True)
        kernel = rms_norm_backward_kernel if "BLOCK_M" in constants else rms_norm_long_backward_kernel
        missing = {} if parameter else {"weight_ptr": None, "parts_ptr": None}
        found.append(form(kernel, name, types, constants | missing, warps, programs,
                          work_of_backward(M, C, size, programs * A100, weight=weight, sums=4 if parameter else 0,
                                           statistics=4)))
    return found
