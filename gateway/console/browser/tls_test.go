package browser

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"jobgate/gateway/servertest"
)

// sh runs a script in folder.
func sh(t *testing.T, folder, script string) {
	t.Helper()
	c := exec.Command("bash", "-euc", script)
	c.Dir = folder
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestClientCertificate: the page works if control requires a certificate, using only the browser's own store of
// certificates (NSS), in a separate home directory.
func TestClientCertificate(t *testing.T) {
	for program, debian := range map[string]string{"openssl": "openssl", "certutil": "libnss3-tools", "pk12util": "libnss3-tools"} {
		servertest.Program(t, program, debian)
	}
	folder := t.TempDir()
	sh(t, folder, `
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 1 -subj /CN=test-ca -addext keyUsage=critical,keyCertSign 2>/dev/null
for name in server operator; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.csr -subj /CN=$name 2>/dev/null
  openssl x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 1 -out $name.crt -extfile <(echo subjectAltName=IP:127.0.0.1; echo extendedKeyUsage=serverAuth,clientAuth) 2>/dev/null
done
openssl pkcs12 -export -in operator.crt -inkey operator.key -name operator -passout pass: -out operator.p12
mkdir -p .pki/nssdb
certutil -N -d sql:.pki/nssdb --empty-password
certutil -A -d sql:.pki/nssdb -n test-ca -t C,, -i ca.crt
pk12util -i operator.p12 -d sql:.pki/nssdb -W '' -K ''`)
	s := newSite(t, "control_tls: {cert_file: "+folder+"/server.crt, key_file: "+folder+"/server.key, client_ca_file: "+folder+"/ca.crt}\nconsole: true\n")

	policies := "/etc/chromium/policies/managed"
	if err := os.MkdirAll(policies, 0o755); err != nil {
		servertest.Missing(t, "choosing a certificate without a click needs a policy of Chromium's: run as root: %v", err)
	}
	policy := filepath.Join(policies, "jobgate-test.json")
	if err := os.WriteFile(policy, []byte(`{"AutoSelectCertificateForUrls": ["{\"pattern\":\"`+s.control+`\",\"filter\":{}}"]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(policy) })

	b := open(t, s.control, chromedp.Env("HOME="+folder))
	b.signedIn()
	b.visit("/feed")
	b.sees("live")
	b.visit("/things")
	b.press("Create thing…")
	b.fill("Name", "sensor:1")
	b.press("Create thing")
	b.sees("thing/sensor:1")
	b.secretIsNowhere()
}
