"""Quantization: weights as whole numbers on a grid, a few bits each, and what that costs."""
from collections import namedtuple

import numpy as np

HOWS = ("absmax", "minmax")
QuantizedLinearCache = namedtuple("QuantizedLinearCache", "x weight codes group has_zero has_bias")


def quantize(weight, bits=8, group=None, how="absmax"):
    """Round each weight to the nearest point of a grid; each group of a row has a grid of its own.

        (1) absmax: s_og = max_i |w_oi| / (2^(bits-1) - 1)                       (i: the columns of group g)
            minmax: s_og = (max_i w_oi - min_i w_oi) / (2^bits - 1),   z_og = min_i w_oi
        (2) absmax: q_oi = round(w_oi / s_og);   minmax: q_oi = round((w_oi - z_og) / s_og);   0 where s_og = 0

    weight: (O, I). bits: 2 to 8. group: columns that share a grid, the last group of a row may be shorter; None for
    the whole row, which is called "per channel". A tie is rounded to the even number.
    Returns codes: (O, I), int8 for absmax, uint8 for minmax; scale: (O, n groups); zero: (O, n groups), or None.
    Raises ValueError for bits, a group or a name out of range, and for weights that are not finite.
    Source: absmax, Dettmers et al. 2022, arXiv:2208.07339, section 2.1; minmax in groups of 32 is Q4_1 of GGUF files.
    """
    _require(weight, bits, group, how)
    O, I = weight.shape
    group = group or max(I, 1)
    padded = np.concatenate([weight, np.repeat(weight[:, -1:], -I % group, axis=1)], axis=1)      # its last one again
    groups = padded.reshape(O, padded.shape[1] // group, group)                   # (O,n,group)
    if how == "absmax":
        low, high, zero = -(2 ** (bits - 1) - 1), 2 ** (bits - 1) - 1, None
        scale = np.abs(groups).max(axis=-1) / high                                # (O,n)  (1)
        distance = groups                                                         # (O,n,group)
    else:
        low, high, zero = 0, 2**bits - 1, groups.min(axis=-1)                     # (O,n)
        scale = (groups.max(axis=-1) - zero) / high                               # (O,n)  (1)
        distance = groups - zero[:, :, None]                                      # (O,n,group)
    steps = np.where(scale > 0, scale, np.inf)                                    # (O,n)  all equal: every code is 0
    codes = np.rint(distance / steps[:, :, None]).clip(low, high)                 # (O,n,group)  (2)
    codes = codes.astype(np.int8 if how == "absmax" else np.uint8)
    return codes.reshape(O, padded.shape[1])[:, :I], scale, zero


def dequantize(codes, scale, zero=None, group=None):
    """The point of the grid that each code stands for.

        (3) w^_oi = q_oi s_og + z_og                              (no z with absmax)
        (4) |w_oi - w^_oi| <= s_og / 2                            (the nearest point is at most half a step away)

    Arguments as quantize returns them. Returns w^: (O, I), of scale's dtype.
    """
    I = codes.shape[1]
    weight = codes.astype(scale.dtype) * spread(scale, group, I)                  # (O,I)  (3)
    return weight if zero is None else weight + spread(zero, group, I)            # (O,I)  (3)


def quantized_linear_forward(x, codes, scale, zero=None, bias=None, group=None):
    """A linear layer whose weight is stored as codes.

        (5) y_no = sum_i x_ni w^_oi + b_o                         (w^ of equation 3)

    x: (..., I); the others as quantize returns them; bias: (O,), or None.
    Returns y: (..., O), and the cache that quantized_linear_backward needs.
    """
    O, I = codes.shape
    weight = dequantize(codes, scale, zero, group)                                # (O,I)
    y = x.reshape(-1, I) @ weight.T                                               # (N,O)
    if bias is not None:
        y = y + bias                                                              # (N,O)  (5)
    return y.reshape(*x.shape[:-1], O), QuantizedLinearCache(x, weight, codes, group, zero is not None,
                                                             bias is not None)


def quantized_linear_backward(dy, cache):
    """Gradients of the loss with respect to x, scale, zero and bias. A code is a whole number: it has none.

        (6) dx = dy w^
        (7) dw^ = dy^T x
        (8) ds_og = sum_i dw^_oi q_oi,    dz_og = sum_i dw^_oi     (i: the columns of group g)
        (9) db_o = sum_n dy_no

    dy: (..., O). Returns dx: (..., I), dscale: (O, n groups), dzero: (O, n groups) or None, dbias: (O,) or None.
    """
    x, weight, codes, group, has_zero, has_bias = cache
    O, I = codes.shape
    drows = dy.reshape(-1, O)                                                     # (N,O)
    dx = (drows @ weight).reshape(x.shape)                                        # (...,I)  (6)
    dweight = drows.T @ x.reshape(-1, I)                                          # (O,I)  (7)
    dscale = gathered(dweight * codes.astype(dweight.dtype), group)               # (O,n)  (8)
    dzero = gathered(dweight, group) if has_zero else None                        # (O,n)  (8)
    dbias = drows.sum(axis=0) if has_bias else None                               # (O,)  (9)
    return dx, dscale, dzero, dbias


def output_error_bound(x, scale, group=None):
    """How far the output of a quantized linear layer can be from that of the layer it came from, at most.

        (10) |y_no - y^_no| = |sum_i x_ni (w_oi - w^_oi)| <= sum_i |x_ni| |w_oi - w^_oi|
        (11)               <= sum_g s_og / 2 sum_i |x_ni|         (equation 4; i: the columns of group g)

    x: (..., I); scale: (O, n groups). Returns (..., O).
    """
    I = x.shape[-1]
    sums = gathered(np.abs(x).reshape(-1, I), group)                              # (N,n)
    return (sums @ scale.T / 2).reshape(*x.shape[:-1], len(scale))                # (...,O)  (11)


def pack(codes):
    """Two codes of 4 bits in a byte: that of the even column in the low half, that of the odd one in the high half.

    codes: (O, I), uint8 from 0 to 15, or int8 from -8 to 7, which are stored with 8 added. An odd row ends with a 0.
    Returns bytes: (O, I/2, rounded up), uint8.
    """
    codes = (codes + 8 if codes.dtype == np.int8 else codes).astype(np.uint8)     # (O,I)
    codes = np.concatenate([codes, np.zeros_like(codes[:, :codes.shape[1] % 2])], axis=1)
    return codes[:, 0::2] | codes[:, 1::2] << 4                                   # (O,I/2)


def unpack(packed, n_columns, signed=False):
    """The codes that pack has packed: (O, n_columns), uint8, or int8 if signed."""
    halves = np.stack([packed & 15, packed >> 4], axis=-1)                        # (O,I/2,2)
    codes = halves.reshape(len(packed), 2 * packed.shape[1])[:, :n_columns]                # (O,I)
    return codes.astype(np.int8) - np.int8(8) if signed else codes


def spread(values, group, I):
    """One value for each group -> one for each of the I columns: (O, n) -> (O, I)."""
    return np.repeat(values, group or max(I, 1), axis=1)[:, :I]


def gathered(values, group):
    """The sum of each group's columns: (N, I) -> (N, n)."""
    N, I = values.shape
    group = group or max(I, 1)
    padded = np.concatenate([values, np.zeros((N, -I % group), values.dtype)], axis=1)
    return padded.reshape(N, padded.shape[1] // group, group).sum(axis=-1)


def _require(weight, bits, group, how):
    if how not in HOWS:
        raise ValueError(f"how={how!r} is not one of {', '.join(HOWS)}")
    if bits not in range(2, 9):
        raise ValueError(f"bits={bits} must be a whole number from 2 to 8")
    if group is not None and group < 1:
        raise ValueError(f"group={group} must be at least 1; leave it out for one grid a row")
    if not np.isfinite(weight).all():
        raise ValueError("the weight holds NaN or infinity: no grid reaches it; did training diverge?")
