"""From a source to its documents: the one place that knows how each archive is laid out."""
import contextlib
import sqlite3
from itertools import groupby

from minigpt.data.apart import docs_apart
from minigpt.data.embedded import python_docs, python_source
from minigpt.data.fetch import fetch
from minigpt.data.sources import Source
from minigpt.errors import InputError

BASIC_ENGLISH = "3"      # the key of this version in the table `bible`
_NO_VERSE = "[]"         # how the table writes a verse that the version leaves out


def read_documents(source: Source) -> list[str]:
    """The documents of a source, uncleaned, always in the same order; fetched when they are not cached.

    Raises InputError when there is nothing to read, and what minigpt.data.fetch.fetch raises.
    """
    documents = READERS[source.reader](source)
    if not documents:
        raise InputError(f"this Python has no {source.name}: its standard library is not there as files; "
                         "use another corpus, or your own text with --text PATH")
    return documents


def bible_verses(database: bytes) -> list[str]:
    """One document per book: a line per verse, a blank line between chapters."""
    query = "select bNumber, cNumber, vText from bible where bbName = ? order by bNumber, cNumber, vNumber"
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(database)   # read in memory, as bytes: nothing lands on the disk
        rows = connection.execute(query, (BASIC_ENGLISH,)).fetchall()
    rows = [row for row in rows if row[2] != _NO_VERSE]
    return ["\n\n".join("\n".join(text for _, _, text in chapter)
                        for _, chapter in groupby(book, key=lambda row: row[1]))
            for _, book in groupby(rows, key=lambda row: row[0])]


def _text_files(source):
    return [member.decode(source.encoding) for member in fetch(source).values()]


def _bible(source):
    (database,) = fetch(source).values()
    return bible_verses(database)


READERS = {
    "text files": _text_files,
    "bible verses": _bible,
    "python docs": lambda source: python_docs(),
    "python docs apart": lambda source: docs_apart(),
    "python source": lambda source: python_source(),
}
