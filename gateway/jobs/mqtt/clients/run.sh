#!/usr/bin/env bash
# Tests the MQTT topics of jobs with AWS's own device SDK, of which only the endpoint and the certificates are set: its jobs
# clients of version 2, on MQTT 5 and 3.1.1, and of version 1; and with Eclipse's Go clients for MQTT 5 and 3.1.1. They run
# without TLS against `BINARY demo`, where each job's file is downloaded from a store that checks the URL's signature, and
# with mTLS against `BINARY serve`.
#
#	run.sh BINARY
#
# Needs /usr/bin/aws, openssl, curl, go, node and npm.
set -euo pipefail
cd "$(dirname "$0")"

[ $# -eq 1 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
scratch=$(mktemp -d)
gateway=
stop() {
	[ -z "$gateway" ] || { kill "$gateway" && wait "$gateway" || true; }
	gateway=
}
trap 'stop; rm -rf "$scratch"' EXIT

# await FILE PATTERN waits until the output of a process in FILE matches PATTERN.
await() {
	for _ in $(seq 300); do
		grep -q "$2" "$1" && return
		sleep 0.1
	done
	cat "$1" >&2
	echo "run.sh: no \"$2\" in the output within 30 s" >&2
	exit 1
}

# use FILE exports the access key that a process has printed to FILE.
use() { eval "$(grep -o 'export AWS_ACCESS_KEY_ID=.*' "$1")"; }

# certificate NAME EXTENSIONS creates a key, and a certificate signed by the authority.
certificate() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$scratch/$1.key" -subj "/CN=$1" -out "$scratch/$1.csr" 2>/dev/null
	openssl x509 -req -in "$scratch/$1.csr" -CA "$scratch/ca.crt" -CAkey "$scratch/ca.key" -CAcreateserial -days 2 \
		-extfile <(printf '%s\n' "$2") -out "$scratch/$1.crt" 2>/dev/null
}

go build -C paho -o "$scratch/paho" .
[ -d js/node_modules ] || npm ci --prefix js --no-audit --no-fund --loglevel error
export MQTT_HOST=127.0.0.1

"$1" demo --listen 127.0.0.1:0 --admin 127.0.0.1:0 --control 127.0.0.1:0 --mqtt 127.0.0.1:0 >"$scratch/demo" 2>"$scratch/log" &
gateway=$!
await "$scratch/demo" "Ctrl-C ends the demo"
use "$scratch/demo"
export JOBGATE_ENDPOINT MQTT_PORT JOBGATE_OBJECT_SHA256
JOBGATE_ENDPOINT=$(sed -n 's/.*IoT Jobs *\(http[^ ]*\).*/\1/p' "$scratch/demo")
MQTT_PORT=$(sed -n 's/^ *MQTT *127.0.0.1:\([0-9]*\).*/\1/p' "$scratch/demo")
folder=$(sed -n 's/.*its files: \(.*\))/\1/p' "$scratch/demo")
JOBGATE_OBJECT_SHA256=$(sha256sum "$folder/firmware/v7.bin" | cut -d' ' -f1)
export JOBGATE_ROLE_ARN=arn:aws:iam::123456789012:role/download JOBGATE_OBJECT_URL=https://s3.us-east-1.amazonaws.com/firmware/v7.bin
npm test --silent --prefix js
"$scratch/paho"
stop
unset JOBGATE_OBJECT_SHA256 JOBGATE_ROLE_ARN JOBGATE_OBJECT_URL

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$scratch/ca.key" -out "$scratch/ca.crt" \
	-subj "/CN=test authority" -days 2 2>/dev/null
certificate server "subjectAltName=IP:127.0.0.1,DNS:localhost"
for thing in js-v2-mqtt5-mtls js-v2-mqtt311-mtls js-v1-mqtt311-mtls paho-mqtt5-mtls paho-mqtt311-mtls; do
	certificate "$thing" "extendedKeyUsage=clientAuth"
done
cat >"$scratch/jobgate.yaml" <<-CONFIG
	listen: 127.0.0.1:0
	admin: 127.0.0.1:0
	control: 127.0.0.1:0
	jobs: {enabled: true, store: $scratch/jobs.db}
	mqtt:
	  listen: 127.0.0.1:0
	  tls: {cert_file: $scratch/server.crt, key_file: $scratch/server.key, client_ca_file: $scratch/ca.crt}
	  auth: {mode: mtls}
CONFIG
"$1" serve --config "$scratch/jobgate.yaml" >"$scratch/serve" 2>&1 &
gateway=$!
await "$scratch/serve" "msg=serving"
use "$scratch/serve"
JOBGATE_ENDPOINT=http://$(sed -n 's/.*msg=serving.* control=\([^ ]*\).*/\1/p' "$scratch/serve")
MQTT_PORT=$(sed -n 's/.*msg=serving.* mqtt=127.0.0.1:\([0-9]*\).*/\1/p' "$scratch/serve")
export MQTT_CA=$scratch/ca.crt MQTT_CERTS=$scratch
npm test --silent --prefix js
"$scratch/paho"
