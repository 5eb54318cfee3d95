"""Which line of one version of a function stands beside which line of another, and beside which equation."""
import re
from collections import namedtuple
from difflib import SequenceMatcher

Equation = namedtuple("Equation", "step label text note")  # step: "" for one without a number
Line = namedtuple("Line", "code steps")
Block = namedtuple("Block", "equations pairs")             # pairs: (left line or None, right line or None)


def aligned(left, right):
    """Pair the lines of two twins, in order, so that the pairs resemble each other as much as possible."""
    best = {(i, j): (0.0, []) for i in range(len(left) + 1) for j in range(len(right) + 1) if not i * j}
    for i, a in enumerate(left, 1):
        for j, b in enumerate(right, 1):
            score, pairs = best[i - 1, j - 1]
            together = (score + _likeness(a, b), [*pairs, (i - 1, j - 1)])
            best[i, j] = max(together, best[i - 1, j], best[i, j - 1], key=lambda option: option[0])
    rows, i, j = [], 0, 0
    for p, q in [*best[len(left), len(right)][1], (len(left), len(right))]:
        rows += [(line, None) for line in left[i:p]] + [(None, line) for line in right[j:q]]
        rows += [(left[p], right[q])] if p < len(left) else []
        i, j = p + 1, q + 1
    return rows


def _likeness(a, b):
    if a.steps and b.steps and a.steps != b.steps:
        return -1.0
    first, second = (_skeleton(line.code) for line in (a, b))
    ratio = SequenceMatcher(None, first, second, autojunk=False).ratio()
    return ratio - 0.5 + 0.5 * bool(_opening(a.code) & _opening(b.code))


def _opening(code):
    """What a line begins with: the name assigned to, `return`, `if` ...; of a loop also the name that counts.

    A tile of x is x, as in a kernel; and a loop over programs stands beside the number of the program.
    """
    return set(re.match(r"\s*(?:tl\.|memory\.)?(for\b)?\s*(\w*?)(?:_tile)?(?!\w)", code).groups()) - {None}


def _skeleton(code):
    code = re.sub(r"\b(np|torch|tl|self|memory)\.|_forward|_backward|_tile\b|keepdims?=\w+", "", code.partition("#")[0])
    return re.sub(r"\s", "", code).replace("axis=", "dim=")


def cited(rows):
    """The numbers of the equations that these lines cite."""
    return {step for row in rows for line in row if line for step in line.steps}


def blocks(equations, rows):
    """Begin a block at each line that cites an equation; those that no line cites go with the next one."""
    known = cited(rows)
    first = next((at for at, equation in enumerate(equations) if equation.step), len(equations))
    if not known & {equation.step for equation in equations}:
        first = len(equations)
    found, waiting = [Block(equations[:first], [])], equations[first:]      # what has no number stands beside the `def`
    for row in rows:
        steps = cited([row])
        if here := [at for at, equation in enumerate(waiting) if equation.step in steps]:
            taken = [e for e in waiting[:here[-1] + 1] if e.step in steps or e.step not in known]
            found.append(Block(taken, []))
            waiting = [e for e in waiting if e not in taken]
        found[-1].pairs.append(row)
    found[-1].equations.extend(waiting)
    return found
