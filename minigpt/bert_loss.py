"""BERT's joint loss: hidden tokens and next sentence at once."""
from minigpt.masked_lm import masked_lm
from minigpt.next_sentence import next_sentence
from minigpt.swap import replaceable


@replaceable
def bert_loss(token_logits, targets, pair_logits, labels, ignore_index=-100):
    """The sum of two means, one over the hidden tokens and one over the pairs.

        (1) loss = masked_lm(token_logits, targets) + next_sentence(pair_logits, labels)

    token_logits: (B, T, V); targets: (B, T), ignore_index where nothing is asked; pair_logits: (P, 2) of P pairs;
    labels: (P,), 0 = it follows, 1 = it does not.
    Returns loss: a number, nats.
    Raises ValueError for shapes that one of the two refuses.
    Source: Devlin et al. 2018, arXiv:1810.04805, appendix A.2.
    """
    tokens = masked_lm(token_logits, targets, ignore_index)                       # ()
    pairs = next_sentence(pair_logits, labels)                                    # ()
    return tokens + pairs                                                         # ()  (1)
