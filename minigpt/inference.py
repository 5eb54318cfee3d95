"""A model made ready for use: the same model, with its weights in a form that is quicker to read.

    quick = prepare(model, "int8")
    quick(ids, cache=cache)                            # as model(ids, cache=cache)

Writing a token reads every weight once, so its speed is the memory's speed divided by the bytes of the weights: half
the bytes, twice the speed.
"""
import copy

import torch

from minigpt.embedding import Embedding
from minigpt.errors import InputError
from minigpt.linear import Linear
from minigpt.listing import suggest
from minigpt.packed import FORMS, PackedLinear, packed
from minigpt.quantization import KINDS, QuantizedLinear, quantize_model


def prepare(model, kind="float32"):
    """A model of the same interface, not for training, with its linear layers packed. The given one stays as it is.

    kind: float32, bf16, int8 (one grid a row) or int4 (smallest to largest in groups of 32; the output layer int8).
    Embeddings, norms and biases stay float32, and so do activations between layers. Weights that need no change are
    shared with the given model. On a GPU, or where PyTorch has no such operator, layers keep their readable form.
    Raises InputError for another kind, and ValueError for a model that is quantized already.
    """
    if kind not in FORMS:
        raise InputError(f"no form of weights {kind!r}; {suggest(kind, FORMS)}")
    model = copy.deepcopy(model, {id(p): p for p in model.parameters()}).eval()
    if kind in KINDS:
        quantize_model(model, kind)
    elif getattr(model.config, "tied_embeddings", False) and model.config.causal:
        model.output = _linear(model.token_embedding.weight)
    if next(model.parameters()).device.type == "cpu":
        _pack(model, kind)
    return model


def bytes_per_token(model):
    """Bytes that a model reads from memory to write one token: all but its embeddings, of which it reads some rows."""
    bytes_read, seen = 0, set()
    for module in model.modules():
        if isinstance(module, PackedLinear):
            bytes_read += module.n_bytes
            seen.update(module.readable.modules())
        elif module not in seen and not isinstance(module, Embedding):
            own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
            bytes_read += sum(t.numel() * t.element_size() for t in own)
    if not hasattr(model, "output"):                   # the token embedding is the output layer as well
        bytes_read += model.token_embedding.weight.numel() * model.token_embedding.weight.element_size()
    return bytes_read


def _pack(model, kind):
    tried = {}
    for parent in [*model.modules()]:
        for name, child in [*parent.named_children()]:
            if type(child) in (Linear, QuantizedLinear):
                is_8_bits = isinstance(child, QuantizedLinear) and not child.is_packed
                setattr(parent, name, packed(child, "int8" if is_8_bits else kind, tried))


def _linear(weight):
    """A Linear with this weight, which it shares, and no bias."""
    with torch.device("meta"):
        layer = Linear(*reversed(weight.shape), bias=False)
    layer.weight = weight
    return layer
