package presigner

import (
	"fmt"
	"testing"
	"time"
)

// TestSigningKeys: keys are remembered by everything that they are derived from, up to a limit.
func TestSigningKeys(t *testing.T) {
	var k SigningKeys
	const credential, secret = "KEY/20261123/eu-west-1/iot/aws4_request", "secret"
	state, err := newHMACState(deriveKey(secret, "20261123", "eu-west-1", "iot"))
	if err != nil {
		t.Fatal(err)
	}
	kept := func(k *SigningKeys, credential, secret string) bool {
		_, known := k.get(credential, secret)
		return known
	}
	if kept(&k, credential, secret) {
		t.Error("a key is found that was not added")
	}
	k.add(credential, secret, state)
	if got, _ := k.get(credential, secret); string(got.inner) != string(state.inner) || string(got.outer) != string(state.outer) {
		t.Error("the key found is not the one that was added")
	}
	f := func(credential, secret string) {
		t.Helper()
		if kept(&k, credential, secret) {
			t.Errorf("the added key is found for %s, %s", credential, secret)
		}
	}
	f(credential, "secret2")
	f("KEY2/20261123/eu-west-1/iot/aws4_request", secret)
	f("KEY/20261124/eu-west-1/iot/aws4_request", secret)
	f("KEY/20261123/eu-west-2/iot/aws4_request", secret)
	f("KEY/20261123/eu-west-1/iot-jobs-data/aws4_request", secret)
	for i := range 3 * maxSigningKeys {
		k.add(fmt.Sprint(i), secret, state)
		if n := len(*k.keys.Load()); n > maxSigningKeys {
			t.Fatalf("%d keys are remembered, want at most %d", n, maxSigningKeys)
		}
	}
	var none *SigningKeys
	none.add(credential, secret, state)
	if kept(none, credential, secret) {
		t.Error("a nil SigningKeys remembers a key")
	}
}

// TestParseAmzDate compares with time.Parse.
func TestParseAmzDate(t *testing.T) {
	f := func(text string) {
		t.Helper()
		want, err := time.Parse(amzDateLayout, text)
		got, ok := parseAmzDate((*[len(amzDateLayout)]byte)([]byte(text)))
		if ok != (err == nil) || ok && got != want {
			t.Errorf("%s: got %v, %v, want %v, %v", text, got, ok, want, err)
		}
	}
	const good = "20261123T235859Z"
	f(good)
	for i := range good {
		for c := range 256 {
			b := []byte(good)
			b[i] = byte(c)
			f(string(b))
		}
	}
	f("20240229T000000Z")
	f("20250229T000000Z")
	f("20000229T000000Z")
	f("21000229T000000Z")
	f("00000101T000000Z")
	f("00010000T000000Z")
	f("20260431T000000Z")
	f("20260430T240000Z")
	f("20260430T236000Z")
	f("20260430T235960Z")
	f("20261300T000000Z")
	f("99991231T235959Z")
}
