package lane

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestLane checks when requests are sent, and in batches of what size. All statements of a case take equally long; requests
// arrive at given times, in milliseconds.
func TestLane(t *testing.T) {
	type come struct{ at, n int }
	for name, c := range map[string]struct {
		takes int // a statement, in milliseconds
		come  []come
		want  []string // "when: how many"
	}{
		"one is idle":                          {5, []come{{0, 1}, {7, 1}}, []string{"0: 1", "7: 1"}},
		"the next waits and grows":             {5, []come{{0, 1}, {1, 2}, {3, 2}, {4, 30}}, []string{"0: 1", "5: 34"}},
		"many do not wait":                     {5, []come{{0, 1}, {1, 2}, {3, eager - 1}}, []string{"0: 1", "3: 65"}},
		"no more than two statements at once":  {5, []come{{0, 1}, {1, eager + 1}, {2, 150}}, []string{"0: 1", "1: 65", "5: 100", "10: 50"}},
		"no request waits for long":            {1000, []come{{0, 1}, {1, 2}}, []string{"0: 1", "11: 2"}},
		"an earlier crowd has no effect":       {5, []come{{0, 1}, {1, eager + 1}, {7, 1}, {8, 2}}, []string{"0: 1", "1: 65", "7: 1", "12: 2"}},
		"later requests wait for earlier ones": {5, []come{{0, 1}, {4, 1}, {6, 1}, {9, 1}}, []string{"0: 1", "5: 1", "10: 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := New[int](100)
				var running sync.WaitGroup
				var mu sync.Mutex
				var got []string
				begun := time.Now()
				for range 2 {
					l.Serve(&running, func(batch []*int) {
						mu.Lock()
						got = append(got, fmt.Sprintf("%d: %d", time.Since(begun).Milliseconds(), len(batch)))
						mu.Unlock()
						time.Sleep(time.Duration(c.takes) * time.Millisecond)
					})
				}
				for _, x := range c.come {
					time.Sleep(time.Until(begun.Add(time.Duration(x.at) * time.Millisecond)))
					for range x.n {
						if err := l.Send(t.Context(), new(int)); err != nil {
							t.Error(err)
						}
					}
					synctest.Wait()
				}
				l.Close()
				running.Wait()
				if !slices.Equal(got, c.want) {
					t.Errorf("%q, want %q", got, c.want)
				}
			})
		})
	}
}
