package cache

import (
	"fmt"
	"time"
)

// Config says what a [Cache] keeps and for how long. Zero fields mean the default in
// parentheses; MaxBytes and Cost have none.
type Config[V any] struct {
	// MaxBytes is the budget for everything kept, at least [MinBytes]: values, keys and
	// the bookkeeping of each entry. RecentBytes and NegativeBytes are parts of it.
	MaxBytes int64
	// RecentBytes is for entries that ristretto has not admitted yet (MaxBytes/8). A
	// larger entry is kept only if ristretto admits it at once.
	RecentBytes int64
	// NegativeBytes is for remembered errors (MaxBytes/64).
	NegativeBytes int64
	// Cost returns the bytes that a value holds in memory. It is called once, before
	// the value is kept; report later growth with [Cache.Resize].
	Cost func(V) int64

	// Fresh is how long a value is served without revalidation (0: not at all). Up to a
	// tenth is subtracted at random, so that thousands do not expire at once.
	Fresh time.Duration
	// StaleWhileRevalidate is how long after that a value is still served while one
	// request's load renews it in the background (as long as Fresh; negative: not at all).
	StaleWhileRevalidate time.Duration
	// StaleIfError is how long after its freshness a value is served when its source
	// fails or does not answer (0: not at all).
	StaleIfError time.Duration
	// StaleWait is how long a caller waits for the source when a value within
	// StaleIfError could be served instead (1 s).
	StaleWait time.Duration

	// Negative is how long a definitive error is remembered (0: not at all).
	Negative time.Duration
	// Definitive reports whether a loader's error is the source's answer for that key
	// (not found, forbidden) rather than a failure to answer. Such an error drops the old
	// value, and no stale one is served. nil: no error is definitive.
	Definitive func(error) bool

	// Retry is the pause before a key is loaded again after its first failure (1 s). It
	// doubles with each further failure, up to RetryMax (30 s), ± 20 %.
	Retry, RetryMax time.Duration
	// LoadTimeout is how long a load may take, and how long it may wait for a slot
	// first (10 s).
	LoadTimeout time.Duration
	// MaxLoads is how many loads of one source may run at once (64). More wait for a slot.
	MaxLoads int
}

// MinBytes is the smallest [Config.MaxBytes].
const MinBytes = 64 << 10

// complete returns the configuration with its defaults filled in.
func (c Config[V]) complete() (Config[V], error) {
	if c.Cost == nil {
		return c, fmt.Errorf("cannot make a cache: no Cost function")
	}
	if c.MaxBytes < MinBytes {
		return c, fmt.Errorf("cannot make a cache of %d bytes: at least %d; see cache.max_bytes", c.MaxBytes, MinBytes)
	}
	if c.Definitive == nil {
		c.Definitive = func(error) bool { return false }
	}
	setDefault(&c.RecentBytes, c.MaxBytes/8)
	setDefault(&c.NegativeBytes, c.MaxBytes/64)
	setDefault(&c.StaleWhileRevalidate, c.Fresh)
	setDefault(&c.StaleWait, time.Second)
	setDefault(&c.Retry, time.Second)
	setDefault(&c.RetryMax, 30*time.Second)
	setDefault(&c.LoadTimeout, 10*time.Second)
	setDefault(&c.MaxLoads, 64)
	c.StaleWhileRevalidate = max(c.StaleWhileRevalidate, 0)
	return c, c.validate()
}

func (c *Config[V]) validate() error {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"Fresh", c.Fresh},
		{"StaleIfError", c.StaleIfError},
		{"StaleWait", c.StaleWait},
		{"Negative", c.Negative},
		{"Retry", c.Retry},
		{"RetryMax", c.RetryMax},
		{"LoadTimeout", c.LoadTimeout},
	} {
		if d.value < 0 {
			return fmt.Errorf("cannot make a cache: %s is %v, less than 0", d.name, d.value)
		}
	}
	if c.RecentBytes < 0 || c.NegativeBytes < 0 || c.mainBytes() < c.MaxBytes/4 {
		return fmt.Errorf("cannot make a cache of %d bytes: RecentBytes %d and NegativeBytes %d leave less than a quarter",
			c.MaxBytes, c.RecentBytes, c.NegativeBytes)
	}
	if c.MaxLoads < 0 {
		return fmt.Errorf("cannot make a cache: MaxLoads is %d, less than 1; see limits.max_source_loads", c.MaxLoads)
	}
	return nil
}

// mainBytes is what is left for ristretto.
func (c *Config[V]) mainBytes() int64 { return c.MaxBytes - c.RecentBytes - c.NegativeBytes }

func setDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}
