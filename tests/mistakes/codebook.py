"""Wrong answers to codebook."""
import numpy as np
from solutions.codebook import codebook_quantize, codebook_restore

from mistakes import mistake


@mistake("codebook_quantize", "the level below is taken, not the nearest (equation 2)")
def level_below(weight, levels, group):
    _, scale = codebook_quantize(weight, levels, group)
    share = weight / np.where(scale > 0, scale, 1).repeat(group, axis=1)
    return (np.searchsorted(levels, share + 1e-12) - 1).clip(0, len(levels) - 1).astype(np.uint8), scale


@mistake("codebook_quantize", "the level above is taken, not the nearest (equation 2)")
def level_above(weight, levels, group):
    _, scale = codebook_quantize(weight, levels, group)
    share = weight / np.where(scale > 0, scale, 1).repeat(group, axis=1)
    return np.searchsorted(levels, share).clip(0, len(levels) - 1).astype(np.uint8), scale


@mistake("codebook_quantize", "weights are compared with levels without being divided by their largest (equation 2)")
def not_divided(weight, levels, group):
    _, scale = codebook_quantize(weight, levels, group)
    return np.abs(weight[..., None] - levels).argmin(axis=-1).astype(np.uint8), scale


@mistake("codebook_quantize", "the levels are taken to be evenly spaced: the code is a rounded number (equation 2)")
def evenly_spaced(weight, levels, group):
    _, scale = codebook_quantize(weight, levels, group)
    share = weight / np.where(scale > 0, scale, 1).repeat(group, axis=1)
    return np.rint((share + 1) / 2 * (len(levels) - 1)).astype(np.uint8), scale


@mistake("codebook_quantize", "the largest is taken with its sign, where its size is what counts (equation 1)")
def largest_with_its_sign(weight, levels, group):
    O, I = weight.shape
    scale = weight.reshape(O, I // group, group).max(axis=-1)
    share = weight / np.where(scale > 0, scale, 1).repeat(group, axis=1)
    return np.abs(share[..., None] - levels).argmin(axis=-1).astype(np.uint8), scale


@mistake("codebook_quantize", "one scale for the whole row: each group has its own (equation 1)")
def one_scale_a_row(weight, levels, group):
    codes, scale = codebook_quantize(weight, levels, weight.shape[1])
    return codes, scale.repeat(weight.shape[1] // group, axis=1)


@mistake("codebook_quantize", "one scale for the whole matrix: each group of a row has its own (equation 1)")
def one_scale_for_all(weight, levels, group):
    codes, scale = codebook_quantize(weight.reshape(1, -1), levels, weight.size)
    return codes.reshape(weight.shape), np.full((len(weight), weight.shape[1] // group), scale[0, 0])


@mistake("codebook_quantize", "the scale is the standard deviation: weights beyond it are cut off (equation 1)")
def deviation_as_scale(weight, levels, group):
    O, I = weight.shape
    scale = weight.reshape(O, I // group, group).std(axis=-1)
    share = weight / np.where(scale > 0, scale, 1).repeat(group, axis=1)
    return np.abs(share[..., None] - levels).argmin(axis=-1).astype(np.uint8), scale


@mistake("codebook_quantize", "a group of zeros gives 0 / 0 (equation 2)")
def zeros_divide_by_zero(weight, levels, group):
    codes, scale = codebook_quantize(weight, levels, group)
    return codes, np.where(scale == 0, np.nan, scale)


@mistake("codebook_quantize", "the codes are 64 bits wide, which is what argmin gives; a code fits into a byte")
def wide_codes(weight, levels, group):
    codes, scale = codebook_quantize(weight, levels, group)
    return codes.astype(np.int64), scale


@mistake("codebook_quantize", "the weight itself is divided by its largest: an input must be left as it was")
def writes_into_the_weight(weight, levels, group):
    codes, scale = codebook_quantize(weight, levels, group)
    weight /= np.where(scale > 0, scale, 1).repeat(group, axis=1)
    return codes, scale


@mistake("codebook_restore", "the code is multiplied by the scale, and not the level that it stands for (equation 3)")
def code_for_level(codes, scale, levels, group):
    return (codes * scale.repeat(group, axis=1)).astype(scale.dtype)


@mistake("codebook_restore", "the scale is left out (equation 3)")
def scale_left_out(codes, scale, levels, group):
    return levels[codes].astype(scale.dtype)


@mistake("codebook_restore", "every group of a row gets the scale of the first (equation 3)")
def scale_of_the_first_group(codes, scale, levels, group):
    return codebook_restore(codes, np.repeat(scale[:, :1], scale.shape[1], axis=1), levels, group)


@mistake("codebook_restore", "scales take turns, column by column; each belongs to neighbouring columns (equation 3)")
def scales_in_turn(codes, scale, levels, group):
    return (levels[codes] * np.tile(scale, group)).astype(scale.dtype)
