"""The contract of quantization."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close, may_refuse, refused, untouched
from minigpt.grading.op import Op, implementations
from minigpt.reference import quantization as reference

KINDS = {"int8": {}, "absmax in groups": {"bits": 4, "group": 4}, "minmax": {"bits": 4, "group": 4, "how": "minmax"},
         "3 bits": {"bits": 3, "how": "minmax"}}


def by_pytorch(x, codes, scale, zero=None, bias=None, group=None):
    wide = codes.shape[1] if group is None else group
    weight = codes * scale.repeat_interleave(wide, 1)[:, :codes.shape[1]]
    weight = weight if zero is None else weight + zero.repeat_interleave(wide, 1)[:, :codes.shape[1]]
    return torch.nn.functional.linear(x, weight, bias)


REFERENCE = Op("quantization", "reference", vars(reference))
PYTORCH = Op("quantization", "PyTorch", {"quantized_linear": by_pytorch}, is_torch=True)


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def group_of(kind):
    return kind.get("group")


def restored(op, weight, **kind):
    """(w^, s spread over the columns): the weight after it was quantized and dequantized."""
    codes, scale, zero = op.call("quantize", weight, **kind)
    back = op.call("dequantize", codes, scale, zero, group_of(kind))
    return back, reference.spread(scale, group_of(kind), weight.shape[1])


def linear(op, inputs, dy, group=None):
    y, gradients = op.run(inputs, dy, function="quantized_linear", group=group)
    return {"y": y} | dict(zip(("dx", "dscale", "dzero", "dbias") if len(inputs) > 3 else ("dx", "dscale"), gradients,
                               strict=False))


def layer(n=5, d_in=10, d_out=3, group=4, seed=0):
    """x, codes, scale, zero, bias and dy."""
    codes, scale, zero = reference.quantize(values(d_out, d_in, seed=seed), 4, group, "minmax")
    return [values(n, d_in, seed=seed + 1), codes, scale, zero, values(d_out, seed=seed + 2)], values(n, d_out, seed=9)


def test_a_worked_example_of_8_bits(op):
    # the largest is 2.54, so a step is 2.54 / 127 = 0.02: 1 is 50 steps, -0.031 is -1.55 steps, rounded -2
    codes, scale, zero = op.call("quantize", np.array([[2.54, 1.0, -0.031, 0.0], [0.0, 0.0, 0.0, -127.0]]))
    assert_close(codes, np.array([[127, 50, -2, 0], [0, 0, 0, -127]], dtype=np.int8), "codes")
    assert_close(scale, np.array([[0.02], [1.0]]), "scale")
    assert zero is None
    assert_close(op.call("dequantize", codes, scale), np.array([[2.54, 1.0, -0.04, 0.0], [0, 0, 0, -127]]), "w^")


def test_a_worked_example_of_4_bits_from_the_smallest_to_the_largest(op):
    # from -1 to 14: steps of 1; from 3 to 6: steps of 0.2
    weight = np.array([[-1.0, 14.0, 0.4, 7.6, 3.0, 6.0, 4.19]])
    codes, scale, zero = op.call("quantize", weight, bits=4, group=4, how="minmax")
    assert_close(codes, np.array([[0, 15, 1, 9, 0, 15, 6]], dtype=np.uint8), "codes")
    assert_close(scale, np.array([[1.0, 0.2]]), "scale")
    assert_close(zero, np.array([[-1.0, 3.0]]), "zero")
    assert_close(op.call("dequantize", codes, scale, zero, 4), np.array([[-1.0, 14, 0, 8, 3, 6, 4.2]]), "w^")


def test_a_worked_example_of_the_layer(op):
    # w^ = (2 * 0.5 + 1, 3 * 0.5 + 1) = (2, 2.5); y = 2 * 2 + 4 * 2.5 + 0.5
    inputs = [np.array([[2.0, 4.0]]), np.array([[2, 3]], dtype=np.uint8), *map(np.array, ([[0.5]], [[1.0]], [0.5]))]
    got = linear(op, inputs, np.array([[1.0]]))
    expected = {"y": [[14.5]], "dx": [[2.0, 2.5]], "dscale": [[2.0 * 2 + 4 * 3]], "dzero": [[6.0]], "dbias": [1.0]}
    assert_close(got, {name: np.array(value) for name, value in expected.items()}, "result")


@pytest.mark.parametrize("how", ["absmax", "minmax"])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_the_weight_agrees_with_pytorch_s_own_rounding(op, how, bits):
    weight = values(6, 9).astype(np.float32)
    low, high = (0, 2**bits - 1) if how == "minmax" else (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1)
    scale = np.ptp(weight, axis=1) / high if how == "minmax" else np.abs(weight).max(axis=1) / high
    offset = -weight.min(axis=1) / scale if how == "minmax" else np.zeros(6)
    expected = torch.fake_quantize_per_channel_affine(
        torch.tensor(weight), torch.tensor(scale), torch.tensor(offset, dtype=torch.float32), 0, low, high)
    assert_close(restored(op, weight, bits=bits, how=how)[0], expected.numpy(), "w^")


@pytest.mark.parametrize("n_inputs", [3, 4, 5])
def test_the_layer_agrees_with_pytorch(op, n_inputs):
    inputs, dy = layer()
    inputs = inputs[:n_inputs]
    assert_close(linear(op, inputs, dy, 4), linear(PYTORCH, inputs, dy, 4), "result")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_no_weight_moves_by_more_than_half_a_step(op, kind):
    weight = values(7, 10)
    back, step = restored(op, weight, **kind)
    assert (np.abs(back - weight) <= step / 2 * (1 + 1e-9)).all()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_no_output_moves_by_more_than_its_bound(op, kind):
    weight, x = values(7, 10), values(20, 10, seed=1)
    codes, scale, zero = op.call("quantize", weight, **kind)
    y = linear(op, [x, codes, scale, *([] if zero is None else [zero])], values(20, 7), group_of(kind))["y"]
    bound = op.call("output_error_bound", x, scale, group_of(kind))
    assert_close(bound, np.abs(x) @ reference.spread(scale, group_of(kind), 10).T / 2, "bound")
    assert (np.abs(y - x @ weight.T) <= bound * (1 + 1e-9)).all()


def test_the_bound_is_reached_when_every_weight_lies_between_two_points(op):
    weight = np.array([[0.5, 1.5, 127.0]])                    # steps of 1: 0.5 becomes 0, and 1.5 becomes 2
    x = np.array([[1.0, -1.0, 0.0]])
    codes, scale, _ = op.call("quantize", weight)
    y = linear(op, [x, codes, scale], np.ones((1, 1)))["y"]
    assert_close(np.abs(y - x @ weight.T), np.array([[1.0]]), "error")
    assert_close(op.call("output_error_bound", x, scale), np.array([[1.0]]), "bound")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_lies_on_the_grid_comes_back_as_it_was(op, kind):
    once, step = restored(op, values(5, 8), **kind)
    twice, step_again = restored(op, once, **kind)
    assert_close(twice, once, "w^ of w^")
    assert_close(step_again, step, "step")


def test_ties_go_to_the_even_number(op):
    codes, _, _ = op.call("quantize", np.array([[0.5, 1.5, 2.5, -0.5, -1.5, 127.0]]))
    assert_close(codes, np.array([[0, 2, 2, 0, -2, 127]], dtype=np.int8), "codes")


def test_the_codes_use_the_whole_range_and_no_more(op):
    for bits, how, low, high in ((8, "absmax", -127, 127), (4, "absmax", -7, 7), (8, "minmax", 0, 255),
                                 (4, "minmax", 0, 15), (2, "minmax", 0, 3)):
        weight = np.array([[-3.0, 3.0, 1.0, 0.1]])
        codes, _, _ = op.call("quantize", weight, bits=bits, how=how)
        assert_close(np.array([codes.min(), codes.max()]), np.array([low, high], dtype=codes.dtype), "range of codes")
        assert codes.dtype == (np.int8 if how == "absmax" else np.uint8)


def test_eight_bits_and_the_whole_row_unless_told(op):
    weight = values(3, 40)
    for got, expected in zip(op.call("quantize", weight)[:2], op.call("quantize", weight, 8, None, "absmax"),
                             strict=False):
        assert_close(got, expected, "codes or scale")
    assert op.call("quantize", weight)[1].shape == (3, 1)


def test_a_row_of_zeros_stays_zero(op):
    for kind in KINDS.values():
        back, step = restored(op, np.zeros((2, 6)), **kind)
        assert_close(back, np.zeros((2, 6)), "w^")
        assert_close(step, np.zeros((2, 6)), "step")


def test_zeros_have_the_code_0_and_no_step(op):
    codes, scale, _ = op.call("quantize", np.zeros((2, 3)))
    assert_close(codes, np.zeros((2, 3), dtype=np.int8), "codes")
    assert_close(scale, np.zeros((2, 1)), "scale")


def test_a_grid_reaches_its_largest_weight_however_far_out_it_lies(op):
    weight = np.ones((1, 32))
    weight[0, 5] = 508
    codes, scale, _ = op.call("quantize", weight)
    assert_close(codes, np.where(weight > 1, 127, 0).astype(np.int8), "codes")
    assert_close(scale, np.array([[4.0]]), "scale")


def test_the_steps_of_float32_weights_are_float32(op):
    _, scale, zero = op.call("quantize", values(2, 8).astype(np.float32), bits=4, group=4, how="minmax")
    assert scale.dtype == zero.dtype == np.float32


def test_equal_weights_come_back_exactly(op):
    back, _ = restored(op, np.full((2, 6), 0.3), bits=4, group=3, how="minmax")
    assert_close(back, np.full((2, 6), 0.3), "w^", (0, 0))


def test_a_huge_weight_costs_its_own_group_alone(op):
    weight = values(2, 12)
    weight[0, 1] = 1e4
    back, _ = restored(op, weight, bits=4, group=4)
    assert_close(back[0, :4], np.array([0, 1e4, 0, 0]), "w^ of its group")
    untouched_group, _ = restored(op, weight[:, 4:], bits=4, group=4)
    assert_close(back[:, 4:], untouched_group, "w^ of the other groups")


def test_the_last_group_may_be_shorter_and_its_range_is_its_own(op):
    weight = np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 5.0 + 15]])
    codes, scale, zero = op.call("quantize", weight, bits=4, group=4, how="minmax")
    assert_close(scale, np.array([[0.2, 1.0]]), "scale")
    assert_close(zero, np.array([[1.0, 5.0]]), "zero")
    assert_close(codes[:, 4:], np.array([[0, 15]], dtype=np.uint8), "codes of the last group")


def test_a_group_wider_than_the_row_is_the_row(op):
    for got, expected in zip(op.call("quantize", values(2, 5), 4, 64), op.call("quantize", values(2, 5), 4),
                             strict=True):
        assert got is expected is None or not assert_close(got, expected, "codes or scale")


def test_a_single_weight_and_groups_of_one_come_back(op):
    for weight in (np.array([[-0.7]]), values(3, 4)):
        assert_close(restored(op, weight, bits=8, group=1)[0], weight, "w^")
        assert_close(restored(op, weight, bits=4, group=1, how="minmax")[0], weight, "w^", (0, 0))


@pytest.mark.parametrize("shape", [(0, 4), (3, 0)])
def test_no_weights_give_no_codes(op, shape):
    with may_refuse(op):
        codes, scale, zero = op.call("quantize", np.zeros(shape), 4, 2, "minmax")
        assert codes.shape == shape
        assert scale.shape == zero.shape == (shape[0], shape[1] // 2)
        assert op.call("dequantize", codes, scale, zero, 2).shape == shape


def test_no_rows_give_no_rows(op):
    (x, *rest), _ = layer()
    got = linear(op, [x[:0], *rest], np.zeros((0, 3)), 4)
    assert got["y"].shape == (0, 3)
    assert_close(got["dscale"], np.zeros((3, 3)), "dscale")


@pytest.mark.parametrize("options", [{"bits": 1}, {"bits": 9}, {"group": 0}, {"how": "mean"}], ids=str)
def test_options_out_of_range_are_refused(op, options):
    with refused(str(options)):
        op.call("quantize", values(2, 3), **options)


@pytest.mark.parametrize("ours", implementations("quantization"), ids=lambda op: op.name)
def test_half_a_bit_is_refused_by_ours(ours):
    with refused("bits=2.5"):
        ours.call("quantize", values(2, 3), bits=2.5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(op, bad):
    with refused(f"a weight of {bad}"):
        op.call("quantize", np.array([[1.0, bad]]))


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("width", [1, 6, 7])
def test_two_codes_share_a_byte_and_come_apart_again(op, signed, width):
    codes = np.random.default_rng(0).integers(0, 16, size=(3, width)).astype(np.uint8)
    codes = codes.astype(np.int8) - np.int8(8) if signed else codes
    packed = op.call("pack", codes)
    assert packed.shape == (3, (width + 1) // 2)
    assert_close(op.call("unpack", packed, width, signed), codes, "codes")


def test_the_even_column_is_in_the_low_half(op):
    assert_close(op.call("pack", np.array([[1, 2, 15]], dtype=np.uint8)), np.array([[33, 15]], dtype=np.uint8), "bytes")
    assert_close(op.call("pack", np.array([[-7, 7]], dtype=np.int8)), np.array([[241]], dtype=np.uint8), "bytes")


def test_strided_and_expanded_arrays_give_the_same(op):
    weight = values(10, 6).T[::2]
    for got, expected in zip(op.call("quantize", weight, 4, 4, "minmax"),
                             REFERENCE.call("quantize", weight.copy(), 4, 4, "minmax"), strict=True):
        assert_close(got, expected, "codes, scale or zero")
    (x, codes, *rest), dy = layer()
    x, dy = np.asfortranarray(x), np.lib.stride_tricks.as_strided(dy, dy.shape, (0, dy.strides[1]))
    expected = linear(REFERENCE, [x.copy(), codes.copy(), *rest], dy.copy(), 4)
    assert_close(linear(op, [x, np.asfortranarray(codes), *rest], dy, 4), expected, "result")


def test_inputs_are_left_untouched(op):
    (x, codes, scale, zero, bias), dy = layer()
    weight = values(3, 10)
    with untouched(x=x, codes=codes, scale=scale, zero=zero, bias=bias, dy=dy, weight=weight):
        op.call("quantize", weight, 4, 4, "minmax")
        op.call("dequantize", codes, scale, zero, 4)
        linear(op, [x, codes, scale, zero, bias], dy, 4)
        op.call("output_error_bound", x, scale, 4)
        op.call("pack", codes)


def test_float32_stays_float32(op):
    inputs, dy = layer()
    inputs = [x.astype(np.float32) if x.dtype == np.float64 else x for x in inputs]
    assert all(a.dtype == np.float32 for a in linear(op, inputs, dy.astype(np.float32), 4).values())
    _, scale, zero = op.call("quantize", values(3, 4).astype(np.float32), 4, 2, "minmax")
    assert scale.dtype == zero.dtype == np.float32


@hypothesis.given(d_out=st.integers(1, 5), d_in=st.integers(1, 12), bits=st.integers(2, 8), seed=st.integers(0, 9),
                  group=st.none() | st.integers(1, 13), how=st.sampled_from(["absmax", "minmax"]))
def test_any_shape_agrees_with_the_reference(op, d_out, d_in, bits, group, how, seed):
    weight, x, dy = values(d_out, d_in, seed=seed), values(2, 3, d_in, seed=1), values(2, 3, d_out, seed=2)
    codes, scale, zero = expected = reference.quantize(weight, bits, group, how)
    for got, right in zip(op.call("quantize", weight, bits, group, how), expected, strict=True):
        assert got is right is None or not assert_close(got, right, "codes, scale or zero")
    inputs = [x, codes, scale, *([] if zero is None else [zero])]
    assert_close(linear(op, inputs, dy, group), linear(REFERENCE, inputs, dy, group), "result")


def test_the_reference_gradients_equal_finite_differences():
    inputs, dy = layer()
    x, codes, scale, zero, bias = inputs

    def forward(x, scale, zero, bias):
        return reference.quantized_linear_forward(x, codes, scale, zero, bias, 4)
    assert max(gradient_errors(forward, reference.quantized_linear_backward, (x, scale, zero, bias), dy)) < 1e-8
