"""The contract of the softmax kernels: what holds of softmax, and what only a kernel can get wrong."""
import numpy as np
import pytest
import torch
from low_precision import LOW, assert_as_exact_as_pytorch

from minigpt.grading.compare import assert_close
from minigpt.grading.contract import run_contract
from minigpt.grading.kernel_op import KernelOp, require_interpreter
from minigpt.reference.softmax import softmax_backward, softmax_forward
from minigpt.reference.tiled import softmax as tiled

pytest.importorskip("triton", reason="Triton has no build for this system")
from kernels import softmax as kernels
from kernels import traffic
from kernels.sanitize import SanitizerError, sanitized

ALSO = ["test_softmax"]
SIZES = [1, 15, 16, 17, 63, 65, 127, 129]


@pytest.fixture(params=["one tile", "online"])
def path(request, monkeypatch):
    """Both ways through the kernels, for rows that fit a tile and for those that do not."""
    if request.param == "online":
        short_tiles(monkeypatch)
    return request.param


def short_tiles(monkeypatch, columns=16):
    monkeypatch.setattr(kernels, "LONGEST", 0)
    monkeypatch.setattr(kernels, "TILE", columns)
    monkeypatch.setattr(kernels, "configuration", lambda M, N: (False, {"COLUMNS": columns}, 4))


def normal(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def agrees(op, rows, columns):
    x, dy = (normal(rows, columns, seed=seed, dtype=torch.float64).numpy() for seed in (0, 1))
    y, (dx,) = op.run((x,), dy)
    expected, cache = softmax_forward(x)
    assert_close(y, expected)
    assert_close(dx, softmax_backward(dy, cache), "dx")


@pytest.mark.parametrize("columns", SIZES)
def test_a_row_of_any_length_is_whole(op, columns):
    agrees(op, 3, columns)


@pytest.mark.parametrize("rows", SIZES)
def test_any_number_of_rows_is_done(op, rows):
    agrees(op, rows, 5)


def test_what_one_program_writes_no_other_does_and_all_is_written(op):
    y, (dx,) = op.run((normal(70, 33).numpy(),), normal(70, 33, seed=1).numpy())  # outputs begin as NaN
    assert np.isfinite(y).all()
    assert np.isfinite(dx).all()


def test_rows_of_minus_infinity_leave_their_neighbours_alone(op):
    x = normal(4, 40).numpy().astype(np.float64)
    x[1], x[2, :35] = -np.inf, -np.inf
    expected, cache = softmax_forward(x)
    y, (dx,) = op.run((x,), np.ones((4, 40)))
    assert_close(y, expected)
    assert_close(dx, softmax_backward(np.ones((4, 40)), cache), "dx")


def test_the_gradient_of_a_sum_is_zero(op):
    _, (dx,) = op.run((normal(3, 20).numpy(),), np.broadcast_to(np.float64(1), (3, 20)))
    assert_close(dx, np.zeros((3, 20)), "dx")


def long_rows():
    """Rows of several tiles: one that begins with two tiles of -inf, one of -inf only, one of large scores."""
    x = normal(4, 20_001, dtype=torch.float64).numpy()
    x[0, :9000], x[1], x[2] = -np.inf, -np.inf, 1e4 * x[2]
    return x, normal(4, 20_001, seed=1, dtype=torch.float64).numpy()


def test_a_row_longer_than_a_tile_is_one_row(op):
    x, dy = long_rows()
    y, (dx,) = op.run((x,), dy)
    expected, cache = softmax_forward(x.astype(np.float32).astype(np.float64))
    assert_close(y, expected, tolerance=(2e-5, 1e-7))
    assert_close(dx, softmax_backward(dy, cache), "dx", tolerance=(2e-4, 1e-7))   # of 20,001 terms, which cancel


@pytest.mark.parametrize(("name", "arrays"), [("softmax_forward_kernel", 2), ("softmax_backward_kernel", 3)])
def test_rows_2_to_the_30_wide_are_addressed_in_64_bits(op, name, arrays):
    require_interpreter()
    with op.watched():                                 # of four rows one is there: nothing else is loaded
        op.get(name)[(1,)](*(torch.zeros(16) for _ in range(arrays)), 1, 2**30, ROWS=4, COLUMNS=16)


@pytest.mark.parametrize(("name", "arrays"), [("softmax_online_forward_kernel", 2),
                                              ("softmax_online_backward_kernel", 3)])
def test_a_long_row_beyond_2_to_the_31_elements_is_addressed_in_64_bits(op, name, arrays):
    require_interpreter()
    with pytest.raises(SanitizerError) as error, sanitized(order=0):           # seed 0: program 2 comes first
        op.get(name)[(4,)](*(torch.zeros(16) for _ in range(arrays)), 2**30, COLUMNS=16)
    assert "outside every tensor" in str(error.value)  # its own place, where there is nothing; not "overflow"


# Both ways, short rows and long ones

def test_long_rows_keep_the_whole_contract(monkeypatch):
    short_tiles(monkeypatch)
    op = KernelOp("softmax", "triton", vars(kernels))
    wrong = [o for o in run_contract("softmax", op) if o.status in ("failed", "crashed")]
    assert wrong == []


@pytest.mark.parametrize("dtype", LOW)
def test_low_precision_is_as_exact_as_pytorch(path, dtype):
    def by_pytorch(x):
        return torch.softmax(x, -1)
    assert_as_exact_as_pytorch(kernels.softmax, by_pytorch, (3 * normal(7, 90),), normal(7, 90, seed=1), dtype)


def test_two_runs_and_two_orders_of_programs_agree_to_the_bit(path):
    x, dy = normal(33, 50).numpy(), normal(33, 50, seed=1).numpy()
    first, *others = (KernelOp("softmax", "triton", vars(kernels), order=order).run((x,), dy) for order in (None, 1, 2))
    for y, (dx,) in others:
        np.testing.assert_array_equal(y, first[0])
        np.testing.assert_array_equal(dx, first[1][0])


def test_the_gradient_equals_finite_differences_in_float64(path):
    x = normal(2, 20, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(kernels.softmax, (x,), fast_mode=True)


@pytest.mark.parametrize("shape", [(5,), (2, 3, 17), (0, 4), (3, 0)])
def test_pytorch_accepts_the_registration(path, shape):
    torch.library.opcheck(torch.ops.minigpt.softmax.default, (normal(*shape).requires_grad_(),))


def test_the_kernel_compiles_into_a_whole_graph(path):
    compiled = torch.compile(lambda x: 2 * kernels.softmax(x), backend="aot_eager", fullgraph=True)
    x = normal(3, 20).requires_grad_()
    y = compiled(x)
    torch.testing.assert_close(y, 2 * torch.softmax(x, -1))
    torch.testing.assert_close(*(torch.autograd.grad(z, x, normal(3, 20, seed=1))[0]
                                 for z in (y, 2 * torch.softmax(x, -1))))


def test_a_saved_tensor_is_not_written_into(path):
    x = normal(3, 20).requires_grad_()
    y = kernels.softmax(x)
    before = y.detach().clone()
    y.sum().backward()
    assert torch.equal(y, before)


# The kernel, its tiles in NumPy, float64

@pytest.mark.parametrize("columns", [1, 7, 16, 64])
@pytest.mark.parametrize("N", [1, 16, 50])
def test_the_tiles_in_numpy_agree_with_float64_to_1e_12(columns, N):
    x, dy = 5 * normal(3, N, dtype=torch.float64).numpy(), normal(3, N, seed=1, dtype=torch.float64).numpy()
    x[0, :N // 2 + 1] = -np.inf
    y, cache = tiled.softmax_forward(x, COLUMNS=columns)
    expected, naive = softmax_forward(x)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(tiled.softmax_backward(dy, cache), softmax_backward(dy, naive), rtol=1e-12, atol=1e-12)
    assert cache.tiles == 3 * 2 * -(-N // columns)


def test_the_kernel_agrees_with_its_tiles_in_numpy_to_1e_5(path):
    x, dy = normal(5, 50).numpy(), normal(5, 50, seed=1).numpy()
    y, (dx,) = KernelOp("softmax", "triton", vars(kernels)).run((x,), dy)
    expected, cache = tiled.softmax_forward(x.astype(np.float64), COLUMNS=16)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dx, tiled.softmax_backward(dy, cache), rtol=1e-5, atol=1e-6)


# Traffic

@pytest.mark.parametrize(("M", "N"), [(1, 1), (33, 50), (5, 129)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_bytes_that_move_are_those_of_the_closed_form(path, M, N, dtype):
    x = normal(M, N, dtype=dtype).requires_grad_()
    y = kernels.softmax(x)
    for run, work in ((lambda: kernels.softmax(x), traffic.softmax_forward),
                      (lambda: y.sum().backward(), traffic.softmax_backward)):
        with sanitized() as meter:
            run()
        expected = work(M, N, dtype.itemsize, one_tile=path == "one tile")
        assert (meter.load_bytes, meter.store_bytes, meter.flops) == (expected.loads, expected.stores, 0)


def test_the_tiles_in_numpy_load_and_store_what_the_kernel_does(monkeypatch):
    short_tiles(monkeypatch)
    x = normal(5, 50)
    with sanitized() as meter:
        kernels.softmax(x)
    _, cache = tiled.softmax_forward(x.numpy(), COLUMNS=16)
    assert (meter.load_bytes, meter.store_bytes) == (4 * cache.loaded, 4 * cache.stored)


def test_every_form_that_is_launched_is_shipped():
    shipped = {(form.kernel, tuple(sorted(form.constants.items()))) for form in kernels.shipped()}
    for M, N in ((4096, 256), (4096, 16384), (1024, 65536)):
        one_tile, constants, _ = kernels.configuration(M, N)
        names = ("forward", "backward") if one_tile else ("online_forward", "online_backward")
        for name in names:
            assert (getattr(kernels, f"softmax_{name}_kernel"), tuple(sorted(constants.items()))) in shipped
