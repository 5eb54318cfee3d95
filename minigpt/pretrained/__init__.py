"""Weights that others have trained and published, in our Transformer.

    model, tokenizer = load("minilm")
    h = model.hidden(ids)                  # (B, T, C)
    model, tokenizer = load("smollm2")
    logits = model(ids)                    # (B, T, V)
    model, tokenizer = load("folder/of/a/llama")       # or a .gguf file
"""
import pathlib

from minigpt.errors import InputError
from minigpt.listing import suggest
from minigpt.pretrained import minilm, smollm2
from minigpt.pretrained.gguf_file import read_gguf
from minigpt.pretrained.hugging_face import from_folder, is_model_folder
from minigpt.pretrained.llama import from_gguf

__all__ = ["PUBLISHED", "is_model_folder", "load"]
PUBLISHED = {"minilm": minilm, "smollm2": smollm2}


def load(name, device="cpu"):
    """(model, tokenizer) of published weights. The model is ready to be used (eval), in float32.

    name: minilm (84 MB, fetched once), all-MiniLM-L6-v2, an encoder of 22.7 million parameters that turns a text into a
    vector; smollm2 (93 MB, fetched once), SmolLM2-135M-Instruct, a decoder of 134.5 million parameters that answers
    questions (see minigpt.chat_template), 0.5 GB in memory; or the path of weights of Llama's architecture: a folder in
    Hugging Face's layout with safetensors, or a GGUF file with tensors of F32, F16, Q8_0, Q4_0 or Q4_1.
    Raises InputError for another name, if the weights cannot be fetched, and for files that are damaged or of another
    kind than these.
    """
    if str(name) in PUBLISHED:
        model, tokenizer = PUBLISHED[str(name)].load()
    elif not (path := pathlib.Path(name)).exists():
        raise InputError(f"no published weights {str(name)!r}, and no such file or folder; "
                         f"{suggest(str(name), PUBLISHED)}")
    elif path.is_dir():
        model, tokenizer = from_folder(path)
    else:
        model, tokenizer = from_gguf(read_gguf(path), path)
    return model.to(device).eval(), tokenizer
