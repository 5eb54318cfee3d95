"""Typical wrong kernels of rms_norm: `forward`, `backward` and `long_backward` are ours but for a FAULT."""
# isort: off
from mistakes import mistake

import kernels._backend  # noqa: F401  before triton is imported
import triton
import triton.language as tl
from triton.language import constexpr
# isort: on


@triton.jit
def forward(x_ptr, weight_ptr, y_ptr, rstd_ptr, M, C, EPS, BLOCK_M, BLOCK_C, FAULT: constexpr):
    ACC: constexpr = x_ptr.dtype.element_ty if FAULT == "low" else rstd_ptr.dtype.element_ty
    row = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    if FAULT != "32 bits":
        row = row.to(tl.int64)
    column = tl.arange(0, BLOCK_C)
    place = row[:, None] * (BLOCK_C if FAULT == "length" else C) + column[None, :]
    inside = (row[:, None] < M) & (column[None, :] < C)
    if FAULT == "poison":
        x = tl.load(x_ptr + place, mask=inside).to(ACC)
    else:
        x = tl.load(x_ptr + place, mask=inside, other=0.0).to(ACC)
    square = tl.sum((x * x).to(rstd_ptr.dtype.element_ty), axis=1) / (BLOCK_C if FAULT == "count" else C)
    rstd = tl.rsqrt(square + EPS)
    y = x * rstd[:, None]
    if FAULT == "in place":
        tl.store(x_ptr + place, y.to(x_ptr.dtype.element_ty), mask=inside)
    if weight_ptr is not None:
        y *= tl.load(weight_ptr + column, mask=column < C, other=0.0).to(ACC)[None, :]
    elif FAULT == "weight":
        y *= tl.load(x_ptr + column, mask=column < C, other=0.0).to(ACC)[None, :]
    tl.store(y_ptr + place, y.to(y_ptr.dtype.element_ty), mask=(row[:, None] < M) if FAULT == "no mask" else inside)
    tl.store(rstd_ptr + row, rstd, mask=row < M)


@triton.jit
def backward(dy_ptr, x_ptr, weight_ptr, rstd_ptr, dx_ptr, parts_ptr, M, C, TILES, BLOCK_M, BLOCK_C, FAULT: constexpr):
    ACC: constexpr = rstd_ptr.dtype.element_ty
    program = tl.program_id(0) if FAULT == "32 bits" or FAULT == "part" else tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK_C)
    weight = tl.full((1, BLOCK_C), 1.0, ACC)
    if weight_ptr is not None:
        weight = tl.load(weight_ptr + column, mask=column < C, other=0.0).to(ACC)[None, :]
    dweight = tl.zeros((BLOCK_M, BLOCK_C), ACC)
    for tile in range(1 if FAULT == "one tile" else TILES):
        row = (program * TILES + tile) * BLOCK_M + tl.arange(0, BLOCK_M)
        if FAULT == "part":
            row = row.to(tl.int64)
        place = row[:, None] * C + column[None, :]
        inside = (row[:, None] < M) & (column[None, :] < C)
        if FAULT == "poison":
            rstd = tl.load(rstd_ptr + row, mask=row < M)[:, None]
        else:
            rstd = tl.load(rstd_ptr + row, mask=row < M, other=0.0)[:, None]
        dy = tl.load(dy_ptr + place, mask=inside, other=0.0).to(ACC)
        normal = tl.load(x_ptr + place, mask=inside, other=0.0).to(ACC) * rstd
        dnormal = dy * weight
        mean_dn_n = tl.sum(dnormal * normal, axis=1)[:, None] / (BLOCK_C if FAULT == "count" else C)
        dx = (rstd * (dnormal - normal * mean_dn_n)).to(dx_ptr.dtype.element_ty)
        tl.store(dx_ptr + place, dx, mask=inside)
        if FAULT == "in place":
            tl.store(dy_ptr + place, dx, mask=inside)
        dweight = dy * normal + (0.0 if FAULT == "last tile" else dweight)
    if parts_ptr is not None:
        part = parts_ptr + column + (0 if FAULT == "race" else program * C)
        tl.store(part, tl.sum(dweight, axis=0), mask=column < C)


@triton.jit
def long_backward(dy_ptr, x_ptr, weight_ptr, rstd_ptr, dx_ptr, parts_ptr, M, C, TILES, BLOCK_C, FAULT: constexpr):
    ACC: constexpr = rstd_ptr.dtype.element_ty
    program = tl.program_id(0) if FAULT == "32 bits" else tl.program_id(0).to(tl.int64)
    for tile in range(tl.minimum(TILES, M - program * TILES)):
        row = program * TILES + tile
        rstd = tl.load(rstd_ptr + row)
        total = tl.zeros((BLOCK_C,), ACC)
        for start in range(0, BLOCK_C if FAULT == "first block" else C, BLOCK_C):
            column = start + tl.arange(0, BLOCK_C)
            dnormal = tl.load(dy_ptr + row * C + column, mask=column < C, other=0.0).to(ACC)
            if weight_ptr is not None:
                dnormal *= tl.load(weight_ptr + column, mask=column < C, other=0.0).to(ACC)
            total += dnormal * tl.load(x_ptr + row * C + column, mask=column < C, other=0.0).to(ACC) * rstd
        for start in range(0, C, BLOCK_C):
            column = start + tl.arange(0, BLOCK_C)
            dy = tl.load(dy_ptr + row * C + column, mask=column < C, other=0.0).to(ACC)
            normal = tl.load(x_ptr + row * C + column, mask=column < C, other=0.0).to(ACC) * rstd
            dnormal = dy
            if weight_ptr is not None:
                dnormal = dy * tl.load(weight_ptr + column, mask=column < C, other=0.0).to(ACC)
            dx = rstd * (dnormal - normal * tl.sum(total, axis=0) / C)
            tl.store(dx_ptr + row * C + column, dx.to(dx_ptr.dtype.element_ty), mask=column < C)
            if parts_ptr is not None:
                part = parts_ptr + program * C + column
                later = (column < C) & (tile >= (0 if FAULT == "begin" else 1))
                before = tl.load(part, mask=later, other=0.0)
                tl.store(part, dy * normal + (0.0 if FAULT == "last row" else before), mask=column < C)


@mistake("rms_norm_forward_kernel", "the sum is divided by BLOCK_C; the row has C features (equation 1)")
@triton.jit
def divided_by_the_block(x, w, y, rstd, M, C, EPS: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    forward(x, w, y, rstd, M, C, EPS, BLOCK_M, BLOCK_C, "count")


@mistake("rms_norm_forward_kernel", "the row length is taken to be BLOCK_C, which is C padded to a power of two")
@triton.jit
def length_of_the_block(x, w, y, rstd, M, C, EPS: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    forward(x, w, y, rstd, M, C, EPS, BLOCK_M, BLOCK_C, "length")


@mistake("rms_norm_forward_kernel", "x is loaded with a mask and no `other`: the padding is anything, and summed")
@triton.jit
def load_without_other(x, w, y, rstd, M, C, EPS: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    forward(x, w, y, rstd, M, C, EPS, BLOCK_M, BLOCK_C, "poison")


@mistake("rms_norm_forward_kernel", "the padding of a row is stored too, over the beginning of the next row")
@triton.jit
def store_without_mask(x, w, y, rstd, M, C, EPS: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    forward(x, w, y, rstd, M, C, EPS, BLOCK_M, BLOCK_C, "no mask")


@mistake("rms_norm_forward_kernel", "x is squared in its own dtype: in float16 the square of 300 overflows")
@triton.jit
def squares_in_low_precision(x, w, y, rstd, M, C, EPS: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    forward(x, w, y, rstd, M, C, EPS, BLOCK_M, BLOCK_C, "low")


@mistake("rms_norm_forward_kernel", "the place of a row is computed in 32 bits, and overflows in large arrays")
@triton.jit
def row_in_32_bits(x, w, y, rstd, M, C, EPS: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    forward(x, w, y, rstd, M, C, EPS, BLOCK_M, BLOCK_C, "32 bits")


@mistake("rms_norm_forward_kernel", "the weight is read from x where there is none: then y is n (equation 4)")
@triton.jit
def weight_needed(x, w, y, rstd, M, C, EPS: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    forward(x, w, y, rstd, M, C, EPS, BLOCK_M, BLOCK_C, "weight")


@mistake("rms_norm_forward_kernel", "n is written over x, which the backward and others still need")
@triton.jit
def writes_into_x(x, w, y, rstd, M, C, EPS: constexpr, BLOCK_M: constexpr, BLOCK_C: constexpr):
    forward(x, w, y, rstd, M, C, EPS, BLOCK_M, BLOCK_C, "in place")


@mistake("rms_norm_backward_kernel", "dx is written over dy too, which others still need")
@triton.jit
def over_dy(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_M: constexpr, BLOCK_C: constexpr):
    backward(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_M, BLOCK_C, "in place")


@mistake("rms_norm_backward_kernel", "rstd behind the last row has no `other`: it reaches dweight as NaN")
@triton.jit
def rstd_without_other(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_M: constexpr, BLOCK_C: constexpr):
    backward(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_M, BLOCK_C, "poison")


@mistake("rms_norm_backward_kernel", "the mean of dn n is divided by BLOCK_C; the row has C features (equation 7)")
@triton.jit
def means_divided_by_the_block(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_M: constexpr, BLOCK_C: constexpr):
    backward(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_M, BLOCK_C, "count")


@mistake("rms_norm_backward_kernel", "a program does the first of its tiles only: the others' rows are left out")
@triton.jit
def only_the_first_tile(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_M: constexpr, BLOCK_C: constexpr):
    backward(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_M, BLOCK_C, "one tile")


@mistake("rms_norm_backward_kernel", "dweight begins anew with each tile; it is a sum over all rows (equation 5)")
@triton.jit
def only_the_last_tile(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_M: constexpr, BLOCK_C: constexpr):
    backward(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_M, BLOCK_C, "last tile")


@mistake("rms_norm_backward_kernel", "all programs write their sums into the first part: whose stay?")
@triton.jit
def shared_part(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_M: constexpr, BLOCK_C: constexpr):
    backward(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_M, BLOCK_C, "race")


@mistake("rms_norm_backward_kernel", "the place of a row is computed in 32 bits, and overflows for long rows")
@triton.jit
def backward_row_in_32_bits(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_M: constexpr, BLOCK_C: constexpr):
    backward(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_M, BLOCK_C, "32 bits")


@mistake("rms_norm_backward_kernel", "the place of a part is computed in 32 bits, and overflows for long rows")
@triton.jit
def part_in_32_bits(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_M: constexpr, BLOCK_C: constexpr):
    backward(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_M, BLOCK_C, "part")


@mistake("rms_norm_long_backward_kernel", "the mean is that of the first block; it is the row's (equation 7)")
@triton.jit
def mean_of_the_first_block(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_C: constexpr):
    long_backward(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_C, "first block")


@mistake("rms_norm_long_backward_kernel", "with its first row a program reads its part, which is anything then")
@triton.jit
def part_read_unwritten(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_C: constexpr):
    long_backward(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_C, "begin")


@mistake("rms_norm_long_backward_kernel", "each row replaces what the part holds; it is added (equation 5)")
@triton.jit
def last_row_only(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_C: constexpr):
    long_backward(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_C, "last row")


@mistake("rms_norm_long_backward_kernel", "the place of a long row is computed in 32 bits, and overflows")
@triton.jit
def long_row_in_32_bits(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_C: constexpr):
    long_backward(dy, x, w, rstd, dx, parts, M, C, TILES, BLOCK_C, "32 bits")
