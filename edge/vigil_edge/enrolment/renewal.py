"""The agent renews its certificate by itself, at half of its time, and connects anew with it.

Nothing is lost meanwhile: what is under way stays in the outbox until its receipt. A renewal that
fails is tried again, and told as the counter ``certificate-renewal-failed`` and by the date of
the certificate in every health report, which raises an alert a month before its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any, ClassVar, Final

import structlog

from vigil_edge.backoff import Backoff
from vigil_edge.configuration.sections import CloudSettings
from vigil_edge.enrolment import asking, identity
from vigil_edge.enrolment.errors import CloudUnreachable
from vigil_schemas.errors import VigilError

LOOK_S: Final = 3600.0
AGAIN_FIRST_S: Final = 60.0
AGAIN_LONGEST_S: Final = 3600.0
REFUSALS: Final = 4
"""In a row, until a new certificate gives way to the one before."""
_log = structlog.get_logger("certificate")


class RenewalImpossible(VigilError):
    """This gateway's certificate was not made by ``vigil-edge enrol``, or nothing says where to
    renew it."""

    code: ClassVar[str] = "renewal-impossible"
    remedy: ClassVar[str] = (
        "Renew it by hand, or enrol the gateway: `vigil-edge enrol https://cloud CODE`."
    )


class Renewal:
    """Looks at the certificate now and then; ``now`` by command."""

    def __init__(
        self,
        settings: CloudSettings,
        gateway: str,
        *,
        now: Callable[[], datetime],
        renewed: Callable[[], None],
        count: Callable[[str], None],
        rng: Random,
    ) -> None:
        """``renewed``: called when there is a new one to connect with."""
        self._settings = settings
        self._gateway = gateway
        self._now = now
        self._renewed = renewed
        self._count = count
        self._backoff = Backoff(rng, first_s=AGAIN_FIRST_S, last_s=AGAIN_LONGEST_S)
        self._turn = asyncio.Lock()
        self._refusals = 0

    @property
    def possible(self) -> bool:
        """Whether this gateway was enrolled: key and certificate in one file, that we may write."""
        cloud = self._settings
        same = cloud.certificate_file is not None and cloud.certificate_file == cloud.key_file
        return same and cloud.url is not None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            pause_s = LOOK_S
            if self.possible and await asyncio.to_thread(self._due):
                try:
                    await self.renew()
                    self._backoff.reset()
                except (VigilError, OSError, ValueError) as error:
                    self._count("certificate-renewal-failed")
                    _log.error("the certificate could not be renewed", error=str(error))
                    pause_s = self._backoff.next()
            await asyncio.sleep(pause_s)

    async def renew(self) -> datetime:
        """Another key and certificate, in use from now on; when it ends.

        Raises ``RenewalImpossible``, ``EnrolmentFailed``, ``OSError``, ``ValueError``.
        """
        if not self.possible:
            raise RenewalImpossible("this gateway was not enrolled by `vigil-edge enrol`")
        async with self._turn:
            ends = await asyncio.to_thread(self._renew)
        _log.info("the certificate was renewed", ends=ends.isoformat())
        self._renewed()
        return ends

    def _due(self) -> bool:
        file = self._settings.certificate_file
        try:
            _, certificate = identity.kept(file)  # type: ignore[arg-type]  # ``possible`` says so
        except (OSError, ValueError) as error:
            self._count("certificate-unreadable")
            _log.error("the certificate cannot be read", error=str(error))
            return False
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return self._now() >= begins + (ends - begins) / 2

    def _renew(self) -> datetime:
        cloud = self._settings
        file = cloud.certificate_file
        if file is None or cloud.url is None:
            raise RenewalImpossible("this gateway was not enrolled by `vigil-edge enrol`")
        former, certificate = identity.kept(file)
        key = identity.new_key()
        request = identity.request_of(key, self._gateway)
        body: dict[str, Any] = {
            "request": identity.request_pem(request),
            "serial": f"{certificate.serial_number:x}",
            "signature": identity.vouched(former, request),
        }
        given = asking.post(
            cloud.url,
            f"/gateways/{self._gateway}/certificate",
            body,
            trusted=cloud.url_tls_context,
            token=cloud.bearer() or "",
        )
        try:
            made, authority = str(given["certificate"]), str(given["authority"])
        except KeyError as error:
            raise CloudUnreachable(f"{cloud.url} answers what no cloud of ours does") from error
        ends = identity.fits(made, authority, key, self._gateway)
        if cloud.ca_file is not None and cloud.ca_file.parent == file.parent:
            identity.write_secret(cloud.ca_file, authority.encode())
        identity.replace(file, key, made)
        return ends

    async def tried(self, let_in: bool) -> None:
        """The broker let this gateway in, or did not. A certificate that it takes at no try gives
        way to the one before, which is valid until the next renewal: the only door to the cloud is
        not shut by what was meant to keep it open."""
        self._refusals = 0 if let_in else self._refusals + 1
        file = self._settings.certificate_file
        if file is None or not self.possible or (not let_in and self._refusals < REFUSALS):
            return
        try:
            if let_in:
                identity.former(file).unlink(missing_ok=True)
            elif await asyncio.to_thread(identity.go_back, file, self._now()):
                self._refusals = 0
                self._count("certificate-taken-back")
                _log.error("the broker refuses the new certificate: back to the one before")
        except (OSError, ValueError) as error:
            self._count("certificate-unreadable")
            _log.error("the certificate before cannot be used", error=str(error))
