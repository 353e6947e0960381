# noqa: INP001 - a script
# ruff: noqa: E402 - Django is set up before its parts are imported
"""Writes docs/configuration.md and docs/api.md from the code; with --check, says which of them is not what it says."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ |= {"ORDER_ENTRY_CONFIG": "", "DJANGO_SETTINGS_MODULE": "order_entry_project.settings"}
sys.path.insert(0, str(Path(__file__).parents[1]))

import django

django.setup()

from drf_spectacular.generators import SchemaGenerator
from pydantic.fields import FieldInfo

from order_entry_project.config import Config
from order_entry_project.config.values import as_seconds
from order_entry_project.effective import shown

DOCS = Path(__file__).parents[1] / "docs"
BOUNDS = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}"}
WORDS = {"integer": "whole number", "boolean": "true or false", "string": "text", "object": "mapping"}
FORMATS = {"path": "path", "ipv4network": "network", "ipv6network": "network"}
FORMATS["password"] = "secret"  # noqa: S105 - a kind of value

CONFIGURATION = """# Configuration

One YAML file, named by `ORDER_ENTRY_CONFIG`, holds these sections; each key can be left out. The environment
overrides it key by key: `ORDER_ENTRY__MQ__BATCH_SIZE=50`, lists and mappings as JSON, `null` for none. Durations are
seconds, or text such as `500ms`, `10s`, `5m`, `24h`, `30d`. What is not understood is refused at the start, with its
path and what was expected. `manage.py show_config` prints what is in force, each key with where it comes from."""
API = """# The API

`/openapi.json` is the whole of it for machines, `/docs` for people; this page is made from it. Errors are problem
documents (RFC 9457). Lists have pages by cursor: `next` and `previous` are links. Who may do what, and how it is said:
[access](access.md). On writes `Idempotency-Key` makes a repeated request harmless: the same key has the same answer."""


def table(*rows: tuple[str, ...]) -> Iterator[str]:
    head, *others = rows
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row in others:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def configuration() -> Iterator[str]:
    yield CONFIGURATION
    schemas = Config.model_json_schema()["$defs"]
    for name, section in Config.model_fields.items():
        model: Any = section.annotation
        module = sys.modules[model.__module__].__doc__ or ""
        about = (model.__doc__ or module).strip().splitlines()[0]
        yield f"\n## {name}\n{about}\n"
        fields: dict[str, FieldInfo] = model.model_fields
        known = schemas[model.__name__]["properties"]
        rows = (
            (f"`{key}`", kind(field, known[key], schemas), default(field), field.description or "")
            for key, field in fields.items()
        )
        yield from table(("key", "expected", "default", "what it does"), *rows)


def kind(field: FieldInfo, schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """What a value must be, in words."""
    if not is_duration(field):
        return words(schema, schemas)
    alternatives = schema.get("anyOf", [schema])
    return " or ".join(
        "null" if one["type"] == "null" else ", ".join(["duration", *bounds(one, spelt)])
        for one in alternatives
    )


def words(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    if "$ref" in schema:
        return words(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(words(one, schemas) for one in schema[several]))
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema["type"] == "array":
        return f"list of {words(schema['items'], schemas)}"
    said = FORMATS.get(schema.get("format", "")) or WORDS.get(schema["type"], schema["type"])
    return ", ".join([said, *bounds(schema, "{:.12g}".format)])


def bounds(schema: dict[str, Any], say: Callable[[float], str]) -> list[str]:
    return [text.format(say(schema[bound])) for bound, text in BOUNDS.items() if bound in schema]


def default(field: FieldInfo) -> str:
    value = shown(field.get_default(call_default_factory=True))
    if isinstance(value, str):
        return f"`{value}`"
    said = spelt(value) if is_duration(field) and value is not None else json.dumps(value)
    return f"`{said}`"


def is_duration(field: FieldInfo) -> bool:
    return as_seconds.__name__ in f"{field.metadata} {field.annotation}"


def spelt(seconds: float) -> str:
    """A duration in the greatest unit that has it whole."""
    units = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
    unit, size = next(((unit, size) for unit, size in units.items() if seconds % size == 0), ("ms", 0.001))
    return f"{round(seconds / size)}{unit}"


def api() -> Iterator[str]:
    document = SchemaGenerator().get_schema(request=None, public=True)
    yield API
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"\n## {method.upper()} {path}\n{operation.get('description', '').strip()}\n"
            yield from parameters(operation, document)
            yield from table(("answer", "when"), *answers(operation))


def parameters(operation: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    rows = [
        (
            f"`{one['name']}`",
            one["in"],
            words(one["schema"], document["components"]["schemas"]),
            one.get("description", ""),
        )
        for one in operation.get("parameters", [])
        if one["in"] != "path"
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    schema = resolved(body["schema"], document) if body else {}
    rows += [
        (
            f"`{name}`" + ("" if name in schema.get("required", []) else " (optional)"),
            "body",
            words(one, document["components"]["schemas"]),
            one.get("description", ""),
        )
        for name, one in schema.get("properties", {}).items()
        if not one.get("readOnly")
    ]
    if rows:
        yield from table(("parameter", "in", "expected", "what it does"), *rows)
        yield ""


def resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    return dict(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])


def answers(operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for status, answer in sorted(operation["responses"].items()):
        yield str(status), answer.get("description") or "As asked for"


def main() -> int:
    pages = {
        DOCS / name: "\n".join(line for line in lines) + "\n"
        for name, lines in (("configuration.md", configuration()), ("api.md", api()))
    }
    if "--check" not in sys.argv:
        for path, text in pages.items():
            path.write_text(text, encoding="utf-8")
        return 0
    stale = [
        path.name
        for path, text in pages.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    print(  # noqa: T201 - its answer
        f"docs: {', '.join(stale)} no longer says what the code does; `make reference` writes it anew."
        if stale
        else "The references say what the code does."
    )
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
