"""One step of learning, and how good a model is."""
import math

import pytest
import torch
from test_training import trained
from tiny import IDS, T, new_model, poisoned, same

from minigpt.config import TrainConfig
from minigpt.data.batches import TokenBatches, validation_batches
from minigpt.evaluation import bits_per_character, evaluate, next_token
from minigpt.learner import Diverged, Learner, own_generators, scheduled


@pytest.mark.parametrize("pieces", [2, 4])
def test_accumulation_equals_the_big_batch(pieces):
    big, _ = trained(new_model(dtype=torch.float64), batch_size=8)
    small, _ = trained(new_model(dtype=torch.float64), batch_size=8 // pieces, accumulation=pieces)
    for a, b in zip(big.parameters(), small.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def test_accumulation_counts_targets_not_batches():
    w = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)
    w.weight.data.fill_(0.0)

    def objective(model, batch):                       # mean of w over the targets of a batch, times its sign
        return (model(batch)).mean(), len(batch)

    batches = [torch.ones(3, 1, dtype=torch.float64), -torch.ones(1, 1, dtype=torch.float64)]
    seen = []
    w.weight.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.item()))
    loss, targets = Learner(w, objective, lambda step: batches, TrainConfig(steps=1)).take_step()
    assert (loss, targets) == (0.0, 4)
    assert seen[-1] / (4 / 3) == pytest.approx((3 * 1 + 1 * -1) / 4)


def test_evaluation_weighs_batches_by_their_targets():
    assert evaluate(new_model(), lambda model, batch: (torch.tensor(float(batch)), batch), [1, 3]) == (2.5, 4)


def test_evaluation_is_without_dropout_and_leaves_the_mode_as_it_was():
    model = new_model(0.5).train()
    first, again = (evaluate(model, next_token, validation_batches(IDS, T, 4)) for _ in range(2))
    assert first == again
    assert model.training


def test_eight_even_choices_for_two_characters_are_twelve_bits_each():
    assert bits_per_character(8 * math.log(8), 2) == pytest.approx(12)


def test_samples_are_shown_at_their_moments_in_eval_mode():
    seen = []
    trained(steps=10, options={"sample": lambda model, step: seen.append((step, model.training))})
    assert seen == [(0, False), (1, False), (4, False), (10, False)]


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_a_learner_that_is_put_back_takes_the_same_steps(optimiser):
    config = TrainConfig(steps=8, batch_size=4, optimiser=optimiser, schedule="linear")
    batches, model = TokenBatches(IDS, T, 4, seed=0), new_model(0.2)
    with own_generators(model, 0):
        learner = Learner(model, next_token, batches, config)
        for _ in range(4):
            learner.take_step()
        state, weights = ({name: p.clone() for name, p in kept.items()}
                          for kept in (learner.state(), model.state_dict()))
        first = [learner.take_step()[0] for _ in range(4)]
        again = new_model(0.2)
        again.load_state_dict(weights)
        learner = Learner(again, next_token, batches, config)
        learner.load_state(state)
        assert [learner.take_step()[0] for _ in range(4)] == first
    assert same(model, again)


@pytest.mark.parametrize(("schedule", "rates"), [
    ("cosine", [0.5, 1.0, 0.55, 0.1]), ("linear", [0.5, 1.0, 0.5, 0.0]), ("constant", [0.5, 1.0, 1.0, 1.0])])
def test_a_schedule_warms_up_and_then_goes_its_own_way(schedule, rates):
    config = TrainConfig(steps=11, warmup=1 / 11, schedule=schedule, min_lr_ratio=0.1)
    assert [scheduled(1.0, step, config) for step in (0, 1, 6, 11)] == pytest.approx(rates)


def test_a_clip_of_0_leaves_gradients_as_they_are():
    assert same(trained(clip=0.0)[0], trained(clip=1e9)[0])
    assert same(trained(clip=0.0)[0], trained(clip=1e300)[0])


def test_a_small_clip_changes_the_weights():
    assert not same(trained(clip=1e-9, weight_decay=0.0)[0], trained(clip=0.0, weight_decay=0.0)[0])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_the_training_and_says_where(value):
    model = new_model()
    with pytest.raises(Diverged, match=rf"loss became {value} at step 7, with lr=0.01; try --lr 0.001"):
        trained(model, objective=poisoned(7, value))
    assert all(p.isfinite().all() for p in model.parameters())


def test_a_gradient_that_is_no_number_stops_the_training_before_it_spoils_the_weights():
    model = new_model()

    def objective(model, batch):                       # sqrt has an infinite slope at 0: the loss is fine
        loss, n = next_token(model, batch)
        return loss + torch.sqrt(0 * model.token_embedding.weight.sum()), n

    with pytest.raises(Diverged, match="gradient became nan at step 0"):
        trained(model, objective=objective)
    assert same(model, new_model())
