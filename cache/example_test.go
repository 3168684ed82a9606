package cache_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"jobgate/cache"
)

func Example() {
	errNotFound := errors.New("no such document")
	c, err := cache.New(cache.Config[string]{
		MaxBytes: 1 << 20, Fresh: 30 * time.Second, StaleIfError: 24 * time.Hour, Negative: 2 * time.Second,
		Cost:       func(s string) int64 { return int64(len(s)) },
		Definitive: func(err error) bool { return errors.Is(err, errNotFound) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	find := func(name string, now time.Time) (string, error) {
		key := cache.AppendPart(cache.AppendPart(nil, []byte("route-1")), []byte(name))
		if v, state := c.Get(key, now); state == cache.Fresh || state == cache.Stale {
			return v, nil
		}
		return c.Load(context.Background(), cache.Request[string]{
			Key: key, Now: now, Source: "file",
			Loader: func(context.Context, string, bool) (string, error) {
				fmt.Println("loading", name)
				if name == "job-1" {
					return "{}", nil
				}
				return "", errNotFound
			},
		})
	}
	now := time.Now()
	fmt.Println(find("job-1", now))
	fmt.Println(find("job-1", now))
	fmt.Println(find("job-2", now))
	fmt.Println(find("job-2", now))
	// Output:
	// loading job-1
	// {} <nil>
	// {} <nil>
	// loading job-2
	//  no such document
	//  no such document
}
