package presigner

import (
	"fmt"
	"testing"
)

// TestSigningKeys remembers keys by all that they are derived from, and not without end.
func TestSigningKeys(t *testing.T) {
	var k SigningKeys
	base := signingScope{"secret", "20261123", "eu-west-1", "iot"}
	if k.get(base) != nil {
		t.Error("a key is there that nobody has added")
	}
	k.add(base, base.derive())
	if got := k.get(base); string(got) != string(base.derive()) {
		t.Errorf("the key is %x, want %x", got, base.derive())
	}
	for _, other := range []signingScope{
		{"secret2", base.date, base.region, base.service},
		{base.secret, "20261124", base.region, base.service},
		{base.secret, base.date, "eu-west-2", base.service},
		{base.secret, base.date, base.region, "iot-jobs-data"},
	} {
		if k.get(other) != nil {
			t.Errorf("the key of %+v is taken for that of %+v", base, other)
		}
	}
	for i := range 3 * maxSigningKeys {
		k.add(signingScope{secret: fmt.Sprint(i)}, []byte("key"))
		if n := len(*k.keys.Load()); n > maxSigningKeys {
			t.Fatalf("%d keys are remembered, want at most %d", n, maxSigningKeys)
		}
	}
	var none *SigningKeys
	none.add(base, base.derive())
	if none.get(base) != nil {
		t.Error("nobody remembers a key")
	}
}
