"""AEDs of the register and volunteers' certificates, from the seed file.

Whoever is named as a volunteer still consents and goes on call by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Final

from pydantic import Field
from sqlalchemy.orm import Session

from vigil_cloud.aed import register, tagged, volunteers
from vigil_cloud.aed.hours import BadOpeningHours
from vigil_cloud.aed.schema import Latitude, Longitude
from vigil_cloud.api_errors import ApiError
from vigil_cloud.domain.descriptor import SeedPart
from vigil_cloud.domain.seeding import SEEDER, BadSeed, Section
from vigil_schemas.checkin import TagId
from vigil_schemas.types import DeviceId


class SeedSite(Section):
    """One ``[[aed_site]]`` table."""

    id: Annotated[str, Field(pattern=r"^\w[\w.-]{0,39}$")]
    name: Annotated[str, Field(min_length=1, max_length=120)]
    name_zh: Annotated[str, Field(max_length=120)] = ""
    latitude: Latitude
    longitude: Longitude
    location: Annotated[str, Field(max_length=300)] = ""
    opening_hours: Annotated[str, Field(max_length=255)] = "24/7"
    pads_until: date | None = None
    battery_until: date | None = None
    device: DeviceId | None = None
    tag: TagId | None = None


class SeedVolunteer(Section):
    """One ``[[volunteer]]`` table: a certificate that somebody has seen."""

    username: str
    certificate_until: date


def _apply(session: Session, sections: Mapping[str, Sequence[Any]], now: datetime) -> None:
    sites: Sequence[SeedSite] = sections["aed_site"]
    for site in sites:
        fields = site.model_dump(exclude={"id", "tag"})
        try:
            register.bring_in(session, site.id, fields, SEEDER, now)
            tagged.put_tag(session, site.id, site.tag, SEEDER, now)
        except (ApiError, BadOpeningHours) as error:
            raise BadSeed(f"aed_site {site.id}: {error}") from error
    people: Sequence[SeedVolunteer] = sections["volunteer"]
    for one in people:
        try:
            volunteers.certify(session, one.username, one.certificate_until, SEEDER, now)
        except volunteers.NoVolunteer as error:
            raise BadSeed(f"volunteer {one.username}: {error}") from error


SEED: Final = SeedPart({"aed_site": SeedSite, "volunteer": SeedVolunteer}, _apply)
