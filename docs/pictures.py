"""Draws the pictures of the docs from what the commands print: ``python docs/pictures.py``, with the stack extra.

A stack of its own is started, some files are loaded, and the answer of a command becomes an SVG without any font or
script from elsewhere.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import boto3
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from autoloader.stack import Stack

PICTURES = Path(__file__).parent / "pictures"
LANDING = "s3://landing/orders/"
FILES = {
    "2026-11-28.json": '{"id": 1, "at": "2026-11-28T09:12:44Z", "amount": 12.50}\n'
    '{"id": 2, "at": "2026-11-28T24:00:00Z", "amount": 8.00}\n'
    '{"id": 3, "at": "2026-11-28T10:03:10Z", "amount": 3.999}\n',
    "2026-11-29.json": '{"id": "4711a", "at": "2026-11-29T08:00:00Z", "amount": 5.00}\n'
    '{"id": 5, "at": "2026-11-29T08:00:02Z", "amount": 7.25}\n'
    '{"id": 6, "at": "2026-11-29T08:01:\n',
}
CREATE = (
    f"create orders --source {LANDING} --format json --table lake.shop.orders --on-bad-record quarantine "
    "--schema 'id BIGINT, at TIMESTAMP, amount DECIMAL(10,2)'"
)


def main() -> None:
    """Draw all of them."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder))
        try:
            parts = stack.start()
            s3 = boto3.client(
                "s3",
                endpoint_url=parts.s3_endpoint_url,
                region_name=parts.s3_region,
                aws_access_key_id=parts.s3_access_key_id,
                aws_secret_access_key=parts.s3_secret_access_key,
            )
            for name, body in FILES.items():
                s3.put_object(Bucket="landing", Key=f"orders/{name}", Body=body.encode())
            for command in ("db upgrade", CREATE, "run orders"):
                _typed(command, folder)
            _draw("rejects", "rejects orders", _typed("rejects orders", folder, FORCE_COLOR="1"))
        finally:
            stack.stop()


def _typed(command: str, home: str, **variables: str) -> str:
    program = [sys.executable, "-m", "autoloader", *shlex.split(command)]
    variables = os.environ | {"AUTOLOADER_HOME": home} | variables
    return subprocess.run(program, env=variables, check=True, stdout=subprocess.PIPE, text=True).stdout


def _draw(name: str, command: str, answer: str) -> None:
    shown = Text("$ ", "dim").append(f"autoloader {command}", "bold")
    for line in answer.splitlines():
        shown.append("\n").append_text(Text.from_ansi(line.rstrip()))
    width = max(len(line) for line in shown.plain.splitlines()) + 1
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
    console.print(shown, soft_wrap=True)
    svg = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    PICTURES.mkdir(exist_ok=True)
    console.save_svg(str(PICTURES / f"{name}.svg"), title="autoloader", code_format=svg, unique_id=name)


if __name__ == "__main__":
    main()
