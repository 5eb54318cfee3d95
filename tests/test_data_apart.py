"""The text to pre-train on for the task `docstrings` has nothing of what that task is judged on."""
import re

import pytest

from minigpt.data import apart
from minigpt.data.labelled import same_words
from minigpt.data.task_readers import BLANK
from minigpt.data.tasks import load_task


@pytest.fixture(scope="module")
def task():
    return load_task("docstrings")


@pytest.fixture(scope="module")
def kept(task):
    """What the corpus takes, docstring by docstring, as the task compares texts; and what it leaves out."""
    names, taken, left = re.compile("|".join(task.labels), re.IGNORECASE), [], []
    original = apart.python_docs

    def watched(keep):
        def watch(text):
            said = keep(text)
            (taken if said else left).append(same_words(names.sub(BLANK, text)))
            return said
        return original(keep=watch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apart, "python_docs", watched)
        apart.docs_apart()
    return set(taken), set(left)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["validation", "test"])
def test_nothing_that_is_held_out_is_in_it(task, kept, part):
    held_out = {same_words(example.text) for example in getattr(task, part)}
    assert len(held_out) > 100
    assert held_out.isdisjoint(kept[0])
    assert held_out <= kept[1]


@pytest.mark.slow
def test_what_is_to_be_learned_from_is_in_it_and_nothing_else_is_left_out(task, kept):
    taken, left = kept
    assert {same_words(example.text) for example in task.train} <= taken
    assert left == {same_words(example.text) for part in (task.validation, task.test) for example in part}
