"""Writing: a model's tokens as text, piece by piece, as soon as each piece is certain."""
import codecs

import torch

from minigpt.errors import InputError
from minigpt.evaluation import device_of
from minigpt.generation import generate
from minigpt.tokenizer import END_OF_TEXT


def write(model, tokenizer, prompt="", *, max_new_tokens=200, temperature=0.8, top_k=None, top_p=None, seed=None,
          stop=None, window=False):
    """Continue a prompt; an iterator of pieces of text, which joined are what the model wrote.

    It ends at max_new_tokens, where the model ends its text, or before the text `stop`. An empty prompt begins a
    new text. seed: None differs every time. window: of a prompt that is too long, let the model see its end only.
    Raises InputError if the prompt is longer than the context, unless `window`.
    """
    end = tokenizer.special_ids[END_OF_TEXT]
    ids, limit = tokenizer.encode(prompt) or [end], model.config.context_length
    if len(ids) > limit and not window:
        raise InputError(f"the prompt has {len(ids)} tokens, more than the model's context_length={limit}; shorten "
                         "it, or let the model see only its end with --window")
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    new = generate(model, torch.tensor(ids, device=device_of(model)), max_new_tokens=max_new_tokens, top_k=top_k,
                   temperature=temperature, top_p=top_p, generator=generator, stop_ids=(end,), context_length=limit)
    pieces = characters(tokenizer, new)
    return before(pieces, stop) if stop else pieces


def characters(tokenizer, ids):
    """The text of token ids, one after the other, never half a character; an iterator of pieces."""
    if not hasattr(tokenizer, "decode_bytes"):
        yield from (tokenizer.decode([i]) for i in ids)
        return
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    for i in ids:
        if piece := decoder.decode(tokenizer.decode_bytes([i])):
            yield piece
    if rest := decoder.decode(b"", final=True):            # the text ends within a character
        yield rest


def before(pieces, stop):
    """Pieces of text until `stop` comes; what may be the beginning of it waits until that is certain."""
    text = ""
    for piece in pieces:
        text += piece
        if stop in text:
            text = text[:text.index(stop)]
            break
        waiting = max((n for n in range(1, len(stop)) if text.endswith(stop[:n])), default=0)
        certain, text = text[:len(text) - waiting], text[len(text) - waiting:]
        if certain:
            yield certain
    if text:
        yield text
