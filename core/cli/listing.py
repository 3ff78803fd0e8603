"""Lists: the default table, and what `--format` makes of the same rows."""

from __future__ import annotations

import sys

from core.cli import output
from core.cli.failure import CommandFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeAlias

Row: TypeAlias = "Mapping[str, Any]"

_DOES_NOT_PARSE = 64
_ESCAPES = (("\\t", "\t"), ("\\n", "\n"))


def show(rows: Sequence[Row], headers: Mapping[str, str], columns: Sequence[str], template: str = "") -> None:
    """Print `rows` as a table of `columns`, or as `template` says: `json`, `table TEMPLATE`, or a template.

    `headers` names every column a `table` template may ask for. Raises CommandFailed for a bad template.
    """
    if template in ("", "table"):
        cells = ([str(row[name]) for name in columns] for row in rows)
        sys.stdout.write(output.table([headers[name] for name in columns], cells))
    elif template in ("json", "{{json .}}"):
        for row in rows:
            output.line(as_json(row))
    else:
        _by_template(rows, headers, template)


def show_ids(rows: Sequence[Row], name: str = "ID") -> None:
    """`--quiet`: one id a line."""
    for row in rows:
        output.line(str(row[name]))


def as_json(row: Row) -> str:
    """A row as one line of JSON, members sorted, as Go writes it."""
    from core.cli.template.display import go_json

    return go_json({name: row[name] for name in sorted(row) if not callable(row[name])}, escape_html=True)


def _by_template(rows: Sequence[Row], headers: Mapping[str, str], template: str) -> None:
    from core.cli import template as go

    in_table = template.startswith("table ")
    source = template.removeprefix("table ").strip() if in_table else template
    for escape, char in _ESCAPES:
        source = source.replace(escape, char)
    try:
        nodes = go.parse(source)
    except go.TemplateError as error:
        raise CommandFailed(f"failed to parse template: {error}") from error
    functions = {**go.FUNCTIONS, "json": _json}
    try:
        lines = [go.render(nodes, row, functions) for row in rows]
        head = go.render(nodes, _header_row(headers)) if in_table else ""
    except go.TemplateError as error:
        raise CommandFailed(f"failed to execute template: {error}") from error
    if in_table:
        sys.stdout.write(output.table(None, [text.split("\t") for text in (head, *lines)]))
    else:
        for text in lines:
            output.line(text)


def _json(value: Any) -> str:
    """The `json` of a template: a whole row is escaped for HTML, a field of it is not."""
    from core.cli.template.display import go_json

    return as_json(value) if isinstance(value, dict) else go_json(value)


def _header_row(headers: Mapping[str, str]) -> dict[str, Any]:
    return {**headers, "Label": lambda name: name.rsplit(".", 1)[-1]}


def label_of(labels: Mapping[str, str] | None) -> Callable[[str], str]:
    """The `.Label "name"` of a row."""
    return lambda name: (labels or {}).get(name, "")


def document(value: Any, template: str) -> str:
    """One document (inspect, version, info) by a template. Raises CommandFailed."""
    if template == "json":
        import json

        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    from core.cli import template as go

    try:
        nodes = go.parse(template)
    except go.TemplateError as error:
        raise CommandFailed(f"template parsing error: {error}", _DOES_NOT_PARSE) from error
    try:
        return go.render(nodes, value)
    except go.TemplateError as error:
        raise CommandFailed(f"template parsing error: {error}") from error
