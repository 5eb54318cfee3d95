"""Wrong answers to the optimisers."""
import math

import numpy as np

from minigpt.reference.optimisers import adamw, clip_gradients, warmup_cosine
from mistakes import mistake


def steps(params, gradients, ms, vs, step, *, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0,
          move=lambda m_hat, v_hat, eps: m_hat / (np.sqrt(v_hat) + eps),
          corrected=lambda m, beta, step: m / (1 - beta**step),
          decay=lambda p, lr, weight_decay: lr * weight_decay * p):
    """The reference's steps, with a move, a bias correction or a decay of one's own."""
    ms = [beta1 * m + (1 - beta1) * g for m, g in zip(ms, gradients, strict=True)]
    vs = [beta2 * v + (1 - beta2) * g**2 for v, g in zip(vs, gradients, strict=True)]
    params = [p - lr * move(corrected(m, beta1, step), corrected(v, beta2, step), eps) - decay(p, lr, weight_decay)
              for p, m, v in zip(params, ms, vs, strict=True)]
    return params, ms, vs


@mistake("adamw", "the means are not corrected for starting at 0 (equations 3 and 4)")
def no_bias_correction(*lists, **options):
    return steps(*lists, **options, corrected=lambda m, beta, step: m)


@mistake("adamw", "the bias correction does not grow with the step: it is 1 - beta^step (equations 3 and 4)")
def correction_without_the_step(*lists, **options):
    return steps(*lists, **options, corrected=lambda m, beta, step: m / (1 - beta))


@mistake("adamw", "the steps are counted from 0, so the correction is one step behind (equations 3 and 4)")
def counted_from_zero(params, gradients, ms, vs, step, **options):
    return steps(params, gradients, ms, vs, step, **options,
                 corrected=lambda m, beta, step: m / (1 - beta**(step - 1)))


@mistake("adamw", "the decay is added to the gradient (L2); AdamW takes it off the parameter (equation 5)")
def decay_in_the_gradient(params, gradients, ms, vs, step, *, weight_decay=0.0, **options):
    gradients = [g + weight_decay * p for g, p in zip(gradients, params, strict=True)]
    return adamw(params, gradients, ms, vs, step, **options)


@mistake("adamw", "the decay is not multiplied by the learning rate (equation 5)")
def decay_without_the_rate(*lists, **options):
    return steps(*lists, **options, decay=lambda p, lr, weight_decay: weight_decay * p)


@mistake("adamw", "the decay makes parameters grow: it is subtracted (equation 5)")
def decay_with_the_wrong_sign(*lists, **options):
    return steps(*lists, **options, decay=lambda p, lr, weight_decay: -lr * weight_decay * p)


@mistake("adamw", "eps stands inside the root; it is added after it (equation 5)")
def eps_inside_the_root(*lists, **options):
    return steps(*lists, **options, move=lambda m_hat, v_hat, eps: m_hat / np.sqrt(v_hat + eps))


@mistake("adamw", "the root is missing: the mean is divided by the mean square itself (equation 5)")
def no_root(*lists, **options):
    return steps(*lists, **options, move=lambda m_hat, v_hat, eps: m_hat / (v_hat + eps))


@mistake("adamw", "beta1 and beta2 are swapped (equations 1 and 2)")
def betas_swapped(*lists, beta1=0.9, beta2=0.999, **options):
    return adamw(*lists, beta1=beta2, beta2=beta1, **options)


@mistake("adamw", "the shares are swapped: beta is the share of the old mean (equations 1 and 2)")
def shares_swapped(*lists, beta1=0.9, beta2=0.999, **options):
    params, _, _ = adamw(*lists, beta1=1 - beta1, beta2=1 - beta2, **options)
    _, ms, vs = steps(*lists, beta1=1 - beta1, beta2=1 - beta2, **options)
    return params, ms, vs


@mistake("adamw", "the running mean of the gradient forgets to square it for v (equation 2)")
def second_mean_of_the_gradient(params, gradients, ms, vs, step, *, beta2=0.999, **options):
    _, ms, _ = adamw(params, gradients, ms, vs, step, beta2=beta2, **options)
    vs = [beta2 * v + (1 - beta2) * np.abs(g) for v, g in zip(vs, gradients, strict=True)]
    return adamw(params, gradients, ms, vs, step, beta2=beta2, **options)[0], ms, vs


@mistake("adamw", "the corrected means are kept for the next step; keep the means themselves (equations 3 and 4)")
def keeps_the_corrected_means(params, gradients, ms, vs, step, *, beta1=0.9, beta2=0.999, **options):
    params, ms, vs = adamw(params, gradients, ms, vs, step, beta1=beta1, beta2=beta2, **options)
    return params, [m / (1 - beta1**step) for m in ms], [v / (1 - beta2**step) for v in vs]


@mistake("adamw", "the step goes up the gradient: it is subtracted (equation 5)")
def uphill(*lists, **options):
    return steps(*lists, **options, move=lambda m_hat, v_hat, eps: -m_hat / (np.sqrt(v_hat) + eps))


@mistake("adamw", "ms is overwritten: an input must be left as it was")
def writes_into_ms(params, gradients, ms, vs, step, **options):
    answer = adamw(params, gradients, ms, vs, step, **options)
    for m, new in zip(ms, answer[1], strict=True):
        m[...] = new
    return answer


@mistake("clip_gradients", "each array is clipped by its own norm; there is one norm over all of them (equation 6)")
def each_array_by_itself(gradients, max_norm):
    return [clip_gradients([g], max_norm)[0][0] for g in gradients], clip_gradients(gradients, max_norm)[1]


@mistake("clip_gradients", "gradients shorter than max_norm are stretched to it; leave them as they are (equation 7)")
def stretches_short_ones(gradients, max_norm):
    _, norm = clip_gradients(gradients, max_norm)
    return [g * max_norm / (norm or 1) for g in gradients], norm


@mistake("clip_gradients", "each number is cut off at max_norm, which changes the direction (equation 7)")
def cuts_off_each_number(gradients, max_norm):
    return [np.clip(g, -max_norm, max_norm) for g in gradients], clip_gradients(gradients, max_norm)[1]


@mistake("clip_gradients", "the squares are added, but the root is not taken (equation 6)")
def norm_without_the_root(gradients, max_norm):
    norm = sum((g**2).sum() for g in gradients)
    return [g * (max_norm / max(norm, max_norm)) for g in gradients], norm


@mistake("clip_gradients", "the norm is the one after clipping; it is the one before")
def norm_after_clipping(gradients, max_norm):
    gradients, norm = clip_gradients(gradients, max_norm)
    return gradients, np.minimum(norm, max_norm)


@mistake("clip_gradients", "a gradient of 0 becomes NaN: the norm is a divisor (equation 7)")
def zero_becomes_nan(gradients, max_norm):
    norm = clip_gradients(gradients, max_norm)[1]
    return [g / norm * np.minimum(norm, max_norm) for g in gradients], norm


@mistake("clip_gradients", "the gradients are overwritten: an input must be left as it was")
def writes_into_the_gradients(gradients, max_norm):
    clipped, norm = clip_gradients(gradients, max_norm)
    for g, new in zip(gradients, clipped, strict=True):
        g[...] = new
    return gradients, norm


@mistake("warmup_cosine", "there is no warm-up: the first rate is the highest (equation 8)")
def no_warmup(step, *, warmup, lr, **options):
    return lr if step < warmup else warmup_cosine(step, warmup=warmup, lr=lr, **options)


@mistake("warmup_cosine", "the first step has rate 0, so nothing is learned from it (equation 8)")
def first_rate_is_zero(step, *, warmup, lr, **options):
    return lr * step / warmup if step < warmup else warmup_cosine(step, warmup=warmup, lr=lr, **options)


@mistake("warmup_cosine", "the cosine begins at step 0 and has fallen before the warm-up is over (equation 9)")
def cosine_from_the_start(step, *, steps, warmup, lr, min_lr):
    late = step if step < warmup else warmup + step * (steps - warmup) / steps
    return warmup_cosine(late, steps=steps, warmup=warmup, lr=lr, min_lr=min_lr)


@mistake("warmup_cosine", "the cosine takes `steps` steps after the warm-up, so it ends too late (equation 9)")
def cosine_ends_too_late(step, *, steps, warmup, **options):
    return warmup_cosine(step, steps=steps + warmup, warmup=warmup, **options)


@mistake("warmup_cosine", "the rate rises again after the last step; it stays at min_lr")
def rises_again(step, *, steps, warmup, lr, min_lr):
    if step < warmup:
        return lr * (step + 1) / (warmup + 1)
    return min_lr + (lr - min_lr) * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2


@mistake("warmup_cosine", "the cosine ends at 0; it ends at min_lr (equation 10)")
def ends_at_zero(step, *, min_lr, **options):
    return warmup_cosine(step, min_lr=0.0, **options)


@mistake("warmup_cosine", "the rate falls in a straight line; it follows half a cosine (equation 10)")
def straight_line(step, *, steps, warmup, lr, min_lr):
    if step < warmup:
        return lr * (step + 1) / (warmup + 1)
    return lr + (min_lr - lr) * min(1, (step - warmup) / (steps - warmup))


@mistake("warmup_cosine", "a whole cosine: the rate is back at its highest in the end; it takes half (equation 10)")
def whole_cosine(step, *, steps, warmup, lr, min_lr):
    if step < warmup or step >= steps:
        return warmup_cosine(step, steps=steps, warmup=warmup, lr=lr, min_lr=min_lr)
    return min_lr + (lr - min_lr) * (1 + math.cos(2 * math.pi * (step - warmup) / (steps - warmup))) / 2


@mistake("adamw", "a step below 1 is not refused: it would divide by 0 (equations 3 and 4)")
def step_below_1_not_refused(params, gradients, ms, vs, step, **options):
    return adamw(params, gradients, ms, vs, max(step, 1), **options)
