"""The documentation page: the OpenAPI document as one HTML file that loads nothing else."""

from __future__ import annotations

import html
import json
import re
import shlex
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from functions.api.reference import FOLDER, examples
from functions.api.reference.error_codes import ERROR_CODES, FIELD_CODES
from functions.api.reference.parts import Json
from riel.problems import TITLES

SERVER = "http://localhost:8000"
DEMO_KEY = "secret-api-key"
_TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=\s*:)|(?P<text>"(?:[^"\\]|\\.)*")'
    r"|(?P<word>\b(?:true|false|null)\b)|(?P<number>-?\b\d+(?:\.\d+)?\b)"
)
_PHRASES = {200: "OK", 202: "Accepted", **TITLES}
_INSIDE = {"path": "in the path", "query": "in the query", "header": "header"}


def render(document: Json) -> str:
    """Write the page; the same document gives the same bytes."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(md=_markdown_line, json=_json)
    introduction, guides = _guides(document["info"]["description"])
    return environment.get_template("docs.html.j2").render(
        document=document,
        introduction=introduction,
        guides=guides,
        tags=_tags(document),
        events=_events(document),
        errors=ERROR_CODES,
        field_codes=FIELD_CODES,
        phrase=lambda status: _PHRASES[int(status)],
    )


def anchor(title: str) -> str:
    """Name a section so that a link can point to it: `Rate limits` is `rate-limits`."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _markdown() -> MarkdownIt:
    def fence(tokens: list[Any], index: int, *_: Any) -> str:
        token = tokens[index]
        return f'<pre class="code" tabindex="0"><code>{html.escape(token.content)}</code></pre>\n'

    markdown = MarkdownIt("commonmark", {"html": False})
    markdown.renderer.rules["fence"] = fence  # type: ignore[attr-defined]
    return markdown


def _markdown_line(text: str) -> Markup:
    # Our own texts, rendered without raw HTML.
    return Markup(_markdown().renderInline(text))  # noqa: S704


def _guides(text: str) -> tuple[Markup, list[Json]]:
    introduction, *parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    titles, bodies = parts[::2], parts[1::2]
    guides = [
        {"title": title, "id": anchor(title), "body": Markup(_markdown().render(body))}  # noqa: S704
        for title, body in zip(titles, bodies, strict=True)
    ]
    return Markup(_markdown().render(introduction)), guides  # noqa: S704


def _tags(document: Json) -> list[Json]:
    found: dict[str, list[Json]] = {tag["name"]: [] for tag in document["tags"]}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            found[operation["tags"][0]].append(_operation(document, path, method, operation))
    return [{"name": name, "operations": shown} for name, shown in found.items() if shown]


def _operation(document: Json, path: str, method: str, operation: Json) -> Json:
    parameters = [_resolve(document, p) for p in operation["parameters"]]
    body = operation.get("requestBody")
    return {
        **operation,
        "path": path,
        "method": method.upper(),
        "is_public": operation.get("security") == [],
        "rows": [_parameter_row(document, p) for p in parameters],
        "fields": _field_rows(document, body) if body else [],
        "curl": _curl(document, path, method, operation),
        "answers": _answers(document, operation),
        "failures": _failures(operation),
    }


def _resolve(document: Json, node: Json) -> Json:
    while "$ref" in node:
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = {**target, **{k: v for k, v in node.items() if k != "$ref"}}
    return node


def _parameter_row(document: Json, parameter: Json) -> Json:
    return {
        "name": parameter["name"],
        "kind": _kind(document, parameter["schema"]),
        "place": _INSIDE[parameter["in"]],
        "required": parameter.get("required", False),
        "description": parameter["description"],
    }


def _field_rows(document: Json, body: Json) -> list[Json]:
    schema = _resolve(document, body["content"]["application/json"]["schema"])
    return schema_rows(document, schema)


def schema_rows(document: Json, schema: Json) -> list[Json]:
    """One row for each field of an object."""
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "kind": _kind(document, field),
            "place": "",
            "required": name in required,
            "description": field.get("description", ""),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _kind(document: Json, schema: Json) -> str:
    schema = _resolve(document, schema)
    if "anyOf" in schema:
        kinds = [_kind(document, s) for s in schema["anyOf"] if s.get("type") != "null"]
        return " or ".join(kinds)
    if 1 < len(schema.get("enum", ())) <= 10:
        return " · ".join(schema["enum"])
    kind = schema.get("type", "string")
    text = " or ".join(kind) if isinstance(kind, list) else str(kind)
    if schema.get("minimum") and schema.get("maximum") and kind == "integer":
        return f"integer, {schema['minimum']} to {schema['maximum']}"
    return f"{text}, at most {schema['maxLength']}" if "maxLength" in schema else text


def _curl(document: Json, path: str, method: str, operation: Json) -> str:
    shown_path = path.format(
        payment_id=examples.PAYMENT_ID,
        refund_id=examples.REFUND_ID,
        delivery_id=examples.EVENT_ID,
        key=examples.IDEMPOTENCY_KEY,
    )
    query = "?limit=20&status=completed" if operation["operationId"] == "listPayments" else ""
    lines = [f"curl {shlex.quote(SERVER + shown_path + query) if query else SERVER + shown_path}"]
    if operation.get("security") != []:
        lines.append(f'-H "X-API-Key: {DEMO_KEY}"')
    if method == "post":
        lines[0] = lines[0].replace("curl ", "curl -X POST ")
        action = path.rpartition("/")[2]
        keys = {"payments": examples.IDEMPOTENCY_KEY, "refunds": "refund-order-123-1"}
        key = keys.get(action, f"{action}-order-123")
        lines.append(f'-H "Idempotency-Key: {key}"')
    shown = _shown_body(operation)
    if shown:
        lines.append('-H "Content-Type: application/json"')
        lines.append(f"-d '{json.dumps(shown, indent=2)}'")
    return " \\\n  ".join(lines)


def _shown_body(operation: Json) -> Any:
    """Return the first example of a body that says something."""
    content = operation.get("requestBody", {}).get("content", {"application/json": {}})
    shown = content["application/json"].get("examples", {"none": {"value": None}})
    return next(iter(shown.values()))["value"]


def _answers(document: Json, operation: Json) -> list[Json]:
    shown = []
    for status, response in operation["responses"].items():
        content = response["content"].get("application/json")
        if content and "examples" in content and int(status) < 500:
            example = next(iter(content["examples"].values()))["value"]
            schema = _resolve(document, content["schema"])
            rows = schema_rows(document, schema)
            shown.append({"status": int(status), "example": example, "rows": rows})
    return shown


def _failures(operation: Json) -> list[Json]:
    found = []
    for status, response in operation["responses"].items():
        content = response["content"].get("application/problem+json")
        if content:
            codes = content["schema"]["allOf"][1]["properties"]["code"]["enum"]
            found.append({"status": int(status), "codes": codes})
    return found


def _events(document: Json) -> list[Json]:
    return [
        {
            "type": kind,
            "description": item["post"]["description"],
            "headers": item["post"]["parameters"],
            "example": item["post"]["requestBody"]["content"]["application/json"]["example"],
        }
        for kind, item in document["webhooks"].items()
    ]


def _json(value: Any) -> Markup:
    """Write JSON with a class on each word, for its colour."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    parts, end = [], 0
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)[0]
        parts.append(html.escape(text[end : match.start()]))
        parts.append(f'<i class="{kind}">{html.escape(match[0])}</i>')
        end = match.end()
    parts.append(html.escape(text[end:]))
    return Markup("".join(parts))  # noqa: S704
