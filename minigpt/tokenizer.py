"""Tokenizers: text into token ids and back, saved as a tokenizer.json that other tools read.

    tokenizer = BPETokenizer.train(texts, vocab_size=4096)
    ids = tokenizer.encode("Hello")        # a list of integers
    tokenizer.decode(ids)                  # "Hello"
    tokenizer.save("tokenizer.json")
"""
from collections import Counter
from itertools import chain

from minigpt.bpe import BYTE_CHARACTERS, SPLIT, SPLIT_AT_DIGITS, byte_symbols, merge_word, numbered, train_bpe, utf8
from minigpt.errors import InputError
from minigpt.tokenizer_file import decoder_type, read_document, tokenizer_document
from minigpt.vocabulary import END_OF_TEXT, Tokenizer
from minigpt.wordpiece import WordPieceTokenizer

UNKNOWN = "\ufffd"   # what Unicode shows for a character that cannot be shown
BYTE_LEVEL = {"type": "ByteLevel", "trim_offsets": True, "use_regex": True}
_WORDS = BYTE_LEVEL | {"add_prefix_space": False}
PRE_TOKENIZERS = {False: _WORDS, True: {"type": "Sequence", "pretokenizers": [      # by isolate_digits
    {"type": "Digits", "individual_digits": True}, _WORDS]}}


class CharTokenizer(Tokenizer):
    """One token a character. Characters that were not in the training text become U+FFFD."""

    _decoder = "Fuse"

    def __init__(self, characters, special_tokens=(END_OF_TEXT,)):
        super().__init__([*special_tokens, UNKNOWN, *characters], special_tokens)
        self._ids = {token: i for i, token in enumerate(self.tokens)}
        if len(self._ids) < self.vocab_size or any(len(utf8(c).decode()) != 1 for c in characters):
            raise InputError(f"the {len(characters)} characters must be single and different, and U+FFFD is "
                             "one already; leave out the others")

    @classmethod
    def train(cls, texts, vocab_size=None, special_tokens=(END_OF_TEXT,)):
        """The characters of the texts, or the most frequent of them if vocab_size leaves no place for all.

        Raises InputError if vocab_size leaves no place at all.
        """
        counts = Counter()
        for text in _several(texts):
            counts.update(utf8(text).decode())
        counts.pop(UNKNOWN, None)
        room = len(counts) if vocab_size is None else vocab_size - len(special_tokens) - 1
        if vocab_size is not None and room < 1:
            raise InputError(f"vocab_size={vocab_size} leaves no place for a character beside U+FFFD and "
                             f"{len(special_tokens)} special tokens; try {vocab_size - room + len(counts)}")
        kept = sorted(counts, key=lambda c: (-counts[c], c))[:room]
        return cls(sorted(kept), special_tokens)

    def decode(self, ids):
        """The text of token ids."""
        return "".join(self._tokens_of(ids))

    def _encode(self, text):
        unknown = self._ids[UNKNOWN]
        return [self._ids.get(character, unknown) for character in text]

    def _document(self):
        return tokenizer_document(self.special_ids, self.tokens, [], unknown=UNKNOWN, pre_tokenizer=None,
                                  decoder={"type": self._decoder})

    @classmethod
    def _from_model(cls, model, special_tokens):
        return cls(list(model["vocab"])[len(special_tokens) + 1:], special_tokens)


class BPETokenizer(Tokenizer):
    """Byte-level byte-pair encoding with GPT-2's split pattern: no text and no byte is unknown to it.

    merges: pairs of bytes, in the order of learning, as train_bpe returns them.
    tokens: all tokens as bytes by id, for a published vocabulary that has them in another order than ours: special
    tokens, the 256 bytes, what merges made. There a byte may have no token; where it stands in a text it is left out.
    isolate_digits: each digit is a word of its own.
    """

    _decoder = "ByteLevel"

    def __init__(self, merges, special_tokens=(END_OF_TEXT,), *, tokens=None, isolate_digits=False):
        basic, self._merges = numbered(merges)
        usual = [*(token.encode() for token in special_tokens), *basic]
        super().__init__(usual if tokens is None else list(tokens), special_tokens)
        self._ids = list(range(len(self.special_tokens), len(usual)))             # by symbol
        if tokens is not None:
            self._renumber(basic)
        self.merges = [(left, right) for left, right in merges]
        self._missing = {symbol: None for symbol, i in enumerate(self._ids) if i is None}
        self.isolate_digits, self._split = isolate_digits, SPLIT_AT_DIGITS if isolate_digits else SPLIT
        self._ids_of = _Pieces(self._encode_piece)

    def _renumber(self, basic):
        """Take the ids from the order of `tokens`. Raises InputError if one is missing, there twice, or of no use."""
        ids = {token: i for i, token in enumerate(self.tokens)}
        special = {token: token.encode() for token in self.special_tokens}
        needed = {*special.values(), *basic[256:]}
        wrong = (needed - ids.keys()) | (ids.keys() - needed - set(basic[:256]))
        if wrong or len(ids) < len(self.tokens):
            why = f"{min(wrong)!r} is missing, or no merge makes it" if wrong else "one of them is there twice"
            raise InputError(f"a vocabulary of {len(self.tokens)} tokens: {why}; give the one of these merges")
        self.special_ids = {token: ids[data] for token, data in special.items()}
        self._ids = [ids.get(token) for token in basic]

    @classmethod
    def train(cls, texts, vocab_size, special_tokens=(END_OF_TEXT,)):
        """Learn merges from texts until there are vocab_size tokens, or no pair is left (see .vocab_size).

        Raises InputError if vocab_size is less than 256 and the special tokens.
        """
        return cls(train_bpe(_several(texts), vocab_size, special_tokens), special_tokens)

    def decode_bytes(self, ids):
        """The bytes of token ids, exactly."""
        return b"".join(self._tokens_of(ids))

    def decode(self, ids):
        """The text of token ids; bytes that are not UTF-8, such as half a character, become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def _checked(self, text):
        if isinstance(text, bytes):                    # a byte that is not UTF-8 travels as a lone surrogate
            return text.decode("utf-8", errors="surrogateescape")
        return super()._checked(text)

    def _encode(self, text):
        if len(self._ids_of) > 2**18:                  # a server must not grow with every new word
            self._ids_of.clear()
        return list(chain.from_iterable(map(self._ids_of.__getitem__, self._split.findall(text))))

    def _encode_piece(self, piece):
        symbols = byte_symbols(piece.encode("utf-8", errors="surrogateescape"))
        symbols = symbols.translate(self._missing)
        return [self._ids[ord(symbol)] for symbol in merge_word(symbols, self._merges)]

    def _document(self):
        special = {i: token for token, i in self.special_ids.items()}
        return tokenizer_document(
            self.special_ids, [special.get(i) or _as_characters(token) for i, token in enumerate(self.tokens)],
            [tuple(map(_as_characters, pair)) for pair in self.merges], unknown=None,
            pre_tokenizer=PRE_TOKENIZERS[self.isolate_digits], decoder=BYTE_LEVEL | {"add_prefix_space": True})

    @classmethod
    def _from_document(cls, document, special_tokens):
        vocabulary, merges = document["model"]["vocab"], document["model"]["merges"]
        return cls.from_text(sorted(vocabulary, key=vocabulary.__getitem__), merges, special_tokens,
                             isolate_digits=document["pre_tokenizer"] == PRE_TOKENIZERS[True])

    @classmethod
    def from_text(cls, vocabulary, merges, special_tokens, *, isolate_digits=False):
        """A tokenizer whose tokens, by id, and merges are written as in a tokenizer.json: a character for each byte.

        Raises KeyError for a character that stands for no byte, InputError as the constructor does.
        """
        byte = {character: bytes([b]) for b, character in BYTE_CHARACTERS.items()}
        special = set(special_tokens)
        tokens = [t.encode() if t in special else b"".join(byte[c] for c in t) for t in vocabulary]
        pairs = [tuple(b"".join(byte[c] for c in token) for token in pair) for pair in merges]
        return cls(pairs, special_tokens, tokens=tokens, isolate_digits=isolate_digits)


def load_tokenizer(path):
    """The tokenizer that a tokenizer.json holds, of whichever kind. Raises InputError if it is none of ours."""
    kinds = {kind._decoder: kind for kind in (BPETokenizer, CharTokenizer, WordPieceTokenizer)}
    decoder = decoder_type(read_document(path))
    if decoder not in kinds:
        raise InputError(f"{path}: decoder {decoder} is not {' or '.join(kinds)}; train a tokenizer of ours")
    return kinds[decoder].load(path)


class _Pieces(dict):
    """Ids of each piece of text: found when first asked for, then remembered."""

    def __init__(self, encode):
        super().__init__()
        self._encode = encode

    def __missing__(self, piece):
        ids = self._encode(piece)
        if len(piece) <= 64:
            self[piece] = ids
        return ids


def _as_characters(token):
    return "".join(BYTE_CHARACTERS[byte] for byte in token)


def _several(texts):
    return [texts] if isinstance(texts, str) else texts
