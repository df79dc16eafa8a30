"""The pages of the server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from io import BytesIO
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from firstlight.data.images.contact_sheet import contact_sheet
from firstlight.data.images.reading import refuse_decompression_bombs
from firstlight.runs.serve.batching import Batcher
from firstlight.runs.serve.bodies import UPLOAD, Drawing, Rows, Texts, describe
from firstlight.runs.serve.gate import Gate
from firstlight.runs.serve.inputs import ImageReader, Sample, read_rows, read_texts
from firstlight.runs.serve.limits import Limits
from firstlight.runs.serve.metrics import Metrics
from firstlight.runs.serve.models.served import Served
from firstlight.runs.serve.page import SECURITY, docs_page

_READERS = 2  # threads that read inputs; more would take more memory, and wait for the network anyway
_MAX_FIELDS = 16  # of a form, besides files


class _Site:
    """What the pages of a server have in common: the network, the readers, and the way of an answer."""

    def __init__(self, served: Served, limits: Limits, batch_size: int, max_wait: float) -> None:
        self.served = served
        self.limits = limits
        self.metrics = Metrics()
        self.num_reading = 0
        self.pool = ThreadPoolExecutor(_READERS, "reader")
        self.batcher = Batcher(served.rows, batch_size, max_wait, self.is_reading, self.metrics.batches.observe)
        self.images = ImageReader(served.task.spec, limits)

    def is_reading(self) -> bool:
        """Whether inputs are being read, which the network gets soon."""
        return self.num_reading > 0

    @asynccontextmanager
    async def running(self, app: FastAPI) -> AsyncIterator[None]:
        """Run the threads in the block."""
        with refuse_decompression_bombs(self.limits.pixels), self.pool:
            self.batcher.start()
            yield
            self.batcher.stop()

    async def read(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return the result of a function in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, partial(function, *arguments))

    async def answer(self, reading: Awaitable[Sequence[Sample]]) -> dict[str, Any]:
        """Return the rows of samples; a sample that cannot be read has an `error` instead.

        Raises:
            HTTPException: the only sample cannot be read.
        """
        self.num_reading += 1
        try:
            samples = await reading
        finally:
            self.num_reading -= 1
        readable = [sample for sample in samples if not sample.problem]
        if len(samples) == 1 and not readable:
            raise HTTPException(422, samples[0].problem)
        self.metrics.unreadable(len(samples) - len(readable))
        rows = iter(await self.batcher.predict(readable) if readable else ())
        entries = [sample.names | {"error": sample.problem} if sample.problem else next(rows) for sample in samples]
        return {"predictions": entries}

    def check_number(self, number: int, key: str) -> None:
        """Check the number of inputs of a request.

        Raises:
            HTTPException: there are none, or too many.
        """
        if not 1 <= number <= self.limits.items:
            raise HTTPException(422, f"{key}: must have 1 to {self.limits.items} entries, not {number}.")

    async def uploads(self, request: Request) -> list[Sample]:
        """Return the samples of the files of a form.

        Raises:
            HTTPException: the request is no form with files.
        """
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "multipart/form-data":
            raise HTTPException(415, "must be a form (multipart/form-data) with files in the field `files`.")
        bounds = {"max_files": self.limits.items, "max_fields": _MAX_FIELDS}
        async with request.form(**bounds) as form:
            files = form.getlist("files")
            if not files or not all(isinstance(file, UploadFile) for file in files):
                raise HTTPException(422, "must have uploaded files in the field `files`.")
            reads = [
                self.read(self.images, file.filename or "", file.file) for file in files if isinstance(file, UploadFile)
            ]
            return await asyncio.gather(*reads)


def create_app(served: Served, limits: Limits, batch_size: int = 32, max_wait_ms: float = 5) -> FastAPI:
    """Return the pages that answer with a network.

    Args:
        served: the network.
        limits: the bounds of requests.
        batch_size: inputs per forward pass.
        max_wait_ms: milliseconds that a batch waits for other requests.
    """
    spec, example = served.task.spec, served.example()
    site = _Site(served, limits, batch_size, max_wait_ms / 1000)
    app = FastAPI(
        title=f"firstlight: {served.name}",
        description=describe(served),
        docs_url=None,
        redoc_url=None,
        lifespan=site.running,
    )
    is_form = spec.kind == "images" and served.task.can_predict
    app.add_middleware(Gate, limits, limits.bytes if is_form else limits.json_bytes, site.metrics)
    _add_errors(app)
    _add_status(app, site)
    if served.task.can_predict:
        answers: dict[int | str, Any] = {
            200: {"content": {"application/json": {"example": {"predictions": [example]}}}}
        }
        _add_predict(app, site, answers)
    if served.can_sample:
        _add_sample(app, site)
    return app


def _add_errors(app: FastAPI) -> None:
    """Answer every error with one sentence, which repeats neither the request nor anything of the server."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part)[:40] for part in first["loc"][1:4] if first["type"] != "json_invalid")
        return JSONResponse({"error": f"{place or 'body'}: {first['msg']}"}, 422)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": "internal error"}, 500)


def _add_status(app: FastAPI, site: _Site) -> None:
    task = site.served.task
    status = {
        "status": "ready",
        "name": site.served.name,
        "task": task.task_name,
        "device": str(task.device),
        "predicts": task.can_predict,
        "samples": site.served.can_sample,
    }

    @app.get("/health")
    async def health() -> dict[str, Any]:
        """Return what is served, once the network is ready."""
        return status

    @app.get("/metrics")
    async def metrics() -> Response:
        """Return requests, errors by their kind, seconds and sizes of batches, in the format of Prometheus."""
        return Response(site.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(app.openapi()), headers=SECURITY)


def _add_predict(app: FastAPI, site: _Site, answers: dict[int | str, Any]) -> None:
    spec = site.served.task.spec
    if spec.kind == "images":

        @app.post("/predict", responses=answers, openapi_extra=UPLOAD)
        async def predict_images(request: Request) -> dict[str, Any]:
            """Predict one or many images, in the field `files` of a form."""
            return await site.answer(site.uploads(request))

    elif spec.kind == "numbers":

        @app.post("/predict", responses=answers)
        async def predict_rows(body: Rows) -> dict[str, Any]:
            """Predict rows of a table."""
            site.check_number(len(body.rows), "rows")
            return await site.answer(site.read(read_rows, body.rows, spec))

    else:

        @app.post("/predict", responses=answers)
        async def predict_texts(body: Texts) -> dict[str, Any]:
            """Predict texts: the loss of each, and the tokens that are likely to follow."""
            site.check_number(len(body.texts), "texts")
            return await site.answer(site.read(read_texts, body.texts, spec, site.limits))


def _add_sample(app: FastAPI, site: _Site) -> None:
    task = site.served.task

    @app.post("/sample")
    async def sample(body: Drawing) -> Response:
        """Generate a text, or images on one sheet (PNG)."""
        made = await site.batcher.call(partial(task.sample, **body.model_dump()))
        if isinstance(made, str):
            return JSONResponse({"text": made})
        file = BytesIO()
        contact_sheet(made).save(file, "png")
        return Response(file.getvalue(), media_type="image/png")
