"""What all answers have in common."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

NextCursor = Annotated[str | None, Field(description="Give it as `cursor` for the next page; null: this is the last.")]


class Answer(BaseModel):
    """Made from a value of the model, field by field."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of(cls, value: object) -> Self:
        """The answer that tells this value."""
        return cls.model_validate(value)
