"""The page at /: one file of HTML, CSS and JavaScript, which the browser is told to load nothing beside."""
import base64
import functools
import hashlib
import pathlib
import re

from fastapi.responses import HTMLResponse


@functools.cache
def page():
    """The page, with a policy that allows its own script and style by their hash, and requests to this server only."""
    html = pathlib.Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    policy = {"default-src": "'none'", "connect-src": "'self'", "img-src": "data:", "base-uri": "'none'",
              "form-action": "'none'", "frame-ancestors": "'none'"}
    for tag in ("script", "style"):
        code = re.search(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)[1]
        policy[f"{tag}-src"] = f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
    return HTMLResponse(html, headers={
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"})
