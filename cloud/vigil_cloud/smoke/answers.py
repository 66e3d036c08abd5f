"""What those who belong to a home say of its fire: by a message's link, a web hook or a page."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from vigil_cloud.domain.at_home import CodeNeeded, Proof
from vigil_cloud.services import Services
from vigil_cloud.smoke import codes, fires
from vigil_cloud.smoke.codes import CodeNotSet, Verified


class FireAtHome:
    """See ``domain.at_home.AtHome``."""

    def code_counts(self, session: Session, alert_id: str) -> bool:
        """See ``AtHome``."""
        fire = fires.of_alert(session, alert_id)
        return fire is not None and fire.phase != "over" and codes.needed(session, fire)

    def verify(self, services: Services, alert_id: str, code: str, who: str) -> Verified:
        """See ``AtHome``. Raises ``CodeNotSet``, ``CodeLocked``, ``CodeWrong``."""
        with services.sessions() as session:
            fire = fires.of_alert(session, alert_id)
            if fire is None or fire.household is None:
                raise CodeNotSet("This home has set no code.")
            household, opened = fire.household, fire.opened
        return codes.check(services, household, code, who=who, began=opened)

    def false_alarm(
        self, session: Session, alert_id: str, who: str, now: datetime, proof: Proof | None
    ) -> None:
        """See ``AtHome``. Raises ``CodeNeeded``, ``CodeTakesNothingBack``."""
        fire = fires.of_alert(session, alert_id)
        if fire is None or fire.phase == "over":
            return
        fire = fires.load(session, fire.id, lock=True)
        if proof is not None:
            codes.require(proof, fire.household)
            fires.code_given(session, fire, who, now)
        elif codes.needed(session, fire):
            raise CodeNeeded("This home's code is needed to take the alarm back.")
        else:
            fires.step(session, fire, now, "false-alarm-without-code", who)

    def burns(self, session: Session, alert_id: str, who: str, now: datetime) -> None:
        """See ``AtHome``."""
        fire = fires.of_alert(session, alert_id)
        if fire is not None and fire.phase != "over":
            fires.burns(session, fires.load(session, fire.id, lock=True), who, now)
