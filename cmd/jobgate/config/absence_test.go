package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"jobgate/cmd/jobgate/config/strictyaml"
)

// guarded is a configuration that uses every setting that can restrict what is allowed.
const guarded = `{
	"listen": "127.0.0.1:8080", "admin": "127.0.0.1:9090", "admin_debug": false,
	"sidecar": ":8081", "sidecar_token_file": "/t", "control": ":8082",
	"control_tls": {"cert_file": "/c", "key_file": "/k", "client_ca_file": "/a"},
	"tls": {"cert_file": "/c", "key_file": "/k", "client_ca_file": "/a"},
	"auth": {"mode": "mtls", "thing_name": "san_dns", "header": "X-Device", "trusted_proxies": ["10.0.0.0/8"]},
	"upstream": ["http://127.0.0.1:9000"],
	"routes": [
		{"path": "/a/{thingName}", "document": "file:///d/{thingName}", "role": "down", "expires": "2m", "strict": true, "parameters": {"a": "b"}},
		{"path": "/b/{thingName}", "fill": true, "role": "own", "content_type": null}
	],
	"roles": {
		"down": {"arn": "arn:aws:iam::123456789012:role/down", "external_id": "id", "session_duration": "15m", "session_policy": "{}",
			"max_expires": "5m", "allow": ["arn:aws:s3:::firmware/a/*"], "allow_upload": ["arn:aws:s3:::logs/a/*"]},
		"own": {"arn": "arn:aws:iam::123456789012:role/own", "source_role": "down", "session_duration": "15m", "max_expires": "5m", "allow": ["arn:aws:s3:::own/*"], "allow_upload": []}
	},
	"presign": {"role": "down", "expires": "2m", "quantum": "1s", "on_short_session": "refuse", "endpoint": "https://s3.example",
		"bucket_regions": {"firmware": "eu-west-1"}, "allow": ["arn:aws:s3:::firmware/*"], "allow_upload": ["arn:aws:s3:::logs/*"], "max_url_bytes": 1500},
	"jobs": {"enabled": true, "store": "/s.db", "access_keys_file": "/keys"},
	"memory": "low"
}`

// grantedRights returns the rights that c grants. Removing text from a configuration must never add a right.
func grantedRights(c *Config) map[string]bool {
	all := map[string]bool{}
	add := func(holds bool, format string, args ...any) {
		if holds {
			all[fmt.Sprintf(format, args...)] = true
		}
	}
	add(c.TLS.CertFile == "", "devices without TLS")
	add(c.TLS.ClientCAFile == "", "devices without a certificate")
	add(c.Auth.Mode != "mtls" && c.Listen != "", "devices by %q", c.Auth.Mode)
	add(c.ControlTLS.CertFile == "" && c.Control != "", "operators without TLS")
	add(c.ControlTLS.ClientCAFile == "" && c.Control != "", "operators without a certificate")
	add(c.Jobs.AccessKeysFile == "" && c.Jobs.Enabled, "operators by a key that is printed")
	add(c.SidecarTokenFile == "" && c.Sidecar != "", "the sidecar without a token")
	add(c.AdminDebug, "profiles for all")
	for _, a := range []string{c.Listen, c.Admin, c.Sidecar, c.Control} {
		add(a != "", "listening on %s", a)
	}
	for _, p := range c.Auth.TrustedProxies {
		add(true, "names from %s", p)
	}
	for i, r := range c.Routes {
		add(true, "route %d with role %q", i, or(r.Role, c.Presign.Role))
		add(!r.Strict && r.Path == "/a/{thingName}", "route %d beyond AWS", i)
	}
	for _, r := range c.Roles {
		name := r.ARN
		add(r.SessionPolicy == "" && strings.HasSuffix(name, "/down"), "role %s without its policy", name)
		objects := func(kind string, own, others []string, absentIsAll bool) {
			if own == nil {
				own = others
			}
			add(absentIsAll && len(own) == 0, "role %s %s everything", name, kind)
			for _, o := range own {
				add(true, "role %s %s %s", name, kind, o)
			}
		}
		objects("downloads", r.Allow, c.Presign.Allow, true)
		objects("uploads", r.AllowUpload, c.Presign.AllowUpload, false)
	}
	add(len(c.Presign.Allow) == 0, "own credentials download everything")
	for _, o := range c.Presign.Allow {
		add(true, "own credentials download %s", o)
	}
	for _, o := range c.Presign.AllowUpload {
		add(true, "own credentials upload %s", o)
	}
	return all
}

// alias marks a YAML alias without an anchor in a generated file.
const alias = "DANGLING ALIAS"

// addMistake makes a mistake at one place of the tree, chosen by r, and describes it. It misspells keys, and replaces values by
// null, an empty value or a dangling alias.
func addMistake(r *rand.Rand, tree any, where string) (how string) {
	switch t := tree.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(t))
		if len(keys) == 0 {
			return "nothing"
		}
		key := keys[r.IntN(len(keys))]
		inner := t[key]
		if isBranch(inner) && r.IntN(3) > 0 {
			return addMistake(r, inner, strictyaml.Join(where, key))
		}
		switch n := r.IntN(8); n {
		case 0:
			name := misspelled(r, key)
			t[name] = t[key]
			delete(t, key)
			return fmt.Sprintf("%s misspelled %s", strictyaml.Join(where, key), name)
		default:
			if t[key] = missingValue(n); n >= 5 {
				t[key] = emptyOf(inner)
			}
			return fmt.Sprintf("%s = %v", strictyaml.Join(where, key), t[key])
		}
	case []any:
		if len(t) == 0 {
			return "nothing"
		}
		i := r.IntN(len(t))
		at := where + "[" + strconv.Itoa(i) + "]"
		if isBranch(t[i]) && r.IntN(4) > 0 {
			return addMistake(r, t[i], at)
		}
		t[i] = missingValue(r.IntN(8))
		return fmt.Sprintf("%s = %v", at, t[i])
	}
	return "nothing"
}

func isBranch(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

// missingValue returns the nth kind of missing value.
func missingValue(n int) any {
	return []any{nil, "", []any{}, map[string]any{}, alias, []any{nil}, []any{""}, []any{alias}}[n]
}

// emptyOf returns the empty value of v's kind.
func emptyOf(v any) any {
	switch v.(type) {
	case map[string]any:
		return map[string]any{}
	case []any:
		return []any{}
	}
	return ""
}

func misspelled(r *rand.Rand, key string) string {
	at := r.IntN(len(key))
	switch r.IntN(3) {
	case 0:
		return key[:at] + key[at+1:]
	case 1:
		return key[:at] + strings.ToUpper(key[at:at+1]) + key[at:]
	default:
		return key + "s"
	}
}

// TestAbsenceIsNeverPermission checks on generated configurations that a mistake never grants a right: a misspelled key, or
// an empty, null or dangling value, is refused or allows no more than the configuration without the mistake.
func TestAbsenceIsNeverPermission(t *testing.T) {
	base := strings.Replace(guarded, `, "content_type": null`, "", 1)
	loaded, err := Load(Options{Path: "base.yaml", Source: []byte(base)})
	if err != nil {
		t.Fatal(err)
	}
	allowed := grantedRights(&loaded.Config)
	r := rand.New(rand.NewPCG(1, 2))
	refused, accepted := 0, 0
	for range 1500 {
		var tree any
		if err := json.Unmarshal([]byte(base), &tree); err != nil {
			t.Fatal(err)
		}
		var how []string
		for range 1 + r.IntN(2) {
			how = append(how, addMistake(r, tree, ""))
		}
		text, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		source := strings.ReplaceAll(string(text), `"`+alias+`"`, "*nowhere")
		got, err := Load(Options{Path: "j.yaml", Source: []byte(source)})
		if err != nil {
			refused++
			continue
		}
		accepted++
		for right := range grantedRights(&got.Config) {
			if !allowed[right] {
				t.Errorf("%s: grants %q", strings.Join(how, ", "), right)
			}
		}
	}
	if refused < 1000 || accepted < 50 {
		t.Errorf("%d refused and %d accepted: too few for a meaningful test", refused, accepted)
	}
}

// TestWrittenButEmpty pins the errors of empty keys whose absence would allow more.
func TestWrittenButEmpty(t *testing.T) {
	f := func(source, want string) {
		t.Helper()
		if got := faultsOf(t, served+source, nil); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", source, got, want)
		}
	}
	const empty, null = "is empty; say what it is, or remove the key", "has no value; give it one, or remove the key"
	f("presign: {allow: []}", "jobgate.yaml:3:18: presign.allow: "+empty)
	f("presign: {allow: }", "jobgate.yaml:3:17: presign.allow: "+null)
	f("presign: {allow: ~}", "jobgate.yaml:3:18: presign.allow: "+null)
	f("presign: {allow: [~]}", "jobgate.yaml:3:19: presign.allow[0]: "+null)
	f(strings.Replace(roleA, "}}", ", allow: []}}", 1), "jobgate.yaml:3:61: roles.a.allow: "+empty)
	f("tls: {client_ca_file: ''}", "jobgate.yaml:3:23: tls.client_ca_file: "+empty)
	f("tls: {}", "jobgate.yaml:3:6: tls: "+empty)
	f("tls:\nmemory: low", "jobgate.yaml:3:5: tls: "+null)
	f("control_tls:", "jobgate.yaml:3:14: control_tls: "+null)
	f("auth: {}", "jobgate.yaml:3:7: auth: "+empty)
	f("auth: {mode: }", "jobgate.yaml:3:13: auth.mode: has no value; allowed: mtls, sigv4, header or none; give it one, or remove the key")
	f("sidecar_token_file: ''", "jobgate.yaml:3:21: sidecar_token_file: "+empty)
	f("jobs: {access_keys_file: ''}", "jobgate.yaml:3:26: jobs.access_keys_file: "+empty)
	f("routes: [{path: /x, document: 'file:///d/x', role: ''}]", "jobgate.yaml:3:52: routes[0].role: "+empty)
	f("routes: [{path: /x, document: 'file:///d/x', strict: }]", "jobgate.yaml:3:53: routes[0].strict: has no value; allowed: true or false; give it one, or remove the key")
}
