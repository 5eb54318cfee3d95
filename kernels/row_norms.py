"""What layer_norm and rms_norm share: tile sizes, and a sum over all rows whose order is always the same.

The gradient of a weight is a sum over all rows. If programs added to it atomically, its last digits would depend on
which of them came first. Here it has two stages: each of P programs keeps the sum over its own rows and writes it into
its own row of `parts`; then row_sums_kernel adds these P rows, in an order that depends on P alone.

Plan: a program takes BLOCK_C features, and adds BLOCK_P rows of parts at a time.
Grid: (ceil(C / BLOCK_C), 2): weights, biases; (ceil(C / BLOCK_C), 1) where there is no bias.
On chip: BLOCK_P sums for each feature, one of every BLOCK_P-th part, which are added up at the end.
Bytes moved: P C partial sums for the weight and as many for the bias, of 4 bytes (8 for float64) each.
"""
# isort: off
import torch

from kernels import _backend  # before triton is imported
import triton
import triton.language as tl
# isort: on

TILE = 4096             # elements of a tile of short rows: 16 for each thread of 8 warps
LONGEST = 65536         # features of a row, which the forward holds in one tile; the longest leave the registers
KEPT = 8192             # features of a row: in longer ones the registers have no room for the sums of the backward
SUMS = {"BLOCK_P": 32, "BLOCK_C": 64}   # the tile of row_sums_kernel: 128 threads, 16 partial sums each
A100 = 108              # multiprocessors, for the byte counts of shipped()


@triton.jit
def row_sums_kernel(
    parts_ptr,          # (P, K, C) sums of each program over its rows; K = 2 with a bias, else 1
    dweight_ptr,        # (C,) from parts[:, 0]; this program owns BLOCK_C of them
    dbias_ptr,          # (C,) from parts[:, 1], or None
    P, C,
    BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr,
):
    """dw_c = sum_p parts_pc, and db_c likewise: the second stage of the sums over all rows."""
    kind = tl.program_id(1)                                           # 0 weight, 1 bias
    column = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    total = tl.zeros((BLOCK_P, BLOCK_C), parts_ptr.dtype.element_ty)
    for first in range(0, P, BLOCK_P):
        part = first + tl.arange(0, BLOCK_P)
        start = (part.to(tl.int64) * tl.num_programs(1) + kind) * C
        inside = (part[:, None] < P) & (column[None, :] < C)
        total += tl.load(parts_ptr + start[:, None] + column[None, :], mask=inside, other=0.0)
    sums = tl.sum(total, axis=0)                                      # (BLOCK_C,)
    if kind == 0:
        tl.store(dweight_ptr + column, sums.to(dweight_ptr.dtype.element_ty), mask=column < C)
    elif dbias_ptr is not None:
        tl.store(dbias_ptr + column, sums.to(dbias_ptr.dtype.element_ty), mask=column < C)


def configuration(M, C, *, backward=False):
    """(constants, warps, programs a multiprocessor) for M rows of C features.

    Every thread holds 16 features of a tile, more only of the longest rows. Two programs of TILE features fit on a
    multiprocessor at once. A backward of rows beyond KEPT goes over each row in blocks.
    """
    block = triton.next_power_of_2(C)
    if backward and block > KEPT:
        return {"BLOCK_C": KEPT}, max(1, KEPT // 512), 1
    rows = max(1, min(TILE // block, triton.next_power_of_2(M)))
    return {"BLOCK_M": rows, "BLOCK_C": block}, max(1, min(32, rows * block // 512)), 2 if block <= TILE else 1


def share(M, rows, programs, device):
    """(P, TILES): P programs that walk over TILES tiles of `rows` rows each, so that all of M rows have their turn.

    programs: for each multiprocessor, as many as run at once; more would only write more parts. A CPU counts as four.
    So another GPU may add in another order: the same bits come again on the same kind of GPU.
    """
    cuda = device.type == "cuda"
    programs *= torch.cuda.get_device_properties(device).multi_processor_count if cuda else 4
    tiles = triton.cdiv(M, rows)
    span = triton.cdiv(tiles, programs)
    return triton.cdiv(tiles, span), span


def add_up(parts, dweight, dbias=None):
    """Fill dweight and dbias, both (C,), with the sums of parts, (P, K, C), over P."""
    P, K, C = parts.shape
    grid = triton.cdiv(C, SUMS["BLOCK_C"]), K
    row_sums_kernel[grid](parts, dweight, dbias, P, C, **SUMS, num_warps=4, num_stages=1)


def check(x, **parameters):
    """Raise ValueError for what the kernels cannot take: rows too long, whole numbers, a parameter of another shape."""
    C = x.shape[-1]
    if C > LONGEST:
        raise ValueError(f"x has {C} features a row, and these kernels hold a row of at most {LONGEST} on chip; use "
                         "another implementation, such as fused")
    if not x.is_floating_point():
        raise ValueError(f"x has dtype {x.dtype}; give it a floating dtype, such as x.float()")
    for name, value in parameters.items():
        if value is not None and value.shape != (C,):
            raise ValueError(f"{name} has shape {tuple(value.shape)}; x has {C} features a row, so give it ({C},)")


def work_of_forward(M, C, size, *, parameters, statistics):
    """x in, y and the statistics out; each program reads the parameters.

    Bytes: size of an element of x, parameters of the weight and bias of a feature, statistics of a row.
    """
    programs = triton.cdiv(M, configuration(M, C)[0]["BLOCK_M"])
    return _backend.Work(f"{M} rows of {C}", M * C * size + programs * C * parameters, M * C * size + M * statistics,
                         0, 0)


def work_of_backward(M, C, size, P, *, weight, sums, statistics):
    """dy, x and the statistics in, dx and the parts of P programs out; each program reads the weight.

    Long rows: dy, x and the weight are read twice for each row, and a part is read and written with each row, but not
    read with the first. Bytes: as above; weight of a feature, sums of a feature in parts.
    """
    if "BLOCK_M" in configuration(M, C, backward=True)[0]:
        loads, stores = 2 * M * C * size + P * C * weight, P * C * sums
    else:
        loads, stores = M * C * (4 * size + 2 * weight) + (M - P) * C * sums, M * C * sums
    return _backend.Work(f"{M} rows of {C}", loads + M * statistics, M * C * size + stores, 0, 0)


def work_of_sums(P, K, C, size):
    """The parts in, in float32, and K sums of `size` bytes for each feature out."""
    return _backend.Work(f"{P} parts of {K} x {C}", 4 * P * K * C, K * C * size, 0, 0)


def form(kernel, name, types, constants, warps, blocks, work):
    """A Shipped entry; types, {argument: "*fp16"}, may name arguments that this kernel does not have."""
    types = {argument: kind for argument, kind in types.items() if argument in kernel.arg_names}
    types = {argument: kind for argument, kind in types.items() if argument not in constants}
    return _backend.Shipped(kernel, name, types, constants, warps, 1, ("C",), {
        "matrix": False, "copies": False, "vectors": True, "blocks": {80: blocks, 90: blocks}}, work)


def shipped():
    """The compiled forms that launches use, for `python -m kernels.report`."""
    found = []
    for dtype, size in (("fp16", 2), ("fp32", 4)):
        types = {"parts_ptr": "*fp32", "dweight_ptr": f"*{dtype}", "dbias_ptr": f"*{dtype}"}
        for K in (1, 2):
            constants = SUMS if K == 2 else SUMS | {"dbias_ptr": None}
            found.append(form(row_sums_kernel, f"{dtype}, C=768, {'weight' if K == 1 else 'weight and bias'}", types,
                              constants, 4, 8, work_of_sums(2 * A100, K, 768, size)))
    return found
