"""Gradio, set up to reach no other machine, and what the parts of the page have in common."""

import functools
import os
from collections.abc import Callable
from typing import Any

_SYSTEM_FONT = ("system-ui", "sans-serif")
_CODE_FONT = ("ui-monospace", "monospace")
_LOCAL = ("127.0.0.1", "localhost")
# What does not belong to the page: statistics of its use, and a second server in Node.
_SWITCHES = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GRADIO_SSR_MODE": "False",
}


def gradio() -> Any:
    """Return the module gradio, which takes two seconds to import.

    Raises:
        ValueError: it is not installed.
    """
    os.environ.update(_SWITCHES)
    hosts = [host for host in os.environ.get("NO_PROXY", "").split(",") if host]
    os.environ["NO_PROXY"] = ",".join(dict.fromkeys([*hosts, *_LOCAL]))  # the page calls itself once
    try:
        import gradio
    except ImportError:
        raise ValueError('demo: must be used with the package gradio. To fix: pip install "firstlight[demo]"') from None
    return gradio


def theme() -> Any:
    """Return the look of the page, light and dark: fonts of the system in place of those of Google."""
    themes = gradio().themes
    return themes.Base(primary_hue="blue", neutral_hue="gray", font=_SYSTEM_FONT, font_mono=_CODE_FONT)


def sentence(error: ValueError) -> str:
    """Return the first sentence of an error: why, without the advice for the command line."""
    why = str(error).split(" To fix:")[0].strip()
    return why if why.endswith(".") else f"{why}."


def answering(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose ValueErrors appear as sentences on the page, which goes on working."""

    @functools.wraps(function)
    def answer(*inputs: Any) -> Any:
        try:
            return function(*inputs)
        except ValueError as error:
            raise gradio().Error(sentence(error), duration=None, print_exception=False) from None

    return answer


# All answers wait for each other: there is one network on one device.
ONE_AT_A_TIME: dict[str, Any] = {"concurrency_id": "network", "concurrency_limit": 1}
# For answers that come while the user draws or moves a slider: no animation hides the last one.
QUIETLY: dict[str, Any] = {"show_progress": "hidden", **ONE_AT_A_TIME}
