package main

import (
	"strings"
	"syscall"
	"testing"
)

// TestStartAndStopAreLogged: the log says that the gateway has stopped. It warns if devices download from another S3 than the
// one that templates are read from.
func TestStartAndStopAreLogged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	f := func(env []string, endpoint, want string, warned bool) {
		t.Helper()
		d := startDaemon(t, append(env, testAWS...), "serve", "--config", s.config, "--set", "presign.endpoint="+endpoint)
		d.Address("listen")
		if got := strings.Contains(d.Log.String(), "presign.endpoint: is not set, and AWS_ENDPOINT_URL_S3 is"); got != warned {
			t.Errorf("%v %q: warned %v\n%s", env, endpoint, got, d.Log)
		}
		d.Signal(syscall.SIGTERM)
		if code := d.Wait(); code != 0 || !strings.HasSuffix(d.Log.String(), want) {
			t.Errorf("exit %d\n%s", code, d.Log)
		}
	}
	store := []string{"AWS_ENDPOINT_URL_S3=http://127.0.0.1:9"}
	f(store, "", "msg=stopped\n", true)
	f(store, "http://127.0.0.1:9", "msg=stopped\n", false)
	f(nil, "", "msg=stopped\n", false)
}
