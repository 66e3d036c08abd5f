"""A guardian whose consent ends soon is told first of all, and lets it go on with one press."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from unittest import mock

from playwright.sync_api import expect
from sqlalchemy import delete, select

from browser.conftest import OpenWindow
from browser.town import Town
from browser.town_seed import NAMES
from vigil_cloud.config import load
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.models import Consent
from vigil_cloud.stores import build_services

YEAR = timedelta(days=360)


@contextmanager
def given_long_ago(town: Town, person: str) -> Iterator[None]:
    """The consents of the person as if they had been given a year before; as it was afterwards."""
    with (
        mock.patch.dict(os.environ, town.environment),
        closing(build_services(load(None))) as services,
    ):
        own = select(Consent).where(Consent.person_key == person)
        with writing(services.sessions) as session:
            known = [one.id for one in session.scalars(own)]
            for one in session.scalars(own):
                one.granted -= YEAR
        yield
        with writing(services.sessions) as session:
            session.execute(
                delete(Consent).where(Consent.person_key == person, Consent.id.not_in(known))
            )
            for one in session.scalars(own):
                one.granted += YEAR


def test_a_guardian_whose_consent_ends_soon_renews_it(window: OpenWindow, town: Town) -> None:
    with given_long_ago(town, "grandmother"):
        page = window("mei").go("/family")
        told = page.locator("[data-ends-soon]")
        expect(told).to_contain_text(f"what you see and are told of {NAMES['grandmother']}")
        ending = page.locator("[data-ending]").filter(has_text="mei")
        expect(ending.first).to_contain_text("ends on")
        expect(ending.first).to_contain_text("last place")
        page.get_by_role("button", name="Renew: mei").first.click()
        expect(told).to_have_count(0)
        expect(ending).to_have_count(0)
        valid = page.get_by_role("listitem").filter(has_text="mei").filter(has_text="until")
        expect(valid).to_have_count(2)
