"""A corpus: cleaned documents in training, validation and test, from a name or from your own files."""
import hashlib
import platform
from dataclasses import dataclass, replace
from pathlib import Path

from minigpt.data.cleaning import CleaningReport, clean
from minigpt.data.documents import read_documents
from minigpt.data.fetch import Unavailable
from minigpt.data.own_text import read_own_text
from minigpt.data.sources import DEFAULT, FALLBACK, find_source
from minigpt.data.splitting import split
from minigpt.errors import InputError


@dataclass(frozen=True)
class Corpus:
    """Cleaned text in three parts that share no document. Bits per character count a part joined by "\\n".

    train, validation, test: documents, or pieces of documents when split_how is "by position"
    content_hash: sha256 of all cleaned documents, hexadecimal; equal for two people who have the same text
    note: what the user must be told, such as that another corpus stands in for the one asked for; else ""
    """

    name: str
    train: list[str]
    validation: list[str]
    test: list[str]
    split_how: str
    report: CleaningReport
    licence: str
    redistributable: bool
    content_hash: str
    note: str = ""


def load_corpus(name: str = DEFAULT, *, seed: int = 0, fallback: bool = False) -> Corpus:
    """The corpus called `name`, fetched when it is not cached, split about 90/5/5 in whole documents.

    seed: decides which documents are held out
    fallback: without the package index take the text that every Python has instead, and say so in `note`
    Raises InputError: unknown name, index out of reach (unless fallback), not the pinned archive.
    """
    source = find_source(name)
    try:
        documents = read_documents(source)
    except Unavailable as error:
        if not fallback:
            raise
        stand_in = load_corpus(FALLBACK, seed=seed)
        reason = str(error).partition(";")[0]
        return replace(stand_in, note=f"{FALLBACK} stands in for {name}: {reason}. {stand_in.note}")
    note = ""
    if source.embedded:
        note = f"The text is that of Python {platform.python_version()}; other versions give other numbers."
    return _corpus(name, documents, seed, source.licence, source.redistributable, note=note)


def load_text(path: str | Path, *, seed: int = 0) -> Corpus:
    """Your own text, a file or a folder, as a corpus.

    A single file is split by position, between lines: the first 90% for training, the next 5% for validation,
    the last 5% for test. A folder is split by document, with `seed`, where that comes out near 90/5/5.
    Raises InputError: nothing there, nothing in it, not UTF-8, too short to split.
    """
    if not str(path):                                  # Path("") would be the folder that we are in
        raise InputError("--text is empty; give a file or a folder")
    documents, skipped = read_own_text(Path(path))
    return _corpus(str(path), documents, seed, "yours", False, files_skipped=skipped)


def _corpus(name, documents, seed, licence, redistributable, files_skipped=0, note=""):
    cleaned, report = clean(documents, files_skipped=files_skipped)
    (train, validation, test), how = split(cleaned, seed)
    content = "\0".join(cleaned).encode()   # cleaned text holds no \0, so this says where documents end
    return Corpus(name, train, validation, test, how, report, licence, redistributable,
                  hashlib.sha256(content).hexdigest(), note)
