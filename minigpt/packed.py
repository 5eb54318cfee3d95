"""Weights laid out in memory as PyTorch's operators for a CPU want them: for a model that reads and writes, not learns.

    float32  oneDNN's product, the weight in oneDNN's own order
    bf16     the same in bfloat16: 2 bytes a weight
    int8     codes of 8 bits, one grid a row; x in bfloat16
    int4     codes of 4 bits in groups; x in bfloat16, and so are scale and zero

PyTorch does not promise these operators: their names begin with _. So each shape of layer is tried once when it is
packed. Where an operator is missing, refuses the shape, or answers something else, the layer stays what it was.
"""
import contextvars

import torch
from torch import nn

from minigpt.quantization import QuantizedLinear
from minigpt.swap import yours

FORMS = ("float32", "bf16", "int8", "int4")
INSIDE = ("linear", "quantized_linear", "dequantize")  # what a packed layer computes; it gives way to yours
TOLERANCE = {"float32": 1e-5, "bf16": 2e-2, "int8": 2e-2, "int4": 2e-2}      # of the largest output; 8 bits are 4e-3
GROUPS = (32, 64, 128, 256)                            # that the 4-bit operator knows


class PackedLinear(nn.Module):
    """A layer whose weight is packed. It computes what `readable`, the Linear or QuantizedLinear it is made from, does.

    readable: the layer; it is called where a function of yours stands in for one that this would hide.
    form: one of FORMS; an int8 or int4 one is made from a QuantizedLinear with such codes.
    Raises ValueError if there is no such form of the layer.
    """

    def __init__(self, readable, form):
        super().__init__()
        if form not in forms_of(readable):
            raise ValueError(f"form={form!r} is not one of those of this layer: {', '.join(forms_of(readable))}")
        self.readable, self.form, self.n_out = readable, form, shape_of(readable)[0]
        self.dtype = torch.float32 if form == "float32" else torch.bfloat16
        pack, self.multiply = _OPERATORS[form]
        self.tensors = pack(readable)                  # kept from state_dict: oneDNN's have an order of their own

    def forward(self, x):
        if yours(*INSIDE):
            return self.readable(x)
        rows = x.reshape(-1, x.shape[-1]).to(self.dtype)                          # (N,I)
        y = self.multiply(rows, *self.tensors)                                    # (N,O)
        y = y.to(x.dtype).reshape(*x.shape[:-1], self.n_out)                      # (...,O)
        return y if self.readable.bias is None else y + self.readable.bias

    @property
    def n_bytes(self):
        """Bytes that are read for a token: the packed weight, and its steps."""
        return sum(t.numel() * t.element_size() for t in self.tensors if isinstance(t, torch.Tensor))


def forms_of(layer):
    """The forms that a layer may have: those of floats for a Linear, that of its codes for a QuantizedLinear."""
    if not isinstance(layer, QuantizedLinear):
        return ("float32", "bf16")
    if not layer.is_packed:
        return ("int8",) if layer.is_signed and layer.scale.shape[1] == 1 else ()
    return ("int4",) if layer.group in GROUPS and layer.n_columns % layer.group == 0 else ()


def shape_of(layer):
    """(O, I)."""
    return (len(layer.stored), layer.n_columns) if isinstance(layer, QuantizedLinear) else tuple(layer.weight.shape)


def packed(layer, form, tried):
    """A PackedLinear for a layer, or the layer itself where no operator here does it.

    tried: a dict, {(form, O, I): whether it works}, that knows shapes tried before and learns of new ones.
    """
    key = form, *shape_of(layer)
    if form in forms_of(layer) and tried.get(key, True):
        try:
            packed_layer = PackedLinear(layer, form)
            tried[key] = tried.get(key) or contextvars.Context().run(_agrees, packed_layer, layer, form)
            return packed_layer if tried[key] else layer
        except (RuntimeError, AttributeError):         # no such operator, or not for this shape
            tried[key] = False
    return layer


@torch.no_grad()
def _agrees(packed_layer, layer, form):
    """Whether both say the same of one row, and of three. In a context of its own, where nothing is replaced."""
    rows = torch.randn(3, shape_of(layer)[1], generator=torch.Generator().manual_seed(0))
    expected = layer(rows)
    most = TOLERANCE[form] * expected.abs().max()
    return all((packed_layer(rows[:n]) - expected[:n]).abs().max() <= most for n in (1, 3))


def _pack_floats(layer):
    return (torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), 1),)   # 1: one row at a time, mostly


def _pack_bfloat16(layer):
    return (torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach().to(torch.bfloat16), 1),)


def _multiply_floats(rows, weight):
    return torch.ops.mkldnn._linear_pointwise(rows, weight, None, "none", [], "")


def _pack_8_bits(layer):
    return layer.codes, layer.scale[:, 0].to(torch.bfloat16)                      # (O,I), (O,)


def _multiply_8_bits(rows, codes, scale):
    return torch.ops.aten._weight_int8pack_mm(rows, codes, scale)


def _pack_4_bits(layer):
    codes = (layer.codes + 8 if layer.is_signed else layer.codes).to(torch.int32)                 # (O,I)  0 to 15
    middle = torch.zeros_like(layer.scale) if layer.is_signed else layer.zero + 8 * layer.scale   # (O,n)  code 8
    steps = torch.stack([layer.scale, middle], dim=-1).transpose(0, 1).to(torch.bfloat16)         # (n,O,2)
    return torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes, 1), steps.contiguous(), layer.group


def _multiply_4_bits(rows, codes, steps, group):
    return torch.ops.aten._weight_int4pack_mm_for_cpu(rows, codes, group, steps)


_OPERATORS = {"float32": (_pack_floats, _multiply_floats), "bf16": (_pack_bfloat16, _multiply_floats),
              "int8": (_pack_8_bits, _multiply_8_bits), "int4": (_pack_4_bits, _multiply_4_bits)}
