"""A conversation: what was said, and as much of it as the model can see."""
from minigpt.errors import InputError


class Conversation:
    """Messages of a user and a model, oldest first.

    template: messages -> ids, which end where the model's answer begins. room: the most of these ids; of a longer
    conversation the oldest questions go, each with its answer. system: who the model is to be.
    """

    def __init__(self, template, room, system=None):
        self.template, self.room, self.system = template, room, system
        self.messages = []                             # {"role": "user" or "assistant", "content": text}

    def ask(self, text):
        """(ids of the conversation with this question at its end, questions that were dropped for it).

        Raises InputError for a question that is too long by itself; it is then not part of the conversation.
        """
        turns, dropped = [*self.messages, {"role": "user", "content": text}], 0
        while len(ids := self._ids(turns[2 * dropped:])) > self.room:
            dropped += 1
            if 2 * dropped >= len(turns):
                raise InputError(f"this and the system message are {len(ids)} tokens, and the model has room for "
                                 f"{self.room}; write less")
        self.messages = turns[2 * dropped:]
        return ids, dropped

    def answered(self, text):
        """Add the answer, or what came of it, to the last question."""
        self.messages.append({"role": "assistant", "content": text})

    def take_back(self):
        """Forget the last question, which has no answer."""
        self.messages.pop()

    def reset(self):
        """Begin anew; the system message stays."""
        self.messages = []

    def _ids(self, turns):
        system = [{"role": "system", "content": self.system}] if self.system else []
        return self.template([*system, *turns])
