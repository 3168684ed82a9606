package codesign

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/gateway/source"
)

func publicPEM(tb testing.TB, k *KeyFile) []byte {
	tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.Public)
	if err != nil {
		tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// objects is a store in memory that counts reads.
type objects struct {
	mu    sync.Mutex
	bytes map[File][]byte
	fault error
	gate  chan struct{} // if not nil, reading waits for it
	reads atomic.Int64
}

func (o *objects) open(_ context.Context, f File, _ time.Duration) (*source.Body, error) {
	o.reads.Add(1)
	if o.gate != nil {
		<-o.gate
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	body, ok := o.bytes[f]
	if o.fault != nil || !ok {
		return nil, errors.Join(o.fault, source.ErrNotFound)
	}
	return &source.Body{ReadCloser: io.NopCloser(bytes.NewReader(body)), Size: int64(len(body))}, nil
}

func (o *objects) exists(_ context.Context, f File) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.bytes[f]; !ok {
		return source.ErrNotFound
	}
	return nil
}

func (o *objects) remove(f File) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.bytes, f)
}

// memory is a Keep in memory.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
	fault  error
}

func (m *memory) Get(_ context.Context, key string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.values[key]
	return v, ok, m.fault
}

func (m *memory) Put(_ context.Context, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[key] = value
	return m.fault
}

func (m *memory) Prune(_ context.Context, old func(value []byte) bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.values, func(_ string, value []byte) bool { return old(value) })
	return m.fault
}

var (
	firmware = File{Region: "us-east-1", Bucket: "firmware", Key: "v7.bin", Version: "1"}
	other    = File{Region: "us-east-1", Bucket: "secrets", Key: "v7.bin", Version: "1"}
)

func newObjects() *objects {
	return &objects{bytes: map[File][]byte{firmware: []byte("version 7"), other: []byte("secret")}}
}

func inBucket(name string) func(File) bool { return func(f File) bool { return f.Bucket == name } }

// newSigner returns a Signer for bucket firmware.
func newSigner(tb testing.TB, shelf *Shelf, o *objects, change ...func(*Config)) *Signer {
	tb.Helper()
	c := Config{
		Profiles: []Profile{{Name: "firmware", Key: loadKey(tb, "ec-p256-sec1.pem"), Allow: inBucket("firmware"), Open: o.open, Exists: o.exists}},
		Shelf:    shelf, Log: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&c)
	}
	s, err := New(c)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func newTestShelf(keep Keep) *Shelf { return NewShelf(keep, slog.New(slog.DiscardHandler)) }

func TestSign(t *testing.T) {
	o := newObjects()
	var made, reused, failed int
	var read int64
	s := newSigner(t, newTestShelf(nil), o, func(c *Config) {
		c.Metrics = Metrics{
			Signature: func(o Outcome) { *map[Outcome]*int{Made: &made, Reused: &reused, Failed: &failed}[o]++ },
			Read:      func(n int64, _ time.Duration) { read += n },
		}
	})
	ctx := context.Background()
	if _, err := s.Kept(ctx, firmware); !errors.Is(err, ErrUnavailable) {
		t.Errorf("kept before it was signed: %v", err)
	}
	first, err := s.Sign(ctx, firmware)
	if err != nil || first.Size != 9 || first.Algorithm != SHA256WithECDSA || first.Profile != "firmware" {
		t.Fatalf("%+v, %v", first, err)
	}
	if !Verify(loadKey(t, "ec-p256-sec1.pem").Public, sha256.Sum256([]byte("version 7")), first.Value) {
		t.Error("the signature does not verify")
	}
	for range 3 {
		again, err := s.Sign(ctx, firmware)
		kept, keptErr := s.Kept(ctx, firmware)
		if err != nil || keptErr != nil || !bytes.Equal(again.Value, first.Value) || !bytes.Equal(kept.Value, first.Value) {
			t.Errorf("again: %v, %v", err, keptErr)
		}
	}
	if o.reads.Load() != 1 || made != 1 || reused != 6 || failed != 0 || read != 9 {
		t.Errorf("%d reads of %d bytes; %d made, %d reused, %d failed", o.reads.Load(), read, made, reused, failed)
	}
	for _, sign := range []func(context.Context, File) (Signature, error){s.Sign, s.Kept} {
		if _, err := sign(ctx, other); !errors.Is(err, ErrNotAllowed) || !strings.Contains(err.Error(), "arn:aws:s3:::secrets/v7.bin") {
			t.Errorf("outside allow: %v", err)
		}
	}
	if _, err := s.Sign(ctx, File{Region: "us-east-1", Bucket: "firmware", Key: "none", Version: "1"}); !errors.Is(err, source.ErrNotFound) {
		t.Errorf("a missing object: %v", err)
	}
	if failed != 1 {
		t.Errorf("%d failed", failed)
	}

	// A deleted version cannot be signed for new jobs; running jobs keep its signature.
	o.remove(firmware)
	if _, err := s.Sign(ctx, firmware); !errors.Is(err, source.ErrNotFound) {
		t.Errorf("a deleted version: %v", err)
	}
	if _, err := s.Kept(ctx, firmware); err != nil {
		t.Errorf("a deleted version, kept: %v", err)
	}
}

// A thousand concurrent requests cause one read.
func TestSignOnce(t *testing.T) {
	o := newObjects()
	o.gate = make(chan struct{})
	s := newSigner(t, newTestShelf(nil), o)
	values := make(chan string, 1000)
	for range 1000 {
		go func() {
			got, err := s.Sign(context.Background(), firmware)
			if err != nil {
				t.Error(err)
			}
			values <- string(got.Value)
		}()
	}
	close(o.gate)
	first := <-values
	for range 999 {
		if got := <-values; got != first {
			t.Error("not all callers got the same signature")
		}
	}
	if n := o.reads.Load(); n != 1 {
		t.Errorf("%d reads", n)
	}
}

// A caller that gives up waiting finds the signature on its next request.
func TestSignPending(t *testing.T) {
	o := newObjects()
	o.gate = make(chan struct{})
	s := newSigner(t, newTestShelf(nil), o)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 2 {
		if _, err := s.Sign(ctx, firmware); !errors.Is(err, ErrPending) || !errors.Is(err, ErrUnavailable) {
			t.Fatalf("unexpected error: %v", err)
		}
	}
	close(o.gate)
	if _, err := s.Sign(context.Background(), firmware); err != nil || o.reads.Load() != 1 {
		t.Errorf("%d reads, %v", o.reads.Load(), err)
	}
}

// At most maxLoads objects are read at once.
func TestSignBounded(t *testing.T) {
	o := newObjects()
	o.gate = make(chan struct{})
	s := newSigner(t, newTestShelf(nil), o)
	var group sync.WaitGroup
	for i := range 20 {
		f := firmware
		f.Version = string(rune('a' + i))
		o.bytes[f] = []byte(f.Version)
		group.Go(func() {
			if _, err := s.Sign(context.Background(), f); err != nil {
				t.Error(err)
			}
		})
	}
	for o.reads.Load() < maxLoads {
		time.Sleep(time.Millisecond)
	}
	if n := o.reads.Load(); n > maxLoads {
		t.Errorf("%d reads at once", n)
	}
	close(o.gate)
	group.Wait()
	if n := o.reads.Load(); n != 20 {
		t.Errorf("%d reads", n)
	}
}

// Kept signatures outlive the process, for their key and the current allow; another key
// signs the kept digest without reading the object again.
func TestKeep(t *testing.T) {
	o, keep, ctx := newObjects(), &memory{values: map[string][]byte{}}, context.Background()
	s := newSigner(t, newTestShelf(keep), o)
	first, err := s.Sign(ctx, firmware)
	if err != nil {
		t.Fatal(err)
	}
	s = newSigner(t, newTestShelf(keep), o)
	if got, err := s.Kept(ctx, firmware); err != nil || !bytes.Equal(got.Value, first.Value) {
		t.Errorf("after a restart: %v", err)
	}
	shelf := newTestShelf(keep)
	rsa := newSigner(t, shelf, o, func(c *Config) { c.Profiles[0].Key = loadKey(t, "rsa-2048-pkcs1.pem") })
	if _, err := rsa.Kept(ctx, firmware); !errors.Is(err, ErrUnavailable) {
		t.Errorf("the old key's signature is served for the new key: %v", err)
	}
	second, err := rsa.Sign(ctx, firmware)
	if err != nil || second.Algorithm != SHA256WithRSA || o.reads.Load() != 1 {
		t.Errorf("signed anew: %+v, %d reads, %v", second, o.reads.Load(), err)
	}
	if !Verify(loadKey(t, "rsa-2048-pkcs1.pem").Public, sha256.Sum256([]byte("version 7")), second.Value) {
		t.Error("the new signature does not verify")
	}
	s = newSigner(t, shelf, o) // the old key is back
	if got, err := s.Kept(ctx, firmware); err != nil || !bytes.Equal(got.Value, first.Value) {
		t.Errorf("the old key again: %v", err)
	}
	s = newSigner(t, shelf, o, func(c *Config) { c.Profiles[0].Allow = inBucket("elsewhere") })
	if _, err := s.Kept(ctx, firmware); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("taken out of allow: %v", err)
	}
	s = newSigner(t, shelf, o, func(c *Config) { c.Endpoint = "http://minio:9000" })
	if _, err := s.Kept(ctx, firmware); !errors.Is(err, ErrUnavailable) {
		t.Errorf("another endpoint's: %v", err)
	}

	// If the store fails or holds garbage, the file is signed again, without an error.
	keep.values[keyOf(s.place(firmware))] = []byte("{")
	keep.fault = errors.New("disk full")
	if _, err := s.Sign(ctx, firmware); err != nil {
		t.Errorf("with a broken store: %v", err)
	}
}

func TestSignTooLarge(t *testing.T) {
	s := newSigner(t, newTestShelf(nil), newObjects(), func(c *Config) { c.MaxObject = 8 })
	if _, err := s.Sign(context.Background(), firmware); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "limits.max_signed_object") {
		t.Errorf("unexpected error: %v", err)
	}
}

// The first profile that allows a file signs it; one without allow is refused.
func TestProfiles(t *testing.T) {
	o := newObjects()
	s := newSigner(t, newTestShelf(nil), o, func(c *Config) {
		c.Profiles = append(c.Profiles, Profile{Name: "all", Key: loadKey(t, "rsa-2048-pkcs1.pem"), Allow: func(File) bool { return true }, Open: o.open, Exists: o.exists})
	})
	for f, want := range map[File]string{firmware: "firmware", other: "all"} {
		if got, err := s.Sign(context.Background(), f); err != nil || got.Profile != want {
			t.Errorf("%v is signed by %q, %v", f, got.Profile, err)
		}
	}
	for _, p := range []Profile{
		{Name: "x", Key: loadKey(t, "ec-p256-sec1.pem"), Open: o.open, Exists: o.exists},
		{Name: "x", Allow: inBucket("firmware"), Open: o.open, Exists: o.exists},
	} {
		if _, err := New(Config{Profiles: []Profile{p}, Shelf: newTestShelf(nil), Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "codesign.profiles.x") {
			t.Errorf("unexpected error: %v", err)
		}
	}
}

// The log names the file and the key's ID; never the key or the signature.
func TestLog(t *testing.T) {
	var text bytes.Buffer
	k := loadKey(t, "ec-p256-sec1.pem")
	s := newSigner(t, newTestShelf(nil), newObjects(), func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&text, nil)) })
	if _, err := s.Sign(context.Background(), firmware); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"signed an object", "s3://us-east-1.firmware/v7.bin@1", "version=1", "profile=firmware", "key=" + k.ID(), "bytes=9"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the log lacks %q: %s", want, text.String())
		}
	}
}
