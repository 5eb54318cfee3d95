"""The sanitizer of interpreted kernels: each detector fires on a planted bug, and the counts are exact."""
import numpy as np
import pytest
import torch

triton = pytest.importorskip("triton", reason="Triton has no build for this system")
import kernels._backend  # noqa: E402

if not kernels._backend.INTERPRETED:
    pytest.skip("the sanitizer watches the interpreter; here kernels are compiled", allow_module_level=True)

import triton.language as tl  # noqa: E402

from kernels.sanitize import SanitizerError, sanitized  # noqa: E402
from kernels.softmax import softmax  # noqa: E402


@triton.jit
def double_kernel(x_ptr, y_ptr, N, BLOCK: tl.constexpr):
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y_ptr + place, 2 * tl.load(x_ptr + place, mask=place < N, other=0.0), mask=place < N)


@triton.jit
def load_past_the_end_kernel(x_ptr, y_ptr, N, BLOCK: tl.constexpr):
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y_ptr + place, tl.load(x_ptr + place), mask=place < N)


@triton.jit
def store_past_the_end_kernel(x_ptr, y_ptr, N, BLOCK: tl.constexpr):
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y_ptr + place, tl.load(x_ptr + place, mask=place < N, other=0.0))


@triton.jit
def race_kernel(x_ptr, y_ptr, N, BLOCK: tl.constexpr):
    place = tl.arange(0, BLOCK)
    tl.store(y_ptr + place, tl.load(x_ptr + place, mask=place < N, other=0.0), mask=place < N)


@triton.jit
def without_other_kernel(x_ptr, y_ptr, N, BLOCK: tl.constexpr):
    place = tl.arange(0, BLOCK)
    total = tl.sum(tl.load(x_ptr + place, mask=place < N), axis=0)
    tl.store(y_ptr + place, total, mask=place < N)


@triton.jit
def narrow_offset_kernel(x_ptr, y_ptr, stride, BLOCK: tl.constexpr):
    row = tl.program_id(0) + tl.arange(0, BLOCK)
    place = row * stride
    tl.store(y_ptr + place, tl.load(x_ptr + place, mask=row < 1, other=0.0), mask=row < 1)


@triton.jit
def wide_offset_kernel(x_ptr, y_ptr, stride, BLOCK: tl.constexpr):
    row = tl.program_id(0) + tl.arange(0, BLOCK)
    place = row.to(tl.int64) * stride
    tl.store(y_ptr + place, tl.load(x_ptr + place, mask=row < 1, other=0.0), mask=row < 1)


@triton.jit
def forgets_the_tail_kernel(x_ptr, y_ptr, N, BLOCK: tl.constexpr):
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y_ptr + place, tl.load(x_ptr + place, mask=place < N, other=0.0), mask=place < N - 1)


@triton.jit
def running_sum_kernel(x_ptr, y_ptr, N, BLOCK: tl.constexpr):
    program = tl.program_id(0)
    before = tl.load(y_ptr + program - 1, mask=program > 0, other=0.0)
    tl.store(y_ptr + program, before + tl.load(x_ptr + program))


@triton.jit
def product_kernel(a_ptr, b_ptr, y_ptr, N: tl.constexpr):
    place = tl.arange(0, N)[:, None] * N + tl.arange(0, N)[None, :]
    a, b = tl.load(a_ptr + place), tl.load(b_ptr + place)
    tl.store(y_ptr + place, (tl.dot(a, b) + a.to(tl.float32)).to(y_ptr.dtype.element_ty))


@triton.jit
def sum_of_two_kernel(a_ptr, b_ptr, y_ptr, BLOCK: tl.constexpr):
    place = tl.arange(0, BLOCK)
    tl.store(y_ptr + place, tl.load(a_ptr + place) + tl.load(b_ptr + place))


@triton.jit
def convert_kernel(x_ptr, y_ptr, BLOCK: tl.constexpr):
    place = tl.arange(0, BLOCK)
    tl.store(y_ptr + place, tl.load(x_ptr + place).to(y_ptr.dtype.element_ty))


def launch(kernel, N=10, programs=2, block=8):
    """Run a kernel over N numbers; returns what it wrote, its output being made by torch.empty."""
    x = torch.arange(1.0, N + 1)
    y = torch.empty(N)
    kernel[(programs,)](x, y, N, BLOCK=block)
    return y


def test_a_right_kernel_passes_with_every_detector_on():
    with sanitized():
        assert launch(double_kernel).tolist() == [2.0 * i for i in range(1, 11)]


@pytest.mark.parametrize(("kernel", "says"), [
    (load_past_the_end_kernel, r"program \(1, 0, 0\): a load of 6 elements outside every tensor at line \d+: .*load"),
    (store_past_the_end_kernel, r"program \(1, 0, 0\): a store of 6 elements outside every tensor"),
    (race_kernel, r"programs \(0, 0, 0\) and \(1, 0, 0\) write to one address \(8 addresses"),
])
def test_a_planted_bug_is_named(kernel, says):
    with pytest.raises(SanitizerError, match=says), sanitized():
        launch(kernel)


def test_a_detector_that_is_off_is_silent():
    with sanitized(races=False):
        launch(race_kernel)


def test_a_masked_lane_without_other_is_poison():
    assert not launch(without_other_kernel, N=5, programs=1).isnan().any()
    with sanitized():
        assert launch(without_other_kernel, N=5, programs=1).isnan().all()


def test_a_store_into_the_gap_before_a_tensor_is_seen():
    storage = torch.zeros(20)
    with pytest.raises(SanitizerError, match="outside every tensor"), sanitized():
        double_kernel[(1,)](storage[:10], storage[12:], 10, BLOCK=16)


def test_an_offset_that_does_not_fit_into_32_bits_is_seen_and_costs_no_memory():
    x, y = torch.ones(1), torch.empty(1)
    with pytest.raises(SanitizerError, match=r"int32 overflow .*row \* stride"), sanitized():
        narrow_offset_kernel[(1,)](x, y, 2**30, BLOCK=4)
    with sanitized():
        wide_offset_kernel[(1,)](x, y, 2**30, BLOCK=4)
    assert y.item() == 1


def test_an_output_that_is_not_written_whole_shows_nan():
    with sanitized():
        y = launch(forgets_the_tail_kernel)
    assert y.isnan().tolist() == 9 * [False] + [True]


def test_a_kernel_that_relies_on_the_order_of_programs_gives_something_else_in_another():
    y = launch(running_sum_kernel, N=8, programs=8)
    assert y.tolist() == np.cumsum(range(1, 9)).tolist()
    with sanitized(order=0):
        assert launch(running_sum_kernel, N=8, programs=8).tolist() != y.tolist()


def test_every_program_runs_once_in_any_order():
    for order in range(3):
        with sanitized(order=order):
            assert launch(double_kernel, N=40, programs=5).tolist() == [2.0 * i for i in range(1, 41)]


def test_bytes_are_those_of_the_lanes_that_are_not_masked():
    with sanitized() as meter:
        launch(double_kernel)
    assert (meter.load_bytes, meter.store_bytes, meter.flops) == (40, 40, 0)


def test_flops_are_those_of_the_matrix_products():
    a = torch.ones(16, 16)
    with sanitized() as meter:
        product_kernel[(1,)](a, a, torch.empty(16, 16), N=16)
    assert meter.flops == 2 * 16**3
    assert (meter.load_bytes, meter.store_bytes) == (2 * 4 * 256, 4 * 256)


def test_launches_are_listed_with_grid_and_constants():
    with sanitized() as meter:
        launch(double_kernel)
    [only] = meter.launches
    assert (only.kernel, only.grid, only.constants) == ("double_kernel", (2,), {"BLOCK": 8})


def test_a_session_sees_the_launches_inside_an_operator_and_its_gradient():
    x = torch.zeros(3, 5, requires_grad=True)
    with sanitized() as meter:
        softmax(x).sum().backward()
    assert [launch.kernel for launch in meter.launches] == ["softmax_forward_kernel", "softmax_backward_kernel"]


def test_after_a_session_nothing_is_watched_whether_or_not_it_failed():
    with pytest.raises(SanitizerError), sanitized() as meter:
        launch(race_kernel)
    seen = meter.load_bytes
    launch(race_kernel)
    assert meter.load_bytes == seen
    assert not torch.are_deterministic_algorithms_enabled()


def test_an_error_of_the_kernel_itself_stays_what_it_is():
    with pytest.raises(AttributeError, match="no attribute"), sanitized():
        double_kernel[(1,)]("no tensor", torch.empty(1), 1, BLOCK=8)


# bfloat16 in the interpreter

def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_numbers_are_rounded_to_the_nearest_bfloat16_and_ties_to_even():
    x = torch.cat([normal(59), torch.tensor([1 + 2**-8, 1 + 3 * 2**-8, float("inf"), float("nan"), 3.4e38])])
    y = torch.empty(64, dtype=torch.bfloat16)
    convert_kernel[(1,)](x, y, BLOCK=64)
    torch.testing.assert_close(y, x.to(torch.bfloat16), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64, torch.int32])
def test_a_bfloat16_is_converted_exactly(dtype):
    x = (8 * normal(64)).to(torch.bfloat16)
    y = torch.empty(64, dtype=dtype)
    convert_kernel[(1,)](x, y, BLOCK=64)
    assert torch.equal(y, x.to(dtype))


def test_a_product_of_bfloat16_is_summed_in_float32():
    a, b = normal(16, 16).to(torch.bfloat16), normal(16, 16, seed=1).to(torch.bfloat16)
    y = torch.empty(16, 16)
    product_kernel[(1,)](a, b, y, N=16)
    torch.testing.assert_close(y, a.float() @ b.float() + a.float())


def test_a_sum_of_bfloat16_is_that_of_pytorch():
    a, b = normal(64).to(torch.bfloat16), normal(64, seed=1).to(torch.bfloat16)
    y = torch.empty(64, dtype=torch.bfloat16)
    sum_of_two_kernel[(1,)](a, b, y, BLOCK=64)
    assert torch.equal(y, a + b)
