//go:build clients

package fleet_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/servertest"
)

// TestClients runs jobs from creation to completion with AWS's own clients. nginx sends each request to the next of three
// gateways. The test needs the tools of gateway/jobs/api/clients/run.sh, and nginx, and takes about two minutes.
func TestClients(t *testing.T) {
	_, url := startServer(t)
	folder := t.TempDir()
	const key, secret = "AKIAJOBGATECLIENTS01", "secret-of-the-clients-test"
	keys := filepath.Join(folder, "keys.yaml")
	if err := os.WriteFile(keys, fmt.Appendf(nil, "access_keys:\n  - {id: %s, secret: %s}\n", key, secret), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFleet(t, 3, url, url, "access_keys_file: "+keys)
	front := balance(t, folder, f.gateways)

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, "../../../gateway/jobs/api/clients/run.sh", "http://"+front)
	run.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+key, "AWS_SECRET_ACCESS_KEY="+secret, "AWS_REGION=us-east-1")
	text, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	t.Logf("%s", text)
	for i, g := range f.gateways {
		admin := g.at("admin")
		if _, body, _ := get("http://" + admin + "/metrics"); !strings.Contains(body, `jobgate_request_duration_seconds_count{outcome="ok",route="control"`) {
			t.Errorf("gateway %d got no requests", i)
		}
	}
	if r, err := f.engine.Check(t.Context()); err != nil || len(r.Faults) > 0 {
		t.Errorf("the store is inconsistent: %+v %v", r.Faults, err)
	}
}

// balance starts nginx, which sends each request to the next gateway's control plane, and returns nginx's address.
func balance(t *testing.T, folder string, gateways []*gateway) string {
	t.Helper()
	address := servertest.FreeAddress(t)
	var servers strings.Builder
	for _, g := range gateways {
		fmt.Fprintf(&servers, "server %s max_fails=0; ", g.at("control"))
	}
	configuration := filepath.Join(folder, "nginx.conf")
	text := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/nginx.pid; error_log stderr warn;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	upstream gateways { %[2]s }
	server {
		listen %[3]s;
		location / {
			proxy_pass http://gateways;
			proxy_http_version 1.1;
			proxy_set_header Host $http_host; # the signature covers it
			proxy_buffering off;
		}
	}
}
`, folder, &servers, address)
	if err := os.WriteFile(configuration, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	servertest.Start(t, address, exec.Command(servertest.Program(t, "nginx", "nginx-light"), "-e", "stderr", "-c", configuration))
	return address
}
