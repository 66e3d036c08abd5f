"""One-time codes and what a box gets for one: once, in time, for its own name, or nothing."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from sqlalchemy import select

from cloud_city import GATEWAY, City
from vigil_cloud.certificates import issued
from vigil_cloud.certificates.models import AuthorityRow, CertificateRow
from vigil_cloud.database.engine import writing
from vigil_cloud.devices import removal
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.enrolment import service
from vigil_cloud.enrolment.errors import RenewalRefused
from vigil_cloud.enrolment.models import EnrolmentCode
from vigil_cloud.identity.audit import verify
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.sessions import gateway_of_token

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def csr(key: Key, name: str) -> x509.CertificateSigningRequest:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())


def pem(request: x509.CertificateSigningRequest) -> str:
    return request.public_bytes(Encoding.PEM).decode()


def code_for(city: City, gateway: str, **wanted: Any) -> str:
    answer = city.client("administrator").post(f"/api/v1/gateways/{gateway}/enrolment", json=wanted)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["code"])


def enrol(city: City, code: str, key: Key, name: str) -> httpx.Response:
    body = {"code": code, "request": pem(csr(key, name))}
    return city.anonymous().post("/api/v1/gateway-enrolment", json=body)


def refused(answer: httpx.Response, code: str) -> str:
    assert answer.json()["code"] == code, answer.text
    return str(answer.json()["detail"])


def test_a_box_with_a_code_becomes_a_gateway(either_city: City) -> None:
    city = either_city
    code = code_for(city, "gw-west", name="West gate", latitude=23.5, longitude=120.4)
    asked = city.anonymous().post("/api/v1/gateway-enrolment/offer", json={"code": code.lower()})
    assert asked.json()["gateway"] == "gw-west"
    key = new_key()
    given = enrol(city, code, key, "gw-west").json()

    certificate = x509.load_pem_x509_certificate(given["certificate"].encode())
    authority = x509.load_pem_x509_certificate(given["authority"].encode())
    certificate.verify_directly_issued_by(authority)
    assert certificate.public_key() == key.public_key()
    assert certificate.subject.rfc4514_string() == "CN=gw-west"
    assert (given["name"], given["latitude"]) == ("West gate", 23.5)
    assert given["broker"] == "mqtt://127.0.0.1:1883"
    assert gateway_of_token(city.services, given["token"]) == "gw-west"
    with city.services.sessions() as session:
        assert session.get(Gateway, "gw-west") is not None
        kept = session.scalars(select(EnrolmentCode)).one()
        assert code.replace("-", "") not in kept.code_hash
        done = session.scalars(select(AuditEntry.action)).all()
        assert {"gateway.code-made", "gateway.enrolled"} <= set(done)
        verify(session)


def test_a_lost_answer_is_given_again_to_the_same_key_alone(city: City) -> None:
    code, key = code_for(city, "gw-west"), new_key()
    first = enrol(city, code, key, "gw-west").json()
    again = enrol(city, code, key, "gw-west").json()

    assert again["certificate"] == first["certificate"]
    assert gateway_of_token(city.services, again["token"]) == "gw-west"
    assert gateway_of_token(city.services, first["token"]) is None
    detail = refused(enrol(city, code, new_key(), "gw-west"), "enrolment-code-used")
    assert "another box" in detail
    assert gateway_of_token(city.services, again["token"]) == "gw-west"
    city.later(hours=2)
    refused(enrol(city, code, key, "gw-west"), "enrolment-code-expired")


def test_of_two_boxes_with_one_code_at_once_one_gets_in(either_city: City) -> None:
    city = either_city
    code, keys = code_for(city, "gw-west"), [new_key() for _ in range(4)]
    with ThreadPoolExecutor(4) as boxes:
        answers = list(boxes.map(lambda key: enrol(city, code, key, "gw-west"), keys))
    assert sorted(one.status_code for one in answers) == [200, 409, 409, 409], [
        one.text for one in answers
    ]
    (given,) = [one.json() for one in answers if one.is_success]
    assert {one.json()["code"] for one in answers if not one.is_success} == {"enrolment-code-used"}
    with city.services.sessions() as session:
        assert [row.serial for row in session.scalars(select(CertificateRow))] == [serial_of(given)]
    assert gateway_of_token(city.services, given["token"]) == "gw-west"


@pytest.mark.parametrize("half", [{"latitude": 23.5}, {"longitude": 120.4}])
def test_half_a_place_is_refused_and_not_left_out(city: City, half: dict[str, float]) -> None:
    answer = city.client("administrator").post("/api/v1/gateways/gw-west/enrolment", json=half)
    assert answer.status_code == 422
    assert "a latitude and a longitude" in answer.text


@pytest.mark.parametrize("how", ["other-name", "expired", "weak", "not-own", "no-request"])
def test_what_does_not_fit_changes_nothing(city: City, how: str) -> None:
    code, key = code_for(city, "gw-west"), new_key()
    if how == "expired":
        city.later(hours=1, seconds=1)
    answer: httpx.Response
    if how == "weak":
        weak = rsa.generate_private_key(65537, 1024)
        answer = enrol(city, code, weak, "gw-west")
    elif how in {"not-own", "no-request"}:
        der = bytearray(csr(key, "gw-west").public_bytes(Encoding.DER))
        der[-1] ^= 1
        text = base64.b64encode(bytes(der)).decode() if how == "not-own" else "AAAA"
        made = f"-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n"
        body = {"code": code, "request": made}
        answer = city.anonymous().post("/api/v1/gateway-enrolment", json=body)
    else:
        answer = enrol(city, code, key, "gw-east" if how == "other-name" else "gw-west")

    code_of = {"other-name": "csr-other-name", "expired": "enrolment-code-expired"}
    refused(answer, code_of.get(how, "csr-invalid"))
    with city.services.sessions() as session:
        assert session.get(Gateway, "gw-west") is None
        assert session.scalars(select(CertificateRow)).all() == []
        assert session.scalars(select(EnrolmentCode.used)).one() is None


def test_guesses_are_counted_and_a_right_code_is_none(city: City) -> None:
    code = code_for(city, "gw-west")
    for _ in range(8):
        offered = city.anonymous().post("/api/v1/gateway-enrolment/offer", json={"code": code})
        assert offered.status_code == 200
    wrong = {"code": "0000-0000-0000"}
    answers = [
        city.anonymous().post("/api/v1/gateway-enrolment/offer", json=wrong).status_code
        for _ in range(6)
    ]
    assert answers == [404] * 5 + [429]


def test_another_box_takes_the_place_and_the_former_one_is_out(either_city: City) -> None:
    city = either_city
    city.birth()
    first = enrol(city, code_for(city, GATEWAY, replaces=True), new_key(), GATEWAY).json()
    taken = city.client("administrator").post(f"/api/v1/gateways/{GATEWAY}/enrolment", json={})
    assert "is enrolled" in refused(taken, "gateway-enrolled")

    code = code_for(city, GATEWAY, replaces=True)
    assert serials_revoked(city) == set(), "the former box serves until the new one is there"
    second = enrol(city, code, new_key(), GATEWAY).json()

    assert serials_revoked(city) == {serial_of(first)}
    assert listed(city) == {serial_of(first)}
    assert gateway_of_token(city.services, first["token"]) is None
    with city.services.sessions() as session:
        assert session.get_one(Device, "mic-1").gateway == GATEWAY
    assert serial_of(second) not in listed(city)


def test_a_gateway_that_is_thrown_out_is_on_the_list_and_comes_back_with_a_code(
    either_city: City,
) -> None:
    city = either_city
    first = enrol(city, code_for(city, "gw-west"), new_key(), "gw-west").json()
    assert city.client("maintainer").delete("/api/v1/gateways/gw-west").status_code == 200
    assert listed(city) == {serial_of(first)}
    answer = city.client("administrator").post("/api/v1/gateways/gw-west/enrolment", json={})
    refused(answer, "gateway-revoked")
    with city.services.sessions() as session:
        assert removal.revoked(session, ["gw-west"]) == {"gw-west"}

    second = enrol(city, code_for(city, "gw-west", replaces=True), new_key(), "gw-west").json()
    with city.services.sessions() as session:
        assert removal.revoked(session, ["gw-west"]) == set()
    assert listed(city) == {serial_of(first)} != {serial_of(second)}


def test_a_code_lets_nobody_in_who_was_thrown_out_after_it(either_city: City) -> None:
    city = either_city
    enrol(city, code_for(city, "gw-west"), new_key(), "gw-west")
    code = code_for(city, "gw-west", replaces=True)
    city.later(minutes=1)
    maintainer = city.client("maintainer")
    assert maintainer.delete("/api/v1/gateways/gw-west").status_code == 200

    refused(enrol(city, code, new_key(), "gw-west"), "enrolment-code-unknown")
    asked = city.anonymous().post("/api/v1/gateway-enrolment/offer", json={"code": code})
    refused(asked, "enrolment-code-unknown")
    waits = maintainer.get("/api/v1/gateways/gw-west/certificates").json()
    assert waits["code_expires"] is None
    with city.services.sessions() as session:
        assert removal.revoked(session, ["gw-west"]) == {"gw-west"}


def test_a_gateway_that_sends_with_a_token_is_replaced_on_purpose_alone(city: City) -> None:
    city.token("gw-west")
    administrator = city.client("administrator")
    answer = administrator.post("/api/v1/gateways/gw-west/enrolment", json={})
    assert "has a token" in refused(answer, "gateway-enrolled")
    assert enrol(city, code_for(city, "gw-west", replaces=True), new_key(), "gw-west").is_success


def renewal(
    city: City, given: dict[str, Any], key: ec.EllipticCurvePrivateKey, **change: str
) -> httpx.Response:
    request = csr(new_key(), "gw-west")
    signature = key.sign(request.public_bytes(Encoding.DER), ec.ECDSA(hashes.SHA256()))
    body = {
        "request": pem(request),
        "serial": serial_of(given),
        "signature": base64.b64encode(signature).decode(),
        **change,
    }
    return city.anonymous().post(
        "/api/v1/gateways/gw-west/certificate",
        json=body,
        headers={"Authorization": f"Bearer {given['token']}"},
    )


def test_a_certificate_is_renewed_by_token_and_key(either_city: City) -> None:
    city = either_city
    key = new_key()
    given = enrol(city, code_for(city, "gw-west"), key, "gw-west").json()
    refused(renewal(city, given, new_key()), "renewal-refused")
    refused(renewal(city, given, key, serial="abc"), "renewal-refused")
    other = pem(csr(key, "gw-east"))
    refused(renewal(city, given, key, request=other), "csr-other-name")
    assert renewal(city, {**given, "token": "x"}, key).status_code in {401, 403}

    city.later(days=45)
    renewed = renewal(city, given, key).json()
    assert listed(city) == set(), "the answer may be lost: the former one still opens the door"
    once_more = renewal(city, given, key).json()
    assert listed(city) == {serial_of(renewed)}, "one that never arrived is not left lying about"
    city.later(days=90 + 300)
    assert renewal(city, given, key).status_code == 200, "a box comes back after ten months"
    with writing(city.services.sessions) as session:
        issued.revoke(session, "gw-west", city.time, "by-hand", only={serial_of(given)})
    refused(renewal(city, given, key), "renewal-refused")
    assert x509.load_pem_x509_certificate(once_more["certificate"].encode()) is not None


def test_a_gateway_renews_a_few_times_a_day(city: City) -> None:
    key = new_key()
    given = enrol(city, code_for(city, "gw-west"), key, "gw-west").json()
    answers = [renewal(city, given, key) for _ in range(9)]
    assert [answer.status_code for answer in answers] == [200] * 8 + [403]
    assert "8 times" in refused(answers[-1], "renewal-refused")
    city.later(days=1, seconds=1)
    assert renewal(city, given, key).status_code == 200


def test_a_renewal_waits_for_who_throws_its_gateway_out(either_city: City) -> None:
    """Whichever is first, no certificate is left that opens the door."""
    city = either_city
    key = new_key()
    given = enrol(city, code_for(city, "gw-west"), key, "gw-west").json()
    with ThreadPoolExecutor(1) as beside:
        with writing(city.services.sessions) as session:
            removal.revoke(session, "gw-west", by="maintainer", now=city.time)
            asked = beside.submit(issued_or_refused, city, given, key)
            assert not wait([asked], timeout=0.5).done, "it waits"
        assert asked.result(30) == "renewal-refused"
    with city.services.sessions() as session:
        assert issued.valid(session, "gw-west", city.time) == []


def issued_or_refused(city: City, given: dict[str, Any], key: ec.EllipticCurvePrivateKey) -> str:
    request = csr(new_key(), "gw-west")
    signature = key.sign(request.public_bytes(Encoding.DER), ec.ECDSA(hashes.SHA256()))
    try:
        with writing(city.services.sessions) as session:
            service.renew(
                session,
                city.services.settings,
                Cipher(city.services.settings.secret),
                "gw-west",
                request=pem(request),
                serial=serial_of(given),
                signature=base64.b64encode(signature).decode(),
                now=city.time,
            )
    except RenewalRefused as error:
        return error.code
    return "signed"


def test_one_certificate_is_revoked_and_the_gateway_stays(city: City) -> None:
    given = enrol(city, code_for(city, "gw-west"), new_key(), "gw-west").json()
    maintainer = city.client("maintainer")
    path = f"/api/v1/gateways/gw-west/certificates/{serial_of(given)}"
    assert maintainer.delete(path).status_code == 204
    assert maintainer.delete(path).status_code == 204, "again"
    assert maintainer.delete("/api/v1/gateways/gw-west/certificates/abc").status_code == 404
    assert listed(city) == {serial_of(given)}
    (entry,) = maintainer.get("/api/v1/gateways/gw-west/certificates").json()["certificates"]
    assert entry["reason"] == "by-hand"
    with city.services.sessions() as session:
        assert removal.revoked(session, ["gw-west"]) == set()


def test_a_code_ends_with_the_next_one_or_by_hand(city: City) -> None:
    first = code_for(city, "gw-west")
    second = code_for(city, "gw-west")
    refused(enrol(city, first, new_key(), "gw-west"), "enrolment-code-unknown")
    administrator = city.client("administrator")
    waits = administrator.get("/api/v1/gateways/gw-west/certificates").json()
    assert waits["code_expires"] is not None
    assert administrator.delete("/api/v1/gateways/gw-west/enrolment").status_code == 204
    refused(enrol(city, second, new_key(), "gw-west"), "enrolment-code-unknown")


def test_the_clouds_own_name_is_no_gateways(city: City) -> None:
    answer = city.client("administrator").post("/api/v1/gateways/vigil-cloud/enrolment", json={})
    assert "own name" in refused(answer, "gateway-name-reserved")


def test_the_list_is_signed_once_and_the_later_one_is_known_by_its_date(city: City) -> None:
    names = ("gw-west", "gw-east")
    given = [enrol(city, code_for(city, name), new_key(), name).json() for name in names]
    path = "/api/v1/gateways.crl"
    lists = [revocation_list(city)]
    assert city.anonymous().get(path).content == lists[0].public_bytes(Encoding.DER)
    for name, back in zip(names, (0, 3600), strict=True):
        city.time -= timedelta(seconds=back)
        assert city.client("maintainer").delete(f"/api/v1/gateways/{name}").status_code == 200
        lists.append(revocation_list(city))
    dates = [one.last_update_utc for one in lists]
    assert dates[0] < dates[1] < dates[2] < city.time, "also where the clock goes back"
    assert listed(city) == {serial_of(one) for one in given}


def test_the_list_does_not_run_out_before_the_authority(city: City) -> None:
    given = enrol(city, code_for(city, "gw-west"), new_key(), "gw-west").json()
    made = revocation_list(city)
    authority = x509.load_pem_x509_certificate(given["authority"].encode())
    assert made.next_update_utc == authority.not_valid_after_utc
    assert made.is_signature_valid(authority.public_key())  # type: ignore[arg-type]
    assert authority.not_valid_after_utc - city.time > timedelta(days=365 * 24)


def serial_of(given: dict[str, Any]) -> str:
    certificate = x509.load_pem_x509_certificate(given["certificate"].encode())
    return f"{certificate.serial_number:x}"


def serials_revoked(city: City) -> set[str]:
    with city.services.sessions() as session:
        query = select(CertificateRow.serial).where(CertificateRow.revoked.is_not(None))
        return set(session.scalars(query))


def revocation_list(city: City) -> x509.CertificateRevocationList:
    return x509.load_der_x509_crl(city.anonymous().get("/api/v1/gateways.crl").content)


def listed(city: City) -> set[str]:
    return {f"{entry.serial_number:x}" for entry in revocation_list(city)}


@pytest.mark.parametrize("year", [1970, 2025, 2057, 2099])
def test_no_authority_is_made_by_a_clock_that_cannot_be_right(city: City, year: int) -> None:
    city.time = city.time.replace(year=year)
    code, key = code_for(city, "gw-west"), new_key()
    answer = enrol(city, code, key, "gw-west")
    assert answer.status_code == 503
    assert f"says {year}-" in refused(answer, "clock-implausible")
    with city.services.sessions() as session:
        assert session.get(AuthorityRow, 1) is None
        assert session.get(Gateway, "gw-west") is None

    city.time = city.time.replace(year=2026)
    city.sign_in_anew("administrator")
    assert enrol(city, code_for(city, "gw-west"), key, "gw-west").status_code == 200


def test_an_authority_of_a_clock_that_was_ahead_is_made_anew_while_nobody_has_anything_of_it(
    city: City,
) -> None:
    now = city.time
    city.time = now.replace(year=now.year + 3)
    with writing(city.services.sessions) as session:
        issued.authority(session, city.cipher, city.time)  # as `vigil-cloud init` does
    city.time = now
    given = enrol(city, code_for(city, "gw-west"), new_key(), "gw-west").json()
    authority = x509.load_pem_x509_certificate(given["authority"].encode())
    assert authority.not_valid_before_utc <= now

    city.time = now - timedelta(days=40)
    answer = enrol(city, code_for(city, "gw-south"), new_key(), "gw-south")
    detail = refused(answer, "clock-implausible")
    assert f"the authority is of {authority.not_valid_before_utc:%Y-%m-%d}" in detail
    assert listed(city) == set()


def test_lists_of_a_restored_city_are_later_and_never_of_the_future(city: City) -> None:
    given = enrol(city, code_for(city, "gw-west"), new_key(), "gw-west").json()
    path = f"/api/v1/gateways/gw-west/certificates/{serial_of(given)}"
    assert city.client("maintainer").delete(path).status_code == 204
    before = revocation_list(city).last_update_utc
    for _ in range(12):
        with writing(city.services.sessions) as session:
            issued.advance_list(session, city.time)
        after = revocation_list(city).last_update_utc
        assert before < after <= city.time - timedelta(hours=5)
        before = after
