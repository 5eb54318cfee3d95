"""The objectives of an encoder: what they cost, what they leave out, and how guesses are counted."""
import math
from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch
from test_masked_batches import TEXTS, TOKENIZER, batches

import minigpt
from minigpt.bert_loss import bert_loss
from minigpt.classifier import Classifier
from minigpt.config import preset
from minigpt.data.masked_batches import MaskedBatch
from minigpt.masked_lm import masked_lm
from minigpt.next_sentence import next_sentence
from minigpt.objectives import judge, masked_tokens, masked_tokens_and_next_sentence, wilson_interval
from minigpt.swap import implementation, original
from minigpt.transformer import Transformer

SIZE = {"vocab_size": TOKENIZER.vocab_size, "context_length": 33, "n_layer": 1, "n_head": 2, "d_model": 16}
PAIR = batches(TEXTS, T=33, B=6, pairs=True)(0)[0]


def encoder():
    generator = torch.Generator().manual_seed(0)
    trunk = Transformer(preset("bert-nano", **SIZE), generator=generator)
    return Classifier(trunk, 2, how="first", generator=generator).double()


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return [None if p.grad is None else p.grad.clone() for p in model.parameters()]


@pytest.mark.parametrize("name", ["math", "fused"])
def test_the_output_layer_at_hidden_places_only_gives_the_loss_and_gradient_of_all_places(name):
    model = encoder()
    with minigpt.use(**implementation(name)):
        loss, n = masked_tokens(model, PAIR)
        whole = masked_lm(model.trunk(PAIR.ids, PAIR.key_mask, PAIR.token_types), PAIR.targets)
        assert n == int((PAIR.targets >= 0).sum()) > 0
        torch.testing.assert_close(loss, whole)
        for few, all_ in zip(gradients(model.trunk, loss), gradients(model.trunk, whole), strict=True):
            torch.testing.assert_close(few, all_)


@pytest.mark.parametrize("name", ["math", "fused"])
def test_the_joint_loss_is_the_sum_of_the_two_means(name):
    model = encoder()
    with minigpt.use(**implementation(name)):
        loss, n = masked_tokens_and_next_sentence(model, PAIR)
    hidden, n_hidden = masked_tokens(model, PAIR)
    scores = model(PAIR.ids, PAIR.key_mask, PAIR.token_types)
    torch.testing.assert_close(loss, hidden + next_sentence(scores, PAIR.labels))
    assert n == n_hidden


def test_a_model_that_knows_nothing_pays_log_v_and_log_2():
    model = encoder()
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    assert masked_tokens_and_next_sentence(model, PAIR)[0].item() == pytest.approx(
        math.log(TOKENIZER.vocab_size) + math.log(2))


def test_padding_changes_nothing():
    def wider(x, value):
        return torch.nn.functional.pad(x, (0, 3), value=value)

    model = encoder()
    bare = PAIR[:, :30]
    padded = MaskedBatch(wider(bare.ids, 7), wider(bare.targets, -100), wider(bare.key_mask, False),
                         wider(bare.token_types, 1), bare.labels)
    torch.testing.assert_close(masked_tokens_and_next_sentence(model, padded),
                               masked_tokens_and_next_sentence(model, bare))


def test_the_objectives_call_the_functions_that_a_reader_can_replace():
    calls = []

    def noted(name, function):
        def note(*args, **kwargs):
            calls.append(name)
            return function(*args, **kwargs)
        return note

    functions = {"bert_loss": bert_loss, "masked_lm": masked_lm, "next_sentence": next_sentence}
    with minigpt.use(**{name: noted(name, function) for name, function in functions.items()}):
        masked_tokens_and_next_sentence(encoder(), PAIR)
    assert calls == list(functions)


@pytest.mark.skipif(find_spec("triton") is None, reason="Triton is for Linux")
@pytest.mark.parametrize("yours", [bert_loss, masked_lm], ids=lambda yours: yours.__name__)
def test_a_kernel_that_has_no_place_for_your_loss_gives_way(yours):
    from kernels.linear_cross_entropy import linear_cross_entropy
    called = []

    def mine(*args, **options):
        called.append(args)
        return original(yours.__name__)(*args, **options)

    with minigpt.use(linear_cross_entropy=linear_cross_entropy), minigpt.use(**{yours.__name__: mine}):
        masked_tokens_and_next_sentence(encoder(), PAIR)
    assert len(called) == 1


def test_guesses_that_are_right_are_counted():
    model = encoder()
    answer = int(PAIR.targets[PAIR.hidden][0])
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
        model.trunk.blocks[0].feed_forward_norm.bias[0] = 1.0      # every place says: answer
        model.trunk.token_embedding.weight[answer, 0] = 1.0
        model.head.bias[1] = 1.0                                   # every pair: it does not follow
    judged = judge(model, masked_tokens_and_next_sentence, [PAIR, PAIR])
    gone = PAIR.targets[(PAIR.targets >= 0) & (PAIR.targets != PAIR.ids)]
    assert judged.tokens == 2 * len(gone)
    assert judged.tokens_right == 2 * int((gone == answer).sum()) > 0
    assert (judged.pairs, judged.pairs_right) == (2 * len(PAIR.labels), 2 * int(PAIR.labels.sum()))


def test_copying_what_stands_there_is_no_guess():
    shown = replace(PAIR, ids=torch.where(PAIR.targets >= 0, PAIR.targets, PAIR.ids))
    assert judge(encoder(), masked_tokens, [shown]).tokens == 0


def test_a_batch_in_which_nothing_is_hidden_costs_nothing():
    bare = PAIR[:, :1]                                 # [CLS] alone
    loss, n = masked_tokens(encoder(), bare)
    assert (loss.item(), n) == (0.0, 0)


@pytest.mark.parametrize(("right", "n", "low", "high"), [
    (5, 10, 0.2366, 0.7634), (0, 10, 0.0, 0.2775), (20, 20, 0.8389, 1.0)])
def test_wilsons_interval_is_that_of_the_tables(right, n, low, high):
    assert wilson_interval(right, n) == pytest.approx((low, high), abs=2e-4)
