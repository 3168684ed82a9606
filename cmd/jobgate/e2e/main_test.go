package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"jobgate/cmd/jobgate/gatetest"
)

// binary is the path of the command that TestMain builds.
var binary string

func TestMain(m *testing.M) {
	os.Exit(gatetest.Main(func(built string) int {
		binary = built
		return testMain(m)
	}))
}

func testMain(m *testing.M) int {
	code := m.Run()
	for _, leak := range logs.leaks() {
		fmt.Fprintln(os.Stderr, "--- FAIL: a log contains a secret:", leak)
		code = 1
	}
	return code
}

// logs has the output of all gateways, and the secrets that must not be in it.
var logs journal

// journal collects logs and secrets while the tests run. It is safe for concurrent use.
type journal struct {
	mu      sync.Mutex
	written []*gatetest.Buffer
	secrets map[string]bool
}

// watch adds logs to the journal.
func (j *journal) watch(logs ...*gatetest.Buffer) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.written = append(j.written, logs...)
}

// secret adds texts that no log may contain.
func (j *journal) secret(texts ...string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.secrets == nil {
		// The query parameters of presigned URLs, and the beginning of all of MinIO's session tokens.
		j.secrets = map[string]bool{"X-Amz-Signature": true, "X-Amz-Security-Token": true, "X-Amz-Credential": true, "eyJhbGciOi": true}
	}
	for _, s := range texts {
		if s != "" {
			j.secrets[s] = true
		}
	}
}

// held returns the secrets in text.
func (j *journal) held(text string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []string
	for s := range j.secrets {
		if strings.Contains(text, s) {
			found = append(found, s)
		}
	}
	return found
}

// leaks returns the log lines that contain a secret.
func (j *journal) leaks() []string {
	j.mu.Lock()
	written := append([]*gatetest.Buffer(nil), j.written...)
	j.mu.Unlock()
	var found []string
	for _, log := range written {
		text := log.String()
		if len(j.held(text)) == 0 {
			continue
		}
		for line := range strings.Lines(text) {
			if held := j.held(line); len(held) > 0 {
				found = append(found, fmt.Sprintf("%q in %s", held, line))
			}
		}
	}
	return found
}
