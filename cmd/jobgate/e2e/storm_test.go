//go:build unix

package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"jobgate/presigner/miniotest"
)

// stormRequests returns the number of devices that concurrently request one document that is not cached. On a busy machine,
// 10,000 cannot connect before the gateway gives up on STS.
func stormRequests() int {
	if os.Getenv("JOBGATE_TEST_QUIET_CLOCK") != "" {
		return 10_000
	}
	return 1_000
}

// storm is a fleet whose devices all connect and send requests at the same time.
type storm struct {
	requests int
	conns    int
	each     int // requests pipelined on each connection
	answered sync.WaitGroup
	good     atomic.Int64
	bad      sync.Map // answers that are not documents, by status line or error
}

// TestColdStorm has 1,000 devices (10,000 with JOBGATE_TEST_QUIET_CLOCK) concurrently request one document, with neither the
// document nor the role's session cached. There must be one load, one AssumeRole, and no error.
func TestColdStorm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.object("jobs/update.json", `{"url": "${aws:iot:s3-presigned-url:$S3/$BUCKET/fw.bin}"}`)
	s.object("fw.bin", "bytes")
	sts := newTap(t, s.proxy)
	// STS answers when all devices wait, but before the gateway gives up on it, ten seconds after its start.
	release := sync.OnceFunc(func() { close(sts.open) })
	late := time.AfterFunc(7*time.Second, release)
	defer late.Stop()
	g := s.serve(`
routes: [{path: "/things/{thingName}/{jobId}", document: "s3://$BUCKET/jobs/{jobId}.json", content_type: application/json}]
limits: {upstream_timeout: 40s}
cache: {role: download, fresh: 10m}
`+downloadRole, sts.env(), "JOBGATE_LOG_LEVEL=info")
	started := time.Now()
	fleet := askAll(t, g.devices, stormRequests())
	for g.metric("jobgate_requests_in_flight") < float64(fleet.conns) && time.Since(started) < 7*time.Second {
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("%d connections, %d requests on each, %v in flight after %v", fleet.conns, fleet.each, g.metric("jobgate_requests_in_flight"), time.Since(started).Round(time.Millisecond))
	release()
	fleet.answered.Wait()
	fleet.bad.Range(func(what, count any) bool {
		t.Errorf("%d requests: %s", count.(*atomic.Int64).Load(), what)
		return true
	})
	if n := fleet.good.Load(); n != int64(fleet.requests) {
		t.Errorf("%d documents, want %d", n, fleet.requests)
	}
	loads, sessions := s.proxy.Count(miniotest.Get, "/"+s.bucket+"/jobs/update.json"), s.proxy.Count(miniotest.AssumeRole, "")
	if loads != 1 || sessions != 1 {
		t.Errorf("%d loads and %d AssumeRole, want 1 and 1", loads, sessions)
	}
}

// askAll connects devices and sends requests. If the limit on open files does not allow a connection for each request, several
// are sent on each.
func askAll(t *testing.T, address string, requests int) *storm {
	t.Helper()
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	const others = 1000 // other open files of this process and the gateway
	s := &storm{requests: requests, each: 1}
	for uint64(requests/s.each+others) > uint64(files.Cur) && s.each < requests {
		s.each *= 10
	}
	s.conns = requests / s.each
	var dialing sync.WaitGroup
	for worker := range 32 {
		dialing.Go(func() {
			for i := worker; i < s.conns; i += 32 {
				conn, err := net.DialTimeout("tcp", address, 20*time.Second)
				if err != nil {
					t.Errorf("cannot connect: %v", err)
					return
				}
				_ = conn.SetDeadline(time.Now().Add(45 * time.Second))
				s.answered.Go(func() { s.device(conn, i) })
			}
		})
	}
	dialing.Wait()
	return s
}

// device sends a connection's requests and reads the answers.
func (s *storm) device(conn net.Conn, i int) {
	defer func() { _ = conn.Close() }()
	var requests strings.Builder
	for range s.each {
		fmt.Fprintf(&requests, "GET /things/sensor-%d/update HTTP/1.1\r\nHost: gateway\r\n\r\n", i)
	}
	if _, err := io.WriteString(conn, requests.String()); err != nil {
		s.count(err.Error())
	}
	answers := bufio.NewReader(conn)
	for range s.each {
		s.read(answers)
	}
}

func (s *storm) read(answers *bufio.Reader) {
	res, err := http.ReadResponse(answers, nil)
	if err != nil {
		s.count(err.Error())
		return
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), "X-Amz-Signature=") {
		s.count(fmt.Sprint(res.Status, " ", err))
		return
	}
	s.good.Add(1)
}

func (s *storm) count(what string) {
	n, _ := s.bad.LoadOrStore(what, new(atomic.Int64))
	n.(*atomic.Int64).Add(1)
}
