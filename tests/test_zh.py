"""For readers of Chinese: the map, the glossary and the claims keep up with the rest of the project."""
import pathlib
import re

from minigpt.claims import load_claims
from minigpt.commands.start import lesson_files

ROOT = pathlib.Path(__file__).parents[1]
ZH = ROOT / "lessons" / "zh"
VERDICTS = {"正确": "true", "不准确": "imprecise", "已过时": "outdated", "错误": "wrong"}


def rows(name):
    """The cells of each row of the tables of a page, without the heads and the lines below them."""
    lines = (ZH / name).read_text(encoding="utf-8").splitlines()
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [cells for cells in found[1:] if not set(cells[0]) <= {"-"}]


def test_every_claim_is_there_with_its_verdict_and_lesson():
    ours = {claim.id: (claim.verdict, claim.lesson or "—") for claim in load_claims().values()}
    theirs = {id: (VERDICTS[verdict], lesson) for id, verdict, _, _, lesson in rows("claims.md")}
    assert theirs == ours


def test_the_glossary_has_each_term_once_and_explains_it():
    terms = rows("glossary.md")
    assert len(terms) >= 80
    assert len({english for english, *_ in terms}) == len(terms)
    assert all(len(cells) == 4 and all(cells) for cells in terms)


def test_every_lesson_is_on_the_map():
    on_the_map = re.findall(r"notebooks/\d\d_(\w+)\.ipynb", (ZH / "README.md").read_text(encoding="utf-8"))
    assert set(on_the_map) == set(lesson_files(ROOT))
