"""Rules of the house that no linter knows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click

from autoloader.cli import COMMANDS, cli

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def test_no_module_is_longer_than_five_hundred_lines() -> None:
    long = {path.name: count for path in SOURCES if (count := len(path.read_text("utf-8").splitlines())) > 500}

    assert not long


def test_no_module_is_named_after_everything() -> None:
    forbidden = re.compile(r"(client|manager|service|core|utils?|helpers?|common|base)\.py")

    assert not [path.name for path in SOURCES if forbidden.fullmatch(path.name)]


def test_no_class_is_named_after_nothing() -> None:
    forbidden = re.compile(r"^class \w*(Manager|Service|Helper|Base|Impl|Mixin)\b", re.MULTILINE)

    assert not [path.name for path in SOURCES if forbidden.search(path.read_text("utf-8"))]


def test_every_command_has_help_and_the_line_that_the_list_shows() -> None:
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert command.help


def test_help_imports_no_library_that_takes_long() -> None:
    slow = {"duckdb", "pyarrow", "pyiceberg", "sqlalchemy", "boto3", "pydantic", "rich", "sqlglot", "pycurl"}
    code = "import sys, autoloader.cli; print(*sorted({name.partition('.')[0] for name in sys.modules}))"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert not slow & set(loaded)


def test_the_help_of_a_command_imports_no_library_that_takes_long() -> None:
    slow = {
        "duckdb",
        "pyarrow",
        "pyiceberg",
        "sqlalchemy",
        "boto3",
        "pydantic",
        "fastapi",
        "httpx",
        "sqlglot",
        "pycurl",
    }
    code = (
        "import click, sys\n"
        "from autoloader.cli import COMMANDS, cli\n"
        "commands = [cli.get_command(click.Context(cli), name) for name in COMMANDS]\n"
        "assert all(commands)\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert "autoloader" in loaded
    assert not slow & set(loaded)


def test_the_generated_reference_is_that_of_the_code() -> None:
    check = subprocess.run(
        [sys.executable, ROOT / "docs/generate.py", "--check"], capture_output=True, text=True, check=False
    )

    assert check.returncode == 0, check.stderr


def test_every_link_between_the_pages_leads_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{page.name}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]

    assert not broken
