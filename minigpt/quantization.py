"""Quantization: weights as whole numbers on a grid, a few bits each, and what that costs."""
from collections import namedtuple

import torch
from torch import nn

from minigpt.linear import Linear
from minigpt.swap import replaceable

HOWS = ("absmax", "minmax")
KINDS = {                                              # what quantize_model knows by a name
    "int8": {"bits": 8},                               # one grid a row
    "int4": {"bits": 4, "group": 32, "how": "minmax"},
    "int4-absmax": {"bits": 4, "group": 32},
}


@replaceable
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
    padded = torch.cat([weight, weight[:, -1:].repeat_interleave(-I % group, dim=1)], dim=1)      # its last one again
    groups = padded.reshape(O, padded.shape[1] // group, group)                   # (O,n,group)
    if how == "absmax":
        low, high, zero = -(2 ** (bits - 1) - 1), 2 ** (bits - 1) - 1, None
        scale = groups.abs().amax(dim=-1) / high                                  # (O,n)  (1)
        distance = groups                                                         # (O,n,group)
    else:
        low, high, zero = 0, 2**bits - 1, groups.amin(dim=-1)                     # (O,n)
        scale = (groups.amax(dim=-1) - zero) / high                               # (O,n)  (1)
        distance = groups - zero[:, :, None]                                      # (O,n,group)
    steps = torch.where(scale > 0, scale, torch.inf)                              # (O,n)  all equal: every code is 0
    codes = torch.round(distance / steps[:, :, None]).clip(low, high)             # (O,n,group)  (2)
    codes = codes.to(torch.int8 if how == "absmax" else torch.uint8)
    return codes.reshape(O, padded.shape[1])[:, :I].contiguous(), scale, zero


@replaceable
def dequantize(codes, scale, zero=None, group=None):
    """The point of the grid that each code stands for.

        (3) w^_oi = q_oi s_og + z_og                              (no z with absmax)
        (4) |w_oi - w^_oi| <= s_og / 2                            (the nearest point is at most half a step away)

    Arguments as quantize returns them. Returns w^: (O, I), of scale's dtype.
    """
    I = codes.shape[1]
    weight = codes.to(scale.dtype) * spread(scale, group, I)                      # (O,I)  (3)
    return weight if zero is None else weight + spread(zero, group, I)            # (O,I)  (3)


@replaceable
def quantized_linear(x, codes, scale, zero=None, bias=None, group=None):
    """A linear layer whose weight is stored as codes.

        (5) y_no = sum_i x_ni w^_oi + b_o                         (w^ of equation 3)

    x: (..., I); the others as quantize returns them; bias: (O,), or None.
    Returns y: (..., O).
    """
    O, I = codes.shape
    weight = dequantize(codes, scale, zero, group)                                # (O,I)
    y = x.reshape(-1, I) @ weight.T                                               # (N,O)
    if bias is not None:
        y = y + bias                                                              # (N,O)  (5)
    return y.reshape(*x.shape[:-1], O)


def output_error_bound(x, scale, group=None):
    """How far the output of a quantized linear layer can be from that of the layer it came from, at most.

        (10) |y_no - y^_no| = |sum_i x_ni (w_oi - w^_oi)| <= sum_i |x_ni| |w_oi - w^_oi|
        (11)               <= sum_g s_og / 2 sum_i |x_ni|         (equation 4; i: the columns of group g)

    x: (..., I); scale: (O, n groups). Returns (..., O).
    """
    I = x.shape[-1]
    sums = gathered(x.abs().reshape(-1, I), group)                                # (N,n)
    return (sums @ scale.T / 2).reshape(*x.shape[:-1], len(scale))                # (...,O)  (11)


def pack(codes):
    """Two codes of 4 bits in a byte: that of the even column in the low half, that of the odd one in the high half.

    codes: (O, I), uint8 from 0 to 15, or int8 from -8 to 7, which are stored with 8 added. An odd row ends with a 0.
    Returns bytes: (O, I/2, rounded up), uint8.
    """
    codes = (codes + 8 if codes.dtype == torch.int8 else codes).to(torch.uint8)   # (O,I)
    codes = torch.cat([codes, torch.zeros_like(codes[:, :codes.shape[1] % 2])], dim=1)
    return codes[:, 0::2] | codes[:, 1::2] << 4                                   # (O,I/2)


def unpack(packed, n_columns, signed=False):
    """The codes that pack has packed: (O, n_columns), uint8, or int8 if signed."""
    halves = torch.stack([packed & 15, packed >> 4], dim=-1)                      # (O,I/2,2)
    codes = halves.flatten(1)[:, :n_columns]                                      # (O,I)
    return codes.to(torch.int8) - 8 if signed else codes


def spread(values, group, I):
    """One value for each group -> one for each of the I columns: (O, n) -> (O, I)."""
    return values.repeat_interleave(group or max(I, 1), dim=1)[:, :I]


def gathered(values, group):
    """The sum of each group's columns: (N, I) -> (N, n)."""
    N, I = values.shape
    group = group or max(I, 1)
    padded = torch.cat([values, values.new_zeros(N, -I % group)], dim=1)
    return padded.reshape(N, padded.shape[1] // group, group).sum(dim=-1)


class QuantizedLinear(nn.Module):
    """A Linear whose weight is kept as codes, two in a byte if they have 4 bits; its bias stays as it is.

    linear: the Linear it is made from. bits, group, how: as in quantize.
    """

    def __init__(self, linear, bits=8, group=None, how="absmax"):
        super().__init__()
        codes, scale, zero = quantize(linear.weight.detach(), bits, group, how)
        self.group, self.n_columns, self.is_signed, self.is_packed = group, codes.shape[1], how == "absmax", bits <= 4
        self.register_buffer("stored", pack(codes) if self.is_packed else codes)
        self.register_buffer("scale", scale)
        self.register_buffer("zero", zero)
        self.bias = linear.bias

    @property
    def codes(self):
        """The codes, one a number: (O, I)."""
        return unpack(self.stored, self.n_columns, self.is_signed) if self.is_packed else self.stored

    @property
    def weight(self):
        """The weight that the codes stand for: (O, I)."""
        return dequantize(self.codes, self.scale, self.zero, self.group)

    def forward(self, x):
        return quantized_linear(x, self.codes, self.scale, self.zero, self.bias, self.group)


def quantize_model(model, kind):
    """Put a QuantizedLinear in the place of every Linear of a model, in place. Returns the model, which is not trained.

    An output layer that shares the token embedding gets codes of its own, of 8 bits a row at least: every score comes
    from it. The embedding stays, since it is looked up, one row a token; so do norms, biases and positions.
    kind: a name of KINDS, or the options of quantize as a dict.
    Raises ValueError for another name, and if the model has no Linear to quantize (any more).
    """
    if isinstance(kind, str) and kind not in KINDS:
        raise ValueError(f"kind={kind!r} is not one of {', '.join(KINDS)}")
    options = KINDS[kind] if isinstance(kind, str) else kind
    places = [(parent, name) for parent in model.modules() for name, child in parent.named_children()
              if type(child) is Linear]
    if not places:
        raise ValueError("the model has no Linear to quantize; is it quantized already?")
    for parent, name in places:
        is_output = parent is model and name == "output"
        setattr(parent, name, QuantizedLinear(getattr(parent, name), **(KINDS["int8"] if is_output else options)))
    if getattr(getattr(model, "config", None), "tied_embeddings", False) and model.config.causal:
        model.output = QuantizedLinear(_Tied(model.token_embedding.weight), **KINDS["int8"])
    return model.requires_grad_(False)


_Tied = namedtuple("_Tied", "weight bias", defaults=(None,))


def n_bytes(model):
    """Bytes of all parameters and buffers of a model, or of a layer: a tensor that two share counts once."""
    tensors = {t.data_ptr(): t for t in [*model.parameters(), *model.buffers()]}
    return sum(t.numel() * t.element_size() for t in tensors.values())


def _require(weight, bits, group, how):
    if how not in HOWS:
        raise ValueError(f"how={how!r} is not one of {', '.join(HOWS)}")
    if bits not in range(2, 9):
        raise ValueError(f"bits={bits} must be a whole number from 2 to 8")
    if group is not None and group < 1:
        raise ValueError(f"group={group} must be at least 1; leave it out for one grid a row")
    if not weight.isfinite().all():
        raise ValueError("the weight holds NaN or infinity: no grid reaches it; did training diverge?")
