"""The contract of generation; that of next_token_probabilities and sample is in test_sampling.py, and so on: ALSO."""
import numpy as np
import pytest
import torch

from minigpt import generation
from minigpt.grading.compare import assert_close, refused

ALSO = ["test_sampling", "test_repetition_penalty", "test_generation_cache"]
NEXT = np.where(np.arange(6) == (np.arange(6)[:, None] + 1) % 6, 5.0, 0.0)        # after i comes i + 1, most likely


def generate(op, model, ids, **options):
    return op.call("generate", model, np.array(ids, dtype=np.int64), **{"context_length": 8} | options)


def model_of(table, seen=None):
    """A model, in NumPy and in PyTorch, whose logits depend on the last token only; `seen` collects its inputs."""
    def model(ids):
        if seen is not None:
            seen.append(ids.tolist())
        return table[ids] if isinstance(ids, np.ndarray) else torch.from_numpy(table)[ids]
    return model


def seeded(op, seed):
    return torch.Generator().manual_seed(seed) if op.is_torch else np.random.default_rng(seed)


@pytest.mark.parametrize("options", [{"temperature": 0}, {"top_k": 1}, {"top_p": 1e-9}], ids=str)
def test_greedy_generation_follows_the_model(op, options):
    assert generate(op, model_of(NEXT / 5), [4], max_new_tokens=9, **options) == [5, 0, 1, 2, 3, 4, 5, 0, 1]


def test_the_temperature_is_one_unless_given(op):
    plain, hot = (generate(op, model_of(NEXT / 5), [0], max_new_tokens=30, generator=seeded(op, 1), **options)
                  for options in ({}, {"temperature": 1.0}))
    assert plain == hot


def test_a_stop_token_ends_the_text_and_is_not_part_of_it(op):
    assert generate(op, model_of(NEXT), [0], max_new_tokens=9, temperature=0, stop_ids=(5, 3)) == [1, 2]


def test_a_stop_token_in_the_beginning_does_not_end_the_text(op):
    assert generate(op, model_of(NEXT), [3, 0], max_new_tokens=2, temperature=0, stop_ids=(3,)) == [1, 2]


def test_the_model_sees_the_whole_text_or_the_last_of_it(op):
    seen = []
    generate(op, model_of(NEXT, seen), [1, 0], max_new_tokens=6, temperature=0, context_length=4)
    assert op.record(seen) == [[[1, 0]], [[1, 0, 1]], [[1, 0, 1, 2]], [[1, 2, 3]], [[1, 2, 3, 4]], [[3, 4, 5]]]


@pytest.mark.parametrize(("n", "context", "start"), [
    (0, 4, 0), (4, 4, 0), (5, 4, 2), (6, 4, 2), (7, 4, 4), (20, 8, 12), (21, 8, 16), (6, 5, 3), (8, 5, 3), (9, 5, 6),
    (3, 1, 2),
])
def test_a_text_that_is_too_long_loses_halves_of_a_context(op, n, context, start):
    assert op.record(op.get("window_start")(n, context)) == start


def test_a_token_comes_as_soon_as_it_is_chosen(op):
    seen = []
    ids = np.array([0]) if not op.is_torch else torch.tensor([0])
    tokens = op.get("generate")(model_of(NEXT, seen), ids, max_new_tokens=9, temperature=0, context_length=8)
    assert op.record(len(seen)) == 0
    assert op.record(next(iter(tokens))) == 1
    assert op.record(len(seen)) == 1


def test_no_new_tokens_are_none(op):
    assert generate(op, model_of(NEXT), [0], max_new_tokens=0) == []


def test_the_same_seed_writes_the_same_text(op):
    first, again, other = (generate(op, model_of(NEXT / 5), [0], max_new_tokens=30, generator=seeded(op, seed))
                           for seed in (1, 1, 2))
    assert first == again != other


def test_generated_tokens_have_the_probabilities_asked_for(op):
    table = np.log(np.tile([0.1, 0.3, 0.6], (3, 1)))
    ids = generate(op, model_of(table), [0], max_new_tokens=600, top_k=2, generator=seeded(op, 0))
    shares = np.bincount(ids, minlength=3) / 600
    assert_close(shares, np.array([0, 1 / 3, 2 / 3]), "shares", tolerance=(0, 0.08))       # 4 standard deviations


def test_nothing_to_continue_is_refused(op):
    with refused("no ids"):
        generate(op, model_of(NEXT), [], max_new_tokens=1)


def test_generation_leaves_autograd_as_it_was():
    tokens = generation.generate(model_of(NEXT), torch.tensor([0]), max_new_tokens=2, context_length=8)
    next(tokens)
    assert torch.is_grad_enabled()
