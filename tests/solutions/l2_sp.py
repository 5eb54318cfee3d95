"""One right answer to the exercise transfer.4."""


def l2_sp_forward(params, start, alpha, beta):
    """alpha/2 of the squared distance from the start, and beta/2 of the squared length of what is new."""
    apart = {name: p - start.get(name, 0) for name, p in params.items()}
    weights = {name: alpha if name in start else beta for name in params}
    penalty = sum(weights[name] / 2 * float((difference**2).sum()) for name, difference in apart.items())
    return penalty, (apart, weights)


def l2_sp_backward(dy, cache):
    """The slope of w/2 d^2 is w d."""
    apart, weights = cache
    return {name: dy * weights[name] * difference for name, difference in apart.items()}
