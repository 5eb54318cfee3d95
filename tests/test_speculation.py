"""The contract of speculation: drafts from the text, and what is kept of them."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from test_generation import model_of
from test_generation_cache import new_cache, real_model
from test_transformer import CONFIGS, small

from minigpt.grading.compare import assert_close, refused, untouched
from minigpt.reference import generation as plain
from minigpt.reference import speculation as reference

ROUND = [0, 1, 2, 3, 0, 1, 2]


def draft(op, ids, n_gram=3, n_draft=8):
    return np.asarray(op.call("ngram_draft", np.array(ids, dtype=np.int64), n_gram, n_draft)).tolist()


def verified(op, p, guessed, u):
    return np.asarray(op.call("verified", np.asarray(p), np.array(guessed, dtype=np.int64), np.asarray(u))).tolist()


def tokens(op, model, ids, n, **options):
    """The first n tokens."""
    ids = np.array(ids, dtype=np.int64)
    found = op.get("speculative_tokens")(model, torch.from_numpy(ids) if op.is_torch else ids, **options)
    return op.record([token for _, (token, _) in zip(range(n), found, strict=False)])


def one_by_one(model, ids, n, **options):
    return [token for _, (token, _) in zip(range(n), plain.next_tokens(model, np.array(ids), **options), strict=False)]




@pytest.mark.parametrize(("ids", "options", "expected"), [
    (ROUND, {}, [3, 0, 1, 2]),                                # the last three occurred at the beginning
    (ROUND, {"n_draft": 2}, [3, 0]),
    ([5, 1, 2, 7, 1, 2, 8, 3, 2], {"n_gram": 3}, [8, 3, 2]),  # 3 2 never did, 2 last before the 8
    ([5, 1, 2, 7, 4, 2, 8, 1, 2], {"n_gram": 2}, [7, 4, 2, 8, 1, 2]),             # 1 2 is more than 2
    ([5, 1, 2, 7, 4, 2, 8, 1, 2], {"n_gram": 1}, [8, 1, 2]),
    ([4, 4, 4], {}, [4]),                                     # what occurred before may reach into the end
    ([1, 2, 3], {}, []),
])
def test_a_worked_draft(op, ids, options, expected):
    assert draft(op, ids, **options) == expected


def test_a_single_token_and_no_tokens_have_no_draft(op):
    assert draft(op, [3]) == draft(op, []) == []


@pytest.mark.parametrize(("u", "expected"), [
    ([0.1, 0.1, 0.9], [1, 0, 2]),                             # both accepted; 0.9 of the last row is token 2
    ([0.1, 0.6, 0.3], [1, 1]),                                # 0 has 0.5, refused; of 1 and 2 it is 0.3 of (0.6, 0.4)
    ([0.1, 0.6, 0.7], [1, 2]),
    ([0.2, 0.1, 0.9], [2]),                                   # 1 has exactly 0.2: refused. Left: 0.25, 0, 0.75
])
def test_a_worked_verdict(op, u, expected):
    p = [[0.2, 0.2, 0.6], [0.5, 0.3, 0.2], [0.25, 0.25, 0.5]]
    assert verified(op, p, [1, 0], u) == expected


def test_no_draft_is_a_plain_draw(op):
    assert [verified(op, [[0.25, 0.25, 0.5]], [], [u]) for u in (0.2, 0.4, 0.9)] == [[0], [1], [2]]


def test_a_refused_token_is_never_drawn_in_its_place(op):
    found = [verified(op, [[0.2, 0.2, 0.6]] * 2, [2], [0.7, u]) for u in np.linspace(0, 0.999, 40)]
    assert {*map(tuple, found)} == {(0,), (1,)}


def test_what_comes_out_has_the_probabilities_of_the_model(op):
    """Counted over a grid of u: the first token, and the second where the draft was right."""
    p, n = np.array([[0.25, 0.25, 0.5], [0.5, 0.125, 0.375]]), 32
    grid = (np.arange(n) + 0.5) / n
    found = [verified(op, p, [1], [u, v]) for u in grid for v in grid]
    assert_close(np.bincount([y[0] for y in found], minlength=3) / n**2, p[0], "first", tolerance=(0, 1 / n))
    second = [y[1] for y in found if len(y) == 2]
    assert {y[0] for y in found if len(y) == 2} == {1}
    assert_close(np.bincount(second, minlength=3) / len(second), p[1], "second", tolerance=(0, 1 / n))


@hypothesis.given(N=st.integers(0, 5), V=st.integers(2, 6), seed=st.integers(0, 200))
def test_any_verdict_agrees_with_the_reference(op, N, V, seed):
    rng = np.random.default_rng(seed)
    p = rng.random((N + 1, V)) ** 4 + 1e-6
    p, guessed, u = p / p.sum(axis=1, keepdims=True), rng.integers(0, V, N), rng.random(N + 1)
    guessed = np.where(rng.random(N) < 0.5, p[:N].argmax(axis=1), guessed)
    assert verified(op, p, guessed, u) == reference.verified(p, guessed, u).tolist()


@hypothesis.given(ids=st.lists(st.integers(0, 3), max_size=20), n_gram=st.integers(1, 4), n_draft=st.integers(1, 6))
def test_any_draft_is_how_the_text_went_on_where_its_end_last_occurred(op, ids, n_gram, n_draft):
    expected = []
    for g in range(min(n_gram, len(ids) - 1), 0, -1):
        places = [i for i in range(len(ids) - g) if ids[i:i + g] == ids[-g:]]
        if places:
            expected = ids[places[-1] + g:][:n_draft]
            break
    assert draft(op, ids, n_gram, n_draft) == expected


def test_strided_probabilities_and_ids_are_read_alike(op):
    p, ids = np.repeat([[0.2, 0.2, 0.6], [0.5, 0.3, 0.2]], 2, axis=1)[:, ::2], np.repeat(ROUND, 2)[::2]
    assert verified(op, p, [2], [0.1, 0.9]) == [2, 2]
    assert draft(op, ids) == [3, 0, 1, 2]


def test_what_is_given_is_left_untouched(op):
    p, guessed, u, ids = np.array([[0.2, 0.8], [0.5, 0.5]]), np.array([0]), np.array([0.9, 0.1]), np.array(ROUND)
    with untouched(p=p, guessed=guessed, u=u, ids=ids):
        op.call("verified", p, guessed, u)
        op.call("ngram_draft", ids, 3, 8)


@hypothesis.settings(max_examples=12)
@hypothesis.given(seed=st.integers(0, 99), n_draft=st.integers(1, 5), penalty=st.sampled_from([1.0, 1.3]),
                  n=st.integers(1, 7))
def test_greedy_agrees_with_token_by_token_on_any_table(op, seed, n_draft, penalty, n):
    rng = np.random.default_rng(seed)
    table, ids = rng.normal(size=(4, 4)), rng.integers(0, 4, n)
    options = {"temperature": 0, "context_length": 6, "penalty": penalty}
    assert (tokens(op, model_of(table), ids, 25, n_draft=n_draft, **options)
            == one_by_one(model_of(table), ids, 25, **options))


@pytest.mark.parametrize("name", list(CONFIGS)[:3])
def test_greedy_with_a_cache_agrees_with_token_by_token_in_a_longer_text_than_the_context(op, name):
    config = CONFIGS[name]
    if not config.causal:
        pytest.skip("it does not write")
    model, cache = real_model(op, config), new_cache(op, config)
    mine = tokens(op, model, [1, 2, 1], 14, n_draft=3, temperature=0, context_length=config.context_length, cache=cache)
    numpy_op = op if not op.is_torch else None
    judge = real_model(numpy_op, config) if numpy_op else _numpy_model(config)
    assert mine == one_by_one(judge, [1, 2, 1], 14, temperature=0, context_length=config.context_length)


def _numpy_model(config):
    from test_transformer import parameters

    from minigpt.reference.transformer import transformer_forward
    return lambda ids, cache=None: transformer_forward(ids, parameters(config), config, cache=cache)[0]


def test_with_a_cache_what_is_accepted_is_read_once_and_what_is_refused_is_forgotten(op):
    seen, cache = [], new_cache(op, small(context_length=8, causal=True))
    table = np.where(np.arange(4) == (np.arange(4)[:, None] + 1) % 4, 5.0, 0.0)

    def model(ids, cache):
        cache.reserve(ids)
        cache.advance()
        return model_of(table, seen)(ids)
    assert tokens(op, model, [0, 1, 0, 1], 3, n_draft=2, temperature=0, context_length=8, cache=cache) == [2, 3, 0]
    assert op.record(seen) == [[[0, 1, 0, 1, 0, 1]], [[2]], [[3]]]
    assert op.record(cache.length) == 6


def test_a_penalty_counts_what_was_written_and_the_draft_before_a_token(op):
    loop = np.where(np.eye(6) > 0, 5.0, np.where(np.eye(6)[::-1] > 0, 4.5, 0.0))      # after i comes i, then 5 - i
    plain, penalised = (tokens(op, model_of(loop), [0, 0, 0, 0], 3, temperature=0, penalty=penalty, context_length=16)
                        for penalty in (1.0, 1.5))
    assert plain == [0, 0, 0]
    assert penalised == [0, 5, 5]


def test_a_text_that_repeats_itself_needs_few_readings(op):
    seen = []
    table = np.where(np.arange(4) == (np.arange(4)[:, None] + 1) % 4, 5.0, 0.0)
    tokens(op, model_of(table, seen), [0, 1, 2, 3, 0], 20, n_draft=4, temperature=0, context_length=64)
    assert op.record(len(seen)) <= 6


def test_drawn_tokens_have_the_probabilities_asked_for(op):
    table = np.log(np.tile([0.1, 0.3, 0.6], (3, 1)))
    generator = torch.Generator().manual_seed(0) if op.is_torch else np.random.default_rng(0)
    ids = tokens(op, model_of(table), [0], 800, n_draft=4, context_length=32, generator=generator)
    assert_close(np.bincount(ids, minlength=3) / 800, np.array([0.1, 0.3, 0.6]), "shares", tolerance=(0, 0.07))


@pytest.mark.parametrize(("ids", "options", "message"), [
    ([], {}, "no ids"), ([1], {"n_draft": 0}, "n_draft=0"), ([1], {"n_gram": 0}, "n_gram=0")])
def test_what_cannot_be_is_refused(op, ids, options, message):
    with refused(message):
        tokens(op, model_of(np.zeros((3, 3))), ids, 1, context_length=8, **options)
