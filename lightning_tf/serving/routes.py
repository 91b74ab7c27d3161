"""app_of: what a served model answers at which address."""

import os
from collections.abc import Callable
from typing import Any

import anyio
from anyio.to_thread import run_sync
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from lightning_tf.serving.body_limit import BodyLimit
from lightning_tf.serving.json_answer import JSONAnswer, error_answer
from lightning_tf.serving.page import POLICY, page_of
from lightning_tf.serving.request_body import FILES, JSON, check_type, files_of
from lightning_tf.serving.request_error import UNREADABLE, RequestError
from lightning_tf.serving.served_model import ServedModel
from lightning_tf.version import __version__

AT_ONCE = max(2, os.cpu_count() or 1)  # requests that are computed; others wait


class Predictions(BaseModel):
    """A prediction for each instance, in their order."""

    predictions: list[dict[str, Any]]


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str


def app_of(model: ServedModel) -> FastAPI:
    """Return the application of a served model.

    Example:
        >>> app_of(ServedModel(task, Limits()))
        <fastapi.applications.FastAPI object at ...>
    """
    description = model.description()
    # FastAPI's own pages of documentation load scripts from elsewhere: the page at / does not.
    app = FastAPI(
        title=f"{description['task']}, served by lightning_tf",
        version=__version__,
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(BodyLimit, max_body=model.limits.max_body)
    _add_errors(app)
    _add_pages(app, model, description)
    _add_predictions(app, model)
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(RequestError)
    async def refuse(_: Request, error: RequestError) -> Response:
        return error_answer(error)

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, __: ClientDisconnect) -> Response:
        return error_answer(RequestError(UNREADABLE, "the body ended before it was whole."))

    @app.exception_handler(Exception)
    async def fail(_: Request, __: Exception) -> Response:  # the server logs what it was
        return error_answer(RequestError(500, "the server failed; its log says why."))


def _add_pages(app: FastAPI, model: ServedModel, description: dict[str, Any]) -> None:
    page = page_of(model, description)

    @app.get("/health", summary="Whether the model is loaded and has predicted")
    async def health() -> dict[str, str]:
        return {"status": "ready"}

    @app.get("/model", summary="What is served, and what it takes")
    async def about() -> dict[str, Any]:
        return description

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def page_to_try() -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})


def _add_predictions(app: FastAPI, model: ServedModel) -> None:
    limiter: list[anyio.CapacityLimiter] = []  # made by the first request, in the server's loop

    async def computed(function: Callable[..., Any], given: Any) -> Response:
        """Return an answer that a thread computes: the server goes on answering others."""
        if not limiter:
            limiter.append(anyio.CapacityLimiter(AT_ONCE))

        def answer() -> Response:
            return JSONAnswer(function(given))

        return await run_sync(answer, limiter=limiter[0])

    problems: dict[int | str, dict[str, Any]] = {
        code: {"model": Problem} for code in (400, 413, 415, 422)
    }

    @app.post(
        "/predict",
        response_model=Predictions,
        responses=problems,
        summary="Predict instances of JSON",
        openapi_extra={"requestBody": _json_schema(model)},
    )
    async def predict(request: Request) -> Response:
        check_type(request, JSON)
        return await computed(model.answer_json, await request.body())

    if not model.instances.files:
        return

    @app.post(
        "/predict/files",
        response_model=Predictions,
        responses=problems,
        summary=f"Predict files: {model.instances.files}",
        openapi_extra={"requestBody": FILES_SCHEMA},
    )
    async def predict_files(request: Request) -> Response:
        check_type(request, FILES)
        return await computed(model.answer_files, await files_of(request, model.limits.max_batch))


def _json_schema(model: ServedModel) -> dict[str, Any]:
    instances = {
        "type": "array",
        "minItems": 1,
        "maxItems": model.limits.max_batch,
        "items": model.instances.schema(),
    }
    body = {"type": "object", "properties": {"instances": instances}, "required": ["instances"]}
    content: dict[str, Any] = {"schema": {**body, "additionalProperties": False}}
    example = model.instances.example()
    if example is not None:
        content["example"] = {"instances": [example]}
    return {"required": True, "content": {JSON: content}}


_FILE_LIST = {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1}
FILES_SCHEMA = {
    "required": True,
    "content": {FILES: {"schema": {"type": "object", "properties": {"files": _FILE_LIST}}}},
}
