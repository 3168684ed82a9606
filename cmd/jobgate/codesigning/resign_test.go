package codesigning

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jobgate/gateway/codesign"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
	"jobgate/gateway/source"
)

// runningJobs holds the documents of running jobs by ID. Tests change it while Resign runs.
type runningJobs struct{ sync.Map }

func (j *runningJobs) ListJobs(_ context.Context, q jobs.JobQuery, _ jobs.Page) (list []jobs.JobSummary, next string, err error) {
	j.Range(func(id, _ any) bool {
		if q.Status == jobs.JobInProgress {
			list = append(list, jobs.JobSummary{Job: &jobs.Job{ID: id.(string)}})
		}
		return true
	})
	return list, "", nil
}

func (j *runningJobs) JobDocument(_ context.Context, id string, _ bool) (string, error) {
	document, _ := j.Load(id)
	return document.(string), nil
}

// namedKey signs with its name. While down is set, it fails.
type namedKey struct {
	codesign.Key
	name string
	down atomic.Bool
}

func (k *namedKey) ID() string { return k.name }

func (k *namedKey) Sign(context.Context, [sha256.Size]byte) (codesign.Signed, error) {
	return codesign.Signed{Value: []byte(k.name), Algorithm: codesign.SHA256WithECDSA}, k.fault()
}

func (k *namedKey) PublicKey(context.Context) (crypto.PublicKey, error) { return nil, k.fault() }

func (k *namedKey) fault() error {
	if k.down.Load() {
		return errors.Join(codesign.ErrUnavailable, errors.New("throttled"))
	}
	return nil
}

// newResigner returns a signer for bucket firmware, and the counter of its object reads.
func newResigner(t *testing.T, key codesign.Key) (*Signer, *atomic.Int32) {
	t.Helper()
	log, reads := slog.New(slog.DiscardHandler), new(atomic.Int32)
	s := &Signer{shelf: codesign.NewShelf(nil, log), missed: make(chan struct{}, 1)}
	var err error
	s.signer, err = codesign.New(codesign.Config{Shelf: s.shelf, Log: log, Profiles: []codesign.Profile{{
		Name: "firmware", Key: key,
		Allow: func(f codesign.File) bool { return f.Bucket == "firmware" },
		Open: func(context.Context, codesign.File, time.Duration) (*source.Body, error) {
			reads.Add(1)
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

// TestResignMissed: a job that was created after Resign's check is signed within a minute of a device's request. Requests
// from untrusted documents, or for files outside allow, cause no signature.
func TestResignMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, reads := newResigner(t, &namedKey{name: "new"})
		running := &runningJobs{}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.Resign(ctx, running, slog.New(slog.DiscardHandler))
		time.Sleep(time.Hour)
		synctest.Wait()
		running.Store("late", signedJob)
		device := func(bucket string) error {
			_, err := s.KeptForJobs().CodeSignature(jobdoc.CodeFile{Region: "us-east-1", Bucket: bucket, Key: "v7.bin", Version: "1"})
			return err
		}
		if err := device("elsewhere"); !errors.Is(err, jobdoc.ErrNotSigned) {
			t.Errorf("a file outside allow: %v", err)
		}
		if _, err := s.Kept().CodeSignature(jobdoc.CodeFile{Region: "us-east-1", Bucket: "firmware", Key: "v7.bin", Version: "1"}); !errors.Is(err, jobdoc.ErrNotSigned) {
			t.Errorf("an untrusted document: %v", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if reads.Load() != 0 {
			t.Error("an untrusted document or a file outside allow caused a read")
		}
		if err := device("firmware"); !errors.Is(err, jobdoc.ErrNotSigned) {
			t.Errorf("before it is signed: %v", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if err := device("firmware"); err != nil || reads.Load() != 1 {
			t.Errorf("a minute later: %v after %d reads", err, reads.Load())
		}
	})
}

// TestResignWithoutKey: when a key works again, the file is signed without another read of the object.
func TestResignWithoutKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := &namedKey{name: "kms"}
		key.down.Store(true)
		running := &runningJobs{}
		running.Store("j", signedJob)
		s, reads := newResigner(t, key)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.Resign(ctx, running, slog.New(slog.DiscardHandler))
		time.Sleep(10*time.Minute + time.Second)
		synctest.Wait()
		key.down.Store(false)
		time.Sleep(resignEvery)
		synctest.Wait()
		if _, err := s.KeptForJobs().CodeSignature(jobdoc.CodeFile{Region: "us-east-1", Bucket: "firmware", Key: "v7.bin", Version: "1"}); err != nil || reads.Load() != 1 {
			t.Errorf("%v after %d reads, want a signature after 1", err, reads.Load())
		}
	})
}
