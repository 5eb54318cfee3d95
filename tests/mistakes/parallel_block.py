"""Wrong answers to parallel_block."""
from solutions.parallel_block import parallel_block_backward

from minigpt.reference.feed_forward import feed_forward_backward, feed_forward_forward
from minigpt.reference.multi_head_attention import multi_head_attention_backward, multi_head_attention_forward
from minigpt.reference.rms_norm import rms_norm_backward, rms_norm_forward
from minigpt.reference.transformer import part, whole
from mistakes import mistake


def parts(x, params, config, h=None, after_attention=False, **changes):
    """The forward with a piece of it changed. after_attention: the feed-forward reads the norm of x + a."""
    norm_of_x, norm = rms_norm_forward(x, params["norm.weight"], config.norm_eps)
    h = norm_of_x if h is None else h
    options = {"n_head": config.n_head, "causal": True, "rope_theta": config.rope_theta} | changes
    a, attention = multi_head_attention_forward(h, part(params, "attention."), **options)
    if after_attention:
        h, _ = rms_norm_forward(x + a, params["norm.weight"], config.norm_eps)
    f, feed_forward = feed_forward_forward(h, part(params, "feed_forward."), activation=config.feed_forward)
    return a, f, (norm, attention, feed_forward)


@mistake("parallel_block_forward", "the feed-forward reads what attention has added: that is the block in a row; "
         "side by side, both read the same h (equation 2)")
def one_after_the_other(x, params, config):
    a, f, cache = parts(x, params, config, after_attention=True)
    return x + a + f, cache


@mistake("parallel_block_forward", "the stream itself is missing from the sum (equation 2)")
def without_the_stream(x, params, config):
    a, f, cache = parts(x, params, config)
    return a + f, cache


@mistake("parallel_block_forward", "the normed h is added to the branches; what stays in the stream is x (equation 2)")
def stream_of_the_norm(x, params, config):
    a, f, cache = parts(x, params, config)
    h, _ = rms_norm_forward(x, params["norm.weight"], config.norm_eps)
    return h + a + f, cache


@mistake("parallel_block_forward", "the branches read x, and not its norm (equation 1)")
def without_the_norm(x, params, config):
    a, f, cache = parts(x, params, config, h=x)
    return x + a + f, cache


@mistake("parallel_block_forward", "attention is not causal: it reads the future (equation 2)")
def reads_the_future(x, params, config):
    a, f, cache = parts(x, params, config, causal=False)
    return x + a + f, cache


@mistake("parallel_block_forward", "positions are not turned: rope_theta did not reach attention (equation 2)")
def without_rope(x, params, config):
    a, f, cache = parts(x, params, config, rope_theta=None)
    return x + a + f, cache


@mistake("parallel_block_forward", "theta is 10000, whatever the config says (equation 2)")
def theta_fixed(x, params, config):
    a, f, cache = parts(x, params, config, rope_theta=10000.0)
    return x + a + f, cache


@mistake("parallel_block_forward", "eps is 1e-5, whatever the config says (equation 1)")
def eps_fixed(x, params, config):
    h, norm = rms_norm_forward(x, params["norm.weight"], 1e-5)
    a, f, (_, attention, feed_forward) = parts(x, params, config, h=h)
    return x + a + f, (norm, attention, feed_forward)


@mistake("parallel_block_forward", "x is written over: an input must be left as it was")
def writes_into_the_input(x, params, config):
    a, f, cache = parts(x, params, config)
    x += a + f
    return x, cache


@mistake("parallel_block_backward", "the stream's own dy is missing from dx (equation 5)")
def stream_gradient_missing(dy, cache):
    dx, dparams = parallel_block_backward(dy, cache)
    return dx - dy, dparams


@mistake("parallel_block_backward", "of the two gradients of h only attention's is kept; h was used twice (equation 4)")
def one_branch_only(dy, cache):
    norm, attention, _ = cache
    dx, dweight = rms_norm_backward(multi_head_attention_backward(dy, attention)[0], norm)
    return dy + dx, parallel_block_backward(dy, cache)[1] | {"norm.weight": dweight}


@mistake("parallel_block_backward", "the gradient runs through the branches in a row; each of them gets dy (3)")
def in_a_row(dy, cache):
    norm, attention, feed_forward = cache
    df, dfeed_forward = feed_forward_backward(dy, feed_forward)
    da, dattention = multi_head_attention_backward(dy + df, attention)
    dx, dweight = rms_norm_backward(da + df, norm)
    return dy + dx, {"norm.weight": dweight} | whole("attention.", dattention) | whole("feed_forward.", dfeed_forward)


@mistake("parallel_block_backward", "the gradient of h is not taken back through the norm (equation 5)")
def not_through_the_norm(dy, cache):
    _, attention, feed_forward = cache
    dh = multi_head_attention_backward(dy, attention)[0] + feed_forward_backward(dy, feed_forward)[0]
    return dy + dh, parallel_block_backward(dy, cache)[1]


@mistake("parallel_block_backward", "dy counts twice: once for each branch; the stream is there once (equation 5)")
def stream_twice(dy, cache):
    dx, dparams = parallel_block_backward(dy, cache)
    return dx + dy, dparams
