#!/bin/sh
# A command of vigil-cloud as the service's own user, with the service's settings and secrets:
#   vigil-cloud-admin account add --help
set -e
cd /
exec runuser -u vigil-cloud -- env VIGIL_SECRETS_DIR=/etc/vigil-cloud/secrets \
	/usr/bin/vigil-cloud "$@" --config /etc/vigil-cloud/cloud.toml
