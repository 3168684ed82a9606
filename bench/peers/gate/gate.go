// Package gate runs a jobgate with the IoT Jobs service and makes an operator's calls to it.
//
//	MakeStore: things and groups by API calls ─▶ Start ─▶ CreateJob, Queued, Heap
package gate

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
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"jobgate/bench/peers/account"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/setup"
)

// The operator's access key, for this run only, and the role of server/conf/jobgate.yaml.
const (
	OperatorID     = "AKIAOPERATOR00000001"
	OperatorSecret = "an-example-that-opens-nothing-else"
	downloadRole   = "arn:aws:iam::123456789012:role/download"
)

// Gate is a jobgate with the IoT Jobs service.
type Gate struct {
	*process.Process
	Port, control, Admin int
	MQTT                 int // 0: not served
}

// Start starts jobgate on the store of s. sts is the URL of a server in place of STS.
func Start(ctx context.Context, o *setup.Options, s server.Settings, sts string) (g *Gate, err error) {
	keys := fmt.Sprintf("access_keys:\n  - {id: %s, secret: %s}\n", OperatorID, OperatorSecret)
	if err := os.WriteFile(filepath.Join(o.Folder, "access-keys.yaml"), []byte(keys), 0o600); err != nil {
		return nil, fmt.Errorf("cannot write the access keys: %w", err)
	}
	s.Memory, s.Folder = "normal", o.Folder
	ports := []*int{&s.Port, &s.Control, &s.Admin}
	if s.WithMQTT {
		ports = append(ports, &s.MQTT)
	}
	for _, port := range ports {
		if *port, err = process.FreePort(); err != nil {
			return nil, err
		}
	}
	path, err := server.Write(o.Folder, "jobgate.yaml", fmt.Sprintf("jobgate-%d.yaml", s.Port), s)
	if err != nil {
		return nil, err
	}
	core := o.ServerCore
	switch {
	case s.Unpinned:
		core = process.AnyCore
	case s.Client:
		core = o.LoadCore
	}
	p, err := process.Start("jobgate", core, append(account.Environment(), "AWS_ENDPOINT_URL_STS="+sts), o.Jobgate, "serve", "--config", path)
	if err != nil {
		return nil, err
	}
	g = &Gate{Process: p, Port: s.Port, control: s.Control, Admin: s.Admin, MQTT: s.MQTT}
	if _, err := g.Answer(ctx, process.URL(g.Admin, "/readyz")); err != nil {
		g.Stop()
		return nil, err
	}
	return g, nil
}

// operators keeps as many idle connections to control planes as FillGroups has concurrent calls.
var operators = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: fillers}}

// Call sends an operator's signed request to the control plane and decodes the answer into out, unless out is nil.
func (g *Gate) Call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, process.URL(g.control, path), bytes.NewReader(body))
	if err != nil {
		return err
	}
	hash := sha256.Sum256(body)
	key := aws.Credentials{AccessKeyID: OperatorID, SecretAccessKey: OperatorSecret}
	if err := v4.NewSigner().SignHTTP(ctx, key, req, hex.EncodeToString(hash[:]), "iot", account.Region, time.Now()); err != nil {
		return err
	}
	resp, err := operators.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // read to its end
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

// Heap returns the live bytes in jobgate's heap after a garbage collection.
func (g *Gate) Heap(ctx context.Context) (int64, error) {
	// sync.Pool frees its objects only after the second collection.
	for range 2 {
		if _, err := g.Answer(ctx, process.URL(g.Admin, "/debug/pprof/heap?gc=1")); err != nil {
			return 0, err
		}
	}
	text, err := g.Answer(ctx, process.URL(g.Admin, "/debug/pprof/heap?gc=1&debug=1"))
	if err != nil {
		return 0, err
	}
	return parseHeap(string(text))
}

// parseHeap finds the live heap in the text form of Go's heap profile.
func parseHeap(text string) (int64, error) {
	_, rest, found := strings.Cut(text, "\n# HeapAlloc = ")
	if !found {
		return 0, fmt.Errorf("the heap profile of %d bytes has no HeapAlloc", len(text))
	}
	number, _, _ := strings.Cut(rest, "\n")
	return strconv.ParseInt(number, 10, 64)
}
