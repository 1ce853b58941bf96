"""What the settings of a program mean, for its `--help`: what stands under each field in the code, and its default."""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import MISSING, fields
from itertools import pairwise


def meanings(settings: type) -> dict[str, str]:
    """By field of a dataclass, on one line: its docstring, and its default in brackets where it says something."""
    said = _docstrings(settings)
    found = {}
    for field in fields(settings):
        default = "" if field.default in (MISSING, None, "", ()) else f" [{_plain(field.default)}]"
        found[field.name] = said.get(field.name, "") + default
    return found


def variables(settings: type, prefix: str) -> str:
    """All of them as variables of the environment, a paragraph each; for the end of a help text."""
    lines = ["In the environment:"]
    for name, meaning in meanings(settings).items():
        lines.append(f"  {prefix}{name.upper()}")
        lines.append(textwrap.fill(meaning, 100, initial_indent=" " * 6, subsequent_indent=" " * 6))
    return "\n".join(lines)


def _docstrings(settings: type) -> dict[str, str]:
    try:
        source = inspect.getsource(settings)
    except OSError:  # installed without it: a program must start all the same
        return {}
    (body,) = ast.parse(textwrap.dedent(source)).body
    assert isinstance(body, ast.ClassDef)
    return {
        line.target.id: " ".join(str(ast.literal_eval(after.value)).split())
        for line, after in pairwise(body.body)
        if isinstance(line, ast.AnnAssign)
        and isinstance(line.target, ast.Name)
        and isinstance(after, ast.Expr)
    }


def _plain(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
