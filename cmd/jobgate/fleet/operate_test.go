package fleet_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

var operator = aws.Credentials{AccessKeyID: "AKIAOPERATOR", SecretAccessKey: "the operator's own secret"}

// operators returns the settings of jobs that allow operator to call the control plane.
func (f *fleet) operators() []string {
	f.Helper()
	keys := filepath.Join(f.TempDir(), "keys.yaml")
	if err := os.WriteFile(keys, fmt.Appendf(nil, "access_keys: [{id: %s, secret: %q}]\n", operator.AccessKeyID, operator.SecretAccessKey), 0o600); err != nil {
		f.Fatal(err)
	}
	return []string{"access_keys_file: " + keys}
}

// createAt creates a job at a gateway. It tries again while the answer is 503 with Retry-After.
func (f *fleet) createAt(g *gateway, id, document string, things ...string) error {
	url := "http://" + g.at("control") + "/jobs/" + id
	targets := make([]string, len(things))
	for i, thing := range things {
		targets[i] = f.service.Names().ThingARN(thing)
	}
	body, err := json.Marshal(map[string]any{"targets": targets, "document": document})
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		r, err := http.NewRequestWithContext(f.Context(), http.MethodPut, url, strings.NewReader(string(body)))
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		if err := v4.NewSigner().SignHTTP(f.Context(), operator, r, hex.EncodeToString(sum[:]), "iot", "us-east-1", time.Now()); err != nil {
			return err
		}
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		_ = answer.Body.Close()
		switch {
		case answer.StatusCode == http.StatusOK:
			return nil
		case answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" || time.Now().After(deadline):
			return fmt.Errorf("%s: status %d", id, answer.StatusCode)
		}
	}
}
