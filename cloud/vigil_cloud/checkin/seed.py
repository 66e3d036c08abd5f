"""Tags and whose they are, and rules, from the seed file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import Field, model_validator
from sqlalchemy.orm import Session

from vigil_cloud.checkin import service
from vigil_cloud.checkin.rule_kinds import RULE, RuleBody
from vigil_cloud.checkin.rules import put_rule
from vigil_cloud.domain.descriptor import SeedPart
from vigil_cloud.domain.seeding import SEEDER, BadSeed, Section
from vigil_cloud.identity import person_keys, persons
from vigil_schemas.checkin import CarriedId


class SeedTag(Section):
    """One ``[[tag]]`` table."""

    tag: CarriedId
    person: str


class SeedRule(Section):
    """One ``[[person_rule]]`` table: what the person's people are told."""

    person: str
    kind: str
    settings: dict[str, Any] = Field(default_factory=dict)
    quiet_from: int | None = None
    quiet_until: int | None = None

    @model_validator(mode="after")
    def _as_a_guardian_may(self) -> SeedRule:
        self.body()
        return self

    def body(self) -> RuleBody:
        """As the API takes it."""
        rule = RULE.validate_python({**self.settings, "kind": self.kind})
        return RuleBody(rule=rule, quiet_from=self.quiet_from, quiet_until=self.quiet_until)


def _set_rules(session: Session, sections: Mapping[str, Sequence[Any]], now: datetime) -> None:
    rules: Sequence[SeedRule] = sections["person_rule"]
    gone = person_keys.erased(session, (rule.person for rule in rules))
    for rule in rules:
        if rule.person in gone:
            continue
        if not persons.enrolled(session, rule.person):
            raise BadSeed(f"rule {rule.kind}: there is no person {rule.person!r}")
        put_rule(session, rule.person, rule.body(), by=SEEDER, now=now)


def _seed(session: Session, sections: Mapping[str, Sequence[Any]], now: datetime) -> None:
    _give_tags(session, sections, now)
    _set_rules(session, sections, now)


def _give_tags(session: Session, sections: Mapping[str, Sequence[Any]], now: datetime) -> None:
    tags: Sequence[SeedTag] = sections["tag"]
    gone = person_keys.erased(session, (tag.person for tag in tags))
    for tag in tags:
        if tag.person in gone:
            continue  # whoever was erased is left out; the persons' part has said so
        if not persons.enrolled(session, tag.person):
            raise BadSeed(f"tag {tag.tag}: there is no person {tag.person!r}")
        service.give_tag(session, tag.tag, tag.person, by=SEEDER, now=now)


SEED: Final = SeedPart({"tag": SeedTag, "person_rule": SeedRule}, _seed)
