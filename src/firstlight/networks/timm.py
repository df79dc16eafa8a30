"""The networks of timm."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from firstlight.data.download import unreachable
from firstlight.networks.layers import build_dropout
from firstlight.spec import DataSpec
from firstlight.transfer.imagenet import imagenet_labels
from firstlight.transfer.pretrained import OFFLINE, Pretrained, unknown_weights
from firstlight.transfer.published_weights import fetch
from firstlight.transfer.weights_file import read_weights

_SMALLEST = 64  # most of them halve height and width five times, and two pixels are left
_FILE = "model.safetensors"  # of each of timm's repositories on the hub


class Timm(nn.Module):
    """A network of timm, by its name: (batch, channels, height, width) -> (batch, num_outputs).

    Source: Wightman 2019, "PyTorch image models"; each has a paper of its own. It takes the extra `timm`.

    Args:
        spec: of images of the size that `input_size_for` gives, or of another that the network takes.
        name: as timm has it; a tag of weights behind a dot makes these the default ones.
        dropout: probability that a unit before the last layer is dropped in training.

    Attributes:
        heads: the layers that give the outputs; some networks have two.

    Raises:
        ValueError: timm is not installed or has no such network, a size that the network does not take, or a
            probability outside 0 to 1.
    """

    accepts: ClassVar[str] = "images"
    weights_prefix: ClassVar[str] = "timm."

    def __init__(self, spec: DataSpec, *, name: str, dropout: float = 0.0) -> None:
        super().__init__()
        problem = _problem(name, spec)
        if problem:
            _, height, width = spec.input_shape
            own = _facts(name).input_size[-1]
            raise ValueError(f"name={name}: not for {height}x{width} ({problem}); augment.size={own} is its own.")
        self.timm = _create(name, spec, drop_rate=build_dropout(dropout).p or None)
        classifier = self.timm.pretrained_cfg["classifier"]
        paths = [classifier] if isinstance(classifier, str) else classifier
        self.head_names = tuple(f"{self.weights_prefix}{path}" for path in paths)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs)."""
        return self.timm(inputs)

    @classmethod
    def input_size_for(cls, spec: DataSpec, *, name: str, **_: Any) -> int | None:
        """The height and width at which the network sees the data; None for the data's own.

        Images below 64 pixels are enlarged to 64. Where that does not do, it is the size of timm's weights.
        """
        facts = _facts(name)
        small = min(spec.image_size) < _SMALLEST
        wanted = spec.resized(_SMALLEST, _SMALLEST) if small else spec
        if facts.fixed_input_size or _problem(name, wanted):
            return facts.input_size[-1]
        return _SMALLEST if small else None

    @classmethod
    def pretrained(cls, weights: str, *, name: str, **_: Any) -> Pretrained:
        """The weights of a tag, as `timm.list_pretrained` has them behind the dot."""
        library, facts = _library(), _facts(name)
        if weights != "default":
            found = library.models.get_arch_pretrained_cfgs(facts.architecture)
            tags = {of_tag.tag: of_tag for of_tag in found.values() if of_tag.has_weights}
            if weights not in tags:
                raise unknown_weights(weights, ["default", *tags])
            facts = tags[weights]
        full_name = f"{facts.architecture}.{facts.tag}"

        def load() -> Mapping[str, Tensor]:
            if not facts.has_weights:  # a file may still be put into such a network
                raise ValueError(f"model.weights={weights}: timm has none for {name}. {OFFLINE}")
            # Through a network of timm's, because timm brings the names in older files up to date.
            given = {"state_dict": read_weights(_file(full_name, facts))}
            return library.create_model(full_name, pretrained=True, pretrained_cfg_overlay=given).state_dict()

        return Pretrained(
            name=full_name,
            load=load,
            labels=imagenet_labels() if facts.num_classes == 1000 else (),
            size=facts.input_size[-1],
            mean=tuple(facts.mean),
            std=tuple(facts.std),
            interpolation=facts.interpolation,
            crop=facts.crop_pct,
        )


def _library() -> Any:
    try:
        import timm
    except ImportError:
        raise ValueError("timm is not installed: uv sync --extra timm, or pip install timm.") from None
    return timm


def _facts(name: str) -> Any:
    """What timm knows of a network's weights and the images that they were found with.

    Raises:
        ValueError: it has no such network, or no such weights of it.
    """
    library = _library()
    architecture, _, tag = name.partition(".")
    if not library.is_model(architecture):
        near = " or ".join(difflib.get_close_matches(architecture, library.list_models(), 3, 0))
        raise ValueError(
            f"name={name}: timm has no such network. Did you mean {near}? timm.list_models() has them all."
        )
    tags = library.models.get_arch_pretrained_cfgs(architecture)
    if tag and name not in tags:
        raise unknown_weights(tag, [facts.tag for facts in tags.values()])
    return library.models.get_pretrained_cfg(name)


def _create(name: str, spec: DataSpec, **options: Any) -> Any:
    channels, height, width = spec.input_shape
    if _facts(name).fixed_input_size:
        options["img_size"] = (height, width)
    return _library().create_model(name, num_classes=spec.num_outputs, in_chans=channels, **options)


def _problem(name: str, spec: DataSpec) -> str | None:
    """Why a network does not take images; None where it does. Shapes alone tell it, in a tenth of a second."""
    try:
        with torch.device("meta"), torch.no_grad():
            _create(name, spec).eval()(torch.empty(1, *spec.input_shape))
    except (AssertionError, RuntimeError) as error:
        return str(error).splitlines()[0]
    return None


def _file(name: str, facts: Any) -> Path:
    """The file of weights: in a cache, or downloaded into it.

    Raises:
        ValueError: it is in no cache, and cannot be downloaded.
    """
    if not facts.hf_hub_id:
        return fetch(facts.url)
    import huggingface_hub as hub  # timm needs it too

    repository, _, revision = facts.hf_hub_id.partition("@")
    cached = hub.try_to_load_from_cache(repository, _FILE, revision=revision or None)
    if isinstance(cached, str):
        return Path(cached)
    # The hub's own client tries for minutes.
    problem = "HF_HUB_OFFLINE is set" if hub.is_offline_mode() else unreachable(hub.hf_hub_url(repository, _FILE))
    if problem is None:
        try:
            return Path(hub.hf_hub_download(repository, _FILE, revision=revision or None))
        except Exception as error:  # what its HTTP client raises, and its own
            problem = type(error).__name__
    raise ValueError(f"model.weights={name}: {repository} of the hub cannot be reached ({problem}).\n{OFFLINE}")
