"""Defer slow imports that most runs do not need.

`import lightning.pytorch` takes seconds. Most of this time goes into two modules that firstlight does not use:

- `torchmetrics` imports all its metrics, and with them torchvision and SciPy. Lightning needs two of its classes.
- `torch._dynamo` is the compiler. Lightning imports it for the name of one class. Every optimizer imports it at its
  first step, to exclude some functions from compilation.

`defer_imports` puts a stand-in for each into `sys.modules`. A stand-in has the few attributes that Lightning and the
optimizers use. Any other use, such as `torch.compile` or a metric of torchmetrics, imports the real module, which then
replaces the stand-in.
"""

import importlib
import importlib.abc
import importlib.util
import logging
import sys
import weakref
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any

_METRICS = "torchmetrics"
_BASE_CLASSES = {"Metric": "torchmetrics.metric", "MetricCollection": "torchmetrics.collections"}
_DYNAMO = "torch._dynamo"


def defer_imports() -> None:
    """Defer the imports of `torchmetrics` and `torch._dynamo`. Call this before Lightning is imported.

    A module that is imported already stays as it is.
    """
    if _METRICS not in sys.modules:
        spec = importlib.util.find_spec(_METRICS)
        if spec is not None:
            sys.modules[_METRICS] = _Metrics(spec)
    if _DYNAMO not in sys.modules:
        sys.modules[_DYNAMO] = _Compiler(_DYNAMO)
        sys.meta_path.insert(0, _Submodules())


class _Metrics(ModuleType):
    """The stand-in for `torchmetrics`: the package, before its `__init__` is executed.

    Submodules can be imported from it. An attribute that is neither a submodule nor one of `_BASE_CLASSES` executes
    the `__init__`, which makes this the real module.
    """

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(spec.name)
        self.__spec__, self.__path__, self.__file__ = spec, spec.submodule_search_locations or [], spec.origin
        self._logger = logging.getLogger(spec.name)  # the submodules import it from the package

    def __getattr__(self, name: str) -> Any:
        if name == "__version__":  # Lightning asks for it
            return importlib.import_module("torchmetrics.__about__").__version__
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)  # questions about the kind of the module, such as `__wrapped__`
        if name in _BASE_CLASSES:
            importlib.import_module("torchmetrics.utilities")  # the order in which torchmetrics imports its modules
            return getattr(importlib.import_module(_BASE_CLASSES[name]), name)
        assert self.__spec__ is not None
        assert self.__spec__.loader is not None
        self.__class__ = ModuleType  # type: ignore[assignment]  # `__getattr__` is not needed any more
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


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


def _is_optional_use(frame: FrameType) -> bool:
    """Return whether a frame belongs to code that uses the compiler even if nothing is compiled."""
    caller = str(frame.f_globals.get("__name__"))
    if caller == "torch.compiler":  # its caller decides
        caller = str(frame.f_back.f_globals.get("__name__")) if frame.f_back else ""
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
