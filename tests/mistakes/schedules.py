"""Wrong answers to warmup_constant and warmup_linear."""
import math

from minigpt.reference.schedules import warmup_constant, warmup_linear
from mistakes import mistake


@mistake("warmup_constant", "there is no warm-up: the first rate is the highest (equation 1)")
def constant_without_warmup(step, *, steps, warmup, lr):
    return lr


@mistake("warmup_constant", "the first step of the warm-up has rate 0, so nothing is learned from it (equation 1)")
def constant_from_zero(step, *, steps, warmup, lr):
    return lr * step / warmup if step < warmup else lr


@mistake("warmup_constant", "the warm-up reaches lr one step early: it is lr at step = warmup (equation 1)")
def constant_one_step_early(step, *, steps, warmup, lr):
    return lr * (step + 1) / warmup if step < warmup else lr


@mistake("warmup_constant", "the rate falls after the warm-up; it stays at lr (equation 2)")
def constant_falls(step, *, steps, warmup, lr):
    return warmup_linear(step, steps=steps, warmup=warmup, lr=lr)


@mistake("warmup_constant", "after the last step the rate is 0; it stays at lr (equation 2)")
def constant_ends(step, *, steps, warmup, lr):
    return warmup_constant(step, steps=steps, warmup=warmup, lr=lr) if step < steps else 0.0


@mistake("warmup_linear", "there is no warm-up: the rate falls from the first step on (equation 3)")
def linear_without_warmup(step, *, steps, warmup, lr):
    return warmup_linear(step, steps=steps, warmup=0, lr=lr)


@mistake("warmup_linear", "the first step of the warm-up has rate 0, so nothing is learned from it (equation 3)")
def linear_from_zero(step, *, steps, warmup, lr):
    return lr * step / warmup if step < warmup else warmup_linear(step, steps=steps, warmup=warmup, lr=lr)


@mistake("warmup_linear", "the fall begins at step 0: at the end of the warm-up the rate is not lr (equation 4)")
def falls_from_the_start(step, *, steps, warmup, lr):
    return lr * (step + 1) / (warmup + 1) if step < warmup else lr * max(0, 1 - step / steps)


@mistake("warmup_linear", "the fall takes `steps` steps after the warm-up, so the training ends above 0 (equation 4)")
def ends_too_late(step, *, steps, warmup, lr):
    return warmup_linear(step, steps=steps + warmup, warmup=warmup, lr=lr)


@mistake("warmup_linear", "the last step has rate 0; the rate is 0 at step = steps, after the last (equation 4)")
def last_rate_is_zero(step, *, steps, warmup, lr):
    if step < warmup:
        return lr * (step + 1) / (warmup + 1)
    return lr * max(0.0, 1 - (step - warmup) / max(steps - 1 - warmup, 1))


@mistake("warmup_linear", "after the last step the rate becomes negative, and learning is undone; it stays 0")
def below_zero(step, *, steps, warmup, lr):
    if step < warmup:
        return lr * (step + 1) / (warmup + 1)
    return lr * (1 - (step - warmup) / max(steps - warmup, 1))


@mistake("warmup_linear", "the rate stays at lr after the warm-up; it falls (equation 5)")
def linear_stays(step, *, steps, warmup, lr):
    return warmup_constant(step, steps=steps, warmup=warmup, lr=lr)


@mistake("warmup_linear", "the rate grows from 0 to lr; it is 1 - done that is left of it (equation 5)")
def rises_instead(step, *, steps, warmup, lr):
    if step < warmup:
        return lr * (step + 1) / (warmup + 1)
    return lr * min(1, (step - warmup) / max(steps - warmup, 1))


@mistake("warmup_linear", "the rate follows a cosine; it falls in a straight line (equation 5)")
def cosine(step, *, steps, warmup, lr):
    if step < warmup or step >= steps:
        return warmup_linear(step, steps=steps, warmup=warmup, lr=lr)
    return lr * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2


@mistake("warmup_linear", "the rate ends at a tenth of lr; it ends at 0 (equation 5)")
def ends_at_a_tenth(step, *, steps, warmup, lr):
    rate = warmup_linear(step, steps=steps, warmup=warmup, lr=lr)
    return rate if step < warmup else lr / 10 + 0.9 * rate
