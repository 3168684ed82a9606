package codesign

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A signature is kept as long as it is used, in memory and in the store.
func TestPrune(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, keep, ctx := newObjects(), &memory{values: map[string][]byte{}}, context.Background()
		shelf := newTestShelf(keep)
		s := newSigner(t, shelf, o, func(c *Config) { c.Profiles[0].Allow = func(File) bool { return true } })
		for _, f := range []File{firmware, other} {
			if _, err := s.Sign(ctx, f); err != nil {
				t.Fatal(err)
			}
		}
		for range 40 {
			time.Sleep(24 * time.Hour)
			if _, err := s.Kept(ctx, firmware); err != nil {
				t.Fatal(err)
			}
			if err := shelf.Prune(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if len(keep.values) != 1 || len(shelf.records) != 1 {
			t.Errorf("%d kept, %d in memory", len(keep.values), len(shelf.records))
		}
		for _, again := range []*Signer{s, newSigner(t, newTestShelf(keep), o)} {
			if _, err := again.Kept(ctx, firmware); err != nil {
				t.Errorf("in use: %v", err)
			}
		}
		if _, err := s.Kept(ctx, other); !errors.Is(err, ErrUnavailable) {
			t.Errorf("not requested for 40 days: %v", err)
		}
	})
}

// A gateway that has a file's record without the new key's signature uses another gateway's.
func TestKeptByAnother(t *testing.T) {
	o, keep, ctx := newObjects(), &memory{values: map[string][]byte{}}, context.Background()
	rsa := func(c *Config) { c.Profiles[0].Key = loadKey(t, "rsa-2048-pkcs1.pem") }
	shelf := newTestShelf(keep)
	if _, err := newSigner(t, shelf, o).Sign(ctx, firmware); err != nil {
		t.Fatal(err)
	}
	if _, err := newSigner(t, newTestShelf(keep), o, rsa).Sign(ctx, firmware); err != nil {
		t.Fatal(err)
	}
	got, err := newSigner(t, shelf, o, rsa).Kept(ctx, firmware)
	if err != nil || got.Algorithm != SHA256WithRSA {
		t.Errorf("%+v, %v", got, err)
	}
	if n := o.reads.Load(); n != 1 {
		t.Errorf("%d reads", n)
	}
}

// Files whose concatenated names are equal have different places.
func TestPlace(t *testing.T) {
	s := newSigner(t, newTestShelf(nil), newObjects())
	seen := map[string]File{}
	for _, f := range []File{
		{Bucket: "b", Key: "k\nv", Version: "1"},
		{Bucket: "b", Key: "k", Version: "v\n1"},
		{Bucket: "b\nk", Key: "v", Version: "1"},
		{Bucket: "b", Key: `k" "v`, Version: "1"},
		{Bucket: "b", Key: "k", Version: `v" "1`},
		{Bucket: "b", Key: `k\nv`, Version: "1"},
	} {
		if other, taken := seen[s.place(f)]; taken {
			t.Errorf("%+v and %+v have one place", f, other)
		}
		seen[s.place(f)] = f
	}
}
