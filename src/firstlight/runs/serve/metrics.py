"""Numbers about the requests, in the text format of Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from starlette.types import Scope

PATHS = ("/predict", "/sample", "/health", "/metrics", "/docs", "/openapi.json")
_ERRORS = {
    400: "malformed",
    404: "unknown path",
    405: "method",
    408: "slow",
    413: "too large",
    415: "media type",
    422: "unreadable",
    499: "disconnected",
    500: "internal",
    503: "busy",
}


class Metrics:
    """Counts requests, errors by their kind, seconds and sizes of batches, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter("requests", "Requests", ["path", "status"], "firstlight", registry=self.registry)
        self.errors = Counter("errors", "Errors by their kind", ["kind"], "firstlight", registry=self.registry)
        self.seconds = Histogram(
            "request_seconds", "Seconds until the answer", ["path"], "firstlight", registry=self.registry
        )
        sizes = [2**power for power in range(11)]
        self.batches = Histogram(
            "batch_size", "Inputs per forward pass", (), "firstlight", buckets=sizes, registry=self.registry
        )

    def answered(self, scope: Scope, status: int, seconds: float) -> None:
        """Count an answer."""
        path = scope["path"] if scope["path"] in PATHS else "other"  # a client cannot add series
        self.requests.labels(path, status or 500).inc()
        self.seconds.labels(path).observe(seconds)
        if status >= 400 or not status:
            self.errors.labels(_ERRORS.get(status or 500, "other")).inc()

    def unreadable(self, number: int) -> None:
        """Count inputs of a request with several that cannot be read."""
        self.errors.labels("unreadable").inc(number)

    def text(self) -> bytes:
        """Return all numbers."""
        return generate_latest(self.registry)
