#!/bin/sh
# Runs after the files are removed. Only dpkg's "purge" deletes the jobs store and the user. Files that an operator put into
# /etc/jobgate and /etc/credstore are kept.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
if [ "$1" = purge ]; then
	rm -rf /var/lib/jobgate
	if getent passwd jobgate >/dev/null; then
		userdel jobgate || true
	fi
fi
