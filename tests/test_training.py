"""The training loop: what it learns, what it leaves alone, and when it stops."""
import math
import os
import signal

import numpy as np
import pytest
import torch
from tiny import IDS, T, new_model, same

import minigpt
from minigpt.config import LARGEST, TrainConfig
from minigpt.data.batches import TokenBatches, validation_batches
from minigpt.evaluation import next_token
from minigpt.gelu import gelu_tanh
from minigpt.training import fix_steps, train


def trained(model=None, objective=next_token, options=None, **settings):
    """(model, result) of a short training."""
    config = TrainConfig(**{"steps": 12, "batch_size": 4, "lr": 1e-2, "evaluate_every": 5} | settings)
    model = model or new_model()
    batches = TokenBatches(IDS, T, config.batch_size, config.seed, config.accumulation)
    judge = validation_batches(IDS[:50], T, 4)
    result = train(model, objective, batches, config, validation=judge, progress=False, **options or {})
    return model, result


def test_training_lowers_the_loss_on_text_it_did_not_see_in_that_order():
    _, result = trained(steps=60)
    assert result.records[0]["val_loss"] == pytest.approx(math.log(12), abs=0.1)
    assert result.records[-1]["val_loss"] < 1.5


def test_the_same_arguments_give_the_same_weights():
    assert same(trained(new_model(0.2))[0], trained(new_model(0.2))[0])


def test_another_seed_gives_other_weights():
    assert not same(trained(seed=1)[0], trained(seed=2)[0])


def test_evaluating_often_does_not_change_the_training():
    assert same(trained(new_model(0.2), evaluate_every=1)[0], trained(new_model(0.2), evaluate_every=100)[0])


def test_records_are_made_at_the_start_every_so_often_and_at_the_end():
    _, result = trained(steps=12, evaluate_every=5)
    assert [record["step"] for record in result.records] == [0, 5, 10, 12]
    assert list(result.records[-1]) == ["step", "seconds", "train_loss", "val_loss", "tokens_per_second"]
    assert result.records[-1]["seconds"] == result.seconds > 0
    assert result.tokens == 12 * 4 * T


def test_the_train_loss_of_a_record_is_the_mean_since_the_one_before():
    losses = []

    def objective(model, batch):
        loss, n = next_token(model, batch)
        if model.training:
            losses.append(loss.item())
        return loss, n

    _, result = trained(objective=objective, steps=10, evaluate_every=5)
    assert result.records[2]["train_loss"] == pytest.approx(np.mean(losses[5:10]))


def test_tokens_become_steps_rounded_up():
    assert trained(steps=None, tokens=5 * 4 * T + 1)[1].steps == 6


def test_minutes_become_steps_and_the_model_is_put_back():
    model, before = new_model(0.2), new_model(0.2)
    state = torch.get_rng_state()
    batches = TokenBatches(IDS, T, 4, 0)
    fixed = fix_steps(model, next_token, batches, TrainConfig(minutes=0.01, batch_size=4))
    assert fixed.minutes is None
    assert fixed.steps >= 1
    assert same(model, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_run_of_minutes_equals_a_run_of_the_steps_they_became():
    by_minutes, result = trained(new_model(0.2), steps=None, minutes=0.003)
    assert same(by_minutes, trained(new_model(0.2), steps=result.steps)[0])


def test_minutes_are_divided_by_the_time_of_a_step_but_not_of_the_first(monkeypatch):
    batches, steps = TokenBatches(IDS, T, 4, 0), []
    for minutes in (5, 10):
        ticks = iter([-9.0, *map(float, range(10**6))])    # the first step takes 9 s, the others 1 s each
        monkeypatch.setattr("minigpt.training.time.perf_counter", lambda ticks=ticks: next(ticks))
        steps.append(fix_steps(new_model(), next_token, batches, TrainConfig(minutes=minutes)).steps)
    assert steps == [300, 600]


def test_minutes_without_end_are_still_a_number_of_steps():
    assert fix_steps(new_model(), next_token, TokenBatches(IDS, T, 4, 0), TrainConfig(minutes=1e308)).steps == LARGEST


def test_the_generator_of_the_caller_is_left_alone():
    model = new_model(0.5)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    trained(model)
    assert torch.rand(1) == expected


def test_a_trained_model_is_ready_to_use():
    assert not trained(new_model(0.5))[0].training


def test_a_sample_that_draws_numbers_does_not_change_the_training():
    drawing = {"sample": lambda model, step: torch.rand(100)}
    assert same(trained(new_model(0.2), options=drawing)[0], trained(new_model(0.2))[0])


def test_training_is_fused_unless_told_otherwise(monkeypatch):
    used = []
    monkeypatch.setattr("minigpt.training.functions_of", lambda name: used.append(name) or {})
    trained(steps=1)
    trained(steps=1, options={"implementation": "math"})
    assert set(used[:1]) == {"fused"}
    assert set(used[1:]) == {"math"}


def test_a_replacement_of_the_users_trains_the_model_under_fused_too():
    calls = []

    def mine(x):
        calls.append(1)
        return gelu_tanh(x)

    with minigpt.use(gelu_tanh=mine):
        _, result = trained()
    assert len(calls) >= 12
    assert result.records[-1]["val_loss"] == pytest.approx(trained()[1].records[-1]["val_loss"], abs=1e-4)


def test_ctrl_c_ends_the_training_after_the_step():
    def objective(model, batch):
        if model.training and len(seen) < 3:
            seen.append(1)
            if len(seen) == 3:
                os.kill(os.getpid(), signal.SIGINT)
        return next_token(model, batch)

    seen = []
    _, result = trained(objective=objective)
    assert result.interrupted
    assert result.steps == 3


def test_after_training_ctrl_c_is_what_it_was():
    before = signal.getsignal(signal.SIGINT)
    trained(steps=1)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_interrupts_at_once():
    def objective(model, batch):
        if model.training:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return next_token(model, batch)

    with pytest.raises(KeyboardInterrupt):
        trained(objective=objective)
