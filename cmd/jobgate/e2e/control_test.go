package e2e_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"jobgate/cmd/jobgate/gatetest"
	"jobgate/gateway/servertest"
)

var operatorKey = aws.Credentials{AccessKeyID: "AKIAOPERATOR", SecretAccessKey: "the operator's own secret"}

// writeKeys writes keys.yaml, which lists operatorKey.
func writeKeys(t *testing.T, folder string) {
	t.Helper()
	gatetest.WriteFile(t, folder, "keys.yaml", "access_keys: [{id: "+operatorKey.AccessKeyID+", secret: \""+operatorKey.SecretAccessKey+"\"}]\n")
}

// operate sends a request without a body, signed by an operator.
func operate(t *testing.T, c *http.Client, method, url string) (*http.Response, error) {
	t.Helper()
	return operateAs(t, c, operatorKey, method, url)
}

func operateAs(t *testing.T, c *http.Client, key aws.Credentials, method, url string) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	empty := sha256.Sum256(nil)
	if err := v4.NewSigner().SignHTTP(context.Background(), key, r, hex.EncodeToString(empty[:]), "iot", "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(r)
	if err == nil {
		t.Cleanup(func() { _ = res.Body.Close() })
	}
	return res, err
}

// TestRefusedCallers checks that refused callers are counted, and logged with AWS's error.
func TestRefusedCallers(t *testing.T) {
	t.Parallel()
	folder, config := allListeners(t, `{}`)
	g := serve(t, folder, []string{"AWS_REGION=us-east-1"}, config)
	denied := func() float64 {
		return g.metric(`jobgate_request_duration_seconds_count{outcome="denied",route="control"}`)
	}
	f := func(what string, key aws.Credentials, code string) {
		t.Helper()
		before := denied()
		res, err := operateAs(t, client, key, http.MethodGet, "http://"+g.Address("control")+"/jobs")
		if err != nil {
			t.Fatal(err)
		}
		if name := res.Header.Get("X-Amzn-ErrorType"); res.StatusCode != http.StatusForbidden || name != code+"Exception" {
			t.Errorf("%s: %s %s, want 403 %sException", what, res.Status, name, code)
		}
		servertest.Eventually(t, what+" is counted", func() bool { return denied() == before+1 })
		line := `level=WARN msg="request refused" status=403 error="` + code + `: `
		servertest.Eventually(t, "the log has "+line, func() bool { return strings.Contains(g.Log.String(), line) })
	}
	unknown, wrong := operatorKey, operatorKey
	unknown.AccessKeyID, wrong.SecretAccessKey = "AKIANOBODY", "another secret"
	f("an unknown key", unknown, "UnrecognizedClient")
	f("a wrong signature", wrong, "InvalidSignature")
	if log := g.Log.String(); strings.Contains(log, wrong.SecretAccessKey) || strings.Contains(log, operatorKey.SecretAccessKey) {
		t.Error("the log contains a secret")
	}
}

// TestControlTLS authenticates operators by certificates, and then renews the control plane's certificate.
func TestControlTLS(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	servers, operators, strangers := newAuthority(t, "servers"), newAuthority(t, "operators"), newAuthority(t, "strangers")
	renew := func(name string) {
		certificate, key := servers.issue(name)
		gatetest.WriteFile(t, folder, "control.crt", certificate)
		gatetest.WriteFile(t, folder, "control.key", key)
	}
	renew("first")
	gatetest.WriteFile(t, folder, "operators.crt", inPEM("CERTIFICATE", operators.cert.Raw))
	bundle := gatetest.WriteFile(t, folder, "servers.crt", inPEM("CERTIFICATE", servers.cert.Raw))
	writeKeys(t, folder)
	start := func(clientCA string) *gateway {
		return serve(t, folder, []string{"AWS_REGION=us-east-1"}, strings.NewReplacer("$DIR", folder, "$CA", clientCA).Replace(`
presign: {allow: ["arn:aws:s3:::b/*"]}
control: 127.0.0.1:0
control_tls: {cert_file: $DIR/control.crt, key_file: $DIR/control.key$CA}
jobs: {enabled: true, store: $DIR/jobs.db, access_keys_file: $DIR/keys.yaml}
`))
	}
	g := start(", client_ca_file: " + folder + "/operators.crt")
	f := func(who string, c *http.Client, want bool) {
		t.Helper()
		res, err := operate(t, c, http.MethodGet, "https://"+g.Address("control")+"/jobs")
		if (err == nil && res.StatusCode == http.StatusOK) != want {
			t.Errorf("%s: %v %v, want success %v", who, res, err, want)
		}
	}
	f("an operator", servers.client(operators, "me"), true)
	f("no certificate", servers.client(nil, ""), false)
	f("another authority's certificate", servers.client(strangers, "me"), false)
	certificate, key := operators.issue("me")
	follow(t, g, bundle, "--cert-file", gatetest.WriteFile(t, folder, "me.crt", certificate), "--key-file", gatetest.WriteFile(t, folder, "me.key", key))
	if res, err := operate(t, client, http.MethodGet, "http://"+g.Address("control")+"/jobs"); err == nil && res.StatusCode == http.StatusOK {
		t.Error("the control plane answers without TLS")
	}
	renew("second")
	servertest.Eventually(t, "the control plane uses its new certificate", func() bool {
		res, err := operate(t, servers.client(operators, "me"), http.MethodGet, "https://"+g.Address("control")+"/jobs")
		if err != nil {
			t.Fatalf("during the renewal of the certificate: %v", err)
		}
		return res.TLS.PeerCertificates[0].Subject.CommonName == "second"
	})
	g.Signal(syscall.SIGTERM)
	if code := g.Wait(); code != 0 {
		t.Errorf("exit %d", code)
	}

	// Without client_ca_file, a valid signature suffices. jobgate's own client trusts AWS_CA_BUNDLE.
	g = start("")
	f("no certificate", servers.client(nil, ""), true)
	follow(t, g, bundle)
}

// follow runs jobgate jobs watch until it follows the events of g. The authorities in bundle sign g's certificate.
func follow(t *testing.T, g *gateway, bundle string, flags ...string) {
	t.Helper()
	env := []string{"AWS_ACCESS_KEY_ID=" + operatorKey.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + operatorKey.SecretAccessKey, "AWS_CA_BUNDLE=" + bundle}
	watch := gatetest.Start(t, command(filepath.Dir(bundle), env, append([]string{"jobs", "watch", "--config", g.config, "--set", "control=" + g.Address("control")}, flags...)...))
	defer watch.End(syscall.SIGKILL)
	servertest.Eventually(t, "jobgate jobs watch follows over TLS", func() bool {
		return strings.Contains(watch.Log.String(), "following the jobs of https://"+g.Address("control"))
	})
}
