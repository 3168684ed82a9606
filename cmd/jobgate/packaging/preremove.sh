#!/bin/sh
# Before the files go: dpkg says "remove" or "upgrade"; rpm says how many will be left.
set -e

case "$1" in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl disable --now jobgate.service || true
	fi
	;;
esac
