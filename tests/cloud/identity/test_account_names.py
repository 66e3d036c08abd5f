"""An account that is removed leaves its name in records of what it did, and nowhere else."""

from __future__ import annotations

import re

from sqlalchemy import String, select, update

from cases_office import Office
from cloud_city import NOON, City
from vigil_cloud.cases.models import CaseRow
from vigil_cloud.database.engine import writing
from vigil_cloud.database.registry import metadata
from vigil_cloud.identity.households import Described, put
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import remove_account
from vigil_cloud.smoke.models import Fire, HomeSafety

CLEARED = {"accounts.username", "case_access.account", "cases.assignee", "fires.leader"} | {
    "home_safety.code_set_by", "programme_homes.applied_by"
}  # fmt: skip
RECORDS = {
    # Of what somebody did: without a name it would prove nothing.
    "aed_patrol_photos.account", "aed_patrols.account",
    "alert_history.account", "alerts.acknowledged_by",
    "alerts.confirmed_by", "audit_log.account", "case_alerts.added_by", "case_events.account",
    "case_photographs.added_by", "case_votes.account", "cases.opened_by", "consents.granted_by",
    "dead_letters.settled_by", "device_shelves.account", "device_shelves.ended_by",
    "downlinks.account", "escalation_answers.who", "escalation_policies.changed_by",
    "enrolment_codes.account", "fire_steps.who", "gateway_certificates.account",
    "gateway_revocations.account", "invitations.made_by",
    "irrigation_orders.asked_by", "irrigation_orders.closed_by", "irrigation_orders.released_by",
    "looks.account", "purpose_consents.account", "search_entries.account",
    "station_hosts.made_by", "noise_rules.recorded_by", "noise_roads.recorded_by",
    "noise_certificates.recorded_by", "noise_placements.recorded_by",
    "noise_complaints.recorded_by", "noise_register_versions.recorded_by",
    "noise_exceedances.overruled_by",
    "programme_photos.account", "programme_signatures.who", "programme_steps.who",
    # Forgotten after a day.
    "case_requests.account",
}  # fmt: skip


def test_every_column_that_names_an_account_is_cleared_or_a_record() -> None:
    named = re.compile(r"(^|_)(account|assignee|by|leader|opener|username|who)$")
    found = {
        f"{table.name}.{column.name}"
        for table in metadata().sorted_tables
        for column in table.columns
        if isinstance(column.type, String) and named.search(column.name)
    }
    assert found <= CLEARED | RECORDS, found - CLEARED - RECORDS
    assert found >= CLEARED
    assert not CLEARED & RECORDS


def test_a_removed_account_has_nothing_in_hand_any_more(city: City) -> None:
    office = Office(city)
    case = office.water()["id"]
    city.account("leaver", Role.INSPECTOR)
    with writing(city.services.sessions) as session:
        closed = {"assignee": "leaver", "state": "closed"}
        session.execute(update(CaseRow).where(CaseRow.id == case).values(closed))
        put(session, city.cipher, "lee", Described("Lee"), by="administrator", now=NOON)
        session.add(HomeSafety(household="lee", code_set_by="leaver"))
        session.add(
            Fire(
                id="fire",
                home="household:lee",
                gateway="gw-east",
                device="alarm-1",
                alert_id="alert",
                place="",
                place_zh="",
                opened=NOON,
                phase="over",
                state={},
                done={},
                leader="leaver",
            )
        )
    with writing(city.services.sessions) as session:
        remove_account(session, "leaver", by="administrator", now=NOON)
    with city.services.sessions() as session:
        for name in sorted(CLEARED):
            table, column = name.split(".")
            found = session.scalars(select(metadata().tables[table].c[column])).all()
            assert "leaver" not in found, name
