"""What every tokenizer has: numbered tokens, special tokens, batches and a file."""
from itertools import chain

import regex
import torch

from minigpt.bpe import SPLIT, utf8
from minigpt.errors import InputError
from minigpt.tokenizer_file import decoder_type, difference, read_document, write_document

END_OF_TEXT = "<|endoftext|>"


class Tokenizer:
    """The ground of all tokenizers. An id is a position in `tokens`; the special tokens come first.

    A special token stands for something outside the text, such as its end. Text that merely spells one is
    encoded like any other text, so that nobody can smuggle one in.

    A tokenizer adds: `decode(ids)`, `_encode(text)`, `_document()` (its file), `_from_model(model,
    special_tokens)` or `_from_document` (from its file) and `_decoder`, the type of decoder by which its file is known.
    """

    def __init__(self, tokens, special_tokens):
        self.tokens = tokens
        self.special_tokens = tuple(special_tokens)
        self.special_ids = {token: i for i, token in enumerate(self.special_tokens)}
        for token in self.special_tokens:
            if not (token.isascii() and token.isprintable()) or len(SPLIT.findall(token)) < 2:
                raise InputError(f"special token {token!r} could be a piece of ordinary text; write it like "
                                 "'<|name|>'")
        if len(self.special_ids) < len(self.special_tokens):
            raise InputError(f"the special tokens {self.special_tokens} name one twice; leave it out")

    @property
    def vocab_size(self):
        """How many tokens there are."""
        return len(self.tokens)

    def encode(self, text, *, allowed_special=False):
        """Token ids of a text, as a list; with `allowed_special` a special token spelled out becomes its id.

        Raises InputError if the text holds half of a surrogate pair.
        """
        text = self._checked(text)
        if not (allowed_special and self.special_tokens):
            return self._encode(text)
        longest_first = sorted(self.special_tokens, key=len, reverse=True)
        parts = regex.split(f"({'|'.join(map(regex.escape, longest_first))})", text)
        return [i for k, part in enumerate(parts)
                for i in ([self.special_ids[part]] if k % 2 else self._encode(part))]

    def encode_batch(self, texts, *, pad_id=0):
        """Token ids of B texts, filled up on the right with pad_id to the length T of the longest.

        Returns ids: (B,T) int64, and mask: (B,T) bool, True = a token of the text.
        """
        rows = [self.encode(text) for text in texts]
        T = max(map(len, rows), default=0)
        ids = torch.full((len(rows), T), pad_id, dtype=torch.int64)                        # (B,T)
        mask = torch.arange(T) < torch.tensor([len(row) for row in rows])[:, None]         # (B,T)
        ids[mask] = torch.tensor(list(chain.from_iterable(rows)), dtype=torch.int64)
        return ids, mask

    def save(self, path):
        """Write a tokenizer.json, whole or not at all. Raises InputError if it cannot be written."""
        write_document(path, self._document())

    @classmethod
    def load(cls, path):
        """Read a tokenizer.json. Raises InputError unless it is exactly what such a tokenizer saves."""
        return cls.from_document(read_document(path), path)

    @classmethod
    def from_document(cls, document, path):
        """The same from what a tokenizer.json holds; path: where that was, for the message."""
        if decoder_type(document) != cls._decoder:
            raise InputError(f"{path} is no {cls.__name__}: its decoder is {decoder_type(document)}, not "
                             f"{cls._decoder}; load it with the tokenizer that saved it")
        try:
            special_tokens = [token["content"] for token in document["added_tokens"]]
            tokenizer = cls._from_document(document, special_tokens)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} is damaged ({type(error).__name__}: {error}); save or train it "
                             "again") from error
        field = difference(document, tokenizer._document())
        if field:
            raise InputError(f"{path}: {field} is not what a {cls.__name__} saves; the file was changed, or "
                             "made with settings that we do not have")
        return tokenizer

    @classmethod
    def _from_document(cls, document, special_tokens):
        return cls._from_model(document["model"], special_tokens)

    def _checked(self, text):
        utf8(text)
        return text

    def _tokens_of(self, ids):
        ids = [int(i) for i in ids]
        if ids and not 0 <= min(ids) <= max(ids) < self.vocab_size:
            raise ValueError(f"ids from {min(ids)} to {max(ids)}, but the tokens are 0 to "
                             f"{self.vocab_size - 1}; decode with the tokenizer that encoded them")
        return [self.tokens[i] for i in ids]
