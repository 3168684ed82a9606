package process

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Listens waits until a server accepts connections on a port.
func Listens(ctx context.Context, port int) error {
	var last error
	for range 100 {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err == nil {
			return c.Close()
		}
		if last = err; Sleep(ctx, 50*time.Millisecond) != nil {
			return ctx.Err()
		}
	}
	return last
}

// Sleep waits, or returns early when the run is interrupted.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func URL(port int, path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", port, path) }

// Answer requests url until the answer is a 200, and returns the body.
func (p *Process) Answer(ctx context.Context, url string) ([]byte, error) {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // the certificate was made for this run
		DisableKeepAlives: true,
	}}
	var last error
	for range 100 {
		select {
		case <-p.done:
			return nil, fmt.Errorf("%s has exited: %w\n%s", p.Name, errors.Join(p.err, last), &p.log)
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
		resp, err := client.Get(url)
		if err != nil {
			last = err
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode == http.StatusOK {
			return body, nil
		}
		last = fmt.Errorf("%s, %w", resp.Status, err)
	}
	return nil, fmt.Errorf("%s does not answer at %s: %w", p.Name, url, last)
}

// FreePort returns a port without a listener.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("cannot find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}
