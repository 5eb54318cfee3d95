"""BERT's joint loss: hidden tokens and next sentence at once."""
from collections import namedtuple

from minigpt.reference.masked_lm import masked_lm_backward, masked_lm_forward
from minigpt.reference.next_sentence import next_sentence_backward, next_sentence_forward

BertLossCache = namedtuple("BertLossCache", "tokens pairs")


def bert_loss_forward(token_logits, targets, pair_logits, labels, ignore_index=-100):
    """The sum of two means, one over the hidden tokens and one over the pairs.

        (1) loss = masked_lm(token_logits, targets) + next_sentence(pair_logits, labels)

    token_logits: (B, T, V); targets: (B, T), ignore_index where nothing is asked; pair_logits: (P, 2) of P pairs;
    labels: (P,), 0 = it follows, 1 = it does not.
    Returns loss: a number, nats; and the cache that bert_loss_backward needs.
    Raises ValueError for shapes that one of the two refuses.
    Source: Devlin et al. 2018, arXiv:1810.04805, appendix A.2.
    """
    tokens, tokens_cache = masked_lm_forward(token_logits, targets, ignore_index)                 # ()
    pairs, pairs_cache = next_sentence_forward(pair_logits, labels)               # ()
    return tokens + pairs, BertLossCache(tokens_cache, pairs_cache)               # ()  (1)


def bert_loss_backward(dy, cache):
    """Gradients of the loss with respect to both scores.

        (2) dtoken_logits = gradient of masked_lm for dy,  dpair_logits = gradient of next_sentence for dy

    dy: a number. Returns dtoken_logits: (B, T, V), dpair_logits: (P, 2).
    """
    return masked_lm_backward(dy, cache.tokens), next_sentence_backward(dy, cache.pairs)          # (2)
