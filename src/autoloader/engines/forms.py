"""The forms of text that a column type accepts, for every engine: the range is left to the cast.

In the syntax that RE2 and Java share; a whole text must match.
"""

from __future__ import annotations

from autoloader.schema.types import Scalar

INTEGER_FORM = r"[+-]?[0-9]+(?:\.0+)?"
DECIMAL_FORM = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
DATE_FORM = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-7])(?::?[0-5][0-9])?|18(?::?00)?))"
TIMESTAMP_FORM = f"{DATE_FORM}(?:[T ]{TIME}{ZONE}?)?"
TIMESTAMP_NTZ_FORM = f"{DATE_FORM}(?:[T ]{TIME})?"

INSTANT_FORMS = {
    Scalar.DATE: DATE_FORM,
    Scalar.TIMESTAMP: TIMESTAMP_FORM,
    Scalar.TIMESTAMP_NTZ: TIMESTAMP_NTZ_FORM,
}
FIRST_DAY, LAST_DAY, DAY_AFTER_LAST = "0001-01-01", "9999-12-31", "10000-01-01"
"""Years 1 to 9999, in UTC: what readers in every language can show."""

RECORD_LIMIT_BYTES = 16 * 1024**2
"""The longest record that is taken, whatever the format."""

DEEPEST = 200
"""So many objects and arrays of JSON may be within each other. A limit of our own: Python's hangs on who calls, and
Spark's is another one."""
