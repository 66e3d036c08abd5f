"""The whole API against its own description, and every error as a problem document."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.transport.serialization import Binary

import servers
from cloud_city import City, sealed
from cloud_routes import document, operations
from vigil_cloud.app import openapi_document
from vigil_cloud.http import health, pages
from vigil_cloud.http.pages import STATIC
from vigil_cloud.identity.roles import Role
from vigil_cloud.objects.port import ObjectsUnavailable

EXAMPLES = 15 if os.environ.get("VIGIL_FULL") else 6
"""Of each of two hundred operations."""


@schemathesis.serializer("application/zip")
def _zip(_context: Any, value: Any) -> bytes:
    return value.data if isinstance(value, Binary) else str(value).encode()


STREAM = ("/api/v1/stream", "get")
"""It does not end."""


@functools.cache
def described() -> Any:
    return schemathesis.openapi.from_dict(document())


@pytest.fixture(scope="module")
def everybodys(
    populated_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, str]]:
    """A city's folder in which somebody may do everything, to copy; and the headers of a session.

    Sessions end here in some of the cases: each case brings its own cookie.
    """
    folder = shutil.copytree(populated_folder, tmp_path_factory.mktemp("everybodys") / "cloud")
    city = City(folder)
    city.account("everybody", *_all_roles())
    city.guardian("everybody")
    city.consent("everybody")
    city.one_of_each()
    client = city.client("everybody")
    cookie = f"vigil_session={client.cookies['vigil_session']}"
    headers = {"Cookie": cookie, "X-CSRF-Token": client.headers["X-CSRF-Token"]}
    city.close()
    return folder, headers


def test_no_operation_is_left_out() -> None:
    named = [(path, method) for path, item in document()["paths"].items() for method in item]

    assert sorted(operations()) == sorted(named)
    assert STREAM in named


@pytest.mark.parametrize(("path", "method"), [one for one in operations() if one != STREAM])
def test_every_operation_keeps_its_description(
    everybodys: tuple[Path, dict[str, str]], tmp_path: Path, path: str, method: str
) -> None:
    folder, headers = everybodys
    city = City(shutil.copytree(folder, tmp_path / "cloud"))
    try:
        schema = described()
        schema.config.update(base_url=city.serve())
        _try(schema[path][method.upper()], headers)
    finally:
        city.close()


def _try(operation: Any, headers: dict[str, str]) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        case.call_and_validate(
            headers=headers,
            checks=[
                not_a_server_error,
                status_code_conformance,
                content_type_conformance,
                response_schema_conformance,
            ],
        )

    run()


def _all_roles() -> list[Role]:
    return list(Role)


def test_the_description_names_every_operation_once_and_knows_no_other_error_shape() -> None:
    whole = openapi_document()
    names = [
        operation["operationId"] for item in whole["paths"].values() for operation in item.values()
    ]

    assert len(names) == len(set(names))
    assert "HTTPValidationError" not in json.dumps(whole)
    for path, item in whole["paths"].items():
        for method, operation in item.items():
            problem = operation["responses"]["default"]["content"]
            assert list(problem) == ["application/problem+json"], (path, method)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not-found"),
        ("GET", "/assets/nothing.js", 404, "not-found"),
        ("DELETE", "/api/v1/alerts", 405, "method-not-allowed"),
        ("GET", "/api/v1/alerts?limit=many", 422, "invalid-request"),
        ("GET", "/api/v1/alerts?before=1_2", 422, "invalid-request"),
        ("GET", "/api/v1/alerts/not-an-id", 422, "invalid-request"),
        ("GET", "/api/v1/alerts/00000000-0000-0000-0000-000000000000", 404, "alert-unknown"),
        ("GET", "/api/v1/evidence/nothing/x", 422, "invalid-request"),
        ("PUT", "/api/v1/gateways/gw-east/evidence/" + "0" * 64, 401, "not-signed-in"),
        ("POST", "/api/v1/session", 422, "invalid-request"),
    ],
)
def test_every_error_is_a_problem_document(
    city: City, method: str, path: str, status: int, code: str
) -> None:
    answer = city.client("inspector").request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    told = {"type", "title", "status", "code", "detail"}
    assert problem.keys() == (told | {"data"} if code == "invalid-request" else told)
    assert (problem["status"], problem["code"]) == (status, code)
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_password_that_was_mistyped_into_the_wrong_field_is_not_sent_back(city: City) -> None:
    answer = city.anonymous().post("/api/v1/session", json={"user": "x", "password": ["hunter2"]})

    assert answer.status_code == 422
    assert "hunter2" not in answer.text


def test_a_failure_inside_tells_nothing_about_the_inside(city: City) -> None:
    client = city.client("inspector")

    def explode() -> None:
        raise RuntimeError("the secret inside")

    object.__setattr__(city.services, "now", explode)
    answer = client.get("/api/v1/alerts")

    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    assert "secret" not in answer.text
    assert "default-src" in answer.headers["content-security-policy"]


def test_a_store_that_is_away_is_503_and_named(city: City) -> None:
    def away(*_: Any) -> None:
        raise ObjectsUnavailable("the bucket does not answer")

    sha256, body = sealed({"sound.wav": b"x"})
    object.__setattr__(city.services.objects, "put", away)
    answer = city.anonymous().put(
        f"/api/v1/gateways/gw-east/evidence/{sha256}",
        content=body,
        headers={"Authorization": f"Bearer {city.token()}"},
    )

    assert (answer.status_code, answer.json()["code"]) == (503, "objects-unavailable")
    assert answer.headers["retry-after"]


def test_requests_have_a_largest_size(city: City) -> None:
    def pieces() -> Iterator[bytes]:
        yield from [b"x" * 10_000] * 10

    for body in (b"x" * 100_000, pieces()):  # with its length announced, and without
        answer = city.anonymous().post("/api/v1/session", content=body)

        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"


def test_ready_tells_the_truth(city: City) -> None:
    client = city.anonymous()
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["down"]) == (200, [])

    def down() -> None:
        raise ConnectionError("broker gone")

    city.services.readiness["broker"] = down
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"] == ready.json()["parts"] | {"broker": "down"}
    assert answer.json()["down"] == ["broker"]


def test_a_part_that_hangs_is_down_and_holds_up_nothing_else(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a store that never answers, each question is answered, and one thread waits for it."""
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 1.0)
    asked: list[int] = []
    released = threading.Event()

    def hang() -> None:
        asked.append(threading.get_ident())
        released.wait(60)

    city.services.readiness["broker"] = hang
    client = city.anonymous()
    answers = [client.get("/readyz") for _ in range(3)]
    waiting = len(asked)
    released.set()
    servers.eventually(lambda: client.get("/readyz").status_code == 200, "it answers again")

    assert [answer.json()["down"] for answer in answers] == [["broker"]] * 3
    assert waiting == 1


def test_metrics_are_prometheus_text(city: City) -> None:
    answer = city.anonymous().get("/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "vigil_ingest_messages" in answer.text


@pytest.mark.skipif(not (STATIC / "index.html").is_file(), reason="pages not built: make setup")
def test_pages_are_served_and_unknown_addresses_show_the_start(city: City) -> None:
    client = city.anonymous()

    for path in ("/", "/alerts/1", "/index.html", "/..%2f..%2fapp.py", "/%2e%2e/app.py"):
        answer: httpx.Response = client.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["content-type"].startswith("text/html"), path
        assert "def create_app" not in answer.text
    assert "frame-ancestors 'none'" in client.get("/").headers["content-security-policy"]


@pytest.mark.skipif(not (STATIC / "index.html").is_file(), reason="pages not built: make setup")
@pytest.mark.parametrize("path", ["/", "/offline.js", "/notifications.js", "/icon.svg"])
def test_what_keeps_its_name_is_asked_for_anew_after_an_upgrade(city: City, path: str) -> None:
    """w3c/ServiceWorker#894: a worker of two releases, put together from a browser's cache."""
    assert city.anonymous().get(path).headers["cache-control"] == "no-cache"


@pytest.mark.skipif(not (STATIC / "index.html").is_file(), reason="pages not built: make setup")
def test_the_atlas_is_kept_under_its_own_word_alone(city: City) -> None:
    """Its files keep their names: a browser that guesses mixes names and borders of two builds."""
    client = city.anonymous()
    version = client.get("/atlas/version.txt").text
    assert re.fullmatch("[0-9a-f]{16}", version)
    for name in ("names.json", "towns.topo.json", "index.json"):
        kept = client.get(f"/atlas/{name}?v={version}").headers["cache-control"]
        assert kept == "public, max-age=31536000, immutable"
        for other in ("", "?v=", "?v=0123456789abcdef", "?v=%2e%2e", f"?w={version}"):
            assert client.get(f"/atlas/{name}{other}").headers["cache-control"] == "no-cache"
    assert client.get(f"/atlas/none.json?v={version}").status_code == 404
    scripts = [one.read_text("utf8") for one in (STATIC / "assets").glob("*.js")]
    assert any(version in one for one in scripts), "the pages ask under that word"


def test_files_of_the_page_are_compressed_and_answers_are_not(city: City) -> None:
    if not (pages.STATIC / "index.html").is_file():
        pytest.skip("the web pages are not built: make setup")
    client = city.anonymous()
    names = client.get("/atlas/names.json")
    assert names.headers["content-encoding"] == "gzip"
    assert names.headers["content-type"] == "application/json"
    assert names.headers["vary"] == "Accept-Encoding"
    assert names.json()
    plain = client.get("/atlas/names.json", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == names.content
    assert plain.headers["etag"] != names.headers["etag"]
    again = client.get("/atlas/names.json", headers={"If-None-Match": names.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    (script,) = re.findall(r'src="(/assets/index-[^"]+\.js)"', client.get("/").text)
    for taken, coding in (
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=1.0, gzip;q=0.5", "br"),
        ("br;q=0, gzip", "gzip"),
        ("gzip;q=0.000, brotli", None),
        ("identity", None),
    ):
        sent = client.stream("GET", script, headers={"Accept-Encoding": taken})
        with sent as answer:
            assert answer.headers.get("content-encoding") == coding, taken
            length = int(answer.headers["content-length"])
        ending = {"br": ".br", "gzip": ".gz", None: ""}[coding]
        assert length == (pages.STATIC / f"{script.removeprefix('/')}{ending}").stat().st_size
    loaded = client.get(script, headers={"Accept-Encoding": "gzip"})
    assert loaded.headers["content-encoding"] == "gzip"
    assert loaded.headers["content-type"].startswith("text/javascript")
    assert "immutable" in loaded.headers["cache-control"]
    assert names.headers["cache-control"] == "no-cache"
    assert "content-encoding" not in client.get("/openapi.json").headers
