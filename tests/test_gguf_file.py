"""GGUF files that the gguf library wrote: read to the bit, and refused in one line where they are not for us."""
import random
import re

import gguf
import numpy as np
import pytest
import torch
from judges import needed
from strangers import IDS, fails_well, in_their_order, stranger, write_gguf

from minigpt import pretrained
from minigpt.errors import InputError
from minigpt.pretrained.gguf_file import read_gguf

KINDS = ["F32", "F16", "Q8_0", "Q4_0", "Q4_1"]


@pytest.fixture(scope="module")
def ours():
    return stranger()


@pytest.fixture(scope="module")
def file(ours, tmp_path_factory):
    return write_gguf(tmp_path_factory.mktemp("gguf") / "model.gguf", *ours, kind="Q4_1")


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_of_tensor_comes_back_as_the_gguf_library_reads_it(ours, tmp_path, kind):
    model, tokenizer = pretrained.load(write_gguf(tmp_path / "model.gguf", *ours, kind=kind))
    assert model.config == ours[0].config
    assert tokenizer.encode("went to mow 12 meadows") == ours[1].encode("went to mow 12 meadows")
    stored = {t.name: t for t in gguf.GGUFReader(tmp_path / "model.gguf").tensors}
    query = stored["blk.1.attn_q.weight"]
    assert query.tensor_type.name == kind
    read = in_their_order("blocks.1.attention.query.weight", model.blocks[1].attention.query.weight.data, model.config)
    assert np.array_equal(read.numpy(), gguf.dequantize(query.data, query.tensor_type))


@torch.no_grad()
def test_in_float32_the_model_is_the_one_that_was_written(ours, tmp_path):
    for name, tied in (("tied", True), ("apart", False)):
        made = stranger(tied_embeddings=tied)
        read = pretrained.load(str(write_gguf(tmp_path / name, *made)))[0]
        assert torch.equal(read(IDS), made[0](IDS))


@torch.no_grad()
@pytest.mark.slow
def test_the_transformers_library_computes_the_same_from_the_same_file(file):
    needed("transformers")
    needed("accelerate")
    from transformers import AutoModelForCausalLM
    theirs = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    torch.testing.assert_close(pretrained.load(file)[0](IDS), theirs(IDS).logits, rtol=1e-4, atol=1e-4)


def test_metadata_and_shapes_are_those_that_the_gguf_library_finds(file):
    reader, read = gguf.GGUFReader(file), read_gguf(file)
    fields = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    assert read.metadata == fields
    assert {name: (t.kind, t.shape) for name, t in read.tensors.items()} == {
        t.name: (t.tensor_type.name, tuple(map(int, reversed(t.shape)))) for t in reader.tensors}


@pytest.mark.parametrize(("changes", "says"), [
    ({"general.architecture": "qwen2"}, "holds the architecture 'qwen2'; of GGUF files we read 'llama'"),
    ({"llama.attention.head_count": 3}, "d_model=64 is not divisible by n_head=3"),
    ({"llama.attention.head_count": -4}, "llama.attention.head_count is -4; it must be a positive int"),
    ({"llama.block_count": 3}, "3 layers, but only 20 tensors"),
    ({"llama.block_count": 1}, "has no place in our Transformer"),
    ({"llama.feed_forward_length": 128}, "has the shape (96, 64), where the sizes of the model say (128, 64)"),
    ({"llama.feed_forward_length": 2**31 - 1}, "where the sizes of the model say"),
    ({"llama.rope.scaling.type": "yarn"}, "scales rope's angles (yarn)"),
    ({"llama.expert_count": 8}, "mixture of experts"),
    ({"llama.rope.dimension_count": 8}, "llama.rope.dimension_count is 8, where a head has 16 features"),
    ({"tokenizer.ggml.model": "llama"}, "tokenizer 'llama' that splits as 'gpt-2'; we read byte-level BPE"),
    ({"tokenizer.ggml.pre": "llama-bpe"}, "tokenizer 'gpt2' that splits as 'llama-bpe'; we read byte-level BPE"),
    ({"tokenizer.ggml.merges": ["a b c"]}, "its tokenizer is damaged or not of a kind we know"),
    ({"tokenizer.ggml.tokens": None}, "its tokenizer is damaged or not of a kind we know"),
    ({"general.alignment": 0}, "general.alignment=0 makes no sense"),
])
def test_another_model_is_refused_by_name(ours, tmp_path, changes, says):
    refused(write_gguf(tmp_path / "model.gguf", *ours, changes=changes), says)


def test_a_type_of_tensor_that_we_do_not_read_is_refused_by_name(ours, tmp_path):
    for kind in ("Q5_0", "BF16"):
        refused(write_gguf(tmp_path / "model.gguf", *ours, kind=kind), f"is of type {kind}; we read F32, F16, Q4_0, ")


def test_what_is_no_gguf_file_is_refused(tmp_path):
    for content, says in ((b"", "0 bytes|promises"), (b"hello, I am no model at all", "does not begin with GGUF"),
                          (b"GGUF\x09\0\0\0" + bytes(16), "GGUF of version 9"),
                          (b"GGUF\x03\0\0\0" + b"\xff" * 16, "promises")):
        (tmp_path / "x.gguf").write_bytes(content)
        with pytest.raises(InputError, match=says):
            pretrained.load(tmp_path / "x.gguf")


def test_a_scale_that_is_no_number_is_refused_by_name(file, tmp_path):
    data, stored = bytearray(file.read_bytes()), {t.name: t for t in gguf.GGUFReader(file).tensors}
    at = stored["blk.1.attn_q.weight"].data_offset
    data[at:at + 2] = b"\x00\x7c"                      # infinity, as a half-precision number
    (tmp_path / "x.gguf").write_bytes(data)
    refused(tmp_path / "x.gguf", "is damaged: blocks.1.attention.query.weight holds values from ")


def test_a_file_cut_off_anywhere_is_refused_in_one_line(file, tmp_path):
    data = file.read_bytes()
    for end in [*range(0, 300, 23), *range(300, len(data), len(data) // 40), len(data) - 40]:
        (tmp_path / "cut.gguf").write_bytes(data[:end])
        refused(tmp_path / "cut.gguf")


def test_a_damaged_file_is_read_or_refused_in_one_line_and_nothing_else(file, tmp_path):
    data, rng, n_refused = file.read_bytes(), random.Random(0), 0
    before_weights = gguf.GGUFReader(file).data_offset
    for _ in range(60):
        broken = bytearray(data)
        for _ in range(rng.choice([1, 1, 4])):
            broken[rng.randrange(before_weights)] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
        (tmp_path / "broken.gguf").write_bytes(broken)
        n_refused += fails_well(tmp_path / "broken.gguf")
    assert n_refused > 10


def refused(path, says=None):
    with pytest.raises(InputError, match=says and re.escape(says)) as caught:
        pretrained.load(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
