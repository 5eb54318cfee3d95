"""Semantic search: the passages of a folder whose meaning is nearest to a question, whatever their words are."""
import contextlib
import hashlib
import json
import os
import uuid
from collections import namedtuple

import safetensors
import safetensors.torch
import torch

from minigpt.data.fetch import cache_folder
from minigpt.data.own_text import read_files
from minigpt.errors import InputError
from minigpt.sentence_embeddings import sentence_embeddings

WORDS = 120                                            # of a passage, about half of what the encoder reads
Passage = namedtuple("Passage", "path line text")      # line: of the file, counted from 1
Found = namedtuple("Found", "score passage")           # score: cosine, 1 = the same meaning


def passages_of(path, text, words=WORDS):
    """Pieces of a text of at most so many words: whole paragraphs as long as they fit, long ones cut at lines."""
    found, lines, count, start = [], [], 0, 1

    def end():
        if any(line.strip() for line in lines):
            found.append(Passage(path, start, "\n".join(lines).strip("\n")))
        lines.clear()

    for number, line in enumerate(text.splitlines(), 1):
        n = len(line.split())
        if lines and (count + n > words or (not n and count > words // 2)):
            end()
            count = 0
        if n or lines:
            start = start if lines else number
            lines.append(line)
            count += n
    end()
    return found


def read_passages(folder):
    """([Passage], files read, files skipped) of a file or folder. Raises InputError if there is no text."""
    files = read_files(folder)
    passages = [passage for path, text in files if text is not None for passage in passages_of(path, text)]
    skipped = sum(text is None for _, text in files)
    if not passages:
        raise InputError(f"{str(folder)!r} holds no text ({len(files)} files); give a folder with UTF-8 text files")
    return passages, len(files) - skipped, skipped


def indexed(passages, folder, model, tokenizer, progress=None):
    """The vectors of passages: (N, C). What was computed before is kept in the cache folder, and not computed again.

    progress: called with (vectors done, vectors to do).
    """
    keys = [hashlib.sha256(passage.text.encode()).hexdigest() for passage in passages]
    place = cache_folder() / "search" / f"{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]}.safetensors"
    known = _read_index(place, model.config.d_model)
    missing = {key: passage.text for key, passage in zip(keys, passages, strict=True) if key not in known}
    if missing:
        report = progress and (lambda done: progress(done, len(missing)))
        made = sentence_embeddings(model, tokenizer, list(missing.values()), progress=report)
        known |= dict(zip(missing, made, strict=True))
        with contextlib.suppress(OSError):             # a full disk costs the next search time, not this one
            _write_index(place, {key: known[key] for key in dict.fromkeys(keys)})
    return torch.stack([known[key] for key in keys])


def nearest(question, passages, vectors, model, tokenizer, top=5):
    """The `top` passages nearest to a question, the best first: [Found]."""
    [query] = sentence_embeddings(model, tokenizer, [question])
    scores = vectors @ query                                                      # (N,)
    best = scores.topk(min(top, len(passages)))
    return [Found(score, passages[i]) for score, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)]


def _read_index(place, width):
    """{key: vector} of an index; empty if there is none, or it is damaged."""
    try:
        with safetensors.safe_open(place, "pt") as file:
            keys, vectors = json.loads(file.metadata()["keys"]), file.get_tensor("vectors")
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError):
        return {}
    return dict(zip(keys, vectors, strict=True)) if vectors.shape == (len(keys), width) else {}


def _write_index(place, known):
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f"{place.name}.{uuid.uuid4().hex}")
    try:
        safetensors.torch.save_file({"vectors": torch.stack(list(known.values()))}, part,
                                    metadata={"keys": json.dumps(list(known))})
        os.replace(part, place)
    finally:
        part.unlink(missing_ok=True)
