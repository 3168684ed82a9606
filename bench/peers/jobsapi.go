package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// The operator's access key, for this run only, and the role of conf/jobgate.yaml.
const (
	operatorID     = "AKIAOPERATOR00000001"
	operatorSecret = "an-example-that-opens-nothing-else"
	downloadRole   = "arn:aws:iam::123456789012:role/download"
)

// jobsGate is a jobgate with the IoT Jobs service.
type jobsGate struct {
	*process
	port, control, admin int
}

// startJobsGate starts jobgate on the store of s. sts is the URL that stands for STS.
func startJobsGate(ctx context.Context, o *options, s settings, sts string) (g *jobsGate, err error) {
	keys := fmt.Sprintf("access_keys:\n  - {id: %s, secret: %s}\n", operatorID, operatorSecret)
	if err := os.WriteFile(filepath.Join(o.folder, "access-keys.yaml"), []byte(keys), 0o600); err != nil {
		return nil, fmt.Errorf("cannot write the access keys: %w", err)
	}
	s.Memory, s.Folder = "normal", o.folder
	for _, port := range []*int{&s.Port, &s.Control, &s.Admin} {
		if *port, err = freePort(); err != nil {
			return nil, err
		}
	}
	path, err := write(o.folder, "jobgate.yaml", fmt.Sprintf("jobgate-%d.yaml", s.Port), s)
	if err != nil {
		return nil, err
	}
	core := o.serverCore
	switch {
	case s.unpinned:
		core = anyCore
	case s.client:
		core = o.loadCore
	}
	p, err := start("jobgate", core, append(awsEnvironment(), "AWS_ENDPOINT_URL_STS="+sts), o.jobgate, "serve", "--config", path)
	if err != nil {
		return nil, err
	}
	g = &jobsGate{process: p, port: s.Port, control: s.Control, admin: s.Admin}
	if _, err := g.answer(ctx, local(g.admin, "/readyz")); err != nil {
		g.stop()
		return nil, err
	}
	return g, nil
}

// operators keeps as many connections to control planes as fillGroups uses at once.
var operators = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: fillers}}

// call sends an operator's request to the control plane, signed, and reads its answer into out unless that is nil.
func (g *jobsGate) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, local(g.control, path), bytes.NewReader(body))
	if err != nil {
		return err
	}
	hash := sha256.Sum256(body)
	key := aws.Credentials{AccessKeyID: operatorID, SecretAccessKey: operatorSecret}
	if err := v4.NewSigner().SignHTTP(ctx, key, req, hex.EncodeToString(hash[:]), "iot", region, time.Now()); err != nil {
		return err
	}
	resp, err := operators.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // it was read
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// createJob creates a job for a group, and returns how long the call took.
func (g *jobsGate) createJob(ctx context.Context, id, group, document string) (time.Duration, error) {
	begun := time.Now()
	err := g.call(ctx, http.MethodPut, "/jobs/"+id, map[string]any{
		"targets": []string{"arn:aws:iot:" + region + ":000000000000:thinggroup/" + group}, "document": document,
		"presignedUrlConfig": map[string]any{"roleArn": downloadRole, "expiresInSec": 3600},
	}, nil)
	return time.Since(begun), err
}

// queued waits until a job has n executions that are queued.
func (g *jobsGate) queued(ctx context.Context, id string, n int) error {
	for {
		var d struct {
			Job struct {
				Details struct {
					Queued int `json:"numberOfQueuedThings"`
				} `json:"jobProcessDetails"`
			} `json:"job"`
		}
		if err := g.call(ctx, http.MethodGet, "/jobs/"+id, struct{}{}, &d); err != nil {
			return err
		}
		if d.Job.Details.Queued >= n {
			return nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// heap returns the bytes that are live in jobgate's heap after a collection.
func (g *jobsGate) heap(ctx context.Context) (int64, error) {
	// The second collection takes what the first one left in pools.
	for range 2 {
		if _, err := g.answer(ctx, local(g.admin, "/debug/pprof/heap?gc=1")); err != nil {
			return 0, err
		}
	}
	text, err := g.answer(ctx, local(g.admin, "/debug/pprof/heap?gc=1&debug=1"))
	if err != nil {
		return 0, err
	}
	return parseHeap(string(text))
}

// parseHeap finds the live heap in the text form of Go's heap profile.
func parseHeap(text string) (int64, error) {
	_, rest, found := strings.Cut(text, "\n# HeapAlloc = ")
	if !found {
		return 0, fmt.Errorf("there is no HeapAlloc in the heap profile of %d bytes", len(text))
	}
	number, _, _ := strings.Cut(rest, "\n")
	return strconv.ParseInt(number, 10, 64)
}

// assumeRole answers as STS's AssumeRole does, with the credentials of all.
func assumeRole(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/xml")
	_, _ = fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>`+
		`<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration>`+
		`</Credentials></AssumeRoleResult></AssumeRoleResponse>`,
		accessKeyID, secretKey, session, time.Now().Add(12*time.Hour).UTC().Format(time.RFC3339)) // jobgate tries again if it got no answer
}
