"""Wrong answers to the tokenizer."""
from collections import Counter
from itertools import pairwise

import regex

from minigpt.reference import tokenizer as right
from minigpt.reference.tokenizer import merge_pair, split_words, vocabulary
from mistakes import mistake


def single_bytes(text):
    return tuple(bytes([b]) for b in text.encode())


def lowest_ids(pair, id_of):
    return [id_of.get(token, 0) for token in pair]


def training(texts, vocab_size, special_tokens, *, ties=lowest_ids, count=right.pair_counts, split=split_words,
             single=single_bytes, at_least=1):
    """train_bpe in parts, each of which can be broken; `ties` orders equally frequent pairs."""
    id_of = {token: i for i, token in enumerate(vocabulary([], special_tokens))}
    words = Counter(single(word) for text in texts for word in split(text))
    merges = []
    while len(id_of) < vocab_size and max((counts := count(words)).values(), default=0) >= at_least:
        pair = min(counts, key=lambda pair: (-counts[pair], ties(pair, id_of)))
        new = pair[0] + pair[1]
        id_of[new] = len(id_of)
        words = {merge_pair(word, pair, new): times for word, times in words.items()}
        merges.append(pair)
    return merges


def encoding(text, merges, special_tokens, *, split=split_words, single=single_bytes):
    """bpe_encode in parts, each of which can be broken."""
    ids = []
    for word in map(single, split(text)):
        for pair in merges:
            word = merge_pair(word, pair, pair[0] + pair[1])
        ids += [vocabulary(merges, special_tokens).index(token) for token in word]
    return ids


def joined(ids, merges, special_tokens, errors="replace"):
    tokens = vocabulary(merges, special_tokens)
    return b"".join(tokens[i] for i in ids).decode("utf-8", errors=errors)


@mistake("split_words", "the spaces are thrown away: joined, the words must give the text again")
def split_at_spaces(text):
    return text.split()


@mistake("split_words", "of several spaces, the last belongs to the word that follows: \\s+(?!\\S) comes before \\s+")
def all_spaces_together(text):
    return regex.findall(r"'(?:[sdmt]|ll|re|ve)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+", text)


@mistake("pair_counts", "each word counts once; it counts as often as it occurs")
def words_counted_once(words):
    return Counter(pair for word in words for pair in pairwise(word))


@mistake("pair_counts", "a pair that stands in a word several times counts once")
def pairs_of_a_word_counted_once(words):
    return sum((Counter(dict.fromkeys(pairwise(word), times)) for word, times in words.items()), Counter())


@mistake("merge_pair", "occurrences overlap: in a a a, the middle a is used twice")
def overlapping(word, pair, new):
    starts = {i for i in range(len(word) - 1) if word[i:i + 2] == pair}
    return tuple(new if i in starts else word[i] for i in range(len(word)) if i in starts or i - 1 not in starts)


@mistake("merge_pair", "merging goes from right to left: a a a becomes a X, where it should become X a")
def from_the_right(word, pair, new):
    return merge_pair(word[::-1], pair[::-1], new)[::-1]


@mistake("merge_pair", "the pair is replaced in the text, so that it also matches the end of a longer token")
def replaced_in_the_text(word, pair, new):
    return tuple(" ".join(word).replace(" ".join(pair), new).split())


@mistake("train_bpe", "of equally frequent pairs the one that was seen first is merged; it must be the lowest ids")
def ties_to_the_first_seen(texts, vocab_size, special_tokens=()):
    return training(texts, vocab_size, special_tokens, ties=lambda pair, id_of: 0)


@mistake("train_bpe", "of equally frequent pairs the one with the highest ids is merged; it must be the lowest")
def ties_to_the_highest(texts, vocab_size, special_tokens=()):
    return training(texts, vocab_size, special_tokens, ties=lambda pair, id_of: [-id_of[t] for t in pair])


@mistake("train_bpe", "equally frequent pairs are put in the order of their bytes; it must be that of their ids")
def ties_by_bytes(texts, vocab_size, special_tokens=()):
    return training(texts, vocab_size, special_tokens, ties=lambda pair, id_of: pair)


@mistake("train_bpe", "training stops at pairs that occur once; it stops when no pair is left")
def stops_at_pairs_that_occur_once(texts, vocab_size, special_tokens=()):
    return training(texts, vocab_size, special_tokens, at_least=2)


@mistake("train_bpe", "each different word counts once; it counts as often as it occurs")
def trained_on_each_word_once(texts, vocab_size, special_tokens=()):
    return training(texts, vocab_size, special_tokens, count=words_counted_once)


@mistake("train_bpe", "pairs that overlap are not all counted: aaaa holds the pair (a, a) three times")
def overlapping_pairs_counted_once(texts, vocab_size, special_tokens=()):
    return training(texts, vocab_size, special_tokens, count=pairs_of_a_word_counted_once)


@mistake("train_bpe", "merges cross from one word into the next: the text must be split into words first")
def trained_across_words(texts, vocab_size, special_tokens=()):
    return training(texts, vocab_size, special_tokens, split=lambda text: [text])


@mistake("train_bpe", "vocab_size counts the merges alone; the bytes and the special tokens are tokens, too")
def size_without_the_bytes(texts, vocab_size, special_tokens=()):
    return right.train_bpe(texts, vocab_size + 256 + len(special_tokens), special_tokens)


@mistake("train_bpe", "training starts from characters; a byte-level tokenizer starts from bytes")
def trained_on_characters(texts, vocab_size, special_tokens=()):
    return training(texts, vocab_size, special_tokens, single=lambda word: tuple(map(str.encode, word)))


@mistake("bpe_encode", "the longest token that fits is taken; merges are applied in the order of learning")
def longest_match(text, merges, special_tokens=()):
    tokens, ids = vocabulary(merges, special_tokens), []
    for data in map(str.encode, split_words(text)):
        while data:
            token = max((t for t in tokens[len(special_tokens):] if data.startswith(t)), key=len)
            ids.append(tokens.index(token))
            data = data[len(token):]
    return ids


@mistake("bpe_encode", "the leftmost pair is merged first; the one that was learned first comes first")
def leftmost_pair_first(text, merges, special_tokens=()):
    ids = []
    for word in map(single_bytes, split_words(text)):
        while found := next((pair for pair in pairwise(word) if pair in merges), None):
            word = merge_pair(word, found, b"".join(found))
        ids += [vocabulary(merges, special_tokens).index(token) for token in word]
    return ids


@mistake("bpe_encode", "a merge joins the end of a word with the start of the next: split the text into words first")
def encoded_across_words(text, merges, special_tokens=()):
    return encoding(text, merges, special_tokens, split=lambda text: [text])


@mistake("bpe_encode", "a byte gets its value as id; its id is its place in the table of characters")
def byte_values_as_ids(text, merges, special_tokens=()):
    tokens = [*special_tokens, *(bytes([b]) for b in range(256)), *(left + right for left, right in merges)]
    good = vocabulary(merges, special_tokens)
    return [tokens.index(good[i]) for i in right.bpe_encode(text, merges, special_tokens)]


@mistake("bpe_encode", "the ids start at 0; the special tokens come first, and move all others up")
def special_tokens_not_counted(text, merges, special_tokens=()):
    return right.bpe_encode(text, merges)


@mistake("bpe_encode", "text that spells a special token becomes that token: anybody could smuggle one in")
def special_tokens_in_the_text(text, merges, special_tokens=()):
    parts = regex.split(f"({'|'.join(map(regex.escape, special_tokens)) or '^$'})", text)
    return [i for part in parts for i in ([special_tokens.index(part)] if part in special_tokens
                                          else right.bpe_encode(part, merges, special_tokens))]


@mistake("bpe_encode", "a character gets one id; a byte-level tokenizer works on the bytes of UTF-8")
def characters_for_bytes(text, merges, special_tokens=()):
    return encoding(text, merges, special_tokens,
                    single=lambda word: tuple(bytes([b]) for b in word.encode("latin-1", "replace")))


@mistake("bpe_decode", "each token is decoded by itself, which breaks characters of several tokens")
def decoded_token_by_token(ids, merges, special_tokens=()):
    return "".join(joined([i], merges, special_tokens) for i in ids)


@mistake("bpe_decode", "the spaces at the ends are cut off; text must come back as it was")
def spaces_cut_off(ids, merges, special_tokens=()):
    return joined(ids, merges, special_tokens).strip()


@mistake("bpe_decode", "bytes that are not UTF-8 vanish; U+FFFD must show that something was there")
def broken_bytes_vanish(ids, merges, special_tokens=()):
    return joined(ids, merges, special_tokens, errors="ignore")


@mistake("char_encode", "unknown characters vanish; U+FFFD must show that something was there")
def unknown_characters_vanish(text, tokens):
    return [tokens.index(c) for c in text if c in tokens]
