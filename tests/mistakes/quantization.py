"""Typical wrong answers for quantization."""
import numpy as np

from minigpt.reference.quantization import (
    dequantize,
    output_error_bound,
    pack,
    quantize,
    quantized_linear_backward,
    quantized_linear_forward,
    spread,
    unpack,
)
from mistakes import mistake


def on_grid(weight, bits, group, how, change):
    """quantize, with its float codes, before they are rounded, and its range given to `change`."""
    _, scale, zero = quantize(weight, bits, group, how)
    I = weight.shape[1]
    steps = spread(np.where(scale > 0, scale, np.inf), group, I)
    distance = (weight if zero is None else weight - spread(zero, group, I)) / steps
    low, high = (0, 2**bits - 1) if how == "minmax" else (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1)
    codes = np.clip(change(distance), low, high)
    return codes.astype(np.uint8 if how == "minmax" else np.int8), scale, zero


@mistake("quantize", "codes are cut off towards zero, not rounded: the error reaches a whole step (equation 2)")
def cut_off(weight, bits=8, group=None, how="absmax"):
    return on_grid(weight, bits, group, how, np.trunc)


@mistake("quantize", "codes are rounded down, not to the nearest: the error reaches a whole step (equation 2)")
def rounded_down(weight, bits=8, group=None, how="absmax"):
    return on_grid(weight, bits, group, how, lambda q: np.floor(q + 1e-9))


@mistake("quantize", "a tie is rounded up; np.rint and torch.round give the even number (equation 2)")
def ties_up(weight, bits=8, group=None, how="absmax"):
    return on_grid(weight, bits, group, how, lambda q: np.floor(q + 0.5))


@mistake("quantize", "absmax divides by 2^(bits-1), and the largest weight needs a code that is not there (equation 1)")
def one_level_too_many(weight, bits=8, group=None, how="absmax"):
    codes, scale, zero = quantize(weight, bits, group, how)
    if how != "absmax":
        return codes, scale, zero
    high = 2 ** (bits - 1)
    scale = scale * (high - 1) / high
    steps = spread(np.where(scale > 0, scale, np.inf), group, weight.shape[1])
    return np.clip(np.rint(weight / steps), 1 - high, high - 1).astype(np.int8), scale, zero


@mistake("quantize", "minmax divides by 2^bits: between 2^bits points there is one step less (equation 1)")
def steps_counted_as_points(weight, bits=8, group=None, how="absmax"):
    codes, scale, zero = quantize(weight, bits, group, how)
    if how != "minmax":
        return codes, scale, zero
    scale = scale * (2**bits - 1) / 2**bits
    steps = spread(np.where(scale > 0, scale, np.inf), group, weight.shape[1])
    codes = np.rint((weight - spread(zero, group, weight.shape[1])) / steps).clip(0, 2**bits - 1)
    return codes.astype(np.uint8), scale, zero


@mistake("quantize", "minmax divides by 2^bits, so the largest gets a code that is not there; steps are one less (1)")
def one_code_too_many(weight, bits=8, group=None, how="absmax"):
    codes, scale, zero = quantize(weight, bits, group, how)
    if how != "minmax":
        return codes, scale, zero
    scale = scale * (2**bits - 1) / 2**bits
    steps = spread(np.where(scale > 0, scale, np.inf), group, weight.shape[1])
    codes = np.rint((weight - spread(zero, group, weight.shape[1])) / steps)
    return codes.astype(np.int64).astype(np.uint8), scale, zero


@mistake("quantize", "one grid for the whole matrix: each row, and each group of it, has its own (equation 1)")
def one_grid_for_all(weight, bits=8, group=None, how="absmax"):
    if not weight.size:
        return quantize(weight, bits, group, how)
    _, right, zero = quantize(weight, bits, group, how)
    codes, scale, base = quantize(weight.reshape(1, -1), bits, None, how)
    zero = None if zero is None else np.broadcast_to(base, right.shape).copy()
    return codes.reshape(weight.shape), np.broadcast_to(scale, right.shape).copy(), zero


@mistake("quantize", "the grid belongs to the columns, not to the rows, which an output sums over (equation 1)")
def columns_for_rows(weight, bits=8, group=None, how="absmax"):
    codes, scale, zero = quantize(weight, bits, group, how)
    return (*quantize(weight.T, bits, group, how)[0].T[None], scale, zero) if weight.size else (codes, scale, zero)


@mistake("quantize", "the group is ignored: one grid for the whole row (equation 1)")
def group_ignored(weight, bits=8, group=None, how="absmax"):
    _, right, _ = quantize(weight, bits, group, how)
    codes, scale, zero = quantize(weight, bits, None, how)
    n = right.shape[1]
    return codes, np.repeat(scale, n, axis=1)[:, :n], None if zero is None else np.repeat(zero, n, axis=1)[:, :n]


@mistake("quantize", "a shorter last group is filled with zeros, which move its smallest or largest (equation 1)")
def filled_with_zeros(weight, bits=8, group=None, how="absmax"):
    I = weight.shape[1]
    padded = np.pad(weight, ((0, 0), (0, -I % (group or max(I, 1)))))
    codes, scale, zero = quantize(padded, bits, group or max(I, 1), how)
    return codes[:, :I], scale, zero


@mistake("quantize", "a row of zeros gives 0 / 0: where the step is 0 the code is 0 (equation 2)")
def zeros_divide_by_zero(weight, bits=8, group=None, how="absmax"):
    codes, scale, zero = quantize(weight, bits, group, how)
    return codes, np.where(scale == 0, np.nan, scale), zero


@mistake("quantize", "the largest weight is taken without its sign's opposite: max w, not max |w| (equation 1)")
def largest_without_absolute(weight, bits=8, group=None, how="absmax"):
    codes, scale, zero = quantize(weight, bits, group, how)
    if how != "absmax" or not weight.size:
        return codes, scale, zero
    return quantize(np.maximum(weight, 0), bits, group, how)


@mistake("quantize", "weights are clipped to three standard deviations before: the largest ones are lost (equation 1)")
def outliers_clipped(weight, bits=8, group=None, how="absmax"):
    if not weight.size:
        return quantize(weight, bits, group, how)
    far = 3 * weight.std()
    return quantize(np.clip(weight, weight.mean() - far, weight.mean() + far), bits, group, how)


@mistake("quantize", "the codes of minmax are int8: 8 bits of them reach 255, which int8 does not hold")
def minmax_as_int8(weight, bits=8, group=None, how="absmax"):
    codes, scale, zero = quantize(weight, bits, group, how)
    return codes.astype(np.int8), scale, zero


@mistake("quantize", "scale is float64 whatever the weight is")
def scale_in_float64(weight, bits=8, group=None, how="absmax"):
    codes, scale, zero = quantize(weight, bits, group, how)
    return codes, scale.astype(np.float64), None if zero is None else zero.astype(np.float64)


@mistake("quantize", "the weight itself is divided by its step: an input must be left as it was")
def in_place(weight, bits=8, group=None, how="absmax"):
    result = quantize(weight, bits, group, how)
    weight /= 2
    return result


@mistake("quantize", "weights that are NaN or infinite pass, and become some number")
def not_finite_passes(weight, bits=8, group=None, how="absmax"):
    return quantize(np.nan_to_num(weight), bits, group, how)


@mistake("quantize", "any number of bits is taken; codes have 8 bits at most, and need 2")
def any_bits(weight, bits=8, group=None, how="absmax"):
    return quantize(weight, min(max(int(bits), 2), 8), group, how)


@mistake("dequantize", "z is left out: the weights of minmax are off by the smallest of their group (equation 3)")
def zero_left_out(codes, scale, zero=None, group=None):
    return dequantize(codes, scale, None, group)


@mistake("dequantize", "z is taken for a code and subtracted before the step multiplies; it is a weight (equation 3)")
def zero_taken_for_a_code(codes, scale, zero=None, group=None):
    weight = dequantize(codes, scale, None, group)
    return weight if zero is None else weight - dequantize(np.ones_like(codes), scale * zero, None, group)


@mistake("dequantize", "every group gets the step of the first of its row (equation 3)")
def step_of_the_first_group(codes, scale, zero=None, group=None):
    return dequantize(codes, np.repeat(scale[:, :1], scale.shape[1], axis=1), zero, group)


@mistake("dequantize", "steps go round in turn, s_1 s_2 s_1 s_2; each belongs to neighbouring columns (equation 3)")
def steps_in_turn(codes, scale, zero=None, group=None):
    I = codes.shape[1]

    def turn(values):
        return np.tile(values, (1, -(-I // max(values.shape[1], 1)) + 1))[:, :I]
    return dequantize(codes, turn(scale), None if zero is None else turn(zero), 1) if I else codes.astype(scale.dtype)


@mistake("quantized_linear_forward", "x is multiplied by the codes as they are, without their steps (equation 5)")
def codes_as_weights(x, codes, scale, zero=None, bias=None, group=None):
    return quantized_linear_forward(x, codes, np.ones_like(scale), zero, bias, group)


@mistake("quantized_linear_forward", "the bias is left out (equation 5)")
def bias_left_out(x, codes, scale, zero=None, bias=None, group=None):
    y, _ = quantized_linear_forward(x, codes, scale, zero, None, group)
    return y, quantized_linear_forward(x, codes, scale, zero, bias, group)[1]


@mistake("quantized_linear_forward", "x is rounded to 8 bits as well; only weights are quantized here (equation 5)")
def inputs_quantized_too(x, codes, scale, zero=None, bias=None, group=None):
    rows = x.reshape(-1, x.shape[-1])
    rounded = dequantize(*quantize(rows)[:2]).reshape(x.shape)
    return quantized_linear_forward(rounded, codes, scale, zero, bias, group)


@mistake("quantized_linear_backward", "dx comes through the codes without their steps (equation 6)")
def dx_through_the_codes(dy, cache):
    return dy @ cache.codes.astype(dy.dtype), *quantized_linear_backward(dy, cache)[1:]


@mistake("quantized_linear_backward", "x gets no gradient, as if it ended at the codes; it passes them (6)")
def no_gradient_for_x(dy, cache):
    return np.zeros_like(cache.x), *quantized_linear_backward(dy, cache)[1:]


@mistake("quantized_linear_backward", "dscale leaves the codes out: s multiplies them (equation 8)")
def dscale_without_codes(dy, cache):
    dx, _, dzero, dbias = quantized_linear_backward(dy, cache)
    ones = cache._replace(codes=np.ones_like(cache.codes))
    return dx, quantized_linear_backward(dy, ones)[1], dzero, dbias


@mistake("quantized_linear_backward", "dzero is taken through the codes; z is added, whatever the code (equation 8)")
def dzero_through_the_codes(dy, cache):
    dx, dscale, dzero, dbias = quantized_linear_backward(dy, cache)
    return dx, dscale, None if dzero is None else dscale, dbias


@mistake("output_error_bound", "it uses whole steps; the nearest point is at most half a step away (equation 11)")
def whole_steps(x, scale, group=None):
    return 2 * output_error_bound(x, scale, group)


@mistake("output_error_bound", "positive and negative x cancel; for a bound each counts by its size (equation 10)")
def signs_cancel(x, scale, group=None):
    return output_error_bound(np.maximum(x, 0), scale, group) - output_error_bound(np.maximum(-x, 0), scale, group)


@mistake("output_error_bound", "errors add like those of chance, by squares; a bound holds for the worst (equation 11)")
def errors_by_squares(x, scale, group=None):
    wide = spread(scale, group, x.shape[-1])
    return np.sqrt(x**2 @ (wide / 2).T ** 2)


@mistake("pack", "the even column is in the high half; it belongs in the low one")
def halves_swapped(codes):
    packed = pack(codes)
    return packed >> 4 | packed << 4


@mistake("pack", "a code below 0 is not moved up by 8 first")
def not_moved_up(codes):
    return pack((codes & 15).astype(np.uint8))


@mistake("unpack", "the low halves come first, then the high ones; they take turns")
def one_half_after_the_other(packed, n_columns, signed=False):
    codes = np.concatenate([packed & 15, packed >> 4], axis=1)[:, :n_columns]
    return codes.astype(np.int8) - np.int8(8) if signed else codes


@mistake("unpack", "the 8 is not taken off again")
def eight_left_on(packed, n_columns, signed=False):
    codes = unpack(packed, n_columns)
    return codes.astype(np.int8) if signed else codes
