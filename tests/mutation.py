"""Proof by mutation: each small change of a reference must break the contract of its concept.

    python tests/mutation.py [CONCEPT ...]             the score of each file, and what survived as a diff

mutmut makes the mutants: all of a file side by side, of which an environment variable chooses one. By itself it begins
a session of pytest for each; the runner of contracts, in a forked process for each, takes a fraction of that time, runs
the reference alone, and writes no folder. What the tests of other concepts notice does not count.
"""
import collections
import importlib.machinery
import importlib.util
import inspect
import os
import pathlib
import signal
import sys
import time

ROOT = pathlib.Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ["OMP_NUM_THREADS"] = "1"                    # threads would not survive a fork

from mutmut.mutation.diff_apply import get_diff_for_mutant  # noqa: E402
from mutmut.mutation.file_mutation import mutate_file_contents  # noqa: E402
from mutmut.state import state  # noqa: E402

SECONDS = 20                                           # of computing; what takes longer counts as noticed
MUTATED = {path.stem: mutate_file_contents(str(path), path.read_text())
           for path in sorted((ROOT / "minigpt" / "reference").glob("[a-z]*.py"))}


class Loader(importlib.machinery.SourceFileLoader):
    """Loads a reference together with its mutants."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        room, _, concept = name.rpartition(".")
        if room == "minigpt.reference" and concept in MUTATED:
            file = str(ROOT / "minigpt" / "reference" / f"{concept}.py")
            return importlib.util.spec_from_file_location(name, file, loader=cls(name, file))

    def get_code(self, name):
        return compile(MUTATED[name.rpartition(".")[2]].code, self.path, "exec")


sys.meta_path.insert(0, Loader)

import kernels._backend  # noqa: E402, F401  before triton
from minigpt.grading.contract import _import_from_tests, _is_slow, _parameters, contract, run_test  # noqa: E402
from minigpt.grading.op import implementations  # noqa: E402


def cases_of(concept):
    """{name: function of op}: the contract, and tests of the concept that choose an implementation by themselves."""
    files = [path.stem for path in (ROOT / "tests").glob(f"test_{concept}*.py")] + ["test_refusals"]
    alone = [(name + suffix, lambda op, test=test, values=values: test(**values))
             for file in files for name, test in vars(_import_from_tests(file)).items()
             if name.startswith("test_") and not _is_slow(test)
             for suffix, values in _parameters(test) if set(inspect.signature(test).parameters) == set(values)]
    return dict(contract(concept) + alone)


def tests_by_function(concept, op):
    """{function: the tests that call it, the quickest first}; all of them hold before anything is changed."""
    os.environ["MUTANT_UNDER_TEST"] = "stats"
    found = collections.defaultdict(list)
    for name, case in cases_of(concept).items():
        state()._stats.clear()
        start, outcome = time.process_time(), run_test(name, case, op)
        assert outcome.status in ("passed", "skipped"), outcome
        for function in state()._stats:
            found[function].append((time.process_time() - start, name, case))
    return {function: [(name, case) for _, name, case in sorted(tests)] for function, tests in found.items()}


def is_noticed(mutant, tests, op):
    """Whether one of the tests fails under a mutant; they run in a process of their own."""
    child = os.fork()
    if child == 0:
        noticed = True
        try:
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            os.environ["MUTANT_UNDER_TEST"] = mutant
            noticed = any(run_test(name, case, op).status in ("failed", "crashed") for name, case in tests)
        finally:
            os._exit(noticed)
    return os.waitpid(child, 0)[1] != 0


def survivors(concept):
    """Mutants of a concept that none of its tests notices."""
    op, module = implementations(concept)[0], f"minigpt.reference.{concept}"
    tests = tests_by_function(concept, op)
    for name in MUTATED[concept].mutant_names:
        mutant = f"{module}.{name}"
        if not is_noticed(mutant, tests.get(mutant.partition("__mutmut_")[0], []), op):
            yield mutant


def main(concepts):
    """Print the score of each concept, and what survived."""
    killed = total = 0
    for concept in concepts or MUTATED:
        left, n = list(survivors(concept)), len(MUTATED[concept].mutant_names)
        killed, total = killed + n - len(left), total + n
        print(f"{concept}: {n - len(left)} of {n} noticed", flush=True)
        for mutant in left:
            diff = get_diff_for_mutant(mutant, MUTATED[concept].code, concept).splitlines()[2:]
            print("   ", mutant.rpartition(".x_")[2], *(line for line in diff if line[0] in "+-"), sep="\n        ")
    print(f"all: {killed} of {total} noticed, {killed / total:.1%}")


if __name__ == "__main__":
    main(sys.argv[1:])
