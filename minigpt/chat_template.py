"""The chat template: what a model that answers reads, from messages of a conversation."""
from minigpt.errors import InputError

START, END = "<|im_start|>", "<|im_end|>"
ROLES = ("system", "user", "assistant")
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"    # SmolLM2's, where there is none


def chat_ids(tokenizer, messages, *, answer=True, system=SYSTEM):
    """Token ids of a conversation, as SmolLM2 was trained to read it; this layout is called ChatML.

        <|im_start|>ROLE, a new line, CONTENT<|im_end|>, a new line        for each message
        <|im_start|>assistant, a new line                                  if it is to answer now

    The two marks are special tokens. A content that merely spells them is text: nobody who only writes can end a
    message, or speak as somebody else.
    messages: list of {"role": "system", "user" or "assistant", "content": text}.
    answer: whether the assistant speaks next. system: the message that comes first where the conversation begins with
    none; "" for none. Returns a list of ids.
    Raises InputError for messages that are not such, and for a tokenizer without the two marks.
    Source: the template in SmolLM2-135M-Instruct's own file, tokenizer.chat_template.
    """
    start, end = (_special(tokenizer, mark) for mark in (START, END))
    messages = list(map(_checked, messages))
    if not messages:
        raise InputError("there are no messages; give at least one, of role user")
    if system and messages[0][0] != "system":
        messages = [("system", system), *messages]
    line = tokenizer.encode("\n")
    ids = [i for role, content in messages for i in (start, *tokenizer.encode(f"{role}\n{content}"), end, *line)]
    return ids + ([start, *tokenizer.encode("assistant\n")] if answer else [])


def answers(tokenizer):
    """Whether a tokenizer has the marks of a conversation."""
    return {START, END} <= tokenizer.special_ids.keys()


def end_ids(tokenizer):
    """Ids after which an answer is complete: that of <|im_end|>, and that of <|endoftext|>, if there are such."""
    return tuple(tokenizer.special_ids[mark] for mark in (END, "<|endoftext|>") if mark in tokenizer.special_ids)


def _special(tokenizer, mark):
    if mark not in tokenizer.special_ids:
        raise InputError(f"this model knows no {mark}: it was not trained to chat; let it continue a text instead")
    return tokenizer.special_ids[mark]


def _checked(message):
    """(role, content) of a message."""
    if not isinstance(message, dict) or not isinstance(message.get("content"), str):
        raise InputError(f'a message is {{"role": "user", "content": "a text"}}, not {message!r:.100}')
    if message.get("role") not in ROLES:
        raise InputError(f"role {message.get('role')!r:.60} is not one of {', '.join(ROLES)}")
    return message["role"], message["content"]
