"""Weights of Llama's kind as other people's programs write them, of a model small enough for every test."""
import gguf
import torch
from tiny import TEXT

from minigpt import pretrained
from minigpt.config import preset
from minigpt.errors import InputError
from minigpt.pretrained.llama import GGUF_NAMES
from minigpt.rope_pairs import neighbours_from_halves
from minigpt.tokenizer import BPETokenizer
from minigpt.transformer import Transformer

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
IDS = torch.tensor([[5, 200, 31, 7, 250, 99, 100, 2, 64]])


def stranger(**changes):
    """(model, tokenizer) of Llama's architecture, with weights as wide as trained ones; always the same."""
    tokenizer = BPETokenizer.train([TEXT], 290, SPECIAL)
    size = {"vocab_size": tokenizer.vocab_size, "context_length": 64, "n_layer": 2, "n_head": 4, "n_kv_head": 2,
            "d_model": 64, "d_ff": 96, "rope_theta": 50000.0, "norm_eps": 2**-17}
    model = Transformer(preset("llama", **size | changes), generator=torch.Generator().manual_seed(0)).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(8) if p.ndim == 2 else p.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(1))
    return model, tokenizer


def write_gguf(path, model, tokenizer, kind="F32", changes=()):
    """A GGUF file, written by the gguf library. kind: the type of all matrices.

    changes: other metadata, {name: value}; None leaves the name out.
    """
    writer, c = gguf.GGUFWriter(path, "llama"), model.config
    writer.add_block_count(c.n_layer)
    writer.add_context_length(c.context_length)
    writer.add_embedding_length(c.d_model)
    writer.add_feed_forward_length(c.d_ff)
    writer.add_head_count(c.n_head)
    writer.add_head_count_kv(c.n_kv_head)
    writer.add_layer_norm_rms_eps(c.norm_eps)
    writer.add_rope_freq_base(c.rope_theta)
    _add_tokenizer(writer, tokenizer)
    for name, value in dict(changes).items():
        writer.kv_data[0].pop(name, None)
        if value is not None:
            writer.add_key_value(name, value, gguf.GGUFValueType.get_type(value))
    for ours, weight in model.state_dict().items():
        name, data = _their_name(ours), in_their_order(ours, weight, c).numpy()
        type_ = gguf.GGMLQuantizationType[kind if data.ndim == 2 else "F32"]
        writer.add_tensor(name, gguf.quantize(data, type_), raw_dtype=type_)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def in_their_order(ours, weight, config):
    """A weight with the rows of queries and keys in pairs of neighbours."""
    heads = {"query": config.n_head, "key": config.n_kv_head}.get(ours.split(".")[-2])
    return neighbours_from_halves(weight, heads) if heads else weight


def _add_tokenizer(writer, tokenizer):
    document = tokenizer._document()
    special = set(tokenizer.special_ids.values())
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm" if tokenizer.isolate_digits else "gpt-2")
    writer.add_token_list(list(document["model"]["vocab"]))
    writer.add_token_types([3 if i in special else 1 for i in range(tokenizer.vocab_size)])
    writer.add_token_merges([" ".join(pair) for pair in document["model"]["merges"]])


def _their_name(ours):
    parts = ours.removesuffix(".weight").split(".")
    number = parts[1] if parts[0] == "blocks" else ""
    pattern = ".".join(["blocks", "{}", *parts[2:]] if number else parts)
    return {mine: theirs for theirs, mine in GGUF_NAMES.items()}[pattern].format(number) + ".weight"


def fails_well(path):
    """Whether a file is refused, which must be in one line."""
    try:
        pretrained.load(path)
    except InputError as error:
        if "\n" in str(error):
            raise AssertionError(f"more than a line: {error}") from error
        return True
    return False
