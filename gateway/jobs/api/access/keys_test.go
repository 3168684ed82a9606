package access

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jobgate/gateway/jobdoc/glob"
)

const keyFileText = `
access_keys:
  - id: AKIAOPERATOR00000001
    secret: operators-secret-0001
  - {id: AKIADASHBOARD0000001, secret: dashboards-secret-01, read_only: true}
  - id: AKIASENSOR0000000001
    secret: sensors-secret-00001
    things: "sensor*:a*"
`

func TestLoadKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.yaml")
	if err := os.WriteFile(path, []byte(keyFileText), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := LoadKeys(path)
	if err != nil || keys.Len() != 3 {
		t.Fatalf("%v, %v", keys, err)
	}
	c, ok := keys.lookup("AKIADASHBOARD0000001")
	if !ok || c.SecretAccessKey != "dashboards-secret-01" || !keys.byID[c.AccessKeyID].ReadOnly {
		t.Errorf("got %v %v", c, ok)
	}
	if _, ok := keys.lookup("AKIAOTHER"); ok {
		t.Error("an unknown key is found")
	}
	if shown := fmt.Sprintf("%v %+v %#v", *keys.byID[c.AccessKeyID], *keys.byID[c.AccessKeyID], *keys.byID[c.AccessKeyID]); strings.Contains(shown, "dashboards-secret") {
		t.Errorf("prints its secret: %s", shown)
	}
	if _, err := LoadKeys(path + "x"); err == nil || !strings.Contains(err.Error(), "jobs.access_keys_file") {
		t.Errorf("missing file: %v", err)
	}
}

// A file may have everything that YAML allows before a document.
func TestParseKeysPrologue(t *testing.T) {
	for _, before := range []string{"\xef\xbb\xbf", "---\n", "%YAML 1.2\n---\n", "\xef\xbb\xbf%YAML 1.2\n---\n"} {
		if keys, err := ParseKeys([]byte(before + keyFileText)); err != nil || keys.Len() != 3 {
			t.Errorf("%q: %v", before, err)
		}
	}
}

// Errors name the position in the file, but not the content.
func TestParseKeysRefuses(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, err := ParseKeys([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want …%s…", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: reveals the secret: %v", text, err)
		}
	}
	const id, secret = "access_keys: [{id: AKIA1, secret: ", "s3cr3t-s3cr3t-s3cr3t"
	f("", "")
	f("access_keys: []", "lists none")
	f(id+secret+", thing: x}]", `unknown field "thing"`)
	f("access_keys:\n  - id: AKIA1\n    secret: "+secret+"\n    readonly: true", "4:5: ")
	f("access_keys:\n  - id: AKIA1\n   secret: "+secret, "")
	f("access_keys: "+secret, "1:14")
	f(id+secret+", read_only: s3cr3t}]", "1:")
	f("access_keys: [{id: '', secret: "+secret+"}]", "id has 0")
	f("access_keys: [{id: 'a b', secret: "+secret+"}]", "[a-zA-Z0-9_-]")
	f(id+"s3cr3t}]", "secret has 6")
	f(id+secret+"}, {id: AKIA1, secret: "+secret+"}]", "listed twice")
	f(id+secret+", things: 'a/b'}]", "not a thing's name")
	f(id+secret+", things: 'a?b'}]", "not a thing's name") // for glob.Matches, ? would match any character

	// A mistake never turns a device's key into an operator's.
	f(id+secret+", things: ''}]", "things is empty")
	f("access_keys:\n  - id: AKIA1\n    secret: "+secret+"\n    things:", "4:13: a key has no value")
	f("access_keys:\n  - id: AKIA1\n    secret: "+secret+"\n    things: ~", "4:13: a key has no value")
	f(id+secret+", read_only: }]", "a key has no value")
	f(id+secret+", things: *nowhere}]", "")
	f(id+secret+", things: []}]", "")
	f(id+secret+", things: {}}]", "")
	f(id+secret+", things: !!null x}]", "")
	f(id+secret+", thing: x, <<: *nowhere}]", "")
	f("access_keys: *nowhere", "")
}

func TestMatchesName(t *testing.T) {
	f := func(pattern, name string, want bool) {
		t.Helper()
		if got := glob.Matches(pattern, []byte(name)); got != want {
			t.Errorf("%q of %q: %v", pattern, name, got)
		}
	}
	f("sensor", "sensor", true)
	f("sensor", "sensor1", false)
	f("sensor", "a-sensor", false)
	f("sensor*", "sensor", true)
	f("sensor*", "sensor:1", true)
	f("*", "x", true)
	f("*", "", true)
	f("*sensor", "a-sensor", true)
	f("*sensor", "a-sensor-b", false)
	f("a*b*c", "aXbXbXc", true)
	f("a*b*c", "aXbXbX", false)
	f("a**c", "ac", true)
	f("a*bc", "abcbc", true)
	f("", "a", false)
}

func TestGenerateKeys(t *testing.T) {
	keys, c := GenerateKeys()
	if len(c.AccessKeyID) != 20 || len(c.SecretAccessKey) != 40 || keys.Len() != 1 {
		t.Errorf("id of %d, secret of %d characters", len(c.AccessKeyID), len(c.SecretAccessKey))
	}
	if _, other := GenerateKeys(); other.SecretAccessKey == c.SecretAccessKey {
		t.Error("the same twice")
	}
}
