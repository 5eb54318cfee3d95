"""What goes wrong, in the form of OpenAI's API: {"error": {"message", "type", "param", "code"}}."""
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from minigpt.errors import InputError
from minigpt.server.fields import ChatFields, CompletionFields, complaint
from minigpt.server.line import Full, Stopped

PATHS = "known: GET /, GET /v1/models, POST /v1/completions, POST /v1/chat/completions"


class Refusal(Exception):
    """A request that is not answered, and what to say instead."""

    def __init__(self, status, message, *, param=None, code=None, headers=None):
        super().__init__(message)
        self.status, self.param, self.code, self.headers = status, param, code, headers or {}

    def json(self):
        """What is sent."""
        kinds = {403: "permission_error", 429: "rate_limit_error", 500: "server_error", 503: "server_error"}
        return {"error": {"message": str(self), "type": kinds.get(self.status, "invalid_request_error"),
                          "param": self.param, "code": self.code}}

    def response(self):
        """The same as a response."""
        return JSONResponse(self.json(), self.status, self.headers)


def refusal_of(error, path=""):
    """The Refusal that tells of an exception."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, RequestValidationError):
        known = (ChatFields if path.endswith("/chat/completions") else CompletionFields).model_fields
        message, param = complaint(error.errors(), known)
        return Refusal(400, message, param=param)
    if isinstance(error, InputError):
        return Refusal(400, str(error))
    if isinstance(error, Full):
        return Refusal(429, f"{error} requests are being answered or wait; try again soon, or start the server with "
                       "a larger --waiting", code="rate_limit_exceeded", headers={"Retry-After": "2"})
    if isinstance(error, Stopped):
        return Refusal(503, "the server is stopping; start it again", code="stopping")
    if isinstance(error, HTTPException) and error.status_code < 500:
        hint = f": {path[:100]}; {PATHS}" if error.status_code in (404, 405) else ""
        return Refusal(error.status_code, f"{error.detail}{hint}", headers=error.headers)
    return Refusal(500, f"{type(error).__name__} in the server, which goes on; its terminal says more")
