#!/bin/sh
# Builds the program as version $2, and has it write its man pages and shell completions to the folder $1. The output is
# the same for the same SOURCE_DATE_EPOCH.
set -eu

rm -rf "$1"
mkdir -p "$1/completion"
program=$(mktemp)
trap 'rm -f "$program"' EXIT
CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$2" -o "$program" ./cmd/jobgate
"$program" man "$1/man"
gzip -9n "$1"/man/*.1
for shell in bash zsh fish powershell; do
	"$program" completion "$shell" >"$1/completion/jobgate.$shell"
done
