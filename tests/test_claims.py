"""The popular claims: complete, sourced, and shown readably."""
import json
import pathlib
import re

import pytest

from minigpt.claims import FILE, VERDICTS, claim, load_claims
from minigpt.commands.start import lesson_files
from minigpt.errors import InputError

ROOT = pathlib.Path(__file__).parents[1]

GOOD = {"id": "a", "claim": "A.", "verdict": "wrong", "why": "B.", "source": ["arXiv:1706.03762"],
        "lesson": "attention"}


def load(tmp_path, *entries):
    file = tmp_path / "claims.json"
    file.write_text(json.dumps({"papers": {"1706.03762": "Attention <Is> All"}, "claims": entries}), encoding="utf-8")
    return load_claims(file)


def test_about_forty_claims_load():
    assert 35 <= len(load_claims()) <= 50


def test_each_verdict_is_given_somewhere():
    assert {c.verdict for c in load_claims().values()} == set(VERDICTS)


def test_every_paper_of_the_list_is_cited():
    content = json.loads(FILE.read_text(encoding="utf-8"))
    cited = {source for entry in content["claims"] for source in entry["source"]}
    assert {f"arXiv:{number}" for number in content["papers"]} <= cited


def test_a_reason_is_one_to_three_sentences():
    assert all(1 <= c.why.count(". ") + 1 <= 3 and c.why.endswith(".") for c in load_claims().values())


def test_a_claim_names_no_lesson_that_is_not_there():
    sources = re.findall(r'"lesson:(\w+)"', FILE.read_text(encoding="utf-8"))
    assert {*sources, *(c.lesson for c in load_claims().values() if c.lesson is not None)} <= set(lesson_files(ROOT))


def test_a_claim_without_a_lesson_has_a_source_outside_the_course():
    content = json.loads(FILE.read_text(encoding="utf-8"))
    assert all(any(not source.startswith("lesson:") for source in entry["source"])
               for entry in content["claims"] if entry["lesson"] is None)


def test_a_claim_may_have_no_lesson_and_shows_its_source(tmp_path):
    found = load(tmp_path, GOOD | {"lesson": None})["a"]
    assert found.lesson is None
    assert "arXiv:1706.03762" in str(found)
    assert "None" not in str(found) + found._repr_html_()


@pytest.mark.parametrize(("change", "message"), [
    ({"verdict": "silly"}, "verdict 'silly'"),
    ({"source": []}, "has no source"),
    ({"why": ""}, "has no why"),
    ({"lesson": ""}, "has no lesson"),
    ({"source": ["arXiv:1234.56789"]}, "not among the papers"),
    ({"page": 3}, "its fields are"),
])
def test_a_faulty_entry_is_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        load(tmp_path, GOOD | change)


def test_two_claims_with_one_id_are_refused(tmp_path):
    with pytest.raises(ValueError, match="two claims have the id 'a'"):
        load(tmp_path, GOOD, GOOD)


def test_a_source_is_shown_with_its_title(tmp_path):
    assert load(tmp_path, GOOD)["a"].source == ("Attention <Is> All, arXiv:1706.03762",)


def test_a_lesson_as_source_is_shown_in_words(tmp_path):
    assert load(tmp_path, GOOD | {"source": ["lesson:attention"]})["a"].source == ("measured in the lesson attention",)


def test_the_html_of_a_claim_is_escaped(tmp_path):
    assert "Attention &lt;Is&gt; All" in load(tmp_path, GOOD)["a"]._repr_html_()


def test_an_unknown_claim_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean bert_writes"):
        claim("bert_write")
