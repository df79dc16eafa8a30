"""Run folders of other people: their config.yaml calls nothing but classes that are known, each in its place."""

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from firstlight.config.checking.targets import check_targets
from firstlight.config.compose import CONFIG_DIR
from firstlight.runs import RunFolder
from firstlight.runs.evaluate import evaluate
from firstlight.runs.load import load_task
from firstlight.runs.predict import predict
from firstlight.runs.sample import sample
from firstlight.training.run import resume

Node = dict[str, Any]
COMMANDS = ("evaluate", "predict", "sample", "resume")
MADE = "../made"  # the file that a hostile config tries to make, seen from the working directory
CALLBACKS = "lightning.pytorch.callbacks"
LOGGERS = "lightning.pytorch.loggers"
SCHEDULERS = "torch.optim.lr_scheduler"
OURS = "firstlight.training.loggers"


def node(target: Any, *args: Any, **values: Any) -> Node:
    return {"_target_": target} | ({"_args_": list(args)} if args else {}) | values


TOUCH = node("pathlib.Path.touch", node("pathlib.Path", MADE))
# The place of a node, the node, and the place of the target that the message must name if it lies inside the node.
HOSTILE: list[tuple[str, Any, str]] = [
    # functions of other packages, in the place of each group
    ("data", node("torch.load", MADE), ""),
    ("data", node("joblib.load", MADE), ""),
    ("data", node("numpy.load", MADE, allow_pickle=True), ""),
    ("data", node("pickle.load", node("builtins.open", MADE, "w")), ""),
    ("model", node("torch.hub.load", repo_or_dir="..", model="made", source="local"), ""),
    ("model", node("builtins.open", MADE, "w"), ""),
    ("model", node("canary.Network"), ""),
    ("model", node("canary"), ""),
    ("task", node("shutil.copytree", ".", MADE), ""),
    ("optimizer", node("pathlib.Path.touch", node("pathlib.Path", MADE)), ""),
    ("scheduler", node("os.mkdir", MADE), ""),
    ("trainer", node("subprocess.run", ["touch", MADE]), ""),
    ("augment", node("numpy.save", MADE, [1]), ""),
    # ways around a list of names
    ("data", node("hydra.utils.instantiate", TOUCH), ""),
    ("data", node("hydra.utils.call", TOUCH), ""),
    ("data", node("hydra.utils.get_method", "canary.Network"), ""),
    ("data", node("hydra.utils.get_object", "canary.Network"), ""),
    ("data", node("functools.partial", node("hydra.utils.get_method", "os.mkdir"), MADE), ""),
    ("data", node("builtins.getattr", node("importlib.import_module", "canary"), "Network"), ""),
    ("data", node("importlib.import_module", "canary"), ""),
    ("data", node("builtins.__import__", "canary"), ""),
    ("data", node("operator.methodcaller", "touch"), ""),
    ("data", node("runpy.run_path", "../elsewhere/canary.py"), ""),
    ("data", node("pydoc.locate", "canary.Network"), ""),
    ("data", node("torch.load", MADE, _partial_=True), ""),
    ("data", node("shutil.copytree", ".", MADE, _recursive_=False), ""),
    ("data", node("shutil.copytree", ".", MADE, _convert_="object"), ""),
    # dotted walks through a known module to a foreign one, and functions of known packages
    ("data", node("torch.os.mkdir", MADE), ""),
    ("data", node("firstlight.files.os.mkdir", MADE), ""),
    ("data", node("firstlight.data.store.shutil.copytree", ".", MADE), ""),
    ("trainer", node("lightning.pytorch.trainer.trainer.os.mkdir", MADE), ""),
    ("data", node("firstlight.files.write_text", MADE, "text"), ""),
    ("data", node("firstlight.files.user_path.__globals__"), ""),
    ("data", node("firstlight.runs.RunFolder.create"), ""),
    ("data", node("firstlight.data.source.Path", MADE), ""),
    ("model", node("torch.save", {}, MADE), ""),
    ("model", node("torch.jit.load", MADE), ""),
    ("model", node("torch.utils.cpp_extension.load", name="made", sources=[MADE]), ""),
    ("model", node("torch.nn.Module.__init_subclass__"), ""),
    ("model", node("firstlight.networks.lenet.nn.Linear", 1, 1), ""),
    ("scheduler", node("firstlight.training.run.train"), ""),
    ("scheduler", node("firstlight.training.schedulers.check_range"), ""),
    ("scheduler", node("firstlight.training.schedulers.bound.BoundScheduler", {}), ""),
    ("scheduler.lr_lambda", node("os.mkdir", MADE, _partial_=True), ""),
    ("scheduler", node(f"{SCHEDULERS}.LambdaLR", lr_lambda=node("os.mkdir", _partial_=True)), "scheduler.lr_lambda"),
    ("augment.own", node("torchvision.transforms.v2.Lambda", node("torch.nn.ReLU")), ""),
    ("augment.own", node("torchvision.transforms.Lambda", node("torch.nn.ReLU")), ""),
    ("augment.own", node("torchvision.transforms.v2.RandomApply", [TOUCH]), "augment.own._args_.0.0"),
    ("augment.own", node("torchvision.transforms.v2.functional.resize", MADE), ""),
    ("augment.own", node("torchvision.datasets.FakeData"), ""),
    # classes of known packages in a place that asks for another, or that do more than they should when they are built
    ("data", node("firstlight.runs.RunFolder", MADE), ""),
    ("data", node("torch.nn.Linear", 1, 1), ""),
    ("optimizer", node("firstlight.data.Digits", "."), ""),
    ("model", node("torch.optim.SGD"), ""),
    ("model", node("torch.jit.ScriptModule"), ""),
    ("model", node("torch.fx.GraphModule", {}, {}), ""),
    ("model", node("torch.package.PackageImporter", MADE), ""),
    ("model", node("torch.distributed.nn.RemoteModule", "cpu", "x"), ""),
    ("model", node("torchmetrics.text.BERTScore"), ""),
    ("trainer", node("lightning.fabric.Fabric"), ""),
    ("trainer", node("lightning.pytorch.cli.LightningCLI"), ""),
    # nested: in values, lists and dicts, in callbacks, steps, loggers and other parts of the Trainer
    ("data.dir", node("tempfile.mkdtemp", dir=".."), ""),
    ("data.dir", node("firstlight.data.Digits", "."), ""),
    ("data.points", [[TOUCH]], "data.points.0.0"),
    ("data.train", node("os.mkdir", MADE), ""),
    ("data.train", node("torch.load", MADE), ""),
    ("data.train", node("canary.Network"), ""),
    ("data.train", node("torch.nn.Linear", 1, 1), ""),
    ("data.train", node("firstlight.data.Digits", "."), ""),
    ("data.train", node("torchvision.datasets.LSUN", ".", "test"), ""),
    ("data.train", node("torchvision.datasets.utils.download_url", "http://example.com", MADE), ""),
    ("data.train", node("torchvision.io.write_file", MADE), ""),
    ("data.test", node("torch.utils.data.DataLoader", []), ""),
    ("data.train", node("torchvision.datasets.ImageFolder", ".", loader=TOUCH), "data.train.loader"),
    ("data.train.root", node("tempfile.mkdtemp", dir=".."), ""),
    ("data.val.transform", node("torchvision.transforms.Lambda", TOUCH), ""),
    ("data.options", {"transform": node("os.mkdir", MADE)}, "data.options.transform"),
    ("data.options", node("torchvision.datasets.FakeData"), ""),
    ("name", node("os.mkdir", MADE), ""),
    ("seed", [node("os.mkdir", MADE)], "seed.0"),
    ("model.hidden", {"deep": [{"deeper": node("os.mkdir", MADE)}]}, "model.hidden.deep.0.deeper"),
    ("model._args_", [node("os.mkdir", MADE)], "model._args_.0"),
    ("augment.flip", node("canary.Network"), ""),
    ("augment.flip.p", node("os.mkdir", MADE), ""),
    ("augment.flip", node("firstlight.files.write_text", MADE, "text"), ""),
    ("optimizer.lr", node("os.mkdir", MADE), ""),
    ("optimizer.closure", node("os.mkdir", MADE, _partial_=True), ""),
    ("trainer.callbacks", [node("os.mkdir", MADE)], "trainer.callbacks.0"),
    ("trainer.callbacks", [node(f"{CALLBACKS}.LambdaCallback", setup=TOUCH)], "trainer.callbacks.0.setup"),
    ("trainer.callbacks", {"mine": node("canary.Network")}, "trainer.callbacks.mine"),
    ("trainer.callbacks", [node("lightning.pytorch.cli.SaveConfigCallback")], "trainer.callbacks.0"),
    ("trainer.logger", node(f"{LOGGERS}.WandbLogger"), ""),
    ("trainer.logger", [node(f"{LOGGERS}.MLFlowLogger")], "trainer.logger.0"),
    ("trainer.logger", node("logging.FileHandler", MADE), ""),
    ("logger.wandb", node(f"{LOGGERS}.WandbLogger"), ""),
    ("logger.mlflow", node(f"{LOGGERS}.MLFlowLogger"), ""),
    ("logger.csv", node("os.mkdir", MADE), ""),
    ("logger.csv.experiment", node("os.mkdir", MADE), ""),
    ("logger.csv", node("firstlight.training.loggers.event_log.EventLog", "made"), ""),
    ("logger.csv", node("firstlight.training.loggers.build.build_loggers"), ""),
    ("logger.csv", node("canary.Network"), ""),
    ("trainer.profiler", node("cProfile.run", "open('made', 'w')"), ""),
    ("trainer.plugins", [node("os.mkdir", MADE)], "trainer.plugins.0"),
    ("trainer.strategy", node("os.mkdir", MADE), ""),
    ("trainer.strategy", node("lightning.pytorch.strategies.DDPStrategy", timeout=TOUCH), "trainer.strategy.timeout"),
    ("trainer.fast_dev_run", node("os.mkdir", MADE), ""),
    # targets that are not the name of a class
    ("model", node(""), ""),
    ("model", node(5), ""),
    ("model", node(None), ""),
    ("model", node(["os.mkdir"]), ""),
    ("model", node(node("os.mkdir", MADE)), ""),
    ("model", node(".networks.LeNet"), ""),
    ("model", node("torch"), ""),
    ("model", node(f"torch.nn.{'L' * 5000}"), ""),
    ("model", node("torch nn.Linear"), ""),
    ("model", node("os.mkdir\nall is well: trust me\x1b[2J"), ""),
]
# Files that known classes would write outside of the run folder.
PATHS: list[tuple[str, Any, str]] = [
    ("trainer.default_root_dir", "..", ""),
    ("trainer.logger", node(f"{LOGGERS}.CSVLogger", save_dir=".."), "trainer.logger.save_dir"),
    ("trainer.logger", node(f"{LOGGERS}.TensorBoardLogger", save_dir="logs"), "trainer.logger.save_dir"),
    ("logger.csv", node(f"{LOGGERS}.CSVLogger", save_dir=".."), "logger.csv.save_dir"),
    ("logger.mlflow", node(f"{OURS}.MLflow", tracking_uri="http://made.example"), "logger.mlflow.tracking_uri"),
    ("logger.mlflow", node(f"{OURS}.MLflow", tracking_uri="sqlite:///made.db"), "logger.mlflow.tracking_uri"),
    ("logger.mlflow", node(f"{OURS}.MLflow", tracking_uri="databricks"), "logger.mlflow.tracking_uri"),
    ("logger.mlflow", node(f"{OURS}.MLflow", tracking_uri="file:made"), "logger.mlflow.tracking_uri"),
    ("trainer.logger", node(f"{LOGGERS}.CSVLogger", save_dir="RUN", name="/made"), "trainer.logger.name"),
    (
        "trainer.callbacks",
        [node(f"{CALLBACKS}.ModelCheckpoint", filename="../../made")],
        "trainer.callbacks.0.filename",
    ),
    ("trainer.callbacks", [node(f"{CALLBACKS}.ModelCheckpoint", dirpath="~/made")], "trainer.callbacks.0.dirpath"),
    ("trainer.default_root_dir", "s3://bucket/made", ""),
    ("trainer.default_root_dir", "~unknown/made", ""),
    ("trainer.default_root_dir", "made\0", ""),
]


def put(config: Any, place: str, value: Any) -> None:
    """Set the value at a dotted path; missing dicts are added."""
    *parents, last = place.split(".")
    for name in parents:
        config = config.setdefault(name, {})
    config[last] = value


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, trained_run: Path) -> Path:
    """A folder with a stopped run in `run`, an image, a working directory `here`, a canary in `elsewhere`."""
    root = tmp_path_factory.mktemp("hostile")
    shutil.copytree(trained_run, root / "run")
    RunFolder(root / "run").write_metrics({"status": "interrupted"})
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(root / "image.png")
    (root / "here").mkdir()
    (root / "elsewhere").mkdir()
    made = repr(str(root / "made"))
    (root / "elsewhere" / "canary.py").write_text(
        f"import pathlib\npathlib.Path({made}).touch()\n"
        "from firstlight.networks import Linear\nclass Network(Linear): ...\n"
    )
    return root


@pytest.fixture
def write(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, Any], None]]:
    """Return a function that changes a value in the run's config.yaml, for one test."""
    monkeypatch.chdir(place / "here")
    monkeypatch.syspath_prepend(str(place / "elsewhere"))
    path = place / "run" / "config.yaml"
    before = path.read_text()

    def change(key: str, value: Any) -> None:
        config = yaml.safe_load(path.read_text())
        put(config, key, value)
        path.write_text(yaml.safe_dump(config))

    yield change
    path.write_text(before)


def calls(place: Path, trust: bool = False) -> dict[str, Callable[[], Any]]:
    run = place / "run"
    return {
        "evaluate": lambda: evaluate(run, trust=trust),
        "predict": lambda: predict(run, place / "image.png", output=place / "here" / "rows.csv", trust=trust),
        "sample": lambda: sample(run, output=place / "here" / "samples.png", trust=trust),
        "resume": lambda: resume(run, trust=trust),
    }


def files(place: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() if path.is_file() else b"" for path in place.rglob("*")}


def assert_refused(place: Path, start: str, *commands: str) -> str:
    """Assert that commands, or all, refuse the run in one line, make no file and import nothing; return the message."""
    before = files(place)
    messages = set()
    called = calls(place)
    for call in [called[command] for command in commands or called]:
        modules = set(sys.modules)
        with pytest.raises(ValueError, match=r".") as caught:
            call()
        assert set(sys.modules) == modules
        messages.add(str(caught.value))
    assert files(place) == before
    (message,) = messages
    assert message.startswith(start)
    assert message.isprintable()  # one line, without control characters
    assert len(message) < 600
    return message


@pytest.mark.parametrize(
    ("key", "value", "inner", "command"),
    [(*case, command) for case, command in zip(HOSTILE, itertools.cycle(COMMANDS), strict=False)],
    ids=lambda value: str(value)[:60] if value else "-",
)
def test_a_target_that_is_not_known_is_refused_before_anything_is_imported(
    place: Path, write: Callable[[str, Any], None], key: str, value: Any, inner: str, command: str
) -> None:
    """By one command each; all of them read a run in the same way, as the tests below show."""
    write(key, value)
    message = assert_refused(place, f"{inner or key}._target_=", command)
    assert "must be" in message
    assert message.endswith("unless you trust the author of the run folder and set trust=true.")
    if isinstance(value, dict) and isinstance(value.get("_target_"), str) and not inner:
        assert message.startswith(f"{key}._target_={value['_target_'].partition(chr(10))[0][:80]}")


def test_there_are_enough_hostile_configs() -> None:
    assert len(HOSTILE) + len(PATHS) >= 60


@pytest.mark.parametrize(("key", "value", "inner"), PATHS, ids=lambda value: str(value)[:60] if value else "-")
def test_a_path_of_the_trainer_outside_of_the_run_folder_is_refused(
    place: Path, write: Callable[[str, Any], None], key: str, value: Any, inner: str
) -> None:
    write(key, json.loads(json.dumps(value).replace("RUN", str(place / "run"))))
    message = assert_refused(place, f"{inner or key}=", "evaluate")
    assert "must be a path in the run folder" in message
    assert "trust=true" in message


def test_trust_calls_what_the_config_names(place: Path, write: Callable[[str, Any], None]) -> None:
    write("trust", True)  # in the run folder it means nothing
    write("model._target_", "canary.Network")
    assert_refused(place, "model._target_=canary.Network: must be a subclass of torch.nn.Module")
    try:
        task = load_task(place / "run", trust=True)
        assert type(task.network).__module__ == "canary"
        assert (place / "made").exists()
    finally:
        sys.modules.pop("canary", None)
        (place / "made").unlink()


def test_classes_of_the_project_in_the_working_directory_are_known(
    place: Path, write: Callable[[str, Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "from torch import nn\nimport firstlight.networks as nets\nfrom shutil import copytree\n"
    source += "class Network(nets.Linear): ...\nclass Helper: ...\nclass Loose(nn.Module): ...\n"
    (place / "here" / "mine").mkdir()
    (place / "here" / "mine" / "nets.py").write_text(source)
    (place / "here" / "mine" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(place / "here"))
    try:
        write("model._target_", "mine.nets.Network")
        assert evaluate(place / "run")["test/accuracy"] > 0.5
        for target in ("mine.nets.Helper", "mine.nets.copytree", "mine.nets.nets.Linear", "mine.Network"):
            write("model._target_", target)
            assert_refused(place, f"model._target_={target}: must be")
        write("model._target_", "mine.nets.Network")
        monkeypatch.chdir(place / "elsewhere")
        assert_refused(place, "model._target_=mine.nets.Network: must be")
    finally:
        shutil.rmtree(place / "here" / "mine")
        for name in [name for name in sys.modules if name.split(".")[0] == "mine"]:
            del sys.modules[name]


@pytest.mark.parametrize("folder", ["run", "here/.venv/lib/python3.12/site-packages"])
def test_modules_of_the_run_folder_and_installed_packages_are_not_the_users_project(
    place: Path, write: Callable[[str, Any], None], monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.syspath_prepend(str(place / folder))
    if folder == "run":
        monkeypatch.chdir(place / "run")
    (place / folder).mkdir(parents=True, exist_ok=True)
    module = shutil.copy(place / "elsewhere" / "canary.py", place / folder / "canary_inside.py")
    write("model._target_", "canary_inside.Network")
    try:
        assert_refused(place, "model._target_=canary_inside.Network: must be")
    finally:
        Path(module).unlink()
        shutil.rmtree(place / "here" / ".venv", ignore_errors=True)


def test_every_target_in_the_yaml_files_is_known(tmp_path: Path) -> None:
    found = 0
    for path in CONFIG_DIR.glob("*/*.yaml"):
        target = yaml.safe_load(path.read_text()).get("_target_", "???")
        if target != "???":
            check_targets({path.parent.name: {"_target_": target}}, tmp_path)
            found += 1
    assert found > 40


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("trainer.callbacks", [node(f"{CALLBACKS}.EarlyStopping", monitor="val/loss"), node(f"{CALLBACKS}.Timer")]),
        ("trainer.callbacks", [node(f"{CALLBACKS}.model_checkpoint.ModelCheckpoint", filename="{epoch}-{val/loss}")]),
        ("trainer.logger", node(f"{LOGGERS}.CSVLogger", save_dir="RUN/csv", name="all")),
        ("logger", {name: node(f"{OURS}.{name}") for name in ("TensorBoard", "CSV", "WandB", "MLflow")}),
        ("logger.lightning", node(f"{LOGGERS}.CSVLogger", save_dir="RUN/csv")),
        ("trainer.logger", [node("lightning.pytorch.loggers.tensorboard.TensorBoardLogger", save_dir="RUN")]),
        ("trainer.profiler", node("lightning.pytorch.profilers.SimpleProfiler", dirpath="RUN")),
        ("trainer.plugins", [node("lightning.pytorch.plugins.environments.SLURMEnvironment")]),
        ("trainer.plugins", node("lightning.pytorch.plugins.MixedPrecision", precision="bf16-mixed", device="cpu")),
        (
            "trainer.strategy",
            node(
                "lightning.pytorch.strategies.DDPStrategy",
                checkpoint_io=node("lightning.pytorch.plugins.TorchCheckpointIO"),
            ),
        ),
        ("trainer._target_", "lightning.Trainer"),
        (
            "model",
            node("torch.nn.Sequential", node("torch.nn.Flatten"), node("torch.nn.modules.linear.Linear", 64, 10)),
        ),
        ("task.metric", node("torchmetrics.Accuracy", task="multiclass")),
        ("task.loss", node("torch.nn.CrossEntropyLoss")),
        ("augment.twice", node("firstlight.augment.geometry.Flip", p=1)),
        ("data.train", node("torchvision.datasets.FakeData", transform=node("torchvision.transforms.ToTensor"))),
        (
            "data.test",
            node("torch.utils.data.ConcatDataset", [node("torchvision.datasets.ImageFolder", root="photos")]),
        ),
        ("data.options", {"transform": node("torchvision.transforms.v2.Grayscale")}),
        ("optimizer", node("torch.optim.NAdam", lr=1)),
        ("optimizer", node("torch.optim.Muon", lr=1)),
        ("augment.jitter", node("torchvision.transforms.v2.ColorJitter", brightness=0.3)),
        ("augment.some", node("torchvision.transforms.v2.RandomApply", [node("torchvision.transforms.GaussianBlur")])),
        ("augment.wrapped", node("firstlight.augment.ModuleStep", module=node("torch.nn.Dropout"))),
        ("scheduler", node("torch.optim.lr_scheduler.OneCycleLR")),
        ("scheduler", node("torch.optim.lr_scheduler.ChainedScheduler", schedulers=[node(f"{SCHEDULERS}.StepLR")])),
    ],
    ids=lambda value: str(value)[:50],
)
def test_classes_of_libraries_are_known_in_their_places(place: Path, key: str, value: Any) -> None:
    run = place / "run"
    config = yaml.safe_load(json.dumps({key: value}).replace("RUN", str(run)))
    nested: Node = {}
    put(nested, key, config[key])
    check_targets(nested, run)


@pytest.mark.parametrize(("name", "key"), [("evaluate", "run"), ("sample", "run"), ("train", "resume")])
def test_the_commands_refuse_a_hostile_run_in_one_line(
    place: Path,
    write: Callable[[str, Any], None],
    script: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    name: str,
    key: str,
) -> None:
    write("trainer.callbacks", [node("canary.Network")])
    before = files(place)
    process = script(name, f"{key}={place / 'run'}", PYTHONPATH=str(place / "elsewhere"))
    assert process.returncode == 1
    assert process.stdout == ""
    (line,) = process.stderr.splitlines()
    assert line.startswith("trainer.callbacks.0._target_=canary.Network: must be a subclass of lightning.pytorch.")
    assert "trust=true" in line
    assert files(place) == before
    assert not list(tmp_path.iterdir())


def test_a_resumed_run_does_not_write_through_links(
    place: Path, write: Callable[[str, Any], None], tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    path = place / "run" / "metrics.csv"
    before = path.read_bytes()
    path.unlink()
    path.symlink_to(precious)
    try:
        with pytest.raises(ValueError, match=r"metrics\.csv: must be a file of the run folder[\s\S]* trust=true\.$"):
            resume(place / "run")
    finally:
        path.unlink()
        path.write_bytes(before)
    assert precious.read_text() == "mine"


@pytest.mark.parametrize("content", ["code", "truncated", "other", "list"])
def test_a_damaged_or_hostile_checkpoint_is_one_sentence_without_advice_to_run_its_code(
    place: Path, write: Callable[[str, Any], None], content: str
) -> None:
    checkpoint = place / "run" / "checkpoints" / "best.ckpt"
    before = checkpoint.read_bytes()
    if content == "truncated":
        checkpoint.write_bytes(before[: len(before) // 2])
    else:
        torch.save(
            {"code": {"state_dict": _Touch(place)}, "other": {"state_dict": {}}, "list": [1]}[content], checkpoint
        )
    try:
        for name in ("evaluate", "predict", "sample"):
            with pytest.raises(ValueError, match=r"best\.ckpt: cannot read \(.*To fix: ") as caught:
                calls(place)[name]()
            assert "weights_only" not in str(caught.value)
            assert "\n" not in str(caught.value)
        assert not (place / "made").exists()
    finally:
        checkpoint.write_bytes(before)


class _Touch:
    def __init__(self, place: Path) -> None:
        self.path = place / "made"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize(
    "model",
    [
        node("firstlight.networks.MLP", hidden_sizes=[10**9]),
        node("firstlight.networks.MLP", hidden_sizes=[6000] * 9),
        node("firstlight.networks.LSTM", hidden_size=10**5),
    ],
    ids=lambda model: str(model)[:70],
)
def test_a_network_that_is_larger_than_its_checkpoint_is_refused_before_it_takes_memory(
    place: Path, write: Callable[[str, Any], None], model: Node
) -> None:
    write("model", model)
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("evaluate", "predict", "resume"):
        with pytest.raises(
            ValueError, match=r"^model: must have the weights in \w+\.ckpt, .* MB, and its config asks"
        ) as e:
            calls(place)[name]()
        assert str(e.value).isprintable()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1e6  # kilobytes
