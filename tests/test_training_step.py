"""The contract of the exercise training.1: its answer is not in the package."""
import copy
import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from torch import nn

from minigpt.config import TrainConfig, TransformerConfig
from minigpt.evaluation import next_token
from minigpt.grading.compare import assert_close
from minigpt.learner import Learner, new_optimisers
from minigpt.transformer import Transformer

ALL = 1e9           # a max_norm that no gradient here reaches


class Bigram(nn.Module):
    """A table of scores: row i is for what follows token i. It starts at 0 unless a seed is given."""

    def __init__(self, V, seed=None):
        super().__init__()
        start = torch.zeros(V, V) if seed is None else torch.randn(V, V, generator=torch.Generator().manual_seed(seed))
        self.table = nn.Parameter(start.double())
        self.was_training = []

    def forward(self, ids):
        self.was_training.append(self.training)
        return self.table[ids]


def step(op, model, pieces, *, max_norm=ALL, optimiser=None):
    """One step, with plain descent at rate 1 unless another optimiser is given; the loss that it returned."""
    optimiser = optimiser or torch.optim.SGD(model.parameters(), lr=1.0)
    loss = op.call("training_step", model, optimiser, pieces, max_norm)
    op.record(tuple(p.detach().numpy().copy() for p in model.parameters()))
    return loss


def ids(*rows):
    return torch.tensor(rows)


def some(n, V=5, T=6, seed=0):
    """n pieces of two rows."""
    return list(torch.randint(V, (n, 2, T + 1), generator=torch.Generator().manual_seed(seed)))


def moved(model, pieces, max_norm=ALL):
    """The judge: the loss of all pieces as one batch by autograd, and where a step against its gradient leads."""
    batch, table = torch.cat(pieces), model.table.detach().clone().requires_grad_()
    loss = nn.functional.cross_entropy(table[batch[:, :-1]].flatten(0, 1), batch[:, 1:].flatten())
    (g,) = torch.autograd.grad(loss, table)
    g = g * min(1.0, max_norm / max(float((g**2).sum().sqrt()), 1e-300))
    return loss.item(), (table - g).detach().numpy()


def assert_moved(model, expected):
    assert_close(model.table.detach().numpy(), expected, "the weights after the step")


def test_a_worked_step(op):
    # after 0 came 1; of two tokens each had probability 1/2, so the gradient of row 0 is (1/2, -1/2)
    model = Bigram(2)
    assert_close(step(op, model, [ids([0, 1])]), math.log(2), "the loss", tolerance=(1e-6, 0))
    assert_moved(model, np.array([[-0.5, 0.5], [0.0, 0.0]]))


def test_the_loss_before_anything_is_learned_is_log_v(op):
    assert_close(step(op, Bigram(7), some(3, V=7)), math.log(7), "the loss", tolerance=(1e-6, 0))


def test_the_loss_is_that_of_the_next_token(op):
    model, pieces = Bigram(5, seed=1), some(1)
    loss, _ = moved(model, pieces)
    assert_close(step(op, model, pieces), loss, "the loss", tolerance=(1e-6, 0))


def test_a_step_goes_against_the_gradient_of_that_loss(op):
    model, pieces = Bigram(5, seed=1), some(1)
    _, expected = moved(model, pieces)
    step(op, model, pieces)
    assert_moved(model, expected)


def test_the_loss_of_several_pieces_is_their_mean(op):
    model, pieces = Bigram(5, seed=1), some(4)
    loss, _ = moved(model, pieces)
    assert_close(step(op, model, pieces), loss, "the loss", tolerance=(1e-6, 0))


def test_several_pieces_move_the_weights_as_one_batch_does(op):
    model, pieces = Bigram(5, seed=1), some(4)
    _, expected = moved(model, pieces)
    step(op, model, pieces)
    assert_moved(model, expected)


def test_the_gradient_of_a_step_is_gone_in_the_next(op):
    model, optimiser = Bigram(5), None
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    for seed in range(3):
        pieces = some(2, seed=seed)
        _, expected = moved(model, pieces)
        step(op, model, pieces, optimiser=optimiser)
        assert_moved(model, expected)


@pytest.mark.parametrize("pieces", [1, 3])
def test_a_long_gradient_is_shortened_before_the_step(op, pieces):
    model = Bigram(5, seed=1)
    batch = some(pieces)
    _, expected = moved(model, batch, max_norm=0.01)
    step(op, model, batch, max_norm=0.01)
    assert_close(model.table.detach().numpy(), expected, "the weights after the step", tolerance=(0, 1e-6))


def test_a_short_gradient_is_not_stretched(op):
    model = Bigram(2)
    step(op, model, [ids([0, 1])], max_norm=3.0)
    assert_moved(model, np.array([[-0.5, 0.5], [0.0, 0.0]]))


def test_the_model_learns_in_training_mode(op):
    model = Bigram(5).eval()
    step(op, model, some(2))
    assert all(model.was_training), "the model was in eval mode, where dropout does nothing"


def test_the_pieces_are_left_untouched(op):
    pieces = some(2)
    before = copy.deepcopy(pieces)
    step(op, Bigram(5), pieces)
    for got, was in zip(pieces, before, strict=True):
        assert_close(got.numpy(), was.numpy(), "a piece, afterwards,")


def test_five_steps_of_a_real_gpt_agree_with_the_package(op):
    shape = TransformerConfig(vocab_size=5, context_length=6, n_layer=1, n_head=2, d_model=8)
    settings = TrainConfig(steps=5, lr=0.01, schedule="constant", warmup=0.0, clip=0.5)
    judge = Transformer(shape, generator=torch.Generator().manual_seed(0)).double()
    model = copy.deepcopy(judge)
    learner = Learner(judge, next_token, lambda step: some(3, seed=step), settings)
    optimiser = new_optimisers(model, settings)["adamw"]
    for seed in range(5):
        expected, _ = learner.take_step()
        assert_close(step(op, model, some(3, seed=seed), max_norm=0.5, optimiser=optimiser), expected, "the loss",
                     tolerance=(1e-5, 0))
    for (name, p), right in zip(model.named_parameters(), judge.parameters(), strict=True):
        assert_close(p.detach().numpy(), right.detach().numpy(), name, tolerance=(0, 1e-4))   # clipped with 1e-6 more


@hypothesis.given(pieces=st.integers(1, 4), V=st.integers(2, 6), T=st.integers(1, 5), seed=st.integers(0, 9),
                  max_norm=st.sampled_from([0.05, ALL]))
def test_any_pieces_agree_with_the_judge(op, pieces, V, T, seed, max_norm):
    model, batch = Bigram(V, seed=seed), some(pieces, V, T, seed)
    loss, expected = moved(model, batch, max_norm)
    assert_close(step(op, model, batch, max_norm=max_norm), loss, "the loss", tolerance=(1e-6, 1e-12))
    assert_close(model.table.detach().numpy(), expected, "the weights after the step", tolerance=(0, 1e-6))
