"""Defer slow imports that most runs do not need.

`import lightning.pytorch` takes seconds. Most of this time goes into modules that firstlight does not use:

- `torchmetrics` imports all its metrics, and with them torchvision and SciPy. Lightning needs two of its classes.
- `torchmetrics.utilities.plot` imports Matplotlib, for the types of arguments that these two classes have.
- `torch.utils.flop_counter` imports triton. Lightning needs it for a table that firstlight does not print.
- `torch._dynamo` is the compiler. Lightning imports it for the name of one class. Every optimizer imports it at its
  first step, to exclude some functions from compilation.

`defer_imports` puts a stand-in for each into `sys.modules`. A stand-in has the few attributes that Lightning and the
optimizers use. Any other use, such as `torch.compile` or a metric of torchmetrics, imports the real module, which then
replaces the stand-in.
"""

import gc
import importlib
import importlib.abc
import importlib.metadata
import importlib.util
import logging
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from types import FrameType, ModuleType
from typing import Any

_DYNAMO = "torch._dynamo"


@contextmanager
def pause_garbage_collection() -> Iterator[None]:
    """Import modules in this block without garbage collections, which find nothing and take a tenth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def defer_imports() -> None:
    """Defer these modules until something needs them. Call this before Lightning is imported.

    A module that is imported already stays as it is.
    """
    for name, answers in _UNEXECUTED.items():
        spec = None if name in sys.modules else _spec_of(name)
        if spec is not None:
            sys.modules[name] = _Unexecuted(spec, answers)
    if _DYNAMO not in sys.modules:
        sys.modules[_DYNAMO] = _Compiler(_DYNAMO)
        sys.meta_path.insert(0, _Submodules())


def _spec_of(name: str) -> ModuleSpec | None:
    """Return where the code of a module is. Unlike `importlib.util.find_spec`, this imports no package around it."""
    spec, path, package = None, None, ""
    for part in name.split("."):
        package = f"{package}.{part}" if package else part
        spec = PathFinder.find_spec(package, path)
        if spec is None:
            return None
        path = spec.submodule_search_locations
    return spec


class _Unexecuted(ModuleType):
    """A module or package whose code has not run yet.

    Args:
        spec: says where the code is.
        answers: attributes that Lightning and the submodules get without running the code.
    """

    def __init__(self, spec: ModuleSpec, answers: Mapping[str, Callable[[], Any]]) -> None:
        super().__init__(spec.name)
        self.__spec__, self.__file__, self._answers = spec, spec.origin, answers
        if spec.submodule_search_locations is not None:
            self.__path__ = spec.submodule_search_locations

    def __getattr__(self, name: str) -> Any:
        if name == "__version__":  # Lightning asks for it
            return importlib.metadata.version(self.__name__)
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)  # questions about the kind of the module, such as `__wrapped__`
        if name in self._answers and _module_of(sys._getframe(1))[0].startswith(_ASKERS):
            return self._answers[name]()
        assert self.__spec__ is not None
        assert self.__spec__.loader is not None
        self.__class__ = ModuleType  # type: ignore[assignment]  # `__getattr__` is not needed any more
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def _module_of(frame: FrameType | None) -> tuple[str, FrameType | None]:
    """Return the module of the nearest frame outside the import system, and the frame that called it."""
    while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return ("", None) if frame is None else (str(frame.f_globals.get("__name__")), frame.f_back)


def _metric_class(module: str, name: str) -> Any:
    importlib.import_module("torchmetrics.utilities")  # the order in which torchmetrics imports its modules
    return getattr(importlib.import_module(module), name)


def _flop_counter(*args: Any, **kwargs: Any) -> Any:
    from torch.utils.flop_counter import FlopCounterMode

    return FlopCounterMode(*args, **kwargs)


def _plot(*args: Any, **kwargs: Any) -> Any:
    from torchmetrics.utilities.plot import plot_single_or_multi_val

    return plot_single_or_multi_val(*args, **kwargs)


_ASKERS = ("lightning.", "torchmetrics.")
_UNEXECUTED: dict[str, dict[str, Callable[[], Any]]] = {
    "torchmetrics": {
        "Metric": lambda: _metric_class("torchmetrics.metric", "Metric"),
        "MetricCollection": lambda: _metric_class("torchmetrics.collections", "MetricCollection"),
        "_logger": lambda: logging.getLogger("torchmetrics"),
    },
    "torchmetrics.utilities.plot": {
        "_AX_TYPE": lambda: Any,
        "_PLOT_OUT_TYPE": lambda: Any,
        "plot_single_or_multi_val": lambda: _plot,
    },
    "torch.utils.flop_counter": {"FlopCounterMode": lambda: _flop_counter},
}


class _Compiler(ModuleType):
    """The stand-in for `torch._dynamo`, for the code that uses the compiler even if nothing is compiled."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, None)  # `importlib.util.find_spec` raises an error if a module has none

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(_DYNAMO) is self and _is_optional_use(sys._getframe(1)):
            if name in _REPLACEMENTS:
                return _REPLACEMENTS[name]
            if name == "__path__":  # `from torch._dynamo import …` looks for submodules
                raise AttributeError(name)
        if name.startswith("__") and name != "__path__":
            raise AttributeError(name)  # questions about the kind of the module, such as `__file__`
        return getattr(_import_compiler(), name)


def _is_optional_use(frame: FrameType | None) -> bool:
    """Return whether a frame belongs to code that uses the compiler even if nothing is compiled."""
    caller, frame = _module_of(frame)
    if caller == "torch.compiler":  # its caller decides
        caller, _ = _module_of(frame)
    return caller in ("torch.optim.optimizer", "torch._compile") or caller.startswith("lightning.")


def _import_compiler() -> ModuleType:
    """Import the real `torch._dynamo`, and forget which functions the stand-in has disabled."""
    if isinstance(sys.modules.get(_DYNAMO), _Compiler):
        del sys.modules[_DYNAMO]
        for function in list(_disabled):
            vars(function).pop("__dynamo_disable", None)
    return importlib.import_module(_DYNAMO)


def _graph_break(*_args: Any, **_kwargs: Any) -> None:
    """Do nothing: without a compiler there is no graph to break."""


def _disable(function: Callable[..., Any] | None = None, recursive: bool = True, **kwargs: Any) -> Any:
    """Return the function, which the compiler will not trace if it is imported later."""
    if kwargs.get("wrapping") is False and function is not None:  # called by `torch._compile`, which keeps the result
        _disabled.add(function)
        return function
    from torch._compile import _disable_dynamo  # disables the function when it is called

    return _disable_dynamo(function, recursive)


class _IsCompiled(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return not isinstance(sys.modules.get(_DYNAMO), _Compiler) and isinstance(
            instance, _import_compiler().OptimizedModule
        )


class _OptimizedModule(metaclass=_IsCompiled):
    """The class of compiled modules, for `isinstance`. Before the compiler is imported, there are no instances."""


_REPLACEMENTS: dict[str, Any] = {
    "graph_break": _graph_break,
    "disable": _disable,
    "OptimizedModule": _OptimizedModule,
}
# Functions that `_disable` has returned as they are. Weak, because some of them hold the tensors of a step.
_disabled: weakref.WeakSet[Callable[..., Any]] = weakref.WeakSet()


class _Submodules(importlib.abc.MetaPathFinder):
    """Finds a submodule that the compiler has imported itself.

    `import torch._dynamo.config` reads `__path__` of the stand-in, which imports the compiler with its submodules. The
    import system would then execute the submodule a second time, if this finder did not return the existing one.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.startswith(f"{_DYNAMO}.") and fullname in sys.modules and target is None:
            return ModuleSpec(fullname, _Existing(sys.modules[fullname]))
        return None


class _Existing(importlib.abc.Loader):
    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__spec__"] = self.spec  # not by assignment: `torch._dynamo.config` accepts only settings
