"""The first phase of a run: read the data and build the task. It needs no Lightning, so mistakes are found early."""

from collections.abc import Mapping
from dataclasses import dataclass

from firstlight.config import RunConfig
from firstlight.data import Source, Split, Store
from firstlight.log import logger
from firstlight.runs import RunFolder
from firstlight.runs.evaluate import differences_from, other_data
from firstlight.runs.load import load_weights
from firstlight.tasks import Task
from firstlight.tasks.build import build_source, build_task
from firstlight.training.launch import is_first_process
from firstlight.transfer.bounded_memory import bounded_by


@dataclass(frozen=True)
class Data:
    """The data of a run.

    Attributes:
        source: the data set.
        store: the data set as arrays.
        splits: the samples of "train", "val" and "test".
    """

    source: Source
    store: Store
    splits: dict[str, Split]


@dataclass(frozen=True)
class Parts:
    """The parts of a run.

    Attributes:
        config: the config of the run.
        folder: the folder of the run.
        data: the data; None if it is a LightningDataModule, which yields batches only.
        task: the network with its preprocessing, loss and metrics; None without `data`. Around a LightningModule it
            prepares batches alone.
        is_resumed: whether the run continues from its last checkpoint.
    """

    config: RunConfig
    folder: RunFolder
    data: Data | None
    task: Task | None
    is_resumed: bool


def assemble(config: RunConfig, folder: RunFolder, source: Source | None = None) -> Parts:
    """Read the data and build the task of a run: its network, loss and metrics.

    If the run is resumed, the network gets the weights of its last checkpoint; the trainer restores everything else.

    Args:
        config: the config of the run.
        folder: the folder of the run.
        source: the data set, if several runs use it; None builds it.

    Raises:
        ValueError: the data cannot be read or is not that of the resumed run, or data set, network and task do not fit
            together.
    """
    is_resumed = folder.checkpoint_path("last").exists()
    if config.has_data_module:
        return Parts(config, folder, None, None, is_resumed)
    source = source or build_source(config)
    store, splits = source.splits(config.seed)
    if is_first_process():
        for remark in store.remarks:
            logger.info(remark)
    if is_resumed:  # the pretrained weights may be gone by now
        check_same_data(config, folder, store, splits)
        with bounded_by(folder.checkpoint_path("last")):
            task = build_task(config, folder.spec(), pretrained=False)
        if not config.has_lightning_module:
            load_weights(task, folder, "last")
    else:
        task = build_task(config, store.spec)
    return Parts(config, folder, Data(source, store, splits), task, is_resumed)


def check_same_data(config: RunConfig, folder: RunFolder, store: Store, splits: Mapping[str, Split]) -> None:
    """Check that data is the data that a run was trained on.

    Raises:
        ValueError: it is not; the message says how it differs.
    """
    if differs := differences_from(folder, store, splits):
        raise other_data(folder, config, differs)
