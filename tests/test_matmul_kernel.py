"""The matrix product, by itself: what linear, and with it most of a model, is launched as."""
import itertools

import pytest
import torch
from low_precision import LOW, assert_as_exact_as_pytorch

from minigpt.grading.kernel_op import device

pytest.importorskip("triton", reason="Triton has no build for this system")
from kernels import matmul as kernels
from kernels.sanitize import sanitized

SIZES = [1, 15, 16, 17, 63, 65, 127, 129]
OPTIONS = ("BIAS", "ACCUMULATE", "PRECISION")


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(device(), dtype)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", ["M", "N", "K"])
def test_sizes_off_the_tiles_are_whole(place, size):
    M, N, K = ({"M": 20, "N": 18, "K": 33} | {place: size}).values()
    a, b, bias = normal(M, K), normal(K, N, seed=1), normal(N, seed=2)
    torch.testing.assert_close(kernels.matmul(a, b, bias), a @ b + bias)


@pytest.mark.parametrize("tiles", [7, 8, 9, 19])
def test_groups_of_tiles_are_whole_and_the_last_one_may_be_lower(tiles):
    a, b = normal(64 * tiles - 1, 5, dtype=torch.float32), normal(5, 65, seed=1, dtype=torch.float32)
    with sanitized() as meter:                         # no two programs write to one address
        c = kernels.matmul(a, b)
    assert meter.launches[0].grid == (2 * tiles,)
    torch.testing.assert_close(c, a @ b)


def test_programs_go_down_a_group_of_tiles_and_then_along_it():
    a, b, order = normal(3 * 16, 16), normal(16, 2 * 16, seed=1), []
    sizes = {"BLOCK_M": 16, "BLOCK_N": 16, "BLOCK_K": 16, "GROUP": 2}
    for programs in range(1, 7):                       # of the tiles that are there, one was not there before
        c = torch.full((3 * 16, 2 * 16), float("nan"), dtype=torch.float64, device=a.device)
        kernels.matmul_kernel[(programs,)](a, b, a, c, 48, 32, 16, *a.stride(), *b.stride(), 32, **sizes, BIAS=False,
                                           ACCUMULATE=False, PRECISION="ieee")
        order += [tile for tile in itertools.product(range(3), range(2))
                  if not c[16 * tile[0], 16 * tile[1]].isnan() and tile not in order]
    assert order == [(0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (2, 1)]


@pytest.mark.parametrize("make", [lambda x: x, lambda x: x.T.contiguous().T, lambda x: x.repeat(2, 3)[::2, ::3],
                                  lambda x: x[:1].expand_as(x), lambda x: x[:, :1].expand_as(x)])
def test_any_strides_will_do(make):
    a, b = make(normal(20, 17)), make(normal(17, 19, seed=1))
    torch.testing.assert_close(kernels.matmul(a, b), a @ b)


def test_without_anything_to_add_up_it_is_the_bias():
    bias = normal(5)
    assert torch.equal(kernels.matmul(normal(3, 0), normal(0, 5), bias), bias.expand(3, 5))


@pytest.mark.parametrize("shape", [(0, 4, 3), (3, 4, 0), (0, 0, 0)])
def test_without_rows_or_columns_nothing_is_launched(shape):
    M, K, N = shape
    with sanitized() as meter:
        assert kernels.matmul(normal(M, K), normal(K, N)).shape == (M, N)
    assert meter.launches == []


def test_it_adds_to_what_is_there():
    a, b, c = normal(20, 17), normal(17, 19, seed=1), normal(20, 19, seed=2)
    expected = c + a @ b
    kernels.multiply(a, b, c, accumulate=True)
    torch.testing.assert_close(c, expected)


def test_two_dtypes_are_refused():
    with pytest.raises(ValueError, match=r"torch.float64 and torch.float32"):
        kernels.matmul(normal(2, 3), normal(3, 4).float())


@pytest.mark.parametrize("dtype", LOW)
def test_low_precision_is_as_exact_as_pytorch(dtype):
    assert_as_exact_as_pytorch(kernels.matmul, lambda a, b: a @ b, (normal(20, 300), normal(300, 18, seed=1)),
                               normal(20, 18, seed=2), dtype)


def test_the_gradients_equal_finite_differences_in_float64():
    inputs = [normal(*shape, seed=seed).requires_grad_() for seed, shape in enumerate([(3, 4), (4, 5), (5,)])]
    assert torch.autograd.gradcheck(kernels.matmul, inputs, fast_mode=True)
    assert torch.autograd.gradcheck(kernels.matmul, inputs[:2], fast_mode=True)


@pytest.mark.parametrize("bias", [None, 4])
def test_pytorch_accepts_the_registration(bias):
    bias = bias and normal(bias).requires_grad_()
    inputs = normal(2, 3).requires_grad_(), normal(3, 4).requires_grad_(), bias
    torch.library.opcheck(torch.ops.minigpt.matmul.default, inputs)


def test_it_compiles_into_a_whole_graph():
    a, b = normal(5, 20).requires_grad_(), normal(20, 6, seed=1)
    compiled = torch.compile(lambda a: 2 * kernels.matmul(a, b), backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(a), 2 * a @ b)


def test_float32_is_multiplied_as_pytorch_is_told():
    given = torch.get_float32_matmul_precision()
    try:
        for setting, precision in (("highest", "ieee"), ("high", "tf32"), ("medium", "tf32")):
            torch.set_float32_matmul_precision(setting)
            with sanitized() as meter:
                kernels.matmul(normal(2, 3).float(), normal(3, 4).float())
            assert meter.launches[0].constants["PRECISION"] == precision
    finally:
        torch.set_float32_matmul_precision(given)


# What it moves and multiplies

@pytest.mark.parametrize(("M", "N", "K"), [(1, 1, 1), (70, 257, 130), (128, 64, 64)])
@pytest.mark.parametrize(("bias", "accumulate"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bytes_and_flops_are_those_of_the_closed_form(M, N, K, bias, accumulate, dtype):
    a, b = normal(M, K, dtype=dtype), normal(K, N, dtype=dtype)
    c = torch.zeros(M, N, dtype=torch.float32 if accumulate else dtype)
    with sanitized() as meter:
        kernels.multiply(a, b, c, normal(N, dtype=dtype) if bias else None, accumulate=accumulate)
    constants = {k: v for k, v in meter.launches[0].constants.items() if k not in OPTIONS}
    work = kernels.work_of_matmul(M, N, K, dtype.itemsize, constants, bias=bias, accumulate=accumulate,
                                  out=c.element_size())
    assert (meter.load_bytes, meter.store_bytes, meter.flops) == (work.loads, work.stores, work.issued)


def test_of_whole_tiles_no_flop_is_wasted_and_of_one_more_row_a_row_of_tiles():
    constants, _, _ = kernels.configuration(1280, 1280, 64, torch.float16)
    size = constants["BLOCK_M"]
    whole, more = (kernels.work_of_matmul(M, 1280, 64, 2, constants) for M in (1280, 1281))
    assert whole.issued == whole.useful
    assert more.issued - more.useful == 2 * (size - 1) * 1280 * 64


@pytest.mark.parametrize("product", kernels.PRODUCTS, ids=lambda product: product[0])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_every_form_that_is_launched_is_shipped(product, dtype, monkeypatch):
    """The launch is noted instead of done: of tensors that have strides and no memory."""
    noted = {}

    class Kernel:
        def __getitem__(self, grid):
            return lambda *args, **options: noted.update(options)

    form = kernels._shipped("any", dtype, "ieee", *product)
    monkeypatch.setattr(kernels, "matmul_kernel", Kernel())
    _, (M, N, K), (a_turned, b_turned), options = product
    with torch.device("meta"):
        a = torch.empty(K, M, dtype=dtype).T if a_turned else torch.empty(M, K, dtype=dtype)
        b = torch.empty(N, K, dtype=dtype).T if b_turned else torch.empty(K, N, dtype=dtype)
        c, bias = torch.empty(M, N), torch.empty(N, dtype=dtype) if options.get("BIAS") else None
    kernels.multiply(a, b, c, bias, accumulate=options.get("ACCUMULATE", False))
    assert noted.items() <= (form.constants | {"num_warps": form.warps, "num_stages": form.stages}).items()
    assert (dtype, product) in [(d, p) for _, d, _, products in kernels.KINDS for p in products]


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", LOW)
@pytest.mark.parametrize("sizes", [(1024, 1024, 512), (777, 333, 555), (16, 512, 64)])
def test_on_a_gpu_it_is_as_exact_as_pytorch(dtype, sizes):
    M, N, K = sizes
    assert_as_exact_as_pytorch(kernels.matmul, lambda a, b: a @ b, (normal(M, K), normal(K, N, seed=1)),
                               normal(M, N, seed=2), dtype)
