"""Fine-tuning: a pre-trained model learns to classify texts, from few labelled ones.

    model = new_classifier(trunk, n_classes=3, method="lora")
    train(model, labelled_texts(), LabelledBatches(rows, labels, 32, seed=0), config)
    logits = logits_of(model, rows)
"""
from collections import namedtuple

import numpy as np
import torch
from torch import nn

from minigpt.calibration import calibration
from minigpt.classifier import Classifier
from minigpt.confusion_matrix import accuracy, confusion_matrix, macro_f1
from minigpt.cross_entropy import cross_entropy
from minigpt.data.labelled_batches import batches_in_order
from minigpt.evaluation import device_of
from minigpt.lora import add_lora
from minigpt.softmax import softmax
from minigpt.weighted_cross_entropy import weighted_cross_entropy

METHODS = {
    "head": "the pre-trained model stays as it is; a linear layer on top of it learns",
    "full": "the head learns first, then everything, at a small rate",
    "lora": "the pre-trained weights stay; the head learns first, then narrow layers beside some of them as well",
}
LORA_LAYERS = ("query", "value")

# matrix: (K,K), a row is a label; ece: expected calibration error
Scores = namedtuple("Scores", "accuracy macro_f1 ece matrix")


def new_classifier(trunk, n_classes, method, *, how=None, unit=False, rank=8, alpha=16, seed=0):
    """A Classifier on a Transformer, which it changes: what the method does not train has no gradient.

    method: one of METHODS. how: of pooling; None takes mean, and last if the trunk is causal. rank, alpha: of LoRA.
    unit: whether the head reads vectors of length 1.
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not one of {', '.join(METHODS)}")
    generator = torch.Generator().manual_seed(seed)
    how = how or ("last" if trunk.config.causal else "mean")
    if method == "lora":
        add_lora(trunk, rank, alpha, layers=LORA_LAYERS, generator=generator)
    else:
        trunk.requires_grad_(method == "full")
    model = Classifier(trunk, n_classes, how=how, unit=unit, generator=generator)
    return model.to(device_of(trunk))


def labelled_texts(weights=None):
    """The objective of a classifier: (model, batch) -> (mean loss in nats, number of texts).

    weights: (K,) of the classes, or None. batch: a LabelledBatch for a Classifier, or of a FeatureBatches for its head.
    """
    def objective(model, batch):
        device = device_of(model)
        ids, key_mask, labels = (x if x is None else x.to(device) for x in batch)
        logits = model(ids) if key_mask is None else model(ids, key_mask)
        if weights is None:
            return cross_entropy(logits, labels), len(labels)
        return weighted_cross_entropy(logits, labels, weights.to(device)), len(labels)

    objective.unit = "texts"
    return objective


@torch.no_grad()
def features_of(model, rows, *, batch_size=16, progress=None):
    """What the head of a Classifier reads: one vector a text, (N, C), on the CPU.

    progress: called with the number of texts done so far.
    """
    model.eval()
    z = torch.empty(len(rows), model.trunk.config.d_model)
    places, batches = batches_in_order(rows, batch_size=batch_size)
    done = 0
    for chosen, batch in zip(places, batches, strict=True):
        ids, key_mask, _ = (x if x is None else x.to(device_of(model)) for x in batch)
        z[chosen] = model.pooled(model.trunk.hidden(ids, key_mask), key_mask).float().cpu()       # (B,C)
        done += len(chosen)
        if progress:
            progress(done)
    return z


def logits_of(model, rows, **options):
    """The scores of the classes for each text, (N, K), on the CPU; options as in features_of."""
    z = features_of(model, rows, **options)
    with torch.no_grad():
        return model.head(z.to(device_of(model))).cpu()


def scores_of(logits, labels):
    """Scores of (N, K) logits for (N,) labels."""
    p, K = softmax(logits.double()), logits.shape[1]
    matrix = confusion_matrix(labels, logits.argmax(dim=1), K)
    return Scores(accuracy(matrix), macro_f1(matrix), calibration(p, labels), matrix)


class Head(nn.Module):
    """The head of a Classifier alone, under the names that it has there. Reads features of FeatureBatches."""

    def __init__(self, model):
        super().__init__()
        self.head = model.head

    def forward(self, z):
        """z: (B,C) features. Returns logits: (B,K)."""
        return self.head(z)


class FeatureBatches:
    """Like LabelledBatches, of vectors that were computed once: (N, C). Its batches are for the head alone."""

    def __init__(self, features, labels, batch_size, seed, accumulation=1):
        self.features, self.labels, self.seed, self.accumulation = features, labels, seed, accumulation
        self.batch_size = min(batch_size, len(features))
        self.per_round = -(-len(features) // self.batch_size)
        self.tokens_per_step = self.batch_size * accumulation

    def __call__(self, step):
        """The batches of a step: (vectors (B,C), None, labels (B,))."""
        return [self._batch(number) for number in range(step * self.accumulation, (step + 1) * self.accumulation)]

    def _batch(self, number):
        turn, place = divmod(number, self.per_round)
        order = np.random.default_rng([self.seed, turn]).permutation(len(self.features))
        chosen = torch.from_numpy(order[place * self.batch_size:(place + 1) * self.batch_size])
        return self.features[chosen], None, self.labels[chosen]
