"""The page at /, in a real browser: it writes, streams, stops, shows the probabilities, and works by keyboard."""
import pathlib
import re

import pytest
from judges import needed
from served import NAME, ask, held, tiny

from minigpt.server.running import in_background

CHROMIUM = pathlib.Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def browser():
    needed("playwright")
    from playwright.sync_api import sync_playwright
    if not CHROMIUM.exists():
        needed("chromium")                             # skips, or fails where everything was to run
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def served():
    return tiny(ascii_only=True)


@pytest.fixture(scope="module")
def url(served):
    with in_background(served) as url:
        yield url


@pytest.fixture
def page(browser, url):
    """The page, ready; at the end it must have complained about nothing."""
    page, complaints = browser.new_page(viewport={"width": 1180, "height": 800}), []
    page.set_default_timeout(10_000)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if "400" not in message.text else None)
    page.on("request", lambda request: complaints.append(request.url) if not request.url.startswith(url) and
            not request.url.startswith("data:") else None)
    page.goto(url)
    page.wait_for_selector("#about:has-text('sees 160 tokens')")
    yield page
    page.close()
    assert complaints == []


def write(page, text, tokens="12", temperature="0"):
    """Let the page continue a text, to the end."""
    page.click("#tab-text")
    page.fill("#prompt", text)
    page.fill("#max-tokens", tokens)
    page.fill("#temperature", temperature)
    page.click("#go")
    page.wait_for_selector("#status:has-text('tokens')")


def completion(url, text, **options):
    body = {"model": NAME, "prompt": text, "max_tokens": 12, "temperature": 0, "logprobs": 10} | options
    return ask(url, "/v1/completions", body)[2]["choices"][0]


@pytest.mark.slow
def test_it_writes_what_the_model_writes(page, url):
    write(page, "the moon")
    assert page.inner_text("#output .given") == "the moon"
    assert page.text_content("#output .said") == "the moon" + completion(url, "the moon")["text"]
    assert re.match(r"12 tokens, \d+ tokens/s; the limit of tokens is reached", page.inner_text("#status"))


@pytest.mark.slow
def test_pointing_at_a_token_shows_the_alternatives_with_their_probabilities(page, url):
    write(page, "the moon")
    page.hover(".token >> nth=2")
    shown = page.eval_on_selector_all("#bars li", """items => items.map(item => [
        item.querySelector('code').textContent, item.querySelector('.percent').textContent,
        item.querySelector('.bar').style.width, item.querySelector('.chosen') !== null])""")
    top = sorted(completion(url, "the moon")["logprobs"]["top_logprobs"][2].values(), reverse=True)
    widths = [float(width.rstrip("%")) / 100 for _, _, width, _ in shown]
    assert widths[:10] == pytest.approx([2.718281828 ** logprob for logprob in top], abs=1e-4)
    assert sum(widths) == pytest.approx(1, abs=1e-4)   # the last bar is of all others
    assert [chosen for *_, chosen in shown].count(True) == 1
    assert shown[0][3]                                 # at temperature 0 the likeliest was taken
    assert shown[-1][0] == "all others"


@pytest.mark.slow
def test_a_click_on_an_alternative_goes_on_from_there(page, url):
    write(page, "the moon")
    before = page.eval_on_selector_all(".token", "spans => spans.slice(0, 2).map(span => span.textContent)")
    page.hover(".token >> nth=2")
    other = page.inner_text("ol.bars button >> nth=0").split("\n")[0].replace("\u2423", " ")
    page.click("ol.bars button >> nth=0")
    page.wait_for_selector("#status:has-text('tokens')")
    begin = "the moon" + "".join(before) + other
    assert page.text_content("#output .said") == begin + completion(url, begin)["text"]


@pytest.mark.slow
def test_stop_stops_the_model_and_keeps_the_text(page, served):
    with held(served) as go:
        page.click("#tab-text")
        page.fill("#prompt", "the moon")
        page.click("#go")
        go.release(6)
        page.wait_for_selector(".token >> nth=2")
        assert page.is_disabled("#go")
        page.keyboard.press("Escape")
        page.wait_for_selector("#status:has-text('you stopped it')")
        assert page.locator(".token").count() >= 3
        assert page.is_enabled("#go")
    until_idle(page, served)


def until_idle(page, served):
    write(page, "the sun")
    assert page.locator(".token").count() >= 3


@pytest.mark.slow
def test_a_chat_remembers_and_enter_sends(page, url):
    for text in ("hello", "and you?"):
        page.fill("#max-tokens", "8")
        page.fill("#temperature", "0")
        page.fill("#prompt", text)
        page.press("#prompt", "Enter")
        page.wait_for_function("() => !document.getElementById('go').disabled && "
                               "document.getElementById('status').textContent.includes('tokens')")
    turns = page.eval_on_selector_all(".turn .said", "items => items.map(item => item.textContent)")
    messages = [{"role": ("user", "assistant")[k % 2], "content": text} for k, text in enumerate(turns[:3])]
    body = {"model": NAME, "messages": messages, "max_tokens": 8, "temperature": 0}
    assert turns[3] == ask(url, "/v1/chat/completions", body)[2]["choices"][0]["message"]["content"]
    assert [turns[0], turns[2]] == ["hello", "and you?"]


@pytest.mark.slow
def test_what_a_person_or_a_model_writes_is_never_taken_as_html(page):
    write(page, "<img src=x onerror=alert(1)><b>the moon</b>")
    assert page.locator("#output img").count() == page.locator("#output b").count() == 0
    assert page.inner_text("#output .given") == "<img src=x onerror=alert(1)><b>the moon</b>"


@pytest.mark.slow
def test_the_arrow_keys_walk_through_the_tokens(page):
    write(page, "the moon")
    page.focus("#output")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    picked = page.eval_on_selector_all(".token", "s => s.map((x, i) => [x, i]).filter(([x]) => "
                                       "x.classList.contains('picked')).map(([, i]) => i)")
    assert picked == [1]
    assert page.locator("#bars li").count() >= 10


@pytest.mark.slow
def test_what_the_server_refuses_is_said_where_one_looks(page):
    page.click("#tab-text")
    page.fill("#prompt", "the moon")
    page.fill("#max-tokens", "4000")
    page.click("#go")
    page.wait_for_selector("#problem:has-text('max_tokens=4000 is more than this server gives')")


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 768, 1400])
def test_nothing_is_wider_than_the_screen(page, width):
    page.set_viewport_size({"width": width, "height": 700})
    write(page, "the moon " + "m" * 100)
    page.hover(".token >> nth=1")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_browser_is_told_to_run_our_script_only_and_to_load_nothing(url):
    _, headers, html = ask(url, "/")
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; connect-src 'self'")
    assert "unsafe" not in policy
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(|https?://", html)
