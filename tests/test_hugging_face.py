"""Folders in Hugging Face's layout: what the transformers library wrote is the same model for us, or refused."""
import json
import pickle
import random
import re

import pytest
import safetensors.torch
import torch
from judges import needed
from strangers import IDS, fails_well, stranger
from tokenizers import Tokenizer as Theirs

from minigpt import pretrained
from minigpt.errors import InputError
from minigpt.pretrained.export import exported
from minigpt.pretrained.hugging_face import folder_tokenizer, is_model_folder
from minigpt.tokenizer import BPETokenizer

TEXTS = ["went to mow 12 meadows", "", "naïve 你好 🤗\r\n\x00", "<|im_start|>", "don't  stop"]


@pytest.fixture(scope="module")
def ours():
    return stranger()


@pytest.fixture
def folder(ours, tmp_path):
    for name, data in exported(*ours).items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def change(path, **changes):
    """Change fields of a JSON file; None takes one away."""
    values = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}), encoding="utf-8")


@torch.no_grad()
def test_the_model_is_the_one_that_was_saved(ours, folder):
    model, tokenizer = pretrained.load(str(folder))
    assert model.config == ours[0].config
    assert torch.equal(model(IDS), ours[0](IDS))
    assert [tokenizer.encode(text) for text in TEXTS] == [ours[1].encode(text) for text in TEXTS]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [
    {"tie_word_embeddings": True}, {"num_key_value_heads": 1, "rope_parameters": {"rope_type": "default",
                                                                                "rope_theta": 500.0}},
    {"num_key_value_heads": 4, "rms_norm_eps": 0.01}])
@torch.no_grad()
def test_a_model_of_the_transformers_library_gives_the_same_logits_in_one_file_or_several(ours, tmp_path, settings):
    transformers = needed("transformers")
    torch.manual_seed(0)
    config = {"vocab_size": 290, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
              "num_attention_heads": 4, "max_position_embeddings": 64, "initializer_range": 0.3}
    theirs = transformers.LlamaForCausalLM(transformers.LlamaConfig(**config | settings)).eval()
    for size, n_files in (("1GB", 1), ("40KB", 2)):
        folder = tmp_path / size
        theirs.save_pretrained(folder, max_shard_size=size)
        ours[1].save(folder / "tokenizer.json")
        assert len(list(folder.glob("*.safetensors"))) >= n_files
        torch.testing.assert_close(pretrained.load(folder)[0](IDS), theirs(IDS).logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read_as_float32(ours, folder, dtype):
    half = {name: t.to(dtype) for name, t in safetensors.torch.load_file(folder / "model.safetensors").items()}
    safetensors.torch.save_file(half, folder / "model.safetensors")
    weight = pretrained.load(folder)[0].blocks[1].attention.key.weight
    assert weight.dtype == torch.float32
    assert torch.equal(weight, ours[0].blocks[1].attention.key.weight.to(dtype).float())


def test_an_older_config_is_understood(ours, folder):
    change(folder / "config.json", rope_parameters=None, rope_scaling=None, head_dim=None, mlp_bias=None, dtype=None)
    assert pretrained.load(folder)[0].config == ours[0].config


@pytest.mark.parametrize(("changes", "says"), [
    ({"model_type": "qwen2"}, "model_type is 'qwen2'; of such folders we read those where it is 'llama'"),
    ({"model_type": None}, "model_type is None"),
    ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
    ({"attention_bias": True}, "attention_bias is True"),
    ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "scales rope's angles (llama3)"),
    ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "scales rope's angles (yarn)"),
    ({"rope_parameters": 3}, "rope_parameters and rope_scaling must be objects"),
    ({"head_dim": 32}, "head_dim is 32, where ours is hidden_size / num_attention_heads = 16"),
    ({"num_attention_heads": 7}, "d_model=64 is not divisible by n_head=7"),
    ({"hidden_size": "64"}, "hidden_size is '64'; it must be a positive int"),
    ({"num_hidden_layers": 10**9}, "1000000000 layers, but only 20 tensors"),
    ({"intermediate_size": 2**31 - 1}, "where the sizes of the model say"),
    ({"vocab_size": 100}, "290 tokens, but embeddings for 100"),
    ({"tie_word_embeddings": False}, "output.weight is missing"),
    ({"tokenizer_sha256": "0"}, "belongs to a run of ours"),
])
def test_another_model_is_refused_by_name(folder, changes, says):
    change(folder / "config.json", **changes)
    refused(folder, says)


def test_a_tensor_of_another_type_is_refused_by_name(folder):
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"].to(torch.int8)
    safetensors.torch.save_file(weights, folder / "model.safetensors")
    refused(folder, "model.norm.weight is of type I8; we read F32, F16, BF16")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_weight_that_is_no_number_is_refused_by_name(folder, value):
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"][3, 4] = float(value)
    safetensors.torch.save_file(weights, folder / "model.safetensors")
    refused(folder, "is damaged: blocks.1.feed_forward.up.weight holds values from ")


@pytest.mark.parametrize("file", ["../secret.safetensors", "/etc/passwd", "a/b.safetensors", "..", 3, "x.bin",
                                  "a\\b.safetensors", ".safetensors"])
def test_no_name_in_an_index_leads_out_of_the_folder(folder, file):
    (folder / "model.safetensors").rename(folder.parent / "secret.safetensors")
    index = {"weight_map": {"model.norm.weight": file}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(folder, "is no name of a safetensors file in the same folder")


class Alarm:
    """A pickle that would say so if it were read."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was read",)


def test_a_pickle_is_never_read(folder):
    (folder / "model.safetensors").unlink()
    for name in ("pytorch_model.bin", "training_args.bin"):
        (folder / name).write_bytes(pickle.dumps(Alarm()))
    refused(folder, "pytorch_model.bin is a pickle, which can run programs when it is read")
    (folder / "model.safetensors").write_bytes(pickle.dumps(Alarm()))
    refused(folder, "model.safetensors cannot be read, is damaged or cut off")


def test_a_missing_file_is_named(folder):
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        (folder / name).unlink()
        refused(folder, name)


def test_a_shard_that_lacks_what_the_index_promises_is_named(folder):
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    index = {"weight_map": {"model.norm.weight": "model-1.safetensors", "model.nothing": "model-1.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(folder, "looks for 'model.nothing' in model-1.safetensors, where it is not")


def test_a_damaged_file_is_read_or_refused_in_one_line_and_nothing_else(folder):
    rng, n_refused = random.Random(0), 0
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        whole = (folder / name).read_bytes()
        header = 8 + int.from_bytes(whole[:8], "little") if name == "model.safetensors" else len(whole)
        for _ in range(25):
            broken = bytearray(whole)
            if rng.random() < 0.3:
                del broken[rng.randrange(len(whole)):]
            else:
                broken[rng.randrange(header)] = rng.choice([*b'09-{}[],:"n', rng.randrange(256)])
            (folder / name).write_bytes(broken)
            n_refused += fails_well(folder)
        (folder / name).write_bytes(whole)
    assert n_refused > 30
    pretrained.load(folder)


def older(document):
    """A tokenizer.json as programs of 2021 wrote it."""
    document["model"]["merges"] = [" ".join(pair) for pair in document["model"]["merges"]]
    for key in ("byte_fallback", "ignore_merges"):
        del document["model"][key]
    document["model"] |= {"continuing_subword_prefix": "", "end_of_word_suffix": ""}
    document["post_processor"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False,
                                  "use_regex": True}
    document["truncation"] = {"direction": "Right", "max_length": 5, "strategy": "LongestFirst", "stride": 0}
    return document


def test_a_tokenizer_file_of_an_older_library_is_read_and_a_vocabulary_apart_from_special_tokens(ours, tmp_path):
    ours[1].save(tmp_path / "tokenizer.json")
    document = older(json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8")))
    special = {token["content"] for token in document["added_tokens"]}
    others = [token for token in document["model"]["vocab"] if token not in special]
    document["model"]["vocab"] = {token: i for i, token in enumerate(others)}
    for i, token in enumerate(document["added_tokens"]):
        token["id"] = len(others) + i
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    read, theirs = folder_tokenizer(tmp_path / "tokenizer.json"), Theirs.from_file(str(tmp_path / "tokenizer.json"))
    theirs.no_truncation()
    assert isinstance(read, BPETokenizer)
    for text in TEXTS:
        assert read.encode(text, allowed_special=True) == theirs.encode(text).ids


@pytest.mark.parametrize(("field", "value"), [
    ("normalizer", {"type": "NFC"}), ("pre_tokenizer", {"type": "Whitespace"}), ("model.type", "Unigram"),
    ("post_processor", {"type": "TemplateProcessing"}), ("decoder", {"type": "Metaspace"}),
    ("model.byte_fallback", True), ("model.ignore_merges", True), ("model.end_of_word_suffix", "</w>")])
def test_a_tokenizer_that_splits_or_merges_otherwise_is_refused_with_the_field(folder, field, value):
    document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    *outer, last = field.split(".")
    (document[outer[0]] if outer else document)[last] = value
    (folder / "tokenizer.json").write_text(json.dumps(document))
    refused(folder, {"decoder": "its decoder is Metaspace", "pre_tokenizer": "pre_tokenizer.type is not"}.get(
        field, f"{field} is not what a BPETokenizer saves"))


def test_a_run_of_ours_is_not_taken_for_such_a_folder(folder):
    assert is_model_folder(folder)
    change(folder / "config.json", model_type=None)
    assert not is_model_folder(folder)
    assert not is_model_folder(folder / "nothing")


def refused(path, says):
    with pytest.raises(InputError, match=re.escape(says)) as caught:
        pretrained.load(path)
    assert "\n" not in str(caught.value)
