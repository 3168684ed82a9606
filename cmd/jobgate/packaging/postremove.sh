#!/bin/sh
# After the files are gone. Only dpkg's "purge" takes away the jobs store and the user; what an operator put into
# /etc/jobgate and /etc/credstore stays.
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
