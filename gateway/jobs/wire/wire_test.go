package wire

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// AppendString writes JSON that encoding/json decodes to the same text.
func FuzzAppendString(f *testing.F) {
	f.Add("")
	f.Add("plain <&> text")
	f.Add("\"\\\x00\x7f\u2028é\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := AppendString([]byte("foo"), s)
		var back string
		if err := json.Unmarshal(got[3:], &back); err != nil || string(got[:3]) != "foo" {
			t.Fatalf("%q: %v: %s", s, err, got)
		}
		if back != strings.ToValidUTF8(s, "\ufffd") && utf8.ValidString(s) {
			t.Errorf("%q is decoded as %q", s, back)
		}
	})
}
