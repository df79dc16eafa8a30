"""Networks of the library timm."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from firstlight.data.files.download import unreachable
from firstlight.networks.layers import build_dropout
from firstlight.networks.network import Network
from firstlight.spec import DataSpec
from firstlight.transfer.imagenet import imagenet_labels
from firstlight.transfer.pretrained import OFFLINE, Pretrained, unknown_weights
from firstlight.transfer.published_weights import fetch
from firstlight.transfer.weights_file import read_weights

_SMALLEST = 64  # most networks halve height and width five times, which leaves two pixels
_FILE = "model.safetensors"  # name of the file in each of timm's repositories on the Hugging Face Hub


class Timm(Network):
    """A network of timm.

    Shapes: (batch, channels, height, width) -> (batch, num_outputs).

    Source: Wightman 2019, "PyTorch image models". It needs the extra `timm`.

    Args:
        spec: spec of the data; images of the size that `input_size_for` returns, or another size that the network
            accepts.
        name: name of the network in timm. A tag of weights may follow after a dot and selects the default weights.
        dropout: probability that a unit before the last layer is dropped in training.

    Attributes:
        head_names: paths of the output layers; some networks have two.

    Raises:
        ValueError: timm is not installed, the network is unknown or does not accept the size of the images, or the
            dropout is out of range.
    """

    accepts: ClassVar[str] = "images"
    weights_prefix: ClassVar[str] = "timm."

    def __init__(self, spec: DataSpec, *, name: str, dropout: float = 0.0) -> None:
        super().__init__()
        problem = _find_problem(name, spec)
        if problem:
            _, height, width = spec.input_shape
            size = _get_metadata(name).input_size[-1]
            raise ValueError(
                f"name={name}: must fit images of {height}x{width} ({problem}). To fix: set augment.size={size}."
            )
        self.timm = _create_network(name, spec, drop_rate=build_dropout(dropout).p or None)
        classifier = self.timm.pretrained_cfg["classifier"]
        paths = [classifier] if isinstance(classifier, str) else classifier
        self.head_names = tuple(f"{self.weights_prefix}{path}" for path in paths)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs)."""
        return self.timm(inputs)

    @classmethod
    def input_size_for(cls, spec: DataSpec, /, *, name: str = "", **_: Any) -> int | None:
        """Return the height and width to which the images are resized for the network; None keeps the size of the data.

        Images below 64 pixels are enlarged to 64. A network that does not accept the result gets the size of its
        pretrained weights.
        """
        metadata = _get_metadata(name)
        small = min(spec.image_size) < _SMALLEST
        enlarged = spec.resized(_SMALLEST, _SMALLEST) if small else spec
        if metadata.fixed_input_size or _find_problem(name, enlarged):
            return metadata.input_size[-1]
        return _SMALLEST if small else None

    @classmethod
    def pretrained(cls, weights: str, /, *, name: str = "", **_: Any) -> Pretrained:
        """Return the weights of a tag; `timm.list_pretrained` lists the tags after the dot of each name.

        Raises:
            ValueError: timm is missing, or the name or the tag is unknown. `load` raises it if there are no weights.
        """
        library, metadata = _import_timm(), _get_metadata(name)
        if weights != "default":
            found = library.models.get_arch_pretrained_cfgs(metadata.architecture)
            tags = {entry.tag: entry for entry in found.values() if entry.has_weights}
            if weights not in tags:
                raise unknown_weights(weights, ["default", *tags])
            metadata = tags[weights]
        full_name = f"{metadata.architecture}.{metadata.tag}"

        def load() -> Mapping[str, Tensor]:
            if not metadata.has_weights:  # checked here, because a weights file needs the preprocessing only
                raise ValueError(f"model.weights={weights}: timm has no weights for {name}. {OFFLINE}")
            # timm renames the parameters of older files when it creates a network from them.
            overlay = {"state_dict": read_weights(_find_or_download(full_name, metadata))}
            return library.create_model(full_name, pretrained=True, pretrained_cfg_overlay=overlay).state_dict()

        return Pretrained(
            name=full_name,
            load=load,
            labels=imagenet_labels() if metadata.num_classes == 1000 else (),
            size=metadata.input_size[-1],
            mean=tuple(metadata.mean),
            std=tuple(metadata.std),
            interpolation=metadata.interpolation,
            crop=metadata.crop_pct,
        )


def _import_timm() -> Any:
    try:
        import timm
    except ImportError:
        raise ValueError("timm is not installed: uv sync --extra timm, or pip install timm.") from None
    return timm


def _get_metadata(name: str) -> Any:
    """Return timm's metadata of a network: its pretrained weights and their preprocessing.

    Raises:
        ValueError: the network or the tag of its weights is unknown.
    """
    library = _import_timm()
    architecture, _, tag = name.partition(".")
    if not library.is_model(architecture):
        similar = " or ".join(difflib.get_close_matches(architecture, library.list_models(), n=3, cutoff=0))
        raise ValueError(f"name={name}: unknown timm network, did you mean {similar}? timm.list_models() lists all.")
    tags = library.models.get_arch_pretrained_cfgs(architecture)
    if tag and name not in tags:
        raise unknown_weights(tag, [entry.tag for entry in tags.values()])
    return library.models.get_pretrained_cfg(name)


def _create_network(name: str, spec: DataSpec, **options: Any) -> Any:
    channels, height, width = spec.input_shape
    if _get_metadata(name).fixed_input_size:
        options["img_size"] = (height, width)
    return _import_timm().create_model(name, num_classes=spec.num_outputs, in_chans=channels, **options)


def _find_problem(name: str, spec: DataSpec) -> str | None:
    """Return why a network does not accept images of this shape, or None if it does.

    The network runs on the meta device, which computes shapes only and takes a tenth of a second.
    """
    try:
        with torch.device("meta"), torch.no_grad():
            _create_network(name, spec).eval()(torch.empty(1, *spec.input_shape))
    except (AssertionError, RuntimeError) as error:
        return str(error).splitlines()[0]
    return None


def _find_or_download(name: str, metadata: Any) -> Path:
    """Return the path of a weights file in the cache, and download it first if the cache does not hold it.

    Raises:
        ValueError: the cache does not hold the file, and it cannot be downloaded.
    """
    if not metadata.hf_hub_id:
        return fetch(metadata.url)
    import huggingface_hub as hub  # a dependency of timm

    repository, _, revision = metadata.hf_hub_id.partition("@")
    cached = hub.try_to_load_from_cache(repository, _FILE, revision=revision or None)
    if isinstance(cached, str):
        return Path(cached)
    # Checked first, because the hub's client retries for minutes without a connection.
    problem = "HF_HUB_OFFLINE is set" if hub.is_offline_mode() else unreachable(hub.hf_hub_url(repository, _FILE))
    if problem is None:
        try:
            return Path(hub.hf_hub_download(repository, _FILE, revision=revision or None))
        except Exception as error:  # of the hub or of its HTTP client
            problem = type(error).__name__
    raise ValueError(f"model.weights={name}: cannot download {repository} from the hub ({problem}).\n{OFFLINE}")
