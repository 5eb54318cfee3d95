"""Whoever hands in the package's own answer gets nothing for it; elsewhere it may be called."""
import pytest
from sandboxed import require_containment

from minigpt.grading.exercises import exercises
from minigpt.grading.marking import Settings, mark_all
from minigpt.grading.rubric import Rubric
from minigpt.listing import ROOT

OURS = "from minigpt.reference.softmax import softmax_forward as ours\n"
WAYS = {
    "under another name": f"{OURS}def softmax_forward(x):\n    return ours(x)",
    "through its module": "import minigpt.reference.softmax as room\n"
                          "def softmax_forward(x):\n    return room.softmax_forward(x)",
    "as it is": f"{OURS}ours.__module__ = __name__\nsoftmax_forward = ours",
    "kept from exceptions": f"{OURS}def softmax_forward(x):\n    try: return ours(x)\n    except Exception: return x",
    "by importlib": "import importlib\ndef softmax_forward(x):\n"
                    "    return vars(importlib.import_module('minigpt.reference.softmax'))['softmax_forward'](x)",
    "imported late": "def softmax_forward(x):\n    from minigpt.reference.tiled.softmax import softmax_forward as f\n"
                     "    return f(x)",
    "in PyTorch": "import torch\nfrom minigpt.softmax import softmax\ndef softmax_forward(x):\n"
                  "    return softmax(torch.tensor(x)).numpy()",
    "in PyTorch, fused and late": "import torch\ndef softmax_forward(x):\n    import minigpt.fused as f\n"
                                  "    return f.softmax(torch.tensor(x)).numpy()",
}
CROSS_ENTROPY = """
from minigpt.reference import cross_entropy as package

def cross_entropy_forward(logits, targets, ignore_index=-100):
    return package.cross_entropy_forward(logits, targets, ignore_index)

def masked_lm_forward(logits, targets, ignore_index=-100):
    if targets.shape != logits.shape[:-1]:
        raise ValueError("the shapes differ")
    return package.cross_entropy_forward(logits, targets, ignore_index)

def masked_lm_backward(dy, cache):
    return package.cross_entropy_backward(dy, cache)
"""


def marked(tmp_path, codes, ids):
    require_containment()
    files = {}
    for student, code in codes.items():
        files[student] = [tmp_path / f"{len(files)}.py"]
        files[student][0].write_text(code)
    known = exercises(ROOT)
    return mark_all(files, [Rubric(known[id]) for id in ids], Settings(), jobs=2)


@pytest.mark.slow
def test_our_answer_has_no_points_however_it_was_reached(tmp_path):
    for student in marked(tmp_path, WAYS, ["first_model.1"]):
        result, = student.results
        assert result.points == 0, student.student
        assert "the package's own answer, not yours" in result.says, (student.student, result.says)


@pytest.mark.slow
def test_of_one_exercise_it_is_withheld_and_in_another_it_may_be_called(tmp_path):
    ids = ["masked_lm.2", "first_model.2", "masked_lm.2"]
    student, = marked(tmp_path, {"one": CROSS_ENTROPY}, ids)
    assert [result.points for result in student.results] == [10, 0, 10]


def test_what_is_withheld_are_the_answers_of_all_versions_and_no_other_function():
    known = exercises(ROOT)
    assert Rubric(known["masked_lm.2"]).answers == [
        "minigpt.masked_lm.masked_lm", "minigpt.masked_lm.masked_lm_backward", "minigpt.masked_lm.masked_lm_forward",
        "minigpt.reference.masked_lm.masked_lm_backward", "minigpt.reference.masked_lm.masked_lm_forward"]
    assert "minigpt.reference.multi_head_attention.split_heads" in Rubric(known["transformer.2"]).answers
    assert Rubric(known["first_model.3"]).answers == []
