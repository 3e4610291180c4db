"""Decimal texts: exact conversion, also with an exponent, and whether any digit would be lost.

DuckDB's cast rounds in silence, and of some texts with an exponent it makes another number or gives up although the
value would fit. So a text with an exponent is first written out as plain digits.
"""

from __future__ import annotations

from autoloader.engines.embedded.sql import literal, matches

_PARTS = r"^([+-]?)([0-9]*)\.?([0-9]*)[eE]([+-]?[0-9]+)$"
_PLACES = 40
"""More than any DECIMAL has on either side: what lies further out is out of range or would be rounded."""
_LONGEST = 2**31
"""More digits than a text can have."""
_FAR = 10**12
"""Stands for an exponent too long for a BIGINT."""


def typed(text: str, precision: int, scale: int) -> str:
    """SQL of the DECIMAL; NULL where the digits do not fit. Never raises."""
    target = f"DECIMAL({precision},{scale})"
    scientific = f"contains({text}, 'e') OR contains({text}, 'E')"
    return f"CASE WHEN {scientific} THEN try_cast({_plain(text)} AS {target}) ELSE try_cast({text} AS {target}) END"


def keeps_digits(text: str, scale: int) -> str:
    """SQL: a text that is known to be a decimal has no significant digit behind the scale."""
    form = rf"[+-]?[0-9]*(?:\.[0-9]{{0,{scale}}}0*)?"
    return f"CASE WHEN {matches(text, form)} THEN true ELSE coalesce({matches(_plain(text), form)}, false) END"


def _plain(text: str) -> str:
    """SQL: the same number without an exponent; NULL for a text that has none.

    With the digits of both sides of the point run together, less the zeros around them, the number is
    ``0.digits x 10^point``.
    """
    parts = f"regexp_extract({text}, {literal(_PARTS)}, ['sign', 'whole', 'fraction', 'exponent'])"
    known = f"CASE WHEN {matches(text, _PARTS)} THEN {parts} END"
    exponent = f"coalesce(try_cast(p.exponent AS BIGINT), CASE WHEN p.exponent[1] = '-' THEN -{_FAR} ELSE {_FAR} END)"
    run = f"{{sign: p.sign, digits: ltrim(p.whole || p.fraction, '0'), shift: {exponent} - length(p.fraction)}}"
    number = "{sign: q.sign, digits: rtrim(q.digits, '0'), point: length(q.digits) + q.shift}"
    written = f"""CASE
        WHEN n.digits = '' THEN '0'
        WHEN n.point > {_PLACES} THEN n.sign || repeat('9', {_PLACES})
            || '.' || substr(n.digits, least(n.point, {_LONGEST}) + 1)
        WHEN n.point < -{_PLACES} THEN n.sign || '0.' || repeat('0', {_PLACES}) || '1'
        WHEN n.point <= 0 THEN n.sign || '0.' || repeat('0', -n.point) || n.digits
        ELSE n.sign || left(rpad(n.digits, greatest(n.point, length(n.digits))::INTEGER, '0'), n.point)
            || '.' || substr(n.digits, n.point + 1)
    END"""
    bound = f"list_transform([{known}], lambda p: {run})"
    return f"list_transform(list_transform({bound}, lambda q: {number}), lambda n: {written})[1]"
