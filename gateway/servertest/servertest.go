// Package servertest runs other people's programs for tests: servers that the gateway talks to, tools that check what it
// does.
//
//	Program ──► exec.Cmd ──► Start (at a FreeAddress) ──► accepts connections ──► killed when the test ends
package servertest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// required is the environment variable that turns a skipped test into a failed one.
const required = "JOBGATE_TEST_REQUIRE_SERVERS"

// Missing skips a test because this machine lacks something, or fails it if JOBGATE_TEST_REQUIRE_SERVERS is set. The text
// says what is missing and how to get it.
func Missing(tb testing.TB, format string, args ...any) {
	tb.Helper()
	if os.Getenv(required) != "" {
		tb.Fatalf(format+" ("+required+" is set)", args...)
	}
	tb.Skipf(format, args...)
}

// Program returns the path of an installed program, also of one that is only in root's PATH. Without it the test is skipped or
// fails as with Missing, and says which of Debian's packages has it.
func Program(tb testing.TB, name, debian string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err != nil {
		Missing(tb, "%s is not installed: apt-get install %s", name, debian)
	}
	return path
}

// FreePort returns a loopback port that nobody listens on. The kernel does not assign it to others by itself (it assigns
// ports from 32768 on), so that it is still free when a server listens on it.
func FreePort() (int, error) {
	for attempt := 0; ; attempt++ {
		port := 20000 + rand.IntN(10000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, l.Close()
		}
		if attempt == 100 {
			return 0, fmt.Errorf("cannot find a free port: %w", err)
		}
	}
}

// FreeAddress is 127.0.0.1 with a port of FreePort.
func FreeAddress(tb testing.TB) string {
	tb.Helper()
	port, err := FreePort()
	if err != nil {
		tb.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// Serve listens at a loopback address, which it returns, until the test ends. Each connection is handle's, which runs on a
// goroutine of its own, and is closed after it.
func Serve(tb testing.TB, handle func(conn net.Conn)) (address string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }() // handle may have closed it
				handle(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// patience is how long a server may take to start on a busy machine.
const patience = time.Minute

// Start starts a server and waits until it accepts connections at address. It is killed when the test ends, or by stop,
// which waits until it has ended.
func Start(tb testing.TB, address string, cmd *exec.Cmd) (stop func()) {
	tb.Helper()
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed
		close(ended)
	}()
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	})
	tb.Cleanup(stop)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			return stop
		}
		select {
		case <-ended:
			tb.Fatalf("%s ended: %s", cmd.Path, output.String())
		default:
		}
		if time.Now().After(deadline) {
			stop()
			tb.Fatalf("%s does not accept connections at %s: %s", cmd.Path, address, output.String())
		}
	}
}
