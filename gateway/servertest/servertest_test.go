package servertest

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// verdict is a testing.TB that records how a test ends.
type verdict struct {
	testing.TB
	fatal, skip string
}

func (v *verdict) Helper()        {}
func (v *verdict) Cleanup(func()) {}
func (v *verdict) Fatal(args ...any) {
	v.fatal = fmt.Sprint(args...)
	panic(v)
}

func (v *verdict) Fatalf(format string, args ...any) {
	v.fatal = fmt.Sprintf(format, args...)
	panic(v)
}

func (v *verdict) Skipf(format string, args ...any) {
	v.skip = fmt.Sprintf(format, args...)
	panic(v)
}

// run returns how a test that calls f ends.
func run(f func(tb testing.TB)) *verdict {
	v := new(verdict)
	func() {
		defer func() {
			if r := recover(); r != nil && r != any(v) {
				panic(r)
			}
		}()
		f(v)
	}()
	return v
}

func TestProgram(t *testing.T) {
	for _, need := range []string{"", "1"} {
		t.Setenv(required, need)
		v := run(func(tb testing.TB) { Program(tb, "no-such-program", "some-package") })
		message := v.skip
		if need != "" {
			message = v.fatal
		}
		if !strings.Contains(message, "apt-get install some-package") || (v.skip == "") != (need != "") {
			t.Errorf("%s=%q: failed with %q, skipped with %q", required, need, v.fatal, v.skip)
		}
		if v := run(func(tb testing.TB) { Program(tb, "sh", "dash") }); v.fatal != "" || v.skip != "" {
			t.Errorf("%s=%q: sh: failed with %q, skipped with %q", required, need, v.fatal, v.skip)
		}
	}
}

// TestMain also runs the server of TestStart, which writes "hello" to each connection.
func TestMain(m *testing.M) {
	address := os.Getenv("SERVERTEST_ADDRESS")
	if address == "" {
		os.Exit(m.Run())
	}
	l, err := net.Listen("tcp", address) // Serve does not take an address
	for err == nil {
		var c net.Conn
		if c, err = l.Accept(); err == nil {
			_, _ = io.WriteString(c, "hello")
			_ = c.Close()
		}
	}
	fmt.Println("no listener:", err)
	os.Exit(1)
}

func TestEventually(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, asked := time.Now(), 0
		if v := run(func(tb testing.TB) { Eventually(tb, "3", func() bool { asked++; return asked == 3 }) }); v.fatal != "" || asked != 3 {
			t.Errorf("asked %d times, want 3; failed with %q", asked, v.fatal)
		}
		v := run(func(tb testing.TB) { Eventually(tb, "never", func() bool { return false }) })
		if took := time.Since(began); !strings.Contains(v.fatal, "never") || took < patience || took > patience+time.Second {
			t.Errorf("failed after %v with %q", took, v.fatal)
		}
	})
}

func TestServe(t *testing.T) {
	address := Serve(t, func(conn net.Conn) { _, _ = io.CopyN(conn, conn, 5) })
	for _, text := range []string{"hello", "world"} {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_, err = io.WriteString(conn, text)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(conn); string(got) != text || err != nil {
			t.Errorf("read %q, %v, want %q", got, err, text)
		}
		_ = conn.Close()
	}
}

func TestStart(t *testing.T) {
	command := func(address string) *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SERVERTEST_ADDRESS="+address)
		return cmd
	}
	address := FreeAddress(t)
	stop := Start(t, address, command(address))
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(conn); string(text) != "hello" || err != nil {
		t.Errorf("read %q, %v, want \"hello\"", text, err)
	}
	_ = conn.Close()
	stop()
	stop()
	if conn, err := net.Dial("tcp", address); err == nil {
		_ = conn.Close()
		t.Error("the server still listens after stop")
	}
	if v := run(func(tb testing.TB) { Start(tb, address, command("not an address")) }); !strings.Contains(v.fatal, "no listener") {
		t.Errorf("a server that exits: %q", v.fatal)
	}
}
