"""Windows of a token stream: what a model is trained and judged on."""
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minigpt.data.batches import TokenBatches, token_stream, validation_batches
from minigpt.errors import InputError
from minigpt.tokenizer import CharTokenizer

IDS = np.arange(100, dtype=np.int32)


def test_a_stream_begins_every_document_with_the_end_of_a_text():
    tokenizer = CharTokenizer.train(["abc"])
    end, (a, b, c) = tokenizer.special_ids["<|endoftext|>"], tokenizer.encode("abc")
    assert token_stream(["ab", "c"], tokenizer).tolist() == [end, a, b, end, c]


def test_a_stream_makes_one_prediction_for_each_character_of_the_joined_text():
    documents = ["ab", "", "cab"]
    tokenizer = CharTokenizer.train(documents)
    assert len(token_stream(documents, tokenizer)) - 1 == len("\n".join(documents))


def test_a_stream_of_no_documents_is_empty():
    assert token_stream([], CharTokenizer.train(["a"])).tolist() == []


def test_the_windows_of_a_step_are_pieces_of_the_stream():
    (batch,) = TokenBatches(IDS, 8, 5, seed=0)(3)
    assert batch.shape == (5, 9)
    assert batch.dtype == torch.int64
    assert torch.equal(batch - batch[:, :1], torch.arange(9).expand(5, 9))


def test_the_windows_of_a_step_depend_on_seed_and_step_only():
    first = TokenBatches(IDS, 8, 5, seed=1)
    for step in range(7):
        first(step)
    assert torch.equal(first(7)[0], TokenBatches(IDS, 8, 5, seed=1)(7)[0])
    assert not torch.equal(first(7)[0], first(8)[0])
    assert not torch.equal(first(7)[0], TokenBatches(IDS, 8, 5, seed=2)(7)[0])


def test_accumulated_batches_are_the_big_batch_in_pieces():
    pieces = TokenBatches(IDS, 8, 2, seed=0, accumulation=3)(5)
    assert [len(piece) for piece in pieces] == [2, 2, 2]
    assert torch.equal(torch.cat(pieces), TokenBatches(IDS, 8, 6, seed=0)(5)[0])


def test_every_window_can_be_drawn_the_last_one_too():
    batches = TokenBatches(np.arange(4, dtype=np.int32), 2, 50, seed=0)
    assert set(batches(0)[0][:, 0].tolist()) == {0, 1}


def test_a_step_learns_to_predict_batch_times_accumulation_times_context_tokens():
    batches = TokenBatches(IDS, 8, 2, seed=0, accumulation=3)
    assert batches.tokens_per_step == 48 == sum(batch[:, 1:].numel() for batch in batches(0))


def test_a_stream_shorter_than_the_context_is_refused_with_the_largest_that_fits():
    with pytest.raises(InputError, match=r"has 10 tokens.*context_length=10, which takes 11.*--context-length 9 fits"):
        TokenBatches(IDS[:10], 10, 4, seed=0)
    assert TokenBatches(IDS[:10], 9, 4, seed=0)(0)[0].shape == (4, 10)


def test_a_stream_of_one_token_is_refused_without_bad_advice():
    with pytest.raises(InputError, match=r"has 1 tokens(?!.*--context-length)"):
        TokenBatches(IDS[:1], 10, 4, seed=0)


@given(n=st.integers(2, 60), context_length=st.integers(1, 20), batch_size=st.integers(1, 7))
def test_all_of_validation_predicts_every_token_but_the_first_once(n, context_length, batch_size):
    batches = validation_batches(IDS[:n], context_length, batch_size)
    assert torch.cat([batch[:, 1:].flatten() for batch in batches]).tolist() == list(range(1, n))
    assert max(map(len, batches)) <= batch_size


def test_a_sample_of_validation_is_the_same_every_time():
    first, again = (validation_batches(IDS, 4, 3, n_batches=2, seed=0) for _ in range(2))
    assert [len(batch) for batch in first] == [3, 3]
    assert all(map(torch.equal, first, again))


def test_a_sample_of_validation_predicts_no_token_twice():
    predicted = torch.cat(validation_batches(IDS, 4, 3, n_batches=4, seed=1))[:, 1:].flatten().tolist()
    assert len(set(predicted)) == len(predicted) == 48


def test_a_sample_larger_than_validation_is_all_of_it():
    sample, everything = validation_batches(IDS, 4, 3, n_batches=50), validation_batches(IDS, 4, 3)
    assert len(sample) == len(everything)
    assert all(map(torch.equal, sample, everything))


def test_a_validation_text_with_nothing_to_predict_is_refused():
    with pytest.raises(InputError, match="validation text has 1 tokens"):
        validation_batches(IDS[:1], 4, 3)
