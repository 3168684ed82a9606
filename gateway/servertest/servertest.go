// Package servertest runs third-party programs for tests: servers that the gateway connects to, and tools that check its
// output.
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

// Missing skips a test because a program or file is missing on this machine, or fails it if JOBGATE_TEST_REQUIRE_SERVERS is
// set. The text says what is missing and how to get it.
func Missing(tb testing.TB, format string, args ...any) {
	tb.Helper()
	if os.Getenv(required) != "" {
		tb.Fatalf(format+" ("+required+" is set)", args...)
	}
	tb.Skipf(format, args...)
}

// Program returns the path of an installed program, including one that is only in root's PATH. If the program is not
// installed, Program calls Missing with the name of its Debian package.
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

// FreePort returns a loopback port that no process listens on. It is below the kernel's ephemeral ports, which start at
// 32768, so it is most likely still free when the server binds it.
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

// FreeAddress returns 127.0.0.1 with a port from FreePort.
func FreeAddress(tb testing.TB) string {
	tb.Helper()
	port, err := FreePort()
	if err != nil {
		tb.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// Serve listens on a loopback address until the test ends, and returns the address. It calls handle for each connection, in
// a new goroutine, and closes the connection when handle returns.
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

// startTimeout is how long a server may take to start on a busy machine.
const startTimeout = time.Minute

// Start starts a server and waits until it accepts connections at address. The server is killed when the test ends, or by
// stop, which waits for its exit.
func Start(tb testing.TB, address string, cmd *exec.Cmd) (stop func()) {
	tb.Helper()
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the error is that of the kill
		close(ended)
	}()
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // the process may have exited already
		<-ended
	})
	tb.Cleanup(stop)
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(10 * time.Millisecond) {
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
