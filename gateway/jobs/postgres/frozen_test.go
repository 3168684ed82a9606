package postgres_test

import (
	"sync"
	"testing"
	"time"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres"
)

// TestHolderFrozenInTransaction freezes the holder of a lease in a transaction that needs it. Another handle still gets the
// lease, and the transaction changes nothing.
func TestHolderFrozenInTransaction(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	frozen, err := postgres.Open(t.Context(), postgres.Options{URL: url, Timeout: 500 * time.Millisecond})
	must(t, err)
	defer func() { _ = frozen.Close() }()
	other, err := postgres.Open(t.Context(), postgres.Options{URL: url})
	must(t, err)
	defer func() { _ = other.Close() }()
	l, _, err := frozen.Acquire(t.Context(), "drive", "frozen", time.Millisecond)
	must(t, err)
	begun, resumed, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	freeze := sync.OnceFunc(func() {
		close(begun)
		<-resumed
	})
	go func() {
		result <- frozen.Update(t.Context(), engine.Work{Lease: &l}, func(engine.Tx) error {
			freeze()
			return nil
		})
	}()
	select {
	case <-begun:
	case err := <-result:
		t.Fatalf("the transaction did not begin: %v", err)
	}
	held := false
	for deadline := time.Now().Add(30 * time.Second); !held && time.Now().Before(deadline); {
		_, held, err = other.Acquire(t.Context(), "drive", "other", time.Minute)
	}
	if !held {
		t.Errorf("no handle gets the lease of the frozen holder: %v", err)
	}
	close(resumed)
	if err := <-result; held && err == nil {
		t.Error("the holder changed the store after it lost its lease")
	}
}
