"""Wrong answers to attention."""
import math

import numpy as np

from minigpt.reference.attention import AttentionCache, attention_backward, attention_forward
from minigpt.reference.dropout import dropout_forward
from minigpt.reference.softmax import softmax_forward
from mistakes import mistake


def steps(q, k, v, *, scale=None, past=None, keys=None, never=-math.inf, axis=-1,
          causal=False, key_mask=None, dropout=0.0, generator=None):
    """The reference's steps with a scale, a causal mask (T, S), a key mask or a softmax axis of one's own."""
    (B, H, T, D), (G, S) = q.shape, k.shape[1:3]
    q = q.reshape(B, G, H // G * T, D)
    scores = (q @ k.swapaxes(-1, -2) * (1 / math.sqrt(D) if scale is None else scale)).reshape(B, H, T, S)
    past = np.tri(T, S, S - T, dtype=bool) if past is None else past
    keys = (lambda mask: mask[:, None, None, :]) if keys is None else keys
    scores = np.where(past, scores, never) if causal else scores
    scores = scores if key_mask is None else np.where(keys(key_mask), scores, never)
    y, softmax = softmax_forward(scores.swapaxes(axis, -1))
    p, drop = dropout_forward(y.swapaxes(axis, -1), dropout, generator)
    p = p.reshape(B, G, H // G * T, S)
    return (p @ v).reshape(B, H, T, v.shape[-1]), AttentionCache(q, k, v, softmax, drop, p)


@mistake("attention_forward", "the scores are not divided by sqrt(D) (equation 1)")
def not_scaled(q, k, v, **options):
    return steps(q, k, v, scale=1, **options)


@mistake("attention_forward", "the scores are divided by D, not by its square root (equation 1)")
def divided_by_the_width(q, k, v, **options):
    return steps(q, k, v, scale=1 / q.shape[-1], **options)


@mistake("attention_forward", "the scores are divided by the root of T; it is the width D of a head (equation 1)")
def divided_by_the_root_of_the_length(q, k, v, **options):
    return steps(q, k, v, scale=1 / math.sqrt(max(q.shape[2], 1)), **options)


@mistake("attention_forward", "the scores are divided by the root of C = H D; a head has width D (equation 1)")
def scaled_by_the_width_of_all_heads(q, k, v, **options):
    return steps(q, k, v, scale=1 / math.sqrt(q.shape[1] * q.shape[-1]), **options)


@mistake("attention_forward", "the softmax runs over the queries; each query's weights sum to 1 (equation 4)")
def softmax_over_the_queries(q, k, v, **options):
    return steps(q, k, v, axis=-2, **options)


@mistake("attention_forward", "the mask comes after the softmax, so the weights do not sum to 1 (equations 2 to 4)")
def mask_after_the_softmax(q, k, v, **options):
    y, cache = attention_forward(q, k, v, dropout=options.pop("dropout", 0.0), generator=options.pop("generator", None))
    allowed = attention_forward(q, k, v, **options)[1].softmax.y > 0
    p = np.where(allowed.reshape(cache.p.shape), cache.p, 0)
    return (p @ v).reshape(y.shape), cache._replace(p=p)


@mistake("attention_forward", "masked scores are 0, but exp(0) is 1: they still take part; use -inf (equations 2, 3)")
def masked_with_zero(q, k, v, **options):
    return steps(q, k, v, never=0.0, **options)


@mistake("attention_forward", "a query with nothing to attend to gives the mean of all values; it must give 0")
def masked_with_a_large_number(q, k, v, **options):
    return steps(q, k, v, never=-1e30, **options)


@mistake("attention_forward", "a query with nothing to attend to gives NaN (0 / 0 in the softmax); it must give 0")
def nothing_to_attend_to_is_nan(q, k, v, **options):
    y, cache = attention_forward(q, k, v, **options)
    return np.where(cache.softmax.y.any(axis=-1, keepdims=True), y, np.nan), cache


@mistake("attention_forward", "causal is ignored: queries see the future (equation 2)")
def causal_ignored(q, k, v, *, causal=False, **options):
    return attention_forward(q, k, v, **options)


@mistake("attention_forward", "the causal mask is upside down: queries see the future, not the past (equation 2)")
def future_instead_of_past(q, k, v, **options):
    T, S = q.shape[2], k.shape[2]
    return steps(q, k, v, past=~np.tri(T, S, S - T - 1, dtype=bool), **options)


@mistake("attention_forward", "a token does not see itself; the causal mask includes the diagonal (equation 2)")
def diagonal_excluded(q, k, v, **options):
    T, S = q.shape[2], k.shape[2]
    return steps(q, k, v, past=np.tri(T, S, S - T - 1, dtype=bool), **options)


@mistake("attention_forward", "for T != S the causal mask starts top left; the last query sees all (equation 2)")
def aligned_at_the_top_left(q, k, v, **options):
    return steps(q, k, v, past=np.tri(q.shape[2], k.shape[2], dtype=bool), **options)


@mistake("attention_forward", "key_mask is ignored (equation 3)")
def key_mask_ignored(q, k, v, *, key_mask=None, **options):
    return attention_forward(q, k, v, **options)


@mistake("attention_forward", "key_mask is read upside down: True means that a key may be attended (equation 3)")
def key_mask_inverted(q, k, v, **options):
    return steps(q, k, v, keys=lambda mask: ~mask[:, None, None, :], **options)


@mistake("attention_forward", "key_mask of the first sequence is used for all of them (equation 3)")
def key_mask_of_the_first_sequence(q, k, v, **options):
    return steps(q, k, v, keys=lambda mask: mask[:1, None, None, :], **options)


@mistake("attention_forward", "key_mask hides queries; a masked position is not looked at, but may ask (equation 3)")
def key_mask_on_the_queries(q, k, v, **options):
    alike = q.shape[2] == k.shape[2]
    return steps(q, k, v, keys=(lambda mask: mask[:, None, :, None]) if alike else None, **options)


def interleaved(x, G):
    """Heads in the order in which h % G, not h // (H/G), is their key head."""
    B, H, *rest = x.shape
    return x.reshape(B, H // G, G, *rest).swapaxes(1, 2).reshape(x.shape)


@mistake("attention_forward", "head h uses key head h % G; neighbours share one: h // (H/G)")
def key_heads_interleaved(q, k, v, **options):
    H, G = q.shape[1], k.shape[1]
    y, cache = attention_forward(interleaved(q, G), k, v, **options)
    return interleaved(y, H // G), cache


@mistake("attention_forward", "what is averaged are the keys; it should be the values (equation 6)")
def averages_the_keys(q, k, v, **options):
    return attention_forward(q, k, k if k.shape == v.shape else v, **options)


@mistake("attention_forward", "there is no softmax: the scores themselves weigh the values (equation 4)")
def no_softmax(q, k, v, **options):
    y, cache = attention_forward(q, k, v, **options)
    p = np.where(cache.p == 0, 0, cache.q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1]))
    return (p @ v).reshape(y.shape), cache._replace(p=p)


def in_tiles(q, k, v, *, old_sum=True, old_average=True, alone=False, **options):
    """Tiles of 16 keys, as in the lesson attention_kernel; which of l and o shrink when m rises, or a plain mean."""
    y, cache = attention_forward(q, k, v, **options)
    p, (S, E) = cache.softmax.y, v.shape[2:]                        # exp(score - L), so that its row sums to 1
    v = np.repeat(v, q.shape[1] // k.shape[1], axis=1)
    scores = np.log(p, out=np.full_like(p, -np.inf), where=p > 0)
    m, l, o, means = np.full((*y.shape[:3], 1), -np.inf), 0.0, 0.0, []
    for s0 in range(0, S, 16):
        tile = scores[..., s0:s0 + 16]
        m_new = np.maximum(m, tile.max(axis=-1, keepdims=True))
        finite = np.where(np.isneginf(m_new), 0, m_new)
        now, a = np.exp(tile - finite), np.exp(m - finite)
        now_l, now_o, m = now.sum(axis=-1, keepdims=True), now @ v[:, :, s0:s0 + 16], m_new
        means.append(np.divide(now_o, now_l, out=np.zeros_like(now_o), where=now_l > 0))
        l, o = (a if old_sum else 1.0) * l + now_l, (a if old_average else 1.0) * o + now_o
    one = np.mean(means, axis=0) if alone and means else o / np.where(l == 0, 1.0, l)
    return np.asarray(one, q.dtype).reshape(*y.shape[:3], E), cache


@mistake("attention_forward", "in tiles: o keeps the old maximum when m rises; multiply it by a (attention_kernel)")
def old_average_not_rescaled(q, k, v, **options):
    return in_tiles(q, k, v, old_average=False, **options)


@mistake("attention_forward", "in tiles: l keeps the old maximum when m rises; multiply it by a (attention_kernel)")
def old_sum_not_rescaled(q, k, v, **options):
    return in_tiles(q, k, v, old_sum=False, **options)


@mistake("attention_forward", "in tiles: neither l nor o is multiplied by a when m rises (attention_kernel)")
def nothing_rescaled(q, k, v, **options):
    return in_tiles(q, k, v, old_sum=False, old_average=False, **options)


@mistake("attention_forward", "each tile is attended to by itself, and all count the same; l says how much one counts")
def mean_of_tiles(q, k, v, **options):
    return in_tiles(q, k, v, alone=True, **options)


@mistake("attention_forward", "the queries are overwritten: an input must be left as it was")
def writes_into_the_queries(q, k, v, **options):
    y, cache = attention_forward(q, k, v, **options)
    q /= math.sqrt(q.shape[-1])
    return y, cache


@mistake("attention_forward", "dropout leaves out weights, but does not scale up the others (equation 5)")
def dropout_not_scaled_up(q, k, v, *, dropout=0.0, **options):
    y, cache = attention_forward(q, k, v, dropout=dropout, **options)
    return y * (1 - dropout), cache


@mistake("attention_backward", "dq lacks the 1 / sqrt(D) of equation 11")
def dq_not_scaled(dy, cache):
    dq, dk, dv = attention_backward(dy, cache)
    return dq * math.sqrt(cache.q.shape[-1]), dk, dv


@mistake("attention_backward", "dk lacks the 1 / sqrt(D) of equation 12")
def dk_not_scaled(dy, cache):
    dq, dk, dv = attention_backward(dy, cache)
    return dq, dk * math.sqrt(cache.q.shape[-1]), dv


@mistake("attention_backward", "neither dq nor dk has the 1 / sqrt(D) of equations 11 and 12")
def neither_scaled(dy, cache):
    root = math.sqrt(cache.q.shape[-1])
    dq, dk, dv = attention_backward(dy, cache)
    return dq * root, dk * root, dv


@mistake("attention_backward", "the gradients come in another order: dq, dk, dv is asked for")
def dk_and_dv_swapped(dy, cache):
    dq, dk, dv = attention_backward(dy, cache)
    return (dq, dv, dk) if dk.shape == dv.shape else (dq, dk, dv)


@mistake("attention_backward", "dk uses dscore as it is; key s collects from its queries: transpose (equation 12)")
def dscores_not_transposed(dy, cache):
    dq, dk, dv = attention_backward(dy, cache)
    dscores = _dscores(dy, cache, axis=-1)
    alike = dscores.shape[-1] == dscores.shape[-2]
    return dq, dscores @ cache.q / math.sqrt(cache.q.shape[-1]) if alike else dk, dv


@mistake("attention_backward", "the sum in equation 10 runs over the queries; each query sums over its keys")
def inner_sum_over_the_queries(dy, cache):
    root, dscores = math.sqrt(cache.q.shape[-1]), _dscores(dy, cache, axis=-2)
    dq, dk = dscores @ cache.k / root, dscores.swapaxes(-1, -2) @ cache.q / root
    return dq.reshape(*dy.shape[:3], dq.shape[-1]), dk, attention_backward(dy, cache)[2]


@mistake("attention_backward", "the sum in equation 10 is added; it is subtracted")
def inner_sum_added(dy, cache):
    root, dscores = math.sqrt(cache.q.shape[-1]), _dscores(dy, cache, axis=-1, sign=1)
    dq, dk = dscores @ cache.k / root, dscores.swapaxes(-1, -2) @ cache.q / root
    return dq.reshape(*dy.shape[:3], dq.shape[-1]), dk, attention_backward(dy, cache)[2]


def _dscores(dy, cache, *, axis, sign=-1):
    """Equation 10 without dropout, with the sum along an axis and a sign of one's own: (B,G,H/G*T,S)."""
    (B, H, T, S), G = cache.softmax.y.shape, cache.k.shape[1]
    dp = dy.reshape(*cache.q.shape[:3], cache.v.shape[-1]) @ cache.v.swapaxes(-1, -2)
    p, dp = cache.softmax.y, dp.reshape(B, H, T, S)
    return (p * (dp + sign * (p * dp).sum(axis=axis, keepdims=True))).reshape(B, G, H // G * T, S)


@mistake("attention_backward", "the sum in equation 10 is missing: each weight depends on every score of its query")
def softmax_treated_as_independent(dy, cache):
    root = math.sqrt(cache.q.shape[-1])
    dscores = cache.p * (dy.reshape(*cache.q.shape[:3], -1) @ cache.v.swapaxes(-1, -2)) if dy.size else cache.p
    dq, dk = dscores @ cache.k / root, dscores.swapaxes(-1, -2) @ cache.q / root
    return dq.reshape(*dy.shape[:3], dq.shape[-1]), dk, attention_backward(dy, cache)[2]


@mistake("attention_backward", "the weights in dv are not transposed: value s collects from its queries (equation 7)")
def weights_not_transposed(dy, cache):
    dq, dk, dv = attention_backward(dy, cache)
    alike = cache.p.shape[-1] == cache.p.shape[-2]
    return dq, dk, cache.p @ dy.reshape(*cache.q.shape[:3], cache.v.shape[-1]) if alike else dv


@mistake("attention_backward", "in tiles: dq is set anew by each tile of keys; tiles add up")
def dq_of_the_last_tile(dy, cache):
    dq, dk, dv = attention_backward(dy, cache)
    dscores, T = _dscores(dy, cache, axis=-1).reshape(cache.softmax.y.shape), cache.softmax.y.shape[2]
    for t0 in range(0, T, 16):                         # its last tile is the last in which anybody sees anything
        seen = np.flatnonzero(cache.softmax.y[:, :, t0:t0 + 16].any(axis=(0, 1, 2)))
        dscores[:, :, t0:t0 + 16, :seen.max(initial=0) // 16 * 16] = 0
    return (dscores.reshape(cache.p.shape) @ cache.k / math.sqrt(cache.q.shape[-1])).reshape(dq.shape), dk, dv


@mistake("attention_backward", "in tiles: dk and dv are set anew by each tile of queries; tiles add up")
def dk_and_dv_of_the_last_tile(dy, cache):
    last = np.zeros_like(dy)
    begin = (dy.shape[2] - 1) // 16 * 16
    last[:, :, begin:] = dy[:, :, begin:]
    return attention_backward(dy, cache)[0], *attention_backward(last, cache)[1:]


@mistake("attention_backward", "a query that sees no key has L = -inf, and -inf - (-inf) is NaN: subtract 0 there")
def no_key_is_nan(dy, cache):
    y = np.where((cache.softmax.y > 0).any(axis=-1, keepdims=True), cache.softmax.y, np.nan)
    return attention_backward(dy, cache._replace(softmax=cache.softmax._replace(y=y), p=y.reshape(cache.p.shape)))


@mistake("attention_backward", "dk and dv come from the last head of a group; sum over all (equations 7 and 12)")
def only_the_last_head_of_a_group(dy, cache):
    size = dy.shape[1] // cache.k.shape[1]
    last = np.zeros_like(dy)
    last[:, size - 1::size] = dy[:, size - 1::size]
    return attention_backward(dy, cache)[0], *attention_backward(last, cache)[1:]


@mistake("attention_backward", "dk and dv are averaged over the heads of a group; gradients add (equations 7 and 12)")
def mean_over_a_group(dy, cache):
    dq, dk, dv = attention_backward(dy, cache)
    size = dy.shape[1] // cache.k.shape[1]
    return dq, dk / size, dv / size


@mistake("attention_backward", "the gradient comes through weights that dropout has left out (equation 9)")
def dropout_missing_in_the_gradient(dy, cache):
    p = cache.softmax.y.reshape(cache.p.shape)
    return attention_backward(dy, cache._replace(drop=cache.drop._replace(scale=None), p=p))
