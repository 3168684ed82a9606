package presigner

import (
	"fmt"
	"testing"
)

// TestSigningKeys remembers keys by all that they are derived from, and not without end.
func TestSigningKeys(t *testing.T) {
	var k SigningKeys
	base := signingScope{"secret", "20261123", "eu-west-1", "iot"}
	kept := func(k *SigningKeys, s signingScope) bool { _, known := k.get(s); return known }
	state := func(s signingScope) hmacState {
		key, err := newHMACState(s.derive())
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	if kept(&k, base) {
		t.Error("a key is there that nobody has added")
	}
	k.add(base, state(base))
	if got, _ := k.get(base); string(got.inner) != string(state(base).inner) || string(got.outer) != string(state(base).outer) {
		t.Error("another key is kept than was added")
	}
	for _, other := range []signingScope{
		{"secret2", base.date, base.region, base.service},
		{base.secret, "20261124", base.region, base.service},
		{base.secret, base.date, "eu-west-2", base.service},
		{base.secret, base.date, base.region, "iot-jobs-data"},
	} {
		if kept(&k, other) {
			t.Errorf("the key of %+v is taken for that of %+v", base, other)
		}
	}
	for i := range 3 * maxSigningKeys {
		k.add(signingScope{secret: fmt.Sprint(i)}, state(base))
		if n := len(*k.keys.Load()); n > maxSigningKeys {
			t.Fatalf("%d keys are remembered, want at most %d", n, maxSigningKeys)
		}
	}
	var none *SigningKeys
	none.add(base, state(base))
	if kept(none, base) {
		t.Error("nobody remembers a key")
	}
}
