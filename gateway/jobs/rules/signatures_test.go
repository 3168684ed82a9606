package rules_test

import (
	"context"
	"fmt"
	"testing"

	"jobgate/gateway/jobs/memory"
	"jobgate/gateway/jobs/rules"
)

// A gateway finds the values that another one stored.
func TestSignatures(t *testing.T) {
	ctx, db := context.Background(), memory.New(memory.Faults{})
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

// More than a page of old values is deleted; those that are in use stay.
func TestSignaturesPrune(t *testing.T) {
	ctx := context.Background()
	store := rules.Over(memory.New(memory.Faults{}).Open())
	defer func() { _ = store.Close() }()
	kept := store.Signatures()
	for i := range 450 {
		value := "old"
		if i%100 == 0 {
			value = "new"
		}
		if err := kept.Put(ctx, fmt.Sprintf("%04d", i), []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second finds nothing to delete
		if err := kept.Prune(ctx, func(value []byte) bool { return string(value) == "old" }); err != nil {
			t.Fatal(err)
		}
		for i := range 450 {
			_, found, err := kept.Get(ctx, fmt.Sprintf("%04d", i))
			if err != nil || found != (i%100 == 0) {
				t.Fatalf("%d: found %v, %v", i, found, err)
			}
		}
	}
}
