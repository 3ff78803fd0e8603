# syntax=docker/dockerfile:1.4
FROM ubuntu:24.04
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
RUN <<EOF
apt-get update
apt-get install -y --no-install-recommends curl jq
rm -rf /var/lib/apt/lists/*
EOF
RUN <<'PY' python3 > /version
import sys
print("$HOME stays", sys.version)
PY
COPY <<-"CONF" /etc/app/app.conf
	[main]
	path = $NOT_EXPANDED
CONF
ARG GREETING=hello
COPY <<one.txt <<two.txt /texts/
$GREETING one
one.txt
two
two.txt
