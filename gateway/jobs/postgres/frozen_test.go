package postgres_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres"
)

// TestFrozenInTransaction freezes a handle in a transaction that holds a lock. Another handle still gets the lock, and the
// transaction changes nothing.
func TestFrozenInTransaction(t *testing.T) {
	t.Parallel()
	thing := []engine.Thing{{Name: "sensor"}}
	f := func(name string, hold func(e *postgres.Engine, freeze func()) error, take func(e *postgres.Engine) (bool, error)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := migrated(t)
			frozen, err := postgres.Open(t.Context(), postgres.Options{URL: url, Timeout: 500 * time.Millisecond})
			must(t, err)
			defer func() { _ = frozen.Close() }()
			other, err := postgres.Open(t.Context(), postgres.Options{URL: url})
			must(t, err)
			defer func() { _ = other.Close() }()
			begun, resumed, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			freeze := sync.OnceFunc(func() {
				close(begun)
				<-resumed
			})
			go func() { result <- hold(frozen, freeze) }()
			select {
			case <-begun:
			case err := <-result:
				t.Fatalf("the transaction did not begin: %v", err)
			}
			taken := false
			for deadline := time.Now().Add(time.Minute); !taken && time.Now().Before(deadline); {
				taken, err = take(other)
			}
			if !taken {
				t.Errorf("the frozen transaction keeps its lock: %v", err)
			}
			close(resumed)
			if err := <-result; taken && err == nil {
				t.Error("the transaction changed the store after it lost its lock")
			}
		})
	}
	f("a lease",
		func(e *postgres.Engine, freeze func()) error {
			l, _, err := e.Acquire(context.Background(), "drive", "frozen", time.Millisecond)
			if err != nil {
				return err
			}
			return e.Update(context.Background(), engine.Work{Lease: &l}, func(engine.Tx) error {
				freeze()
				return nil
			})
		},
		func(e *postgres.Engine) (bool, error) {
			_, held, err := e.Acquire(context.Background(), "drive", "other", time.Minute)
			return held, err
		})
	f("a row",
		func(e *postgres.Engine, freeze func()) error {
			return e.Update(context.Background(), engine.Work{}, func(tx engine.Tx) error {
				err := tx.PutThings(append([]engine.Thing(nil), thing...))
				freeze()
				return err
			})
		},
		func(e *postgres.Engine) (bool, error) {
			err := e.Update(context.Background(), engine.Work{}, func(tx engine.Tx) error {
				return tx.PutThings(append([]engine.Thing(nil), thing...))
			})
			return err == nil, err
		})
}
