//go:build !race

package presigner_test

import (
	"testing"
	"time"

	"jobgate/presigner"
)

func TestAppendURLAllocatesNothing(t *testing.T) {
	s, target := benchSigner(t)
	dst := make([]byte, 0, 4096)
	r := presigner.Request{Target: &target, Expires: 15 * time.Minute, Time: benchTime}
	allocs := testing.AllocsPerRun(1000, func() {
		r.Time = r.Time.Add(time.Second)
		var err error
		if dst, err = s.AppendURL(dst[:0], &r); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("AppendURL allocates %v times a call, want 0", allocs)
	}
}
