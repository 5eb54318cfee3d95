"""Writing: a model's tokens as text, piece by piece, as soon as each piece is certain.

    for text in write(model, tokenizer, "Once upon a time", temperature=0.8, seed=1):
        print(text, end="")

    for piece in pieces(model, tokenizer, prompt, stop=["\\n\\n"], alternatives=5):
        piece.text              # whole characters, and nothing that may turn out to begin a stop text; may be ""
        piece.tokens            # what the text is made of: Token(id, logprob, top), top = [(id, logprob), ...]
        piece.finish_reason     # None, and of the last piece "stop" or "length"

A prompt is a text, or a list of token ids (of a conversation, say). A KV cache is used; one of your own, given as
`cache`, goes on with what it holds, so that the next text, or the next of n, does not read the same beginning again.
The model runs with PyTorch's fused operators, and with what `minigpt.use` puts in their place.
"""
import codecs
from collections import namedtuple
from functools import partial

import torch

from minigpt.errors import InputError
from minigpt.evaluation import device_of
from minigpt.generation import next_tokens
from minigpt.kv_cache import KVCache
from minigpt.speculation import speculative_tokens
from minigpt.swap import fused_between
from minigpt.tokenizer import END_OF_TEXT

ENDS = (END_OF_TEXT, "<|im_end|>")      # special tokens with which a text, or an answer, ends

Token = namedtuple("Token", "id logprob top")
Piece = namedtuple("Piece", "text tokens finish_reason")


def write(model, tokenizer, prompt="", **options):
    """Continue a prompt; an iterator of pieces of text, which joined are what the model wrote. Options: of `pieces`."""
    found = pieces(model, tokenizer, prompt, **options)
    return (piece.text for piece in found if piece.text)


def pieces(model, tokenizer, prompt="", *, max_new_tokens=200, temperature=0.8, top_k=None, top_p=None,
           repetition_penalty=1.0, seed=None, stop=(), stop_ids=None, window=False, alternatives=None, cache=None,
           speculate=0):
    """Continue a prompt; an iterator of Pieces, one for each token and one for the end.

    prompt: a text, or token ids; an empty one begins a new text. seed: None differs every time.
    It ends ("length") at max_new_tokens, or ("stop") at one of stop_ids, which are the model's ends of a text or an
    answer if they are None, or before one of the texts in `stop`, whichever is complete first.
    window: of a prompt that is too long, let the model see its end only; a text that grows too long loses its beginning
    in any case. alternatives: how many of the likeliest tokens to name in each Token; 0 for its own logprob alone, None
    for neither (nats, as the model believes: at temperature 1). cache: a KVCache, which keeps what was read.
    speculate: how many tokens to guess ahead at most, from how the text went on before (minigpt.speculation).
    Raises InputError if the prompt is longer than the context, unless `window`.
    """
    ids, limit = prompt_ids(tokenizer, prompt), model.config.context_length
    if len(ids) > limit and not window:
        raise InputError(f"the prompt has {len(ids)} tokens, more than the model's context_length={limit}; shorten "
                         "it, or let the model see only its end with --window")
    stop, ends = [stop] if isinstance(stop, str) else list(stop or ()), stop_ids
    ends = [tokenizer.special_ids[mark] for mark in ENDS if mark in tokenizer.special_ids] if ends is None else ends
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    if cache is None and model.config.causal:          # else what was read means something else with every new token
        cache = KVCache(model.config, min(limit, len(ids) + max_new_tokens))
    choose = partial(speculative_tokens, n_draft=speculate) if speculate else next_tokens
    chosen = choose(last_scores(model, speculate + 1), torch.tensor(ids, device=device_of(model)),
                    temperature=temperature, top_k=top_k, top_p=top_p, penalty=repetition_penalty, generator=generator,
                    context_length=limit, cache=cache)
    tokens = (Token(new, *logprobs(logits, new, alternatives)) for new, logits in fused_between(chosen))
    return _pieces(tokens, tokenizer, max_new_tokens, stop, ends)


def prompt_ids(tokenizer, prompt):
    """The token ids of a prompt, which may be ids already; of an empty one, the token with which a text begins."""
    ids = tokenizer.encode(prompt) if isinstance(prompt, str) else list(prompt)
    return ids or [tokenizer.special_ids[END_OF_TEXT]]


def last_scores(model, n=1):
    """The model as next_tokens wants it: with logits (B,n,V) of the last n positions, as the others go unread."""
    return lambda ids, cache=None: model.score(model.hidden(ids, cache=cache)[:, -n:])


def logprobs(logits, token, alternatives):
    """(log-probability of a token in nats, [(id, log-probability), ...] of the likeliest); (None, []) for None."""
    if alternatives is None:
        return None, []
    nats = logits - torch.logsumexp(logits, dim=-1)                               # (V,)
    best = torch.topk(nats, min(alternatives, len(nats)))
    return float(nats[token]), list(zip(best.indices.tolist(), best.values.tolist(), strict=True))


class Speller:
    """Token ids as text, one after the other, never half a character."""

    def __init__(self, tokenizer):
        self._tokenizer, self._in_bytes = tokenizer, hasattr(tokenizer, "decode_bytes")
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def spell(self, token):
        """The characters that this token completes."""
        if self._in_bytes:
            return self._decoder.decode(self._tokenizer.decode_bytes([token]))
        return self._tokenizer.decode([token])

    def rest(self):
        """What is left at the end: U+FFFD if that is within a character."""
        return self._decoder.decode(b"", final=True)


def _pieces(tokens, tokenizer, max_new_tokens, stop, ends):
    """Pieces from Tokens; a token goes with the piece in which its text begins."""
    text, waiting, speller = "", [], Speller(tokenizer)    # waiting: (where it begins in text, token)
    for _ in range(max_new_tokens):
        token = next(tokens)
        if token.id in ends:
            yield Piece(text + speller.rest(), [t for _, t in waiting], "stop")
            return
        waiting.append((len(text), token))
        text += speller.spell(token.id)
        certain, stopped = _certain(text, stop)
        yield Piece(text[:certain], [t for at, t in waiting if at < certain], "stop" if stopped else None)
        if stopped:
            return
        text, waiting = text[certain:], [(at - certain, t) for at, t in waiting if at >= certain]
    yield Piece(text + speller.rest(), [t for _, t in waiting], "length")


def _certain(text, stop):
    """(how much of a text is certain, whether it ends there): what may be the beginning of a stop text is not."""
    found = [(text.index(s) + len(s), text.index(s)) for s in stop if s and s in text]
    if found:
        return min(found)[1], True
    return len(text) - max((n for s in stop for n in range(1, len(s)) if text.endswith(s[:n])), default=0), False
