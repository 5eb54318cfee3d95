"""A folder in Hugging Face's layout: config.json, tokenizer.json, and weights in one safetensors file or in several.

A stranger's folder: nothing in it is executed, no pickle is read, and no name in it leads out of it.
"""
import contextlib
import json
import pathlib
import re

from safetensors import SafetensorError, safe_open

from minigpt.errors import InputError
from minigpt.pretrained.llama import (
    assembled,
    llama_config,
    our_name,
    positive,
    refuse_scaling,
    require_vocabulary,
)
from minigpt.tokenizer import BYTE_LEVEL, BPETokenizer
from minigpt.tokenizer_file import read_document

CONFIG, WEIGHTS, INDEX, TOKENIZER = "config.json", "model.safetensors", "model.safetensors.index.json", "tokenizer.json"
LLAMA_NAMES = {                                        # theirs -> ours; {} is the number of the block
    "model.embed_tokens": "token_embedding",
    "model.norm": "final_norm",
    "lm_head": "output",
    "model.layers.{}.input_layernorm": "blocks.{}.attention_norm",
    "model.layers.{}.self_attn.q_proj": "blocks.{}.attention.query",
    "model.layers.{}.self_attn.k_proj": "blocks.{}.attention.key",
    "model.layers.{}.self_attn.v_proj": "blocks.{}.attention.value",
    "model.layers.{}.self_attn.o_proj": "blocks.{}.attention.output",
    "model.layers.{}.post_attention_layernorm": "blocks.{}.feed_forward_norm",
    "model.layers.{}.mlp.gate_proj": "blocks.{}.feed_forward.gate",
    "model.layers.{}.mlp.up_proj": "blocks.{}.feed_forward.up",
    "model.layers.{}.mlp.down_proj": "blocks.{}.feed_forward.down",
}
SIZES = {"vocab_size": "vocab_size", "d_model": "hidden_size", "d_ff": "intermediate_size",      # ours: theirs
         "n_layer": "num_hidden_layers", "n_head": "num_attention_heads", "context_length": "max_position_embeddings"}
COMPUTED = re.compile(r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq")     # in old files; follows from theta
NUMBERS = ("F32", "F16", "BF16")
USUAL = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False}         # where a file does not say
EXPECTED = {"model_type": "llama"} | USUAL


def is_model_folder(folder):
    """Whether a folder is in this layout, rather than a run of ours."""
    with contextlib.suppress(InputError):
        return "model_type" in _json(pathlib.Path(folder) / CONFIG)
    return False


def from_folder(folder):
    """(model, tokenizer) of a folder with weights of Llama's architecture.

    Raises InputError for another architecture or tokenizer, for other files than safetensors, and for damaged ones.
    """
    folder = pathlib.Path(folder)
    config = folder_config(_json(folder / CONFIG), folder / CONFIG)
    tokenizer = folder_tokenizer(folder / TOKENIZER)
    require_vocabulary(config, tokenizer, folder)
    with contextlib.ExitStack() as stack:
        tensors = _Tensors(folder, stack, skip="lm_head.weight" if config.tied_embeddings else None)
        return assembled(config, tensors.shapes, tensors.read, folder), tokenizer


def folder_config(values, name):
    """The TransformerConfig that a config.json describes. values: what it holds."""
    if "tokenizer_sha256" in values:
        raise InputError(f"{name} belongs to a run of ours: minigpt.runs.load_run reads it")
    for key, expected in EXPECTED.items():
        if (found := values.get(key, USUAL.get(key))) != expected:
            raise InputError(f"{name}: {key} is {found!r:.80}; of such folders we read those where it is {expected!r}")

    def value(key, kind=int, default=None):
        found = values.get(key)
        return positive(default if found is None else found, kind, f"{name}: {key}")
    size = {ours: value(theirs) for ours, theirs in SIZES.items()}
    size["n_kv_head"] = value("num_key_value_heads", default=size["n_head"])
    config = llama_config(size | {"rope_theta": _theta(values, name), "norm_eps": value("rms_norm_eps", float, 1e-6),
                                  "tied_embeddings": values.get("tie_word_embeddings") is True}, name)
    if value("head_dim", default=config.d_head) != config.d_head:
        raise InputError(f"{name}: head_dim is {values['head_dim']}, where ours is hidden_size / num_attention_heads = "
                         f"{config.d_head}")
    return config


def _theta(values, name):
    """rope_theta: since 2025 in rope_parameters, before it stood by itself. Raises InputError if angles are scaled."""
    rope = values.get("rope_parameters") or {}
    scaling = values.get("rope_scaling") or rope
    if not isinstance(rope, dict) or not isinstance(scaling, dict):
        raise InputError(f"{name}: rope_parameters and rope_scaling must be objects, or left out")
    refuse_scaling(scaling.get("rope_type", scaling.get("type")), name)
    return positive(rope.get("rope_theta", values.get("rope_theta", 10000.0)), float, f"{name}: rope_theta")


def folder_tokenizer(path):
    """The BPETokenizer of a tokenizer.json that others wrote, if it splits and merges as ours does.

    Raises InputError, with the field, if it does otherwise.
    """
    document = read_document(path)
    try:
        document = document | {"truncation": None, "padding": None, "version": "1.0", "model": _model(document)}
        if isinstance(document.get("decoder"), dict) and document["decoder"].get("type") == "ByteLevel":
            document["decoder"] = BYTE_LEVEL | {"add_prefix_space": True}         # its options change no text
        if document.get("post_processor") and document["post_processor"]["type"] == "ByteLevel":
            document["post_processor"] = None                                     # it moves offsets, and adds nothing
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged ({type(error).__name__}: {error}); fetch it again") from error
    return BPETokenizer.from_document(document, path)


def _model(document):
    """The field "model" of a tokenizer.json as newer versions of the tokenizers library write it."""
    model = {"byte_fallback": False, "ignore_merges": False, "dropout": None} | document["model"]
    for key in ("continuing_subword_prefix", "end_of_word_suffix"):
        model[key] = model.get(key) or None
    added = {token["content"]: token["id"] for token in document["added_tokens"]}
    ids = model["vocab"] | added
    if sorted(ids.values()) != list(range(len(ids))):
        raise ValueError("its ids are not 0, 1, 2 and so on")
    model["vocab"] = dict(sorted(ids.items(), key=lambda item: item[1]))
    model["merges"] = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
    return model


class _Tensors:
    """The tensors of a folder, under our names. stack: an ExitStack, which closes the files."""

    def __init__(self, folder, stack, skip):
        self.folder, self._places = folder, {}         # {our name: (open file, their name)}
        for file, names in _files(folder).items():
            opened = self._open(folder / file, stack)
            if missing := sorted(set(names or ()) - set(opened.keys())):
                raise InputError(f"{folder / INDEX} looks for {missing[0]!r} in {file}, where it is not; fetch both "
                                 "again")
            self._places |= {our_name(theirs, LLAMA_NAMES, folder / file): (opened, theirs)
                             for theirs in names or opened.keys() if theirs != skip and not COMPUTED.fullmatch(theirs)}
        self.shapes = {ours: self._shape(*place) for ours, place in self._places.items()}

    def read(self, name):
        """A tensor as float32, in memory of its own."""
        file, theirs = self._places[name]
        return file.get_tensor(theirs).float().clone()

    def _open(self, path, stack):
        try:
            return stack.enter_context(safe_open(path, "pt"))
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path} cannot be read, is damaged or cut off ({error}); fetch it again") from error

    def _shape(self, file, theirs):
        found = file.get_slice(theirs)
        if found.get_dtype() not in NUMBERS:
            raise InputError(f"{self.folder}: {theirs} is of type {found.get_dtype()}; we read {', '.join(NUMBERS)}")
        return tuple(found.get_shape())


def _files(folder):
    """{file: names of the tensors to take from it, None for all}."""
    if (folder / WEIGHTS).is_file():
        return {WEIGHTS: None}
    if not (folder / INDEX).is_file():
        pickles = sorted(path.name for path in folder.glob("*.bin"))
        why = f"; {pickles[0]} is a pickle, which can run programs when it is read" if pickles else ""
        raise InputError(f"{folder} has neither {WEIGHTS} nor {INDEX}{why}; take the model in safetensors")
    places, files = _json(folder / INDEX).get("weight_map"), {}
    if not isinstance(places, dict) or not places:
        raise InputError(f"{folder / INDEX} has no weight_map; fetch it again")
    for name, file in places.items():
        if not isinstance(file, str) or not re.fullmatch(r"[\w-][\w.-]*\.safetensors", file):
            raise InputError(f"{folder / INDEX} leads to {file!r:.80}, which is no name of a safetensors file in the "
                             "same folder")
        files.setdefault(file, []).append(name)
    return files


def _json(path):
    """The object in a JSON file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; a model is a folder with {CONFIG}, {TOKENIZER} and "
                         f"{WEIGHTS}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON, perhaps cut off ({type(error).__name__}); fetch it again") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} holds a {type(values).__name__}, not an object; fetch it again")
    return values
