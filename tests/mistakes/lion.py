"""Wrong answers to lion."""
import numpy as np
from solutions.lion import lion

from mistakes import mistake


def steps(params, gradients, ms, *, lr, beta1=0.9, beta2=0.99, weight_decay=0.0, sign=np.sign,
          mixed=lambda m, g, beta: beta * m + (1 - beta) * g, decay=lambda p, lr, weight_decay: lr * weight_decay * p):
    """The solution's steps with a sign, a mean or a decay of one's own."""
    us = [sign(mixed(m, g, beta1)) for m, g in zip(ms, gradients, strict=True)]
    new_ms = [mixed(m, g, beta2) for m, g in zip(ms, gradients, strict=True)]
    return [p - lr * u - decay(p, lr, weight_decay) for p, u in zip(params, us, strict=True)], new_ms


@mistake("lion", "the sign is missing: every number is to move by lr, however large its gradient (equation 1)")
def no_sign(*lists, **options):
    return steps(*lists, **options, sign=lambda c: c)


@mistake("lion", "the update is divided by its length; the sign is taken of each number by itself (equation 1)")
def divided_by_its_length(*lists, **options):
    return steps(*lists, **options, sign=lambda c: c / max(np.sqrt((c**2).sum()), 1e-300))


@mistake("lion", "where gradient and mean are 0, the sign is taken to be 1; sign(0) is 0 (equation 1)")
def sign_of_zero_is_one(*lists, **options):
    return steps(*lists, **options, sign=lambda c: np.where(c >= 0, 1, -1).astype(c.dtype))


@mistake("lion", "the sign of the gradient alone: the running mean is never used (equation 1)")
def mean_unused(*lists, **options):
    return lion(*lists, **options | {"beta1": 0.0})[0], lion(*lists, **options)[1]


@mistake("lion", "the sign of the old mean alone: the new gradient has a share of 1 - beta1 in it (equation 1)")
def gradient_unused(params, gradients, ms, **options):
    nothing = [np.zeros_like(g) for g in gradients]
    return lion(params, nothing, ms, **options)[0], lion(params, gradients, ms, **options)[1]


@mistake("lion", "the mean is brought up to date first, and the sign is taken of it; take the old m (equation 1)")
def sign_of_the_new_mean(params, gradients, ms, **options):
    new_ms = lion(params, gradients, ms, **options)[1]
    return lion(params, [np.zeros_like(g) for g in gradients], new_ms, **options | {"beta1": 1.0})[0], new_ms


@mistake("lion", "the new mean is mixed with the gradient once more; equation 1 takes the old m")
def mixed_with_the_new_mean(params, gradients, ms, **options):
    new_ms = lion(params, gradients, ms, **options)[1]
    return lion(params, gradients, new_ms, **options)[0], new_ms


@mistake("lion", "what the sign was taken of is kept as the mean; that has beta1, the mean has beta2 (equation 3)")
def keeps_the_mix(params, gradients, ms, *, beta1=0.9, beta2=0.99, **options):
    return lion(params, gradients, ms, beta1=beta1, beta2=beta1, **options)


@mistake("lion", "the sign is kept as the mean; keep the mean of the gradients (equation 3)")
def keeps_the_sign(params, gradients, ms, *, beta1=0.9, **options):
    us = [np.sign(beta1 * m + (1 - beta1) * g) for m, g in zip(ms, gradients, strict=True)]
    return lion(params, gradients, ms, beta1=beta1, **options)[0], us


@mistake("lion", "beta1 and beta2 are swapped (equations 1 and 3)")
def betas_swapped(*lists, beta1=0.9, beta2=0.99, **options):
    return lion(*lists, beta1=beta2, beta2=beta1, **options)


@mistake("lion", "the shares are swapped: beta is the share of the old mean (equations 1 and 3)")
def shares_swapped(*lists, **options):
    return steps(*lists, **options, mixed=lambda m, g, beta: (1 - beta) * m + beta * g)


@mistake("lion", "beta2 is 0.999 unless given, as in Adam; here it is 0.99")
def beta2_of_adam(*lists, beta2=0.999, **options):
    return lion(*lists, beta2=beta2, **options)


@mistake("lion", "the decay is added to the gradient, where the sign hides its size; take it off p (equation 2)")
def decay_in_the_gradient(params, gradients, ms, *, weight_decay=0.0, **options):
    return lion(params, [g + weight_decay * p for g, p in zip(gradients, params, strict=True)], ms, **options)


@mistake("lion", "the decay is not multiplied by the learning rate (equation 2)")
def decay_without_the_rate(*lists, **options):
    return steps(*lists, **options, decay=lambda p, lr, weight_decay: weight_decay * p)


@mistake("lion", "the decay makes parameters grow: it is subtracted (equation 2)")
def decay_with_the_wrong_sign(*lists, **options):
    return steps(*lists, **options, decay=lambda p, lr, weight_decay: -lr * weight_decay * p)


@mistake("lion", "the decay is left out (equation 2)")
def no_decay(*lists, weight_decay=0.0, **options):
    return lion(*lists, **options)


@mistake("lion", "the step goes up the gradient: it is subtracted (equation 2)")
def uphill(*lists, **options):
    return steps(*lists, **options, sign=lambda c: -np.sign(c))


@mistake("lion", "ms is overwritten: an input must be left as it was")
def writes_into_ms(params, gradients, ms, **options):
    answer = lion(params, gradients, ms, **options)
    for m, new in zip(ms, answer[1], strict=True):
        m[...] = new
    return answer
