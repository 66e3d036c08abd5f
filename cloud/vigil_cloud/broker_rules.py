"""Who may do what at the broker, said once and written for Mosquitto and for EMQX.

A client's name is its certificate's common name (or its password's user), and a gateway has its
own branch only. The files beside ``docs/deployment`` are what these functions return; a test
compares them.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from vigil_schemas.topics import DOWN, ROOT, UP

CLOUD: Final = "vigil-cloud"
"""Whom the cloud signs in as."""
AUTHORITY_FILE: Final = "gateways-ca.pem"
CERTIFICATE_FILE: Final = "broker.pem"
KEY_FILE: Final = "broker-key.pem"
REVOKED_FILE: Final = "revoked.pem"
LIMITS: Final = """\
max_queued_messages 100000
max_queued_bytes 268435456
max_inflight_messages 1000
max_packet_size 300000
max_keepalive 300
set_tcp_nodelay true
"""
FORGETS: Final = "persistence false\n"
"""Nothing that it holds is lost with it: gateways keep every message until the cloud's receipt and
say their birth with each connection, and the cloud sends again what was not answered. A store is
a file of which a power failure leaves zeros, and with such a one Mosquitto does not start."""


def mosquitto_cloud_acl() -> str:
    """``acl_file`` of the listener that the cloud alone uses."""
    lines = [
        "# The cloud reads every branch and writes downward. Nobody else has anything to do on its"
        " listener.",
        f"user {CLOUD}",
        *(f"topic read {ROOT}/+/{channel}" for channel in UP),
        *(f"topic write {ROOT}/+/{channel}" for channel in DOWN),
    ]
    return "\n".join(lines) + "\n"


def mosquitto_gateways_acl() -> str:
    """``acl_file`` of gateways' listeners."""
    lines = [
        "# A gateway's user name is its id, and it has its own branch only.",
        *(f"pattern write {ROOT}/%u/{channel}" for channel in UP),
        *(f"pattern read {ROOT}/%u/{channel}" for channel in DOWN),
    ]
    return "\n".join(lines) + "\n"


def mosquitto_certificates(
    listen: str, certificates: PurePath | str, acl_file: PurePath | str
) -> str:
    """The listener of gateways with certificates. ``listen``: as ``listener`` takes it, a port
    and, where it is not every address, a host."""
    return f"""\
listener {listen}
allow_anonymous false
cafile {certificates}/{AUTHORITY_FILE}
certfile {certificates}/{CERTIFICATE_FILE}
keyfile {certificates}/{KEY_FILE}
crlfile {certificates}/{REVOKED_FILE}
require_certificate true
tls_version tlsv1.2
use_identity_as_username true
use_username_as_clientid true
acl_file {acl_file}
max_connections 2000
max_qos 1
"""


def emqx_acl() -> str:
    """EMQX 5, ``acl.conf``: the same rights. The cloud is believed on its own listener alone, which
    is on loopback: whoever else goes by its name has no rights at all."""
    up = ", ".join(f'"{ROOT}/+/{channel}"' for channel in UP)
    down = ", ".join(f'"{ROOT}/+/{channel}"' for channel in DOWN)
    own_up = ", ".join(f'"{ROOT}/${{username}}/{channel}"' for channel in UP)
    own_down = ", ".join(f'"{ROOT}/${{username}}/{channel}"' for channel in DOWN)
    cloud = f'{{\'and\', [{{username, "{CLOUD}"}}, {{ipaddr, "127.0.0.1"}}]}}'
    return f"""\
%% The cloud reads every branch and writes downward; a gateway has its own branch only.
{{allow, {cloud}, subscribe, [{up}]}}.
{{allow, {cloud}, publish, [{down}]}}.
{{deny, {{username, "{CLOUD}"}}, all, ["#"]}}.
{{allow, all, publish, [{own_up}]}}.
{{allow, all, subscribe, [{own_down}]}}.
{{deny, all}}.
"""


def emqx_listener(certificates: PurePath | str) -> str:
    """EMQX 5, part of ``emqx.conf``: gateways with certificates, the cloud with a password on
    loopback, nobody else, and the rights above.

    EMQX begins with four listeners that let everybody in; they are switched off by name. A
    gateway's certificate is its identity, so its listener asks for no password beside it.

    EMQX fetches the revocation list from the address that is in the certificates, which is there
    where the cloud has a ``public_url``.
    """
    return f"""\
listeners.tcp.default.enable = false
listeners.ssl.default.enable = false
listeners.ws.default.enable = false
listeners.wss.default.enable = false
listeners.tcp.cloud {{
  bind = "127.0.0.1:1883"
  max_connections = 100
  enable_authn = true
}}
authentication = [
  {{ mechanism = password_based, backend = built_in_database, user_id_type = username }}
]
listeners.ssl.gateways {{
  bind = "0.0.0.0:8883"
  max_connections = 2000
  enable_authn = false
  ssl_options {{
    cacertfile = "{certificates}/{AUTHORITY_FILE}"
    certfile = "{certificates}/{CERTIFICATE_FILE}"
    keyfile = "{certificates}/{KEY_FILE}"
    verify = verify_peer
    fail_if_no_peer_cert = true
    versions = ["tlsv1.3", "tlsv1.2"]
    enable_crl_check = true
  }}
}}
mqtt {{ peer_cert_as_username = cn, peer_cert_as_clientid = cn, max_packet_size = 300KB }}
authorization {{
  no_match = deny
  sources = [{{ type = file, enable = true, path = "etc/acl.conf" }}]
}}
"""
