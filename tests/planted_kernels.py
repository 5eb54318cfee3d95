"""Kernels that break what they promise, for the report to see."""
# isort: off
import kernels._backend  # before triton is imported
import triton
import triton.language as tl
# isort: on

NOTHING = kernels._backend.Work("a planted kernel", 0, 0, 0, 0)
PROMISE = {"matrix": False, "copies": False, "vectors": False, "blocks": {}}


@triton.jit
def product_kernel(a_ptr, b_ptr, c_ptr, K, ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr):
    row, column, depth = tl.arange(0, ROWS), tl.arange(0, COLUMNS), tl.arange(0, DEPTH)
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    for start in range(0, K, DEPTH):
        a = tl.load(a_ptr + row[:, None] * K + start + depth[None, :])
        b = tl.load(b_ptr + (start + depth[:, None]) * COLUMNS + column[None, :])
        total = tl.dot(a, b, total)
    tl.store(c_ptr + row[:, None] * COLUMNS + column[None, :], total)


@triton.jit
def copy_kernel(x_ptr, y_ptr, N, BLOCK: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y_ptr + place, tl.load(x_ptr + place, mask=place < N, other=0.0), mask=place < N)


def product(name, rows, columns, warps, stages, **promise):
    types = {"a_ptr": "*fp16", "b_ptr": "*fp16", "c_ptr": "*fp32"}
    constants = {"ROWS": rows, "COLUMNS": columns, "DEPTH": 64}
    return kernels._backend.Shipped(product_kernel, name, types, constants, warps, stages, ("K",),
                                    PROMISE | {"matrix": True} | promise, NOTHING)


def copy(name, aligned, **promise):
    return kernels._backend.Shipped(copy_kernel, name, {"x_ptr": "*fp32", "y_ptr": "*fp32"}, {"BLOCK": 1024}, 4, 1,
                                    aligned, PROMISE | promise, NOTHING)


def shipped():
    return [
        product("good", 64, 64, 4, 3, copies=True, vectors=True),
        product("accumulators that do not fit", 128, 256, 4, 1),
        product("stages that do not fit", 128, 256, 8, 6),
        copy("good", ("N",), vectors=True),
        copy("ragged rows", (), vectors=True),
        copy("no matrix products", ("N",), matrix=True),
        copy("no copies", ("N",), copies=True),
        copy("too many blocks", ("N",), blocks={80: 33}),
        copy("a typing error", ("M",)),
    ]
