package codesigning

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"jobgate/gateway/codesign"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
	"jobgate/gateway/source"
)

// jobsNow is the jobs that run: their documents by ID.
type jobsNow map[string]string

func (j jobsNow) ListJobs(_ context.Context, q jobs.JobQuery, _ jobs.Page) (list []jobs.JobSummary, next string, err error) {
	for id := range j {
		if q.Status == jobs.JobInProgress {
			list = append(list, jobs.JobSummary{Job: &jobs.Job{ID: id}})
		}
	}
	return list, "", nil
}

func (j jobsNow) JobDocument(_ context.Context, id string, _ bool) (string, error) { return j[id], nil }

// namedKey signs with its name. It may be out of order.
type namedKey struct {
	codesign.Key
	name  string
	fault error
}

func (k *namedKey) ID() string { return k.name }

func (k *namedKey) Sign(context.Context, [sha256.Size]byte) (codesign.Signed, error) {
	return codesign.Signed{Value: []byte(k.name), Algorithm: codesign.SHA256WithECDSA}, k.fault
}

func (k *namedKey) PublicKey(context.Context) (crypto.PublicKey, error) { return nil, k.fault }

// newResigner returns a signer of bucket firmware, and how often objects were read.
func newResigner(t *testing.T, key codesign.Key) (*Signer, *int) {
	t.Helper()
	log, reads := slog.New(slog.DiscardHandler), new(int)
	s := &Signer{shelf: codesign.NewShelf(nil, log), missed: make(chan struct{}, 1)}
	var err error
	s.signer, err = codesign.New(codesign.Config{Shelf: s.shelf, Log: log, Profiles: []codesign.Profile{{
		Name: "firmware", Key: key,
		Allow: func(f codesign.File) bool { return f.Bucket == "firmware" },
		Open: func(context.Context, codesign.File, time.Duration) (*source.Body, error) {
			*reads++
			return &source.Body{ReadCloser: io.NopCloser(bytes.NewReader([]byte("x"))), Size: 1}, nil
		},
		Exists: func(context.Context, codesign.File) error { return nil },
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return s, reads
}

const signedJob = `["${aws:iot:code-sign-signature:s3://us-east-1.firmware/v7.bin@1}"]`

// A job that came to be after its signature was looked for is signed within a minute of a device's asking, and what may
// not be signed is not looked for because devices ask.
func TestResignMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, reads := newResigner(t, &namedKey{name: "new"})
		running := jobsNow{}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.Resign(ctx, running, slog.New(slog.DiscardHandler))
		time.Sleep(time.Hour)
		synctest.Wait()
		running["late"] = signedJob
		device := func(bucket string) error {
			_, err := s.KeptForJobs().CodeSignature(jobdoc.CodeFile{Region: "us-east-1", Bucket: bucket, Key: "v7.bin", Version: "1"})
			return err
		}
		if err := device("elsewhere"); !errors.Is(err, jobdoc.ErrNotSigned) {
			t.Errorf("outside allow: %v", err)
		}
		if _, err := s.Kept().CodeSignature(jobdoc.CodeFile{Region: "us-east-1", Bucket: "firmware", Key: "v7.bin", Version: "1"}); !errors.Is(err, jobdoc.ErrNotSigned) {
			t.Errorf("a stranger: %v", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if *reads != 0 {
			t.Error("strangers, or devices that ask for what may not be signed, caused a read")
		}
		if err := device("firmware"); !errors.Is(err, jobdoc.ErrNotSigned) {
			t.Errorf("before it is signed: %v", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if err := device("firmware"); err != nil || *reads != 1 {
			t.Errorf("a minute later: %v after %d reads", err, *reads)
		}
	})
}

// A key that is out of order for a while is asked again without another read of the object.
func TestResignWithoutKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := &namedKey{name: "kms", fault: errors.Join(codesign.ErrUnavailable, errors.New("throttled"))}
		s, reads := newResigner(t, key)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.Resign(ctx, jobsNow{"j": signedJob}, slog.New(slog.DiscardHandler))
		time.Sleep(10*time.Minute + time.Second)
		synctest.Wait()
		key.fault = nil
		time.Sleep(resignEvery)
		synctest.Wait()
		if _, err := s.KeptForJobs().CodeSignature(jobdoc.CodeFile{Region: "us-east-1", Bucket: "firmware", Key: "v7.bin", Version: "1"}); err != nil || *reads != 1 {
			t.Errorf("%v after %d reads", err, *reads)
		}
	})
}
