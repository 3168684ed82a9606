// Package pgtest runs a PostgreSQL server for tests.
//
//	New(tb) ──► initdb, once a process ──► postgres on a loopback port ──► CREATE DATABASE, one a test ──► its URL
//	Prepared(tb, prepare): the same, as a copy of one that was prepared once
//
// It needs Debian's package postgresql, or any installation whose programs it finds. The server is a child of the test
// process and its data a temporary folder; both go with the process. initdb refuses root, so as root it runs as the user
// postgres, else nobody.
package pgtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"jobgate/gateway/servertest"
)

// Server is a running PostgreSQL. Its superuser is postgres, without a password.
type Server struct {
	Port     int
	Folder   string   // its data
	Careless bool     // see Start
	Settings []string // "name=value", beside those of every server here; Run uses them
	Core     string   // the processor that the server and its children run on, as taskset has it; "": any; Run uses it

	programs string // the folder of the server's programs
	as       *syscall.SysProcAttr
	cmd      *exec.Cmd
	ended    chan struct{}
	log      bytes.Buffer
}

var shared struct {
	once   sync.Once
	server *Server
	err    error
	made   atomic.Int64
}

// New returns the URL of a new, empty database on the test process's server, which the first call starts.
func New(tb testing.TB) string {
	tb.Helper()
	shared.once.Do(func() { shared.server, shared.err = Start(os.TempDir(), true) })
	Require(tb, shared.err)
	return shared.server.Database(tb, fmt.Sprintf("test%d", shared.made.Add(1)))
}

// Prepared returns the URL of a new database, a copy of one that prepare has prepared once in the process: copying is faster.
// All calls in a process must pass the same prepare, which leaves no connection open.
func Prepared(tb testing.TB, prepare func(url string) error) string {
	tb.Helper()
	template.once.Do(func() {
		url := New(tb)
		template.name, template.err = url[strings.LastIndexByte(url, '/')+1:strings.IndexByte(url, '?')], prepare(url)
	})
	if shared.err != nil || template.err != nil {
		Require(tb, shared.err)
		tb.Fatal(template.err)
	}
	return shared.server.Database(tb, fmt.Sprintf("test%d TEMPLATE %s", shared.made.Add(1), template.name))
}

var template struct {
	once sync.Once
	name string
	err  error
}

// Require skips the test if err says that there is no server, or fails it where servers are required.
func Require(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		servertest.Missing(tb, "no PostgreSQL: %v: apt-get install postgresql", err)
	}
}

// Database creates an empty database and returns its URL. name may be followed by options of CREATE DATABASE.
func (s *Server) Database(tb testing.TB, name string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err == nil {
		_, err = conn.Exec(ctx, "CREATE DATABASE "+name)
		err = errors.Join(err, conn.Close(ctx))
	}
	if err != nil {
		tb.Fatal(err)
	}
	name, _, _ = strings.Cut(name, " ")
	return s.URL(name)
}

// URL returns a database's URL.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.Port, database)
}

// Start creates a server with a folder under parent, and starts it. A careless one does not wait for the disk: commits
// survive the server's process, but not the machine. All servers of a process have one system identifier.
func Start(parent string, careless bool) (*Server, error) {
	seed.once.Do(func() {
		s := &Server{}
		seed.err = s.place(os.TempDir(), "")
		seed.folder = s.Folder
	})
	if seed.err != nil {
		return nil, seed.err
	}
	return start(parent, careless, seed.folder)
}

// StartApart is Start for a server with a system identifier of its own.
func StartApart(parent string, careless bool) (*Server, error) {
	return start(parent, careless, "")
}

func start(parent string, careless bool, copied string) (*Server, error) {
	s := &Server{Careless: careless}
	err := s.place(parent, copied)
	if err != nil {
		return nil, err
	}
	for range 5 { // another process may take the port first
		if err = s.Run(); err == nil {
			return s, nil
		}
	}
	return nil, err
}

// seed is the data of a server that never ran. The others are copies: initdb takes ten times as long.
var seed struct {
	once   sync.Once
	folder string
	err    error
}

// place creates the server's folder under parent, and its data: a copy, or by initdb if copied is "".
func (s *Server) place(parent, copied string) error {
	if err := s.find(); err != nil {
		return err
	}
	sweep(parent)
	folder, err := os.MkdirTemp(parent, folderPrefix)
	if err != nil {
		return err
	}
	s.Folder = filepath.Join(folder, "data")
	if err := s.runAs(folder); err != nil {
		return err
	}
	fill := s.command("initdb", "-D", s.Folder, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
	if copied != "" {
		fill = s.command("cp", "-pR", copied, s.Folder)
	}
	if text, err := fill.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", fill.Path, err, text)
	}
	return nil
}

const folderPrefix = "jobgate-postgres-"

// sweep removes folders of test processes that ended without removing them.
func sweep(parent string) {
	old, _ := filepath.Glob(filepath.Join(parent, folderPrefix+"*"))
	for _, folder := range old {
		info, err := os.Stat(folder)
		if err != nil || time.Since(info.ModTime()) < time.Hour {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, "data", "postmaster.pid"))
		if err == nil {
			line, _, _ := strings.Cut(string(text), "\n")
			if pid, err := strconv.Atoi(line); err == nil && syscall.Kill(pid, 0) == nil {
				continue
			}
		}
		_ = os.RemoveAll(folder) // another may do it at the same time
	}
}

// Remove ends the server at once and removes its folder.
func (s *Server) Remove() {
	s.Stop(syscall.SIGQUIT)
	_ = os.RemoveAll(filepath.Dir(s.Folder))
}

// find looks for the server's programs, of which Debian has a folder for each version.
func (s *Server) find() error {
	if path, err := exec.LookPath("initdb"); err == nil {
		s.programs = filepath.Dir(path)
		return nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return errors.New("initdb is not in PATH, nor under /usr/lib/postgresql")
	}
	version := func(path string) int { n, _ := strconv.Atoi(strings.Split(path, "/")[4]); return n }
	s.programs = filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(version(a), version(b)) }))
	return nil
}

// runAs chooses the user to run as, and makes it the folder's owner.
func (s *Server) runAs(folder string) error {
	if os.Getuid() != 0 {
		return nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		if who, err = user.Lookup("nobody"); err != nil {
			return err
		}
	}
	uid, _ := strconv.Atoi(who.Uid)
	gid, _ := strconv.Atoi(who.Gid)
	s.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}} //nolint:gosec // ids of the system
	return os.Chown(folder, uid, gid)
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	program := filepath.Join(s.programs, name)
	if _, err := os.Stat(program); err != nil { // initdb was a link: the others are where it leads, or in PATH
		if real, err := filepath.EvalSymlinks(filepath.Join(s.programs, "initdb")); err == nil {
			program = filepath.Join(filepath.Dir(real), name)
		}
		if path, err := exec.LookPath(name); err == nil {
			program = path
		}
	}
	cmd := exec.Command(program, args...) //nolint:gosec // the server's own programs
	attr := syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if s.as != nil {
		attr.Credential = s.as.Credential
	}
	cmd.SysProcAttr, cmd.Dir = &attr, filepath.Dir(s.Folder)
	return cmd
}

// Run starts the server, on the port that it had before if it ran before, and waits until it answers.
func (s *Server) Run() error {
	if s.Port == 0 || s.cmd == nil {
		var err error
		if s.Port, err = servertest.FreePort(); err != nil {
			return err
		}
	}
	args := []string{"-D", s.Folder, "-p", strconv.Itoa(s.Port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200"}
	if s.Careless {
		args = append(args, "-c", "fsync=off", "-c", "full_page_writes=off")
	}
	for _, setting := range s.Settings {
		args = append(args, "-c", setting)
	}
	cmd := s.command("postgres", args...)
	if s.Core != "" {
		program, err := exec.LookPath("taskset")
		if err != nil {
			return err
		}
		cmd.Args = append([]string{program, "-c", s.Core, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = program
	}
	s.log.Reset()
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	ended := make(chan struct{})
	started := make(chan error)
	go func() { // the thread that starts the process must outlive it: Pdeathsig is sent when the thread ends
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	s.cmd, s.ended = cmd, ended
	return s.wait(30 * time.Second)
}

// wait waits until the server accepts connections.
func (s *Server) wait(longest time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.ended:
			s.cmd = nil
			return fmt.Errorf("postgres ended: %s", s.log.String())
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the server by a signal: SIGTERM waits for clients, SIGINT ends their connections, SIGQUIT ends at once,
// without a checkpoint (pg_ctl's smart, fast, immediate).
func (s *Server) Stop(signal syscall.Signal) {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(signal)
	<-s.ended
}

// Program is the path of one of the server's programs, pgbench for instance.
func (s *Server) Program(name string) string { return s.command(name).Path }

// PID is the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Address is where the server listens, "host:port".
func (s *Server) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.Port) }
