"""Settings: where they come from, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from vigil_cloud.config import DEMO_SECRET, ConfigurationError, host_and_port, load
from vigil_cloud.objects.folder import FolderObjects
from vigil_cloud.objects.s3 import S3Objects
from vigil_cloud.stores import build_objects

GOOD = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("VIGIL_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("secret", ["", "short", DEMO_SECRET, "changeme"])
def test_known_or_short_secrets_start_only_the_demo(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="VIGIL_SECRET_KEY"):
        load(secret_key=secret)
    assert load(secret_key=secret, demo=True).secret == (secret or DEMO_SECRET)


@pytest.mark.parametrize("key", ["influx_token", "s3_secret_key", "broker_password"])
def test_secrets_out_of_documentation_are_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match=key):
        load(None, secret_key=GOOD, **{key: "changeme"})


@pytest.mark.parametrize("key", ["broker_listen", "operations_listen"])
@pytest.mark.parametrize("value", ["1883", "127.0.0.1:port", "127.0.0.1:99999", "mqtt://a:1"])
def test_an_address_to_listen_on_is_host_and_port(key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=key):
        load(None, demo=True, **{key: value})


@pytest.mark.parametrize("key", ["public_url", "emergency_url", "influx_url", "s3_endpoint"])
@pytest.mark.parametrize("value", ["vigil.example", "https://", "ftp://a", "https://a:99999"])
def test_an_address_of_the_web_is_one(key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=key):
        load(None, demo=True, **{key: value})
    assert getattr(load(None, demo=True, **{key: "https://a:1/b"}), key) == "https://a:1/b"


@pytest.mark.parametrize("value", ["", "Mosquitto", "broker.example", "mqtt://", "http://a"])
def test_a_broker_is_ours_or_an_address(value: str) -> None:
    with pytest.raises(ConfigurationError, match="broker_url"):
        load(None, demo=True, broker_url=value)


@pytest.mark.parametrize(
    ("value", "parts"),
    [("[::1]:8401", ("::1", 8401)), (":8401", ("127.0.0.1", 8401)), ("a:1", ("a", 1))],
)
def test_host_and_port(value: str, parts: tuple[str, int]) -> None:
    assert host_and_port(value) == parts


def test_a_variable_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "cloud.toml"
    file.write_text(
        f'secret_key = "{GOOD}"\nhttp_port = 1000\ndata_dir = "{tmp_path}"\n'
        '[smtp]\nhost = "mail.example"\n'
    )
    monkeypatch.setenv("VIGIL_HTTP_PORT", "2000")
    monkeypatch.setenv("VIGIL_SMTP__PORT", "25")

    settings = load(file)

    assert (settings.http_port, settings.smtp.host, settings.smtp.port) == (
        2000,
        "mail.example",
        25,
    )
    assert settings.database == f"sqlite:///{tmp_path}/vigil.sqlite3"


def test_every_mistake_is_named_with_its_key(tmp_path: Path) -> None:
    file = tmp_path / "cloud.toml"
    file.write_text('demo = true\nhttp_port = "many"\ncolour = "red"\ntimeseries = "paper"\n')

    with pytest.raises(ConfigurationError) as refusal:
        load(file)

    for key in ("http_port", "colour", "timeseries"):
        assert f"{key}: " in str(refusal.value)


def test_a_file_that_is_no_toml_or_absent(tmp_path: Path) -> None:
    file = tmp_path / "cloud.toml"
    with pytest.raises(ConfigurationError, match="no such file"):
        load(file)
    file.write_text("= nonsense")
    with pytest.raises(ConfigurationError, match=r"cloud\.toml"):
        load(file)


def test_secrets_do_not_show(tmp_path: Path) -> None:
    settings = load(secret_key=GOOD, influx_token="a-token", data_dir=tmp_path)

    assert GOOD not in repr(settings)
    assert "a-token" not in repr(settings)


def test_objects_by_their_address(tmp_path: Path) -> None:
    def built(url: str) -> object:
        return build_objects(load(demo=True, data_dir=tmp_path, objects_url=url))

    assert isinstance(built(""), FolderObjects)
    assert isinstance(built(f"file://{tmp_path}/objects"), FolderObjects)
    assert isinstance(built("s3://bucket"), S3Objects)
    with pytest.raises(ConfigurationError, match="objects_url"):
        built("ftp://somewhere")


@pytest.mark.parametrize("place", ["nan,nan", "inf,0", "0,1e400", "91,0", "23.5"])
def test_a_station_is_a_place_on_earth(place: str) -> None:
    with pytest.raises(ConfigurationError):
        load(secret_key=GOOD, emergency_station=place)
