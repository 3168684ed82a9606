#!/usr/bin/env bash
# Tests the IoT Jobs API with AWS's own clients, of which only the endpoint is set: the AWS CLI, the Go SDK and the
# JavaScript SDK each run a job from its creation to its deletion.
#
#	run.sh ENDPOINT    the control listener, "http://127.0.0.1:8082"; with
#	                   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY   an operator's key
#	                   AWS_REGION                                 jobs.region; default us-east-1
#	                   JOBGATE_ROLE_ARN                           a role that may sign; not set: documents have no placeholders
#	                   JOBGATE_OBJECT_URL                         the S3 URL in the placeholders
#	                   JOBGATE_OBJECT_SHA256                      the object's hash; not set: it is not downloaded
#	run.sh BINARY      the same against a gateway that BINARY serves; documents have no placeholders
#
# JOBGATE_CLIENTS selects clients: "cli go js". Needs /usr/bin/aws (or JOBGATE_AWS_CLI), curl and bc; Go; node and npm.
set -euo pipefail
cd "$(dirname "$0")"

[ $# -eq 1 ] || { sed -n '2,15s/^# \{0,1\}//p' "$0" >&2; exit 2; }
scratch=$(mktemp -d)
gateway=
finish() {
	[ -z "$gateway" ] || { kill "$gateway" && wait "$gateway" || true; }
	rm -rf "$scratch"
}
trap finish EXIT

# serve BINARY starts a gateway on free ports and waits until it is ready.
serve() {
	local port=$((20000 + RANDOM % 20000))
	export AWS_ACCESS_KEY_ID=AKIAJOBGATECLIENTS01 AWS_SECRET_ACCESS_KEY=secret-of-the-clients-test AWS_REGION=us-east-1
	cat >"$scratch/keys.yaml" <<-KEYS
		access_keys:
		  - {id: $AWS_ACCESS_KEY_ID, secret: $AWS_SECRET_ACCESS_KEY}
	KEYS
	cat >"$scratch/jobgate.yaml" <<-CONFIG
		listen: 127.0.0.1:$port
		admin: 127.0.0.1:$((port + 1))
		control: 127.0.0.1:$((port + 2))
		jobs: {enabled: true, store: $scratch/jobs.db, access_keys_file: $scratch/keys.yaml}
		presign: {allow: ["arn:aws:s3:::firmware/*"]}
	CONFIG
	"$1" serve --config "$scratch/jobgate.yaml" 2>"$scratch/log" &
	gateway=$!
	for _ in $(seq 100); do
		if curl -fs "http://127.0.0.1:$((port + 1))/readyz" >/dev/null; then
			JOBGATE_ENDPOINT=http://127.0.0.1:$((port + 2))
			return
		fi
		sleep 0.1
	done
	cat "$scratch/log" >&2
	echo "run.sh: $1 is not ready after 10 s" >&2
	exit 1
}

case $1 in
http://* | https://*) JOBGATE_ENDPOINT=$1 ;;
*) serve "$1" ;;
esac
export JOBGATE_ENDPOINT AWS_REGION=${AWS_REGION:-us-east-1}
export AWS_DEFAULT_REGION=$AWS_REGION

for client in ${JOBGATE_CLIENTS:-cli go js}; do
	case $client in
	cli) ./cli.sh ;;
	go) (cd go && go run .) ;;
	js)
		[ -d js/node_modules ] || npm ci --prefix js --no-audit --no-fund --loglevel error
		npm test --silent --prefix js
		;;
	*) echo "run.sh: JOBGATE_CLIENTS: \"$client\" is not cli, go or js" >&2 && exit 2 ;;
	esac
done
