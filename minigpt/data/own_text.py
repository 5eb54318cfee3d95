"""Reads the user's own file or folder of text."""
import codecs
from pathlib import Path

from minigpt.errors import InputError

TEXT_SUFFIXES = (".txt", ".md")   # what surely is meant as text: in a folder, other files may be anything


def read_own_text(path: Path) -> tuple[list[str], int]:
    """The documents of a file or folder, and the number of files that were skipped.

    A folder gives every regular file in it and below, in order of names; no links, no hidden ones.
    There *.txt and *.md must be UTF-8; another file is taken if it is UTF-8, and skipped and counted if not.
    Raises InputError: nothing there, no text in it, not UTF-8 (with the file and the offset of the bad byte).
    """
    found = read_files(path)
    documents = [text for _, text in found if text is not None]
    skipped = len(found) - len(documents)
    if not any(text.strip() for text in documents):
        what = "folder holds no text" + f" ({skipped} files are not text)" * bool(skipped)
        if path.is_file():
            what = "file holds nothing but spaces" if documents[0] else "file is empty"
        raise InputError(f"{str(path)!r}: the {what}; give a UTF-8 text file, or a folder with some")
    return documents, skipped


def read_files(path: Path) -> list[tuple[Path, str | None]]:
    """(path, text) of a file, or of each file in and below a folder; None for one that is no text.

    Raises InputError: nothing there, it cannot be read, or a text file is not UTF-8.
    """
    try:
        return _read(path)
    except OSError as error:
        where = str(error.filename or path)
        raise InputError(f"cannot read {where!r} ({error.strerror}); check the path") from error


def _read(path):
    if path.is_file():
        return [(path, _decode(path, path.read_bytes()))]
    if path.is_dir():
        return [(file, _read_or_skip(file)) for file in _files(path)]
    raise InputError(f"no file or folder {str(path)!r} (seen from {str(Path.cwd())!r}); check the path")


def _files(folder):
    """Regular files in and below the folder in order of their paths; hidden ones and links left out."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_dir():
            yield from _files(entry)
        elif entry.is_file():
            yield entry


def _read_or_skip(path):
    """The text of a file; None for one that is not UTF-8 and does not have to be."""
    data = path.read_bytes()
    if path.suffix.lower() in TEXT_SUFFIXES:
        return _decode(path, data)
    try:
        return None if b"\0" in data else _decode(path, data)
    except InputError:
        return None


def _decode(path, data):
    mark = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    try:
        return data[mark:].decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{str(path)!r} is not UTF-8 (byte 0x{data[mark + error.start]:02x} at offset "
                         f"{mark + error.start}); save it again with the encoding UTF-8") from error
