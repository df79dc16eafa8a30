"""One thread with the network: the inputs of all requests that wait go through it together."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from firstlight.runs.serve.inputs import Sample

Rows = list[dict[str, Any]]


class _Job(NamedTuple):
    """What a request waits for: the rows of its samples, or the result of a function if there are none."""

    samples: Sequence[Sample]
    call: Callable[[], Any] | None
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop

    def finish(self, result: Any) -> None:
        """Pass the result, or the error, to the request. It may have given up."""

        def deliver() -> None:
            if self.future.done():
                return
            if isinstance(result, Exception):
                self.future.set_exception(result)
            else:
                self.future.set_result(result)

        self.loop.call_soon_threadsafe(deliver)


class Batcher:
    """Sends samples through the network, in a thread of its own.

    A batch takes what waits. It waits for more only while other requests are on their way.

    Args:
        predict: returns a row for each sample of a batch.
        batch_size: samples that go through the network at a time.
        max_wait: seconds that a batch waits for other requests.
        is_expecting: whether other requests are on their way.
        observe: called with the size of each batch.
    """

    def __init__(
        self,
        predict: Callable[[Sequence[Sample]], Rows],
        batch_size: int,
        max_wait: float,
        is_expecting: Callable[[], bool],
        observe: Callable[[int], None],
    ) -> None:
        self.predict_batch = predict
        self.batch_size = batch_size
        self.max_wait = max_wait
        self.is_expecting = is_expecting
        self.observe = observe
        self.queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._run, name="network", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self.thread.start()

    def stop(self) -> None:
        """End the thread after what waits."""
        self.queue.put(None)
        self.thread.join()

    async def predict(self, samples: Sequence[Sample]) -> Rows:
        """Return a row for each sample."""
        return await self._put(samples, None)

    async def call(self, function: Callable[[], Any]) -> Any:
        """Return the result of a function that uses the network."""
        return await self._put((), function)

    async def _put(self, samples: Sequence[Sample], call: Callable[[], Any] | None) -> Any:
        loop = asyncio.get_running_loop()
        job = _Job(samples, call, loop.create_future(), loop)
        self.queue.put(job)
        return await job.future

    def _run(self) -> None:
        while (job := self.queue.get()) is not None:
            jobs = [job, *self._others(job)]
            self._finish([each for each in jobs if not each.future.cancelled()])

    def _others(self, job: _Job) -> list[_Job]:
        """Return the jobs that join a batch."""
        jobs, size, end = [], len(job.samples), time.monotonic() + self.max_wait
        while size < self.batch_size:
            seconds = end - time.monotonic()
            try:
                found = self.queue.get(timeout=seconds) if self._waits(seconds) else self.queue.get_nowait()
            except queue.Empty:
                break
            if found is None:
                self.queue.put(None)  # the thread ends after this batch
                break
            jobs.append(found)
            size += len(found.samples)
        return jobs

    def _waits(self, seconds: float) -> bool:
        return seconds > 0 and self.queue.empty() and self.is_expecting()

    def _finish(self, jobs: Sequence[_Job]) -> None:
        """Compute the results of jobs. If they fail together, each is tried alone, so that only faulty ones fail."""
        try:
            rows = self._rows([sample for job in jobs for sample in job.samples])
            for job in jobs:
                found, rows = rows[: len(job.samples)], rows[len(job.samples) :]
                job.finish(found if job.call is None else job.call())
        except Exception as error:
            if len(jobs) == 1:
                return jobs[0].finish(error)
            for job in jobs:
                self._finish([job])

    def _rows(self, samples: Sequence[Sample]) -> Rows:
        rows: Rows = []
        for start in range(0, len(samples), self.batch_size):
            batch = samples[start : start + self.batch_size]
            self.observe(len(batch))
            rows += self.predict_batch(batch)
        return rows
