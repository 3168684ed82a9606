//go:build !race

package signing

import (
	"context"
	"testing"
	"time"

	"jobgate/gateway/jobdoc"
)

func TestMomentAllocatesNothing(t *testing.T) {
	r := Renderer{Authority: &fixed{granted: Grant{Signer: newSigner(t)}}, Count: func(Signed) {}}
	f := func(text string) {
		t.Helper()
		template, thing, dst := parse(t, text), []byte("t1"), make([]byte, 0, 8192)
		var s Slot
		n := testing.AllocsPerRun(1000, func() {
			o := Order{Template: template, Expires: time.Hour, At: r.Time(start), Values: jobdoc.Values{ThingName: thing}}
			m, _, err := r.Moment(context.Background(), &s, &o)
			if err == nil && m.Body == nil {
				_, err = r.AppendTo(dst, m, &o)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
	f(shared)
	f(perDevice)
}

func BenchmarkMoment(b *testing.B) {
	r := Renderer{Authority: &fixed{granted: Grant{Signer: newSigner(b)}}, Count: func(Signed) {}}
	o := Order{Template: parse(b, shared), Expires: time.Hour, At: start}
	var s Slot
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := r.Moment(context.Background(), &s, &o); err != nil {
			b.Fatal(err)
		}
	}
}
