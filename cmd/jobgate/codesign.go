package main

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

// codeSigner is code signing as one configuration says, in the words of those who read documents.
type codeSigner struct {
	signer     *codesign.Signer
	profiles   []codesign.Profile
	sources    []*source.S3
	shelf      *codesign.Shelf
	generation string
	warnings   []string
}

var _ gateway.CodeSigning = (*codeSigner)(nil)

// openCodeSigning makes what outlives a reload of code signing.
func (p *process) openCodeSigning() error {
	p.codesign = &codeSigning{aws: p.aws, s3: p.s3, meter: codesign.NewMeter(), log: p.log}
	var store codesign.Keep
	if p.jobs != nil {
		store = keep(p.jobs.store)
	}
	p.codesign.shelf = codesign.NewShelf(store, p.log)
	return p.metrics.Registry.Register(p.codesign.meter)
}

// codeSigning is what the signers of all configurations share.
type codeSigning struct {
	aws   aws.Config
	s3    string
	shelf *codesign.Shelf
	meter *codesign.Meter
	log   *slog.Logger
}

// open reads the keys of a configuration's profiles; nil if it has none.
func (s *codeSigning) open(c *config.Config, roles *role.Set) (_ *codeSigner, err error) {
	if len(c.CodeSign.Profiles) == 0 {
		return nil, nil //nolint:nilnil // off is no error
	}
	made := &codeSigner{shelf: s.shelf}
	defer func() {
		if err != nil {
			made.close()
		}
	}()
	o := codesign.Config{
		Endpoint: s.s3, MaxObject: int64(c.Limits.MaxSignedObject), Shelf: s.shelf, Metrics: s.meter.Metrics(), Log: s.log,
	}
	generation := sha256.New()
	for _, name := range c.CodeSign.Names() {
		if _, here := c.CodeSign.Profiles[name]; !here {
			continue // check drops those whose keys are on another machine
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
		_, _ = fmt.Fprintf(generation, "%q %q %q\n", name, profile.Key.ID(), p.Allow) // a digest takes everything
	}
	made.profiles = o.Profiles
	made.generation = hex.EncodeToString(generation.Sum(nil))
	made.signer, err = codesign.New(o)
	return made, err
}

// own is for a key that no profile has: it reads with the gateway's own credentials, whatever it is asked to.
func (s *codeSigning) own(c *config.Config, roles *role.Set) (*codeSigner, error) {
	o := configured.S3Options(c, s.aws, s.s3, roles)
	o.Credentials = s.aws.Credentials.Retrieve
	s3, err := source.NewS3(o)
	if err != nil {
		return nil, err
	}
	all := codesign.Profile{Open: s3.Open, Exists: s3.Exists, Allow: func(codesign.File) bool { return true }}
	return &codeSigner{sources: []*source.S3{s3}, profiles: []codesign.Profile{all}}, nil
}

// profile makes one profile, but for its key.
func (s *codeSigning) profile(c *config.Config, name string, roles *role.Set) (codesign.Profile, *source.S3, error) {
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
func (s *codeSigner) key(p config.CodeSignProfile, a aws.Config) (codesign.Key, error) {
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

func (s *codeSigner) close() {
	if s == nil {
		return
	}
	for _, s3 := range s.sources {
		s3.Close()
	}
}

// forGateway returns s as the gateway takes it, where nil is off.
func (s *codeSigner) forGateway() gateway.CodeSigning {
	if s == nil {
		return nil
	}
	return s
}

// Making implements gateway.CodeSigning.
func (s *codeSigner) Making(ctx context.Context) jobdoc.CodeSignatures {
	return codeSignatures(func(f codesign.File) (codesign.Signature, error) { return s.signer.Sign(ctx, f) })
}

// Kept implements gateway.CodeSigning. Whoever asks for what is not kept, or is not allowed any more, is to come back:
// signatures are made for others.
func (s *codeSigner) Kept() jobdoc.CodeSignatures {
	return codeSignatures(func(f codesign.File) (codesign.Signature, error) {
		ctx, cancel := context.WithTimeout(context.Background(), keptWithin)
		defer cancel()
		signature, err := s.signer.Kept(ctx, f)
		if errors.Is(err, codesign.ErrNotAllowed) {
			err = fmt.Errorf("%w: %w", codesign.ErrUnavailable, err)
		}
		return signature, err
	})
}

// keptWithin bounds a look-up of a kept signature, for which a document waits.
const keptWithin = 5 * time.Second

// Generation implements gateway.CodeSigning.
func (s *codeSigner) Generation() string { return s.generation }

// codeSignatures is a way to a signature in jobdoc's terms.
type codeSignatures func(f codesign.File) (codesign.Signature, error)

// notSigned is a jobdoc.ErrNotSigned in words for clients.
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

// allowedFiles judges code files for check: it says whether a profile would sign them, and gives no signature.
func allowedFiles(c *config.Config) (jobdoc.CodeSignatures, error) {
	if len(c.CodeSign.Profiles) == 0 {
		return nil, nil //nolint:nilnil // off is no error
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

// keep is the store's place for signatures, nil if it has none.
func keep(store jobs.Store) codesign.Keep {
	if s, ok := store.(*jobstore.Store); ok {
		return s.Signatures()
	}
	return nil
}

// resignEvery is how long what could not be signed waits.
const resignEvery = 30 * time.Second

// resignDaily is how often the signatures of running jobs are looked after: it keeps them from being pruned.
const resignDaily = 24 * time.Hour

// resign signs the code files of running jobs for the keys in force, soon and again each day, until ctx ends. Devices
// are told to come back until all are signed. Then the signatures that nobody needs are deleted.
func (j *jobsService) resign(ctx context.Context, signer *codeSigner, log *slog.Logger) {
	for {
		wait := resignDaily
		err := j.resignOnce(ctx, signer)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			wait = resignEvery
			log.Warn("code files of running jobs are not signed yet; devices that ask for them are answered 503", "error", err, "again_in", wait.String())
		} else if err := signer.shelf.Prune(ctx); err != nil && ctx.Err() == nil {
			log.Warn("signatures of code files that nobody needs are kept", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// resignOnce returns the first error after which another attempt may succeed.
func (j *jobsService) resignOnce(ctx context.Context, signer *codeSigner) (again error) {
	for _, status := range []jobs.JobStatus{jobs.JobInProgress, jobs.JobScheduled} {
		page := jobs.Page{Limit: 100}
		for {
			list, next, err := j.service.ListJobs(ctx, jobs.JobQuery{Status: status}, page)
			if err != nil {
				return fmt.Errorf("cannot list the jobs: %w", err)
			}
			for i := range list {
				if err := j.resignJob(ctx, signer, list[i].Job.ID); errors.Is(err, codesign.ErrUnavailable) && again == nil {
					again = err
				}
			}
			if page.After = next; next == "" {
				break
			}
		}
	}
	return again
}

func (j *jobsService) resignJob(ctx context.Context, signer *codeSigner, id string) (failed error) {
	document, err := j.service.JobDocument(ctx, id, false)
	if err != nil {
		return nil //nolint:nilerr // it was deleted meanwhile, or devices are told that the store is down
	}
	for _, f := range jobdoc.CodeFiles([]byte(document), nil) {
		if _, err := signer.signer.Kept(ctx, codesign.File(f)); err == nil {
			continue
		}
		if _, err := signer.signer.Sign(ctx, codesign.File(f)); err != nil && failed == nil {
			failed = err // the signer logged it
		}
	}
	return failed
}
