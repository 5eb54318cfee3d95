"""What is said to a model, and as much of it as the model sees."""
import pytest

from minigpt.conversation import Conversation
from minigpt.errors import InputError


def template(messages):
    """An id for each character: r of the role, then the content."""
    return list("".join(f"{m['role'][0]}:{m['content']} " for m in messages) + "a:")


def said(ids):
    return "".join(ids)


def test_a_conversation_grows_by_question_and_answer():
    talk = Conversation(template, 100)
    assert said(talk.ask("hi")[0]) == "u:hi a:"
    talk.answered("ho")
    assert said(talk.ask("how")[0]) == "u:hi a:ho u:how a:"


def test_the_system_message_comes_first_and_may_change():
    talk = Conversation(template, 100, system="be kind")
    assert said(talk.ask("hi")[0]) == "s:be kind u:hi a:"
    talk.answered("ho")
    talk.system = None
    assert said(talk.ask("x")[0]) == "u:hi a:ho u:x a:"


def test_the_oldest_turns_go_when_the_context_is_full_and_the_system_message_stays():
    talk = Conversation(template, 40, system="kind")
    for k in range(3):
        _, dropped = talk.ask(f"q{k}")
        assert dropped == 0
        talk.answered(f"a{k}")
    ids, dropped = talk.ask("q3 longer")
    assert (said(ids), dropped) == ("s:kind u:q2 a:a2 u:q3 longer a:", 2)
    assert len(ids) <= 40
    assert talk.messages[0]["content"] == "q2"


def test_a_conversation_that_just_fits_loses_nothing():
    talk = Conversation(template, len("u:a a:b u:c a:"))
    talk.ask("a")
    talk.answered("b")
    assert talk.ask("c")[1] == 0
    talk.room -= 1
    talk.messages.pop()
    assert talk.ask("c")[1] == 1


def test_a_question_that_is_too_long_by_itself_is_refused_and_forgotten():
    talk = Conversation(template, 20)
    talk.ask("a")
    talk.answered("b")
    before = list(talk.messages)
    with pytest.raises(InputError, match="this and the system message are 26 tokens, and the model has room for 20"):
        talk.ask("x" * 21)
    assert talk.messages == before


def test_a_reset_forgets_all_but_the_system_message():
    talk = Conversation(template, 100, system="kind")
    talk.ask("a")
    talk.answered("b")
    talk.reset()
    assert said(talk.ask("c")[0]) == "s:kind u:c a:"
