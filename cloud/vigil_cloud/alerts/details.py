"""Alert details, typed by the models that the registered domains describe.

Kept as JSON in two columns: what is open, and, sealed, what is personal. Reading never fails:
what an older or newer version wrote is shown as far as a model fits it, the rest as ``unread``,
and as ``plain`` where none does. Writing never loses an alarm: a detail that no model takes whole
is kept all the same, marked, and what nobody declared is sealed, since it may be personal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, NamedTuple

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SerializeAsAny
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from vigil_cloud.alerts.standard_details import STANDARD, PlatformDetail
from vigil_cloud.domain.detail import MARKS, AlertDetail, PlainDetail, Understood, understood
from vigil_cloud.domain.registry import described, domains
from vigil_cloud.domain.rights import PLATFORM
from vigil_schemas.types import Domain

MOST_FAULTS: Final = 20
_FAULT_CHARACTERS: Final = 200


class Kept(NamedTuple):
    """A detail as its columns hold it, before sealing."""

    open: dict[str, Any]
    personal: dict[str, Any]


def models_of(domain: Domain) -> tuple[type[AlertDetail], ...]:
    """The models that this domain's details may have, its own first."""
    if domain == PLATFORM:
        return (PlatformDetail,)
    found = described(domain)
    return (*(found.details if found is not None else ()), *STANDARD)


def every_model() -> list[type[AlertDetail]]:
    """The members of the union: of the registered domains and the platform's own."""
    own = [model for one in domains() for model in one.details]
    return [*own, *STANDARD, PlatformDetail, PlainDetail]


def read(
    domain: Domain, kept: Mapping[str, Any], personal: Mapping[str, Any] | None = None
) -> AlertDetail:
    """What is kept, as the model that fits it. ``personal``: what was sealed of it, as far as
    the reader may see it. Never raises for any content."""
    whole = {**kept, **(personal or {})}
    best = _best(domain, whole)
    return best.detail if best is not None else _plain(whole)


def to_keep(domain: Domain, given: Mapping[str, Any]) -> Kept:
    """What a writer gives, told apart and marked where it does not fit its model.

    The type is put down, so that later versions know which model it was written for.
    """
    best = _best(domain, given)
    declared = best.detail.__class__.model_fields if best is not None else {}
    content = {key: value for key, value in given.items() if key not in {"unread", "withheld"}}
    faults = list(best.faults) if best is not None else []
    if best is None and _described_models(domain):
        faults = ["detail: fits no model of its domain"]
    content["type"] = best.detail.type if best is not None else "plain"
    sealed = _sealed_names(domain, best, content, declared)
    kept = {key: value for key, value in content.items() if key not in sealed}
    if faults:
        kept["shape_doubtful"] = _marked(kept.get("shape_doubtful"), faults)
    return Kept(kept, {key: content[key] for key in sorted(sealed)})


def _sealed_names(
    domain: Domain,
    best: Understood | None,
    content: Mapping[str, Any],
    declared: Mapping[str, Any],
) -> set[str]:
    """What is marked personal, and what nobody declared where others did."""
    if best is not None:
        model = best.detail.__class__
        return {key for key in content if key in model.personal_fields() or key not in declared}
    models = _described_models(domain)
    if not models:
        return set()
    known = frozenset().union(*(model.open_fields() for model in models))
    return {key for key in content if key not in known}


def _described_models(domain: Domain) -> tuple[type[AlertDetail], ...]:
    return tuple(model for model in models_of(domain) if model not in STANDARD)


def _best(domain: Domain, content: Mapping[str, Any]) -> Understood | None:
    """The model that it was written for, else the one that leaves least unread."""
    models = models_of(domain)
    named = [model for model in models if model.type_word() == content.get("type")]
    found = [one for model in named or models if (one := understood(model, content)) is not None]
    return min(found, key=lambda one: len(one.faults), default=None)


def _plain(content: Mapping[str, Any]) -> AlertDetail:
    marks = {key: content[key] for key in MARKS if key in content}
    values = {key: value for key, value in content.items() if key not in {*MARKS, "type"}}
    found = understood(PlainDetail, {**marks, "values": values})
    if found is not None:
        return found.detail
    return PlainDetail.model_construct(values=dict(content))  # nothing is hidden for its form


def _marked(before: Any, faults: Iterable[str]) -> list[str]:
    """The marks with these faults; each once, so that the same again changes nothing."""
    told = [str(one) for one in before] if isinstance(before, list) else []
    for fault in faults:
        line = f"detail.{fault}"[:_FAULT_CHARACTERS]
        if line not in told and len(told) < MOST_FAULTS:
            told.append(line)
    return told


class _OneOfAll:
    """In the API's description: every registered model, told apart by ``type``. Asked as the
    description is made, so that a domain that is registered later is in it."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return handler(source)

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        choices = {one.type_word(): one.__pydantic_core_schema__ for one in every_model()}
        return handler(core_schema.tagged_union_schema(choices, "type"))


AnyDetail = Annotated[SerializeAsAny[AlertDetail], _OneOfAll()]
"""A field of the API that holds any of them."""
