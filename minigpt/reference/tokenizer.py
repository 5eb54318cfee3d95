"""Tokenizers as on a blackboard: byte-pair encoding over bytes, and single characters. Slow and clear.

A token is a bytes object, a word a tuple of tokens, a merge a pair of tokens that becomes one.
"""
from collections import Counter
from itertools import pairwise

import regex

UNKNOWN = "\ufffd"  # what Unicode shows for a character that cannot be shown

SPLIT = regex.compile(r"""
      '(?:[sdmt]|ll|re|ve)      # the end of a contraction: she's, I'd, I'm, don't, we'll, you're, they've
    | [ ]?\p{L}+                # letters, a single space before them included
    | [ ]?\p{N}+                # digits and other numerals
    | [ ]?[^\s\p{L}\p{N}]+      # punctuation, symbols and all the rest
    | \s+(?!\S)                 # spaces, but not the last one if something follows: that belongs to it
    | \s+
""", regex.VERBOSE)


def split_words(text):
    """Cut a text into the words that merges never cross; joined, they are the text.

    Source: Radford et al. 2019 (GPT-2), section 2.2 and its published code.
    """
    return SPLIT.findall(text)


def byte_characters():
    """GPT-2's table: for each byte a character that can be printed, {byte: character}.

    Bytes that Latin-1 can print stand for themselves, the other 68 for the characters from U+0100 on.
    In this order the bytes are numbered.
    """
    printable = [b for b in range(256) if chr(b).isprintable() and not chr(b).isspace()]
    others = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(256 + k) for k, b in enumerate(others)}


def vocabulary(merges, special_tokens=()):
    """All tokens as bytes; the place in the list is the id: special tokens, the 256 bytes, what merges made."""
    return [*(token.encode() for token in special_tokens),
            *(bytes([b]) for b in byte_characters()),
            *(left + right for left, right in merges)]


def pair_counts(words):
    """How often two tokens stand side by side.

        count(a, b) = sum over words of (times the word occurs) * (places in the word where b follows a)

    words: {word: times it occurs}, a word being a tuple of tokens. Returns {(a, b): count}.
    """
    counts = Counter()
    for word, times in words.items():
        for pair in pairwise(word):
            counts[pair] += times
    return counts


def merge_pair(word, pair, new):
    """Replace each occurrence of a pair of tokens by one new token, from left to right, without overlap.

    word: tuple of tokens. Returns a tuple: merging (a, a) in (a, a, a) gives (new, a).
    """
    merged, i = [], 0
    while i < len(word):
        if word[i:i + 2] == tuple(pair):
            merged.append(new)
            i += 2
        else:
            merged.append(word[i])
            i += 1
    return tuple(merged)


def train_bpe(texts, vocab_size, special_tokens=()):
    """Learn merges: the most frequent pair becomes one token, again and again; of equals, the lowest ids.

        pair = argmax count(a, b), ties: smallest id of a, then smallest id of b

    texts: any number of strings. vocab_size: tokens, with the special ones and the 256 bytes.
    Returns the merges in the order of learning, fewer than asked if every word has become one token.
    Raises ValueError if vocab_size is too small.
    Source: Sennrich et al. 2016, arXiv:1508.07909, section 3.2.
    """
    tokens = vocabulary([], special_tokens)
    if vocab_size < len(tokens):
        raise ValueError(f"vocab_size={vocab_size} is too small: 256 bytes and the special tokens need "
                         f"{len(tokens)}")
    id_of = {token: i for i, token in enumerate(tokens)}
    words = Counter(_bytes_of(word) for text in texts for word in split_words(text))
    merges = []
    while len(id_of) < vocab_size and (counts := pair_counts(words)):
        pair = min(counts, key=lambda pair: (-counts[pair], id_of[pair[0]], id_of[pair[1]]))
        new = pair[0] + pair[1]
        id_of[new] = len(id_of)
        words = {merge_pair(word, pair, new): times for word, times in words.items()}
        merges.append(pair)
    return merges


def bpe_encode(text, merges, special_tokens=()):
    """Token ids of a text: each word starts as bytes, and every merge is applied, in the order of learning.

    Text that spells a special token is text like any other. Returns a list of ids.
    """
    id_of = {token: i for i, token in enumerate(vocabulary(merges, special_tokens))}
    ids = []
    for text_word in split_words(text):
        word = _bytes_of(text_word)
        for left, right in merges:
            word = merge_pair(word, (left, right), left + right)
        ids += [id_of[token] for token in word]
    return ids


def bpe_decode(ids, merges, special_tokens=()):
    """The text of token ids; bytes that are not UTF-8, such as half a character, become U+FFFD."""
    tokens = vocabulary(merges, special_tokens)
    return b"".join(tokens[i] for i in ids).decode("utf-8", errors="replace")


def char_vocabulary(texts, special_tokens=()):
    """Special tokens, U+FFFD for the unknown, and the characters of the texts in the order of Unicode."""
    return [*special_tokens, UNKNOWN, *sorted(set("".join(texts)) - {UNKNOWN})]


def char_encode(text, tokens):
    """Token ids of a text, one a character; one that is not among the tokens gets the id of U+FFFD."""
    return [tokens.index(c if c in tokens else UNKNOWN) for c in text]


def char_decode(ids, tokens):
    """The text of token ids."""
    return "".join(tokens[i] for i in ids)


def _bytes_of(text):
    return tuple(bytes([b]) for b in text.encode())
