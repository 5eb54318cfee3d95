"""Weights that others have trained and published, in our Transformer.

    model, tokenizer = load("minilm")
    h = model.hidden(ids)                  # (B, T, C)
    model, tokenizer = load("smollm2")
    logits = model(ids)                    # (B, T, V)
"""
from minigpt.errors import InputError
from minigpt.listing import suggest
from minigpt.pretrained import minilm, smollm2

PUBLISHED = {"minilm": minilm, "smollm2": smollm2}


def load(name, device="cpu"):
    """(model, tokenizer) of published weights, fetched once. The model is ready to be used (eval), in float32.

    name: minilm (84 MB), all-MiniLM-L6-v2, an encoder of 22.7 million parameters that turns a text into a vector;
    smollm2 (93 MB), SmolLM2-135M-Instruct, a decoder of 134.5 million parameters that answers questions (see
    minigpt.chat_template), 0.5 GB in memory.
    Raises InputError for another name, and if the weights cannot be fetched.
    """
    if name not in PUBLISHED:
        raise InputError(f"no published weights {name!r}; {suggest(name, PUBLISHED)}")
    model, tokenizer = PUBLISHED[name].load()
    return model.to(device).eval(), tokenizer
