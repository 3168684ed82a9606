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

// TestQuantaAllocateNothing: a document that is requested a few times in each quantum has one buffer for all quanta. Only
// the Quantum is new, which all templates share.
func TestQuantaAllocateNothing(t *testing.T) {
	r := Renderer{Authority: &still{Grant{Signer: newSigner(t), Lifetime: time.Hour}}}
	dst := make([]byte, 0, 8192)
	var s Slot
	o := Order{Template: parse(t, shared), Expires: time.Hour, At: start}
	n := testing.AllocsPerRun(100, func() {
		o.At = o.At.Add(time.Second)
		for range 2 * keepFrom {
			m, _, err := r.Moment(context.Background(), &s, &o)
			if err == nil {
				_, err = r.AppendTo(dst, m, &o)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	if n > 1 {
		t.Errorf("%v allocations in a quantum, want that of the Quantum", n)
	}
}

// TestGrantAllocatesNothing: the limit on waiting for a session costs nothing for a request that need not wait.
func TestGrantAllocatesNothing(t *testing.T) {
	authority := &still{Grant{Signer: newSigner(t), Lifetime: time.Hour}}
	r := Renderer{Authority: authority, Timeout: time.Second, Count: func(Signed) {}}
	o := Order{Expires: time.Hour, At: start}
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := r.grant(context.Background(), &o, start.Unix()); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
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
