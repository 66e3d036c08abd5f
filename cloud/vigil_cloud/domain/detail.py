"""What an alert says beside its title: a model per kind of detail, described by its domain.

A domain lists its models in ``Described.details``; together with the platform's own they are the
union that the API describes (``alerts.details``). Each has a ``type`` of its own, by which readers
tell them apart. Fields that name or describe people are marked ``Personal``: they are kept in a
sealed column and shown to those alone whom the domain lets see them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic.fields import FieldInfo

from vigil_schemas.types import UtcDatetime


class _Personal:
    """Marks a field in ``Annotated``."""

    def __repr__(self) -> str:
        return "Personal"


Personal: Final = _Personal()
"""``Annotated[str | None, Personal]``: names or describes somebody (a plate, a name, free text).
Such a field has a default, which stands where it is not shown."""

MARKS: Final = (
    "time_quality",
    "claimed_times",
    "owner_doubtful",
    "shape_doubtful",
    "unconfirmed_since",
)
"""Fields of every detail: what is doubtful of it."""


class AlertDetail(BaseModel):
    """What every alert's detail has: its type, and what is doubtful of it."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
    )

    type: str
    """Which of the models this is."""
    time_quality: Literal["ahead", "behind"] | None = None
    """The device's clock was wrong: times are those of receipt."""
    claimed_times: dict[str, str] = Field(default_factory=dict)
    """What the device said, by the place where it stood."""
    owner_doubtful: str | None = None
    """The gateway that owns the device; another one reported it."""
    shape_doubtful: list[str] = Field(default_factory=list)
    """What was not understood of the message, or of this detail as it was written."""
    unconfirmed_since: UtcDatetime | None = None
    """The report is old (retained or cached): when it was made."""
    unread: dict[str, JsonValue] = Field(default_factory=dict)
    """What is kept and does not fit this model: written by an older or newer version."""
    withheld: bool = False
    """There is personal content that the reader may not see."""

    @classmethod
    def type_word(cls) -> str:
        """The value of ``type``. Raises ``TypeError`` where the model fixes none."""
        word = cls.model_fields["type"].default
        if not isinstance(word, str):
            raise TypeError(f"{cls.__name__} gives its type no value")
        return word

    @classmethod
    def personal_fields(cls) -> frozenset[str]:
        """Names of the fields that are marked ``Personal``."""
        return frozenset(name for name, field in cls.model_fields.items() if is_personal(field))

    @classmethod
    def open_fields(cls) -> frozenset[str]:
        """Names of all other fields that a writer fills."""
        return frozenset(cls.model_fields) - cls.personal_fields() - _GIVEN


_GIVEN: Final = frozenset({"unread", "withheld"})
"""Filled as it is read."""


class PlainDetail(AlertDetail):
    """A detail that no model of its domain fits, or of a domain that describes none."""

    type: Literal["plain"] = "plain"
    values: dict[str, JsonValue] = Field(default_factory=dict)
    """As it is kept."""


class Understood(NamedTuple):
    """A detail as far as its model reads it, and what was wrong with the rest."""

    detail: AlertDetail
    faults: tuple[str, ...]


def understood(model: type[AlertDetail], kept: Mapping[str, Any]) -> Understood | None:
    """What is kept, as this model; what does not fit stands in ``unread``. ``None`` where the
    model needs what is missing or wrong. Never raises for any content."""
    fields = model.model_fields
    read = {key: value for key, value in kept.items() if key in fields and key not in _GIVEN}
    read["type"] = model.type_word()
    faults = [f"{key}: unknown" for key in kept if key not in fields or key in _GIVEN]
    for _ in range(len(fields) + 1):
        unread = {key: value for key, value in kept.items() if key not in read}
        try:
            return Understood(model.model_validate({**read, "unread": unread}), tuple(faults))
        except ValidationError as error:
            wrong = {str(one["loc"][0]): one["msg"] for one in error.errors() if one["loc"]}
            if not wrong or any(key not in read or fields[key].is_required() for key in wrong):
                return None
            faults += [f"{key}: {message}" for key, message in wrong.items()]
            read = {key: value for key, value in read.items() if key not in wrong}
    return None


def is_personal(field: FieldInfo) -> bool:
    """Whether a model's field is marked so."""
    return any(isinstance(one, _Personal) for one in field.metadata)
