"""The contract of the exercise data.5: its answer is not in the package."""
import hypothesis
import hypothesis.strategies as st

from minigpt.grading.compare import Mismatch

LEARNED = [["to", "be", "or", "not", "to", "be"], ["that", "is", "the", "question"], ["be"]]
TEXTS = st.lists(st.lists(st.sampled_from(["a", "b", "ab"]), max_size=6), max_size=4)


def assert_equal(got, expected, what):
    got = list(got) if isinstance(got, tuple) else got
    if got != expected:
        raise Mismatch(f"{what}: expected {expected!r:.200}, got {got!r:.200}", what, got, expected)


def found(op, held_out, n, learned=None):
    return op.call("contaminated", [text.split() for text in held_out], LEARNED if learned is None else learned, n)


def test_a_worked_example(op):
    # "or not to" is learned; "not to that" is not; "is the question" is, at the end of both
    assert_equal(found(op, ["whether or not to go", "not to that", "where is the question"], 3), [True, False, True],
                 "contaminated, runs of 3")


def test_there_is_one_answer_for_each_text_true_or_false(op):
    got = found(op, ["to be or", "nothing of it", "to be or not to be that"], 3)
    assert_equal([type(answer) is bool for answer in got], [True] * 3, "types of the answers")


def test_a_run_does_not_reach_from_one_text_into_the_next(op):
    assert_equal(found(op, ["to be that is"], 3), [False], "the end of one learned text and the beginning of the next")


def test_the_order_of_the_words_counts(op):
    assert_equal(found(op, ["not or be to"], 3), [False], "the words of a run in another order")


def test_the_first_and_the_last_run_count(op):
    assert_equal(found(op, ["to be or x y z", "x y z not to be"], 3), [True, True], "runs at either end")


def test_a_short_text_that_is_all_of_a_learned_one_counts(op):
    assert_equal(found(op, ["that is the question"], 9), [True], "the same text, shorter than n")


def test_a_shorter_text_counts_if_all_of_it_stands_in_a_learned_text(op):
    assert_equal(found(op, ["to be", "the question", "to question", "be or not to be"], 5),
                 [True, True, False, True], "texts shorter than n")


def test_a_text_without_words_is_not_contaminated_and_nothing_is_without_learned_texts(op):
    assert_equal(found(op, ["", "to be"], 2), [False, True], "a text without words")
    assert_equal(found(op, ["to be", ""], 2, learned=[]), [False, False], "nothing learned")
    assert_equal(found(op, [], 2), [], "no texts")


def test_words_are_whole(op):
    assert_equal(found(op, ["ab c d"], 3, learned=[["a", "bc", "d"], ["abc", "d", "x"]]), [False],
                 "other words, same letters")


@hypothesis.given(TEXTS, TEXTS, st.integers(1, 4))
def test_any_texts_agree_with_looking_everywhere(op, held_out, learned, n):
    def stands_in(run, text):
        return any(text[i:i + len(run)] == run for i in range(len(text) - len(run) + 1))

    expected = []
    for text in held_out:
        m = min(n, len(text))
        runs = [text[i:i + m] for i in range(len(text) - m + 1)] if m else []
        expected.append(any(stands_in(run, other) for run in runs for other in learned))
    assert_equal(list(op.call("contaminated", held_out, learned, n)), expected, f"contaminated, runs of {n}")


def test_the_texts_are_left_as_they_are(op):
    held_out = [["to", "be"], ["x"]]
    before = [list(text) for text in held_out]
    op.call("contaminated", held_out, LEARNED, 2)
    assert_equal(held_out, before, "the held-out texts, afterwards")
