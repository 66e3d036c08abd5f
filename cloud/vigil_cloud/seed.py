"""The seed file: accounts, gateways' tokens, persons with their tags and consents, channels.

Sections (all optional): ``[[account]] username, password, roles, display_name, email,
language, districts``; districts and homes: ``seed_homes``; ``[[gateway]] id, token``;
``[[person]] key, name, guardians``; ``[[tag]] tag, person``; ``[[consent]] person, account,
expires | expires_days, scopes`` (of ``last_place``, ``footprint``, ``live``, ``alerts``; the first
two where it names none) ``, footprint_from`` (a time, or ``now``): guardians are told of nothing
without one that names ``alerts``, and the log says whom of them; ``[[channel]] name, url,
account | role, domains, minimum, escalate_after_s, language, devices`` (a home's own channel: told
of these devices and of what hangs on their gateway) ``, follow_ups`` (``all-clear``, ``closed``:
what it is told further of an alert that it was told of) ``, hook_secret`` (of a web hook: its
messages are signed, and it may answer) ``, kind`` (how policies call it; else what its address
tells); ``[street_map] file, attribution``: what `vigil-cloud map import` takes, beside the seed
file unless its path is absolute. A value that is exactly
``${NAME}`` is taken from the environment or a secret's file. Seeding again changes what is named
and adds what is new; an account that exists keeps its password, and a consent that was revoked
stays revoked. A gateway that was revoked and a person who was erased are left out, with a line in
the log.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import structlog
from pydantic import Field, SecretStr, ValidationError, create_model, model_validator
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.removal import revoked
from vigil_cloud.devices.seen import enrol
from vigil_cloud.domain.descriptor import SeedPart
from vigil_cloud.domain.registry import domains
from vigil_cloud.domain.seeding import SEEDER, BadSeed, Section
from vigil_cloud.identity import consents, districts, person_keys, persons
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.guardian_consents import not_called
from vigil_cloud.identity.household_schema import DistrictId
from vigil_cloud.identity.models import Account, Consent
from vigil_cloud.identity.personal_records import lock_all
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.schema import Username
from vigil_cloud.identity.service import (
    account_named,
    add_account,
    set_gateway_token,
    set_roles,
)
from vigil_cloud.identity.whereabouts import DEFAULT, Scope
from vigil_cloud.notify.channels import put_channel, sync
from vigil_cloud.notify.escalation.policy import ChannelKind
from vigil_cloud.notify.models import FollowUp
from vigil_cloud.seed_homes import (
    SeedDistrict,
    SeedHousehold,
    SeedMember,
    gives_devices,
    put_districts,
    put_homes,
)
from vigil_cloud.services import Services
from vigil_cloud.street_map import service as street_map
from vigil_schemas.environment import EnvironmentMissing, filled, with_secrets
from vigil_schemas.types import DeviceId, Domain, GatewayId, UtcDatetime

TOKEN_CHARACTERS: Final = 24
"""Outside the demo a gateway's token is at least so long: it is made, never thought up."""
_log = structlog.get_logger(__name__)


class SeedAccount(Section):
    """One ``[[account]]`` table."""

    username: Username
    password: SecretStr
    roles: list[Role]
    display_name: str = ""
    email: str = ""
    language: Literal["zh-TW", "en"] = "zh-TW"
    districts: list[DistrictId] | None = None
    """None: as they are; empty: the whole city."""


class SeedGateway(Section):
    """One ``[[gateway]]`` table."""

    id: GatewayId
    token: SecretStr


class SeedPerson(Section):
    """One ``[[person]]`` table."""

    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    name: str
    guardians: list[Username] = Field(default_factory=list)


class SeedConsent(Section):
    """One ``[[consent]]`` table."""

    person: str
    account: Username
    expires: UtcDatetime | None = None
    expires_days: Annotated[float, Field(gt=0)] | None = None
    """Counted from the seeding, where no consent of the two is valid or was revoked."""
    scopes: Annotated[frozenset[Scope], Field(min_length=1)] = DEFAULT
    footprint_from: UtcDatetime | Literal["now"] | None = None
    """Of the footprint, nothing older; ``now``: from the seeding on."""

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if (self.expires is None) == (self.expires_days is None):
            raise ValueError("give expires (a time) or expires_days, one of them")
        return self


class SeedChannel(Section):
    """One ``[[channel]]`` table."""

    name: str
    url: SecretStr
    account: Username | None = None
    role: Role | None = None
    domains: list[Domain] = Field(default_factory=list)
    devices: list[DeviceId] = Field(default_factory=list)
    minimum: Literal["info", "minor", "major", "critical"] = "info"
    escalate_after_s: Annotated[float, Field(ge=0)] = 0.0
    language: Literal["zh-TW", "en"] = "zh-TW"
    follow_ups: list[FollowUp] = Field(default_factory=list)
    hook_secret: SecretStr = SecretStr("")
    kind: ChannelKind | None = None


class SeedStreetMap(Section):
    """The ``[street_map]`` table."""

    file: Path
    attribution: str = ""


class Seed(Section):
    """The whole file."""

    street_map: SeedStreetMap | None = None

    account: list[SeedAccount] = Field(default_factory=list)
    gateway: list[SeedGateway] = Field(default_factory=list)
    person: list[SeedPerson] = Field(default_factory=list)
    district: list[SeedDistrict] = Field(default_factory=list)
    household: list[SeedHousehold] = Field(default_factory=list)
    member: list[SeedMember] = Field(default_factory=list)
    consent: list[SeedConsent] = Field(default_factory=list)
    channel: list[SeedChannel] = Field(default_factory=list)

    def of_domains(self, part: SeedPart) -> dict[str, list[Any]]:
        """The sections that belong to one domain."""
        return {name: getattr(self, name, []) for name in part.sections}


def whole_file() -> type[Seed]:
    """With the sections of every registered domain."""
    sections: dict[str, Any] = {
        name: (list[model], [])  # type: ignore[valid-type]  # a model that is made at run time
        for domain in domains()
        if domain.seed is not None
        for name, model in domain.seed.sections.items()
    }
    return create_model("Seed", __base__=Seed, **sections)


def read(path: Path, environment: Mapping[str, str] | None = None) -> Seed:
    """Raises ``BadSeed``."""
    try:
        written = tomllib.loads(path.read_text("utf-8-sig"))
        given = with_secrets() if environment is None else environment
        return whole_file().model_validate(filled(written, given))
    except OSError as error:
        raise BadSeed(f"{path}: {error.strerror}") from error
    except EnvironmentMissing as error:
        raise BadSeed(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadSeed(f"{path}: {where}: {first['msg']}") from None
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, a number of endless digits
        raise BadSeed(f"{path}: {error}") from error


def _draw(services: Services, wanted: SeedStreetMap | None, folder: Path) -> None:
    if wanted is not None:
        street_map.put(services, folder / wanted.file, by=SEEDER, attribution=wanted.attribution)


def apply(services: Services, seed: Seed, folder: Path = Path()) -> None:
    """Everything or nothing, the map apart, which comes first: its file lies in ``folder``.

    Raises ``WeakPassword`` outside the demo, ``BadSeed``, ``MapFileInvalid``, ``OSError``.
    """
    _draw(services, seed.street_map, folder)
    cipher = Cipher(services.settings.secret)
    now = services.now()
    with writing(services.sessions) as session:
        _lock(session, seed)
        put_districts(session, seed.district, now)
        for account in seed.account:
            _account(session, account, now, services.settings.demo)
        for gateway in seed.gateway:
            token = gateway.token.get_secret_value()
            if len(token) < TOKEN_CHARACTERS and not services.settings.demo:
                raise BadSeed(
                    f"the token of gateway {gateway.id} has fewer than {TOKEN_CHARACTERS}"
                    " characters; make one with `openssl rand -hex 32`"
                )
            if revoked(session, [gateway.id]):
                # Whoever wrote the file may not know; a start must not let a thief in again.
                _log.warning("seed-left-out", gateway=gateway.id, reason="it was revoked")
                continue
            enrol(session, gateway.id, now)
            set_gateway_token(session, gateway.id, token, now)
        gone = _people(session, cipher, seed, now)
        put_homes(session, cipher, seed.household, seed.member, now)
        for part in (one.seed for one in domains() if one.seed is not None):
            part.apply(session, seed.of_domains(part), now)
        for wanted in seed.consent:
            if wanted.person not in gone:
                _consent(session, wanted, now)
        for one in not_called(session, now, [person.key for person in seed.person]):
            _log.warning("guardian-not-called", person=one.person, account=one.account)
        for channel in seed.channel:
            _channel(session, cipher, channel)
    sync(services.sessions, cipher, services.settings)


def _lock(session: Session, seed: Seed) -> None:
    """What is changed besides, before the audit log, as everybody does."""
    if _takes_away(session, seed.account):
        lock_all(session)
    if gives_devices(session, seed.household):
        feed.lock(session)


def _takes_away(session: Session, accounts: Sequence[SeedAccount]) -> bool:
    """Whether somebody may do less than before: what they had in hand is released."""
    wanted = {one.username: one for one in accounts}
    known = session.scalars(select(Account).where(Account.username.in_(wanted)))
    return any(
        not set(one.roles) <= {role.value for role in wanted[one.username].roles}
        or bool(wanted[one.username].districts)
        for one in known
    )


def _account(session: Session, wanted: SeedAccount, now: datetime, demo: bool) -> None:
    account = session.scalar(select(Account).where(Account.username == wanted.username))
    if account is None:
        account = add_account(
            session,
            username=wanted.username,
            password=wanted.password.get_secret_value(),
            roles=wanted.roles,
            now=now,
            display_name=wanted.display_name,
            email=wanted.email,
            language=wanted.language,
            demo=demo,
        )
    else:
        set_roles(session, account, wanted.roles, by=SEEDER, now=now)
        account.display_name = wanted.display_name or wanted.username
        account.email = wanted.email
        account.language = wanted.language
    if wanted.districts is not None:
        districts.limit(session, account, wanted.districts, by=SEEDER, now=now)


def _people(session: Session, cipher: Cipher, seed: Seed, now: datetime) -> frozenset[str]:
    """Enrols persons; returns those who are left out."""
    gone = frozenset(person_keys.erased(session, (person.key for person in seed.person)))
    for key in sorted(gone):
        _log.warning("seed-left-out", person=key, reason="this person was erased")
    for person in seed.person:
        if person.key in gone:
            continue
        persons.add_person(session, cipher, key=person.key, name=person.name, now=now)
        for username in person.guardians:
            consents.add_guardian(
                session,
                person_key=person.key,
                account=account_named(session, username),
                by=SEEDER,
                now=now,
            )
    session.flush()
    return gone


def _consent(session: Session, wanted: SeedConsent, now: datetime) -> None:
    account = account_named(session, wanted.account)
    if wanted.expires is not None:
        expires, there = wanted.expires, Consent.expires == wanted.expires
    else:
        expires = now + timedelta(days=wanted.expires_days or 0)
        there = or_(Consent.expires > now, Consent.revoked.is_not(None))
    same = select(Consent.id).where(
        Consent.person_key == wanted.person, Consent.account_id == account.id, there
    )
    if session.scalar(same.limit(1)) is None:
        if "scopes" not in wanted.model_fields_set:
            # A file of before there were scopes meant everything: whoever wrote it is told.
            _log.warning("consent-without-scopes", person=wanted.person, opens=sorted(DEFAULT))
        consents.grant(
            session,
            person_key=wanted.person,
            account=account,
            by=SEEDER,
            expires=expires,
            now=now,
            wanted=consents.Wanted.of(wanted.scopes, wanted.footprint_from, now),
        )
        session.flush()


def _channel(session: Session, cipher: Cipher, wanted: SeedChannel) -> None:
    put_channel(
        session,
        cipher,
        name=wanted.name,
        url=wanted.url.get_secret_value(),
        account=account_named(session, wanted.account) if wanted.account else None,
        role=wanted.role,
        domains=list(wanted.domains),
        minimum=wanted.minimum,
        escalate_after_s=wanted.escalate_after_s,
        language=wanted.language,
        devices=wanted.devices,
        follow_ups=wanted.follow_ups,
        hook_secret=wanted.hook_secret.get_secret_value(),
        kind=wanted.kind,
    )
