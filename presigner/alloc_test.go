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

// A verified request costs one allocation: its Authorization header.
func TestVerifyHeaderAllocates(t *testing.T) {
	v := headerRequest{method: "PUT", url: "http://localhost:8082/things/t%3A1/jobs/%24next", body: "{}"}.sign(t, headerTime)
	v.Keys = new(presigner.SigningKeys)
	allocs := testing.AllocsPerRun(1000, func() {
		if _, err := presigner.VerifyHeader(v); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 1 {
		t.Errorf("VerifyHeader allocates %v times a call, want 1", allocs)
	}
}
