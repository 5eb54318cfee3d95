"""Every contract accepts its reference and rejects every mistake of its bank, by an assertion about values."""
import pathlib

import pytest

from minigpt.grading.contract import mistakes, run_contract
from minigpt.grading.op import implementations

CONCEPTS = sorted(p.stem for p in pathlib.Path(__file__).parent.glob("mistakes/[a-z]*.py") if implementations(p.stem))


@pytest.mark.parametrize("mistake", [m for c in CONCEPTS for m in mistakes(c)],
                         ids=lambda m: f"{m.op.concept}-{m.name}")
def test_the_contract_rejects(mistake):
    outcomes = run_contract(mistake.op.concept, mistake.op, until_failed=True)
    assert any(outcome.status == "failed" for outcome in outcomes), (
        f"no assertion of test_{mistake.op.concept} noticed: {mistake.says}")


@pytest.mark.parametrize("concept", [c for c in CONCEPTS if not c.endswith("_kernel")])   # theirs: test_X_kernel.py
def test_the_contract_accepts_the_reference(concept):
    first = implementations(concept)[0]                # the reference, or the solution of an exercise
    wrong = [o for o in run_contract(concept, first) if o.status in ("failed", "crashed")]
    assert wrong == []


@pytest.mark.parametrize("concept", CONCEPTS)
def test_the_sentences_of_a_bank_differ(concept):
    says = [mistake.says for mistake in mistakes(concept)]
    assert len(set(says)) == len(says) > 0
