"""The page /docs: what the server answers, as plain HTML without scripts. Nothing is loaded from elsewhere."""

import json
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid #8888; border-radius: .3rem; }
"""
SECURITY = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}


def docs_page(schema: dict[str, Any]) -> str:
    """Return the page of an OpenAPI schema."""
    info = schema["info"]
    parts = [
        f"<h1>{escape(info['title'])}</h1><p>{escape(info['description'])}</p>",
        *(_operation(path, method, each) for path, found in schema["paths"].items() for method, each in found.items()),
        _details("Schemas", schema.get("components", {}).get("schemas", {})),
        '<p><a href="openapi.json">openapi.json</a> is this page for programs.</p>',
    ]
    title = f"<title>{escape(info['title'])}</title>"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width">{title}'
    return (
        f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{"".join(parts)}</body></html>'
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    text = escape(operation.get("description", "")).replace("\n\n", "</p><p>")
    body = operation.get("requestBody", {}).get("content", {})
    answers = {status: each for status, each in operation["responses"].items() if each.get("content")}
    return (
        f"<h2>{method.upper()} {escape(path)}</h2><p>{text}</p>"
        + (_details("Request", body) if body else "")
        + _details("Answers", answers)
    )


def _details(title: str, value: Any) -> str:
    text = escape(json.dumps(value, indent=2, ensure_ascii=False))
    return f"<details><summary>{title}</summary><pre>{text}</pre></details>"
