"""Other right answers to the exercises of quantisation: PyTorch, a group at a time; and a search between levels."""
import math

import numpy as np
import torch


def my_quantize(weight, bits=8, group=None, how="absmax"):
    if how not in ("absmax", "minmax") or not 2 <= bits <= 8 or (group is not None and group < 1):
        raise ValueError(f"bits={bits}, group={group}, how={how!r}")
    if not np.isfinite(weight).all():
        raise ValueError("weights must be finite")
    codes, scales, zeros = [], [], []
    for columns in torch.tensor(weight).split(group or max(weight.shape[1], 1), dim=1):
        low, high = (x.unsqueeze(1) for x in torch.aminmax(columns, dim=1))
        if how == "absmax":
            low, high, most = torch.zeros_like(low), columns.abs().amax(1, keepdim=True), 2 ** (bits - 1) - 1
        else:
            most = 2**bits - 1
        scale = (high - low) / most
        code = torch.where(scale == 0, 0, torch.round((columns - low) / scale))
        codes.append(code.to(torch.int8 if how == "absmax" else torch.uint8))
        scales.append(scale)
        zeros.append(low)
    codes, scales, zeros = (torch.cat(x, dim=1).numpy() for x in (codes, scales, zeros))
    return codes, scales, zeros if how == "minmax" else None


def my_dequantize(codes, scale, zero=None, group=None):
    weight = np.empty(codes.shape, scale.dtype)
    for o, i in np.ndindex(codes.shape):
        g = i // (group or codes.shape[1])
        weight[o, i] = codes[o, i] * scale[o, g] + (0 if zero is None else zero[o, g])
    return weight


def codebook_quantize(weight, levels, group):
    O, I = weight.shape
    groups = weight.reshape(O, math.ceil(I / group), group)
    scale = np.abs(groups).max(axis=-1)
    shares = np.divide(groups, scale[..., None], out=np.zeros_like(groups), where=scale[..., None] > 0)
    between = (levels[1:] + levels[:-1]) / 2
    return np.searchsorted(between, shares).astype(np.uint8).reshape(O, I), scale


def codebook_restore(codes, scale, levels, group):
    return (levels[codes] * np.repeat(scale, group, axis=1)).astype(scale.dtype)


def somebodys_quantize(weight, bits=8, group=None, how="absmax"):
    if how not in ("absmax", "minmax") or not 2 <= bits <= 8 or (group is not None and group < 1):
        raise ValueError(f"bits={bits}, group={group}, how={how!r}")
    if not np.isfinite(weight).all():
        raise ValueError("weights must be finite")
    O, I = weight.shape
    parts = [weight[:, at:at + (group or I)] for at in range(0, I, group or I)] if I else []
    codes, scale = np.zeros((O, I), np.int8 if how == "absmax" else np.uint8), np.zeros((O, len(parts)), weight.dtype)
    zero, at = np.zeros_like(scale), 0
    for n, part in enumerate(parts):
        for o, row in enumerate(part):
            if how == "minmax":
                zero[o, n], scale[o, n] = row.min(), (row.max() - row.min()) / (2**bits - 1)
            else:
                scale[o, n] = abs(row).max() / (2 ** (bits - 1) - 1)
            if scale[o, n] > 0:
                codes[o, at:at + len(row)] = np.rint((row - zero[o, n]) / scale[o, n])
        at += part.shape[1]
    return codes, scale, zero if how == "minmax" else None


def decode_bound(shapes, bits, group, per_group, bandwidth):
    total = 0
    for O, I in shapes:
        for first in range(0, I, group or I):
            columns = min(group or I, I - first)
            total += O * (columns * bits / 8 + per_group * 16 / 8)
    return {"tokens per second": bandwidth / total, "bytes": total}
