package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// holdPeer is the first argument of this program when it holds idle connections, until its input ends; which they are
// follows as JSON. It is a process of its own because of its open files.
const holdPeer = "hold-peer"

// holding is what such a process holds.
type holding struct {
	Port, Connections int
	TLS               bool
}

// holder is the process, seen from the other side.
type holder struct {
	cmd   *exec.Cmd
	input io.Closer
}

// holdConnections starts a process that opens connections, asks once on each, and keeps them. It returns when all are open.
func holdConnections(ctx context.Context, o *options, what holding) (*holder, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(what)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "taskset", "-c", fmt.Sprint(o.loadCore), self, holdPeer, string(text))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	h := &holder{cmd, input}
	if _, err := bufio.NewReader(output).ReadString('\n'); err != nil { // it has ended
		h.stop()
		return nil, fmt.Errorf("the idle connections: %w\n%s", err, &stderr)
	}
	return h, nil
}

// stop closes the connections.
func (h *holder) stop() {
	_ = h.input.Close()
	_ = h.cmd.Wait() // what it failed with is of no interest any more
}

// runHolder is that process.
func runHolder(text string) error {
	var what holding
	if err := json.Unmarshal([]byte(text), &what); err != nil {
		return err
	}
	if _, err := raiseFiles(uint64(what.Connections) + spare); err != nil {
		return err
	}
	conns, err := openIdle(context.Background(), what.Port, what.Connections, what.TLS)
	if err != nil {
		return err
	}
	fmt.Println(len(conns))
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// perAddress is how many connections come from one source address, which has some 28,000 ports.
const perAddress = 20000

// openIdle opens n connections and asks once on each.
func openIdle(ctx context.Context, port, n int, secure bool) ([]net.Conn, error) {
	conns := make([]net.Conn, n)
	slots := make(chan struct{}, 64)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for i := range conns {
		slots <- struct{}{}
		mu.Lock()
		stop := failed != nil
		mu.Unlock()
		if stop || ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			c, err := askOnce(ctx, i, port, secure)
			conns[i] = c
			if err != nil {
				mu.Lock()
				failed = fmt.Errorf("connection %d: %w", i+1, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return conns, errors.Join(failed, ctx.Err())
}

// askOnce opens the i-th connection and asks on it. What it needed for that is
// garbage afterwards, but for the connection.
func askOnce(ctx context.Context, i, port int, secure bool) (net.Conn, error) {
	d := net.Dialer{
		Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i/perAddress))}, KeepAlive: -1,
		Control: portAtConnect,
	}
	c, err := d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	if secure {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true}) // the certificate was made for this run
	}
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return c, err
	}
	if _, err := io.WriteString(c, "GET /hot HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); err != nil {
		return c, err
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(c, 4096), nil)
	if err != nil {
		return c, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return c, errors.Join(err, c.SetDeadline(time.Time{}))
}

// portAtConnect lets the kernel choose the port when it knows the target (ip(7),
// IP_BIND_ADDRESS_NO_PORT): one that was used for another server lately may then serve again.
func portAtConnect(_, _ string, c syscall.RawConn) error {
	const ipBindAddressNoPort = 24 // Linux; package syscall lacks it
	var set error
	err := c.Control(func(fd uintptr) { set = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, ipBindAddressNoPort, 1) })
	return errors.Join(err, set)
}
