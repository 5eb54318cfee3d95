"""Wrong answers to orthogonalise and muon."""
import numpy as np

from minigpt.reference.muon import JORDAN, muon, orthogonalise
from mistakes import mistake


def iterated(g, steps, *, a=3.4445, b=-4.7750, c=2.0315, norm=None, right=False):
    """The steps with coefficients, a norm or an order of one's own."""
    is_tall = g.shape[-2] > g.shape[-1]
    X = g.swapaxes(-1, -2) if is_tall else g
    X = X / np.maximum(np.sqrt((X**2).sum(axis=(-1, -2), keepdims=True)) if norm is None else norm, 1e-7)
    for _ in range(steps):
        A = X @ X.swapaxes(-1, -2)
        B = b * A + c * (A @ A)
        X = a * X + (X @ B if right else B @ X)
    return X.swapaxes(-1, -2) if is_tall else X


@mistake("orthogonalise", "the matrix is not divided by its length: the polynomial is made for 0 to 1 (equation 1)")
def not_normalised(g, steps=5):
    return iterated(g, steps, norm=1.0)


@mistake("orthogonalise", "each row is divided by its own length; one length is for the whole matrix (equation 1)")
def rows_normalised(g, steps=5):
    return iterated(g / np.maximum(np.sqrt((g**2).sum(axis=-1, keepdims=True)), 1e-7), steps)


@mistake("orthogonalise", "the matrix is divided by its largest entry; singular values may be larger (equation 1)")
def divided_by_the_largest_entry(g, steps=5):
    return iterated(g, steps, norm=np.abs(g).max(axis=(-1, -2), keepdims=True, initial=0))


@mistake("orthogonalise", "the root is missing: the matrix is divided by its squared length (equation 1)")
def divided_by_the_squared_length(g, steps=5):
    return iterated(g, steps, norm=(g**2).sum(axis=(-1, -2), keepdims=True))


@mistake("orthogonalise", "one length is taken over the whole batch; each matrix has its own (equation 1)")
def one_length_for_the_batch(g, steps=5):
    return iterated(g, steps, norm=np.sqrt((g**2).sum()))


@mistake("orthogonalise", "a matrix of zeros becomes NaN: its length is a divisor (equation 1)")
def zero_becomes_nan(g, steps=5):
    return orthogonalise(g / np.sqrt((g**2).sum(axis=(-1, -2), keepdims=True)), steps)


@mistake("orthogonalise", "the rows are made orthogonal one after the other (Gram and Schmidt); that is another matrix")
def gram_schmidt(g, steps=5):
    is_tall = g.shape[-2] > g.shape[-1]
    wide = g.swapaxes(-1, -2) if is_tall else g
    q = np.linalg.qr(wide.swapaxes(-1, -2))[0].swapaxes(-1, -2)
    return q.swapaxes(-1, -2) if is_tall else q


@mistake("orthogonalise", "the singular values are exactly 1; this iteration leaves them near it (equation 3)")
def exact(g, steps=5):
    u, _, vt = np.linalg.svd(g, full_matrices=False)
    return u @ vt


@mistake("orthogonalise", "a, b, c are 15/8, -5/4 and 3/8, which end at 1 but need more steps (equation 3)")
def slow_coefficients(g, steps=5):
    return iterated(g, steps, a=1.875, b=-1.25, c=0.375)


@mistake("orthogonalise", "a, b, c are 3/2, -1/2 and 0: that is the cubic iteration (equation 3)")
def cubic(g, steps=5):
    return iterated(g, steps, a=1.5, b=-0.5, c=0.0)


@mistake("orthogonalise", "b and c are swapped (equation 3)")
def b_and_c_swapped(g, steps=5):
    return iterated(g, steps, b=2.0315, c=-4.7750)


@mistake("orthogonalise", "b A + c A A multiplies X from the right; A = X X^T belongs on its left (equation 3)")
def from_the_right(g, steps=5):
    return iterated(g, steps, right=True)


@mistake("orthogonalise", "A is squared entry by entry; A A is a matrix product (equation 3)")
def squared_by_entries(g, steps=5):
    X = iterated(g, 0)
    for _ in range(steps):
        A = X @ X.swapaxes(-1, -2)
        X = 3.4445 * X + (-4.7750 * A + 2.0315 * A * A) @ X
    return X


@mistake("orthogonalise", "always five steps, whatever is passed")
def steps_ignored(g, steps=5):
    return orthogonalise(g)


@mistake("orthogonalise", "the first step is counted as a step taken: there is one too few")
def one_step_too_few(g, steps=5):
    return orthogonalise(g, max(steps - 1, 0))


@mistake("orthogonalise", "a tall matrix is transposed for the steps, but not transposed back")
def tall_comes_back_wide(g, steps=5):
    y = orthogonalise(g, steps)
    return y.swapaxes(-1, -2) if g.shape[-2] > g.shape[-1] else y


@mistake("orthogonalise", "g is overwritten: an input must be left as it was")
def writes_into_g(g, steps=5):
    y = orthogonalise(g, steps)
    g[...] = iterated(g, 0)
    return y


def scale_of(shape):
    return max(1, shape[0] / shape[1])**0.5


def steps(params, gradients, ms, *, lr, momentum=0.95, weight_decay=0.0, scale=scale_of, decayed=lambda p, o: p,
          mean=lambda m, g, momentum: momentum * m + (1 - momentum) * g,
          ahead=lambda m, g, momentum: momentum * m + (1 - momentum) * g):
    """The reference's steps with a scale, a decay, a mean or a look ahead of one's own."""
    ms = [mean(m, g, momentum) for m, g in zip(ms, gradients, strict=True)]
    os = [scale(g.shape) * orthogonalise(ahead(m, g, momentum)) for m, g in zip(ms, gradients, strict=True)]
    return [p - lr * (o + weight_decay * decayed(p, o)) for p, o in zip(params, os, strict=True)], ms


@mistake("muon", "the running mean itself is orthogonalised: from the new mean, look one step ahead (equation 5)")
def no_look_ahead(*lists, **options):
    return steps(*lists, **options, ahead=lambda m, g, momentum: m)


@mistake("muon", "the gradient is orthogonalised, and the running mean never used (equation 5)")
def momentum_unused(*lists, **options):
    return steps(*lists, **options, ahead=lambda m, g, momentum: g)


@mistake("muon", "the look ahead weighs the gradient in full; it is (1 - momentum) g once more (equation 5)")
def gradient_in_full_ahead(*lists, **options):
    return steps(*lists, **options, ahead=lambda m, g, momentum: momentum * m + g)


@mistake("muon", "the gradient enters the mean in full, so the mean grows; its share is 1 - momentum (equation 4)")
def gradient_in_full(*lists, **options):
    return steps(*lists, **options, mean=lambda m, g, momentum: momentum * m + g,
                 ahead=lambda m, g, momentum: momentum * m + g)


@mistake("muon", "the shares are swapped: momentum is the share of the old mean (equation 4)")
def shares_swapped(params, gradients, ms, *, momentum=0.95, **options):
    return muon(params, gradients, ms, momentum=1 - momentum, **options)


@mistake("muon", "momentum is 0.9 unless given; here it is 0.95")
def momentum_of_adam(params, gradients, ms, *, momentum=0.9, **options):
    return muon(params, gradients, ms, momentum=momentum, **options)


@mistake("muon", "the look ahead is kept as the mean for the next step; keep the mean itself (equation 4)")
def keeps_the_look_ahead(params, gradients, ms, *, momentum=0.95, **options):
    params, ms = muon(params, gradients, ms, momentum=momentum, **options)
    return params, [momentum * m + (1 - momentum) * g for m, g in zip(ms, gradients, strict=True)]


@mistake("muon", "the orthogonalised matrix is kept as the mean for the next step; keep the mean itself (equation 4)")
def keeps_the_orthogonalised(params, gradients, ms, **options):
    params, ms = muon(params, gradients, ms, **options)
    return params, [orthogonalise(m) for m in ms]


@mistake("muon", "each gradient is orthogonalised before the mean; the mean is orthogonalised (equation 6)")
def orthogonalised_before_the_mean(params, gradients, ms, **options):
    return steps(params, [orthogonalise(g) for g in gradients], ms, **options)


@mistake("muon", "nothing is orthogonalised: this is plain descent with momentum (equation 6)")
def nothing_orthogonalised(params, gradients, ms, *, lr, momentum=0.95, weight_decay=0.0):
    _, ms = muon(params, gradients, ms, lr=lr, momentum=momentum)
    ahead = [momentum * m + (1 - momentum) * g for m, g in zip(ms, gradients, strict=True)]
    return [p - lr * (scale_of(p.shape) * u + weight_decay * p) for p, u in zip(params, ahead, strict=True)], ms


@mistake("muon", "the scale sqrt(rows/columns) of a tall matrix is missing (equation 7)")
def scale_missing(*lists, **options):
    return steps(*lists, **options, scale=lambda shape: 1.0)


@mistake("muon", "a wide matrix is scaled down: sqrt(rows/columns) is never taken below 1 (equation 7)")
def wide_ones_scaled_down(*lists, **options):
    return steps(*lists, **options, scale=lambda shape: (shape[0] / shape[1])**0.5)


@mistake("muon", "the root is missing: the scale is rows/columns (equation 7)")
def scale_without_the_root(*lists, **options):
    return steps(*lists, **options, scale=lambda shape: max(1, shape[0] / shape[1]))


@mistake("muon", "wide matrices are scaled up by columns/rows; it is the tall ones, by rows/columns (equation 7)")
def scale_upside_down(*lists, **options):
    return steps(*lists, **options, scale=lambda shape: max(1, shape[1] / shape[0])**0.5)


@mistake("muon", "the update is scaled to 0.2 sqrt(max(rows, columns)), as beside AdamW; here another (equation 7)")
def scale_of_moonlight(*lists, **options):
    return steps(*lists, **options, scale=lambda shape: 0.2 * max(shape)**0.5)


@mistake("muon", "the decay is added to the gradient, where orthogonalising hides it; take it off p (equation 8)")
def decay_in_the_gradient(params, gradients, ms, *, weight_decay=0.0, **options):
    return muon(params, [g + weight_decay * p for g, p in zip(gradients, params, strict=True)], ms, **options)


@mistake("muon", "the decay is not multiplied by the learning rate (equation 8)")
def decay_without_the_rate(params, gradients, ms, *, lr, **options):
    return steps(params, gradients, ms, lr=lr, **options, decayed=lambda p, o: p / lr)


@mistake("muon", "the decay of a tall matrix is scaled as its update is; it is not (equation 8)")
def decay_scaled(*lists, **options):
    return steps(*lists, **options, decayed=lambda p, o: scale_of(p.shape) * p)


@mistake("muon", "the decay makes parameters grow: it is subtracted (equation 8)")
def decay_with_the_wrong_sign(*lists, **options):
    return steps(*lists, **options, decayed=lambda p, o: -p)


@mistake("muon", "the step goes up the gradient: it is subtracted (equation 8)")
def uphill(*lists, **options):
    return steps(*lists, **options, scale=lambda shape: -scale_of(shape))


@mistake("muon", "the answers come in order of shape; matrix i must come back as matrix i")
def in_order_of_shape(params, gradients, ms, **options):
    new_params, new_ms = muon(params, gradients, ms, **options)
    order = sorted(range(len(params)), key=lambda i: params[i].shape)
    return [new_params[i] for i in order], [new_ms[i] for i in order]


@mistake("muon", "ms is overwritten: an input must be left as it was")
def writes_into_ms(params, gradients, ms, **options):
    answer = muon(params, gradients, ms, **options)
    for m, new in zip(ms, answer[1], strict=True):
        m[...] = new
    return answer


@mistake("muon", "params is overwritten: an input must be left as it was")
def writes_into_params(params, gradients, ms, **options):
    answer = muon(params, gradients, ms, **options)
    for p, new in zip(params, answer[0], strict=True):
        p[...] = new
    return answer


@mistake("orthogonalise", "every step takes the first polynomial; each has its own, later steps the last (equation 3)")
def first_polynomial_only(g, steps=5, polynomials=JORDAN):
    return orthogonalise(g, steps, polynomials[:1])


@mistake("muon", "steps and polynomials do not reach orthogonalise (equation 6)")
def iteration_not_passed_on(*lists, steps=5, polynomials=JORDAN, **options):
    return muon(*lists, **options)
