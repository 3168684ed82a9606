#!/usr/bin/env bash
# Installs the Debian package $1 into the bare Debian root $2 and checks what INSTALL.md says: the program runs, the unit's
# commands run as its user, an upgrade keeps a changed configuration, and removal keeps the right files. Needs root. It
# reverts its changes to $2.
set -euo pipefail
deb=$1 root=$2
work=$(mktemp -d)
trap 'umount "$root/proc" 2>/dev/null || true; rm -rf "$work"; chroot "$root" dpkg --purge jobgate >/dev/null 2>&1 || true' EXIT

fail() {
	echo "$@" >&2
	exit 1
}
in_root() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root AWS_EC2_METADATA_DISABLED=true "$@"; }
as_service() { in_root setpriv --reuid jobgate --regid jobgate --clear-groups "$@"; }
install_deb() { # DEB
	cp "$1" "$root/tmp/jobgate.deb"
	in_root DEBIAN_FRONTEND=noninteractive dpkg --install --force-confold /tmp/jobgate.deb
	rm "$root/tmp/jobgate.deb"
}
mount -t proc proc "$root/proc"
chmod 1777 "$root/tmp"

install_deb "$deb"
[ -z "$(in_root find / -xdev -newer /etc/hostname -user 65534 2>/dev/null)" ] || fail "files are owned by nobody"
in_root jobgate version
in_root jobgate check --config /etc/jobgate/jobgate.yaml
in_root jobgate demo --once >"$work/demo" || { cat "$work/demo"; fail "the demo fails"; }
in_root test -s /usr/share/man/man1/jobgate-serve.1.gz
in_root bash -n /usr/share/bash-completion/completions/jobgate

# Runs the unit's commands as its user, in its folder. Then systemd checks the unit.
unit=$root/usr/lib/systemd/system/jobgate.service
grep -qx 'User=jobgate' "$unit"
port=$((20000 + RANDOM % 10000)) # below the ephemeral ports
install -d -o "$(in_root id -u jobgate)" -g "$(in_root id -g jobgate)" -m 750 "$root/var/lib/jobgate"
echo '{"operation":"reboot"}' >"$root/etc/jobgate/documents/restart.json"
as_service sh -c "$(sed -n 's/^ExecStartPre=//p' "$unit")"
as_service sh -c "cd /var/lib/jobgate && exec $(sed -n 's/^ExecStart=//p' "$unit") --set listen=127.0.0.1:$port --set admin=127.0.0.1:$((port + 1))" 2>"$work/log" &
served=$!
for ((i = 0; i < 300; i++)); do
	as_service jobgate health --address 127.0.0.1:$((port + 1)) >/dev/null 2>&1 && break
	kill -0 "$served" 2>/dev/null || { cat "$work/log" >&2; fail "the service exited"; }
	sleep 0.1
done
[ "$(curl -sf http://127.0.0.1:$port/things/sensor-1/jobs/restart/document)" = '{"operation":"reboot"}' ] || { cat "$work/log" >&2; fail "the service does not serve"; }
kill -TERM "$(pgrep -P "$served" -x jobgate || echo "$served")"
wait "$served" || { cat "$work/log" >&2; fail "the service does not stop"; }
rm "$root/etc/jobgate/documents/restart.json"
sed "s,/usr/bin/jobgate,$root/usr/bin/jobgate," "$unit" >"$work/jobgate.service"
systemd-analyze verify --man=no "$work/jobgate.service" 2>"$work/verify" || { cat "$work/verify" >&2; fail "systemd rejects the unit"; }
if grep jobgate "$work/verify"; then fail "systemd warns about the unit"; fi

# Upgrades to a package with a changed configuration, after the operator has edited the installed one.
dpkg-deb -R "$deb" "$work/newer"
sed -i 's/^Version: .*/Version: 99.0.0/' "$work/newer/DEBIAN/control"
echo '# changed by the package' >>"$work/newer/etc/jobgate/jobgate.yaml"
dpkg-deb --root-owner-group -b "$work/newer" "$work/newer.deb" >/dev/null
echo '# changed by the operator' >>"$root/etc/jobgate/jobgate.yaml"
install_deb "$work/newer.deb"
grep -q 'changed by the operator' "$root/etc/jobgate/jobgate.yaml" || fail "the upgrade lost the operator's configuration"
if grep -q 'changed by the package' "$root/etc/jobgate/jobgate.yaml"; then fail "the upgrade mixed configurations"; fi
in_root dpkg-query -W jobgate | grep -q '99\.0\.0' || fail "the package was not upgraded"

# "remove" keeps the configuration and the store; "purge" keeps nothing.
touch "$root/var/lib/jobgate/jobgate.db"
in_root dpkg --remove jobgate
[ -e "$root/etc/jobgate/jobgate.yaml" ] && [ -e "$root/var/lib/jobgate/jobgate.db" ] || fail "remove deleted the configuration or the store"
[ ! -e "$root/usr/bin/jobgate" ] || fail "remove left the program"
in_root dpkg --purge jobgate
left=$(find "$root" -mindepth 1 -xdev -path "$root/proc" -prune -o -path "$root/var/log" -prune -o -name '*jobgate*' -print)
[ -z "$left" ] || fail "purge left" $left
if in_root getent passwd jobgate; then fail "purge left the user"; fi
