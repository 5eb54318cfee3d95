"""The contract of the layer_norm kernels: what holds of layer_norm, and what only a kernel can get wrong."""
import pytest
import row_norm_checks as checks
import torch
from low_precision import LOW, assert_as_exact_as_pytorch
from row_norm_checks import SHAPES, WAYS, way
from test_layer_norm import REFERENCE, by_pytorch, named
from test_layer_norm import arrays as in_float64

from minigpt.grading.compare import assert_close, refused
from minigpt.grading.contract import run_contract

pytest.importorskip("triton", reason="Triton has no build for this system")
from kernels import layer_norm as kernels
from kernels import row_norms

ALSO = ["test_layer_norm"]
ARGUMENTS = {                                          # of a launch: arrays, integers, constants
    "layer_norm_forward_kernel": (6, (1, 2**30), {"EPS": 1e-5, "BLOCK_M": 4, "BLOCK_C": 16}),
    "layer_norm_backward_kernel": (7, (1, 2**30, 1), {"K": 1, "BLOCK_M": 4, "BLOCK_C": 16}),
    "layer_norm_long_backward_kernel": (7, (8, 2**30, 1), {"K": 1, "BLOCK_C": 16}),
    "row_sums_kernel": (3, (1, 2**30), {"BLOCK_P": 4, "BLOCK_C": 16}),
}


def arrays(*shape):
    return checks.in_float32(*in_float64(*shape))


def tensors(*shape, dtype=torch.float32):
    return checks.tensors(*arrays(*shape), dtype)


def agrees(op, *shape, n_inputs=3):
    inputs, dy = arrays(*shape)
    expected = named(REFERENCE.run(inputs[:n_inputs], dy))
    assert_close(named(op.run(inputs[:n_inputs], dy)), expected, "result", tolerance=(1e-5, 1e-5))  # sums of 129 terms


@pytest.mark.parametrize("name", WAYS)
def test_without_a_bias_no_sum_is_kept_for_it(op, name):
    with way(name):
        agrees(op, 19, 33, n_inputs=2)


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("dtype", LOW)
def test_low_precision_is_as_exact_as_pytorch(op, name, dtype):
    (x, *parameters), dy = tensors(9, 40)
    with way(name), op.watched():                      # the sum of such a row is beyond float16
        assert_as_exact_as_pytorch(op.get("layer_norm"), by_pytorch, (500 * x + 3000, *parameters), dy, dtype)


@pytest.mark.parametrize("name", WAYS)
def test_what_is_given_or_kept_is_not_written_over(op, name):
    with way(name), op.watched():
        checks.assert_what_is_given_or_kept_is_left(op.get("layer_norm"), *tensors(5, 20))


def test_the_second_stage_adds_every_part(op):
    checks.assert_every_part_is_added(op)


@pytest.mark.parametrize("name", ["layer_norm_forward_kernel", "layer_norm_backward_kernel", "row_sums_kernel"])
def test_rows_2_to_the_30_wide_are_addressed_in_64_bits(op, name):
    checks.assert_masked_rows_are_addressed_in_64_bits(op, name, ARGUMENTS[name])


@pytest.mark.parametrize("name", ["layer_norm_backward_kernel", "layer_norm_long_backward_kernel"])
def test_rows_and_parts_of_later_programs_are_addressed_in_64_bits(op, name):
    checks.assert_later_programs_are_addressed_in_64_bits(op, name, ARGUMENTS[name])


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize(("M", "C"), SHAPES)
def test_any_number_of_rows_of_any_length_is_done(op, M, C, name):
    with way(name):
        agrees(op, M, C)


@pytest.mark.parametrize(("M", "C"), [(33, 300), (2, 8200)])
def test_the_tiles_of_a_real_launch_are_done(op, M, C):
    agrees(op, M, C)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_parameters_may_have_another_dtype_than_x(op, dtype):
    with op.watched():
        checks.assert_other_dtypes_are_kept(op.get("layer_norm"), by_pytorch, *tensors(5, 20), dtype)


def test_rows_in_blocks_keep_the_whole_contract(op):
    with way("rows in blocks"):
        outcomes = run_contract("layer_norm", op)
    assert [o for o in outcomes if o.status in ("failed", "crashed")] == []


# Programs

@pytest.mark.parametrize("name", WAYS)
def test_two_runs_and_two_orders_of_programs_agree_to_the_bit(name):
    with way(name):
        checks.assert_runs_and_orders_agree("layer_norm", vars(kernels), *arrays(33, 20))


@pytest.mark.parametrize("M", [1, 7, 8, 9, 100, 1000])
@pytest.mark.parametrize("rows", [1, 4, 512])
def test_programs_share_all_rows_and_none_has_nothing_to_do(M, rows):
    P, tiles = row_norms.share(M, rows, 2, torch.device("cpu"))
    assert P <= 8
    assert (P - 1) * tiles * rows < M <= P * tiles * rows


@pytest.mark.parametrize("C", [768, 4096, 16384])
def test_what_is_launched_is_what_is_shipped(C):
    checks.assert_launched_is_shipped(kernels.layer_norm, kernels.shipped() + row_norms.shipped(), *tensors(4, C))


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize(("M", "C"), [(1, 17), (19, 40)])
@pytest.mark.parametrize(("dtype", "K"), [(torch.float32, 2), (torch.bfloat16, 1)])
def test_the_bytes_that_move_are_those_of_the_closed_form(name, M, C, dtype, K):
    inputs, dy = tensors(M, C, dtype=dtype)
    size = dtype.itemsize
    with way(name):
        checks.assert_bytes(kernels.layer_norm, inputs[:K + 1], dy, parameters=K * size, sums=4 * K, weight=size,
                            statistics=8)


# PyTorch

@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("n_inputs", [2, 3])
def test_the_gradients_equal_finite_differences_in_float64(name, n_inputs):
    inputs, _ = tensors(3, 20, dtype=torch.float64)
    with way(name):
        assert torch.autograd.gradcheck(kernels.layer_norm, inputs[:n_inputs], fast_mode=True)


def test_float64_is_computed_in_float64():
    checks.assert_float64_is_exact(kernels.layer_norm, by_pytorch, *tensors(3, 20, dtype=torch.float64))


@pytest.mark.parametrize(("shape", "has_bias"), [((5,), True), ((2, 3, 17), False), ((0, 4), True), ((3, 0), True)])
def test_pytorch_accepts_the_registration(shape, has_bias):
    (x, weight, bias), _ = tensors(*shape)
    torch.library.opcheck(torch.ops.minigpt.layer_norm.default, (x, weight, bias if has_bias else None, 1e-5))


def test_the_kernel_compiles_into_a_whole_graph():
    checks.assert_compiles_whole(kernels.layer_norm, by_pytorch, *tensors(3, 20))


@pytest.mark.parametrize("shapes", [((2, 65537), (65537,), None), ((2, 4), (1,), None), ((2, 4), (4,), (2, 4))])
def test_shapes_that_the_kernel_cannot_take_are_refused(shapes):
    with refused(f"shapes {shapes}"):
        kernels.layer_norm(*(None if shape is None else torch.zeros(shape) for shape in shapes))


def test_whole_numbers_are_refused():
    with refused("whole numbers"):
        kernels.layer_norm(torch.zeros(2, 4, dtype=torch.int64), torch.ones(4))
