"""A process trains a run, then forks a child for each case. A case is the first use of a deferred module."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.runs import TINY

RUN = """
import json, os, sys, traceback
import torch
from firstlight.config.compose import compose
from firstlight.training import train

torch.set_num_threads(1)  # a child has only the thread that forks it
train(compose(*json.loads(sys.argv[1])), run_dir=sys.argv[2])
deferred = ["matplotlib", "torchvision", "scipy.signal", "torch._inductor", "torch._dynamo.eval_frame"]
deferred += ["torchmetrics.functional"]
imported = [name for name in deferred if name in sys.modules]
assert not imported, imported
stand_in = sys.modules["torch._dynamo"]
assert type(stand_in).__name__ == "_Compiler", stand_in

failed = []
for name, code in json.loads(sys.argv[3]).items():
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            exec(code, globals())
            print(name, "passed", flush=True)
            os._exit(0)
        except BaseException:
            print(f"{name}: {traceback.format_exc()}", file=sys.stderr, flush=True)
            os._exit(1)
    if os.waitpid(child, 0)[1]:
        failed.append(name)
sys.exit(f"failed: {failed}" if failed else 0)
"""

CASES = {
    "import torchvision": """
import torchvision
assert torchvision.models.resnet18().eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 1000)
""",
    "torch.compile": """
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.compile import OptimizedModule, to_uncompiled

class Module(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 3)

    def forward(self, x):
        return self.layer(x)

disabled = torch.optim.Optimizer.zero_grad.__wrapped__
assert vars(disabled)["__dynamo_disable"] is disabled  # the stand-in's answer to the optimizer of the run
module, x = Module(), torch.ones(2, 4)
assert not isinstance(module, OptimizedModule)
compiled = torch.compile(module, backend="eager")
assert sys.modules["torch._dynamo"] is not stand_in
torch.testing.assert_close(compiled(x), module(x))
assert type(compiled) is torch._dynamo.OptimizedModule
assert isinstance(compiled, OptimizedModule)
assert to_uncompiled(compiled) is module

optimizer = torch.optim.AdamW(module.parameters())
before = module.layer.weight.clone()
module(x).sum().backward()
optimizer.step()
assert not torch.equal(module.layer.weight, before)

@torch.compile(backend="eager")
def step(x):
    y = x * 2
    optimizer.zero_grad()
    return y + 1

from torch._dynamo.utils import counters
counters.clear()
step(x)
assert vars(disabled)["__dynamo_disable"] is not disabled
assert counters["stats"]["unique_graphs"] == 2  # before and after zero_grad, which the compiler skips
""",
    "torch.compiler.disable": """
calls = []
function = torch.compiler.disable(lambda: calls.append(torch.compiler.is_compiling()))
assert sys.modules["torch._dynamo"] is not stand_in
@torch.compile(backend="eager")
def compiled(x):
    function()
    return x + 1

compiled(torch.ones(2))
assert calls == [False]
""",
    "import torch._dynamo.config": """
import torch._dynamo.config
assert torch._dynamo.config.suppress_errors is False
assert torch._dynamo.config is sys.modules["torch._dynamo.config"]
""",
    "torch._dynamo.OptimizedModule": """
import importlib.util
assert importlib.util.find_spec("torch._dynamo") is not None
assert importlib.util.find_spec("torchmetrics") is not None
import torch._dynamo
assert torch._dynamo is stand_in
real_class = torch._dynamo.OptimizedModule
assert real_class.__module__ == "torch._dynamo.eval_frame"
assert torch._dynamo is sys.modules["torch._dynamo"] is not stand_in
assert stand_in.OptimizedModule is real_class
""",
    "torchmetrics.classification": """
import torchmetrics
assert torchmetrics.__version__[0].isdigit()
assert "torchmetrics.classification" not in sys.modules
metric = torchmetrics.classification.MulticlassAUROC(num_classes=3)
assert metric(torch.eye(3), torch.arange(3)) == 1
from lightning.pytorch.trainer.connectors.logger_connector.result import Metric
assert Metric is torchmetrics.Metric

from firstlight.training.lean_imports import defer_imports
before = sys.modules["torch._dynamo"], sys.modules["torchmetrics"]
defer_imports()
assert before == (sys.modules["torch._dynamo"], sys.modules["torchmetrics"])
""",
    "metric.plot": """
import torchmetrics
metric = torchmetrics.MeanMetric()
metric.update(2.0)
figure, axis = metric.plot()
import matplotlib.pyplot
assert isinstance(axis, matplotlib.axes.Axes)
assert axis.lines[0].get_ydata() == [2]
""",
    "from torchmetrics.functional import accuracy": """
from torchmetrics.functional import accuracy
assert accuracy(torch.tensor([0, 1]), torch.tensor([0, 0]), task="binary") == 0.5
""",
}


@pytest.mark.slow
def test_a_run_imports_no_deferred_module_and_each_works_afterwards(tmp_path: Path) -> None:
    arguments = [json.dumps(TINY), str(tmp_path / "run"), json.dumps(CASES)]
    done = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("passed") == len(CASES)
