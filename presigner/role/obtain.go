package role

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"jobgate/presigner"
)

// skewRetry is the clock error from which on it is the likely cause of a refused signature.
// STS tolerates 5 minutes.
const skewRetry = time.Minute

// newClient returns a client that does not retry and signs with signer: the refresher
// handles retries and the clock.
func newClient(config aws.Config, signer *clockSigner) *sts.Client {
	return sts.NewFromConfig(config, func(o *sts.Options) {
		o.Retryer, o.RetryMaxAttempts = aws.NopRetryer{}, 0
		o.DisableClockSkewCorrection = true
		o.HTTPSignerV4 = signer // the options of a call come too late to set it
	})
}

// obtain requests a session. Its errors hold no secret.
func (r *Role) obtain(ctx context.Context) (*Session, error) {
	if r.source == nil {
		return r.obtainOwn(ctx)
	}
	source, err := r.source.Wait(ctx)
	if err != nil {
		return nil, fmt.Errorf("its source has no session: %w", err)
	}
	out, err := r.assume(ctx, source)
	if durationRefused(err) && r.duration.Load() > int64(FallbackSession) {
		r.set.options.Log.Warn("STS refuses sessions this long; asking for shorter ones from now on",
			"role", r.config.Name, "session_duration", time.Duration(r.duration.Load()), "instead", FallbackSession,
			"error", reason(err, source.Credentials))
		r.duration.Store(int64(FallbackSession))
		out, err = r.assume(ctx, source)
	}
	if err != nil {
		return nil, errors.New(reason(err, source.Credentials))
	}
	if out.Credentials == nil || out.Credentials.Expiration == nil {
		return nil, errors.New("the answer of STS holds no credentials, or none that end")
	}
	return r.newSession(presigner.Credentials{
		AccessKeyID:     aws.ToString(out.Credentials.AccessKeyId),
		SecretAccessKey: aws.ToString(out.Credentials.SecretAccessKey),
		SessionToken:    aws.ToString(out.Credentials.SessionToken),
		Expires:         *out.Credentials.Expiration,
	})
}

// obtainOwn asks the standard chain. It empties the SDK's cache first, to renew ahead of
// need: by itself the cache keeps credentials until they have ended.
func (r *Role) obtainOwn(ctx context.Context) (*Session, error) {
	chain := r.set.options.AWS.Credentials
	if chain == nil {
		return nil, errors.New("the standard AWS chain has no credentials")
	}
	if cache, ok := chain.(interface{ Invalidate() }); ok && r.Session() != nil {
		cache.Invalidate()
	}
	ctx, cancel := context.WithTimeout(ctx, ownTimeout)
	defer cancel()
	c, err := chain.Retrieve(ctx)
	if err != nil {
		return nil, errors.New(reason(err))
	}
	own := presigner.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
	if c.CanExpire {
		own.Expires = c.Expires
	}
	return r.newSession(own)
}

func (r *Role) newSession(c presigner.Credentials) (*Session, error) {
	c.Expires = c.Expires.Round(0) // by the wall clock
	signer, err := presigner.NewSigner(c)
	if err != nil {
		return nil, err
	}
	now := r.set.Now()
	sess := &Session{Role: r.config.Name, Signer: signer, Credentials: c, Issued: now, Expires: c.Expires}
	if !sess.usable(now) {
		return nil, fmt.Errorf("the session had ended when it arrived, at %s: is the clock right?", c.Expires.UTC().Format(time.RFC3339))
	}
	return sess, nil
}

// assume calls STS. If STS refuses and the local clock is the likely cause, it tries again
// with the server's clock.
func (r *Role) assume(ctx context.Context, source *Session) (*sts.AssumeRoleOutput, error) {
	skew := r.set.Skew()
	out, seen, err := r.assumeOnce(ctx, source, skew)
	if status(err)/100 == 4 && seen.ok && (seen.offset-skew).Abs() > skewRetry && seen.offset.Abs() <= skewMax {
		r.set.options.Log.Info("STS refused a signature, and the local clock is off: signing with its clock",
			"role", r.config.Name, "skew", seen.offset.Round(time.Second))
		out, _, err = r.assumeOnce(ctx, source, seen.offset)
	}
	return out, err
}

// seen is the clock reading of one answer.
type seen struct {
	offset time.Duration
	ok     bool
}

func (r *Role) assumeOnce(ctx context.Context, source *Session, skew time.Duration) (*sts.AssumeRoleOutput, seen, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	c := r.config
	in := &sts.AssumeRoleInput{
		RoleArn:         aws.String(c.ARN),
		RoleSessionName: aws.String(c.SessionName),
		DurationSeconds: aws.Int32(int32(time.Duration(r.duration.Load()) / time.Second)),
		ExternalId:      optional(c.ExternalID),
		Policy:          optional(c.SessionPolicy),
	}
	r.signer.skew = skew
	dated := &datedClient{}
	began := time.Now()
	out, err := r.client.AssumeRole(ctx, in, func(o *sts.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(
			source.Credentials.AccessKeyID, source.Credentials.SecretAccessKey, source.Credentials.SessionToken)
		dated.next, o.HTTPClient = o.HTTPClient, dated
	})
	took := time.Since(began)
	var s seen
	s.offset, s.ok = r.set.clock.observe(dated.date, r.set.options.Now(), took)
	if r.set.options.Metrics.Request != nil && !errors.Is(err, context.Canceled) {
		r.set.options.Metrics.Request(c.Name, outcome(err), took)
	}
	return out, s, err
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// clockSigner signs with the server's clock in place of the SDK's. It belongs to a role's
// refresher, which makes one call at a time.
type clockSigner struct {
	signer *v4.Signer
	now    func() time.Time
	skew   time.Duration
}

// SignHTTP is the SDK's, with the corrected time.
func (s *clockSigner) SignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, payloadHash, service, region string, _ time.Time, opts ...func(*v4.SignerOptions)) error {
	return s.signer.SignHTTP(ctx, c, r, payloadHash, service, region, s.now().Add(s.skew).UTC(), opts...)
}

// datedClient keeps the Date header of every answer, errors too.
type datedClient struct {
	next sts.HTTPClient
	date time.Time // zero: none, or not to be trusted
}

// Do is the SDK's, and reads the header.
func (c *datedClient) Do(req *http.Request) (*http.Response, error) {
	res, err := c.next.Do(req)
	if err == nil && res.Header.Get("Age") == "" { // an Age header means that the answer was cached
		if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
			c.date = date
		}
	}
	return res, err
}
