"""The contract of the tokenizer: byte-pair encoding and single characters."""
import unicodedata

import hypothesis
import hypothesis.strategies as st
import pytest

from minigpt.benchmarks.tokenizer import merges_theirs, train_theirs
from minigpt.bpe import BYTE_CHARACTERS
from minigpt.grading.compare import Mismatch

BYTE = {bytes([b]): i for i, b in enumerate(BYTE_CHARACTERS)}    # ids of single bytes without special tokens
LOWEST = ["low"] * 5 + ["lower"] * 2 + ["newest"] * 6 + ["widest"] * 3   # Sennrich et al. 2016, algorithm 1
HARD = ["", " ", "a", "\n", "\r\n\r\n", "  two  spaces  ", "\t\ttabs \t and\x0bmore\x0c", "I'm, she's, WE'LL 'tis",
        "1234567 3.14 ½ Ⅷ ٣", "你好，世界。语言模型", "日本語のテキスト", "naïve cafe\u0301 A\u030a", "👩‍👩‍👧‍👦 🏳️‍🌈",
        "\x00\x01\x7f\x80\x9f\xad", "a\u00a0b\u2003c\u3000d\u200be", "<|endoftext|> <|x", "x" * 300 + " " * 300,
        "def f(x):\n    return x  # ok\n\n\n", "\ufeff\ufffd\U0010fffd", "हिन्दी العربية עברית ไทย 한국어"]
TIES = ["abcabdacbdca", "the cat sat on the mat\n" * 3, "aaaa aaaaaaa aaa bbbb", "zz yy xx ww", "éèêë àâä", "0101101"]

# Characters that Unicode knew in 2002: of newer ones, each library knows only those of its own Unicode version.
CHARACTERS = st.characters(codec="utf-8").filter(lambda c: unicodedata.ucd_3_2_0.category(c) != "Cn")
TEXTS = st.lists(st.text(CHARACTERS) | st.text("ab 'sé1\n") | st.sampled_from(HARD), max_size=6)


def train(op, texts, vocab_size, special_tokens=()):
    if op.is_torch:
        return op.record(op.get("BPETokenizer").train(texts, vocab_size, special_tokens).merges)
    return op.call("train_bpe", texts, vocab_size, special_tokens)


def encode(op, text, merges, special_tokens=(), function="encode"):
    if op.is_torch:
        return op.record(getattr(op.get("BPETokenizer")(merges, special_tokens), function)(text))
    return op.call(f"bpe_{function}", text, merges, special_tokens)


def decode(op, ids, merges, special_tokens=()):
    return encode(op, ids, merges, special_tokens, "decode")


def char(op, function, argument, tokens):
    if op.is_torch:
        return op.record(getattr(op.get("CharTokenizer")(tokens[1:], ()), function)(argument))
    return op.call(f"char_{function}", argument, tokens)


def assert_equal(got, expected, what):
    if got != expected:
        raise Mismatch(f"{what}: expected {expected!r:.300}, got {got!r:.300}", what, got, expected)


def assert_refused(because, function, *args):
    try:
        answer = repr(function(*args))
    except ValueError as error:
        answer = str(error)
    if because not in answer:
        raise Mismatch(f"expected a ValueError that says {because!r}, got {answer:.300}", "error", answer, because)


def pairs(text):                                       # "e+s es+t": two merges
    return [tuple(token.encode() for token in pair.split("+")) for pair in text.split()]


def test_words_keep_the_space_before_them_and_join_to_the_text(op):
    words = ["I", "'m", " ", " here", ",", " no", " ", "\n", "42", "!?", "\n"]
    assert_equal(list(op.call("split_words", "".join(words))), words, "words")


@pytest.mark.parametrize(("words", "expected"), [
    ({"low": 5, "lower": 2}, {"lo": 7, "ow": 7, "we": 2, "er": 2}), ({"aaaa": 1}, {"aa": 3}), ({"a": 9, "": 1}, {})])
def test_every_pair_counts_as_often_as_its_word_occurs(op, words, expected):
    counts = op.call("pair_counts", {tuple(word): times for word, times in words.items()})
    assert_equal(dict(counts), {tuple(pair): n for pair, n in expected.items()}, f"counts of {words}")


@pytest.mark.parametrize(("word", "pair", "merged"), [
    ("abcab", "ab", "XcX"), ("aab", "ab", "aX"), ("ba", "ab", "ba"), ("a", "ab", "a"), ("", "ab", ""),
    ("acb", "ab", "acb"), ("abab", "ab", "XX"), ("aaa", "aa", "Xa"), ("aaaa", "aa", "XX"), ("baaab", "aa", "bXab"),
    (("xa", "b"), "ab", ("xa", "b"))])                 # a pair is two tokens, not the ends of longer ones
def test_every_occurrence_is_merged_from_left_to_right_without_overlap(op, word, pair, merged):
    assert_equal(tuple(op.call("merge_pair", tuple(word), tuple(pair), "X")), tuple(merged), f"merged {word}")


def test_a_byte_that_cannot_be_printed_is_shown_by_a_character_from_u_0100_on(op):
    table = op.call("byte_characters")
    some = "".join(table[b] for b in b"\x00\n A~\x7f\xa1\xad")
    assert_equal((some, len(set(table.values()))), ("ĀĊĠA~ġ¡Ń", 256), "some characters, and the number of all")


def test_a_worked_example_of_training(op):
    # es and st both occur 9 times, and e comes before s; then lo and ow 7 times; then ne, ew and w+est 6 times
    assert_equal(train(op, LOWEST, 256 + 6), pairs("e+s es+t l+o lo+w e+w n+ew"), "merges")


def test_a_worked_example_of_encoding_and_decoding(op):
    merges, ids = pairs("e+s es+t l+o lo+w"), [259, 257, BYTE[b"s"]]
    assert_equal(encode(op, "lowests", merges), ids, "ids of lowests")
    assert_equal(decode(op, ids, merges), "lowests", "text")


@pytest.mark.parametrize(("texts", "merges"), [
    (["cd", "ab", "ac"], "a+b"), ([" a", "zz"], "z+z")])           # the space comes late in the table of bytes
def test_of_equal_pairs_the_one_with_the_lowest_ids_wins(op, texts, merges):
    assert_equal(train(op, texts, 257), pairs(merges), f"merges of {texts}")


def test_a_frequent_word_counts_more_than_many_rare_ones(op):
    assert_equal(train(op, ["xy xy xy xy xy", "acd", "bcd", "ecd"], 257), pairs("x+y"), "merges")


def test_overlapping_pairs_count_in_training(op):
    assert_equal(train(op, ["aaaa", "AB", "AB"], 257), pairs("a+a"), "merges of aaaa, AB, AB")


def test_merges_never_cross_into_the_next_word(op):
    # as text, b and the space side by side are the most frequent; as words there are only " b", " a" and "a"
    assert_equal(train(op, ["a b a b a b"], 300), [(b" ", b"b"), (b" ", b"a")], "merges of a b a b a b")
    assert_equal(encode(op, "b b", [(b"b", b" ")]), [BYTE[b"b"], BYTE[b" "], BYTE[b"b"]], "ids of 'b b'")


def test_training_ends_when_every_word_is_one_token(op):
    assert_equal(train(op, ["ab"], 400), pairs("a+b"), "merges of ab")
    assert_equal(train(op, [], 400), [], "merges of nothing")


def test_special_tokens_and_bytes_count_for_the_size_of_the_vocabulary(op):
    assert_equal(len(train(op, LOWEST, 260, ("<|a|>", "<|b|>"))), 2, "number of merges")
    assert_equal(train(op, LOWEST, 256), [], "merges when only the bytes have room")


def test_a_vocabulary_without_room_for_all_bytes_is_refused(op):
    assert_refused("vocab_size=256 is too small", train, op, LOWEST, 256, ("<|a|>",))


def test_merges_are_applied_in_the_order_of_learning_not_the_longest_match_first(op):
    assert_equal(encode(op, "abc", pairs("b+c a+b")), [BYTE[b"a"], 256], "ids of abc")
    assert_equal(encode(op, "abcde", pairs("d+e a+b ab+c c+de")), [258, 256], "ids of abcde")


def test_a_pair_that_was_learned_first_is_merged_before_one_further_left(op):
    assert_equal(encode(op, "abc", pairs("b+c a+bc a+b")), [257], "ids of abc, where bc was learned before ab")


def test_text_is_encoded_by_its_bytes(op):
    assert_equal(encode(op, "é!", []), [BYTE[b"\xc3"], BYTE[b"\xa9"], 0], "ids of é!")


def test_special_tokens_come_first_and_text_cannot_spell_them(op):
    special = ("<|endoftext|>", "<|pad|>")
    assert_equal(encode(op, "!", [], special), [2], "id of !")
    assert_equal(decode(op, [0, 2, 1], [], special), "<|endoftext|>!<|pad|>", "text")
    assert_equal(len(encode(op, "<|pad|>", [], special)), 7, "number of tokens of the text <|pad|>")


def test_half_a_character_is_shown_as_a_replacement_character(op):
    assert_equal(decode(op, [BYTE[b"\xe2"], BYTE[b"!"]], []), "\ufffd!", "text")


def test_half_a_surrogate_pair_is_refused(op):
    assert_refused("surrogate", encode, op, "a\ud800", [])


@pytest.mark.parametrize("text", HARD, ids=range(len(HARD)))
def test_hard_text_comes_back_and_the_tokenizers_library_finds_the_same_ids(op, text):
    merges = merges_theirs(theirs := train_theirs([*HARD, *TIES], 300))
    theirs.encode_special_tokens = True                # text that spells one is text to them, too
    ids = encode(op, text, merges, ("<|endoftext|>",))
    assert_equal(ids, theirs.encode(text).ids, f"ids of {text[:40]!r}")
    assert_equal(decode(op, ids, merges, ("<|endoftext|>",)), text, "text")


@pytest.mark.parametrize("texts", [HARD, *([text] for text in TIES)], ids=range(len(TIES) + 1))
def test_the_tokenizers_library_finds_the_same_merges(op, texts):
    assert_equal(train(op, texts, 320, ("<|endoftext|>",)), merges_theirs(train_theirs(texts, 320)), "merges")


@hypothesis.given(texts=TEXTS, n_merges=st.integers(0, 60))
def test_the_tokenizers_library_agrees_on_any_text(op, texts, n_merges):
    theirs = train_theirs(texts, 256 + n_merges, ())
    merges = train(op, texts, 256 + n_merges)
    assert_equal(merges, merges_theirs(theirs), "merges")
    for text in [*texts, *HARD[5:9]]:
        ids = encode(op, text, merges)
        assert_equal(ids, theirs.encode(text).ids, f"ids of {text[:40]!r}")
        assert_equal(decode(op, ids, merges), text, "text")


@hypothesis.given(text=st.text(st.sampled_from("lowernstid ")))
def test_more_merges_never_give_more_tokens(op, text):
    merges = train(op, LOWEST, 270)
    lengths = [len(encode(op, text, merges[:n])) for n in range(len(merges) + 1)]
    assert_equal(lengths, sorted(lengths, reverse=True), "numbers of tokens as merges are added")


def test_characters_are_numbered_after_the_special_tokens_and_the_unknown(op):
    args = ["ba", "ac\ufffd"], ("<|endoftext|>",)
    tokens = op.get("CharTokenizer").train(args[0]).tokens if op.is_torch else op.call("char_vocabulary", *args)
    assert_equal(tokens, ["<|endoftext|>", "\ufffd", "a", "b", "c"], "tokens")


def test_characters_come_back_and_the_unknown_is_shown_as_such(op):
    ids = char(op, "encode", "aé b\n", ["\ufffd", "\n", "a", "é"])
    assert_equal(ids, [2, 3, 0, 0, 1], "ids")
    assert_equal(char(op, "decode", ids, ["\ufffd", "\n", "a", "é"]), "aé\ufffd\ufffd\n", "text")
