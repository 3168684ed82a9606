package miniotest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// RequireServers is the environment variable that turns a skipped test into a failed one.
const RequireServers = "JOBGATE_TEST_REQUIRE_SERVERS"

// Region is the region of the server's buckets and of its STS.
const Region = "us-east-1"

// Server is a running MinIO: S3 and STS at one address, plain HTTP, path style.
// It is safe for concurrent use and shared by all tests of a test process, so tests name
// their own buckets.
type Server struct {
	// URL is "http://127.0.0.1:port", without a trailing slash.
	URL string
	// Addr is "127.0.0.1:port".
	Addr string
	// Root are the long-lived credentials that may do everything and assume any role.
	Root aws.Credentials

	client *http.Client
	stop   func() // kept, so that the pipe that ties the server to this process is not garbage-collected
	unlock func() // kept as well: without it other processes would remove the data

	versioned sync.Map // bucket → true, by EnableVersioning
}

// shared is the one server of this test process.
var shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Start returns the test process's MinIO, which the first call starts. The server ends
// with the process. Without a server tb is skipped, or failed when the environment
// variable [RequireServers] is set.
func Start(tb testing.TB) *Server {
	tb.Helper()
	shared.once.Do(func() { shared.server, shared.err = start(tb.Logf) })
	if shared.err == nil {
		return shared.server
	}
	if os.Getenv(RequireServers) != "" {
		tb.Fatalf("no MinIO server, and %s is set: %v", RequireServers, shared.err)
	}
	tb.Skipf("no MinIO server (set %s to make this a failure): %v", RequireServers, shared.err)
	return nil
}

// start finds the binary and runs it. If another process takes the port between choice and
// start, it tries once more.
func start(logf func(string, ...any)) (*Server, error) {
	binary, err := findBinary(context.Background(), logf)
	if err != nil {
		return nil, err
	}
	for range 5 {
		var s *Server
		if s, err = startOnce(binary); err == nil {
			return s, nil
		}
	}
	return nil, err
}

func startOnce(binary string) (*Server, error) {
	dir, unlock, err := dataDir()
	if err != nil {
		return nil, fmt.Errorf("cannot make a data folder for MinIO: %w", err)
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, fmt.Errorf("cannot find a free loopback port for MinIO: %w", err)
	}
	s := &Server{
		URL:    "http://" + addr,
		Addr:   addr,
		Root:   aws.Credentials{AccessKeyID: "miniotest", SecretAccessKey: "miniotest-secret-key"},
		client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableCompression: true}},
	}
	cmd := exec.Command(binary, "server", "--quiet", "--address", addr, filepath.Join(dir, "data"))
	cmd.Env = []string{
		"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(),
		"MINIO_ROOT_USER=" + s.Root.AccessKeyID, "MINIO_ROOT_PASSWORD=" + s.Root.SecretAccessKey,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CI_CD=on",
	}
	logPath := filepath.Join(dir, "log")
	ended, stop, err := run(cmd, logPath)
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", binary, err)
	}
	s.stop, s.unlock = stop, unlock
	if err := s.waitReady(ended); err != nil {
		stop()
		out, _ := os.ReadFile(logPath)
		return nil, fmt.Errorf("cannot start %s: %w: %s", binary, err, lastLines(string(out), 5))
	}
	return s, nil
}

// run starts cmd, which ends with this process, with its output in logPath. The returned
// channel is closed when cmd ends. Linux ends the server together with the thread that
// started it, so that thread waits.
func run(cmd *exec.Cmd, logPath string) (ended <-chan struct{}, stop func(), err error) {
	out, err := os.Create(logPath)
	if err != nil {
		return nil, nil, err
	}
	cmd.Stdout, cmd.Stderr = out, out
	stop = endWithParent(cmd)
	started, done := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer close(done)
		defer func() { _ = out.Close() }()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is killed at the end: the error is of no use
		}
	}()
	return done, stop, <-started
}

// waitReady polls, for at most half a minute, until the server lists its buckets and, somewhat later, assumes roles.
func (s *Server) waitReady(ended <-chan struct{}) error {
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	var last error
	for {
		select {
		case <-ended:
			return errors.New("it ended at once")
		case <-deadline:
			return fmt.Errorf("it did not serve within 30s: %w", last)
		case <-tick.C:
		}
		res, err := s.doOnce(http.MethodGet, s.URL+"/", nil)
		if err == nil && res.status == http.StatusOK {
			res, err = s.assumeRole()
		}
		if err == nil && res.status == http.StatusOK {
			return nil
		}
		if last = err; err == nil {
			last = fmt.Errorf("status %d: %s", res.status, res.body)
		}
	}
}

// freeAddr returns a loopback address whose port was free a moment ago.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String(), nil
}

// dataDir creates a folder that stays locked while this process lives, and removes those
// of ended processes: a killed server cannot remove its own.
func dataDir() (dir string, unlock func(), err error) {
	const prefix = "jobgate-miniotest-"
	root := dataRoot()
	old, _ := filepath.Glob(filepath.Join(root, prefix+"*", "lock"))
	for _, lock := range old {
		if unlock, err := tryLockFile(lock); err == nil {
			_ = os.RemoveAll(filepath.Dir(lock))
			unlock()
		}
	}
	if dir, err = os.MkdirTemp(root, prefix); err != nil {
		return "", nil, err
	}
	// It gets the name that other processes look for once it is locked, not before.
	fresh := filepath.Join(dir, "lock.new")
	if unlock, err = lockFile(fresh); err != nil {
		return "", nil, err
	}
	return dir, unlock, os.Rename(fresh, filepath.Join(dir, "lock"))
}
