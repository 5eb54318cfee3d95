"""Matrix product: each program makes one tile of the result and adds up on chip what belongs to it.

Plan: a program walks along K; each step multiplies BLOCK_M x BLOCK_K of a by BLOCK_K x BLOCK_N of b on the matrix
units and adds to a tile of float32 that stays on chip.
Grid: (ceil(M / BLOCK_M) ceil(N / BLOCK_N),), in groups: consecutive programs take GROUP tiles one below the other, then
go on to the next column of tiles. P programs that run at once, placed in a square, need sqrt(P) strips of a and as many
of b; placed in a row, 1 and P. What several of them need comes from memory once and then from the L2 cache.
On chip: the tile of the result, and a tile of a and of b for each stage: the next ones load while these are multiplied.
Bytes that programs ask for: a once for each column of tiles, b once for each row of tiles, c once.
"""
# isort: off
import torch

from kernels import _backend  # before triton is imported
import triton
import triton.language as tl
# isort: on

GROUP = 8               # tiles one below the other: about the root of what runs at once
PROGRAMS = 100          # fewer tiles than this leave multiprocessors of a large GPU without work


@triton.jit
def matmul_kernel(
    a_ptr,              # (M, K), any strides
    b_ptr,              # (K, N), any strides
    bias_ptr,           # (N,), added to each row of c; not read unless BIAS
    c_ptr,              # (M, N), row stride stride_cm; this program owns one tile of it
    M, N, K,
    stride_am, stride_ak, stride_bk, stride_bn, stride_cm,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP: tl.constexpr,
    BIAS: tl.constexpr, ACCUMULATE: tl.constexpr, PRECISION: tl.constexpr,
):
    """(1) c_mn = sum_k a_mk b_kn   (2) + bias_n   (3) + c_mn, what was there before, with ACCUMULATE."""
    ACC: tl.constexpr = tl.float64 if a_ptr.dtype.element_ty == tl.float64 else tl.float32
    pid = tl.program_id(0)
    in_group = GROUP * tl.cdiv(N, BLOCK_N)
    first = pid // in_group * GROUP
    height = min(tl.cdiv(M, BLOCK_M) - first, GROUP)                  # of the last group it may be less
    m = (first + pid % in_group % height) * BLOCK_M + tl.arange(0, BLOCK_M)
    n = pid % in_group // height * BLOCK_N + tl.arange(0, BLOCK_N)

    a_row = a_ptr + m.to(tl.int64)[:, None] * stride_am
    b_column = b_ptr + n.to(tl.int64)[None, :] * stride_bn
    c = c_ptr + m.to(tl.int64)[:, None] * stride_cm + n[None, :]
    inside = (m < M)[:, None] & (n < N)[None, :]
    if ACCUMULATE:
        acc = tl.load(c, mask=inside, other=0.0).to(ACC)              # (BLOCK_M, BLOCK_N)  (3)
    else:
        acc = tl.zeros((BLOCK_M, BLOCK_N), ACC)
    for start in range(0, K, BLOCK_K):
        k = start + tl.arange(0, BLOCK_K)
        a = tl.load(a_row + k.to(tl.int64)[None, :] * stride_ak, mask=(m < M)[:, None] & (k < K)[None, :], other=0.0)
        b = tl.load(b_column + k.to(tl.int64)[:, None] * stride_bk, mask=(k < K)[:, None] & (n < N)[None, :], other=0.0)
        acc = tl.dot(a, b, acc, input_precision=PRECISION, out_dtype=ACC)                         # (1)
    if BIAS:
        acc += tl.load(bias_ptr + n, mask=n < N, other=0.0).to(ACC)[None, :]                      # (2)
    tl.store(c, acc.to(c_ptr.dtype.element_ty), mask=inside)


def configuration(M, N, K, dtype, *, precision="ieee", aligned=True):
    """The constants of a launch, then its warps and stages.

    precision: of float32 products, "ieee" (no matrix units) or "tf32". aligned: whether 128 bits can be loaded at once.
    """
    exact = dtype in (torch.float32, torch.float64) and precision == "ieee"
    line = 128 // dtype.itemsize                       # along K: 128 bytes, the width of a cache line
    if dtype == torch.float64:
        size, step, warps, stages = 32, 16, 4, 2
    elif exact:
        size, step, warps, stages = 64, 16, 4, 3
    elif not aligned:
        size, step, warps, stages = 64, 32, 4, 3
    elif triton.cdiv(M, 128) * triton.cdiv(N, 128) < PROGRAMS:
        size, step, warps, stages = 64, line, 4, 4
    else:
        size, step, warps, stages = 128, line, 8, 3
    block_m, block_n, block_k = (max(16, min(limit, triton.next_power_of_2(n)))
                                 for n, limit in ((M, size), (N, size), (K, step)))
    return {"BLOCK_M": block_m, "BLOCK_N": block_n, "BLOCK_K": block_k, "GROUP": GROUP}, warps, stages


def multiply(a, b, c, bias=None, *, accumulate=False):
    """Store a b + bias in c (M, N), or add it to c; c's rows lie whole in memory, a and b have any strides."""
    if not a.dtype == b.dtype == (a if bias is None else bias).dtype:
        raise ValueError(f"a matrix product of {a.dtype} and {b.dtype}" + (f" plus {bias.dtype}" if bias is not None
                         else "") + ": they must be of one dtype")
    (M, K), N = a.shape, b.shape[1]
    exact = a.dtype != torch.float32 or torch.get_float32_matmul_precision() == "highest"
    precision = "ieee" if exact else "tf32"
    constants, warps, stages = configuration(M, N, K, a.dtype, precision=precision,
                                             aligned=all(map(_in_vectors, (a, b, c))))
    grid = (triton.cdiv(M, constants["BLOCK_M"]) * triton.cdiv(N, constants["BLOCK_N"]),)
    if M and N:
        row = a if bias is None else bias.contiguous()
        matmul_kernel[grid](a, b, row, c, M, N, K, *a.stride(), *b.stride(), c.stride(0), BIAS=bias is not None,
                            ACCUMULATE=accumulate, PRECISION=precision, **constants, num_warps=warps, num_stages=stages)


def _in_vectors(x):
    """Whether each row, or each column, lies whole in memory and begins at a multiple of 16 elements."""
    return any(x.stride(i) == 1 and x.shape[i] % 16 == 0 and x.stride(1 - i) % 16 == 0 for i in (0, 1))


@torch.library.custom_op("minigpt::matmul", mutates_args=())
def _matmul(a: torch.Tensor, b: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    c = a.new_empty(a.shape[0], b.shape[1])
    multiply(a, b, c, bias)
    return c


_matmul.register_fake(lambda a, b, bias: a.new_empty(a.shape[0], b.shape[1]))


def _gradients(ctx, dc):
    a, b = ctx.saved_tensors
    return (_matmul(dc, b.T, None) if ctx.needs_input_grad[0] else None,
            _matmul(a.T, dc, None) if ctx.needs_input_grad[1] else None,
            dc.sum(dim=0) if ctx.needs_input_grad[2] else None)


_matmul.register_autograd(_gradients, setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs[:2]))


def matmul(a, b, bias=None):
    """Multiply two matrices and add a row: c = a b + bias.

    a: (M, K); b: (K, N), any strides; bias: (N,), or None; all of one floating dtype. Sums are float32 (float64 for
    float64). float32 is multiplied as torch.get_float32_matmul_precision() says: "highest" exactly, else in tf32.
    Returns c: (M, N), in their dtype. Raises ValueError for several dtypes.
    """
    return _matmul(a, b, bias)


def work_of_matmul(M, N, K, itemsize, constants, *, bias=False, accumulate=False, out=None):
    """What matmul_kernel moves and multiplies. out: itemsize of c, if it is another."""
    rows, columns, steps = (triton.cdiv(n, constants[block]) for n, block in
                            ((M, "BLOCK_M"), (N, "BLOCK_N"), (K, "BLOCK_K")))
    stores = M * N * (out or itemsize)
    loads = (columns * M * K + rows * K * N + (rows * N if bias else 0)) * itemsize + (stores if accumulate else 0)
    issued = 2 * rows * columns * steps * constants["BLOCK_M"] * constants["BLOCK_N"] * constants["BLOCK_K"]
    return _backend.Work(f"({M}, {K}) x ({K}, {N})", loads, stores, 2 * M * N * K, issued)


PRODUCTS = (  # what linear and linear_cross_entropy launch: name, (M, N, K), whether a and b are transposed, options
    ("x W^T + b", (8192, 3072, 768), (False, True), {"BIAS": True}),
    ("x W^T", (8192, 3072, 768), (False, True), {}),
    ("dy W", (8192, 768, 3072), (False, False), {}),
    ("dy^T x", (3072, 768, 8192), (True, False), {}),
    ("few rows: x W^T", (16, 3072, 768), (False, True), {}),
    ("logits, V 50304: x W^T", (768, 50304, 768), (False, True), {}),
    ("logits, V 50304: dz W", (768, 768, 50304), (False, False), {}),
    ("logits, V 50304: dW + dz^T x", (50304, 768, 768), (True, False), {"ACCUMULATE": True}),
    ("logits, V 50257: x W^T", (768, 50257, 768), (False, True), {}),
    ("logits, V 50257: dz W", (768, 768, 50257), (False, False), {}),
    ("logits, V 50257: dW + dz^T x", (50257, 768, 768), (True, False), {"ACCUMULATE": True}),
)


KINDS = (  # name, dtype, precision, and of which products the compiled form is shipped
    ("fp16", torch.float16, "ieee", PRODUCTS), ("bf16", torch.bfloat16, "ieee", PRODUCTS[:4]),
    ("fp32", torch.float32, "ieee", PRODUCTS), ("fp32", torch.float32, "tf32", PRODUCTS[:4]),
)


def shipped():
    """The compiled forms of these products: all of them in fp16 and in exact fp32, those of linear in bf16 and tf32."""
    return [_shipped(*kind, *product) for *kind, products in KINDS for product in products]


def _shipped(name, dtype, precision, what, sizes, transposed, options):
    M, N, K = sizes
    flags = {"BIAS": False, "ACCUMULATE": False, "PRECISION": precision} | options
    with torch.device("meta"):                         # strides without memory
        a, b = (torch.empty(shape[::-1]).T if turned else torch.empty(shape)
                for shape, turned in zip(((M, K), (K, N)), transposed, strict=True))
        c = torch.empty(M, N)
    aligned = all(map(_in_vectors, (a, b, c)))
    constants, warps, stages = configuration(M, N, K, dtype, precision=precision, aligned=aligned)
    numbers = dict(zip(("stride_am", "stride_ak", "stride_bk", "stride_bn", "stride_cm"),
                       (*a.stride(), *b.stride(), c.stride(0)), strict=True)) | {"M": M, "N": N, "K": K}
    ones = {argument: 1 for argument, number in numbers.items() if number == 1}                 # as the launch does
    types = dict.fromkeys(("a_ptr", "b_ptr", "bias_ptr"), f"*{name}")
    types["c_ptr"] = "*fp32" if flags["ACCUMULATE"] else f"*{name}"
    by_matrix_units, of_half = dtype != torch.float32 or precision == "tf32", dtype != torch.float32
    # sm_90 multiplies in tf32 what lies along K only: of dy^T x it moves 32 bits at a time
    vectors = aligned and (of_half or not (by_matrix_units and transposed[0]))
    promise = {"matrix": by_matrix_units, "copies": aligned, "vectors": vectors, "blocks": {80: 1, 90: 1}}
    return _backend.Shipped(
        matmul_kernel, f"{name if of_half else precision}, {what}", types, constants | flags | ones, warps, stages,
        tuple(argument for argument, number in numbers.items() if number % 16 == 0), promise,
        work_of_matmul(M, N, K, dtype.itemsize, constants, bias=flags["BIAS"], accumulate=flags["ACCUMULATE"],
                       out=4 if flags["ACCUMULATE"] else None))
