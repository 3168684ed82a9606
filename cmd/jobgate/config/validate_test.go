package config

import (
	"strings"
	"testing"
)

const roleA = "roles: {a: {arn: \"arn:aws:iam::123456789012:role/a\"}}\n"

// TestValidate has a case for each rule across settings.
func TestValidate(t *testing.T) {
	f := func(source, want string) {
		t.Helper()
		got := faultsOf(t, source, nil)
		if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", source, got, want)
		}
	}
	serve := "listen: 127.0.0.1:8080\n"
	up := "upstream: [http://127.0.0.1:9000]\n"

	// Listeners.
	f(serve, "jobgate.yaml:1:1: there is nothing to serve; set routes, upstream or jobs.enabled (with listen), or sidecar; `jobgate demo` runs without configuration")
	f("listen: 8080\n"+up+"auth: {mode: none}", `jobgate.yaml:1:9: listen: "8080" is not an address; allowed: host:port or :port`)
	f("listen: ':99999'\n"+up+"auth: {mode: none}", `jobgate.yaml:1:9: listen: ":99999" is not an address; allowed: host:port or :port`)
	f(served+"admin: 127.0.0.1:8080", `jobgate.yaml:3:8: admin: "127.0.0.1:8080" is the address of listen; give each listener a port of its own`)
	f(served+"sidecar: unix://x\npresign: {allow: ['arn:aws:s3:::f/*']}", `jobgate.yaml:3:10: sidecar: "unix://x" is not an absolute socket path of at most 107 bytes; allowed: host:port or unix:///path`)
	f(served+"sidecar: :8081\npresign: {allow: ['arn:aws:s3:::f/*']}", `jobgate.yaml:3:10: sidecar: ":8081" is reachable from other machines; set sidecar_token_file, or bind 127.0.0.1 or unix:///…`)
	f(served+"sidecar: :8081\nsidecar_token_file: /t\npresign: {allow: ['arn:aws:s3:::f/*']}", "")
	f("listen: ''\nsidecar: unix:///run/jobgate.sock\npresign: {allow: ['arn:aws:s3:::f/*']}", "")
	f(served+"sidecar_token_file: /t", `jobgate.yaml:3:21: sidecar_token_file: "/t" guards nothing: sidecar is off; set sidecar`)
	f(served+"control: 127.0.0.1:8082", "")
	f(served+"console: true", `jobgate.yaml:3:10: console: cannot be served: the control plane is off; set jobs.enabled: true and control, or remove console`)
	f(served+"console: false", "")
	f(served+"console: maybe", `jobgate.yaml:3:10: console: "maybe" is not a choice; allowed: auto, true or false`)
	f(served+"console: true\njobs: {enabled: true, access_keys_file: /k}\ncontrol: :8082", "")
	f(served+"control: 127.0.0.1:8083", `jobgate.yaml:3:10: control: "127.0.0.1:8083" has nothing to serve: jobs are off; set jobs.enabled: true, or remove control`)
	f(served+"jobs: {enabled: true}\ncontrol: :8082", `jobgate.yaml:4:10: control: ":8082" is reachable from other machines; set jobs.access_keys_file, or bind 127.0.0.1`)
	f(served+"jobs: {enabled: true, access_keys_file: /k}\ncontrol: :8082", "")
	f("listen: ''\njobs: {enabled: true}\nsidecar: 127.0.0.1:1\npresign: {allow: ['arn:aws:s3:::f/*']}", `jobgate.yaml:2:17: jobs.enabled: the jobs' data plane has no listener; set listen`)

	// TLS and device authentication.
	f(served+"tls: {cert_file: c}", "jobgate.yaml:3:1: tls: a certificate and its key come together; set both tls.cert_file and tls.key_file")
	control := served + "jobs: {enabled: true, access_keys_file: /k}\n"
	f(control+"control_tls: {cert_file: c, key_file: k, client_ca_file: a}", "")
	f(control+"control_tls: {key_file: k}", "jobgate.yaml:4:1: control_tls: a certificate and its key come together; set both control_tls.cert_file and control_tls.key_file")
	f(control+"control_tls: {client_ca_file: c}", `jobgate.yaml:4:31: control_tls.client_ca_file: "c" checks nothing: TLS is off; set control_tls.cert_file and control_tls.key_file`)
	f(served+"control_tls: {cert_file: c, key_file: k}", "jobgate.yaml:3:1: control_tls: has nothing to serve: the control plane is off; set jobs.enabled: true and control, or remove control_tls")
	f(control+"control: ''\ncontrol_tls: {cert_file: c, key_file: k}", "jobgate.yaml:5:1: control_tls: has nothing to serve: the control plane is off; set jobs.enabled: true and control, or remove control_tls")
	f(served+"tls: {client_ca_file: c}", `jobgate.yaml:3:23: tls.client_ca_file: "c" checks nothing: TLS is off; set tls.cert_file and tls.key_file`)
	f(up, `jobgate.yaml:1:1: auth.mode: is not set, and listen ":8080" is reachable from other machines; allowed: mtls, sigv4, header or none; write none only when any caller may ask for any device's documents`)
	f(served+"auth: {mode: mtls}", `jobgate.yaml:3:14: auth.mode: "mtls" needs the authorities that sign the devices' certificates; set tls.client_ca_file`)
	f(served+"auth: {mode: header}", `jobgate.yaml:3:14: auth.mode: "header" needs the peers whose header is believed; set auth.trusted_proxies`)
	f(served+"auth: {mode: header, header: 'a b', trusted_proxies: [10.0.0.0/8]}", `jobgate.yaml:3:30: auth.header: "a b" is not a header name; write one like X-Thing-Name`)
	f(served+"auth: {header: Content-length}", `jobgate.yaml:3:16: auth.header: "Content-length" has a meaning of its own in HTTP; let the balancer set one like X-Thing-Name`)
	for _, name := range []string{"Host", "Connection", "Transfer-Encoding", "TE", "authorization", "X-Forwarded-For", "Upgrade"} {
		if got := faultsOf(t, served+"auth: {mode: header, trusted_proxies: [10.0.0.0/8], header: "+name+"}", nil); !strings.Contains(got, "has a meaning of its own in HTTP") {
			t.Errorf("auth.header %s: %q", name, got)
		}
	}
	f(served+"auth: {mode: sigv4}", `jobgate.yaml:3:14: auth.mode: "sigv4" needs the access keys that may sign; set jobs.access_keys_file`)

	// Upstreams.
	f(serve+"upstream: [x]", `jobgate.yaml:2:12: upstream[0]: "x" is not a base URL; allowed: http://host:port or https://host:port`)
	f(serve+"upstream: ['http://u:p@h']", `jobgate.yaml:2:12: upstream[0]: carries a user name or password; allowed: http://host:port or https://host:port; leave it out: this URL is logged`)
	f(serve+"upstream: ['http://h/x']", `jobgate.yaml:2:12: upstream[0]: "http://h/x" has a path or query; allowed: http://host:port or https://host:port; the path comes from the request`)
	f(serve+"upstream: ['http://h', 'http://h']", `jobgate.yaml:2:24: upstream[1]: "http://h" repeats upstream[0]; write each upstream once`)

	// Roles.
	f(served+"roles: {a: }", `jobgate.yaml:3:11: roles.a: has no value; give it one, or remove the key`)
	f(served+"roles: {a: {}}", `jobgate.yaml:3:9: roles.a.arn: is missing; write arn: arn:aws:iam::ACCOUNT:role/NAME`)
	f(served+"roles: {a: {arn: role/a}}", `jobgate.yaml:3:18: roles.a.arn: "role/a" is not a role's ARN; allowed: arn:aws:iam::ACCOUNT:role/NAME`)
	f(served+strings.Replace(roleA, "}}", ", session_name: 'a b'}}", 1), `jobgate.yaml:3:68: roles.a.session_name: "a b" is not a session name; allowed: 2 to 64 of A-Z a-z 0-9 _ + = , . @ -`)
	f(served+strings.Replace(roleA, "}}", ", session_duration: 13h}}", 1), `jobgate.yaml:3:72: roles.a.session_duration: "13h" is out of range; allowed: 15m..12h`)
	f(served+strings.Replace(roleA, "}}", ", external_id: 's3cret!'}}", 1), `jobgate.yaml:3:67: roles.a.external_id: is not an external id; allowed: 2 to 1224 of A-Z a-z 0-9 _ + = , . @ : / -`)
	f(served+strings.Replace(roleA, "}}", ", session_policy: '{'}}", 1), `jobgate.yaml:3:70: roles.a.session_policy: is not a JSON policy of at most 2048 characters`)
	f(served+strings.Replace(roleA, "}}", ", source_role: b}}", 1), `jobgate.yaml:3:67: roles.a.source_role: "b" is not one of roles; allowed: a; did you mean "a"?`)
	f(served+strings.Replace(roleA, "}}", ", source_role: a}}", 1), `jobgate.yaml:3:67: roles.a.source_role: is circular: a -> a; one of them must start from the gateway's own credentials`)
	f(served+"roles:\n  a: {arn: &x \"arn:aws:iam::123456789012:role/a\", source_role: b}\n  b: {arn: *x, source_role: c}\n  c: {arn: *x, source_role: b}",
		`jobgate.yaml:5:29: roles.b.source_role: is circular: b -> c -> b; one of them must start from the gateway's own credentials`)
	f(served+"roles:\n  a: {arn: &x \"arn:aws:iam::123456789012:role/a\", source_role: b, session_duration: 2h}\n  b: {arn: *x}",
		`jobgate.yaml:4:85: roles.a.session_duration: "2h" is not possible with source_role; allowed: 15m..1h; STS ends chained sessions after one hour`)
	f(served+"roles: {'a b': {arn: \"arn:aws:iam::123456789012:role/a\"}}", `jobgate.yaml:3:9: roles.a b: "a b" is not a role's name; allowed: 1 to 64 of A-Z a-z 0-9 _ . -`)
	f(served+strings.Replace(roleA, "}}", ", allow: [firmware/*, 'arn:aws:s3:::firmware']}}", 1),
		`jobgate.yaml:3:62: roles.a.allow[0]: "firmware/*": it is written arn:aws:s3:::bucket/key, with * and ? as wildcards`+"\n"+
			`jobgate.yaml:3:74: roles.a.allow[1]: "arn:aws:s3:::firmware": it names a bucket and no object; write arn:aws:s3:::firmware/* for all of them`)

	// Presigning.
	f(served+roleA+"presign: {role: down}", `jobgate.yaml:4:17: presign.role: "down" is not one of roles; allowed: a; add it under roles`)
	f(served+roleA+"presign: {role: a, expires: 1d}", `jobgate.yaml:4:29: presign.expires: "24h" is longer than roles.a.max_expires; allowed: 60s..12h`)
	f(served+"roles: {a: {arn: \"arn:aws:iam::123456789012:role/a\", session_duration: 1h}}\npresign: {role: a, expires: 2h}",
		`jobgate.yaml:4:29: presign.expires: "2h" can never hold: sessions of role "a" live 1h; allowed: 60s..1h; raise roles.a.session_duration (at most 12h) or ask for less: a URL ends with the session that signed it`)
	f(served+"roles:\n  a: {arn: &x \"arn:aws:iam::123456789012:role/a\", source_role: b}\n  b: {arn: *x}\npresign: {role: a, expires: 2h}",
		`jobgate.yaml:6:29: presign.expires: "2h" can never hold: sessions of role "a" live 1h; allowed: 60s..1h; STS ends chained sessions (source_role) after one hour, and a URL ends with the session that signed it`)
	f(served+roleA+"presign: {role: a, expires: 12h}", "")
	f(served+"presign: {quantum: 10m}", `jobgate.yaml:3:20: presign.quantum: "10m" is more than half of presign.expires (15m); allowed: 1s..7m30s; a URL signed at the start of a quantum is served until its end`)
	f(served+"presign: {quantum: 1500ms}", `jobgate.yaml:3:20: presign.quantum: "1.5s" is not whole seconds; SigV4's clock ticks in seconds`)
	f(served+"presign: {quantum: 500ms}", `jobgate.yaml:3:20: presign.quantum: "500ms" is out of range; allowed: 1s..12h`)
	f(served+"presign: {endpoint: minio:9000}", `jobgate.yaml:3:21: presign.endpoint: "minio:9000" is not a base URL; allowed: http://host:port or https://host:port`)
	f(served+"presign: {endpoint: 'http://h:99999'}", `jobgate.yaml:3:21: presign.endpoint: "http://h:99999" has the port "99999", which is not 1..65535 without leading zeros; allowed: http://host:port or https://host:port`)
	f(served+"presign: {endpoint: 'http://h:0443'}", `jobgate.yaml:3:21: presign.endpoint: "http://h:0443" has the port "0443", which is not 1..65535 without leading zeros; allowed: http://host:port or https://host:port`)
	f(served+"presign: {endpoint: 'http://h:'}", `jobgate.yaml:3:21: presign.endpoint: "http://h:" has an empty port; allowed: http://host:port or https://host:port`)
	f(served+"presign: {endpoint: 'http://bücher.example'}", `jobgate.yaml:3:21: presign.endpoint: "http://bücher.example" has a host that is not a DNS name in ASCII (write xn--… for other letters) or an IP address; allowed: http://host:port or https://host:port`)
	for _, host := range []string{"h.", "-h", "a..b", "h%41", "[::1%25lo]", "127.1", "0x7f000001", "127.0.0.01", "h:0", "h:80x", "[v1.x]", "a b"} {
		if got := faultsOf(t, served+"presign: {endpoint: 'http://"+host+"'}", nil); !strings.Contains(got, "presign.endpoint: ") {
			t.Errorf("presign.endpoint http://%s: %q", host, got)
		}
	}
	for _, host := range []string{"h", "H:9000", "my_minio:9000", "[::1]:9000", "127.0.0.1:1", "xn--bcher-kva.example", "a-b.c-d.example:65535", "h:443", "h:80"} {
		f(served+"presign: {endpoint: 'https://"+host+"'}", "")
	}
	f(served+"presign: {bucket_regions: {firmware: Frankfurt}}", `jobgate.yaml:3:38: presign.bucket_regions.firmware: "Frankfurt" is not a region; allowed: a name like eu-west-1`)
	f(served+"presign: {allow: [x]}", `jobgate.yaml:3:19: presign.allow[0]: "x": it is written arn:aws:s3:::bucket/key, with * and ? as wildcards`)

	// Untrusted input is signed only within an allow-list.
	f(served+"routes: [{path: /x, fill: true}]", `jobgate.yaml:3:27: routes[0].fill: fills what the upstream answers, and no list says which objects may be signed; set presign.allow, for instance ["arn:aws:s3:::firmware/*"]`)
	f(served+"sidecar: 127.0.0.1:8081", `jobgate.yaml:3:10: sidecar: signs what its callers send, and no list says which objects may be signed; set presign.allow, for instance ["arn:aws:s3:::firmware/*"]`)
	f(served+roleA+"jobs: {enabled: true}", `jobgate.yaml:4:17: jobs.enabled: jobs may name role "a", and no list says which objects may be signed; set roles.a.allow or presign.allow, for instance ["arn:aws:s3:::firmware/*"]`)
	// Jobs name roles by ARN, and request an hour by default.
	jobsOn := served + "jobs: {enabled: true}\npresign: {allow: ['arn:aws:s3:::f/*']"
	f(jobsOn+"}\nroles:\n  a: {arn: &x \"arn:aws:iam::123456789012:role/a\"}\n  b: {arn: *x}",
		`jobgate.yaml:7:12: roles.b.arn: "arn:aws:iam::123456789012:role/a" is also the ARN of roles.a, and jobs name roles by ARN; list each role once, or set jobs.enabled: false`)
	f(jobsOn+", quantum: 7m}\nroles: {a: {arn: \"arn:aws:iam::123456789012:role/a\", max_expires: 10m}}",
		`jobgate.yaml:4:49: presign.quantum: "7m" is more than half of roles.a.max_expires (10m); allowed: 1s..5m; a URL signed at the start of a quantum is served until its end`)
	f("listen: \"\"\nsidecar: 127.0.0.1:8081\npresign: {allow: [\"*\"], quantum: 7m}\nroles: {a: {arn: \"arn:aws:iam::123456789012:role/a\", max_expires: 10m}}",
		`jobgate.yaml:3:34: presign.quantum: "7m" is more than half of roles.a.max_expires (10m); allowed: 1s..5m; a URL signed at the start of a quantum is served until its end`)
	f(jobsOn+", quantum: 7m}\n"+roleA, "")

	// The rest.
	f(served+"limits: {max_rendered: 1KiB}", `jobgate.yaml:3:24: limits.max_rendered: "1KiB" is less than limits.max_document (1MiB); allowed: at least 1MiB`)
	f(served+"cache: {role: x}", `jobgate.yaml:3:15: cache.role: "x" is not one of roles; allowed: none; add it under roles`)
	f(served+"jobs: {account: '12'}", `jobgate.yaml:3:17: jobs.account: "12" is not an account; allowed: twelve digits`)
	f(served+"jobs: {region: here}", `jobgate.yaml:3:16: jobs.region: "here" is not a region; allowed: a name like us-east-1`)
	f(served+"jobs: {enabled: true, data_endpoint: 'http://x'}", `jobgate.yaml:3:38: jobs.data_endpoint: "http://x" is not a host; allowed: host or host:port, without a scheme`)
	f(served+"jobs: {enabled: true, store: ''}", `jobgate.yaml:3:30: jobs.store: is empty; name the database file, or leave it out for ./jobgate.db`)
}

// TestJobRoleWarnings checks the warnings about roles whose URLs expire earlier than jobs request.
func TestJobRoleWarnings(t *testing.T) {
	f := func(role, want string) {
		t.Helper()
		source := served + "jobs: {enabled: true}\npresign: {allow: ['arn:aws:s3:::f/*']}\n" + strings.Replace(roleA, "}}", role+"}}", 1)
		l, err := Load(Options{Path: "jobgate.yaml", Source: []byte(source)})
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Warnings.Error(); got != want {
			t.Errorf("%s: got %q, want %q", role, got, want)
		}
	}
	f("", "")
	f(", session_duration: 1h", "")
	f(", max_expires: 30m", `jobgate.yaml:5:67: roles.a.max_expires: URLs of jobs live at most 30m, even if a job asks for more; jobs ask for 1h unless they say otherwise`)
	f(", session_duration: 15m", `jobgate.yaml:5:72: roles.a.session_duration: URLs of jobs end with their session, which lives 15m; jobs ask for 1h unless they say otherwise`)
}

// TestSigningScope checks that commands that only sign accept a configuration that serves nothing.
func TestSigningScope(t *testing.T) {
	if _, err := Load(Options{Scope: Signing}); err != nil {
		t.Errorf("no configuration: %v", err)
	}
	_, err := Load(Options{Scope: Signing, Path: "j.yaml", Source: []byte("presign: {role: a}")})
	if want := `j.yaml:1:17: presign.role: "a" is not one of roles; allowed: none; add it under roles`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
