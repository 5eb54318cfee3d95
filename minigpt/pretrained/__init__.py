"""Weights that others have trained and published, in our Transformer.

    model, tokenizer = load("minilm")
    h = model.hidden(ids)                  # (B, T, C)
"""
from minigpt.errors import InputError
from minigpt.listing import suggest
from minigpt.pretrained import minilm

PUBLISHED = {"minilm": minilm}


def load(name, device="cpu"):
    """(model, tokenizer) of published weights, fetched once: 84 MB for minilm. The model is ready to be used (eval).

    name: minilm, all-MiniLM-L6-v2, an encoder of 22.7 million parameters that turns a text into a vector.
    Raises InputError for another name, and if the weights cannot be fetched.
    """
    if name not in PUBLISHED:
        raise InputError(f"no published weights {name!r}; {suggest(name, PUBLISHED)}")
    model, tokenizer = PUBLISHED[name].load()
    return model.to(device).eval(), tokenizer
