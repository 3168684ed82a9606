package config

import (
	"bytes"
	"testing"

	"jobgate/cmd/jobgate/config/strictyaml"
)

// FuzzLoad checks that Load never panics, and that it accepts the printed form of each configuration that it accepts.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(everything))
	f.Add([]byte(served + "roles: {a: {arn: &x \"arn:aws:iam::123456789012:role/a\", source_role: a}, b: *x}"))
	f.Add([]byte("a: &a [*a]\nlisten: *a\n<<: *a\n? [x]\n: y\n"))
	f.Add([]byte("listen: |\n  x\n---\n- y\n...\n%TAG ! x\n!!str x: !!int 5"))
	f.Fuzz(func(t *testing.T, source []byte) {
		first, err := Load(Options{Path: "f.yaml", Source: source})
		if err != nil {
			if _, ok := strictyaml.AsFaults(err); !ok {
				t.Fatalf("an error that is not Faults: %T: %v", err, err)
			}
			return
		}
		var printed bytes.Buffer
		if _, err := first.WriteTo(&printed); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(printed.Bytes(), []byte(redacted)) {
			return // a redacted configuration cannot be read again
		}
		if _, err := Load(Options{Path: "g.yaml", Source: printed.Bytes()}); err != nil {
			t.Fatalf("%v in\n%s", err, printed.Bytes())
		}
	})
}
