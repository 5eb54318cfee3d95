"""check() answers a student: what holds, what does not, and which mistake it looks like."""
import importlib
import re

import numpy as np
import pytest
import torch

from minigpt.errors import InputError
from minigpt.grading import check
from minigpt.grading.compare import Mismatch, assert_close
from minigpt.grading.contract import _parameters, mistakes
from minigpt.reference.minhash import minhash
from minigpt.reference.softmax import softmax_backward, softmax_forward


def own_softmax(x):
    """Right, and written in another way than ours."""
    top = np.where(np.isneginf(x), -np.inf, x).max(axis=-1, keepdims=True, initial=-np.inf)
    e = np.where(np.isneginf(x), 0.0, np.exp(x - np.where(np.isneginf(top), 0, top)))
    y = np.divide(e, e.sum(-1, keepdims=True), out=np.zeros_like(e), where=e.sum(-1, keepdims=True) > 0)
    return y, y


def own_softmax_backward(dy, y):
    jacobian = y[..., :, None] * (np.eye(y.shape[-1]) - y[..., None, :])
    return np.einsum("...i,...ij->...j", dy, jacobian)


def test_a_right_answer_in_another_style_passes():
    assert check("softmax", own_softmax, own_softmax_backward)


def test_a_right_answer_in_torch_passes():
    def softmax(x):
        return torch.nan_to_num(torch.softmax(torch.where(x.isneginf().all(-1, keepdim=True), 0, x), -1)) * (
            ~x.isneginf().all(-1, keepdim=True))
    assert check("softmax", torch=softmax)


def test_a_forward_alone_may_return_just_y():
    verdict = check("softmax", lambda x: own_softmax(x)[0])
    assert verdict
    assert "gradient was not asked for" in str(verdict)


def test_a_stub_is_told_that_it_is_its_turn():
    def softmax_forward(x):
        """Turn scores into probabilities."""
        ...
    verdict = check("softmax", softmax_forward)
    assert not verdict
    assert "your turn" in str(verdict)


def test_a_stub_beside_a_right_function_does_not_hide_it_and_is_no_pass():
    def softmax_backward(dy, cache):
        ...
    verdict = check("softmax", own_softmax, softmax_backward)
    assert not verdict
    assert "softmax_backward: your turn" in str(verdict)
    assert re.search(r"softmax: (\d+) of \1 checks hold", str(verdict))


def test_what_no_check_calls_is_no_pass():
    def softmax_forwards(x):
        return own_softmax(x)
    verdict = check("softmax", softmax_forwards=softmax_forwards)
    assert not verdict
    assert "no check calls what you gave" in str(verdict)


def test_a_wrong_shape_is_said_with_both_shapes():
    text = str(check("softmax", lambda x: (softmax_forward(x)[0].sum(axis=-1), None), softmax_backward))
    assert "has shape" in text
    assert "expected (" in text


def test_a_list_of_pairs_in_the_place_of_an_array_is_said_to_be_one():
    def candidate_pairs(signatures, bands):
        return [(0, 1)]

    assert "the pairs are a list, expected one array" in str(check("minhash", candidate_pairs=candidate_pairs))


def test_two_numbers_that_differ_late_are_told_with_the_digits_that_differ():
    with pytest.raises(Mismatch, match="expected 2147483647, got 2147483640 "):
        assert_close(np.array([2147483640]), np.array([2147483647]))
    with pytest.raises(Mismatch, match=r"expected 0\.25, got 0\.250001 "):
        assert_close(np.array([0.250001]), np.array([0.25]))


def test_capitals_within_a_property_stay():
    def empty_is_0(s, a, b):
        return minhash(s, a, b) if len(s) else 0 * a

    assert "No members give P everywhere: " in str(check("minhash", minhash=empty_is_0))


def test_a_short_function_without_names_of_its_own_is_no_stub():
    def min_p(probabilities, min_p):
        return probabilities * 2
    assert "your turn" not in str(check("min_p", min_p=min_p))


def test_a_right_backward_beside_a_stub_forward_says_nothing_of_checks():
    def softmax_forward(x):
        ...
    text = str(check("softmax", softmax_forward, own_softmax_backward))
    assert text == "softmax_forward: your turn - replace the ... and run this cell again."


def test_several_arrays_where_one_is_expected_are_said_to_be_that():
    text = str(check("softmax", lambda x: (softmax_forward(x)[0], 1, 2)))
    assert "y is a tuple of 3, expected one array of shape" in text


def test_a_list_of_gradients_is_as_good_as_a_tuple():
    reference = importlib.import_module("minigpt.reference.layer_norm")
    assert check("layer_norm", reference.layer_norm_forward,
                 lambda dy, cache: list(reference.layer_norm_backward(dy, cache)))


def test_a_crash_is_one_line_with_the_place():
    def softmax_forward(x):
        return x[:, 10], None
    text = str(check("softmax", softmax_forward, softmax_backward))
    assert "IndexError" in text
    assert "Traceback" not in text


def test_a_forgotten_return_is_named():
    def softmax_forward(x):
        np.exp(x)
    assert "is a `return` missing" in str(check("softmax", softmax_forward))


def test_a_result_that_is_no_longer_float32_is_told_in_words():
    verdict = check("softmax", lambda x: (own_softmax(x)[0].astype(np.float64), None))
    assert "Float32 stays float32: of inputs in float32 some result is not; .astype" in str(verdict)


def test_a_crash_that_comes_first_is_told_first():
    def softmax_forward(x):
        e = np.exp(x - x.max(axis=-1))                 # without keepdims
        return e / e.sum(axis=-1)
    text = str(check("softmax", softmax_forward))
    assert "Rows are probabilities: it raised ValueError" in text
    assert "(4,3,7) (4,3)" in text


def test_what_a_wrong_answer_warns_of_is_not_shown(recwarn):
    assert not check("softmax", lambda x: x[:0].mean() + x)        # NumPy: mean of empty slice
    assert list(recwarn) == []


def test_an_unknown_concept_is_refused():
    with pytest.raises(InputError, match="no contract"):
        check("sofmax", softmax_forward)


@pytest.mark.parametrize("concept", ["attention", "cross_entropy", "layer_norm"])
def test_a_reference_forward_alone_passes(concept):
    reference = importlib.import_module(f"minigpt.reference.{concept}")
    assert check(concept, getattr(reference, f"{concept}_forward"))


def test_the_mask_after_the_softmax_is_named_without_a_backward():
    forward = next(m for m in mistakes("attention") if "after the softmax" in m.says).op.functions["attention_forward"]
    assert "after the softmax" in check("attention", forward).likely


@pytest.mark.parametrize("mistake", mistakes("softmax"), ids=lambda m: m.name)
def test_a_typical_mistake_is_named(mistake):
    forward, backward = (mistake.op.functions[f"softmax_{half}"] for half in ("forward", "backward"))
    verdict = check("softmax", forward, backward)
    assert not verdict
    assert mistake.says in str(verdict)


@pytest.mark.parametrize(("names", "rows", "expected"), [
    ("a", [(5,), 3], [{"a": (5,)}, {"a": 3}]),
    ("a", [pytest.param(5, id="five")], [{"a": 5}]),
    ("a, b", [(1, 2)], [{"a": 1, "b": 2}]),
])
def test_the_runner_reads_parameters_as_pytest_does(names, rows, expected):
    @pytest.mark.parametrize(names, rows)
    def test(op, **values):
        pass
    assert [values for _, values in _parameters(test)] == expected
