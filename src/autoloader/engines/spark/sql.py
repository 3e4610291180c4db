"""How names and texts become SQL for Spark: the only place that quotes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def quote(name: str) -> str:
    """``name`` as an identifier."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """``text`` as a string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def matches(text: str, form: str) -> str:
    r"""SQL: the whole of ``text`` has this form. Not ``$``, which in Java also stands before a last line end."""
    whole = rf"\A(?:{form})\z"
    return f"{text} RLIKE {literal(whole)}"


def from_json(text: str, fields: str, corrupt: str) -> str:
    """SQL of a struct of these fields (``name TYPE, …``) and ``corrupt``, set where the text is no such JSON."""
    options = f"map('columnNameOfCorruptRecord', {literal(corrupt)}, 'allowSingleQuotes', 'false', "
    options += "'allowNonNumericNumbers', 'false')"
    return f"from_json({text}, {literal(f'{fields}, {quote(corrupt)} STRING')}, {options})"


def table(name: str) -> str:
    """``catalog.database.table`` with every part quoted."""
    return ".".join(quote(part) for part in name.split("."))


def either(conditions: Iterable[str]) -> str:
    """SQL: one of these is true; those that never are are left out."""
    return " OR ".join(each for each in conditions if each != "false") or "false"
