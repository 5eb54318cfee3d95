"""Wrong answers to the Transformer."""
import dataclasses

import numpy as np

from minigpt.reference.feed_forward import feed_forward_backward, feed_forward_forward
from minigpt.reference.multi_head_attention import multi_head_attention_backward, multi_head_attention_forward
from minigpt.reference.transformer import (
    block_backward,
    block_forward,
    hidden_forward,
    norm_backward,
    norm_forward,
    part,
    transformer_backward,
    transformer_forward,
    whole,
)
from mistakes import mistake


@mistake("block_forward", "nothing of x itself comes through: each branch is added to the stream (equations 1 and 2)")
def no_residual(x, params, config, **options):
    y, cache = block_forward(x, params, config, **options)
    return y - x, cache


@mistake("transformer_forward", "the position embedding is not added, so word order is lost (equation 5)")
def no_positions(ids, params, config, **options):
    zero = {"position_embedding.weight": np.zeros_like(params["position_embedding.weight"])}
    return transformer_forward(ids, params | zero, config, **options)


@mistake("transformer_forward", "positions are counted from 1; the first position is 0 (equation 5)")
def positions_from_one(ids, params, config, **options):
    shifted = {"position_embedding.weight": np.roll(params["position_embedding.weight"], -1, axis=0)}
    return transformer_forward(ids, params | shifted, config, **options)


@mistake("transformer_forward", "positions count backwards from the end (equation 5)")
def positions_from_the_end(ids, params, config, **options):
    P = params["position_embedding.weight"].copy()
    P[: ids.shape[1]] = P[: ids.shape[1]][::-1]
    return transformer_forward(ids, params | {"position_embedding.weight": P}, config, **options)


@mistake("transformer_forward", "the last layer norm, before the output layer, is missing (equation 7)")
def no_final_norm(ids, params, config, **options):
    _, cache = transformer_forward(ids, params, config, **options)
    x = params["token_embedding.weight"][ids] + params["position_embedding.weight"][: ids.shape[1]]
    for layer in range(config.n_layer):
        x, _ = block_forward(x, part(params, f"blocks.{layer}."), config, **options)
    W = params["token_embedding.weight"] if config.tied_embeddings else params["output.weight"]
    return x @ W.T, cache


@mistake("transformer_forward", "the blocks run in reverse order (equation 6)")
def blocks_in_reverse(ids, params, config, **options):
    last = config.n_layer - 1
    swapped = {}
    for name, p in params.items():
        _, layer, *rest = name.split(".") if name.startswith("blocks.") else ("", "", name)
        swapped[f"blocks.{last - int(layer)}.{'.'.join(rest)}" if layer else name] = p
    return transformer_forward(ids, swapped, config, **options)


@mistake("transformer_forward", "every layer uses the first block's weights (equation 6)")
def one_block_for_all_layers(ids, params, config, **options):
    shared = {n: params["blocks.0." + n.split(".", 2)[2]] for n in params if n.startswith("blocks.")}
    return transformer_forward(ids, params | shared, config, **options)


@mistake("transformer_backward", "a tied embedding is used twice, but only one of its gradients is kept (equation 11)")
def tied_gradient_overwritten(dlogits, cache):
    dparams = transformer_backward(dlogits, cache._replace(tied=False))
    return {name: d for name, d in dparams.items() if not (cache.tied and name == "output.weight")}


@mistake("transformer_backward", "the position embedding's gradient is averaged over the batch, not summed (10)")
def positions_averaged(dlogits, cache):
    dparams = transformer_backward(dlogits, cache)
    return dparams | {"position_embedding.weight": dparams["position_embedding.weight"] / len(dlogits)}


@mistake("block_backward", "the gradient that the stream carries past the feed-forward is lost (equation 3)")
def stream_gradient_lost(dy, cache):
    if not cache.norm_first:
        return block_backward(dy, cache)
    dh, dfeed_forward = feed_forward_backward(dy, cache.feed_forward)
    dx, dnorm2 = norm_backward(dh, cache.norm2, "feed_forward_norm")
    dh, dattention = multi_head_attention_backward(dx, cache.attention)
    dbranch, dnorm1 = norm_backward(dh, cache.norm1, "attention_norm")
    return dx + dbranch, dnorm1 | whole("attention.", dattention) | dnorm2 | whole("feed_forward.", dfeed_forward)


@mistake("block_forward", "with norm_position \"post\" the norm comes after the sum, not before the branch")
def norm_always_first(x, params, config, **options):
    return block_forward(x, params, dataclasses.replace(config, norm_position="pre"), **options)


@mistake("transformer_forward", "with rms_norm no mean is subtracted; this is layer_norm without its bias")
def layer_norm_for_rms_norm(ids, params, config, **options):
    return transformer_forward(ids, params, dataclasses.replace(config, norm="layer_norm"), **options)


@mistake("transformer_forward", "rope_theta does not reach the attention: the angles are those of theta = 10000")
def theta_not_passed_on(ids, params, config, **options):
    return transformer_forward(ids, params, dataclasses.replace(config, rope_theta=10000.0), **options)


@mistake("transformer_forward", "query_key_norm does not reach the attention")
def query_key_norm_not_passed_on(ids, params, config, **options):
    return transformer_forward(ids, params, dataclasses.replace(config, query_key_norm=False), **options)


@mistake("block_backward", "with norm_position \"post\" dy does not go back through the norm that came last")
def last_norm_skipped(dy, cache):
    if cache.norm_first:
        return block_backward(dy, cache)
    _, dparams = block_backward(dy, cache)
    still = cache.norm2._replace(weight=np.ones_like(cache.norm2.weight))
    dx, _ = block_backward(dy, cache._replace(norm2=still))
    return dx, dparams


@mistake("block_backward",
         "the attention branch gets dy, the gradient before the feed-forward branch added its own (equation 4)")
def branches_in_parallel(dy, cache):
    dx, dparams = block_backward(dy, cache)
    _, dattention = multi_head_attention_backward(dy, cache.attention)
    return dx, dparams | whole("attention.", dattention)


@mistake("block_forward", "x += a writes into the block's input, which is the cache of the block before: x = x + a")
def writes_into_the_stream(x, params, config, **options):
    y, cache = block_forward(x.copy(), params, config, **options)
    x += y
    return y, cache


def parts_of(params, config):
    """Both norms and both branches of a block, each a function of x alone."""
    theta = config.rope_theta if config.positions == "rope" else None
    attention, ff = part(params, "attention."), part(params, "feed_forward.")
    return (lambda x: norm_forward(x, params, "attention_norm", config)[0],
            lambda x: multi_head_attention_forward(x, attention, n_head=config.n_head, causal=config.causal,
                                                   rope_theta=theta, query_key_norm=config.query_key_norm)[0],
            lambda x: norm_forward(x, params, "feed_forward_norm", config)[0],
            lambda x: feed_forward_forward(x, ff, activation=config.feed_forward)[0])


@mistake("block_forward", "the normed x replaces the stream: the branch reads norm(x), but its result is added to x")
def normed_stream_kept(x, params, config, **options):
    y, cache = block_forward(x, params, config, **options)
    if config.norm_position == "post":
        return y, cache
    norm1, attend, norm2, feed = parts_of(params, config)
    h = norm1(x)
    h = norm2(h + attend(h))
    return h + feed(h), cache


@mistake("block_forward", "the two sums are missing, so what came in is lost (equations 1 and 2)")
def only_the_branches(x, params, config, **options):
    _, cache = block_forward(x, params, config, **options)
    norm1, attend, norm2, feed = parts_of(params, config)
    if config.norm_position == "post":
        return norm2(feed(norm1(attend(x)))), cache
    return feed(norm2(attend(norm1(x)))), cache


@mistake("transformer_forward", "the vectors of the token types are not added (equation 5)")
def no_token_types(ids, params, config, **options):
    gone = {name: np.zeros_like(p) for name, p in params.items() if name == "token_type_embedding.weight"}
    return transformer_forward(ids, params | gone, config, **options)


@mistake("transformer_forward", "all tokens get the vector of type 0, whatever their type (equation 5)")
def every_token_of_type_0(ids, params, config, *, token_types=None, **options):
    if token_types is not None and config.token_types:
        token_types = np.zeros_like(token_types)
    return transformer_forward(ids, params, config, token_types=token_types, **options)


@mistake("transformer_forward", "types are taken for a model that knows none, and left out without a word")
def types_ignored(ids, params, config, *, token_types=None, **options):
    return transformer_forward(ids, params, config, token_types=token_types if config.token_types else None, **options)


@mistake("transformer_forward", "the norm of the embeddings is left out")
def no_embedding_norm(ids, params, config, **options):
    _, cache = transformer_forward(ids, params, config, **options)
    return transformer_forward(ids, params, dataclasses.replace(config, embedding_norm=False), **options)[0], cache


@mistake("transformer_backward", "the type embedding's gradient is averaged over the tokens, not summed (10)")
def types_averaged(dlogits, cache):
    dparams, name = transformer_backward(dlogits, cache), "token_type_embedding.weight"
    return dparams | ({name: dparams[name] / dlogits.shape[1]} if name in dparams else {})


@mistake("hidden_forward", "what hidden gives is taken before the last norm (equation 6)")
def hidden_before_the_last_norm(ids, params, config, **options):
    still = {name: np.ones_like(p) if name.endswith("weight") else np.zeros_like(p) for name, p in params.items()
             if name.startswith("final_norm.")}
    return hidden_forward(ids, params | still, config, **options)


@mistake("transformer_forward", "with a cache the position embedding begins at 0 again; it goes on (equation 5)")
def positions_restart_with_a_cache(ids, params, config, *, cache=None, **options):
    if cache is not None and config.positions == "learned":
        P = np.roll(params["position_embedding.weight"], cache.length, axis=0)
        params = params | {"position_embedding.weight": P}
    return transformer_forward(ids, params, config, cache=cache, **options)


@mistake("transformer_forward", "the cache is not handed to the blocks: every chunk is read as a text of its own")
def cache_not_passed_on(ids, params, config, *, cache=None, **options):
    if cache is not None:
        cache.reserve(ids)
        cache.advance()
    return transformer_forward(ids, params, config, **options)


@mistake("transformer_forward", "the cache is read but not moved on: the next tokens overwrite these")
def cache_does_not_advance(ids, params, config, *, cache=None, **options):
    before = 0 if cache is None else cache.length
    result = transformer_forward(ids, params, config, cache=cache, **options)
    if cache is not None:
        cache.rewind(before)
    return result


@mistake("hidden_forward", "hidden does without the cache: every chunk is read as a text of its own")
def hidden_without_the_cache(ids, params, config, *, cache=None, **options):
    return hidden_forward(ids, params, config, **options)
