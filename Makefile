# Each target sets up .venv by itself, and again only when the requirements change.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: demo test quick mutants lessons check-lessons filled-lessons bench lint

demo: $(READY)          ## text -> tokenizer -> GPT -> writing, beside honest baselines; 5 minutes
	$(PY) -m minigpt demo

test: export OMP_NUM_THREADS = 1
test: $(READY)          ## every test, a process for each core
	$(PY) -m pytest -n auto --dist worksteal

quick: export OMP_NUM_THREADS = 1
quick: $(READY)         ## the tests that are not slow
	$(PY) -m pytest -n auto --dist worksteal -m "not slow"

mutants: $(READY)       ## proof by mutation: breaks the NumPy versions line by line, and counts what their tests notice
	$(PY) tests/mutation.py

lessons: $(READY)       ## lessons/*.md -> notebooks/*.ipynb, executed
	$(PY) lessons/build.py

check-lessons: $(READY) ## executes every lesson elsewhere and fails if a notebook is stale
	$(PY) lessons/build.py --check

filled-lessons: $(READY) ## executes every lesson with a right answer in each exercise; half an hour, and no part of CI
	$(PY) lessons/build.py --filled

bench: $(READY)         ## speed, as ratios measured side by side in one run
	$(PY) -m minigpt bench

lint: $(READY)
	$(VENV)/bin/ruff check .

$(READY): requirements.txt pyproject.toml
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $(READY)
