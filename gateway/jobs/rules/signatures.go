package rules

import (
	"context"

	"jobgate/gateway/jobs/engine"
)

// signatures is the space of code files' signatures.
const signatures = "codesign"

// Signatures keeps what is known of code files beside the jobs that need it. A value is
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
