"""Makes texts uniform before anything is counted, and says what it changed."""
import re
import unicodedata
from dataclasses import dataclass, fields, replace

_NEWLINES = re.compile("\r\n|[\r\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff]")   # not \t and \n; a stray byte order mark is
_BLANK_LINES = re.compile("\n{4,}")
_MOST_BLANK = "\n\n\n"   # two blank lines, as between the functions of a Python file


@dataclass(frozen=True)
class CleaningReport:
    """What cleaning was given, what it kept, and how much of each thing it changed or dropped."""

    documents: int = 0
    characters: int = 0
    kept_documents: int = 0
    kept_characters: int = 0
    newlines_unified: int = 0
    documents_recomposed: int = 0
    control_characters_dropped: int = 0
    trailing_spaces_dropped: int = 0
    blank_lines_dropped: int = 0
    empty_documents_dropped: int = 0
    duplicate_documents_dropped: int = 0
    files_skipped: int = 0

    def __str__(self) -> str:
        """One line for each count."""
        notes = {"newlines_unified": "(to \\n)", "documents_recomposed": "(to Unicode NFC)",
                 "files_skipped": "(not text)"}
        rows = [(field.name.replace("_", " "), getattr(self, field.name), notes.get(field.name, ""))
                for field in fields(self)]
        return "\n".join(f"{name:28}{count:>12,}  {note}".rstrip() for name, count, note in rows)


def clean(documents: list[str], *, files_skipped: int = 0) -> tuple[list[str], CleaningReport]:
    """Clean each document, then drop the empty ones and all but the first of exact duplicates.

    Newlines become \\n; Unicode is composed (NFC); control characters other than tab and newline go, so do
    spaces at the ends of lines, and blank lines at either end of a document or beyond two in a row.
    """
    report = CleaningReport(documents=len(documents), characters=sum(map(len, documents)),
                            files_skipped=files_skipped)
    kept: dict[str, None] = {}
    for document in documents:
        text, report = _clean_one(document, report)
        if not text:
            report = _add(report, empty_documents_dropped=1)
        elif text in kept:
            report = _add(report, duplicate_documents_dropped=1)
        else:
            kept[text] = None
    result = list(kept)
    return result, _add(report, kept_documents=len(result), kept_characters=sum(map(len, result)))


def clean_text(text: str) -> str:
    """One text made uniform as `clean` does it."""
    return _clean_one(text, CleaningReport())[0]


def _clean_one(text, report):
    text, newlines = _NEWLINES.subn("\n", text)
    text, controls = _CONTROLS.subn("", text)
    recomposed = not unicodedata.is_normalized("NFC", text)
    if recomposed:
        text = unicodedata.normalize("NFC", text)
    stripped = "\n".join([line.rstrip(" \t") for line in text.split("\n")])
    result = _BLANK_LINES.sub(_MOST_BLANK, stripped.strip("\n"))
    return result, _add(report, newlines_unified=newlines, control_characters_dropped=controls,
                        documents_recomposed=int(recomposed), blank_lines_dropped=len(stripped) - len(result),
                        trailing_spaces_dropped=len(text) - len(stripped))


def _add(report, **counts):
    return replace(report, **{name: getattr(report, name) + count for name, count in counts.items()})
