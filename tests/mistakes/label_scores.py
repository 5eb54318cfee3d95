"""Wrong answers to label_scores."""
import numpy as np

from minigpt.reference.label_scores import label_scores
from mistakes import mistake


@mistake("label_scores", "the length of the labels is forgotten: the longer, the less likely (equation 1)")
def length_forgotten(nats, lengths, neutral=None):
    label_scores(nats, lengths, neutral)
    return label_scores(nats, np.ones_like(lengths), neutral)


@mistake("label_scores", "the log-probability is multiplied by the length; divide (equation 1)")
def times_the_length(nats, lengths, neutral=None):
    return label_scores(nats * lengths**2, lengths, None if neutral is None else neutral * lengths**2)


@mistake("label_scores", "the neutral prompt is ignored (equation 2)")
def neutral_ignored(nats, lengths, neutral=None):
    label_scores(nats, lengths, neutral)
    return label_scores(nats, lengths)


@mistake("label_scores", "what the neutral prompt says is added; subtract it (equation 2)")
def neutral_added(nats, lengths, neutral=None):
    label_scores(nats, lengths, neutral)
    return label_scores(nats if neutral is None else nats + neutral, lengths)


@mistake("label_scores", "the neutral log-probability is not divided by the length of its label (equation 2)")
def neutral_not_per_token(nats, lengths, neutral=None):
    return label_scores(nats, lengths, None if neutral is None else neutral * np.maximum(lengths, 1))


@mistake("label_scores", "the scores are not made probabilities that sum to 1 (equation 3)")
def not_normalised(nats, lengths, neutral=None):
    label_scores(nats, lengths, neutral)
    return np.exp((nats - (0 if neutral is None else neutral)) / lengths).astype(nats.dtype)


@mistake("label_scores", "log-probabilities are exponentiated as they are, so that very small ones give NaN")
def overflowing(nats, lengths, neutral=None):
    y = not_normalised_of(nats, lengths, neutral)
    with np.errstate(all="ignore"):
        return y / y.sum(axis=-1, keepdims=True)


def not_normalised_of(nats, lengths, neutral):
    label_scores(nats, lengths, neutral)
    return np.exp((nats - (0 if neutral is None else neutral)) / lengths).astype(nats.dtype)


@mistake("label_scores", "the softmax runs over the rows; the labels, along the last axis, compete (equation 3)")
def wrong_axis(nats, lengths, neutral=None):
    y = not_normalised_of(nats, lengths, neutral)
    return y / y.sum(axis=0, keepdims=True)


@mistake("label_scores", "the inputs are written over: an input must be left as it was")
def writes_into_the_input(nats, lengths, neutral=None):
    p = label_scores(nats, lengths, neutral)
    nats /= lengths
    return p


@mistake("label_scores", "what is no log-probability is let through")
def anything_is_let_through(nats, lengths, neutral=None):
    return label_scores(np.minimum(np.nan_to_num(nats), 0), lengths, neutral)
