"""Byte-pair encoding, fast. A word is a string whose characters are its tokens: chr(k) is token number k.

Tokens 0 to 255 are the bytes, in the order of BYTE_CHARACTERS; token 256 + k is what merge number k made.
So a pair of neighbours is a string of two characters, and merging it is `word.replace(pair, new)`, which
Python does from left to right without overlaps, as byte-pair encoding wants it.
"""
import heapq
from collections import Counter, defaultdict
from operator import add

import regex

from minigpt.errors import InputError

# GPT-2's pieces: merges never cross from one into the next. Radford et al. 2019, section 2.2.
SPLIT = regex.compile(r"'(?:[sdmt]|ll|re|ve)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
# The same, but each digit is a piece of its own, and what precedes it ends there, as at the end of a text.
SPLIT_AT_DIGITS = regex.compile(r"\p{N}|'(?:[sdmt]|ll|re|ve)| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?![^\s\p{N}])|\s+")

_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = [byte for byte in range(256) if byte not in _PRINTABLE]

# How a tokenizer.json writes a byte: as itself if Latin-1 can print it, else as the next from U+0100.
BYTE_CHARACTERS = {b: chr(b) for b in _PRINTABLE} | {b: chr(256 + k) for k, b in enumerate(_OTHERS)}

_SYMBOLS = str.maketrans({chr(byte): chr(k) for k, byte in enumerate(BYTE_CHARACTERS)})
_LONG = 100  # tokens; from about this length on, trying every merge once is faster than looking for the first


def byte_symbols(data):
    """Bytes as a word of single-byte tokens."""
    return data.decode("latin-1").translate(_SYMBOLS)


def utf8(text):
    """The UTF-8 bytes of a text. Raises InputError if it holds half of a surrogate pair, which has none."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        half = text[error.start]
        raise InputError(f"character {error.start} of the text is {half!a}, half of a surrogate pair and no "
                         "character; read the text as UTF-8, or give the tokenizer its bytes") from None


def train_bpe(texts, vocab_size, special_tokens=()):
    """Learn merges: each joins the most frequent pair of neighbouring tokens; of equals, the lowest tokens.

    texts: any number of strings. vocab_size: tokens, with the special ones and the 256 bytes.
    Returns the merges as pairs of bytes, fewer than asked if every word has become one token.
    Raises InputError if vocab_size is too small. Source: Sennrich et al. 2016, arXiv:1508.07909, section 3.2.
    """
    n_basic = len(special_tokens) + 256
    if vocab_size < n_basic:
        raise InputError(f"vocab_size={vocab_size} is too small: 256 bytes and {len(special_tokens)} special "
                         f"tokens need {n_basic}; try {n_basic + 256}")
    pieces = Counter()
    for text in texts:
        utf8(text)                                     # refuse a broken text before counting it
        pieces.update(SPLIT.findall(text))
    words = [byte_symbols(piece.encode()) for piece in pieces]
    merges, tokens = [], [bytes([byte]) for byte in BYTE_CHARACTERS]
    for pair in _learn(words, list(pieces.values()), vocab_size - n_basic):
        left, right = (tokens[ord(symbol)] for symbol in pair)
        merges.append((left, right))
        tokens.append(left + right)
    return merges


def numbered(merges):
    """Tokens as bytes, by number, and the merges as {pair of symbols: new symbol}.

    Raises InputError for a merge of tokens that no earlier merge made, or into one that is there already.
    """
    symbols = {bytes([byte]): chr(k) for k, byte in enumerate(BYTE_CHARACTERS)}
    table = {}
    for k, (left, right) in enumerate(merges):
        if left not in symbols or right not in symbols or left + right in symbols:
            raise InputError(f"merge {k}, {left!r} with {right!r}: both must have been made before, and the "
                             "result must be new; train the merges again")
        table[symbols[left] + symbols[right]] = symbols[left + right] = chr(256 + k)
    return list(symbols), table


def _learn(words, frequencies, n_merges):
    """Pairs of symbols, in the order of merging. Replaces the words by their merged form."""
    counts, where = defaultdict(int), defaultdict(list)
    for i, word in enumerate(words):
        for pair in map(add, word, word[1:]):
            counts[pair] += frequencies[i]
            where[pair].append(i)                      # words that hold the pair, or once held it
    heap = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(heap)                                # the most frequent pair first; of equals, the lowest
    pairs = []
    while heap and len(pairs) < n_merges:
        count, pair = heapq.heappop(heap)
        if counts[pair] == 0:
            continue
        if counts[pair] != -count:                     # it became rarer since it was pushed
            heapq.heappush(heap, (-counts[pair], pair))
            continue
        made = _merge_everywhere(pair, chr(256 + len(pairs)), words, frequencies, counts, where)
        for new_pair in made:                          # from now on it can but become rarer
            heapq.heappush(heap, (-counts[new_pair], new_pair))
        pairs.append(pair)
    return pairs


def _merge_everywhere(pair, new, words, frequencies, counts, where):
    """Merge a pair in every word that holds it; update words, counts and where. Returns the pairs made."""
    made = defaultdict(list)                           # only this merge makes them: none is there yet
    for i in set(where.pop(pair)):                     # a word that holds the pair twice is listed twice
        parts = words[i].split(pair)
        if len(parts) == 1:                            # an earlier merge took the pair away
            continue
        words[i] = new.join(parts)
        frequency = frequencies[i]
        for gone, come in _neighbours(parts, pair, new):
            counts[gone] -= frequency
            counts[come] += frequency
            made[come].append(i)
    where.update(made)
    return made


def _neighbours(parts, pair, new):
    """(pair that goes, pair that comes) at the borders of each occurrence; the parts lie between them."""
    first, second = pair
    last = len(parts) - 1
    for k, part in enumerate(parts):
        if part:
            if k > 0:
                yield second + part[0], new + part[0]
            if k < last:
                yield part[-1] + first, part[-1] + new
        elif 0 < k < last:                             # two occurrences touch
            yield second + first, new + new


def merge_word(word, merges):
    """Apply merges, the earliest learned first, until none fits.

    word: string of symbols. merges: {pair of symbols: new symbol}, in the order of learning.
    """
    if len(word) > _LONG:
        for pair, new in merges.items():
            word = word.replace(pair, new)
        return word
    never = chr(0x10FFFF)
    while len(word) > 1:
        pair = min(map(add, word, word[1:]), key=lambda pair: merges.get(pair, never))
        if pair not in merges:
            break
        word = word.replace(pair, merges[pair])
    return word
