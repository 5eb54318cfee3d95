"""The app: which path answers what, and how an answer is sent while it is being written."""
import asyncio
import sys
import traceback

from fastapi import APIRouter, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException

from minigpt.errors import InputError
from minigpt.listing import suggest
from minigpt.server.answers import ChatAnswer, CompletionAnswer, event
from minigpt.server.fields import ChatFields, CompletionFields
from minigpt.server.guard import Guard
from minigpt.server.line import Full, Stopped
from minigpt.server.page import page
from minigpt.server.refusals import Refusal, refusal_of

router = APIRouter()


def create_app(served, line, hosts=(), **limits):
    """The app around a model (Served) and the Line before it. hosts, limits: see Guard."""
    app = FastAPI(title="minigpt", docs_url=None, redoc_url=None, openapi_url=None, telemetry=SILENT)
    app.state.served, app.state.line = served, line
    app.include_router(router)
    app.add_middleware(Guard, hosts=hosts, **limits)
    for kind in (HTTPException, RequestValidationError, InputError, Full, Stopped, Refusal, Exception):
        app.add_exception_handler(kind, _refuse)
    return app


SILENT = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False}


@router.get("/")
def index():
    """The page."""
    return page()


@router.get("/v1/models")
def models(request: Request):
    """All models: one."""
    return {"object": "list", "data": [request.app.state.served.card()]}


@router.get("/v1/models/{name:path}")
def model(name: str, request: Request):
    """What is known of a model."""
    _require_name(request.app.state.served, name)
    return request.app.state.served.card()


@router.post("/v1/completions")
async def completions(fields: CompletionFields, request: Request):
    """Continue texts."""
    return await _answer(request, fields, CompletionAnswer)


@router.post("/v1/chat/completions")
async def chat_completions(fields: ChatFields, request: Request):
    """Answer in a conversation."""
    return await _answer(request, fields, ChatAnswer)


async def _answer(request, fields, kind):
    served, line = request.app.state.served, request.app.state.line
    _require_name(served, fields.model)
    line.require_room()                                # before any work is done
    prompts = await run_in_threadpool(served.prompts, fields)
    limit = served.limit(prompts, fields)
    answer = kind(fields, served, sum(map(len, prompts)))
    ticket = line.join(served.steps(prompts, fields, limit))
    if fields.stream:
        return Stream(ticket, _stream(ticket, answer, len(prompts) * fields.n))
    steps = await _all(ticket, request)
    return await run_in_threadpool(lambda: JSONResponse(answer.whole(steps)))


async def _all(ticket, request):
    """Every step; fewer if who asked has gone, which ends the work."""
    watching = asyncio.create_task(_leave_when_gone(ticket, request))
    try:
        return [step async for step in ticket]
    finally:
        watching.cancel()
        ticket.leave()


async def _leave_when_gone(ticket, request):
    while (await request.receive())["type"] != "http.disconnect":
        pass
    ticket.leave()


class Stream(StreamingResponse):
    """Events as they come; when it ends, for whatever reason, the place in the line is free."""

    def __init__(self, ticket, events):
        super().__init__(events, media_type="text/event-stream",
                         headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self.ticket = ticket

    async def __call__(self, scope, receive, send):
        """Send the events."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.ticket.leave()


async def _stream(ticket, answer, n):
    for chunk in answer.first(n):
        yield chunk
    try:
        async for i, step in ticket:
            yield answer.chunk(i, step)
    except Exception as error:
        refusal = refusal_of(error)
        if refusal.status == 500:
            traceback.print_exception(error, file=sys.stderr)
        yield event(refusal.json())
        return
    for chunk in answer.last():
        yield chunk


def _require_name(served, name):
    if name != served.name:
        raise Refusal(404, f"no model {name!r} here; {suggest(name, [served.name])}", param="model",
                      code="model_not_found")


async def _refuse(request, error):
    return refusal_of(error, request.url.path).response()
