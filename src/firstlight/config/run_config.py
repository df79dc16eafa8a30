"""The config of one training run, checked and frozen."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

from omegaconf import DictConfig

from firstlight.config.checking.config import DEFAULTS, check
from firstlight.config.checking.lightning_classes import (
    is_data_module,
    is_lightning_module,
    unused_groups,
    with_mode,
)
from firstlight.config.checking.options import split_task
from firstlight.config.checking.trainer import PRECISIONS
from firstlight.config.compose import compose, to_plain
from firstlight.config.options import ParameterOptions, Regularisation, Transfer, Watch
from firstlight.config.project import project_dir
from firstlight.files import user_path

# The last words of arguments that name a place, such as `root` or `data_dir`.
_PLACES = ("root", "dir", "folder", "path", "file")
# The `_target_` of a class or function, and the values of its arguments.
Node = dict[str, Any]
_SPLIT_OFF = (
    "transfer",
    "parameters",
    "metrics",
    "regularisation",
    "watch",
)  # options that stand in the node of a group
_FOLDERS = ("dir", "data_dir", "root")  # options of data that name folders; the last two are usual in other projects


@dataclass(frozen=True)
class RunConfig:
    """The settings of one training run.

    Attributes:
        name: the first folder under `output_dir`, "<data>-<model>".
        seed: the seed of all random numbers.
        monitor: the metric that decides which epoch is the best, "<split>/<name>".
        patience: epochs without a better `monitor` after which the run stops; None for no limit.
        output_dir: the folder of all run folders.
        run_dir: the run folder, if the user names one.
        tags: words that describe the run, for the user and for loggers.
        notes: free text of the user about the run.
        project: the folder of the project whose classes the run may use; None if it was made outside of projects.
        data: the node of the data set.
        augment: the node of the augmentation; its steps are nodes too.
        model: the node of the network, without the options of `transfer`.
        transfer: pretrained weights, head and frozen layers.
        task: the node of the task, without `metrics` and the options of `regularisation`.
        optimizer: the node of the optimizer, without the options of `parameters`.
        parameters: options of the optimizer for some of the parameters.
        averaging: the node of the average of the weights; empty for none.
        scheduler: the node of the scheduler.
        logger: the nodes of the loggers, by name.
        trainer: the node of Lightning's Trainer.
        metrics: the nodes of `task.metrics`, by name.
        kfold: the number of parts for cross-validation; None without it.
        fold: the part, from 1 to `kfold`, that validates; None in the config of the whole cross-validation.
        monitor_mode: "min" if lower values of `monitor` are better, "max" if higher ones are; None if the task knows.
        min_delta: by how much `monitor` must improve within `patience` epochs.
        regularisation: which weights of the task are kept small.
        watch: what the run looks at while it trains.
        figures: whether the run draws figures, in its folder and in TensorBoard.
        lr_find: whether a range test of the learning rate comes before the training; "use" trains with its suggestion.
        compile: whether `torch.compile` translates the network.
        channels_last: whether the channels of each pixel lie side by side in memory.
        deterministic: whether operations that may give other bits in each run are refused.

    A LightningModule as task has its own network, optimizers and schedulers. The nodes that it replaces are empty.
    """

    name: str
    seed: int
    monitor: str
    patience: int | None
    output_dir: str
    run_dir: str | None
    tags: list[str]
    notes: str
    project: str | None
    data: Node
    augment: Node
    model: Node
    transfer: Transfer
    task: Node
    optimizer: Node
    parameters: ParameterOptions
    averaging: Node
    scheduler: Node
    logger: dict[str, Node]
    trainer: Node
    metrics: dict[str, Node] = field(default_factory=dict)
    monitor_mode: str | None = None
    kfold: int | None = None
    fold: int | None = None
    figures: bool = True
    lr_find: bool | str = False
    compile: bool = False
    channels_last: bool = True
    deterministic: bool = False
    min_delta: float = 0.0
    regularisation: Regularisation = field(default_factory=Regularisation)
    watch: Watch = field(default_factory=Watch)

    @classmethod
    def parse(cls, config: DictConfig | dict[str, Any]) -> Self:
        """Check a composed config and return it as a frozen `RunConfig`.

        Args:
            config: what `compose` returns, or the content of a run's config.yaml.

        Raises:
            ValueError: a key or a value is wrong. The message names the key.
        """
        plain = DEFAULTS | (to_plain(config) if isinstance(config, DictConfig) else dict(config))
        for option in ("resume", "trust", "sweep"):  # of the command, not settings of the run
            plain.pop(option, None)
        plain.setdefault(
            "logger", {"tensorboard": {"_target_": "firstlight.training.loggers.TensorBoard"}}
        )  # older runs
        unused = unused_groups(plain)
        plain = with_mode({key: value for key, value in plain.items() if key not in unused})
        check(plain)
        if isinstance(plain["tags"], str):
            plain["tags"] = [plain["tags"]]
        transfer, model = Transfer.split(plain.get("model", {}))
        parameters, optimizer = ParameterOptions.split(plain.get("optimizer", {}))
        regularisation, metrics, task = split_task(plain["task"])
        parts = {"transfer": transfer, "model": model, "task": task, "metrics": metrics}
        parts |= {"parameters": parameters, "optimizer": optimizer}
        parts |= {"regularisation": regularisation, "watch": Watch(**plain["watch"])}
        return cls(**{key: {} for key in unused} | plain | parts)

    @classmethod
    def from_overrides(cls, *overrides: str) -> Self:
        """Compose, check and freeze the config of `train.py <overrides>`."""
        return cls.parse(compose(*overrides))

    def to_plain(self) -> dict[str, Any]:
        """Return the config as plain dicts, lists, strings and numbers, in the form of config.yaml; see `parse`."""
        plain = {key: value for key, value in vars(self).items() if key not in _SPLIT_OFF and value != {}}
        for key in ("monitor_mode", "kfold", "fold"):
            if plain[key] is None:
                del plain[key]
        model = {"model": vars(self.transfer) | self.model} if self.model else {}
        optimizer = {"optimizer": vars(self.parameters) | self.optimizer} if self.optimizer else {}
        added = {} if self.has_lightning_module else vars(self.regularisation) | {"metrics": self.metrics or None}
        return plain | model | optimizer | {"task": added | self.task, "watch": dict(vars(self.watch))}

    def with_absolute_paths(self) -> Self:
        """Return the config with absolute paths, so that it is valid in any working directory, and with its project."""
        project = project_dir()
        folders = [(key, self.data[key]) for key in _FOLDERS if isinstance(self.data.get(key), str)]
        augment = {key: _absolute(step) if isinstance(step, dict) else step for key, step in self.augment.items()}
        return replace(
            self,
            project=self.project if project is None else str(project),
            data=_with_places(_absolute(self.data))
            | {key: str(user_path(path, f"data.{key}")) for key, path in folders},
            augment=augment,
            transfer=replace(self.transfer, **_absolute({"weights": self.transfer.weights}, "weights")),
        )

    def with_data(self, **values: Any) -> Self:
        """Return the config with other values of `data`; a value of None changes nothing.

        Raises:
            ValueError: the data set has no file.
        """
        given = {key: value for key, value in values.items() if value is not None}
        if "file" in given and "file" not in self.data:
            raise ValueError(f"data.file={given['file']}: must be left out, because the run was trained on a folder.")
        return replace(self, data=self.data | given)

    def with_fold(self, fold: int) -> Self:
        """Return the config of one run of a cross-validation."""
        return replace(self, fold=fold)

    @property
    def is_cross_validation(self) -> bool:
        """Whether the config stands for several runs, one for each fold."""
        return self.kfold is not None and self.fold is None

    def with_trainer(self, **values: Any) -> Self:
        """Return a copy of the config in which these arguments of the Trainer are replaced."""
        return replace(self, trainer=self.trainer | values)

    def with_learning_rate(self, lr: float, before: float) -> Self:
        """Return a copy of the config with another learning rate; those of `optimizer.groups` keep their ratios to it.

        Args:
            lr: the new rate.
            before: the old one, which the config may leave to the optimizer's class.
        """
        groups = {
            name: options | ({"lr": options["lr"] * lr / before} if "lr" in options else {})
            for name, options in self.parameters.groups.items()
        }
        return replace(self, optimizer=self.optimizer | {"lr": lr}, parameters=replace(self.parameters, groups=groups))

    @property
    def annotations(self) -> dict[str, str]:
        """The tags and the notes as texts, for metrics.json and the summary of a sweep; those that are not empty."""
        texts = {"tags": ", ".join(self.tags), "notes": self.notes}
        return {key: text for key, text in texts.items() if text}

    @property
    def has_lightning_module(self) -> bool:
        """Whether the task is a LightningModule."""
        return is_lightning_module(self.task)

    @property
    def has_live_network(self) -> bool:
        """Whether the network is a module that was given in Python, and no config can build it."""
        return str(self.model.get("_target_")).endswith(".LiveNetwork")

    @property
    def has_data_module(self) -> bool:
        """Whether the data is a LightningDataModule."""
        return is_data_module(self.data)

    @property
    def data_folder_key(self) -> str:
        """The option of `data` that names the folder of the files."""
        return next((key for key in _FOLDERS if key in self.data), "dir")

    @property
    def max_steps(self) -> int | None:
        """Optimizer steps after which the run stops; None for no limit."""
        max_steps = self.trainer.get("max_steps", -1)
        return None if max_steps == -1 else max_steps

    @property
    def precision(self) -> str:
        """The precision of the computation, such as "32-true" or "bf16-mixed"."""
        precision = self.trainer.get("precision")
        return "32-true" if precision is None else PRECISIONS.get(str(precision), str(precision))

    @property
    def computation(self) -> str:
        """How the numbers are computed, as a text; empty if it is the usual way."""
        precision = [] if self.precision == "32-true" else [f"precision {self.precision}"]
        settings = {
            "compiled": self.compile,
            "channels first": not self.channels_last,
            "deterministic": self.deterministic,
        }
        return ", ".join([*precision, *(text for text, is_set in settings.items() if is_set)])

    @property
    def num_nodes(self) -> int:
        """The number of machines that train the run together."""
        return self.trainer.get("num_nodes", 1)


def _with_places(node: Any, key: str = "") -> Any:
    """Make the paths of existing files and folders absolute that the nested nodes of `data` name as their place."""
    if isinstance(node, dict):
        return {name: _with_places(value, str(name)) for name, value in node.items()}
    is_place = key.rpartition("_")[2] in _PLACES or (key == "name" and isinstance(node, str) and "/" in node)
    if not is_place or not isinstance(node, str) or not node:
        return node
    path = user_path(node, key)
    return str(path) if path.exists() else node


def _absolute(node: Node, key: str = "file") -> Node:
    """Make the path of an existing file absolute. Other values stay: they are names, or files in the data folder."""
    path = user_path(node[key], key) if node.get(key) else None
    return node | {key: str(path)} if path and path.is_file() else node
