"""tokenizer.json: `tokenizers` and we read each other's files, and a damaged one is refused in one line."""
import errno
import json
import os
from pydoc_data.topics import topics

import hypothesis
import hypothesis.strategies as st
import pytest
import torch
from test_tokenizer import HARD, LOWEST, TEXTS
from tokenizers import Tokenizer as Theirs

from minigpt.benchmarks.tokenizer import first_characters, measure, merges_theirs, table, train_theirs
from minigpt.errors import InputError
from minigpt.reference.tokenizer import bpe_encode
from minigpt.tokenizer import BPETokenizer, CharTokenizer, load_tokenizer

DOCUMENTATION = first_characters([topics[name] for name in sorted(topics)], 100_000)
SPECIAL = ("<|endoftext|>", "<|end|>", "<|endoftext|><|pad|>")


@pytest.fixture(params=[BPETokenizer, CharTokenizer], ids=lambda kind: kind.__name__)
def saved(request, tmp_path):
    """A tokenizer and the file that it was saved in."""
    tokenizer = request.param.train([*HARD[:12], *LOWEST], 300, SPECIAL)
    tokenizer.save(tmp_path / "tokenizer.json")
    return tokenizer, tmp_path / "tokenizer.json"


def test_what_is_loaded_encodes_as_what_was_saved(saved):
    tokenizer, path = saved
    for loaded in (type(tokenizer).load(path), load_tokenizer(path)):
        assert type(loaded) is type(tokenizer)
        assert loaded.tokens == tokenizer.tokens
        assert [loaded.encode(text) for text in HARD] == [tokenizer.encode(text) for text in HARD]


def test_the_tokenizers_library_reads_our_file_and_finds_the_same_ids(saved):
    tokenizer, path = saved
    theirs = Theirs.from_file(str(path))
    theirs.encode_special_tokens = True                # text that spells a special token is text
    for text in HARD:
        ids = theirs.encode(text).ids
        assert tokenizer.encode(text) == ids
        assert tokenizer.decode(ids) == theirs.decode(ids, skip_special_tokens=False)


def test_the_tokenizers_library_would_write_the_same_file(saved):
    _, path = saved
    assert json.loads(Theirs.from_file(str(path)).to_str()) == json.loads(path.read_text(encoding="utf-8"))


def test_we_read_the_file_of_a_tokenizer_that_the_tokenizers_library_trained(tmp_path):
    theirs, path, text = train_theirs(DOCUMENTATION, 400), tmp_path / "tokenizer.json", "".join(DOCUMENTATION)
    theirs.save(str(path))
    ours = BPETokenizer.load(path)
    assert ours.encode(text) == theirs.encode(text).ids


def test_allowed_special_tokens_are_found_where_the_tokenizers_library_finds_them(saved):
    tokenizer, path = saved
    theirs = Theirs.from_file(str(path))
    for text in ("<|endoftext|><|pad|> low<|end|><|endoftext|>", "<|end|>", "<|endof<|end|>text|>", "low"):
        assert tokenizer.encode(text, allowed_special=True) == theirs.encode(text).ids


@hypothesis.given(ids=st.lists(st.integers(0, 299)))
def test_any_ids_decode_as_in_the_tokenizers_library(ids):
    theirs = train_theirs(HARD, 300)
    ours = BPETokenizer(merges_theirs(theirs))
    assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=False)


@hypothesis.given(data=st.binary() | st.text().map(str.encode), texts=TEXTS)
def test_any_bytes_come_back(data, texts):
    tokenizer = BPETokenizer.train(texts, 300)
    assert tokenizer.decode_bytes(tokenizer.encode(data)) == data
    assert tokenizer.decode_bytes(tokenizer.encode(data, allowed_special=True)) == data


def test_bytes_of_a_text_have_the_ids_of_the_text():
    tokenizer = BPETokenizer.train(HARD, 300)
    assert [tokenizer.encode(text.encode()) for text in HARD] == [tokenizer.encode(text) for text in HARD]


def test_a_very_long_word_has_the_ids_of_the_reference():
    tokenizer = BPETokenizer.train(DOCUMENTATION, 400, ())
    text = "thestatementisexecutedinthenamespace" * 20
    assert tokenizer.encode(text) == bpe_encode(text, tokenizer.merges)


def test_a_batch_is_padded_on_the_right_and_masked():
    tokenizer = BPETokenizer(merges=[(b"l", b"o")])
    ids, mask = tokenizer.encode_batch(["low", "", "!"], pad_id=7)
    l_o, w = 257, 1 + ord("w") - ord("!")
    assert torch.equal(ids, torch.tensor([[l_o, w], [7, 7], [1, 7]]))
    assert torch.equal(mask, torch.tensor([[True, True], [False, False], [True, False]]))
    assert [x.shape for x in tokenizer.encode_batch([])] == [(0, 0), (0, 0)]


def test_a_vocabulary_ends_where_the_pairs_end():
    assert BPETokenizer.train("low low", 4096).vocab_size == 1 + 256 + 3     # lo, low and " low"


def test_a_small_character_vocabulary_keeps_the_most_frequent():
    assert CharTokenizer.train(["aabbbc"], 4).tokens == ["<|endoftext|>", "\ufffd", "a", "b"]


@pytest.mark.parametrize("special", ["the", "", " ", "é!", "Ġ!", "<|\n|>"])
def test_a_special_token_that_text_could_produce_is_refused(special):
    with pytest.raises(InputError, match="could be a piece of ordinary text"):
        BPETokenizer([], [special])


@pytest.mark.parametrize("build", [
    lambda: CharTokenizer.train(["abc"], 2), lambda: CharTokenizer(["a", "a"]), lambda: CharTokenizer(["ab"]),
    lambda: BPETokenizer([], ["<|a|>", "<|a|>"]), lambda: BPETokenizer([(b"ab", b"c")]),
    lambda: BPETokenizer([(b"a", b"b"), (b"a", b"b")]), lambda: BPETokenizer.train("abc", 255, ()),
    lambda: CharTokenizer.train(["\udc80"]), lambda: BPETokenizer.train(["\udc80"], 300)])
def test_what_makes_no_tokenizer_is_refused_in_one_line(build):
    with pytest.raises(InputError) as caught:
        build()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("i", [-1, 257])
def test_ids_of_another_vocabulary_are_refused(i):
    with pytest.raises(ValueError, match="the tokens are 0 to 256"):
        BPETokenizer([]).decode([i])


def test_a_file_cut_off_anywhere_is_refused_in_one_line(saved, tmp_path):
    tokenizer, path = saved
    text = path.read_text(encoding="utf-8")
    for end in range(0, len(text), 97):
        path.write_text(text[:end], encoding="utf-8")
        assert_refused(type(tokenizer), path)


CHANGES = {
    "model": None, "model.type": "WordPiece", "model.merges": [["l", "x", "o"]], "model.vocab": {"a": 0},
    "model.dropout": 0.5, "pre_tokenizer": {"type": "Whitespace"}, "normalizer": {"type": "NFC"},
    "decoder": {"type": "WordPiece"}, "decoder.type": "Fuse?", "added_tokens": [{"content": 3}],
    "post_processor": {}, "truncation": {"max_length": 5}, "version": "2.0", "surprise": True,
}


@pytest.mark.parametrize("field", CHANGES)
def test_a_changed_file_is_refused_in_one_line(saved, field):
    tokenizer, path = saved
    document = json.loads(path.read_text(encoding="utf-8"))
    *outer, last = field.split(".")
    (document[outer[0]] if outer else document)[last] = CHANGES[field]
    path.write_text(json.dumps(document), encoding="utf-8")
    assert_refused(type(tokenizer), path)


@pytest.mark.parametrize("content", [b"", b"[]", b"3", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"decoder": 1}'])
def test_what_is_no_tokenizer_file_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "tokenizer.json").write_bytes(content)
    for read in (BPETokenizer, CharTokenizer):
        assert_refused(read, tmp_path / "tokenizer.json")
    assert_refused(BPETokenizer, tmp_path)
    assert_refused(BPETokenizer, tmp_path / "missing.json")


def test_the_file_of_another_kind_is_refused_by_name(saved):
    tokenizer, path = saved
    other = CharTokenizer if isinstance(tokenizer, BPETokenizer) else BPETokenizer
    with pytest.raises(InputError, match=f"tokenizer.json is no {other.__name__}"):
        other.load(path)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(saved, monkeypatch):
    def no_room(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    tokenizer, path = saved
    path.write_text("old")
    monkeypatch.setattr(os, "replace", no_room)
    with pytest.raises(InputError, match="No space left on device"):
        tokenizer.save(path)
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_the_benchmark_counts_merges_and_ids_that_differ():
    rows = measure(DOCUMENTATION, 500, rounds=1)
    assert [(row.what, row.n_differ) for row in rows] == [("training", 0), ("encoding", 0)]
    assert rows[0].n == 500 - 256 - 1
    assert f"{rows[0].n:,} of {rows[0].n:,}" in table(rows, 100_000, 500, 1)


def assert_refused(kind, path):
    for load in (kind.load, load_tokenizer):
        with pytest.raises(InputError) as caught:
            load(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
