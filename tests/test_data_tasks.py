"""Tasks by name: how each source is read, that no text or group is in two parts, and drawing a few examples."""
# ruff: noqa: F811  (an imported fixture comes again as the name of an argument)
from collections import Counter

import pytest
from test_data_embedded import library  # noqa: F401

from minigpt.data import task_readers
from minigpt.data.fetch import Unavailable
from minigpt.data.labelled import class_sizes, same_words
from minigpt.data.task_sources import TASKS
from minigpt.data.tasks import few, load_task
from minigpt.errors import InputError

SIZES = {"r8": (5400, 2189), "sentiment-tweets": (2900, 300), "sentiment-movies": (9000, 1000),
         "sentiment-products": (2600, 250), "sentiment-editorials": (2600, 250), "chinese": (15000, 1700),
         "apple": (2400, 250), "airline": (12000, 1400)}   # at least: to learn from with validation, to be tested on


def parts(task):
    return [task.train, task.validation, task.test]


def assert_sound(task):
    """No text in two parts (nor twice in what is learnt from), and every class in every part."""
    inside = [{same_words(example.text) for example in part} for part in parts(task)]
    assert len(set.union(*inside)) == sum(map(len, inside))
    assert [len(texts) for texts in inside[:2]] == [len(task.train), len(task.validation)]
    for part in ("train", "validation", "test"):
        assert min(class_sizes(task, part).values()) > 0


@pytest.fixture
def ten_modules(library):
    """Ten public modules of 20 classes with two docstrings each, one of 19, and a private one of 40."""
    for m in range(10):
        for c in range(20):
            library(f"mod{m}/file{c}.py", f'class C{c}:\n "About Mod{m}Thing {m} {c}"\n'
                                          f' def f():\n  "How mod{(m + 1) % 10}.f does {m} {c}"\n')
    library("less.py", "".join(f'def f{i}():\n "less {i}"\n' for i in range(19)))
    library("_private.py", "".join(f'def f{i}():\n "private {i}"\n' for i in range(40)))


def test_docstrings_are_those_of_the_ten_public_modules_with_most_of_them(ten_modules):
    task = load_task("docstrings")
    assert task.labels == tuple(f"mod{m}" for m in range(10))
    assert Counter(example.label for part in parts(task) for example in part) == {m: 40 for m in range(10)}
    assert_sound(task)


def test_no_docstring_names_any_of_the_modules(ten_modules):
    texts = [example.text for part in parts(load_task("docstrings")) for example in part]
    assert not [text for text in texts if "mod" in text.lower()]
    assert {"About ___Thing 3 4", "How ___.f does 3 4"} <= set(texts)


def test_docstrings_of_one_class_are_in_one_part(ten_modules):
    places = [{tuple(example.text.split()[-2:]) for example in part} for part in parts(load_task("docstrings", seed=3))]
    assert sum(map(len, places)) == 200


def test_a_python_without_its_library_has_no_docstrings_task(library):
    library("one.py", '"""One."""\n')
    with pytest.raises(InputError, match="this Python has docstrings in 1 modules"):
        load_task("docstrings")


@pytest.mark.slow
def test_this_pythons_docstrings_make_a_sound_task():
    task = load_task("docstrings")
    assert len(task.labels) == 10
    assert len(task.train) > 2000
    assert_sound(task)


@pytest.fixture
def archive(monkeypatch):
    """Sets what the archive of every task holds."""
    def put(files):
        monkeypatch.setattr(task_readers, "fetch", lambda source: files)
    return put


def test_ratings_near_zero_are_left_out_and_an_article_stays_in_one_part(archive):
    lines = [f"{i // 4}_{i % 4}\t{(-1) ** i * 0.5 * (i % 3)}\ttext number {i} &amp; more" for i in range(240)]
    archive({"x": "\r\n".join(lines).encode()})
    task = load_task("sentiment-editorials")
    assert task.labels == ("negative", "positive")
    numbers = [{int(example.text.split()[2]): example.label for example in part} for part in parts(task)]
    assert {i: label for part in numbers for i, label in part.items()} == {
        i: int(i % 2 == 0) for i in range(240) if i % 3}
    assert sum(len({i // 4 for i in part}) for part in numbers) == 60
    assert "& more" in task.test[0].text
    assert "rated 0.5 or more" in task.note


def test_the_published_test_part_stays_and_nothing_of_it_is_learnt_from(archive):
    head = "Category\tText\nd\tstring\nclass\t\n"
    train = "".join(f"{label}\t{label} text {i}\n" for label in ("acq", "earn") for i in range(90))
    test = "".join(f"{label}\t{label} text {i}\n" for label in ("acq", "earn") for i in range(80, 100))
    archive({"r8-train.tab": (head + train).encode(), "r8-test.tab": (head + test).encode()})
    task = load_task("r8", seed=1)
    assert [len(part) for part in parts(task)] == [142, 18, 40]
    assert [example.text for example in task.test] == [example.text for example in load_task("r8").test]
    assert "dropped: 20 that the test part has; of 160 texts" in task.note
    assert_sound(task)


def test_chinese_reviews_get_their_class_from_their_file(archive):
    good, bad = "好一\n好二\n好一\n好三", "".join(f"坏{i}\n" for i in range(10))
    archive({"a/neg.txt": bad.encode(), "a/pos.txt": good.encode()})
    task = load_task("chinese")
    assert Counter((example.text[0], task.labels[example.label]) for part in parts(task) for example in part) == {
        ("坏", "negative"): 10, ("好", "positive"): 3}


@pytest.mark.parametrize(("tweet", "apple", "airline"), [
    ("My Apple is broken", 1, 0), ("$AAPL up", 1, 0), ("pineapple pie", 0, 0), ("apple at #SXSW", 0, 0),
    ("@united lost my bag", 0, 1), ("@JetBlue wifi on my apple phone", 0, 1), ("the deltas", 0, 0)])
def test_tweets_are_chosen_by_what_they_are_about(tweet, apple, airline):
    assert [task_readers.is_about(thing, tweet) for thing in ("apple", "airline")] == [apple, airline]


def test_tweets_come_from_the_table_with_their_sentiment(archive):
    lines = "".join(f'{feeling},1,"apple, {feeling} {i}"\n' for feeling in ("neutral", "positive") for i in range(5))
    archive({"x": f"sentiment,confidence,text\n{lines}positive,1,other\n".encode()})
    task = load_task("apple")
    assert task.labels == ("neutral", "positive")
    assert [len(part) for part in parts(task)] == [6, 2, 2]
    assert task.redistributable is False


def test_few_draws_so_many_of_each_class_and_says_where_a_class_has_fewer(archive):
    lines = "".join(f'{feeling},1,"apple {feeling} {i}"\n' for feeling, n in (("bad", 50), ("fine", 10))
                    for i in range(n))
    archive({"x": f"sentiment,confidence,text\n{lines}".encode()})
    task = load_task("apple")
    assert class_sizes(few(task, 4)) == {"bad": 4, "fine": 4}
    assert class_sizes(few(task, 16)) == {"bad": 16, "fine": 8}
    assert few(task, 16).note.endswith("; 16 training examples of each class, but fine has 8")
    assert few(task, 4).note.endswith("; 4 training examples of each class")
    assert set(few(task, 4, seed=5).train) < set(few(task, 7, seed=5).train) <= set(task.train)
    assert few(task, 4, seed=5).train != few(task, 4, seed=6).train
    assert few(task, 4).test == task.test
    with pytest.raises(InputError, match="per_class=0"):
        few(task, 0)


def test_an_unknown_task_suggests_the_nearest():
    with pytest.raises(InputError, match=r"unknown task 'docstring'; did you mean docstrings\?; or your own: a CSV"):
        load_task("docstring")


@pytest.mark.slow
@pytest.mark.download
@pytest.mark.parametrize("name", SIZES)
def test_a_fetched_task_is_sound(name, require_data):
    try:
        task = load_task(name)
    except Unavailable as error:
        require_data(error)
    assert_sound(task)
    assert len(task.train) + len(task.validation) >= SIZES[name][0]
    assert len(task.test) >= SIZES[name][1]


def test_every_fetched_task_is_tested():
    assert set(SIZES) == {name for name, source in TASKS.items() if not source.embedded}
