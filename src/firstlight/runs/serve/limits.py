"""The bounds of requests, so that no client takes the memory or the time of the others."""

from dataclasses import dataclass, fields

from firstlight.checks import check_range

_JSON = 16  # JSON takes this many times more memory as objects than as text


@dataclass(frozen=True)
class Limits:
    """The bounds of requests.

    Attributes:
        bytes: of a request. Twice as many are in memory at a time: other requests wait.
        items: images, rows or texts of a request.
        pixels: of an image. Images take four bytes for each of these pixels at a time: other images wait.
        characters: of a text.
        requests: that are answered at a time; others are refused with status 503.
        seconds: until a request is answered, the time of the upload included.

    Raises:
        ValueError: a bound is not above 0.
    """

    bytes: int = 32_000_000
    items: int = 256
    pixels: int = 40_000_000
    characters: int = 10_000
    requests: int = 128
    seconds: float = 30.0

    def __post_init__(self) -> None:
        for field in fields(self):
            check_range(f"limits.{field.name}", getattr(self, field.name), above=0)

    @property
    def json_bytes(self) -> int:
        """Bytes of a request in JSON."""
        return max(1, self.bytes // _JSON)
