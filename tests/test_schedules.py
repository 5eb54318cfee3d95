"""The contract of warmup_constant and warmup_linear."""
import hypothesis
import hypothesis.strategies as st
import pytest
import torch

from minigpt.grading.compare import assert_close

BOTH = ["warmup_constant", "warmup_linear"]
RATE = {"steps": 20, "warmup": 4, "lr": 2.0}
EXACT = (1e-12, 1e-15)                                 # a few roundings of float64, whatever runs it


@pytest.mark.parametrize(("step", "rate"), [(0, 0.4), (1, 0.8), (3, 1.6), (4, 2.0), (5, 2.0), (19, 2.0), (99, 2.0)])
def test_a_worked_constant_rate(op, step, rate):
    # four steps up by a fifth, and from 4 on the whole
    assert_close(op.call("warmup_constant", step, **RATE), rate, "rate", EXACT)


@pytest.mark.parametrize(("step", "rate"), [(0, 0.4), (1, 0.8), (3, 1.6), (4, 2.0), (5, 1.875), (12, 1.0), (19, 0.125),
                                            (20, 0.0), (99, 0.0)])
def test_a_worked_linear_rate(op, step, rate):
    # four steps up by a fifth; from the whole at 4 to 0 at 20, a sixteenth of it a step
    assert_close(op.call("warmup_linear", step, **RATE), rate, "rate", EXACT)


@pytest.mark.parametrize("function", BOTH)
def test_without_a_warmup_the_first_rate_is_the_whole(op, function):
    assert_close(op.call(function, 0, steps=5, warmup=0, lr=3.0), 3.0, "rate", EXACT)


@pytest.mark.parametrize("function", BOTH)
def test_a_warmup_as_long_as_the_training_never_reaches_the_whole(op, function):
    rates = [op.call(function, step, steps=3, warmup=3, lr=4.0) for step in range(3)]
    assert_close(rates, [1.0, 2.0, 3.0], "rates", EXACT)


@pytest.mark.parametrize("steps", [3, 2])
def test_the_end_of_the_training_comes_before_the_fall(op, steps):
    assert_close(op.call("warmup_linear", 3, steps=steps, warmup=3, lr=4.0), 0.0, "rate", EXACT)


@pytest.mark.parametrize("function", BOTH)
@hypothesis.given(steps=st.integers(1, 60), warmup=st.integers(0, 60), lr=st.floats(1e-6, 10))
def test_every_step_of_a_training_has_a_rate_between_zero_and_the_whole(op, function, steps, warmup, lr):
    rates = [op.call(function, step, steps=steps, warmup=warmup, lr=lr) for step in range(steps)]
    assert min(rates) > 0, f"rate {min(rates)} at step {rates.index(min(rates))}"
    assert max(rates) <= lr * (1 + 1e-12), f"rate {max(rates)} for lr={lr}"


@pytest.mark.parametrize("function", BOTH)
@hypothesis.given(steps=st.integers(2, 60), warmup=st.integers(0, 20))
def test_it_agrees_with_pytorch(op, function, steps, warmup):
    hypothesis.assume(warmup < steps)
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    rise = torch.optim.lr_scheduler.LinearLR(optimiser, 1 / (warmup + 1), 1.0, warmup)
    end = 0.0 if function == "warmup_linear" else 1.0
    rest = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, end, steps - warmup)
    judge = torch.optim.lr_scheduler.SequentialLR(optimiser, [rise, rest], [warmup]) if warmup else rest
    for step in range(steps + 2):
        got = op.call(function, step, steps=steps, warmup=warmup, lr=0.3)
        assert_close(got, judge.get_last_lr()[0], f"rate of step {step}", (1e-9, 1e-12))   # it multiplies step by step
        optimiser.step()
        judge.step()


@pytest.mark.parametrize("function", BOTH)
def test_twice_the_learning_rate_gives_twice_each_rate(op, function):
    for step in range(25):
        twice, once = (op.call(function, step, **RATE | {"lr": lr}) for lr in (0.6, 0.3))
        assert_close(twice, 2 * once, f"rate of step {step}", EXACT)
