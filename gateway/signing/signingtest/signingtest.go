// Package signingtest provides an authority and a signer for tests.
package signingtest

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/gateway/signing"
	"jobgate/presigner"
)

// Documents with placeholders: one whose URLs all devices share, and one with a URL for each device.
const (
	SharedDocument    = `{"steps":[{"url":"${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/firmware/v7.bin}"}]}`
	PerDeviceDocument = `{"url":"${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/firmware/${thingName}/${jobId}/${executionNumber}.bin}"}`
)

// Authority signs with one session. Its fields may be set between requests; it is safe for concurrent use otherwise.
type Authority struct {
	Granted signing.Grant // without a Lifetime, the requested one is granted
	Err     error
	Drift   time.Duration

	grants atomic.Int64
}

// NewAuthority signs with the session of NewSigner.
func NewAuthority(tb testing.TB) *Authority {
	return &Authority{Granted: signing.Grant{Signer: NewSigner(tb, "ASIAEXAMPLE")}}
}

// Grants returns the number of requested grants.
func (a *Authority) Grants() int { return int(a.grants.Load()) }

// Skew returns Drift.
func (a *Authority) Skew() time.Duration { return a.Drift }

// Grant returns Granted and Err.
func (a *Authority) Grant(_ context.Context, t signing.Terms) (signing.Grant, error) {
	a.grants.Add(1)
	g := a.Granted
	if g.Lifetime == 0 {
		g.Lifetime = t.Expires
	}
	return g, a.Err
}

// NewSigner returns a signer with an access key's id and a session token as long as those of STS.
func NewSigner(tb testing.TB, id string) *presigner.Signer {
	tb.Helper()
	signer, err := presigner.NewSigner(presigner.Credentials{AccessKeyID: id, SecretAccessKey: "secret", SessionToken: strings.Repeat("t", 900)})
	if err != nil {
		tb.Fatal(err)
	}
	return signer
}
