package codesign

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"jobgate/gateway/source"
)

// Profile is a key, the files that it signs, and how they are read.
type Profile struct {
	Name string
	Key  Key
	// Allow reports whether the profile signs a file. It must not be nil.
	Allow func(f File) bool
	// Open reads a file as the profile's role: [source.S3.Open].
	Open func(ctx context.Context, f File, stall time.Duration) (*source.Body, error)
	// Exists checks that a file still exists: [source.S3.Exists].
	Exists func(ctx context.Context, f File) error
}

// Outcome is the outcome of a request for a signature.
type Outcome uint8

// The outcomes.
const (
	Made   Outcome = iota // signed now
	Reused                // kept
	Failed
)

// String returns the outcome as a metric's label.
func (o Outcome) String() string { return [...]string{"made", "reused", "failed"}[o] }

// Metrics are the callbacks of a Signer. Either may be nil; they must be safe for
// concurrent use and fast.
type Metrics struct {
	Signature func(o Outcome)
	Read      func(bytes int64, took time.Duration) // an object was read and hashed
}

// Config configures a Signer.
type Config struct {
	Profiles  []Profile // in order: the first that allows a file signs it
	Endpoint  string    // of the objects, part of a signature's key: AWS_ENDPOINT_URL_S3, "" for AWS
	MaxObject int64     // limits.max_signed_object; 0: DefaultMaxObject
	Shelf     *Shelf
	Metrics   Metrics
	Log       *slog.Logger
}

// Signature is a signature of a file.
type Signature struct {
	Size int64
	Signed
	Profile string
}

// Signer signs with one configuration. It is immutable and safe for concurrent use.
type Signer struct {
	config Config
}

// New returns a Signer.
func New(c Config) (*Signer, error) {
	for i := range c.Profiles {
		if p := &c.Profiles[i]; p.Key == nil || p.Allow == nil || p.Open == nil || p.Exists == nil {
			return nil, fmt.Errorf("cannot use codesign.profiles.%s: it needs a key, allow and a way to read objects", p.Name)
		}
	}
	if c.Shelf == nil || c.Log == nil {
		return nil, errors.New("cannot sign code files without a shelf and a log")
	}
	if c.MaxObject <= 0 {
		c.MaxObject = DefaultMaxObject
	}
	if c.Metrics.Signature == nil {
		c.Metrics.Signature = func(Outcome) {}
	}
	if c.Metrics.Read == nil {
		c.Metrics.Read = func(int64, time.Duration) {}
	}
	return &Signer{config: c}, nil
}

// Profile returns the profile that signs a file, or an error that wraps ErrNotAllowed.
func (s *Signer) Profile(f File) (*Profile, error) {
	for i := range s.config.Profiles {
		if s.config.Profiles[i].Allow(f) {
			return &s.config.Profiles[i], nil
		}
	}
	if len(s.config.Profiles) == 0 {
		return nil, fmt.Errorf("%w: there is no profile; see codesign.profiles", ErrNotAllowed)
	}
	return nil, fmt.Errorf("%w: no profile of codesign.profiles allows arn:aws:s3:::%s/%s", ErrNotAllowed, f.Bucket, f.Key)
}

// place returns the key of a file's record.
func (s *Signer) place(f File) string {
	return fmt.Sprintf("%q %q %q %q %q", s.config.Endpoint, f.Region, f.Bucket, f.Key, f.Version) // quoted: keys may contain any character
}

// Kept returns a file's kept signature for the current allow and key. It reads no object
// and does not call KMS. An error wraps ErrNotAllowed, or ErrUnavailable if there is
// none.
func (s *Signer) Kept(ctx context.Context, f File) (Signature, error) {
	p, err := s.Profile(f)
	if err != nil {
		return Signature{}, err
	}
	if signature, ok := s.kept(ctx, p, f); ok {
		s.config.Metrics.Signature(Reused)
		return signature, nil
	}
	return Signature{}, fmt.Errorf("%w: none is kept of %q for the key of profile %q", ErrUnavailable, f.String(), p.Name)
}

func (s *Signer) kept(ctx context.Context, p *Profile, f File) (Signature, bool) {
	place := s.place(f)
	r := s.config.Shelf.find(ctx, place, p.Key.ID())
	if r == nil {
		return Signature{}, false
	}
	signed, ok := r.Signatures[p.Key.ID()]
	if ok {
		s.config.Shelf.touch(ctx, place, r)
	}
	return Signature{Size: r.Digest.Size, Signed: signed, Profile: p.Name}, ok
}

// Sign returns the signature of a file: a kept one, or a new one, for which concurrent
// callers share one read of the file. If ctx ends first the error is ErrPending; signing
// continues, and a later call finds the signature. Other errors wrap ErrUnavailable (try
// again), ErrNotAllowed, ErrTooLarge, ErrKey, or an error of package source.
func (s *Signer) Sign(ctx context.Context, f File) (Signature, error) {
	p, err := s.Profile(f)
	if err != nil {
		return Signature{}, err
	}
	if signature, ok := s.kept(ctx, p, f); ok {
		if err := p.Exists(ctx, f); errors.Is(err, source.ErrNotFound) || errors.Is(err, source.ErrForbidden) {
			return Signature{}, err // otherwise a new job would give devices a URL that does not work
		}
		s.config.Metrics.Signature(Reused)
		return signature, nil
	}
	key := s.place(f) + "\n" + p.Key.ID()
	flight, made := s.config.Shelf.join(key)
	if flight == nil {
		return Signature{}, fmt.Errorf("%w: %d objects are waiting to be signed", ErrUnavailable, maxFlights)
	}
	if made {
		go func() {
			defer s.config.Shelf.land(key, flight)
			// It always ends: stalled reads fail, and the size is bounded.
			flight.signature, flight.err = s.signOnce(context.WithoutCancel(ctx), p, f)
		}()
	}
	select {
	case <-flight.done:
		return flight.signature, flight.err
	case <-ctx.Done():
		return Signature{}, ErrPending
	}
}

// signOnce signs a file, after waiting if too many are being read.
func (s *Signer) signOnce(ctx context.Context, p *Profile, f File) (_ Signature, err error) {
	began := time.Now()
	defer func() {
		if err != nil {
			s.config.Metrics.Signature(Failed)
			s.config.Log.Warn("cannot sign an object", "object", f.String(), "profile", p.Name, "error", err)
		}
	}()
	if signature, ok := s.kept(ctx, p, f); ok {
		return signature, nil // another flight has just made it
	}
	d, err := s.digestOnce(ctx, p, f)
	if err != nil {
		return Signature{}, err
	}
	s.config.Shelf.putDigest(s.place(f), d) // in case the key fails
	signed, err := p.Key.Sign(ctx, d.SHA256)
	if err != nil {
		return Signature{}, err
	}
	s.config.Shelf.add(ctx, s.place(f), d, p.Key.ID(), signed)
	s.config.Metrics.Signature(Made)
	s.config.Log.Info("signed an object", "object", f.String(), "version", f.Version, "profile", p.Name,
		"key", p.Key.ID(), "bytes", d.Size, "took", time.Since(began).Round(time.Millisecond).String())
	return Signature{Size: d.Size, Signed: signed, Profile: p.Name}, nil
}

// digestOnce returns the kept digest, or reads the object.
func (s *Signer) digestOnce(ctx context.Context, p *Profile, f File) (Digest, error) {
	shelf := s.config.Shelf
	if r := shelf.find(ctx, s.place(f), p.Key.ID()); r != nil {
		return r.Digest, nil
	}
	shelf.loads <- struct{}{}
	defer func() { <-shelf.loads }()
	began := time.Now()
	d, err := s.digest(ctx, p, f)
	if err == nil {
		s.config.Metrics.Read(d.Size, time.Since(began))
	}
	return d, err
}
