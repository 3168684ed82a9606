package presigner_test

import (
	"fmt"
	"testing"
	"time"

	"jobgate/presigner"
)

// TestMemoGivesWhatSigningGives repeats requests that each differ in one thing, in random
// order: every answer is the signer's own.
func TestMemoGivesWhatSigningGives(t *testing.T) {
	m := presigner.NewMemo()
	s1, target := benchSigner(t)
	s2, _ := presigner.NewSigner(published.credentials)
	other := target
	other.Region = "eu-west-1"
	version := target
	version.Version = "v1"
	http := target
	http.Origin = "http://s3.us-east-1.amazonaws.com"
	path := target
	path.Path = "/firmware/other"
	base := presigner.Request{Target: &target, Expires: time.Hour, Time: benchTime}
	requests := []presigner.Request{base}
	for _, change := range []func(*presigner.Request){
		func(r *presigner.Request) { r.Method = presigner.PUT },
		func(r *presigner.Request) { r.Expires = time.Minute },
		func(r *presigner.Request) { r.Time = r.Time.Add(time.Second) },
		func(r *presigner.Request) { r.Time = r.Time.Add(time.Millisecond) },
		func(r *presigner.Request) { r.Target = &other },
		func(r *presigner.Request) { r.Target = &version },
		func(r *presigner.Request) { r.Target = &http },
		func(r *presigner.Request) { r.Target = &path },
		func(r *presigner.Request) { r.Path = []byte("/firmware/third") },
		func(r *presigner.Request) { r.Path = []byte(target.Path) },
	} {
		r := base
		change(&r)
		requests = append(requests, r)
	}
	for round := range 6 {
		for i := range requests {
			for _, s := range []*presigner.Signer{s1, s2} {
				r := requests[(i*(round+1))%len(requests)]
				want, err1 := s.AppendURL([]byte("foo"), &r)
				got, err2 := m.AppendURL([]byte("foo"), s, &r)
				again, err3 := m.AppendURL([]byte("foo"), s, &r)
				if err1 != nil || err2 != nil || err3 != nil || string(got) != string(want) || string(again) != string(want) {
					t.Fatalf("round %d, request %d: got %s, then %s, want %s; %v %v %v", round, i, got, again, want, err1, err2, err3)
				}
			}
		}
	}
}

func TestMemoKeepsErrors(t *testing.T) {
	m := presigner.NewMemo()
	s, target := benchSigner(t)
	for range 3 {
		got, err := m.AppendURL([]byte("foo"), s, &presigner.Request{Target: &target, Time: benchTime})
		if err == nil || string(got) != "foo" {
			t.Errorf("got %q, %v, want foo and an error", got, err)
		}
	}
}

func BenchmarkMemo(b *testing.B) {
	m := presigner.NewMemo()
	s, target := benchSigner(b)
	f := func(paths int) func(*testing.B) {
		return func(b *testing.B) {
			all := make([][]byte, paths)
			for i := range all {
				all[i] = fmt.Appendf(nil, "/firmware/thing-%06d/v7.bin", i)
			}
			r := presigner.Request{Target: &target, Expires: time.Hour, Time: benchTime}
			var dst []byte
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r.Path = all[i%paths]
				dst, _ = m.AppendURL(dst[:0], s, &r)
			}
		}
	}
	b.Run("shared", f(1))
	b.Run("unique", f(100000))
}
