//go:build !race

package dispatch_test

import (
	"testing"

	"jobgate/gateway/jobs/mqtt/dispatch"
)

// TestAllocations: the most frequent requests allocate nothing.
func TestAllocations(t *testing.T) {
	f := newFixture(t)
	f.create("j", nil)
	out := make([]byte, 0, 4096)
	for _, rest := range []string{"$next/get", "get"} {
		topic, _ := dispatch.ParseTopic("$aws", []byte("$aws/things/t/jobs/"+rest))
		r := dispatch.Request{Thing: "t", Topic: topic, Payload: []byte(`{"clientToken":"c0ffee"}`), Now: f.now}
		n := testing.AllocsPerRun(200, func() {
			var code dispatch.Code
			if out, code = f.d.Answer(out[:0], &r); code != dispatch.Accepted {
				t.Fatal(code)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations, want 0", rest, n)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	f := newFixture(b)
	f.create("j", nil)
	topic, _ := dispatch.ParseTopic("$aws", []byte("$aws/things/t/jobs/$next/get"))
	r := dispatch.Request{Thing: "t", Topic: topic, Payload: []byte(`{"clientToken":"c0ffee"}`), Now: f.now}
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out, _ = f.d.Answer(out[:0], &r)
	}
}
