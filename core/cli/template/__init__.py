"""Go's text/template, as much of it as `--format` is given in practice. Imported when one is given."""

from __future__ import annotations

from core.cli.template.evaluate import render
from core.cli.template.functions import FUNCTIONS
from core.cli.template.nodes import TemplateError
from core.cli.template.parser import Template, parse

__all__ = ["FUNCTIONS", "Template", "TemplateError", "parse", "render"]
