"""Divides texts into training, validation and test, so that no text is in two of them."""
import hashlib

from minigpt.errors import InputError

HELD_OUT = 0.05          # of the characters, for validation and again for test
LEAST = 0.03             # of the characters: what still counts as about 5%
SHORTEST = 400           # characters of a text that can be split: 20 for each held-out part


def split(documents: list[str], seed: int) -> tuple[list[list[str]], str]:
    """([train, validation, test], how): about 90/5/5 by characters.

    how: "by document", or "by position" when the documents are too few or too large for that
    Raises InputError when the text is too short.
    """
    total = sum(map(len, documents))
    if total < SHORTEST:
        raise InputError(f"the text has {total} characters after cleaning, too few to split; "
                         f"at least {SHORTEST} are needed, and a model wants many thousands")
    parts = split_by_document(documents, seed)
    if all(sum(map(len, part)) >= LEAST * total for part in parts[1:]):
        return parts, "by document"
    return split_by_position(documents), "by position"


def split_by_document(documents: list[str], seed: int) -> list[list[str]]:
    """[train, validation, test] in whole documents, about 90/5/5 by characters, in the order given.

    Documents are drawn in the order of sha256(seed, document), which is the same on every machine.
    """
    order = sorted(documents, key=lambda text: hashlib.sha256(f"{seed}\0{text}".encode()).digest())
    target = HELD_OUT * sum(map(len, documents))
    test = _draw(order, target)
    validation = _draw([text for text in order if text not in test], target)
    parts = [set(order) - test - validation, validation, test]
    return [[text for text in documents if text in part] for part in parts]


def split_by_position(documents: list[str]) -> list[list[str]]:
    """[train, validation, test]: of each document the first 90%, the next 5%, the last 5%, cut between lines.

    A document too short to split is for training.
    """
    parts: list[list[str]] = [[], [], []]
    for text in documents:
        if len(text) < SHORTEST:
            parts[0].append(text)
            continue
        first = _cut(text, 1 - 2 * HELD_OUT)
        second = _cut(text, 1 - HELD_OUT)
        for part, piece in zip(parts, (text[:first], text[first:second], text[second:]), strict=True):
            part.append(piece.strip("\n"))
    if not all(any(part) for part in parts):
        raise InputError(f"no text of {SHORTEST} characters or more, and too few texts to hold some out; "
                         "give more text")
    return [[piece for piece in part if piece] for part in parts]


def _draw(order, target):
    """Documents in that order, each taken if it still fits, until about `target` characters are held."""
    drawn, size = set(), 0
    for text in order:
        if size + len(text) <= 1.4 * target:
            drawn.add(text)
            size += len(text)
        if size >= 0.9 * target:
            break
    return drawn


def _cut(text, fraction):
    """Where to cut: after the last line end, else the last space, in the 2% before the fraction."""
    end = int(len(text) * fraction)
    start = end - len(text) // 50
    for mark in ("\n", " "):
        found = text.rfind(mark, start, end)
        if found >= 0:
            return found + 1
    return end
