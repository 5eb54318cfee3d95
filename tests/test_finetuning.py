"""Fine-tuning: what learns with each method, batches, features that are kept, early stopping, simple baselines."""
import numpy as np
import pytest
import torch

from minigpt.classification_baselines import baselines
from minigpt.config import TrainConfig, preset
from minigpt.data.labelled import Example, Task
from minigpt.data.labelled_batches import LabelledBatches, batches_in_order, padded, text_rows
from minigpt.early_stopping import EarlyStopping, learned
from minigpt.finetuning import FeatureBatches, features_of, labelled_texts, logits_of, new_classifier, scores_of
from minigpt.tokenizer import BPETokenizer, WordPieceTokenizer
from minigpt.training import train
from minigpt.transformer import Transformer

SIZE = {"vocab_size": 40, "n_layer": 2, "n_head": 2, "d_model": 16, "context_length": 24}
RNG = np.random.default_rng(0)
ROWS = [[2, *RNG.integers(5, 40, size=n).tolist(), 3] for n in RNG.integers(1, 20, size=37)]
LABELS = [i % 3 for i in range(37)]


def new_trunk(name="bert-nano"):
    return Transformer(preset(name, **SIZE), generator=torch.Generator().manual_seed(0))


def task_of(train, test, labels=("a", "b")):
    return Task("mine", labels, train, [], test, "", "", "yours", False)


@pytest.mark.parametrize(("method", "some"), [("head", {"head.weight", "head.bias"}), ("lora", {
    "head.weight", "head.bias", *(f"trunk.blocks.{i}.attention.{part}.lora_{m}" for i in range(2)
                                  for part in ("query", "value") for m in "ab")})])
def test_with_a_frozen_trunk_these_learn(method, some):
    assert set(learned(new_classifier(new_trunk(), 3, method))) == some


def test_with_full_everything_learns():
    model = new_classifier(new_trunk(), 3, "full")
    assert set(learned(model)) == set(dict(model.named_parameters()))


@pytest.mark.parametrize(("name", "how"), [("bert-nano", "mean"), ("gpt2-nano", "last"), ("llama", "last")])
def test_an_encoder_is_read_by_its_mean_and_a_causal_model_at_its_last_token(name, how):
    assert new_classifier(new_trunk(name), 2, "head").how == how


def test_another_method_is_refused():
    with pytest.raises(ValueError, match="method='top' is not one of head, full, lora"):
        new_classifier(new_trunk(), 2, "top")


@pytest.mark.parametrize("method", ["head", "lora", "full"])
def test_training_changes_what_learns_and_nothing_else(method):
    model = new_classifier(new_trunk(), 3, method)
    before, names = {name: p.clone() for name, p in model.state_dict().items()}, set(learned(model))
    batches = LabelledBatches(ROWS, LABELS, 8, seed=0)
    train(model, labelled_texts(), batches, TrainConfig(steps=2, lr=0.1), progress=False)
    changed = {name for name, p in model.state_dict().items() if not torch.equal(p, before[name])}
    unused = {name for name in names if name.startswith("trunk.token_type_embedding")}
    assert changed >= names - unused - {name for name in names if "key.bias" in name}
    assert changed <= names


@pytest.mark.parametrize("name", ["bert-nano", "gpt2-nano"])
def test_the_scores_of_a_text_do_not_depend_on_what_it_is_padded_with(name):
    model = new_classifier(new_trunk(name), 3, "head").eval()
    with torch.no_grad():
        alone = torch.cat([model(torch.tensor([row])) for row in ROWS[:9]])
    assert torch.allclose(logits_of(model, ROWS[:9], batch_size=5), alone, atol=1e-5)


def test_the_head_learns_the_same_from_kept_features_as_through_the_frozen_trunk():
    def after(module, batches, model):
        train(module, labelled_texts(), batches, TrainConfig(steps=6, lr=0.05, clip=0.0), progress=False)
        return model.head.weight
    model = new_classifier(new_trunk(), 3, "head")
    batches = FeatureBatches(features_of(model, ROWS), torch.tensor(LABELS), 37, seed=0)
    through = after(model, LabelledBatches(ROWS, LABELS, 37, seed=0), model)
    other = new_classifier(new_trunk(), 3, "head")
    head = torch.nn.ModuleDict({"head": other.head})
    head.forward = other.head.forward
    assert torch.allclose(after(head, batches, other), through, atol=1e-5)


def test_each_row_comes_once_a_round_with_its_label():
    batches = LabelledBatches(ROWS, LABELS, 8, seed=1)
    seen = [(tuple(ids[:int(n)].tolist()), int(label)) for step in range(batches.per_round)
            for batch in batches(step) for ids, n, label in zip(batch.ids, lengths(batch), batch.labels, strict=True)]
    assert sorted(seen) == sorted((tuple(row), label) for row, label in zip(ROWS, LABELS, strict=True))


def lengths(batch):
    return torch.full((len(batch.ids),), batch.ids.shape[1]) if batch.key_mask is None else batch.key_mask.sum(dim=1)


def test_a_step_has_the_same_batch_whatever_was_asked_before():
    one, other = (LabelledBatches(ROWS, LABELS, 8, seed=1) for _ in range(2))
    [first], _ = one(7), [other(step) for step in (0, 3, 12)]
    assert torch.equal(first.ids, other(7)[0].ids)
    assert not torch.equal(first.labels, LabelledBatches(ROWS, LABELS, 8, seed=2)(7)[0].labels)


def test_rows_of_like_length_share_a_batch():
    rows = [[1] * n for n in RNG.permutation(np.arange(1, 129))]
    padding = [batch.ids.numel() - int(lengths(batch).sum())
               for step in range(16) for batch in LabelledBatches(rows, [0] * 128, 8, seed=0)(step)]
    assert sum(padding) <= 16 * 8 * 7 / 2              # within a batch of 8 neighbours: 0 + 1 + ... + 7 at most


def test_batches_to_judge_on_hold_each_row_once_and_say_which():
    places, batches = batches_in_order(ROWS, LABELS, batch_size=5)
    assert sorted(i for chosen in places for i in chosen) == list(range(37))
    for chosen, batch in zip(places, batches, strict=True):
        assert batch.labels.tolist() == [LABELS[i] for i in chosen]


def test_there_is_a_mask_only_where_there_is_padding():
    assert padded([[1, 2], [3, 4]], [0, 1]).key_mask is None
    assert padded([[1, 2], [3]], [0, 1]).key_mask.tolist() == [[True, True], [True, False]]


def test_a_text_is_read_as_the_model_learned_to_read_it_and_is_cut_off():
    wordpiece, bpe = WordPieceTokenizer.train(["a cow a cow"], 40), BPETokenizer.train(["a cow a cow"], 300)
    [row] = text_rows(["a cow a cow a cow"], wordpiece, 5)
    assert (row[0], row[-1], len(row)) == (wordpiece.special_ids["[CLS]"], wordpiece.special_ids["[SEP]"], 5)
    [row] = text_rows(["a cow"], bpe, 99)
    assert bpe.decode(row) == "<|endoftext|>a cow"


def test_class_weights_weigh_the_loss():
    model, batch = new_classifier(new_trunk(), 3, "head"), padded(ROWS[:9], LABELS[:9])
    weights = torch.tensor([1.0, 5.0, 0.0])
    with torch.no_grad():
        loss, n = labelled_texts(weights)(model, batch)
        judge = torch.nn.functional.cross_entropy(model(batch.ids, batch.key_mask), batch.labels, weights)
    assert (float(loss), n) == (pytest.approx(float(judge), abs=1e-6), 9)


class Watched(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(1))


def test_early_stopping_keeps_the_best_and_stops_after_so_many_that_are_not_better():
    model, stopping, stopped = Watched(), EarlyStopping(patience=2), []
    for step, loss in enumerate([3.0, 1.0, 2.0, 0.5, 0.6, 0.7]):
        model.w.data.fill_(step)
        stopping.see({"step": step, "val_loss": loss}, model)
        stopped.append(stopping.stopped)
    assert stopped == [False] * 5 + [True]
    stopping.restore(model)
    assert (model.w.item(), stopping.step, stopping.best) == (3.0, 3, 0.5)


def test_early_stopping_goes_on_where_it_was_kept():
    model, stopping, again = Watched(), EarlyStopping(patience=2), EarlyStopping(patience=2)
    for step, loss in enumerate([1.0, 2.0]):
        stopping.see({"step": step, "val_loss": loss}, model)
    again.load_state(stopping.state())
    assert not again.stopped
    again.see({"step": 2, "val_loss": 3.0}, model)
    assert (again.stopped, again.step) == (True, 0)


def test_without_patience_or_without_validation_nothing_stops():
    patient, blind = EarlyStopping(0), EarlyStopping(1)
    for step in range(5):
        patient.see({"step": step, "val_loss": 1.0 + step}, Watched())
        blind.see({"step": step, "val_loss": None}, Watched())
    assert not patient.stopped
    assert not blind.stopped
    assert blind.weights == {}


def test_scores_count_what_was_taken_for_what():
    logits = torch.tensor([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 0.0]])
    scores = scores_of(logits, torch.tensor([0, 1, 0, 1]))
    assert scores.accuracy == 0.75
    assert scores.matrix.tolist() == [[2, 0], [1, 1]]


@pytest.mark.slow
def test_the_simple_classifiers_learn_words_and_the_majority_does_not():
    def texts(n):
        return [Example(f"text {i} is {'good' if i % 3 else 'bad'}", int(i % 3 > 0)) for i in range(n)]
    found = {b.name: b for b in baselines(task_of(texts(60), texts(30)))}
    assert found["majority"].accuracy == pytest.approx(20 / 30)
    assert found["majority"].ece == pytest.approx(0, abs=1e-9)
    words = [b for name, b in found.items() if name.startswith("TF-IDF")]
    assert len(words) == 3
    assert all(b.accuracy == 1 for b in words)


@pytest.mark.slow
def test_a_script_without_spaces_is_cut_into_characters():
    def texts(n):
        return [Example(f"这个{'好' if i % 2 else '坏'}东西{'一二三四'[i % 4]}", i % 2) for i in range(n)]
    assert all(b.accuracy == 1 for b in baselines(task_of(texts(40), texts(20))) if b.name.startswith("TF-IDF"))
