"""Decide which classes the config of a run folder may call: an allow-list, decided from source code before any import.

A run folder may come from another person, and each `_target_` in its config.yaml names something to call. Hydra refuses
some functions of the standard library; this module refuses everything that it does not know.
"""

import ast
import functools
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from firstlight.checks import printable
from firstlight.config.checking.lightning_classes import DATA_MODULE, MODULE
from firstlight.config.checking.source_code.classes import Definition, ancestors, find_definition, returned
from firstlight.config.checking.source_code.signature import find_module
from firstlight.config.project import project_dir
from firstlight.files import user_path

_TORCHVISION = (
    *("alexnet", "convnext", "densenet", "efficientnet", "googlenet", "inception", "maxvit", "mnasnet", "mobilenetv2"),
    *("mobilenetv3", "regnet", "resnet", "shufflenetv2", "squeezenet", "swin_transformer", "vgg", "vision_transformer"),
)
# Modules whose classes may be called; a star stands for all modules of a package. Left out are modules whose classes
# reach the network, run code or write files when they are built: most loggers, and metrics that download networks.
_MODULES = (
    *(f"firstlight.{package}.*" for package in ("augment", "data", "networks", "tasks")),
    "firstlight.training.averaging.*",
    "firstlight.training.loggers.*",
    "firstlight.training.optimizers.*",
    "firstlight.training.schedulers.*",
    "torch.nn.*",
    "torch.optim.*",
    "timm.optim.*",
    "torchmetrics",
    *(f"torchmetrics.{package}.*" for package in ("classification", "regression", "retrieval", "segmentation")),
    "torchmetrics.aggregation",
    "torchmetrics.clustering.*",
    "torchmetrics.nominal.*",
    *(f"torchmetrics.image{module}" for module in ("", ".psnr", ".scc", ".ssim", ".uqi", ".vif")),
    *(f"torchmetrics.text{module}" for module in ("", ".perplexity")),
    "torchmetrics.collections",
    "torchvision.models",
    *(f"torchvision.models.{module}" for module in _TORCHVISION),
    "lightning",
    "lightning.pytorch",
    *(f"lightning.pytorch.{package}.*" for package in ("accelerators", "callbacks", "plugins", "profilers")),
    *(f"lightning.pytorch.{package}.*" for package in ("strategies", "trainer")),
    *(f"lightning.pytorch.loggers{module}" for module in ("", ".csv_logs", ".tensorboard")),
    "lightning.fabric.plugins.*",
    "torch.utils.data",
    "torch.utils.data.dataset",
    "torchvision.datasets.*",
    "torchvision.transforms.*",
    "kornia.augmentation.*",
)
_LEFT_OUT = ("torchvision.datasets.lsun",)  # unpickles a file that has no checksum
_PACKAGES = ("firstlight", "torch", "timm", "torchmetrics", "lightning", "torchvision", "kornia")
# Classes of these modules that call whatever function they get.
_EXCLUDED = ("Lambda",)

_SCHEDULER = "firstlight.training.schedulers"
_SIGNATURE = ["optimizer", "run_length"]  # the first arguments of a scheduler
_PLUGINS = tuple(
    f"lightning.pytorch.plugins.{name}"
    for name in ("CheckpointIO", "LayerSync", "Precision", "environments.ClusterEnvironment")
)
_DATASET = "torch.utils.data.Dataset"
# Transforms: modules, and those of torchvision that are none.
_TRANSFORMS = (
    "torch.nn.Module",
    *(f"torchvision.transforms.{name}" for name in ("Compose", "ToTensor", "PILToTensor", "ToPILImage")),
)
# The base classes that each place of a config asks for. A key stands for all places below it that have no key.
_BASES: dict[str, tuple[str, ...]] = {
    "data": ("firstlight.data.source.Source", DATA_MODULE),
    **{f"data.{split}": (_DATASET,) for split in ("train", "val", "test")},
    **{f"data.{place}.": (_DATASET, *_TRANSFORMS) for place in ("train", "val", "test", "options")},
    "augment": ("firstlight.augment.pipeline.Augment", "firstlight.augment.step.Step"),
    "augment.": ("firstlight.augment.step.Step", "torch.nn.Module"),
    "model": ("torch.nn.Module",),
    "task": ("firstlight.tasks.task.Task", MODULE),
    "task.": ("torch.nn.Module", "torch.optim.Optimizer", "torch.optim.lr_scheduler.LRScheduler"),
    "task.metrics": ("torchmetrics.Metric",),
    "optimizer": ("torch.optim.Optimizer",),
    "averaging": ("lightning.pytorch.callbacks.WeightAveraging",),
    "scheduler": (_SCHEDULER, "torch.optim.lr_scheduler.LRScheduler"),
    "logger.": ("lightning.pytorch.loggers.Logger",),
    "trainer": ("lightning.pytorch.Trainer",),
    "trainer.accelerator": ("lightning.pytorch.accelerators.Accelerator",),
    "trainer.callbacks": ("lightning.pytorch.Callback",),
    "trainer.logger": ("lightning.pytorch.loggers.Logger",),
    "trainer.plugins": _PLUGINS,
    "trainer.profiler": ("lightning.pytorch.profilers.Profiler",),
    "trainer.strategy": (
        "lightning.pytorch.strategies.Strategy",
        "lightning.pytorch.accelerators.Accelerator",
        *_PLUGINS,
    ),
}
_MAX_LENGTH = 200  # of a dotted path; file systems refuse long names
# Arguments of the Trainer, its parts and the loggers that name a folder to write to.
_FOLDERS = ("default_root_dir", "dirpath", "log_dir", "root_dir", "save_dir", "tracking_uri")


def check_targets(config: dict[str, Any], run_dir: Path) -> None:
    """Check that the config of a run folder calls only classes that are known, each in its place.

    A class is known if it is defined in firstlight, torch, torchvision, torchmetrics or Lightning, among the transforms
    of Kornia, or in the project in whose folder the user stands, and if it is a subclass of what its place asks for.
    Paths that the Trainer and the loggers write to must lie in the run folder. Nothing is imported.

    Args:
        config: the content of config.yaml.
        run_dir: the run folder. Python files inside it belong to its author, not to the user.

    Raises:
        ValueError: a target is not known. The message names its key, the target and `trust=true`.
    """
    for key, value in _items(config):
        if key.rpartition(".")[2] == "_target_":
            _check_target(key.rpartition(".")[0], value, run_dir, elsewhere(config))
        elif key.startswith(("logger.", "trainer.")) and isinstance(value, str):
            _check_path(key, value, run_dir)


def elsewhere(config: dict[str, Any]) -> str:
    """Return the hint for an error message if a run belongs to a project, and the user stands elsewhere."""
    project = config.get("project")
    if not isinstance(project, str) or Path(project) == project_dir():
        return ""
    return f"\nTo fix: run this command in the folder of the run's project, {printable(project)}"


def _items(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted path and the value of each entry of nested dicts and lists, `_target_` first."""
    if isinstance(node, dict):
        children: Iterable[tuple[Any, Any]] = sorted(node.items(), key=lambda item: item[0] != "_target_")
    else:
        children = enumerate(node) if isinstance(node, list) else ()
    for key, value in children:
        place = f"{path}.{key}" if path else str(key)
        yield place, value
        yield from _items(value, place)


def _check_target(place: str, target: Any, run_dir: Path, hint: str) -> None:
    asked = _asked_for(place)
    if isinstance(target, str) and _is_known(target, asked, run_dir):
        return
    kind = f"a subclass of {' or '.join(asked)}" if asked else "left out, because its place takes no object"
    kind = kind.replace(f"a subclass of {_SCHEDULER} or", f"a function as in {_SCHEDULER} or a subclass of")
    origin = (
        " that firstlight, torch, torchvision, torchmetrics, Lightning or the project in the working directory defines"
    )
    raise ValueError(
        f"{printable(place, 80)}._target_={printable(target, 80)}: must be {kind}{origin if asked else ''},"
        f" unless you trust the author of the run folder and set trust=true.{hint}"
    )


def _asked_for(place: str) -> tuple[str, ...]:
    """Return the base classes for the object at a dotted path; none if the place takes no object."""
    group, _, inner = place.partition(".")
    if not inner:
        return _BASES.get(group, ())
    if group == "data":
        place, _, rest = inner.partition(".")
        return _BASES.get(f"data.{place}." if rest else f"data.{place}", ())
    if group == "trainer":
        return _BASES.get(f"trainer.{inner.split('.')[0]}", ())
    if group == "logger":
        return () if "." in inner else _BASES["logger."]
    if group == "task" and inner.startswith("metrics."):
        return _BASES["task.metrics"]
    if group in ("augment", "model", "task", "scheduler"):
        return _BASES.get(f"{group}.", _BASES[group])
    return ()


def _is_known(target: str, asked: tuple[str, ...], run_dir: Path) -> bool:
    names = target.split(".")
    is_dotted = len(names) > 1 and all(name.isidentifier() and not name.startswith("_") for name in names)
    if not is_dotted or len(target) > _MAX_LENGTH:
        return False
    try:
        module, _ = find_module(target)
    except ValueError:  # not installed
        return False

    def is_allowed(path: Path | None) -> bool:
        return path is not None and (_is_listed(path) if names[0] in _PACKAGES else _is_own(path, run_dir))

    if not is_allowed(module):  # Hydra would import it
        return False
    definition = find_definition(target)
    is_excluded = names[0] in _PACKAGES and names[-1] in _EXCLUDED
    return definition is not None and is_allowed(definition.path) and _fits(definition, asked) and not is_excluded


def _fits(definition: Definition, asked: tuple[str, ...]) -> bool:
    """Return whether a definition is a subclass of one of the classes, or a scheduler if that is what is requested."""
    function = definition.statement
    if _SCHEDULER in asked and isinstance(function, ast.FunctionDef):
        return [a.arg for a in function.args.args[:2]] == _SIGNATURE
    if _BASES["model"][0] in asked:  # a network may also be what a function returns
        definition = returned(definition) or definition
    bases = [find_definition(base) for base in asked]
    return any(found in bases for found in ancestors(definition))


@functools.cache
def _listed_files() -> tuple[frozenset[Path], tuple[Path, ...], frozenset[Path | None]]:
    """Return files and folders of the modules and packages in `_MODULES`, and the files in `_LEFT_OUT`."""
    files, folders = set(), []
    for name in _MODULES:
        try:
            path, _ = find_module(name.removesuffix(".*"))
        except ValueError:  # not installed
            continue
        if path is not None and name.endswith("*"):
            folders.append(path.parent)
        elif path is not None:
            files.add(path)
    return frozenset(files), tuple(folders), frozenset(find_module(name)[0] for name in _LEFT_OUT)


def _is_listed(path: Path) -> bool:
    files, folders, left_out = _listed_files()
    return path not in left_out and (path in files or any(folder in path.parents for folder in folders))


def _is_own(path: Path, run_dir: Path) -> bool:
    """Return whether a file belongs to the project in the working directory, and is not an installed package.

    The folder of the project that holds the run does not count: what lies beside a run folder may have come with it.
    """
    path, root, run_dir = path.resolve(), Path.cwd().resolve(), run_dir.resolve()
    if run_dir.is_relative_to(root):
        run_dir = root.joinpath(*run_dir.relative_to(root).parts[:1])
    installed = {"site-packages", "dist-packages"} & set(path.parts)
    foreign = (run_dir, Path(sysconfig.get_path("stdlib")).resolve())
    return not installed and path.is_relative_to(root) and not any(path.is_relative_to(folder) for folder in foreign)


def _check_path(key: str, value: str, run_dir: Path) -> None:
    """Check that a text in the node of the Trainer or of a logger is not a path that leads out of the run folder."""
    leads_away = value.startswith("~") or Path(value).is_absolute() or ".." in Path(value).parts
    is_folder = key.rpartition(".")[2] in _FOLDERS
    if "://" in value or ((leads_away or is_folder) and not _lies_in(value, run_dir)):
        raise ValueError(
            f"{printable(key, 80)}={printable(value, 80)}: must be a path in the run folder,"
            " unless you trust the author of the run folder and set trust=true."
        )


def _lies_in(value: str, folder: Path) -> bool:
    try:
        return user_path(value).resolve().is_relative_to(folder.resolve())
    except (RuntimeError, ValueError, OSError):  # an unknown user, a null character, a name that is too long
        return False
