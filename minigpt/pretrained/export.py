"""A model of ours as a folder in Hugging Face's layout, which other programs load: as GPT-2, or as Llama.

    files = exported(model, tokenizer)                 # {name: bytes}
"""
import json
import pathlib
import re
import tempfile

import torch
from safetensors.torch import save

from minigpt.chat_template import end_ids
from minigpt.errors import InputError
from minigpt.pretrained.hugging_face import CONFIG, LLAMA_NAMES, SIZES, TOKENIZER, WEIGHTS

SAME = {"norm_position": "pre", "causal": True, "query_key_norm": False, "token_types": 0, "embedding_norm": False}
NEEDED = {                                             # what a config must say to be one of these architectures
    "GPT-2": {"norm": ("layer_norm",), "positions": ("learned",), "feed_forward": ("gelu", "gelu_tanh"),
              "bias": (True,)},
    "Llama": {"norm": ("rms_norm",), "positions": ("rope",), "feed_forward": ("swiglu",), "bias": (False,)},
}
ACTIVATIONS = {"gelu": "gelu", "gelu_tanh": "gelu_new"}            # ours: GPT-2's
GPT2_NAMES = {                                         # ours -> theirs; {} is the number of the block
    "token_embedding": "transformer.wte",
    "position_embedding": "transformer.wpe",
    "final_norm": "transformer.ln_f",
    "output": "lm_head",
    "blocks.{}.attention_norm": "transformer.h.{}.ln_1",
    "blocks.{}.attention.output": "transformer.h.{}.attn.c_proj",
    "blocks.{}.feed_forward_norm": "transformer.h.{}.ln_2",
    "blocks.{}.feed_forward.up": "transformer.h.{}.mlp.c_fc",
    "blocks.{}.feed_forward.down": "transformer.h.{}.mlp.c_proj",
}
TRANSPOSED = re.compile(r".*\.c_(attn|fc|proj)\.weight")           # GPT-2 keeps these weights as (in, out)


def exported(model, tokenizer):
    """{file name: bytes} of a model and its tokenizer, in float32.

    Raises InputError, with the reason, for a model that is neither GPT-2 nor Llama.
    """
    kind = architecture(model.config)
    values, tensors = ((gpt2_values, gpt2_tensors) if kind == "GPT-2" else (llama_values, llama_tensors))
    end = next(iter(end_ids(tokenizer)), None)
    end_token = next((token for token, i in tokenizer.special_ids.items() if i == end), None)
    config = values(model.config) | {"bos_token_id": end, "eos_token_id": end, "pad_token_id": None, "dtype": "float32"}
    weights = {name: tensor.detach().cpu().float().contiguous() for name, tensor in tensors(model).items()}
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": model.config.context_length,
             "clean_up_tokenization_spaces": False, "eos_token": end_token}
    return {CONFIG: _json(config), WEIGHTS: save(weights, {"format": "pt"}), TOKENIZER: _document(tokenizer),
            "tokenizer_config.json": _json(about)}


def architecture(config):
    """GPT-2 or Llama, whichever a config describes. Raises InputError, with what stands against it."""
    against = {kind: [name for name, value in SAME.items() if getattr(config, name) != value] +
               [name for name, allowed in needed.items() if getattr(config, name) not in allowed]
               for kind, needed in NEEDED.items()}
    if config.n_kv_head != config.n_head:
        against["GPT-2"].append("n_kv_head")
    kind = min(against, key=lambda kind: len(against[kind]))
    if against[kind]:
        found = ", ".join(f"{name}={getattr(config, name)!r}" for name in against[kind])
        raise InputError(f"it has {found}, which {kind} has not, and other programs know no model like this one; train "
                         "one with --preset gpt2-nano or llama")
    return kind


def llama_values(config):
    """What config.json says of a Llama, for the transformers library."""
    return {theirs: getattr(config, ours) for ours, theirs in SIZES.items()} | {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "num_key_value_heads": config.n_kv_head,
        "head_dim": config.d_head, "rms_norm_eps": config.norm_eps, "hidden_act": "silu", "attention_bias": False,
        "mlp_bias": False, "attention_dropout": config.dropout, "tie_word_embeddings": config.tied_embeddings,
        "rope_theta": config.rope_theta, "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta}}


def gpt2_values(config):
    """What config.json says of a GPT-2, for the transformers library."""
    return {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": config.vocab_size,
            "n_positions": config.context_length, "n_embd": config.d_model, "n_layer": config.n_layer,
            "n_head": config.n_head, "n_inner": config.d_ff, "activation_function": ACTIVATIONS[config.feed_forward],
            "layer_norm_epsilon": config.norm_eps, "tie_word_embeddings": config.tied_embeddings,
            **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), config.dropout)}


def llama_tensors(model):
    """The weights under Llama's names: the same tensors."""
    names = {ours: theirs for theirs, ours in LLAMA_NAMES.items()}
    return {_their_name(ours, names): tensor for ours, tensor in model.state_dict().items()}


def gpt2_tensors(model):
    """The weights under GPT-2's names; query, key and value are one tensor there."""
    state, found = model.state_dict(), {}
    for i in range(model.config.n_layer):
        for kind in ("weight", "bias"):
            parts = [state.pop(f"blocks.{i}.attention.{part}.{kind}") for part in ("query", "key", "value")]
            found[f"transformer.h.{i}.attn.c_attn.{kind}"] = torch.cat(parts)     # (3C,C) or (3C,)
    found |= {_their_name(ours, GPT2_NAMES): tensor for ours, tensor in state.items()}
    return {name: tensor.T if TRANSPOSED.fullmatch(name) else tensor for name, tensor in found.items()}


def _their_name(ours, names):
    stem, _, kind = ours.rpartition(".")
    number = re.fullmatch(r"(blocks\.)(\d+)(\..*)", stem)
    if not number:
        return f"{names[stem]}.{kind}"
    return f"{names[f'blocks.{{}}{number[3]}'].format(number[2])}.{kind}"


def _document(tokenizer):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / TOKENIZER
        tokenizer.save(path)
        return path.read_bytes()


def _json(values):
    return json.dumps(values, indent=2).encode()
