"""Popular claims about GPT and its kin, each with a verdict, a reason and a source: the data are in claims.json."""
import json
import re
from collections import Counter
from dataclasses import dataclass, fields
from html import escape
from pathlib import Path

from minigpt.errors import InputError
from minigpt.listing import suggest

FILE = Path(__file__).parent / "claims.json"
VERDICTS = ("true", "imprecise", "outdated", "wrong")


@dataclass(frozen=True)
class Claim:
    """One claim; source: papers by title and arXiv number, documents, or lessons that measured it.

    lesson: the lesson that settles it; None where no lesson does, and the sources have to do.
    """

    id: str
    claim: str
    verdict: str
    why: str
    source: tuple[str, ...]
    lesson: str | None

    def __post_init__(self):
        if self.verdict not in VERDICTS:
            raise ValueError(f"claim {self.id!r}: verdict {self.verdict!r} is not one of {', '.join(VERDICTS)}")
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if empty := [name for name, value in values.items() if not value and (name, value) != ("lesson", None)]:
            raise ValueError(f"claim {self.id!r} has no {empty[0]}")

    def _repr_html_(self):
        return (f"<p><i>{escape(self.claim)}</i><br/><b>{self.verdict.capitalize()}.</b> {escape(self.why)}<br/>"
                f"<small>{escape('; '.join(self.source))}</small></p>")

    def __str__(self):
        return f"{self.claim}\n{self.verdict.capitalize()}. {self.why}\n({'; '.join(self.source)})"


def load_claims(file=FILE) -> dict[str, Claim]:
    """All claims by id, in the order of the course.

    Raises ValueError for an entry that lacks a field, a verdict, a source, or has an id that another one has.
    """
    content = json.loads(Path(file).read_text(encoding="utf-8"))
    claims = [_claim(entry, content["papers"]) for entry in content["claims"]]
    if twice := [name for name, count in Counter(claim.id for claim in claims).items() if count > 1]:
        raise ValueError(f"two claims have the id {twice[0]!r}")
    return {claim.id: claim for claim in claims}


def claim(id) -> Claim:
    """One claim, for a lesson to show. Raises InputError for an unknown id, with the nearest ones."""
    claims = load_claims()
    if id not in claims:
        raise InputError(f"no claim {id!r}; {suggest(id, claims)}")
    return claims[id]


def _claim(entry, papers):
    known = {field.name for field in fields(Claim)}
    if set(entry) != known:
        raise ValueError(f"claim {entry.get('id')!r}: its fields are {sorted(entry)}, not {sorted(known)}")
    return Claim(**entry | {"source": tuple(_source(entry["id"], source, papers) for source in entry["source"])})


def _source(id, source, papers):
    """`arXiv:1706.03762` becomes the paper's title with its number; `lesson:NAME` and documents stay readable."""
    if lesson := re.fullmatch(r"lesson:(\w+)", source):
        return f"measured in the lesson {lesson[1]}"
    if number := re.fullmatch(r"arXiv:(\d{4}\.\d{5})", source):
        if number[1] not in papers:
            raise ValueError(f"claim {id!r} cites {source}, which is not among the papers")
        return f"{papers[number[1]]}, {source}"
    return source
