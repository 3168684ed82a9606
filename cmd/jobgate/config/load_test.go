package config

import (
	"strings"
	"testing"

	"jobgate/cmd/jobgate/config/strictyaml"
)

// faultsOf loads source as jobgate.yaml and returns the faults, a line each; "" for none.
func faultsOf(t *testing.T, source string, environ []string, flags ...Flag) string {
	t.Helper()
	_, err := Load(Options{Path: "jobgate.yaml", Source: []byte(source), Environ: environ, Flags: flags})
	if err == nil {
		return ""
	}
	if _, ok := strictyaml.AsFaults(err); !ok {
		t.Fatalf("Load returned %T, not Faults: %v", err, err)
	}
	return err.Error()
}

const served = "listen: 127.0.0.1:8080\nupstream: [http://127.0.0.1:9000]\n"

// TestLoadFaults has a case for each kind of mistake in a file. It pins the text that the operator sees.
func TestLoadFaults(t *testing.T) {
	f := func(source, want string) {
		t.Helper()
		if got := faultsOf(t, source, nil); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", source, got, want)
		}
	}
	f(served, "")
	f(served+"lisen: x", `jobgate.yaml:3:1: lisen: is not a known key; did you mean "listen"?`)
	f(served+"zzzzzz: x", `jobgate.yaml:3:1: zzzzzz: is not a known key`)
	f(served+"presign:\n  expire: 5m", `jobgate.yaml:4:3: presign.expire: is not a known key; did you mean "expires"?`)
	f(served+"presign:\n  expires: 8d", `jobgate.yaml:4:12: presign.expires: "8d" is out of range; allowed: 60s..7d`)
	f(served+"presign:\n  expires: 59s", `jobgate.yaml:4:12: presign.expires: "59s" is out of range; allowed: 60s..7d`)
	f(served+"presign:\n  expires: 900", `jobgate.yaml:4:12: presign.expires: "900" is a duration without a unit; allowed: 60s..7d, written like 90s, 15m, 1h30m or 7d`)
	f(served+"presign:\n  expires: soon", `jobgate.yaml:4:12: presign.expires: "soon" is not a duration; allowed: 60s..7d, written like 90s, 15m, 1h30m or 7d`)
	f(served+"presign: {max_url_bytes: 1.5}", `jobgate.yaml:3:26: presign.max_url_bytes: "1.5" is not a whole number; allowed: 0..65536`)
	f(served+"presign: {max_url_bytes: '15'}", `jobgate.yaml:3:26: presign.max_url_bytes: "15" is a string, not an int; allowed: 0..65536; write it without quotes`)
	f(served+"presign: {on_short_session: clip}", `jobgate.yaml:3:29: presign.on_short_session: "clip" is not a choice; allowed: clamp, refuse or ignore`)
	f(served+"presign: 15m", `jobgate.yaml:3:10: presign: "15m" is not a mapping; write key: value lines`)
	f(served+"presign: [a]", `jobgate.yaml:3:10: presign: a list is not a mapping; write key: value lines`)
	f(served+"admin_debug: yes", `jobgate.yaml:3:14: admin_debug: "yes" is not a bool; allowed: true or false`)
	f(served+"admin_debug: 'true'", `jobgate.yaml:3:14: admin_debug: "true" is a string, not a bool; allowed: true or false; write it without quotes`)
	f(served+"admin: [x]", `jobgate.yaml:3:8: admin: a list is not a string`)
	f(served+"admin: {x: y}", `jobgate.yaml:3:8: admin: a mapping is not a string`)
	f(served+"routes: x", `jobgate.yaml:3:9: routes: "x" is not a list; write - and the value, one a line, or [value, value]`)
	f(served+"routes:\n- x", `jobgate.yaml:4:3: routes[0]: "x" is not a mapping; write key: value lines`)
	f(served+"cache: {max_bytes: 1XB}", `jobgate.yaml:3:20: cache.max_bytes: "1XB" is not a size; allowed: 1MiB..1TiB, written like 8KiB or 256MiB`)
	f(served+"cache: {max_bytes: 1KiB}", `jobgate.yaml:3:20: cache.max_bytes: "1KiB" is out of range; allowed: 1MiB..1TiB`)
	f(served+"auth: {trusted_proxies: [10.0.0.1/8]}", `jobgate.yaml:3:26: auth.trusted_proxies[0]: "10.0.0.1/8" has host bits set: write 10.0.0.0/8; allowed: 10.0.0.0/8, 2001:db8::/32 or one address`)
	f(served+"auth: {trusted_proxies: [ten]}", `jobgate.yaml:3:26: auth.trusted_proxies[0]: "ten" is not a CIDR or an address; allowed: 10.0.0.0/8, 2001:db8::/32 or one address`)
	f(served+"admin: a:1\nadmin: b:1", `jobgate.yaml:4:1: admin: is set twice, first at line 3; keep one of the two`)
	f(served+"roles: {a: {arn: \"arn:aws:iam::123456789012:role/a\", arn: x}}", `jobgate.yaml:3:54: roles.a.arn: is set twice, first at line 3; keep one of the two`)
	f(served+"admin: [", "jobgate.yaml:3:8: is not YAML: sequence end token ']' not found")
	f(served+"---\nadmin: a:1", "jobgate.yaml:4:1: a second YAML document begins here; keep one document per file")
	f(served+"presign: {max_url_bytes: 1e1}", `jobgate.yaml:3:26: presign.max_url_bytes: "1e1" is not a whole number; allowed: 0..65536`)
	f(served+"presign: {max_url_bytes: 12345678901234567890}", `jobgate.yaml:3:26: presign.max_url_bytes: "12345678901234567890" is out of range; allowed: 0..65536`)
	f(served+"presign: {max_url_bytes: 123456789012345678901234}", `jobgate.yaml:3:26: presign.max_url_bytes: "123456789012345678901234" is out of range; allowed: 0..65536`)

	// Byte order marks and directives before the document.
	f("\xef\xbb\xbf"+served, "")
	f("%YAML 1.2\n---\n"+served, "")
	f("\xef\xbb\xbf%YAML 1.1\n---\n"+served+"...\n", "")
	f("---\n"+served, "")
	f("%YAML 2.0\n---\n"+served, `jobgate.yaml:1:7: is not YAML: unknown YAML version "2.0"`)
	f("%TAG ! tag:x,2000:\n---\n"+served, `jobgate.yaml:1:1: the directive %TAG is not supported; remove it`)
	f("%YAML 1.2\n---\n"+served+"---\nadmin: a:1", "jobgate.yaml:6:1: a second YAML document begins here; keep one document per file")

	// Aliases, merges and tags.
	f(served+"presign: {allow: *nowhere}", `jobgate.yaml:3:18: presign.allow: *nowhere names no anchor that stands before it; write the value itself, or define &nowhere above`)
	f(served+"presign: {allow: *later, allow_upload: &later ['arn:aws:s3:::f/*']}", `jobgate.yaml:3:18: presign.allow: *later names no anchor that stands before it; write the value itself, or define &later above`)
	f(served+"*key : x", `jobgate.yaml:3:1: *key is not a key; write the key's name itself`)
	f(served+"<<: {listen: ':80'}", `jobgate.yaml:3:1: << is not a key; write the key's name itself`)
	f(served+"sidecar_token_file: !file /t", `jobgate.yaml:3:21: sidecar_token_file: the tag !file is not supported; write the value without a tag`)
	f(served+"tls: !!null ~", `jobgate.yaml:3:6: tls: the tag !!null is not supported; write the value without a tag`)
	f(served+"memory: !!str low", "")
	f(served+"lisen: x\npresign: {expires: 8d}\nmemory: tiny", strings.Join([]string{
		`jobgate.yaml:3:1: lisen: is not a known key; did you mean "listen"?`,
		`jobgate.yaml:4:20: presign.expires: "8d" is out of range; allowed: 60s..7d`,
		`jobgate.yaml:5:9: memory: "tiny" is not a choice; allowed: normal or low`,
	}, "\n"))
}

// TestLoadLayers checks the precedence of flag, environment, file and default, and the origin of each value.
func TestLoadLayers(t *testing.T) {
	f := func(source string, environ []string, flags []Flag, want, origin string) {
		t.Helper()
		l, err := Load(Options{Path: "j.yaml", Source: []byte(served + source), Environ: environ, Flags: flags})
		if err != nil {
			t.Fatal(err)
		}
		if got := strictyaml.FormatDuration(l.Presign.Expires); got != want || l.Origin("presign.expires").String() != origin {
			t.Errorf("%q %v %v: got %s from %s, want %s from %s", source, environ, flags, got, l.Origin("presign.expires"), want, origin)
		}
	}
	env := []string{"JOBGATE_PRESIGN_EXPIRES=20m"}
	flag := []Flag{{"--expires", "presign.expires", "25m"}}
	f("", nil, nil, "15m", "default")
	f("presign: {expires: 10m}", nil, nil, "10m", "j.yaml:3:20")
	f("presign: {expires: 10m}", env, nil, "20m", "environment JOBGATE_PRESIGN_EXPIRES")
	f("presign: {expires: 10m}", env, flag, "25m", "flag --expires")
	f("presign: {expires: 10m}", []string{"JOBGATE_PRESIGN_EXPIRES="}, nil, "10m", "j.yaml:3:20")
}

// TestLoadOutside pins the faults of values from the environment and from flags.
func TestLoadOutside(t *testing.T) {
	f := func(environ []string, flags []Flag, want string) {
		t.Helper()
		if got := faultsOf(t, served, environ, flags...); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	f([]string{"JOBGATE_PRESIGN_EXPIRES=8d"}, nil, `environment JOBGATE_PRESIGN_EXPIRES: presign.expires: "8d" is out of range; allowed: 60s..7d`)
	f([]string{"JOBGATE_ADMIN_DEBUG=yes"}, nil, `environment JOBGATE_ADMIN_DEBUG: admin_debug: "yes" is not a bool; allowed: true or false`)
	f([]string{"JOBGATE_LISTEN=8080"}, nil, `environment JOBGATE_LISTEN: listen: "8080" is not an address; allowed: host:port or :port`)
	f(nil, []Flag{{"--log-level", "log.level", "loud"}}, `flag --log-level: log.level: "loud" is not a choice; allowed: debug, info, warn or error`)
	f(nil, []Flag{{"--x", "routes", "x"}}, `flag --x: routes: takes more than one value; set it in the file`)
	f(nil, []Flag{{"--set", "roles.a.arn", "x"}}, `flag --set: roles.a.arn: takes more than one value; set it in the file`)
	f(nil, []Flag{{"--set", "presign.expire", "10m"}}, `flag --set: presign.expire: is not a known key; did you mean "presign.expires"?`)
	f(nil, []Flag{{"--set", "zz", "10m"}}, `flag --set: zz: is not a known key`)
	f(nil, []Flag{{"--set", "jobs.access_keys_file", ""}}, `flag --set: jobs.access_keys_file: is empty; say what it is, or remove the key`)
}

func TestLoadWarnings(t *testing.T) {
	f := func(source string, environ []string, want string) {
		t.Helper()
		l, err := Load(Options{Path: "j.yaml", Source: []byte(source), Environ: environ})
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Warnings.Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f(served, []string{"JOBGATE_CONFIG=x", "HOME=/", "JOBGATE_PORT=tcp://10.0.0.1:80", "JOBGATE_PORT_80_TCP_ADDR=x", "JOBGATE_SERVICE_HOST=x", "JOBGATE_SERVICE_PORT_HTTP=80", "JOBGATE_ADMIN_SERVICE_HOST=x", "JOBGATE_ADMIN_PORT_9090_TCP=x"}, "")
	f(served, []string{"JOBGATE_PRESIGN_EXPIRE=1m"}, `environment JOBGATE_PRESIGN_EXPIRE: names no setting and is ignored; did you mean "JOBGATE_PRESIGN_EXPIRES"?`)
	f(served, []string{"JOBGATE_UPSTREAM=http://x"}, `environment JOBGATE_UPSTREAM: upstream: the environment spells single values only, and this is ignored; set it in the file`)
	f(served, []string{"JOBGATE_ROLES=x"}, `environment JOBGATE_ROLES: roles: the environment spells single values only, and this is ignored; set it in the file`)
	f("listen: :8080\nupstream: [http://127.0.0.1:9000]\nauth: {mode: none}", nil, `j.yaml:3:14: auth.mode: any caller that reaches :8080 may ask for any device's documents; use mtls, sigv4 or header`)
	f(served+"memory: low", nil, `j.yaml:3:9: memory: low has no effect: idle connections hold no buffers; remove it`)
	f(served+"admin: :9090\nadmin_debug: true", nil, `j.yaml:4:14: admin_debug: anyone who reaches :9090 may reload, profile and read the configuration; bind admin to 127.0.0.1`)
}

func TestLoadMissingFile(t *testing.T) {
	_, err := Load(Options{Path: "testdata/none.yaml"})
	if want := "cannot read the configuration: open testdata/none.yaml: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestLoadValues reads a value of each kind, with anchors, quotes and numbers as strings.
func TestLoadValues(t *testing.T) {
	l, err := Load(Options{Path: "j.yaml", Source: []byte(served + `
x: &unused
`)})
	if err == nil {
		t.Fatalf("an unknown key was accepted: %v", l)
	}
	l, err = Load(Options{Path: "j.yaml", Source: []byte(served + `
jobs: {account: 000123456789}
routes:
  - path: /a/{thingName}
    document: "file:///srv/{thingName}.json"
    parameters: {version: 1.10, on: true}
    strict: true
  - {path: /b, fill: true, role: r}
roles:
  r:
    arn: arn:aws:iam::123456789012:role/r
    allow: &files ["arn:aws:s3:::firmware/*"]
    allow_upload: *files
auth: {trusted_proxies: [10.0.0.0/8, "::1"]}
`)})
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case l.Jobs.Account != "000123456789",
		l.Routes[0].Parameters["version"] != "1.10" || l.Routes[0].Parameters["on"] != "true",
		!l.Routes[0].Strict || !l.Routes[1].Fill,
		l.Roles["r"].SessionName != "jobgate" || l.Roles["r"].AllowUpload[0] != "arn:aws:s3:::firmware/*",
		l.Auth.TrustedProxies[1].String() != "::1/128",
		l.Auth.Mode != "none":
		t.Errorf("values misread: %+v", l.Config)
	}
}
