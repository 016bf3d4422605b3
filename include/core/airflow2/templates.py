"""Reads and rewrites the removed variables in Jinja templates; nothing is rendered."""

from __future__ import annotations

from jinja2 import TemplateError, nodes
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import SandboxedEnvironment

from include.core.airflow2.names import CONTEXT, IN_TEMPLATES, OF_RUNS


def removed_variables(template: str) -> list[str]:
    """Return the removed variables that a template reads; nothing if it isn't valid."""
    environment = SandboxedEnvironment()
    try:
        parsed = environment.parse(template)
    except TemplateError:
        return []
    for part in parsed.find_all((nodes.Filter, nodes.Test)):  # Airflow and plugins have more than Jinja
        (environment.filters if isinstance(part, nodes.Filter) else environment.tests).setdefault(part.name, _unknown)
    attributes = {
        f"{part.node.name}.{part.attr}"
        for part in parsed.find_all(nodes.Getattr)
        if isinstance(part.node, nodes.Name) and f"{part.node.name}.{part.attr}" in OF_RUNS
    }
    return sorted((find_undeclared_variables(parsed) & CONTEXT.keys()) | attributes)


def renamed(source: str) -> str:
    """Return the source of a string with the new names of removed variables in its Jinja."""
    try:
        tokens = [(kind, value) for _, kind, value in SandboxedEnvironment().lex(source)]
    except TemplateError:
        return source
    words = ["", *(value for kind, value in tokens if kind != "whitespace"), ""]
    parts, position = [], 0
    for kind, value in tokens:
        position += kind != "whitespace"
        is_variable = kind == "name" and words[position - 1] not in {".", "set"} and words[position + 1] != "="
        parts.append(IN_TEMPLATES.get(value, value) if is_variable else value)
    return "".join(parts)


def _unknown(value: object) -> object:
    return value
