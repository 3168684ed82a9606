#!/bin/sh
# Runs after the files are installed. dpkg passes "configure" and the previous version, if any; rpm passes the number of
# installed versions.
set -e

case "$1" in
configure) before=$2 ;;
1) before= ;;
[2-9]) before=some ;;
*) exit 0 ;; # dpkg rolls back a failed step
esac

getent passwd jobgate >/dev/null || {
	nologin=/usr/sbin/nologin
	[ -x "$nologin" ] || nologin=/sbin/nologin
	useradd --system --user-group --home-dir /var/lib/jobgate --no-create-home --shell "$nologin" jobgate
}

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
	if [ -n "$before" ]; then
		systemctl try-restart jobgate.service || true
	fi
fi
if [ -z "$before" ]; then
	echo "jobgate is installed, not started: edit /etc/jobgate/jobgate.yaml, then systemctl enable --now jobgate"
fi
