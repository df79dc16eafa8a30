"""The loop of a sweep: start jobs while there are slots, and record how each ends."""

from dataclasses import replace
from signal import SIGINT
from typing import Any

from firstlight.config.errors import explain
from firstlight.runs.sweeps import Ending, Job, SweepFolder, SweepScreen
from firstlight.training.recovery.stop_signals import StopSignals
from firstlight.training.sweeps.checking import NOT_CHECKED, Checked
from firstlight.training.sweeps.composing import compose_job
from firstlight.training.sweeps.launch import Launcher, end_all
from firstlight.training.sweeps.search import Proposal, Search

_SECONDS = 1.0  # between two looks at the signals and at the table


class Loop:
    """Trains the jobs of a sweep.

    Args:
        search: proposes the words of the jobs.
        launcher: runs the jobs.
        folder: takes the results.
        screen: shows them.
        checked: jobs that were composed before.
    """

    def __init__(
        self,
        search: Search,
        launcher: Launcher,
        folder: SweepFolder,
        screen: SweepScreen,
        checked: Checked = NOT_CHECKED,
    ) -> None:
        self.search = search
        self.launcher = launcher
        self.folder = folder
        self.screen = screen
        self.checked = checked
        self._running: set[int] = set()
        self._known = {record.number: record for record in folder.jobs}

    def run(self) -> None:
        """Train until no trial waits. The first Ctrl-C or SIGTERM lets the jobs save their checkpoints.

        Raises:
            KeyboardInterrupt: a signal has stopped the sweep; the argument is its number.
        """
        with StopSignals() as signals:
            signals.defer()
            try:
                while not signals.number and self._step():
                    pass
                if signals.number:
                    raise KeyboardInterrupt(signals.number)
            except KeyboardInterrupt as interrupt:
                self._record(end_all(self.launcher, self._running))
                raise KeyboardInterrupt(*(interrupt.args or (SIGINT,))) from None
            finally:
                self.launcher.close()

    def _step(self) -> bool:
        """Start the jobs that have a slot, and wait a while; return whether the sweep goes on."""
        while len(self._running) < self.launcher.slots and (proposal := self.search.next()):
            self._begin(proposal)
        if not self._running:
            return False
        self._record(self.launcher.wait(_SECONDS))
        self.screen.update()
        return True

    def _begin(self, proposal: Proposal) -> None:
        record = self._known.get(proposal.number)
        if record and record.state not in ("running", "interrupted"):  # the sweep was killed before the study knew it
            state: Any = record.state
            self.search.record(Ending(record.number, state, record.cause, record.metrics, record.seconds))
            return
        config, mistake = self._composed(proposal.words)
        job = Job(
            proposal.number,
            proposal.words,
            config,
            self.folder.path / str(proposal.number),
            self.folder.path / "logs" / f"{proposal.number}.log",
            resumes=proposal.is_known,
            environment=self.search.environment(proposal.number),
        )
        self.folder.begin(replace(job, config={}))
        self._running.add(job.number)
        self.screen.begin(next(record for record in self.folder.jobs if record.number == job.number))
        if mistake:
            self._record([Ending(job.number, "failed", mistake)])
            return
        job.log_path.parent.mkdir(exist_ok=True)
        self.launcher.start(job)

    def _composed(self, words: tuple[str, ...]) -> tuple[dict[str, Any], str]:
        """Return the config of a job, or the mistake in it."""
        if words in self.checked.words:
            place = self.checked.words.index(words)
            return self.checked.configs.get(place, {}), self.checked.mistakes.get(place, "")
        try:
            return compose_job(words), ""
        except Exception as error:  # the other jobs go on
            return {}, explain(error, words)

    def _record(self, endings: list[Ending]) -> None:
        for ending in endings:
            self._running.discard(ending.number)
            self.screen.end(self.folder.end(ending))  # first, because a study without the result can learn it later
            self.search.record(ending)
