package rules_test

import (
	"context"
	"testing"

	"jobgate/gateway/jobs/memory"
	"jobgate/gateway/jobs/rules"
)

// What one gateway keeps, another finds.
func TestSignatures(t *testing.T) {
	ctx, db := context.Background(), memory.New(memory.Moods{})
	one, other := rules.Over(db.Open()), rules.Over(db.Open())
	defer func() { _, _ = one.Close(), other.Close() }()
	want := func(value string, found bool) {
		t.Helper()
		got, ok, err := other.Signatures().Get(ctx, "file")
		if err != nil || ok != found || string(got) != value {
			t.Errorf("got %q, %v, %v; want %q, %v", got, ok, err, value, found)
		}
	}
	want("", false)
	for _, value := range []string{"first", "second"} {
		if err := one.Signatures().Put(ctx, "file", []byte(value)); err != nil {
			t.Fatal(err)
		}
		want(value, true)
	}
}
