"""Typical wrong kernels of layer_norm: `forward`, `backward`, `long_backward` and `sums` are ours but for a FAULT."""
# isort: off
from mistakes import mistake

import kernels._backend  # noqa: F401  before triton is imported
import triton
import triton.language as tl
from triton.language import constexpr
# isort: on


@triton.jit
def forward(x_ptr, weight_ptr, bias_ptr, y_ptr, mean_ptr, rstd_ptr, M, C, EPS, BLOCK_M, BLOCK_C, FAULT: constexpr):
    ACC: constexpr = x_ptr.dtype.element_ty if FAULT == "low" else mean_ptr.dtype.element_ty
    row = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    if FAULT != "32 bits" and FAULT != "too late":
        row = row.to(tl.int64)
    column = tl.arange(0, BLOCK_C)
    start = row * (BLOCK_C if FAULT == "length" else C)
    place = start.to(tl.int64)[:, None] + column if FAULT == "too late" else start[:, None] + column
    inside = (row[:, None] < M) & (column[None, :] < C)
    if FAULT == "poison":
        x = tl.load(x_ptr + place, mask=inside).to(ACC)
    else:
        x = tl.load(x_ptr + place, mask=inside, other=0.0).to(ACC)
    mean = tl.sum(x, axis=1) / C
    centred = x - mean[:, None] if FAULT == "padding" else tl.where(inside, x - mean[:, None], 0.0)
    variance = tl.sum(centred * centred, axis=1) / C
    if FAULT == "cancellation":
        variance = tl.maximum(tl.sum(x * x, axis=1) / C - mean * mean, 0.0)
    rstd = tl.rsqrt(variance.to(rstd_ptr.dtype.element_ty) + EPS)
    y = centred * rstd[:, None] * tl.load(weight_ptr + column, mask=column < C, other=0.0).to(ACC)[None, :]
    if bias_ptr is not None:
        y += tl.load(bias_ptr + column, mask=column < C, other=0.0).to(ACC)[None, :]
    tl.store(y_ptr + place, y.to(y_ptr.dtype.element_ty), mask=(row[:, None] < M) if FAULT == "no mask" else inside)
    if FAULT == "in place":
        tl.store(x_ptr + place, centred.to(x_ptr.dtype.element_ty), mask=inside)
    tl.store(mean_ptr + row, mean.to(mean_ptr.dtype.element_ty), mask=row < M)
    tl.store(rstd_ptr + row, rstd, mask=row < M)


@triton.jit
def backward(dy_ptr, x_ptr, weight_ptr, mean_ptr, rstd_ptr, dx_ptr, parts_ptr, M, C, TILES, K, BLOCK_M, BLOCK_C,
             FAULT: constexpr):
    ACC: constexpr = parts_ptr.dtype.element_ty
    program = tl.program_id(0) if FAULT == "32 bits" else tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK_C)
    weight = tl.load(weight_ptr + column, mask=column < C, other=0.0).to(ACC)[None, :]
    dweight = tl.zeros((BLOCK_M, BLOCK_C), ACC)
    dbias = tl.zeros((BLOCK_M, BLOCK_C), ACC)
    for tile in range(1 if FAULT == "one tile" else TILES):
        row = (program.to(tl.int64) * TILES + tile) * BLOCK_M + tl.arange(0, BLOCK_M)
        place = row[:, None] * C + column[None, :]
        inside = (row[:, None] < M) & (column[None, :] < C)
        if FAULT == "poison":
            mean, rstd = tl.load(mean_ptr + row, mask=row < M)[:, None], tl.load(rstd_ptr + row, mask=row < M)[:, None]
        else:
            mean = tl.load(mean_ptr + row, mask=row < M, other=0.0)[:, None]
            rstd = tl.load(rstd_ptr + row, mask=row < M, other=0.0)[:, None]
        dy = tl.load(dy_ptr + place, mask=inside, other=0.0).to(ACC)
        normal = (tl.load(x_ptr + place, mask=inside, other=0.0).to(ACC) - mean) * rstd
        dnormal = dy * weight
        mean_dn, mean_dn_n = tl.sum(dnormal, axis=1)[:, None] / C, tl.sum(dnormal * normal, axis=1)[:, None] / C
        dx = rstd * (dnormal - mean_dn - normal * mean_dn_n)
        tl.store(dx_ptr + place, dx.to(dx_ptr.dtype.element_ty), mask=inside)
        if FAULT == "in place":
            tl.store(x_ptr + place, dx.to(x_ptr.dtype.element_ty), mask=inside)
        dweight = dy * normal + (0.0 if FAULT == "last tile" else dweight)
        dbias = dy + (0.0 if FAULT == "last tile" else dbias)
    part = parts_ptr + column + (0 if FAULT == "race" or FAULT == "atomic" else program * K * C)
    if FAULT == "swapped" and K == 2:
        dweight, dbias = dbias, dweight
    if FAULT == "atomic":
        tl.atomic_add(part, tl.sum(dweight, axis=0), mask=column < C)
    else:
        tl.store(part, tl.sum(dweight, axis=0), mask=column < C)
    if K == 2:
        tl.store(part + C, tl.sum(dbias, axis=0), mask=column < C)


@triton.jit
def long_backward(dy_ptr, x_ptr, weight_ptr, mean_ptr, rstd_ptr, dx_ptr, parts_ptr, M, C, TILES, K, BLOCK_C,
                  FAULT: constexpr):
    ACC: constexpr = parts_ptr.dtype.element_ty
    program = tl.program_id(0) if FAULT == "32 bits" else tl.program_id(0).to(tl.int64)
    for tile in range(tl.minimum(TILES, M - program * TILES)):
        row = program * TILES + tile
        mean, rstd = tl.load(mean_ptr + row), tl.load(rstd_ptr + row)
        sum_dn = tl.zeros((BLOCK_C,), ACC)
        sum_dn_n = tl.zeros((BLOCK_C,), ACC)
        for start in range(0, BLOCK_C if FAULT == "first block" else C, BLOCK_C):
            column = start + tl.arange(0, BLOCK_C)
            x = tl.load(x_ptr + row * C + column, mask=column < C, other=0.0).to(ACC)
            dnormal = tl.load(dy_ptr + row * C + column, mask=column < C, other=0.0).to(ACC)
            dnormal *= tl.load(weight_ptr + column, mask=column < C, other=0.0).to(ACC)
            sum_dn += dnormal
            sum_dn_n += dnormal * (x - mean) * rstd
        for start in range(0, C, BLOCK_C):
            column = start + tl.arange(0, BLOCK_C)
            dy = tl.load(dy_ptr + row * C + column, mask=column < C, other=0.0).to(ACC)
            normal = (tl.load(x_ptr + row * C + column, mask=column < C, other=0.0).to(ACC) - mean) * rstd
            dnormal = dy * tl.load(weight_ptr + column, mask=column < C, other=0.0).to(ACC)
            dx = rstd * (dnormal - tl.sum(sum_dn, axis=0) / C - normal * tl.sum(sum_dn_n, axis=0) / C)
            tl.store(dx_ptr + row * C + column, dx.to(dx_ptr.dtype.element_ty), mask=column < C)
            part = parts_ptr + program * K * C + column
            later = (column < C) & (tile >= (0 if FAULT == "begin" else 1))
            tl.store(part, tl.load(part, mask=later, other=0.0) + dy * normal, mask=column < C)
            if K == 2:
                tl.store(part + C, tl.load(part + C, mask=later, other=0.0) + dy, mask=column < C)


@triton.jit
def sums(parts_ptr, dweight_ptr, dbias_ptr, P, C, BLOCK_P, BLOCK_C, FAULT: constexpr):
    column = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    total = tl.zeros((BLOCK_P, BLOCK_C), parts_ptr.dtype.element_ty)
    for first in range(0, BLOCK_P if FAULT == "first block" else P, BLOCK_P):
        part = first + tl.arange(0, BLOCK_P)
        start = ((part if FAULT == "32 bits" else part.to(tl.int64)) * tl.num_programs(1) + tl.program_id(1)) * C
        inside = (part[:, None] < P) & (column[None, :] < C)
        if FAULT == "poison":
            total += tl.load(parts_ptr + start[:, None] + column[None, :], mask=inside)
        else:
            total += tl.load(parts_ptr + start[:, None] + column[None, :], mask=inside, other=0.0)
    if tl.program_id(1) == 0:
        tl.store(dweight_ptr + column, tl.sum(total, axis=0).to(dweight_ptr.dtype.element_ty), mask=column < C)
    elif dbias_ptr is not None:
        tl.store(dbias_ptr + column, tl.sum(total, axis=0).to(dbias_ptr.dtype.element_ty), mask=column < C)


@mistake("layer_norm_forward_kernel", "the padding is not 0 after x - mean: it counts in the variance (equation 2)")
@triton.jit
def padding_in_the_variance(x, w, b, y, mean, rstd, M, C, EPS: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    forward(x, w, b, y, mean, rstd, M, C, EPS, BLOCK_M, BLOCK_C, "padding")


@mistake("layer_norm_forward_kernel", "the row length is taken to be BLOCK_C, which is C padded to a power of two")
@triton.jit
def length_of_the_block(x, w, b, y, mean, rstd, M, C, EPS: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    forward(x, w, b, y, mean, rstd, M, C, EPS, BLOCK_M, BLOCK_C, "length")


@mistake("layer_norm_forward_kernel", "x is loaded with a mask and no `other`: the padding is anything, and summed")
@triton.jit
def load_without_other(x, w, b, y, mean, rstd, M, C, EPS: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    forward(x, w, b, y, mean, rstd, M, C, EPS, BLOCK_M, BLOCK_C, "poison")


@mistake("layer_norm_forward_kernel", "the padding of a row is stored too, over the beginning of the next row")
@triton.jit
def store_without_mask(x, w, b, y, mean, rstd, M, C, EPS: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    forward(x, w, b, y, mean, rstd, M, C, EPS, BLOCK_M, BLOCK_C, "no mask")


@mistake("layer_norm_forward_kernel", "mean(x^2) - mean(x)^2 loses its digits when the mean is large (equation 2)")
@triton.jit
def variance_by_cancellation(x, w, b, y, mean, rstd, M, C, EPS: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    forward(x, w, b, y, mean, rstd, M, C, EPS, BLOCK_M, BLOCK_C, "cancellation")


@mistake("layer_norm_forward_kernel", "sums are kept in the dtype of x: in float16 a row of large numbers overflows")
@triton.jit
def sums_in_low_precision(x, w, b, y, mean, rstd, M, C, EPS: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    forward(x, w, b, y, mean, rstd, M, C, EPS, BLOCK_M, BLOCK_C, "low")


@mistake("layer_norm_forward_kernel", "the place of a row is computed in 32 bits, and overflows in large arrays")
@triton.jit
def row_in_32_bits(x, w, b, y, mean, rstd, M, C, EPS: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    forward(x, w, b, y, mean, rstd, M, C, EPS, BLOCK_M, BLOCK_C, "32 bits")


@mistake("layer_norm_forward_kernel", "the place of a row is made 64 bits wide after the product has overflowed")
@triton.jit
def cast_after_the_product(x, w, b, y, mean, rstd, M, C, EPS: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    forward(x, w, b, y, mean, rstd, M, C, EPS, BLOCK_M, BLOCK_C, "too late")


@mistake("layer_norm_forward_kernel", "x - mean is written over x, which the backward and others still need")
@triton.jit
def writes_into_x(x, w, b, y, mean, rstd, M, C, EPS: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    forward(x, w, b, y, mean, rstd, M, C, EPS, BLOCK_M, BLOCK_C, "in place")


@mistake("layer_norm_backward_kernel", "dx is written over x too, which others still need")
@triton.jit
def over_x(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    backward(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K, BLOCK_M, BLOCK_C, "in place")


@mistake("layer_norm_backward_kernel", "mean and rstd behind the last row have no `other`: they reach dweight")
@triton.jit
def no_other(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    backward(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K, BLOCK_M, BLOCK_C, "poison")


@mistake("layer_norm_backward_kernel", "a program does the first of its tiles only: the others' rows are left out")
@triton.jit
def first_tile(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    backward(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K, BLOCK_M, BLOCK_C, "one tile")


@mistake("layer_norm_backward_kernel", "dweight and dbias begin anew with each tile; they are sums over all rows")
@triton.jit
def last_tile(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    backward(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K, BLOCK_M, BLOCK_C, "last tile")


@mistake("layer_norm_backward_kernel", "dweight and dbias are stored in each other's place")
@triton.jit
def swapped(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    backward(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K, BLOCK_M, BLOCK_C, "swapped")


@mistake("layer_norm_backward_kernel", "all programs write their sums into the first part: whose stay?")
@triton.jit
def shared_part(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    backward(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K, BLOCK_M, BLOCK_C, "race")


@mistake("layer_norm_backward_kernel", "all programs add to the first part: from anything, and in any order")
@triton.jit
def atomic(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    backward(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K, BLOCK_M, BLOCK_C, "atomic")


@mistake("layer_norm_backward_kernel", "the place of a part is computed in 32 bits, and overflows for long rows")
@triton.jit
def part_32_bits(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    backward(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K, BLOCK_M, BLOCK_C, "32 bits")


@mistake("layer_norm_long_backward_kernel", "the means are those of the first block; they are the row's (equation 8)")
@triton.jit
def means_of_the_first_block(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K: constexpr, BLOCK_C: constexpr):
    long_backward(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K, BLOCK_C, "first block")


@mistake("layer_norm_long_backward_kernel", "with its first row a program reads its part, which is anything then")
@triton.jit
def part_read_unwritten(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K: constexpr, BLOCK_C: constexpr):
    long_backward(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K, BLOCK_C, "begin")


@mistake("layer_norm_long_backward_kernel", "the place of a long row is computed in 32 bits, and overflows")
@triton.jit
def long_row_in_32_bits(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K: constexpr, BLOCK_C: constexpr):
    long_backward(dy, x, w, mean, rstd, dx, parts, M, C, TILES, K, BLOCK_C, "32 bits")


@mistake("row_sums_kernel", "only the first BLOCK_P parts are added")
@triton.jit
def only_the_first_parts(parts, dw, db, P, C, BLOCK_P: constexpr, BLOCK_C: constexpr):
    sums(parts, dw, db, P, C, BLOCK_P, BLOCK_C, "first block")


@mistake("row_sums_kernel", "parts behind the last one have no `other`, and are added too")
@triton.jit
def parts_without_other(parts, dw, db, P, C, BLOCK_P: constexpr, BLOCK_C: constexpr):
    sums(parts, dw, db, P, C, BLOCK_P, BLOCK_C, "poison")


@mistake("row_sums_kernel", "the place of a part is computed in 32 bits in the second stage")
@triton.jit
def parts_in_32_bits(parts, dw, db, P, C, BLOCK_P: constexpr, BLOCK_C: constexpr):
    sums(parts, dw, db, P, C, BLOCK_P, BLOCK_C, "32 bits")
