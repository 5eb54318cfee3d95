"""The contract of the classifier: a head on the Transformer."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from test_transformer import CONFIGS, IDS, normal, parameters
from test_transformer_encoder import TYPES

from minigpt.classifier import Classifier
from minigpt.gradcheck import numerical_gradient
from minigpt.grading.compare import assert_close, refused, untouched
from minigpt.reference.classifier import classifier_backward, classifier_forward
from minigpt.reference.transformer import hidden_forward
from minigpt.transformer import Transformer

WAYS = ["first", "mean", "last", "tokens"]
MASK = np.array([[True, True, True, False, False], [True] * 5])
BERT, GPT = CONFIGS["bert"], CONFIGS["untied"]


def with_head(config, K=3, seed=0):
    """Parameters of a trunk and a head; of the trunk without what only its output layer has."""
    trunk = {f"trunk.{name}": p for name, p in parameters(config, seed).items() if name != "output.weight"}
    return trunk | {"head.weight": normal(K, config.d_model, seed=1), "head.bias": normal(K, seed=2)}


def trunk(params):
    return {name.removeprefix("trunk."): p for name, p in params.items() if name.startswith("trunk.")}


def shape(how, K=3):
    return (2, 5, K) if how == "tokens" else (2, K)


def test_a_worked_example(op):
    # a trunk whose last norm gives every token the bias (1, 2, 3, 4): the mean is that; times the head, plus 10 and 20
    params = {name: np.zeros_like(p) for name, p in with_head(BERT, K=2).items()}
    params["trunk.blocks.1.feed_forward_norm.bias"] = np.array([1.0, 2, 3, 4])
    params["head.weight"], params["head.bias"] = np.array([[1.0, 0, 0, 0], [0, 1, 0, 1]]), np.array([10.0, 20.0])
    assert_close(op.forward((IDS, params, BERT)), np.array([[11.0, 26.0]] * 2))


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("masked", [False, True])
def test_every_way_agrees_with_the_reference(op, how, masked):
    params, dlogits = with_head(BERT), normal(*shape(how))
    options = {"how": how, "key_mask": MASK if masked else None, "token_types": TYPES}
    logits, (dparams,) = op.run((IDS, params, BERT), dlogits, **options)
    expected, cache = classifier_forward(IDS, params, BERT, **options)
    assert_close(logits, expected, "logits")
    assert_close(dparams, classifier_backward(dlogits, cache), "dparams")


@pytest.mark.parametrize("how", WAYS)
def test_vectors_of_length_1_agree_with_the_reference(op, how):
    params, dlogits = with_head(BERT), normal(*shape(how))
    logits, (dparams,) = op.run((IDS, params, BERT), dlogits, how=how, unit=True, key_mask=MASK)
    expected, cache = classifier_forward(IDS, params, BERT, how=how, unit=True, key_mask=MASK)
    assert_close(logits, expected, "logits")
    assert_close(dparams, classifier_backward(dlogits, cache), "dparams")


def test_vectors_of_length_1_change_with_the_angle_alone(op):
    params = {name: np.zeros_like(p) for name, p in with_head(BERT, K=2).items()}
    params["head.weight"] = np.array([[1.0, 0, 0, 0], [0, 0, 0, 1]])
    for scale in (1.0, 1e-6, 1e6):                     # (3, 0, 0, 4), of length 5, times scale
        params["trunk.blocks.1.feed_forward_norm.bias"] = scale * np.array([3.0, 0, 0, 4])
        assert_close(op.forward((IDS, params, BERT), unit=True), np.array([[0.6, 0.8]] * 2), "logits")


def test_a_vector_of_0_has_no_length_to_be_divided_by(op):
    params = {name: np.zeros_like(p) for name, p in with_head(BERT, K=2).items()}
    params["head.bias"] = np.array([1.0, 2])
    assert_close(op.forward((IDS, params, BERT), unit=True), np.array([[1.0, 2.0]] * 2), "logits")


@pytest.mark.parametrize("how", WAYS)
def test_it_agrees_with_the_parts_that_it_is_made_of(op, how):
    params = with_head(BERT)
    h, _ = hidden_forward(IDS, trunk(params), BERT, key_mask=MASK)
    z = {"first": h[:, 0], "last": np.stack([h[0, 2], h[1, 4]]), "tokens": h,
         "mean": np.stack([h[0, :3].mean(axis=0), h[1].mean(axis=0)])}[how]
    expected = z @ params["head.weight"].T + params["head.bias"]
    assert_close(op.forward((IDS, params, BERT), how=how, key_mask=MASK), expected)


@pytest.mark.parametrize("how", ["first", "mean", "last"])
def test_what_stands_in_padding_changes_nothing(op, how):
    params, other = with_head(BERT), np.where(MASK, IDS, 3)
    before = op.forward((IDS, params, BERT), how=how, key_mask=MASK)
    assert_close(op.forward((other, params, BERT), how=how, key_mask=MASK), before)


def test_a_causal_trunk_knows_the_whole_text_at_its_last_token_only(op):
    params, other = with_head(GPT), IDS.copy()
    other[:, -1] = (IDS[:, -1] + 1) % 7
    first, last = (op.forward((other, params, GPT), how=how) - op.forward((IDS, params, GPT), how=how)
                   for how in ("first", "last"))
    assert_close(first, np.zeros((2, 3)), "change at the first token")
    assert np.abs(last).max() > 0.01


def test_the_mean_is_what_it_is_unless_told(op):
    params = with_head(BERT)
    assert_close(op.forward((IDS, params, BERT)), op.forward((IDS, params, BERT), how="mean"))


def test_another_way_is_refused(op):
    with refused("how='max'"):
        op.forward((IDS, with_head(BERT), BERT), how="max")


def test_a_longer_text_than_the_context_is_refused(op):
    with refused("7 tokens of 6"):
        op.forward((np.zeros((1, 7), dtype=int), with_head(BERT), BERT))


def test_a_single_token_and_no_texts_have_scores(op):
    params = with_head(BERT)
    assert op.forward((IDS[:, :1], params, BERT)).shape == (2, 3)
    assert op.forward((IDS[:0], params, BERT)).shape == (0, 3)


def test_strided_ids_give_the_same(op):
    params, wide = with_head(BERT), np.repeat(IDS, 2, axis=1)
    assert_close(op.forward((wide[:, ::2], params, BERT)), op.forward((IDS, params, BERT)))


def test_inputs_are_left_untouched(op):
    ids, params, mask = IDS.copy(), with_head(BERT), MASK.copy()
    with untouched(ids=ids, params=params, mask=mask):
        op.run((ids, params, BERT), normal(2, 3), key_mask=mask)


def test_float32_stays_float32(op):
    params = {name: p.astype(np.float32) for name, p in with_head(BERT).items()}
    logits, (dparams,) = op.run((IDS, params, BERT), normal(2, 3).astype(np.float32))
    assert {logits.dtype, *(p.dtype for p in dparams.values())} == {np.dtype(np.float32)}


@hypothesis.given(B=st.integers(1, 3), T=st.integers(1, 6), K=st.integers(1, 4), how=st.sampled_from(WAYS))
def test_any_text_agrees_with_the_reference(op, B, T, K, how):
    ids, params = np.random.default_rng(B * T).integers(7, size=(B, T)), with_head(BERT, K)
    dlogits = normal(B, T, K) if how == "tokens" else normal(B, K)
    logits, (dparams,) = op.run((ids, params, BERT), dlogits, how=how)
    expected, cache = classifier_forward(ids, params, BERT, how=how)
    assert_close(logits, expected, "logits")
    assert_close(dparams, classifier_backward(dlogits, cache), "dparams")


@pytest.mark.parametrize("how", WAYS)
def test_the_reference_gradients_equal_finite_differences(how):
    params, dlogits = with_head(BERT), normal(*shape(how))

    def forward(changed):
        return classifier_forward(IDS, params | changed, BERT, how=how, key_mask=MASK, token_types=TYPES)
    dparams = classifier_backward(dlogits, forward({})[1])
    assert sorted(dparams) == sorted(params)
    for key, p in params.items():
        numerical = numerical_gradient(lambda p, key=key: forward({key: p})[0], p, dlogits)
        assert_close(dparams[key], numerical, key, (1e-6, 1e-7))


def test_the_class_starts_with_a_trunk_as_it_is_and_a_head_of_small_scores():
    trunk = Transformer(BERT, generator=torch.Generator().manual_seed(0))
    model = Classifier(trunk, 4, generator=torch.Generator().manual_seed(1))
    assert model.trunk is trunk
    assert model(torch.tensor(IDS)).abs().max() < 0.5
