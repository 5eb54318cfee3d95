"""Layer norm: forward and backward read a row once, and keep all that lies between on chip.

Plan: a tile is BLOCK_M rows of C features, C padded to a power of two with 0. The variance is taken of x - mean, in
the registers that hold the row. Backward, each of P programs walks over TILES tiles: it writes their dx, and keeps the
sums of its rows for dweight and dbias, which row_sums_kernel adds afterwards in a fixed order (kernels/row_norms.py).
Rows of more than 8192 features leave no room for these sums: the backward then goes over a row in blocks, twice, and
keeps the sums in its part of `parts`.
Grid: forward (ceil(M / BLOCK_M),) for M rows; backward (P,), two programs a multiprocessor, or one for long rows.
On chip: the tile, its means and deviations; backward also dy, and the sums for dweight and dbias.
Bytes moved: forward 2 M C elements (x in, y out), backward 3 M C (dy and x in, dx out) and 2 P C partial sums; for
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
def layer_norm_forward_kernel(
    x_ptr,              # (M, C) features; this program owns BLOCK_M whole rows
    weight_ptr,         # (C,)
    bias_ptr,           # (C,), or None
    y_ptr,              # (M, C)
    mean_ptr,           # (M,) kept for the backward, as rstd; in float32 (float64 for float64)
    rstd_ptr,           # (M,)
    M, C,
    EPS: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_C: tl.constexpr,
):
    """Equations (1) to (5), for BLOCK_M rows at once."""
    ACC: tl.constexpr = mean_ptr.dtype.element_ty
    row = tl.program_id(0).to(tl.int64) * BLOCK_M + tl.arange(0, BLOCK_M)
    column = tl.arange(0, BLOCK_C)
    place = row[:, None] * C + column[None, :]
    inside = (row[:, None] < M) & (column[None, :] < C)
    x = tl.load(x_ptr + place, mask=inside, other=0.0).to(ACC)        # (BLOCK_M, BLOCK_C)
    mean = tl.sum(x, axis=1) / C                                      # (BLOCK_M,)  (1)
    centred = tl.where(inside, x - mean[:, None], 0.0)                # (BLOCK_M, BLOCK_C), 0 in the padding
    variance = tl.sum(centred * centred, axis=1) / C                  # (BLOCK_M,)  (2)
    rstd = tl.rsqrt(variance + EPS)                                   # (3)
    weight = tl.load(weight_ptr + column, mask=column < C, other=0.0).to(ACC)
    y = centred * rstd[:, None] * weight[None, :]                     # (BLOCK_M, BLOCK_C)  (4)
    if bias_ptr is not None:
        y += tl.load(bias_ptr + column, mask=column < C, other=0.0).to(ACC)[None, :]            # (5)
    tl.store(y_ptr + place, y.to(y_ptr.dtype.element_ty), mask=inside)
    tl.store(mean_ptr + row, mean, mask=row < M)
    tl.store(rstd_ptr + row, rstd, mask=row < M)


@triton.jit
def layer_norm_backward_kernel(
    dy_ptr,             # (M, C) gradient of the loss with respect to y
    x_ptr,              # (M, C)
    weight_ptr,         # (C,)
    mean_ptr,           # (M,)
    rstd_ptr,           # (M,)
    dx_ptr,             # (M, C) gradient with respect to x; this program owns TILES * BLOCK_M rows
    parts_ptr,          # (P, K, C) sums over the rows of a program: dweight, and dbias if K = 2
    M, C, TILES,
    K: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_C: tl.constexpr,
):
    """Equations (6) and (8), for TILES tiles of BLOCK_M rows, one after another."""
    ACC: tl.constexpr = parts_ptr.dtype.element_ty
    program = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK_C)
    weight = tl.load(weight_ptr + column, mask=column < C, other=0.0).to(ACC)[None, :]
    dweight = tl.zeros((BLOCK_M, BLOCK_C), ACC)
    dbias = tl.zeros((BLOCK_M, BLOCK_C), ACC)
    for tile in range(TILES):
        row = (program * TILES + tile) * BLOCK_M + tl.arange(0, BLOCK_M)
        place = row[:, None] * C + column[None, :]
        inside = (row[:, None] < M) & (column[None, :] < C)
        mean = tl.load(mean_ptr + row, mask=row < M, other=0.0)[:, None]
        rstd = tl.load(rstd_ptr + row, mask=row < M, other=0.0)[:, None]
        dy = tl.load(dy_ptr + place, mask=inside, other=0.0).to(ACC)  # (BLOCK_M, BLOCK_C)
        x = tl.load(x_ptr + place, mask=inside, other=0.0).to(ACC)
        normal = (x - mean) * rstd                                    # (4), made again
        dnormal = dy * weight                                         # (6)
        mean_dn = tl.sum(dnormal, axis=1)[:, None] / C                # (BLOCK_M, 1)
        mean_dn_n = tl.sum(dnormal * normal, axis=1)[:, None] / C
        dx = rstd * (dnormal - mean_dn - normal * mean_dn_n)          # (BLOCK_M, BLOCK_C)  (8)
        tl.store(dx_ptr + place, dx.to(dx_ptr.dtype.element_ty), mask=inside)
        dweight += dy * normal                                        # (6)
        dbias += dy                                                   # (6)
    part = parts_ptr + program * K * C + column
    tl.store(part, tl.sum(dweight, axis=0), mask=column < C)
    if K == 2:
        tl.store(part + C, tl.sum(dbias, axis=0), mask=column < C)


@triton.jit
def layer_norm_long_backward_kernel(
    dy_ptr, x_ptr, weight_ptr, mean_ptr, rstd_ptr, dx_ptr, parts_ptr,     # as above; this program owns TILES rows
    M, C, TILES,
    K: tl.constexpr, BLOCK_C: tl.constexpr,
):
    """Equations (6) and (8), a row after another, each in blocks of BLOCK_C features: first the means, then dx."""
    ACC: tl.constexpr = parts_ptr.dtype.element_ty
    program = tl.program_id(0).to(tl.int64)
    first = program * TILES
    for tile in range(tl.minimum(TILES, M - first)):
        row = first + tile
        mean, rstd = tl.load(mean_ptr + row), tl.load(rstd_ptr + row)
        sum_dn = tl.zeros((BLOCK_C,), ACC)
        sum_dn_n = tl.zeros((BLOCK_C,), ACC)
        for start in range(0, C, BLOCK_C):
            column = start + tl.arange(0, BLOCK_C)
            dy = tl.load(dy_ptr + row * C + column, mask=column < C, other=0.0).to(ACC)
            x = tl.load(x_ptr + row * C + column, mask=column < C, other=0.0).to(ACC)
            dnormal = dy * tl.load(weight_ptr + column, mask=column < C, other=0.0).to(ACC)     # (6)
            sum_dn += dnormal
            sum_dn_n += dnormal * (x - mean) * rstd
        mean_dn, mean_dn_n = tl.sum(sum_dn, axis=0) / C, tl.sum(sum_dn_n, axis=0) / C
        for start in range(0, C, BLOCK_C):
            column = start + tl.arange(0, BLOCK_C)
            dy = tl.load(dy_ptr + row * C + column, mask=column < C, other=0.0).to(ACC)
            x = tl.load(x_ptr + row * C + column, mask=column < C, other=0.0).to(ACC)
            dnormal = dy * tl.load(weight_ptr + column, mask=column < C, other=0.0).to(ACC)     # (6)
            normal = (x - mean) * rstd                                # (BLOCK_C,)  (4)
            dx = rstd * (dnormal - mean_dn - normal * mean_dn_n)      # (8)
            tl.store(dx_ptr + row * C + column, dx.to(dx_ptr.dtype.element_ty), mask=column < C)
            part = parts_ptr + program * K * C + column
            later = (column < C) & (tile > 0)                        # before its first row a part holds nothing
            tl.store(part, tl.load(part, mask=later, other=0.0) + dy * normal, mask=column < C)     # (6)
            if K == 2:
                tl.store(part + C, tl.load(part + C, mask=later, other=0.0) + dy, mask=column < C)  # (6)
        tl.debug_barrier()                             # the next row may read a sum by another thread than wrote it


@torch.library.custom_op("minigpt::layer_norm", mutates_args=())
def _layer_norm(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None,
                eps: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    M, C = x.shape[:-1].numel(), x.shape[-1]
    y, mean, rstd = _results(x, weight, bias, eps)
    if not M or not C:
        return y, mean.zero_(), rstd.zero_()
    constants, warps, _ = configuration(M, C)
    bias = None if bias is None else bias.contiguous()
    layer_norm_forward_kernel[(triton.cdiv(M, constants["BLOCK_M"]),)](
        x.contiguous(), weight.contiguous(), bias, y, mean, rstd, M, C, EPS=eps, **constants,
        num_warps=warps, num_stages=1)
    return y, mean, rstd


@torch.library.custom_op("minigpt::layer_norm_backward", mutates_args=())
def _layer_norm_backward(dy: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None,
                         mean: torch.Tensor, rstd: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    M, C, K = mean.shape[0], x.shape[-1], 1 if bias is None else 2
    dx, dweight, dbias = _gradients(dy, x, weight, bias, mean, rstd)
    if not M or not C:
        return dx, dweight.zero_(), dbias.zero_()
    constants, warps, programs = configuration(M, C, backward=True)
    kernel = layer_norm_backward_kernel if "BLOCK_M" in constants else layer_norm_long_backward_kernel
    P, tiles = share(M, constants.get("BLOCK_M", 1), programs, x.device)
    parts = mean.new_empty(P, K, C)
    kernel[(P,)](dy.contiguous(), x.contiguous(), weight.contiguous(), mean, rstd, dx, parts, M, C, tiles, K=K,
                 **constants, num_warps=warps, num_stages=1)
    add_up(parts, dweight, None if bias is None else dbias)
    return dx, dweight, dbias


@_layer_norm.register_fake
def _results(x, weight, bias, eps):
    M, kind = x.shape[:-1].numel(), torch.promote_types(x.dtype, torch.float32)
    return x.new_empty(x.shape), x.new_empty(M, dtype=kind), x.new_empty(M, dtype=kind)


@_layer_norm_backward.register_fake
def _gradients(dy, x, weight, bias, mean, rstd):
    dbias = weight.new_empty(0) if bias is None else bias.new_empty(bias.shape)
    return x.new_empty(x.shape), weight.new_empty(weight.shape), dbias


def _keep(ctx, inputs, output):
    ctx.save_for_backward(*inputs[:3], *output[1:])


def _backward(ctx, dy, *_):
    dx, dweight, dbias = _layer_norm_backward(dy, *ctx.saved_tensors)
    return dx, dweight, None if ctx.saved_tensors[2] is None else dbias, None


_layer_norm.register_autograd(_backward, setup_context=_keep)


def layer_norm(x, weight, bias=None, eps=1e-5):
    """Normalise each row by its own mean and variance.

        (1) mean = 1/C sum_c x_c
        (2) variance = 1/C sum_c (x_c - mean)^2
        (3) rstd = 1 / sqrt(variance + eps)
        (4) n_c = (x_c - mean) rstd
        (5) y_c = n_c w_c + b_c
        (6) db_c = sum over rows of dy_c,    dw_c = sum over rows of dy_c n_c,    dn_c = dy_c w_c
        (8) dx_c = rstd (dn_c - 1/C sum_i dn_i - n_c 1/C sum_i dn_i n_i)

    x: (..., C) features, any floating dtype; weight: (C,); bias: (C,), or None; these may have another dtype than x.
    Computed in float32 (float64 for float64). Returns y: (..., C), in x's dtype.
    Raises ValueError for C over 65536, or a weight or bias that is not (C,).
    """
    check(x, weight=weight, bias=bias)
    return _layer_norm(x, weight, bias, eps)[0]


layer_norm.contains = frozenset()


def shipped():
    """The compiled forms that launches use, for `python -m kernels.report`."""
    M, found = 4096, []
    for dtype, parameter, C, K in (("fp16", "fp16", 768, 2), ("fp16", "fp16", 4096, 2), ("fp16", "fp16", 16384, 2),
                                   ("fp32", "fp32", 768, 2), ("fp32", "fp32", 4096, 2), ("bf16", "fp32", 1024, 1)):
        name = f"{dtype}, C={C}" if K == 2 else f"{dtype}, C={C}, no bias, weight {parameter}"
        types = dict.fromkeys(("weight_ptr", "bias_ptr"), f"*{parameter}")
        types |= dict.fromkeys(("x_ptr", "y_ptr", "dy_ptr", "dx_ptr"), f"*{dtype}")
        types |= dict.fromkeys(("mean_ptr", "rstd_ptr", "parts_ptr"), "*fp32")
        size, weight = int(dtype[2:]) // 8, int(parameter[2:]) // 8
        constants, warps, _ = configuration(M, C)
        found.append(form(layer_norm_forward_kernel, name, types,
                          constants | {"EPS": 1e-5} | ({} if K == 2 else {"bias_ptr": None}), warps, 32 // warps,
                          work_of_forward(M, C, size, parameters=K * weight, statistics=8)))
        constants, warps, programs = configuration(M, C, backward=True)
        kernel = layer_norm_backward_kernel if "BLOCK_M" in constants else layer_norm_long_backward_kernel
        found.append(form(kernel, name, types, constants | {"K": K}, warps, programs,
                          work_of_backward(M, C, size, programs * A100, weight=weight, sums=4 * K, statistics=8)))
    return found
