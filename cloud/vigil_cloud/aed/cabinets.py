"""Which cabinet a message is of, and where it stands.

One damaged byte in a cabinet's name must not leave a call without a place: nobody could be sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.aed.models import AedSite
from vigil_cloud.alerts.places import Place, place_of
from vigil_cloud.devices.models import Device
from vigil_schemas.aed import DOMAIN


@dataclass(frozen=True, slots=True)
class Cabinet:
    """``said``: what the message called it, where no cabinet of its gateway is called so."""

    device: str
    place: Place
    site: AedSite | None = None
    said: str | None = None


def cabinet_of(session: Session, gateway: str, subject: str) -> Cabinet:
    """The cabinet of this name; else the gateway's only one, else one of those that it has."""
    site = _site(session, subject)
    if site is not None or session.get(Device, subject) is not None:
        return _cabinet(session, subject, site)
    query = (
        select(Device.device)
        .where(Device.gateway == gateway, Device.domain == DOMAIN)
        .order_by(Device.device)
    )
    found = [_cabinet(session, name, _site(session, name)) for name in session.scalars(query)]
    if not found:
        return _cabinet(session, subject, None)
    if len(found) == 1:
        (only,) = found
        return Cabinet(only.device, only.place, only.site, said=subject)
    # They hang on one box: whoever is sent to the first of them is near all the others.
    located = next((one.place for one in found if one.place.latitude is not None), found[0].place)
    place = Place(
        " / ".join(one.place.name for one in found),
        " / ".join(one.place.name_zh for one in found),
        located.latitude,
        located.longitude,
    )
    return Cabinet(subject, place, said=subject)


def _site(session: Session, device: str) -> AedSite | None:
    return session.scalar(select(AedSite).where(AedSite.device == device))


def _cabinet(session: Session, device: str, site: AedSite | None) -> Cabinet:
    """The register knows better than the gateway's file where people find it."""
    if site is None:
        return Cabinet(device, place_of(session, device))
    name_zh = site.name_zh or site.name
    return Cabinet(device, Place(site.name, name_zh, site.latitude, site.longitude), site)
