package rules

import (
	"context"

	"jobgate/gateway/jobs/engine"
)

// signatures is the space of code files' signatures.
const signatures = "codesign"

// Signatures stores signatures and digests of code files in the jobs store. A value is
// replaced as a whole.
type Signatures struct{ store *Store }

// Signatures returns the place for signatures.
func (s *Store) Signatures() *Signatures { return &Signatures{s} }

// Get returns the value of a key; false if there is none.
func (s *Signatures) Get(ctx context.Context, key string) (value []byte, found bool, err error) {
	err = s.store.view(ctx, func(r engine.Reader) error {
		values, err := r.Values(signatures, []string{key})
		if value, found = nil, len(values) > 0; found {
			value = values[0].Value
		}
		return err
	})
	return value, found, err
}

// Put stores the value of a key.
func (s *Signatures) Put(ctx context.Context, key string, value []byte) error {
	return s.store.update(ctx, 1, func(t engine.Tx) error {
		return t.PutValues([]engine.Value{{Space: signatures, Key: key, Value: value}})
	})
}

// prunePage is how many values are checked in one transaction.
const prunePage = 200

// Prune deletes the values for which old returns true.
func (s *Signatures) Prune(ctx context.Context, old func(value []byte) bool) error {
	for after := ""; ; {
		var page []engine.Value
		err := s.store.view(ctx, func(r engine.Reader) (err error) {
			page, err = r.ListValues(signatures, after, prunePage)
			return err
		})
		if err != nil || len(page) == 0 {
			return err
		}
		after = page[len(page)-1].Key
		if keys := keysOf(page, old); len(keys) > 0 {
			if err := s.pruneKeys(ctx, keys, old); err != nil {
				return err
			}
		}
	}
}

// pruneKeys deletes those of the keys whose values are still old.
func (s *Signatures) pruneKeys(ctx context.Context, keys []string, old func(value []byte) bool) error {
	return s.store.background(ctx, len(keys), func(t engine.Tx) error {
		values, err := t.Values(signatures, keys)
		if err != nil {
			return err
		}
		if still := keysOf(values, old); len(still) > 0 { // nil would delete all
			return t.DeleteValues(signatures, still)
		}
		return nil
	})
}

// keysOf returns the keys of the values for which is returns true.
func keysOf(values []engine.Value, is func(value []byte) bool) (keys []string) {
	for i := range values {
		if is(values[i].Value) {
			keys = append(keys, values[i].Key)
		}
	}
	return keys
}
