package access

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
	"jobgate/gateway/target"
	"jobgate/presigner"
)

// The services that a credential scope may name (AWS.md §4, §5).
const (
	ServiceControl = "iot"           // the control plane
	ServiceData    = "iot-jobs-data" // the data plane

	// serviceGateway is the control plane's name in SDKs from before 2023, such as Debian's AWS CLI.
	serviceGateway = "execute-api"
)

// Verifier checks the SigV4 signatures of requests against the configured access keys. It is safe for concurrent use.
type Verifier struct {
	region string
	keys   atomic.Pointer[Keys]
}

// NewVerifier returns a Verifier for requests that are scoped to region and signed with one of keys.
func NewVerifier(region string, keys *Keys) (*Verifier, error) {
	if region == "" || keys == nil {
		return nil, errors.New("cannot verify signatures: a region and access keys are required; see jobs.region, jobs.access_keys_file")
	}
	v := &Verifier{region: region}
	v.keys.Store(keys)
	return v, nil
}

// SetKeys replaces the access keys for new requests.
func (v *Verifier) SetKeys(keys *Keys) { v.keys.Store(keys) }

// Caller is the signer of a request.
type Caller struct {
	Service string // of the credential scope
	key     *Key
}

// ID returns the access key id.
func (c *Caller) ID() string { return c.key.Credentials.AccessKeyID }

// ReadOnly reports whether the caller may only read.
func (c *Caller) ReadOnly() bool { return c.key.ReadOnly }

// Name returns the thing that the caller acts for or, if that is a pattern or not set, the access key id.
func (c *Caller) Name() string {
	if c.key.Things != "" && !strings.Contains(c.key.Things, "*") {
		return c.key.Things
	}
	return c.ID()
}

// ActsFor reports whether the caller may make requests for thing.
func (c *Caller) ActsFor(thing []byte) bool { return c.key.actsFor(thing) }

// Verify returns the signer of the request, for one of services. An error's Status, Name and Message are AWS's answer
// to such a request. now is the time of the request.
func (v *Verifier) Verify(ctx *fasthttp.RequestCtx, asked *target.Target, now time.Time, services ...string) (*Caller, *edge.Fault) {
	keys := v.keys.Load()
	header := &ctx.Request.Header
	if signedInQuery(header, asked) {
		return v.verifyQuery(ctx, asked, now, keys, services)
	}
	r := readers.Get().(*reader)
	r.header, r.keys = header, keys
	verified, err := presigner.VerifyHeader(presigner.HeaderVerification{
		Method: header.Method(), RequestURI: asked.Origin(), Body: ctx.Request.Body(),
		Time: now, Lookup: r.lookup, Keys: &keys.signing, Values: r.values,
	})
	r.release()
	if err != nil {
		return nil, signatureFault(err, now)
	}
	if err := v.inRegion(verified.Region); err != nil {
		return nil, err
	}
	return callerOf(keys, verified.AccessKeyID, verified.Service, services)
}

// reader reads a request's header and the keys for presigner. It is pooled because method values are allocated.
type reader struct {
	header *fasthttp.RequestHeader
	keys   *Keys
	single [1][]byte
	values func(name string) [][]byte
	lookup func(id string) (presigner.Credentials, bool)
}

var readers = sync.Pool{New: func() any {
	r := new(reader)
	r.values, r.lookup = r.all, func(id string) (presigner.Credentials, bool) { return r.keys.lookup(id) }
	return r
}}

// all is header.PeekAll with a fast path: PeekAll spends most of its time on normalising names, and nearly every request
// signs these two.
func (r *reader) all(name string) [][]byte {
	switch name {
	case "host":
		return r.one(r.header.Host())
	case "content-type":
		return r.one(r.header.ContentType())
	}
	return r.header.PeekAll(name)
}

// one returns the value as a list, empty if the value is.
func (r *reader) one(value []byte) [][]byte {
	if len(value) == 0 {
		return nil
	}
	r.single[0] = value
	return r.single[:]
}

func (r *reader) release() {
	r.header, r.keys, r.single[0] = nil, nil, nil
	readers.Put(r)
}

// callerOf returns the signer for service, which must be one of services.
func callerOf(keys *Keys, accessKeyID, service string, services []string) (*Caller, *edge.Fault) {
	if service == serviceGateway {
		service = ServiceControl
	}
	if !slices.Contains(services, service) {
		return nil, wrongService(services[0], service)
	}
	return &Caller{Service: service, key: keys.byID[accessKeyID]}, nil
}

var querySignature = []byte("X-Amz-Signature=")

// Admit refuses, by its header and before its body is read, a request that Verify would refuse: it has no signature or a
// malformed one, its time is off, or its key is not listed. nil does not prove the signature.
func (v *Verifier) Admit(header *fasthttp.RequestHeader, now time.Time) *edge.Fault {
	var asked target.Target
	if err := asked.Parse(header.RequestURI()); err != nil {
		return fault(http.StatusBadRequest, "InvalidRequest", "The request cannot be read: %v.", err)
	}
	keys := v.keys.Load()
	var err error
	if signedInQuery(header, &asked) {
		err = presigner.Check(queryVerification(header, &asked, now, keys))
	} else {
		err = presigner.CheckHeader(presigner.HeaderVerification{Time: now, Lookup: keys.lookup, Values: header.PeekAll})
	}
	if err != nil {
		return signatureFault(err, now)
	}
	return nil
}

// signedInQuery reports whether a request has its signature in its query, and none in its header.
func signedInQuery(header *fasthttp.RequestHeader, asked *target.Target) bool {
	return bytes.Contains(asked.Query(), querySignature) && len(header.Peek(fasthttp.HeaderAuthorization)) == 0
}

// verifyQuery is Verify for a request that is signed in its query (SigV4, "Authenticating Requests: Using Query
// Parameters"). The hash of its body is signed, as for every service but S3.
func (v *Verifier) verifyQuery(ctx *fasthttp.RequestCtx, asked *target.Target, now time.Time, keys *Keys, services []string) (*Caller, *edge.Fault) {
	digest := sha256.Sum256(ctx.Request.Body())
	query := queryVerification(&ctx.Request.Header, asked, now, keys)
	query.Payload = hex.EncodeToString(digest[:])
	verified, err := presigner.Verify(query)
	if err != nil {
		return nil, signatureFault(err, now)
	}
	if err := v.inRegion(verified.Region); err != nil {
		return nil, err
	}
	return callerOf(keys, verified.AccessKeyID, query.Service, services)
}

// queryVerification returns the verification of a request that is signed in its query, without the payload's hash.
func queryVerification(header *fasthttp.RequestHeader, asked *target.Target, now time.Time, keys *Keys) presigner.Verification {
	return presigner.Verification{
		Method: string(header.Method()), Host: string(header.Host()), RequestURI: string(asked.Origin()),
		Header:  func(name string) string { return string(header.Peek(name)) },
		Service: queryService(asked.Query()), Time: now, Lookup: keys.lookup,
	}
}

// queryService returns the service in a query's credential scope, one of those that exist here. It only selects the service
// to verify the signature for: presigner.Verify refuses another scope.
func queryService(query []byte) string {
	values, err := url.ParseQuery(string(query))
	if err != nil {
		return ServiceData
	}
	scope := strings.Split(values.Get("X-Amz-Credential"), "/")
	if len(scope) >= 5 && slices.Contains([]string{ServiceControl, serviceGateway}, scope[len(scope)-2]) {
		return scope[len(scope)-2]
	}
	return ServiceData
}

// inRegion refuses a scope of another region than jobs.region, because its ARNs would not match.
func (v *Verifier) inRegion(region string) *edge.Fault {
	if region == v.region {
		return nil
	}
	return fault(http.StatusForbidden, "InvalidSignature",
		"Credential should be scoped to a valid region, not %q: this gateway's is %q; see jobs.region.", region, v.region)
}

func wrongService(want, got string) *edge.Fault {
	return fault(http.StatusForbidden, "InvalidSignature", "Credential should be scoped to correct service: %q, not %q.", want, got)
}

// Admits reports whether the caller's key is still listed, with the same permissions.
func (v *Verifier) Admits(c *Caller) bool {
	key := v.keys.Load().byID[c.ID()]
	return key != nil && *key == *c.key
}

// callerKey is the key of the caller that Identify stores in a request.
type callerKey struct{}

// Identify is Verify for the device listener (auth.mode: sigv4): it also stores the caller in ctx, for Data.Serve. A
// request for a document that is not a job's may be signed for either service.
func (v *Verifier) Identify(ctx *fasthttp.RequestCtx, asked *target.Target, now time.Time) (*Caller, *edge.Fault) {
	caller, err := v.Verify(ctx, asked, now, ServiceData, ServiceControl)
	if err == nil {
		ctx.SetUserValue(callerKey{}, caller)
	}
	return caller, err
}

// CallerOf returns the caller that Identify stored, nil if none.
func CallerOf(ctx *fasthttp.RequestCtx) *Caller {
	caller, _ := ctx.UserValue(callerKey{}).(*Caller)
	return caller
}

// signatureFault returns AWS's error for an invalid signature.
func signatureFault(err error, now time.Time) *edge.Fault {
	var e *edge.Fault
	switch {
	case errors.Is(err, presigner.ErrUnsigned):
		e = fault(http.StatusForbidden, "MissingAuthenticationToken", "Missing Authentication Token")
	case errors.Is(err, presigner.ErrMalformed):
		e = fault(http.StatusBadRequest, "IncompleteSignature", "The request's signature cannot be read: it needs an Authorization header with Credential, SignedHeaders and Signature, and an X-Amz-Date header, or all of them in its query.")
	case errors.Is(err, presigner.ErrAccessKey), errors.Is(err, presigner.ErrToken):
		e = fault(http.StatusForbidden, "UnrecognizedClient", "The security token included in the request is invalid.")
	case errors.Is(err, presigner.ErrExpired):
		e = fault(http.StatusForbidden, "InvalidSignature", "Signature expired: the request is dated more than %v before %s.", presigner.MaxHeaderSkew, stamp(now))
	case errors.Is(err, presigner.ErrNotYetValid):
		e = fault(http.StatusForbidden, "InvalidSignature", "Signature not yet current: the request is dated more than %v after %s.", presigner.MaxHeaderSkew, stamp(now))
	default:
		e = fault(http.StatusForbidden, "InvalidSignature", "The request signature we calculated does not match the signature you provided. Check your secret access key and signing method.")
	}
	e.Err = err
	return e
}

func fault(status int, code, format string, args ...any) *edge.Fault {
	return &edge.Fault{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

func stamp(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

// Report is a requested operation of the data plane.
type Report struct {
	Operation string
	Thing     []byte
	Changes   bool // whether it changes something
}

// MayReport returns a fault if the caller may not do an operation of the data plane, or is nil.
func (c *Caller) MayReport(r Report) *edge.Fault {
	if c == nil {
		return OtherThing()
	}
	if c.Service != ServiceData {
		return wrongService(ServiceData, c.Service)
	}
	if !c.ActsFor(r.Thing) {
		return c.denied(r.Operation, "things of that name")
	}
	if c.key.ReadOnly && r.Changes {
		return c.denied(r.Operation, "operations that change something")
	}
	return nil
}

// OtherThing is the refusal of a device's request for another thing.
func OtherThing() *edge.Fault {
	return fault(http.StatusForbidden, "Forbidden", "A device may use only its own thing name.")
}

// MayOperate returns a fault if the caller may not do an operation of the control plane; changes reports whether the operation
// changes something.
func (c *Caller) MayOperate(name string, changes bool) *edge.Fault {
	if c.key.Things != "" {
		return c.denied(name, "operations of the control plane")
	}
	if c.key.ReadOnly && changes {
		return c.denied(name, "operations that change something")
	}
	return nil
}

func (c *Caller) denied(operation, what string) *edge.Fault {
	return fault(http.StatusForbidden, "AccessDenied",
		"Access key %s is not authorized to perform %s:%s: it is not for %s; see jobs.access_keys_file.", c.ID(), c.Service, operation, what)
}
