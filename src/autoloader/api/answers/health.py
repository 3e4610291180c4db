"""Answers about the service itself."""

from pydantic import Field

from autoloader.api.answers.answer import Answer


class Alive(Answer):
    """The process answers."""

    status: str = Field("ok", examples=["ok"])


class Part(Answer):
    """A part of the service."""

    name: str = Field(examples=["ledger"])
    up: bool
    reason: str | None = Field(description="Why it is not, and what to do.")


class Readiness(Answer):
    """Whether every part that the service stands on answers."""

    ready: bool
    parts: list[Part]
