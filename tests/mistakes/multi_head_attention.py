"""Wrong answers to multi_head_attention."""
import numpy as np

from minigpt.reference.attention import attention_forward
from minigpt.reference.linear import linear_forward
from minigpt.reference.multi_head_attention import (
    MultiHeadAttentionCache,
    merge_heads,
    multi_head_attention_backward,
    multi_head_attention_forward,
    split_heads,
)
from minigpt.reference.rms_norm import rms_norm_forward
from minigpt.reference.rope import rope_forward
from mistakes import mistake


def steps(x, params, *, n_head, split=split_heads, merge=merge_heads, norm=rms_norm_forward, turn=None, rope_theta=None,
          query_key_norm=False, cache=None, attend=attention_forward, **options):
    """The reference's steps, with a split into heads, a merge, a norm, a turn or an attention of one's own."""
    n_kv_head = len(params["key.weight"]) * n_head // x.shape[-1]
    (q, query), (k, key), (v, value) = (
        linear_forward(x, params[f"{name}.weight"], params.get(f"{name}.bias")) for name in ("query", "key", "value"))
    q, k, v = split(q, n_head), split(k, n_kv_head), split(v, n_kv_head)
    norms = ropes = ()
    if query_key_norm:
        (q, norm_q), (k, norm_k) = norm(q, None), norm(k, None)
        norms = norm_q, norm_k
    if rope_theta is not None:
        positions = np.arange(x.shape[1]) if cache is None else cache.positions
        (_, rope_q), (_, rope_k) = rope_forward(q, positions, rope_theta), rope_forward(k, positions, rope_theta)
        q, k, v = (turn or turned)(q, k, v, positions, rope_theta)
        ropes = rope_q, rope_k
    if cache is not None:
        k, v, options["key_mask"] = cache.append(k, v)
    a, attention = attend(q, k, v, **options)
    y, output = linear_forward(merge(a).reshape(x.shape), params["output.weight"], params.get("output.bias"))
    return y, MultiHeadAttentionCache(query, key, value, norms, ropes, attention, output)


def turned(q, k, v, positions, theta):
    return rope_forward(q, positions, theta)[0], rope_forward(k, positions, theta)[0], v


def without_transposing(x, n_head):
    B, T, C = x.shape
    return x.reshape(B, n_head, T, C // n_head)


def interleaved(x, n_head):
    B, T, C = x.shape
    return x.reshape(B, T, C // n_head, n_head).transpose(0, 3, 1, 2)


@mistake("multi_head_attention_forward",
         "the heads are made by a reshape alone, which mixes positions; swap the axes after it (equation 2)")
def heads_without_transposing(x, params, *, n_head, **options):
    return steps(x, params, n_head=n_head, split=without_transposing, **options)


@mistake("multi_head_attention_forward",
         "head h takes every H-th column; it takes D columns in a row, from h D on (equation 2)")
def heads_interleaved(x, params, *, n_head, **options):
    return steps(x, params, n_head=n_head, split=interleaved, **options)


@mistake("multi_head_attention_forward",
         "the heads are merged by a reshape alone, which mixes positions; swap the axes back first (equation 6)")
def merged_without_transposing(x, params, *, n_head, **options):
    return steps(x, params, n_head=n_head, merge=lambda a: a, **options)


@mistake("multi_head_attention_forward", "there is one head, as wide as all of them (equation 2)")
def one_wide_head(x, params, *, n_head, **options):
    if x.shape[-1] % n_head:
        return multi_head_attention_forward(x, params, n_head=n_head, **options)
    return multi_head_attention_forward(x, params, n_head=1, **options)


@mistake("multi_head_attention_forward", "the heads are added up; they stand side by side (equation 6)")
def heads_added(x, params, *, n_head, **options):
    return steps(x, params, n_head=n_head, **options,
                 merge=lambda a: merge_heads(np.broadcast_to(a.sum(axis=1, keepdims=True), a.shape)))


@mistake("multi_head_attention_forward", "the output projection is missing (equation 7)")
def no_output_projection(x, params, *, n_head, **options):
    _, cache = multi_head_attention_forward(x, params, n_head=n_head, **options)
    return cache.output.x, cache


@mistake("multi_head_attention_forward", "the weights are not transposed: a weight is (out, in), so y = x W^T")
def weights_not_transposed(x, params, **options):
    turned = {name: p.T for name, p in params.items()}
    return multi_head_attention_forward(x, turned, **options)


@mistake("multi_head_attention_forward", "queries and keys are swapped (equation 5)")
def queries_and_keys_swapped(x, params, **options):
    swapped = {name.replace("query", "?").replace("key", "query").replace("?", "key"): p for name, p in params.items()}
    return multi_head_attention_forward(x, swapped, **options)


@mistake("multi_head_attention_forward", "the biases are ignored (equations 1 and 7)")
def biases_ignored(x, params, **options):
    zero = {name: np.zeros_like(p) if name.endswith("bias") else p for name, p in params.items()}
    return multi_head_attention_forward(x, zero, **options)


@mistake("multi_head_attention_forward", "causal is not passed on to the attention (equation 5)")
def causal_not_passed_on(x, params, *, causal=False, **options):
    return multi_head_attention_forward(x, params, **options)


@mistake("multi_head_attention_forward", "key_mask is not passed on to the attention (equation 5)")
def key_mask_not_passed_on(x, params, *, key_mask=None, **options):
    return multi_head_attention_forward(x, params, **options)


@mistake("multi_head_attention_backward",
         "dx has the part of the values only; x is used three times, so three gradients add (equation 14)")
def dx_of_the_values_only(dy, cache):
    _, dparams = multi_head_attention_backward(dy, cache)
    query, key = (part._replace(weight=0 * part.weight) for part in (cache.query, cache.key))
    dx, _ = multi_head_attention_backward(dy, cache._replace(query=query, key=key))
    return dx, dparams


@mistake("multi_head_attention_backward",
         "the gradient of the heads is not merged back before W_query, W_key and W_value: swap the axes (equation 13)")
def gradients_split_without_transposing(dy, cache):
    B, T, C = dy.shape
    H = cache.attention.softmax.y.shape[1]
    mixed = dy.reshape(B, H, T, C // H).swapaxes(1, 2).reshape(dy.shape)
    return multi_head_attention_backward(mixed, cache)


@mistake("multi_head_attention_backward", "the gradient of W_output is transposed: it is (out, in), like W_output")
def output_gradient_transposed(dy, cache):
    dx, dparams = multi_head_attention_backward(dy, cache)
    return dx, dparams | {"output.weight": dparams["output.weight"].T}


@mistake("multi_head_attention_backward", "the gradients of W_key and W_value are swapped")
def key_and_value_swapped(dy, cache):
    dx, dparams = multi_head_attention_backward(dy, cache)
    return dx, dparams | {"key.weight": dparams["value.weight"], "value.weight": dparams["key.weight"]}


@mistake("multi_head_attention_forward", "rope also turns the values; it turns queries and keys only (equation 4)")
def values_turned_too(x, params, *, n_head, **options):
    def turn(q, k, v, positions, theta):
        return tuple(rope_forward(z, positions, theta)[0] for z in (q, k, v))
    return steps(x, params, n_head=n_head, turn=turn, **options)


@mistake("multi_head_attention_forward", "rope turns the queries but not the keys (equation 4)")
def keys_not_turned(x, params, *, n_head, **options):
    def turn(q, k, v, positions, theta):
        return rope_forward(q, positions, theta)[0], k, v
    return steps(x, params, n_head=n_head, turn=turn, **options)


@mistake("multi_head_attention_forward", "rope is left out (equation 4)")
def no_rope(x, params, *, rope_theta=None, **options):
    return multi_head_attention_forward(x, params, **options)


@mistake("multi_head_attention_forward", "query_key_norm is left out (equation 3)")
def no_query_key_norm(x, params, *, query_key_norm=False, **options):
    return multi_head_attention_forward(x, params, **options)


@mistake("multi_head_attention_forward", "the heads are normalised together, not each by itself (equation 3)")
def heads_normalised_together(x, params, *, n_head, **options):
    def norm(z, weight):
        y, cache = rms_norm_forward(merge_heads(z), weight)
        return split_heads(y, z.shape[1]), cache._replace(normal=split_heads(cache.normal, z.shape[1]),
                                                          rstd=cache.rstd[:, None])
    return steps(x, params, n_head=n_head, norm=norm, **options)


@mistake("multi_head_attention_forward",
         "head h uses key head h mod G; neighbours share one: h // (H/G) (equations 2 and 5)")
def key_heads_dealt_round(x, params, *, n_head, **options):
    D = x.shape[-1] // n_head
    G = len(params["key.weight"]) // D
    order = np.arange(n_head * D).reshape(-1, G, D).swapaxes(0, 1).reshape(-1) if n_head % G == 0 else slice(None)
    moved = {name: p[order] if name.startswith("query") else p for name, p in params.items()}
    moved["output.weight"] = params["output.weight"][:, order]
    return multi_head_attention_forward(x, moved, n_head=n_head, **options)


@mistake("multi_head_attention_backward", "the gradients of queries and keys are not turned back (equation 11)")
def not_turned_back(dy, cache):
    return multi_head_attention_backward(dy, cache._replace(ropes=()))


@mistake("multi_head_attention_backward", "the gradient skips the norm of queries and keys (equation 12)")
def norm_not_differentiated(dy, cache):
    return multi_head_attention_backward(dy, cache._replace(norms=()))


@mistake("multi_head_attention_forward", "with a cache rope begins at position 0 again; it goes on (equation 4)")
def rope_restarts_with_a_cache(x, params, *, cache=None, **options):
    def turn(q, k, v, positions, theta):
        return turned(q, k, v, np.arange(x.shape[1]), theta)
    return steps(x, params, cache=cache, turn=turn, **options)


@mistake("multi_head_attention_forward", "with a cache rope counts from 0 for the queries; the keys go on (equation 4)")
def queries_restart_with_a_cache(x, params, *, cache=None, **options):
    def turn(q, k, v, positions, theta):
        return rope_forward(q, np.arange(x.shape[1]), theta)[0], rope_forward(k, positions, theta)[0], v
    return steps(x, params, cache=cache, turn=turn, **options)


@mistake("multi_head_attention_forward", "the new keys go into the cache, but only they are attended (equation 5)")
def the_cache_is_written_not_read(x, params, *, cache=None, **options):
    def attend(q, k, v, **options):
        T = x.shape[1]
        return attention_forward(q, k[:, :, -T:], v[:, :, -T:], **options)
    return steps(x, params, cache=cache, attend=attend, **options)


@mistake("multi_head_attention_forward", "with a cache the causal mask is aligned at the top left: new queries see old "
                                         "keys only (equation 5)")
def top_left_with_a_cache(x, params, *, cache=None, **options):
    def attend(q, k, v, *, causal=False, key_mask=None, **options):
        T, S = q.shape[2], k.shape[2]
        if T == S or not causal:
            return attention_forward(q, k, v, causal=causal, key_mask=key_mask, **options)
        rows = [attention_forward(q[:, :, t:t + 1], k[:, :, :t + 1], v[:, :, :t + 1], **options)[0] for t in range(T)]
        return np.concatenate(rows, axis=2), attention_forward(q, k, v)[1]
    return steps(x, params, cache=cache, attend=attend, **options)


@mistake("multi_head_attention_forward", "with a cache the causal mask is left out: of several new tokens each sees "
                                         "the later ones (equation 5)")
def no_mask_with_a_cache(x, params, *, causal=False, cache=None, **options):
    return multi_head_attention_forward(x, params, causal=causal and cache is None, cache=cache, **options)


@mistake("multi_head_attention_forward", "padding that the cache has noted is attended (equation 5)")
def padding_of_the_cache_attended(x, params, *, cache=None, **options):
    def attend(q, k, v, *, key_mask=None, **options):
        return attention_forward(q, k, v, key_mask=key_mask if cache is None else None, **options)
    return steps(x, params, cache=cache, attend=attend, **options)


@mistake("multi_head_attention_forward", "the keys go into the cache before rope, and are never turned (equation 4)")
def keys_kept_before_the_turn(x, params, *, cache=None, **options):
    def turn(q, k, v, positions, theta):
        q, turned_k, v = turned(q, k, v, positions, theta)
        return q, turned_k if cache is None else k, v
    return steps(x, params, cache=cache, turn=turn, **options)
