"""The bodies of requests, and how the pages describe them."""

from typing import Any

from pydantic import BaseModel, Field

from firstlight.runs.serve.models.served import Served

Cell = str | int | float | bool | None

UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                }
            }
        },
    }
}


class Rows(BaseModel):
    """Rows of a table."""

    rows: list[dict[str, Cell] | list[float]] = Field(
        description="Each holds values by the names of the columns, or is a list of the inputs of the network."
    )


class Texts(BaseModel):
    """Texts."""

    texts: list[str]


class Drawing(BaseModel):
    """What to generate; `prompt`, `length` and `temperature` are for texts, `number` for images."""

    prompt: str = Field("", max_length=10_000)
    length: int = Field(300, ge=0, le=2000)
    temperature: float = Field(0.8, ge=0, le=100)
    seed: int = Field(1, ge=0, lt=2**63)
    number: int = Field(64, ge=1, le=256)


def describe(served: Served) -> str:
    """Return what a network takes and answers, as a sentence."""
    spec = served.task.spec
    labels = ", ".join(spec.labels[:20]) + (", …" if len(spec.labels) > 20 else "")
    what = "" if spec.kind == "tokens" else f" Outputs: {labels}."
    columns = f" Columns: {', '.join(column.name for column in spec.columns)}." if spec.columns else ""
    return f"{served.task.task_name.capitalize()} of {spec.kind}.{what}{columns}"
