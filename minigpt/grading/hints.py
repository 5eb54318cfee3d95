"""check.hint(): for an exercise, where to look, then how to go about it, then nearly the line."""
import functools
import inspect
import tomllib

from minigpt.errors import InputError
from minigpt.grading.exercises import exercises
from minigpt.grading.source import is_in
from minigpt.listing import ROOT, suggest

OURS = [ROOT / name for name in ("minigpt", "kernels", "tests")]


class Hint(str):
    """A text that a notebook shows as it is, without quotation marks."""
    __slots__ = ()
    __repr__ = str.__str__


class Asked:
    """What was checked in this session, and how many hints of each exercise were shown."""

    def __init__(self):
        self.checked, self.id, self.shown = False, None, {}

    def remember(self, exercise):
        """exercise: the one that was checked now; None for what is no exercise."""
        self.checked, self.id = True, exercise and exercise.id


session = Asked()


def hint(id=None):
    """The next of the three hints of an exercise: of the one named, as in check.hint("attention.2"), or checked last.

    Raises InputError if it has no hints, if nothing was checked yet, and where there are no lessons.
    """
    known = hints()
    if id is None:
        id = _last()
    if not isinstance(id, str) or id not in known:
        raise InputError(f"no hints for an exercise {id!r}; {suggest(str(id), known)}")
    session.remember(_known()[id])
    before = session.shown.get(id, 0)
    n = session.shown[id] = min(before + 1, len(known[id]))
    more = "That was the last one." if before == len(known[id]) else (
        "The next one says more: check.hint()" if n < len(known[id]) else "")
    return Hint("\n".join(filter(None, [f"{id}, hint {n} of {len(known[id])}: {known[id][n - 1]}", more])))


@functools.cache
def hints():
    """{id of an exercise: its three hints}. Raises InputError where there are no lessons."""
    known = _known()
    table = tomllib.loads((ROOT / "lessons" / "hints.toml").read_text(encoding="utf-8"))
    if unknown := set(table) - set(known):
        raise InputError(f"lessons/hints.toml: no lesson has the exercise {min(unknown)}")
    return {id: table[id] for id in known if id in table}


def candidates(concept, functions, unwritten=()):
    """The exercises that a check of these functions may be about, the likeliest first.

    Known by the names of the stubs, else by the roles that the functions play. Of several of a lesson it is the
    last one, unless an earlier one is not written yet. functions: {role: function}. unwritten: roles of stubs.
    """
    try:
        about = [e for e in _known().values() if concept in (e.concept, e.checked)]
    except InputError:                                 # the installed package, without lessons
        return []
    names = {name for f in functions.values() if not is_ours(f) for name in names_of(f)}
    whole = [e for e in about if set(e.functions.values()) <= set(functions)]
    fits = ([e for e in about if names & set(e.functions)] or [e for e in whole if _own_names(e)] or whole)
    waiting = [e for e in fits if set(unwritten) & {*e.functions, *e.functions.values()}]
    return waiting + [e for e in reversed(fits) if e not in waiting]


def offer(concept, functions, unwritten):
    """Remember what was checked; the line that offers a hint on it, or ""."""
    found = candidates(concept, functions, unwritten)
    session.remember(found[0] if found else None)
    return f"A hint on {found[0].id}: check.hint()" if found and found[0].id in hints() else ""


def done(concept, functions):
    """The exercises that functions which pass are answers to: with all that is asked for, and none of it ours."""
    found = candidates(concept, functions)
    return [e for e in found if e.lesson == found[0].lesson and _is_answered(e, functions)]


def _is_answered(exercise, functions):
    written = {role: f for role, f in functions.items() if not is_ours(f)}
    names = {name for f in written.values() for name in names_of(f)}
    if set(exercise.functions) <= names:
        return True
    roles = set(exercise.functions.values())
    return _own_names(exercise) and roles <= set(written) and all(
        getattr(written[role], "__name__", "") != "<lambda>" for role in roles)


def _own_names(exercise):
    """Whether its functions are called as the contract calls them."""
    return all(name == role for name, role in exercise.functions.items())


def names_of(function):
    """The name of a function, and of those that it wraps: a program inside its launch."""
    function = getattr(function, "fn", function)       # a kernel holds its function
    inside = [cell.cell_contents for cell in getattr(function, "__closure__", None) or () if _is_full(cell)]
    return {f.__name__ for f in (function, *inside) if inspect.isfunction(f)}


def is_ours(function):
    """Whether a function is one of the package's."""
    function = getattr(function, "fn", function)
    return any(is_in(where, function) for where in OURS)


def _is_full(cell):
    try:
        return cell.cell_contents is not None
    except ValueError:                                 # not assigned yet
        return False


def _last():
    if not session.checked:
        raise InputError('nothing was checked yet: run check(...) first, or name an exercise, as in '
                         'check.hint("attention.2")')
    if session.id is None:
        raise InputError('what was checked last is no exercise with hints; name one, as in check.hint("attention.2")')
    return session.id


@functools.cache
def _known():
    return exercises(ROOT)
