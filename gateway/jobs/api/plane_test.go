package api

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/valyala/fasthttp"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/api/access"
	"jobgate/gateway/jobs/api/control"
	"jobgate/gateway/jobs/api/data"
	"jobgate/gateway/jobs/api/events"
	"jobgate/gateway/jobs/api/model"
	"jobgate/gateway/jobs/documents"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/rules"
	"jobgate/gateway/jobs/sqlite"
	"jobgate/gateway/signing/signingtest"
	"jobgate/gateway/target"
)

// countingStore counts the calls that may change something.
type countingStore struct {
	jobs.Store
	writes atomic.Int64
}

func (s *countingStore) CreateThings(ctx context.Context, t []jobs.Thing) error {
	s.writes.Add(1)
	return s.Store.CreateThings(ctx, t)
}

func (s *countingStore) DeleteThing(ctx context.Context, name string, version int64, now time.Time) ([]jobs.Execution, error) {
	s.writes.Add(1)
	return s.Store.DeleteThing(ctx, name, version, now)
}

func (s *countingStore) UpdateThing(ctx context.Context, name string, version int64, change func(*jobs.Thing)) error {
	s.writes.Add(1)
	return s.Store.UpdateThing(ctx, name, version, change)
}

func (s *countingStore) UpdateGroup(ctx context.Context, name string, version int64, change func(*jobs.Group)) (int64, error) {
	s.writes.Add(1)
	return s.Store.UpdateGroup(ctx, name, version, change)
}

func (s *countingStore) CreateGroup(ctx context.Context, g jobs.Group, tags []jobs.Tag) error {
	s.writes.Add(1)
	return s.Store.CreateGroup(ctx, g, tags)
}

func (s *countingStore) DeleteGroup(ctx context.Context, name string, version int64, now time.Time) error {
	s.writes.Add(1)
	return s.Store.DeleteGroup(ctx, name, version, now)
}

func (s *countingStore) ChangeMembers(ctx context.Context, c jobs.MemberChange) (jobs.MemberResult, error) {
	s.writes.Add(1)
	return s.Store.ChangeMembers(ctx, c)
}

func (s *countingStore) CreateJob(ctx context.Context, j jobs.NewJob) (*jobs.Job, error) {
	s.writes.Add(1)
	return s.Store.CreateJob(ctx, j)
}

func (s *countingStore) RetryJob(ctx context.Context, n jobs.NewRetry) (*jobs.Job, bool, error) {
	j, made, err := s.Store.RetryJob(ctx, n)
	if err == nil {
		s.writes.Add(1)
	}
	return j, made, err
}

func (s *countingStore) SwapJob(ctx context.Context, j jobs.Job) (*jobs.Job, error) {
	s.writes.Add(1)
	return s.Store.SwapJob(ctx, j)
}

func (s *countingStore) Swap(ctx context.Context, swaps []jobs.Swap) error {
	s.writes.Add(1)
	return s.Store.Swap(ctx, swaps)
}

func (s *countingStore) DeleteExecution(ctx context.Context, e jobs.Execution) error {
	s.writes.Add(1)
	return s.Store.DeleteExecution(ctx, e)
}

func (s *countingStore) CreateTemplate(ctx context.Context, t jobs.JobTemplate, tags []jobs.Tag) error {
	s.writes.Add(1)
	return s.Store.CreateTemplate(ctx, t, tags)
}

func (s *countingStore) DeleteTemplate(ctx context.Context, id string) error {
	s.writes.Add(1)
	return s.Store.DeleteTemplate(ctx, id)
}

func (s *countingStore) SetTags(ctx context.Context, r jobs.Resource, tags []jobs.Tag) error {
	s.writes.Add(1)
	return s.Store.SetTags(ctx, r, tags)
}

func (s *countingStore) RemoveTags(ctx context.Context, r jobs.Resource, keys []string) error {
	s.writes.Add(1)
	return s.Store.RemoveTags(ctx, r, keys)
}

// oneRole lists testRole, for every object.
type oneRole struct{}

func (oneRole) DocumentOptions(roleARN string) (jobdoc.Options, bool) {
	return jobdoc.Options{}, roleARN == "" || roleARN == testRole
}

// plane is a control plane with its data plane and store.
type plane struct {
	t        *testing.T
	store    *countingStore
	service  *operations.Service
	data     *data.Plane
	verifier *access.Verifier
	events   events.Config
	control  *Listener
	now      time.Time
}

var testNames = jobs.Names{Region: "us-east-1", Account: "123456789012"}

func newPlane(t *testing.T) *plane {
	t.Helper()
	engine, err := sqlite.Open(context.Background(), sqlite.Options{Path: filepath.Join(t.TempDir(), "jobs.db"), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	p := &plane{t: t, store: &countingStore{Store: rules.Over(engine)}, now: testTime}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	documentSource := func(_ context.Context, url string) ([]byte, error) { return []byte(`{"from":"` + url + `"}`), nil }
	if p.service, err = operations.New(operations.Config{Store: p.store, Names: testNames, Roles: oneRole{}, Fetch: documentSource}); err != nil {
		t.Fatal(err)
	}
	keys, err := access.ParseKeys([]byte(keyFileText))
	if err != nil {
		t.Fatal(err)
	}
	if p.verifier, err = access.NewVerifier(testNames.Region, keys); err != nil {
		t.Fatal(err)
	}
	p.data, err = data.New(data.Config{Service: p.service, Documents: documents.New(documents.Config{Authority: signingtest.NewAuthority(t)})})
	if err != nil {
		t.Fatal(err)
	}
	p.events = events.Config{Service: p.service, Verifier: p.verifier}
	p.listen()
	return p
}

// listen creates the listener's handler again.
func (p *plane) listen() {
	p.t.Helper()
	operations, err := control.New(control.Config{Service: p.service})
	if err != nil {
		p.t.Fatal(err)
	}
	stream, err := events.New(p.events)
	if err != nil {
		p.t.Fatal(err)
	}
	p.control, err = New(Config{Control: operations, Data: p.data, Events: stream, Verifier: p.verifier, Clock: func() time.Time { return p.now }})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(p.control.Close)
}

var testTime = time.Date(2026, 11, 23, 12, 0, 0, 250e6, time.UTC)

const testRole = "arn:aws:iam::123456789012:role/download"

// signature says how a request is signed; the zero value is an operator's signature for the control plane.
type signature struct {
	id, secret, service, region, token string
	late                               time.Duration // how long before now it was signed
	none                               bool
}

var (
	operator  = signature{id: "AKIAOPERATOR00000001", secret: "operators-secret-0001"}
	dashboard = signature{id: "AKIADASHBOARD0000001", secret: "dashboards-secret-01"}
	sensor    = signature{id: "AKIASENSOR0000000001", secret: "sensors-secret-00001", service: access.ServiceData}
)

// asDevice returns s for the data plane.
func (s signature) asDevice() signature {
	s.service = access.ServiceData
	return s
}

// prepare signs a request and stores it in ctx.
func (s signature) prepare(tb testing.TB, ctx *fasthttp.RequestCtx, now time.Time, method, uri, body string) {
	req, err := http.NewRequest(method, "http://localhost"+uri, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	if s.service == "" {
		s.service = access.ServiceControl
	}
	if s.region == "" {
		s.region = testNames.Region
	}
	digest := sha256.Sum256([]byte(body))
	credentials := aws.Credentials{AccessKeyID: s.id, SecretAccessKey: s.secret, SessionToken: s.token}
	err = v4.NewSigner().SignHTTP(context.Background(), credentials, req, hex.EncodeToString(digest[:]), s.service, s.region, now.Add(-s.late))
	if err != nil {
		tb.Fatal(err)
	}
	if s.none {
		req.Header = http.Header{}
	}
	// As received: parsed by the server's own parser.
	var wire bytes.Buffer
	fmt.Fprintf(&wire, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n", method, uri, len(body))
	if err := req.Header.Write(&wire); err != nil {
		tb.Fatal(err)
	}
	wire.WriteString("\r\n" + body)
	ctx.Request.Reset()
	ctx.Response.Reset()
	if err := ctx.Request.Read(bufio.NewReader(&wire)); err != nil {
		tb.Fatal(err)
	}
}

// tick makes the service take the steps that are due, as the driver does within a second.
func (p *plane) tick() {
	p.t.Helper()
	if err := p.service.Driver().Tick(context.Background(), p.now); err != nil {
		p.t.Fatal(err)
	}
}

// do makes one request.
func (p *plane) do(s signature, method, uri, body string) *fasthttp.Response {
	p.t.Helper()
	var ctx fasthttp.RequestCtx
	s.prepare(p.t, &ctx, p.now, method, uri, body)
	p.control.Handle(&ctx)
	return &ctx.Response
}

// ok makes a request that must succeed, decodes its answer, and checks it against the model.
func (p *plane) ok(s signature, method, uri, body string) map[string]any {
	p.t.Helper()
	r := p.do(s, method, uri, body)
	if r.StatusCode() != http.StatusOK || len(r.Header.Peek("X-Amzn-RequestId")) != 36 {
		p.t.Fatalf("%s %s: %d %s", method, uri, r.StatusCode(), r.Body())
	}
	var answer map[string]any
	if len(r.Body()) > 0 {
		d := json.NewDecoder(strings.NewReader(string(r.Body())))
		d.UseNumber()
		if err := d.Decode(&answer); err != nil {
			p.t.Fatalf("%s %s: %v: %s", method, uri, err, r.Body())
		}
	}
	p.checkOutput(s, method, uri, answer)
	return answer
}

// checkOutput checks an answer against the model: its members exist there, with their types and bounds.
func (p *plane) checkOutput(s signature, method, uri string, answer map[string]any) {
	p.t.Helper()
	op := operationOf(p.t, s, method, uri)
	output := model.Shape{Kind: model.KindStructure, Members: op.Output}
	var f model.Faults
	clean := output.Check(&f, op.Name, answer)
	if len(f.List) > 0 && answer != nil {
		p.t.Errorf("%s answers %v", op.Name, f.List)
	}
	before, _ := json.Marshal(answer)
	after, _ := json.Marshal(clean)
	if answer != nil && string(before) != string(after) {
		p.t.Errorf("%s answers with members that the model lacks:\n%s\nmodel: %s", op.Name, before, after)
	}
}

// operationOf returns the operation of a method and a path, on the plane that s signs for.
func operationOf(t *testing.T, s signature, method, uri string) *model.Operation {
	t.Helper()
	var asked target.Target
	if err := asked.Parse([]byte(uri)); err != nil {
		t.Fatal(err)
	}
	segments := make([]string, len(asked.Segments()))
	for i, segment := range asked.Segments() {
		segments[i] = string(segment)
	}
	for _, op := range operationsOf(t, s) {
		if op.Matches(method, segments) {
			return op
		}
	}
	t.Fatalf("there is no operation %s %s", method, uri)
	return nil
}

// operationsOf returns the operations of the plane that s signs for.
func operationsOf(t *testing.T, s signature) []*model.Operation {
	t.Helper()
	models := []func() (*model.Model, error){model.Control, model.Own}
	if s.service == access.ServiceData {
		models = models[:1]
		models[0] = model.Data
	}
	var all []*model.Operation
	for _, read := range models {
		m, err := read()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m.Operations...)
	}
	return all
}

// get returns a member of an answer by its path, "job.status".
func get(answer map[string]any, path string) any {
	var v any = answer
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

// expect checks members of an answer: pairs of a path and a value, numbers as text.
func expect(t *testing.T, what string, answer map[string]any, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		got := get(answer, pairs[i])
		if n, ok := got.(json.Number); ok {
			got = n.String()
		}
		text, ok := got.(string)
		if !ok && got != nil {
			b, _ := json.Marshal(got)
			text = string(b)
		}
		if text != pairs[i+1] {
			t.Errorf("%s: %s is %q, want %q", what, pairs[i], text, pairs[i+1])
		}
	}
}

const keyFileText = `
access_keys:
  - id: AKIAOPERATOR00000001
    secret: operators-secret-0001
  - {id: AKIADASHBOARD0000001, secret: dashboards-secret-01, read_only: true}
  - id: AKIASENSOR0000000001
    secret: sensors-secret-00001
    things: "sensor*:a*"
`
