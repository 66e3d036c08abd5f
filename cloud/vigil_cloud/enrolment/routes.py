"""Enrolment over HTTP: codes for people, certificates for boxes, the list of revoked ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Final

from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, Path, Request, Response
from sqlalchemy import select

from vigil_cloud.api_errors import NotFound
from vigil_cloud.certificates import issued
from vigil_cloud.certificates.models import AuthorityRow
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.routes import Administrator, GatewayName, OfGateway
from vigil_cloud.enrolment import codes, service
from vigil_cloud.enrolment.schema import (
    CodeEntry,
    CodeRequest,
    EnrolmentEntry,
    EnrolmentRequest,
    GatewayCertificate,
    GatewayCertificates,
    Offer,
    OfferEntry,
    RenewalEntry,
    RenewalRequest,
)
from vigil_cloud.identity import attempts
from vigil_cloud.identity.answered import OnceDependency
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import AuthenticatedGateway, ServicesDependency
from vigil_cloud.qr_code import address_of, inline
from vigil_cloud.services import Services

router = APIRouter(tags=["gateways"])
Serial = Annotated[str, Path(pattern=r"^[0-9a-f]{1,40}$")]
_KIND: Final = "gateway enrolment code"


@router.post("/gateways/{gateway}/enrolment", status_code=201, operation_id="post_enrolment_code")
def post_code(
    gateway: GatewayName,
    body: CodeRequest,
    administrator: Administrator,
    once: OnceDependency,
) -> CodeEntry:
    """A one-time code with which a box becomes this gateway. Shown once."""
    wanted = codes.Wanted(
        gateway,
        body.name,
        body.latitude,
        body.longitude,
        body.replaces,
        timedelta(seconds=body.lasts_s),
    )
    services = once.services
    service.broker_url(services.settings)  # told now, and not to whoever stands before the box
    with writing(services.sessions) as session:

        def make() -> CodeEntry:
            made = codes.new_code(
                session, _cipher(services), wanted, by=administrator.username, now=services.now()
            )
            command = f"vigil-edge enrol {address_of(services.settings, once.request)} {made.code}"
            return CodeEntry(
                gateway=gateway,
                code=made.code,
                expires=made.expires,
                command=command,
                picture=inline(command),
            )

        return once.answer(session, administrator, body, CodeEntry, make)


@router.delete("/gateways/{gateway}/enrolment", status_code=204, operation_id="withdraw_code")
def delete_code(
    gateway: GatewayName, _administrator: Administrator, services: ServicesDependency
) -> None:
    """End a code that nobody has used. Again does nothing."""
    with writing(services.sessions) as session:
        codes.withdraw(session, gateway)


@router.post("/gateway-enrolment/offer", operation_id="post_enrolment_offer")
def post_offer(body: Offer, request: Request, services: ServicesDependency) -> OfferEntry:
    """What a one-time code is for; asked by the box before it makes its request."""
    now = services.now()
    with _guess(services, request), services.sessions() as session:
        row = service.offered(session, _cipher(services), body.code, now)
        return OfferEntry(gateway=row.gateway, expires=row.expires, now=now)


@router.post("/gateway-enrolment", operation_id="post_gateway_enrolment")
def post_enrolment(
    body: EnrolmentRequest, request: Request, services: ServicesDependency
) -> EnrolmentEntry:
    """Sign a box's request. The same key may ask again until the code's time is over: it is
    answered with the same certificate and a new token."""
    with _guess(services, request), writing(services.sessions) as session:
        given = service.enrol(
            session,
            services.settings,
            _cipher(services),
            body.code,
            body.request,
            services.now(),
        )
    services.changed.announce()
    return EnrolmentEntry.model_validate(given, from_attributes=True)


@router.post("/gateways/{gateway}/certificate", operation_id="post_certificate_renewal")
def post_certificate(
    gateway: AuthenticatedGateway, body: RenewalRequest, services: ServicesDependency
) -> RenewalEntry:
    """Another certificate for a gateway that has one, by its token and its key."""
    with writing(services.sessions) as session:
        certificate, authority, ends = service.renew(
            session,
            services.settings,
            _cipher(services),
            gateway,
            request=body.request,
            serial=body.serial,
            signature=body.signature,
            now=services.now(),
        )
    return RenewalEntry(certificate=certificate, authority=authority, ends=ends)


@router.get("/gateways/{gateway}/certificates")
def list_certificates(
    gateway: GatewayName, _operator: OfGateway, services: ServicesDependency
) -> GatewayCertificates:
    """What was signed for a gateway, and whether a code waits for it."""
    with services.sessions() as session:
        rows = issued.of_gateway(session, gateway)
        waits = codes.waiting(session, services.now())
    return GatewayCertificates(
        certificates=[
            GatewayCertificate(
                serial=row.serial,
                issued=row.issued,
                ends=row.ends,
                revoked=row.revoked,
                reason=row.reason,
                by=row.account,
            )
            for row in rows
        ],
        code_expires=waits.get(gateway),
    )


@router.delete("/gateways/{gateway}/certificates/{serial}", status_code=204)
def delete_certificate(
    gateway: GatewayName, serial: Serial, operator: OfGateway, services: ServicesDependency
) -> None:
    """Revoke one certificate, of a key that somebody else may have; the gateway stays let in.
    Again does nothing."""
    with writing(services.sessions) as session:
        if not service.revoke_one(
            session, gateway, serial, by=operator.username, now=services.now()
        ):
            raise NotFound(f"Gateway {gateway!r} has no certificate {serial}.")
    services.changed.announce()


@router.get(
    "/gateways.crl",
    operation_id="get_revocation_list",
    response_class=Response,
    responses={200: {"content": {"application/pkix-crl": {}}}},
)
def get_revocation_list(request: Request, services: ServicesDependency) -> Response:
    """Certificates that were revoked, as brokers read them (RFC 5280, DER). Public: it names
    serial numbers."""
    with services.sessions() as session:
        there = session.execute(select(AuthorityRow.certificate, AuthorityRow.list_number)).first()
    kept: tuple[object, bytes] | None = getattr(request.app.state, "revocation_list", None)
    if there is None or kept is None or kept[0] != tuple(there):
        # Anybody may ask: who asks again costs no signature, and nobody waits to write for it.
        opened = services.sessions() if there is not None else writing(services.sessions)
        with opened as session:
            now = services.now()
            signer = issued.authority(session, _cipher(services), now)
            number = issued.list_number(session)
            made = issued.revocation_list(session, signer, now)
        kept = (signer.pem, number), made.public_bytes(Encoding.DER)
        request.app.state.revocation_list = kept
    return Response(
        kept[1],
        media_type="application/pkix-crl",
        headers={"Cache-Control": "no-cache"},
    )


def _cipher(services: Services) -> Cipher:
    return Cipher(services.settings.secret)


@contextmanager
def _guess(services: Services, request: Request) -> Iterator[None]:
    """Count a try before the code is looked at, so that many at once count as well; one that
    succeeds was no guess. Raises ``TooManyAttempts``."""
    counted = attempts.limits(_KIND, request.client.host if request.client else "")
    now = services.now()
    with writing(services.sessions) as session:
        attempts.count(session, counted, now)
    yield
    with writing(services.sessions) as session:
        attempts.forgive(session, counted)
