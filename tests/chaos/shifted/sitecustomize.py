"""A process whose clock is wrong: Python finds this module first where its folder is on PYTHONPATH.

``CHAOS_CLOCK_SECONDS`` is how far the clock is off. The monotonic clock is not: no machine jumps that.
"""

import datetime as dt
import importlib
import os
import time
from contextlib import suppress

with suppress(ImportError):
    # Where it is installed PyArrow asks for it, and its C code crashes if it first sees the class below.
    importlib.import_module("pandas")

_SHIFT = float(os.environ.get("CHAOS_CLOCK_SECONDS", "0"))
_true_time, _true_time_ns = time.time, time.time_ns
_TrueDatetime = dt.datetime


class _ShiftedType(type(_TrueDatetime)):  # type: ignore[misc]  # the metaclass of a C type
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, _TrueDatetime)


class _Shifted(_TrueDatetime, metaclass=_ShiftedType):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> "_Shifted":
        return cls.fromtimestamp(_true_time() + _SHIFT, tz)

    @classmethod
    def utcnow(cls) -> "_Shifted":
        return cls.now(dt.UTC).replace(tzinfo=None)


time.time = lambda: _true_time() + _SHIFT
time.time_ns = lambda: _true_time_ns() + int(_SHIFT * 10**9)
dt.datetime = _Shifted  # type: ignore[misc]  # a class in place of a class
