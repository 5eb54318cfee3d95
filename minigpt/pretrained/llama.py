"""Weights of Llama's architecture under our names: what a stranger's file calls them, and how it orders their rows."""
import re

import torch

from minigpt.config import preset
from minigpt.errors import InputError
from minigpt.rope_pairs import halves_from_neighbours
from minigpt.tokenizer import BPETokenizer
from minigpt.transformer import Transformer

GGUF_NAMES = {                                         # theirs -> ours; {} is the number of the block
    "token_embd": "token_embedding",
    "output_norm": "final_norm",
    "output": "output",
    "blk.{}.attn_norm": "blocks.{}.attention_norm",
    "blk.{}.attn_q": "blocks.{}.attention.query",
    "blk.{}.attn_k": "blocks.{}.attention.key",
    "blk.{}.attn_v": "blocks.{}.attention.value",
    "blk.{}.attn_output": "blocks.{}.attention.output",
    "blk.{}.ffn_norm": "blocks.{}.feed_forward_norm",
    "blk.{}.ffn_gate": "blocks.{}.feed_forward.gate",
    "blk.{}.ffn_up": "blocks.{}.feed_forward.up",
    "blk.{}.ffn_down": "blocks.{}.feed_forward.down",
}
SPLITS = {"smollm": True, "gpt-2": False}              # tokenizer.ggml.pre: is each digit a word?
NORMAL, SPECIAL = 1, 3                                 # tokenizer.ggml.token_type


def from_gguf(file, name):
    """(model, tokenizer) of a GgufFile of Llama's architecture. name: what to call the file in a message.

    Raises InputError for another architecture or tokenizer, and for tensors that do not fit together.
    """
    config, tokenizer = gguf_config(file, name), gguf_tokenizer(file, name)
    require_vocabulary(config, tokenizer, name)
    ours = {our_name(theirs, GGUF_NAMES, name): theirs for theirs in file.tensors}
    shapes = {key: file.tensors[theirs].shape for key, theirs in ours.items()}
    return assembled(config, shapes, lambda key: _in_our_order(key, file.tensor(ours[key]), config), name), tokenizer


def gguf_config(file, name):
    """The TransformerConfig that the metadata of a GgufFile describe."""
    architecture = file.metadata.get("general.architecture")
    if architecture != "llama":
        raise InputError(f"{name} holds the architecture {architecture!r}; of GGUF files we read 'llama'")

    def value(key, kind=int, default=None):
        return positive(file.metadata.get(f"llama.{key}", default), kind, f"{name}: llama.{key}")
    n_head = value("attention.head_count")
    refuse_scaling(file.metadata.get("llama.rope.scaling.type", "none"), name)
    if value("expert_count", default=1) > 1:
        raise InputError(f"{name} is a mixture of experts, which our Transformer is not")
    size = {"n_layer": value("block_count"), "n_head": n_head, "d_model": value("embedding_length"),
            "n_kv_head": value("attention.head_count_kv", default=n_head), "d_ff": value("feed_forward_length"),
            "context_length": value("context_length"), "norm_eps": value("attention.layer_norm_rms_epsilon", float),
            "rope_theta": value("rope.freq_base", float, 10000.0), "vocab_size": _vocab_size(file, name)}
    config = llama_config(size | {"tied_embeddings": "output.weight" not in file.tensors}, name)
    for key in ("rope.dimension_count", "attention.key_length", "attention.value_length"):
        if value(key, default=config.d_head) != config.d_head:
            raise InputError(f"{name}: llama.{key} is {value(key)}, where a head has {config.d_head} features: that is "
                             "another architecture")
    return config


def positive(found, kind, what):
    """A value of a stranger's configuration. Raises InputError unless it is a positive int or float, as `kind` says."""
    if type(found) is int and kind is float and found < 2**31:
        found = float(found)
    if type(found) is not kind or not 0 < found < 2**31:
        raise InputError(f"{what} is {found!r:.80}; it must be a positive {kind.__name__}")
    return found


def llama_config(values, name):
    """The preset "llama" with other values. Raises InputError if they do not fit together."""
    try:
        return preset("llama", **values)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from error


def refuse_scaling(kind, name):
    """Raise InputError if rope's angles are scaled, unless `kind` says that they are not."""
    if kind not in (None, "none", "default"):
        raise InputError(f"{name} scales rope's angles ({kind}), which our rope does not; take a model without")


def assembled(config, shapes, tensor, name):
    """A Transformer with a stranger's weights.

    shapes: {our name: shape} of all that the file holds. tensor(our name): the tensor, float32; asked for only once all
    shapes are known to fit. name: what to call the file in a message.
    Raises InputError if a tensor is missing, has no place, another shape, or holds infinity or NaN.
    """
    if config.n_layer * 9 > len(shapes):               # before anything is made of that many layers
        raise InputError(f"{name}: {config.n_layer} layers, but only {len(shapes)} tensors; some are missing")
    try:
        with torch.device("meta"):
            model = Transformer(config)
    except RuntimeError as error:                      # sizes whose product no tensor can have
        raise InputError(f"{name}: sizes that no model has ({error})") from error
    expected = {key: tuple(p.shape) for key, p in model.state_dict().items()}
    if wrong := sorted(expected.keys() ^ shapes.keys()):
        why = "is missing" if wrong[0] in expected else "has no place in our Transformer"
        raise InputError(f"{name}: {wrong[0]} {why} ({len(wrong)} tensors differ)")
    for key, shape in expected.items():
        if tuple(shapes[key]) != shape:
            raise InputError(f"{name}: {key} has the shape {tuple(shapes[key])}, where the sizes of the model say "
                             f"{shape}")
    model.load_state_dict({key: _finite(tensor(key), key, name) for key in expected}, assign=True)
    return model


def _finite(weight, key, name):
    """The weight as a parameter. A damaged scale makes 32 weights infinite or NaN, and then every answer NaN."""
    low, high = weight.aminmax()                       # NaN if there is one
    if not (low.isfinite() and high.isfinite()):
        raise InputError(f"{name} is damaged: {key} holds values from {low:g} to {high:g}; fetch it again")
    return torch.nn.Parameter(weight)


def gguf_tokenizer(file, name):
    """The BPETokenizer in the metadata of a GgufFile."""
    kind, split, vocabulary, types, merges = (
        file.metadata.get(f"tokenizer.ggml.{key}") for key in ("model", "pre", "tokens", "token_type", "merges"))
    if kind != "gpt2" or split not in SPLITS:
        raise InputError(f"{name}: tokenizer {kind!r} that splits as {split!r}; we read byte-level BPE ('gpt2') that "
                         f"splits as {' or '.join(map(repr, SPLITS))}")
    try:
        unknown = set(types) - {NORMAL, SPECIAL}
        special = [token for token, type_ in zip(vocabulary, types, strict=True) if type_ == SPECIAL]
        pairs = [tuple(merge.split(" ")) for merge in merges]
        if unknown:
            raise ValueError(f"tokens of type {min(unknown)}")
        return BPETokenizer.from_text(vocabulary, pairs, special, isolate_digits=SPLITS[split])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{name}: its tokenizer is damaged or not of a kind we know: {error}") from error


def our_name(theirs, names, name):
    """Our name of a stranger's tensor. names: {theirs: ours}, without ".weight" and with {} for the block's number.

    Raises InputError for a tensor that is not among them.
    """
    for pattern, ours in names.items():
        if match := re.fullmatch(re.escape(f"{pattern}.weight").replace(r"\{\}", r"(\d{1,4})"), theirs):
            return f"{ours.format(*match.groups())}.weight"
    raise InputError(f"{name} holds {theirs}, for which our Transformer has no place")


def require_vocabulary(config, tokenizer, name):
    """Raise InputError if a tokenizer has tokens that the model has not. (A model may have more: sizes are rounded.)"""
    if tokenizer.vocab_size > config.vocab_size:
        raise InputError(f"{name}: {tokenizer.vocab_size} tokens, but embeddings for {config.vocab_size}; tokenizer "
                         "and weights are not of one model")


def _vocab_size(file, name):
    if "token_embd.weight" not in file.tensors:
        raise InputError(f"{name}: token_embd.weight is missing")
    return file.tensors["token_embd.weight"].shape[0]


def _in_our_order(key, weight, config):
    """Queries and keys are written for rope's pairs of neighbours; ours turns pairs that are half a head apart."""
    if key.endswith("attention.query.weight"):
        return halves_from_neighbours(weight, config.n_head)
    if key.endswith("attention.key.weight"):
        return halves_from_neighbours(weight, config.n_kv_head)
    return weight
