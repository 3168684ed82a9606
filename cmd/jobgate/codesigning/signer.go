// Package codesigning sets up code signing from the configuration, for the gateway, jobs, render and check.
//
//	New ──▶ Shared (stored signatures, metrics) ──▶ Open: the Signer of one configuration ──▶ Making, Kept
package codesigning

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"jobgate/cmd/jobgate/config"
	"jobgate/cmd/jobgate/configured"
	"jobgate/gateway"
	"jobgate/gateway/codesign"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
	jobstore "jobgate/gateway/jobs/rules"
	"jobgate/gateway/source"
	"jobgate/presigner/role"
)

// Signer signs code files with the profiles of one configuration.
type Signer struct {
	signer     *codesign.Signer
	profiles   []codesign.Profile
	sources    []*source.S3
	shelf      *codesign.Shelf
	generation string
	warnings   []string
	missed     chan struct{} // signals that a job's document lacks a signature; see Resign
}

var _ gateway.CodeSigning = (*Signer)(nil)

// Shared is the state that the signers of all configurations share. It survives a reload.
type Shared struct {
	Meter *codesign.Meter

	aws   aws.Config
	s3    string
	shelf *codesign.Shelf
	log   *slog.Logger
}

// New returns the shared state. s3 is S3's endpoint in AWS's settings; keep, which may be nil, stores signatures
// across restarts.
func New(a aws.Config, s3 string, keep codesign.Keep, log *slog.Logger) *Shared {
	return &Shared{Meter: codesign.NewMeter(), aws: a, s3: s3, shelf: codesign.NewShelf(keep, log), log: log}
}

// Open reads the keys of a configuration's profiles; nil if it has none.
func (s *Shared) Open(c *config.Config, roles *role.Set) (_ *Signer, err error) {
	if len(c.CodeSign.Profiles) == 0 {
		return nil, nil //nolint:nilnil // nil is off
	}
	made := &Signer{shelf: s.shelf, missed: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			made.Close()
		}
	}()
	o := codesign.Config{
		Endpoint: s.s3, MaxObject: int64(c.Limits.MaxSignedObject), Shelf: s.shelf, Metrics: s.Meter.Metrics(), Log: s.log,
	}
	generation := sha256.New()
	for _, name := range c.CodeSign.Names() {
		if _, ok := c.CodeSign.Profiles[name]; !ok {
			continue // check drops profiles whose key file is not on this machine
		}
		profile, s3, err := s.profile(c, name, roles)
		if err != nil {
			return nil, err
		}
		made.sources = append(made.sources, s3)
		p := c.CodeSign.Profiles[name]
		if profile.Key, err = made.key(p, s.aws); err != nil {
			return nil, fmt.Errorf("codesign.profiles.%s: %w", name, err)
		}
		o.Profiles = append(o.Profiles, profile)
		_, _ = fmt.Fprintf(generation, "%q %q %q\n", name, profile.Key.ID(), p.Allow) // a hash never fails
	}
	made.profiles = o.Profiles
	made.generation = hex.EncodeToString(generation.Sum(nil))
	made.signer, err = codesign.New(o)
	return made, err
}

// Own returns a Signer without profiles, which reads any object with the gateway's own credentials.
func (s *Shared) Own(c *config.Config, roles *role.Set) (*Signer, error) {
	o := configured.S3Options(c, s.aws, s.s3, roles)
	o.Credentials = s.aws.Credentials.Retrieve
	s3, err := source.NewS3(o)
	if err != nil {
		return nil, err
	}
	all := codesign.Profile{Open: s3.Open, Exists: s3.Exists, Allow: func(codesign.File) bool { return true }}
	return &Signer{sources: []*source.S3{s3}, profiles: []codesign.Profile{all}}, nil
}

// profile creates a profile without its key.
func (s *Shared) profile(c *config.Config, name string, roles *role.Set) (codesign.Profile, *source.S3, error) {
	p := c.CodeSign.Profiles[name]
	policy, err := jobdoc.NewPolicy(p.Allow, nil, "codesign.profiles."+name)
	if err != nil {
		return codesign.Profile{}, nil, err
	}
	o := configured.S3Options(c, s.aws, s.s3, roles)
	if o.Credentials = s.aws.Credentials.Retrieve; p.Role != "" {
		r, _ := roles.Role(p.Role) // configured.RolesInUse lists it
		o.Credentials = r.Retrieve
	}
	s3, err := source.NewS3(o)
	if err != nil {
		return codesign.Profile{}, nil, err
	}
	return codesign.Profile{
		Name: name, Open: s3.Open, Exists: s3.Exists,
		Allow: func(f codesign.File) bool { return policy.AllowsFile(jobdoc.CodeFile(f)) },
	}, s3, nil
}

// key reads a profile's key.
func (s *Signer) key(p config.CodeSignProfile, a aws.Config) (codesign.Key, error) {
	if p.KMSKey != "" {
		return codesign.NewKMS(p.KMSKey, a)
	}
	k, err := codesign.LoadKeyFile(p.KeyFile)
	if err != nil {
		return nil, err
	}
	if k.Warning != "" {
		s.warnings = append(s.warnings, k.Warning)
	}
	return k, nil
}

// Close stops reading objects. s may be nil.
func (s *Signer) Close() {
	if s == nil {
		return
	}
	for _, s3 := range s.sources {
		s3.Close()
	}
}

// Signs reports whether s can sign, because it has profiles. The Signer of Own cannot.
func (s *Signer) Signs() bool { return s.signer != nil }

// Profiles returns the configuration's profiles, in their order. Do not change them.
func (s *Signer) Profiles() []codesign.Profile { return s.profiles }

// Warnings returns a warning for each key file that other users can read.
func (s *Signer) Warnings() []string { return s.warnings }

// Gateway returns s as a gateway.CodeSigning, nil if s is nil.
func (s *Signer) Gateway() gateway.CodeSigning {
	if s == nil {
		return nil
	}
	return s
}

// Making implements gateway.CodeSigning.
func (s *Signer) Making(ctx context.Context) jobdoc.CodeSignatures {
	return codeSignatures(func(f codesign.File) (codesign.Signature, error) { return s.signer.Sign(ctx, f) })
}

// Kept implements gateway.CodeSigning. It never makes a signature. If one is not stored, or no longer allowed, the error is
// jobdoc.ErrNotSigned, so that the client retries.
func (s *Signer) Kept() jobdoc.CodeSignatures { return codeSignatures(s.kept) }

// KeptForJobs is Kept for documents of jobs. A missing signature triggers Resign.
func (s *Signer) KeptForJobs() jobdoc.CodeSignatures {
	return codeSignatures(func(f codesign.File) (codesign.Signature, error) {
		signature, err := s.kept(f)
		if errors.Is(err, codesign.ErrUnavailable) && !errors.Is(err, codesign.ErrNotAllowed) {
			select {
			case s.missed <- struct{}{}:
			default: // already requested
			}
		}
		return signature, err
	})
}

func (s *Signer) kept(f codesign.File) (codesign.Signature, error) {
	ctx, cancel := context.WithTimeout(context.Background(), keptWithin)
	defer cancel()
	signature, err := s.signer.Kept(ctx, f)
	if errors.Is(err, codesign.ErrNotAllowed) {
		err = fmt.Errorf("%w: %w", codesign.ErrUnavailable, err)
	}
	return signature, err
}

// keptWithin is the time limit of the lookup of a stored signature, for which a document waits.
const keptWithin = 5 * time.Second

// Generation implements gateway.CodeSigning.
func (s *Signer) Generation() string { return s.generation }

// codeSignatures adapts a signing function to jobdoc.CodeSignatures.
type codeSignatures func(f codesign.File) (codesign.Signature, error)

// notSigned is a jobdoc.ErrNotSigned with a message for clients.
type notSigned string

func (e notSigned) Error() string { return string(e) }

// Unwrap returns jobdoc.ErrNotSigned.
func (notSigned) Unwrap() error { return jobdoc.ErrNotSigned }

// CodeSignature implements jobdoc.CodeSignatures.
func (sign codeSignatures) CodeSignature(f jobdoc.CodeFile) (jobdoc.CodeSignature, error) {
	s, err := sign(codesign.File(f))
	if errors.Is(err, codesign.ErrUnavailable) {
		err = notSigned(strings.TrimPrefix(err.Error(), codesign.ErrUnavailable.Error()+": "))
	}
	return jobdoc.CodeSignature{Size: s.Size, Value: s.Value, Algorithm: s.Algorithm}, err
}

// Allowed returns, for check, signatures that fail if no profile allows a code file. It signs nothing.
func Allowed(c *config.Config) (jobdoc.CodeSignatures, error) {
	if len(c.CodeSign.Profiles) == 0 {
		return nil, nil //nolint:nilnil // nil is off
	}
	var policies []*jobdoc.Policy
	for _, name := range c.CodeSign.Names() {
		p, err := jobdoc.NewPolicy(c.CodeSign.Profiles[name].Allow, nil, "codesign.profiles."+name)
		if err != nil {
			return nil, err
		}
		policies = append(policies, p)
	}
	return codeSignatures(func(f codesign.File) (codesign.Signature, error) {
		for _, p := range policies {
			if p.AllowsFile(jobdoc.CodeFile(f)) {
				return codesign.Signature{}, nil
			}
		}
		return codesign.Signature{}, fmt.Errorf("%w: no profile of codesign.profiles allows arn:aws:s3:::%s/%s", codesign.ErrNotAllowed, f.Bucket, f.Key)
	}), nil
}

// Keep returns the store's storage for signatures, nil if it has none.
func Keep(store jobs.Store) codesign.Keep {
	if s, ok := store.(*jobstore.Store); ok {
		return s.Signatures()
	}
	return nil
}
