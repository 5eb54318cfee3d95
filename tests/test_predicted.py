"""Predictions of shapes and numbers: what is right, what is said of a wrong one, how they stand beside the facts."""
import numpy as np
import pytest

from minigpt.grading import beside
from minigpt.grading.compare import Mismatch
from minigpt.grading.predicted import assert_predicted

FOUND = {"scores": (2, 4, 8), "bytes": 12_288, "rate": 2.5}


@pytest.mark.parametrize("got", [FOUND, FOUND | {"scores": [2, 4, 8]}, FOUND | {"bytes": 12_288.0},
                                 FOUND | {"bytes": np.int64(12_288)}, FOUND | {"rate": 2.5 + 1e-12}])
def test_a_right_prediction_passes(got):
    assert_predicted(got, FOUND)


@pytest.mark.parametrize(("got", "says"), [
    (FOUND | {"scores": (2, 8, 4)}, r"the prediction\['scores'\]: expected \(2, 4, 8\), got \(2, 8, 4\)"),
    (FOUND | {"scores": 64}, "got 64"), (FOUND | {"bytes": 12_289}, "expected 12,288, got 12,289"),
    (FOUND | {"bytes": True}, "got True"), (FOUND | {"bytes": None}, "got None"), (FOUND | {"bytes": "12"}, "got 12"),
    (FOUND | {"bytes": (12_288,)}, "got"), (FOUND | {"rate": 2.6}, "expected 2.5, got 2.6"),
    ({"scores": (2, 4, 8)}, r"has \['scores'\], expected the names \['bytes', 'rate', 'scores'\]"),
    ((2, 4, 8), "has a tuple, expected the names"), (None, "has a NoneType"), (FOUND | {"more": 1}, "'more'"),
])
def test_a_wrong_one_is_told_what_was_found(got, says):
    with pytest.raises(Mismatch, match=says):
        assert_predicted(got, FOUND)


def test_yes_is_no_number():
    with pytest.raises(Mismatch, match="expected 1, got True"):
        assert_predicted({"heads": True}, {"heads": 1})


def test_a_prediction_stands_beside_what_was_found(capsys):
    beside({"scores": (2, 4, 8), "bytes": 3}, FOUND, "T = 8")
    assert capsys.readouterr().out == (
        "T = 8   predicted      found\n"
        "scores  (2, 4, 8)  (2, 4, 8)  ✓\n"
        "bytes           3     12,288  ✗\n"
        "rate    your turn        2.5\n")


@pytest.mark.parametrize("nothing", [None, ..., (1, 2), "text"])
def test_of_no_prediction_the_facts_are_shown(nothing, capsys):
    beside(nothing, FOUND)
    assert capsys.readouterr().out.count("your turn") == 3
