"""The exercises of the lessons: what each asks for, and what it is worth."""
import ast
import inspect
import re
import tomllib
from dataclasses import dataclass, field, replace

from minigpt.commands.start import lesson_files
from minigpt.errors import InputError
from minigpt.listing import suggest

FIELDS = {"points", "minutes", "concept", "plays", "given", "through", "by_hand", "unstored", "then"}
BLOCKS = re.compile(r"^#+ ([^\n]*)$|^```python([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
IDENTITY = re.compile(r"\((\w+\.\d+)\)\s*$")


@dataclass(frozen=True)
class Exercise:
    """One exercise. functions: name of a function -> the role that it plays in the contract of the concept."""
    id: str
    title: str
    concept: str
    functions: dict
    stubs: dict = field(repr=False)     # name -> syntax tree of the stub; also of those of the lesson before it
    points: float = 10
    minutes: int = 15
    given: dict = field(default_factory=dict)
    through: str = ""
    by_hand: str = ""
    unstored: str = ""                  # why a release, which has no right answer, cannot judge it
    checked: str = ""                   # the concept of the check in the lesson, which may be another one
    then: str = ""                      # what a right answer makes possible

    @property
    def lesson(self):
        return self.id.partition(".")[0]

    @property
    def used(self):
        """Roles that must be there besides: the forward of a backward."""
        roles = set(self.functions.values())
        forwards = {f"{role.removesuffix('_backward')}_forward" for role in roles if role.endswith("_backward")}
        return sorted(forwards - roles)


def exercises(root):
    """All exercises, in the order of the lessons: {id: Exercise}.

    Raises InputError, which names it, for a row of the table without an exercise; and where there are no lessons.
    """
    lessons = lesson_files(root)
    table = tomllib.loads((root / "lessons" / "exercises.toml").read_text(encoding="utf-8"))
    found = {}
    for lesson, path in lessons.items():
        for exercise in _in_lesson(path.read_text(encoding="utf-8"), table):
            if exercise.id.partition(".")[0] != lesson:
                raise InputError(f"{path}: the exercise {exercise.id} is in the lesson {lesson}")
            judged = exercise.by_hand or not exercise.unstored or _has_contract(exercise.concept, root)
            found[exercise.id] = exercise if judged else replace(exercise, by_hand=exercise.unstored)
    if unknown := set(table) - set(found):
        raise InputError(f"lessons/exercises.toml: no lesson has the exercise {min(unknown)}")
    return found


def chosen(known, lessons=None, ids=None):
    """The exercises of these lessons, and these; all if neither is given. Raises InputError for an unknown name."""
    names = {exercise.lesson for exercise in known.values()}
    for name, there in [*((lesson, names) for lesson in lessons or []), *((id, set(known)) for id in ids or [])]:
        if name not in there:
            raise InputError(f"no exercises {name!r}; {suggest(name, sorted(there))}")
    wanted = [e for e in known.values() if e.lesson in (lessons or ()) or e.id in (ids or ())]
    return wanted if lessons or ids else list(known.values())


def _has_contract(concept, root):
    """Whether the contract of a concept is there as tests, and not, as in a release, as arrays or not at all."""
    tests = root / "tests"
    return (tests / f"test_{concept}.py").is_file() and not (tests / "stored" / f"{concept}.npz").is_file()


def _in_lesson(text, table):
    """The exercises of one lesson: each a heading that ends in (id), a stub, and a check."""
    title, stub, found = "", None, []
    for heading, tags, code in BLOCKS.findall(text):
        if heading:
            title, stub = heading, None
        elif "exercise" in tags and IDENTITY.search(title):
            stub = _functions(code)
        elif stub and (check := re.search(r"\bcheck\(\s*\"(\w+)\"", code)):
            earlier = found[-1].stubs if found else {}
            found.append(_exercise(title, check[1], stub, earlier, table))
            stub = None
    return found


def _exercise(title, concept, stubs, earlier, table):
    id = IDENTITY.search(title)[1]
    row = dict(table.get(id, {}))
    if unknown := set(row) - FIELDS:
        raise InputError(f"lessons/exercises.toml, {id}: {suggest(min(unknown), FIELDS)}")
    plays, checked, concept = row.pop("plays", {}), concept, row.pop("concept", concept)
    return Exercise(id, IDENTITY.sub("", title).strip(), concept, {name: plays.get(name, name) for name in stubs},
                    earlier | stubs, checked=checked, **row)


def _functions(code):
    lines = [line for line in code.splitlines() if not line.startswith("%%")]
    return {node.name: node for node in ast.parse("\n".join(lines)).body if isinstance(node, ast.FunctionDef)}


def signature(stub):
    """What inspect.signature would say of a stub: names and kinds of the parameters, without values."""
    kinds, args = inspect.Parameter, stub.args
    groups = [(args.posonlyargs, kinds.POSITIONAL_ONLY), (args.args, kinds.POSITIONAL_OR_KEYWORD),
              ([args.vararg] if args.vararg else [], kinds.VAR_POSITIONAL), (args.kwonlyargs, kinds.KEYWORD_ONLY),
              ([args.kwarg] if args.kwarg else [], kinds.VAR_KEYWORD)]
    return inspect.Signature([kinds(a.arg, kind) for group, kind in groups for a in group])


def is_unwritten(function, stub):
    """Whether a function is the stub still, word for word, or says nothing at all."""
    body = _body(function)
    empty = all(isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
                for node in function.body)
    return empty or body == _body(stub)


def _body(function):
    statements = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return [ast.dump(node) for node in statements]
