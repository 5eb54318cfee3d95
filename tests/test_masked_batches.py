"""The batches of an encoder: whole sentences, pairs, hidden tokens; and the same for the same seed and step."""
from itertools import pairwise

import pytest
import torch

from minigpt.data.masked_batches import MaskedBatches, segments
from minigpt.errors import InputError
from minigpt.wordpiece import WordPieceTokenizer

TEXTS = [" ".join(f"{name} has {n} apples." for n in ("one", "two", "three", "four", "five", "six"))
         for name in ("ann", "bob", "cleo")]
TOKENIZER = WordPieceTokenizer.train(TEXTS, 120)
SPECIAL = TOKENIZER.special_ids


def batches(texts=TEXTS, T=16, B=4, seed=0, **options):
    return MaskedBatches(texts, TOKENIZER, T, B, seed, **options)


def rows_of(made):
    """What stood in each row before tokens were hidden: lists without padding, in order."""
    rows = []
    for batch in made:
        whole = torch.where(batch.targets >= 0, batch.targets, batch.ids)
        rows += [ids[mask].tolist() for ids, mask in zip(whole, batch.key_mask, strict=True)]
    return rows


def same(a, b):
    return all(torch.equal(x, y) for one, other in zip(a, b, strict=True)
               for x, y in zip(one._parts(), other._parts(), strict=True) if x is not None)


@pytest.mark.parametrize("longest", [3, 7, 12, 1000])
def test_segments_are_the_text_and_no_longer_than_asked(longest):
    pieces = segments(TEXTS[0], TOKENIZER, longest)
    assert [i for piece in pieces for i in piece] == TOKENIZER.encode(TEXTS[0])
    assert max(map(len, pieces)) <= longest


def test_segments_end_where_sentences_end_if_these_are_short_enough():
    sentence = len(TOKENIZER.encode("ann has one apples."))
    pieces = segments(TEXTS[0], TOKENIZER, 3 * sentence)
    assert all(TOKENIZER.decode(piece).endswith(".") for piece in pieces)


def test_a_text_without_words_has_no_segments():
    assert segments(" \n\n ", TOKENIZER, 5) == []


@pytest.mark.parametrize("pairs", [False, True])
def test_again_with_another_seed_is_as_if_made_with_it(pairs):
    one, two = batches(pairs=pairs), batches(pairs=pairs, seed=2)
    before = one(3)
    assert same(one.again(2)(3), two(3))
    assert same(one(3), before)
    assert not same(one(3), two(3))


@pytest.mark.parametrize("pairs", [False, True])
def test_the_same_seed_and_step_give_the_same_batches_in_any_order(pairs):
    one, other = batches(pairs=pairs), batches(pairs=pairs)
    expected = [one(step) for step in range(6)]
    for step in (5, 0, 3):
        assert same(other(step), expected[step])


@pytest.mark.parametrize("pairs", [False, True])
def test_another_step_or_seed_gives_other_batches(pairs):
    made = batches(pairs=pairs)
    assert not torch.equal(made(0)[0].ids, made(1)[0].ids)
    assert not torch.equal(made(0)[0].ids, batches(seed=1, pairs=pairs)(0)[0].ids)


def test_each_epoch_reads_every_segment_once_and_hides_other_tokens():
    made = batches(B=1)
    n = len(rows_of(made.once()))
    first, second = ([made(step)[0] for step in range(n * k, n * k + n)] for k in (0, 1))
    assert sorted(rows_of(first)) == sorted(rows_of(second)) == sorted(rows_of(made.once()))
    assert rows_of(first) != rows_of(second)
    hidden = [sorted(batch.ids[batch.key_mask].tolist() for batch in epoch) for epoch in (first, second)]
    assert hidden[0] != hidden[1]


def test_a_row_is_cls_a_segment_and_sep():
    rows = rows_of(batches().once())
    assert {(row[0], row[-1]) for row in rows} == {(SPECIAL["[CLS]"], SPECIAL["[SEP]"])}
    assert max(map(len, rows)) <= 16
    assert {tuple(row[1:-1]) for row in rows} == {tuple(s) for text in TEXTS for s in segments(text, TOKENIZER, 14)}


def test_pairs_follow_each_other_where_the_label_says_so():
    made = batches(T=33, pairs=True)
    parts = [segments(text, TOKENIZER, 15) for text in TEXTS]
    following = {(tuple(a), tuple(b)) for document in parts for a, b in pairwise(document)}
    labels = []
    for step in range(40):
        [batch] = made(step)
        for row, types, label in zip(rows_of([batch]), batch.token_types, batch.labels, strict=True):
            n = row.index(SPECIAL["[SEP]"])
            assert types.tolist()[:len(row)] == [0] * (n + 1) + [1] * (len(row) - n - 1)
            pair = tuple(row[1:n]), tuple(row[n + 1:-1])
            assert (pair in following) == (label == 0)
            labels.append(int(label))
    assert 0.3 < sum(labels) / len(labels) < 0.7


def test_padding_is_neither_attended_nor_asked():
    for batch in batches(B=9).once():
        assert (batch.ids[~batch.key_mask] == SPECIAL["[PAD]"]).all()
        assert (batch.targets[~batch.key_mask] == -100).all()


def test_accumulation_cuts_the_rows_of_a_step_into_batches():
    made = batches(B=2, accumulation=3)(0)
    assert [len(batch.ids) for batch in made] == [2, 2, 2]
    assert rows_of(made) == rows_of(batches(B=6)(0))


def test_once_gives_each_place_once_and_always_the_same():
    made = batches(pairs=True)
    made(7)
    assert same(made.once(), batches(pairs=True).once())
    assert len(made.once(1)) == 1
    places = sum(len(document) - 1 for document in made.documents)
    assert sum(len(batch.labels) for batch in made.once()) == places > 4


def test_tokens_of_a_step_are_about_those_that_are_read():
    for pairs in (False, True):
        made = batches(pairs=pairs)
        read = [sum(int(batch.key_mask.sum()) for batch in made(step)) for step in range(60)]
        assert made.tokens_per_step == pytest.approx(sum(read) / len(read), rel=0.1)
        made._epoch = None                                 # it is asked for at every step: no row is counted again
        assert made.tokens_per_step > 0


def test_a_part_of_a_batch_is_the_same_part_of_each_of_its_tensors():
    [batch] = batches(pairs=True)(0)
    part = batch[:2, :5]
    assert torch.equal(part.targets, batch.targets[:2, :5])
    assert torch.equal(part.labels, batch.labels[:2])


def test_a_single_long_text_is_read_as_several():
    made = batches([" ".join(TEXTS)], T=33, pairs=True)
    assert len(made.documents) >= 2
    assert {0, 1} == {int(label) for step in range(9) for label in made(step)[0].labels}


@pytest.mark.parametrize(("texts", "options", "says"), [
    ([""], {}, "too little"), (TEXTS, {"T": 2}, "no room"), (TEXTS, {"T": 4, "pairs": True}, "no room"),
    (["ann has one."], {"pairs": True}, "--objective mlm"), (["ann.", "bob."], {"pairs": True}, "--objective mlm")])
def test_what_cannot_be_read_is_refused(texts, options, says):
    with pytest.raises(InputError, match=says):
        batches(texts, **options)
