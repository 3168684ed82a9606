package access

import (
	"strings"
	"testing"
)

// Whatever an access keys file contains, no error reveals a secret.
func FuzzParseKeys(f *testing.F) {
	f.Add(keyFileText)
	f.Add("access_keys: [{id: A, secret: SECRETSECRETSECRET, x: 1}]")
	f.Add("access_keys:\n  - id: A\n\tsecret: SECRETSECRETSECRET")
	f.Add("SECRETSECRETSECRET: [")
	f.Add("access_keys:\n  ! 0\n  -0")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ParseKeys([]byte(text))
		if err != nil && strings.Contains(text, "secret: SECRETSECRETSECRET") && strings.Contains(err.Error(), "SECRETSECRETSECRET") {
			t.Errorf("%q: %v", text, err)
		}
		if err == nil && keys.Len() == 0 {
			t.Errorf("%q: no keys and no error", text)
		}
	})
}
