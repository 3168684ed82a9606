package answer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/bench/report"
	"jobgate/presigner"
)

// Verify says how a sample of the answers is verified: every presigned URL in it is
// opened, and its signature recomputed if its key is known.
type Verify struct {
	PerSecond int  // at most this many documents a second
	Open      bool // request the first byte of every URL
	// Skip is text in URLs that are not to be opened, "" for none: an upload URL
	// cannot be opened, and without its key it looks like a download URL.
	Skip string
	// Lookup returns the credentials of an access key; nil if no keys are known.
	Lookup  func(accessKeyID string) (presigner.Credentials, bool)
	TLS     *tls.Config // for opening URLs; nil: the defaults
	Timeout time.Duration
}

// Verifier verifies answers in the background of a run. A nil Verifier verifies none. Offer is safe for concurrent use.
type Verifier struct {
	config *Verify
	gap    time.Duration
	next   atomic.Int64 // when to take the next answer
	bodies chan []byte
	stop   context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex
	found report.Verified
}

// NewVerifier starts a Verifier that ends with ctx, or returns nil if nothing is to be verified. The caller must close it.
func NewVerifier(ctx context.Context, config *Verify) *Verifier {
	if config == nil {
		return nil
	}
	v := &Verifier{config: config, gap: time.Second / time.Duration(max(config.PerSecond, 1)), bodies: make(chan []byte, 64)}
	ctx, cancel := context.WithCancel(ctx)
	v.stop = cancel
	for range 2 {
		v.wg.Go(func() {
			for body := range v.bodies {
				v.verify(ctx, body)
			}
		})
	}
	return v
}

// Offer takes a copy of an answer if the next is due; now is the time since the run began.
func (v *Verifier) Offer(body []byte, now time.Duration) {
	if v == nil {
		return
	}
	next := v.next.Load()
	if int64(now) < next || !v.next.CompareAndSwap(next, int64(now+v.gap)) {
		return
	}
	select {
	case v.bodies <- bytes.Clone(body):
	default: // the verifier is behind, and must not slow down the load
	}
}

// Close waits until the taken answers are verified, for at most one timeout, and ends
// the verifier.
func (v *Verifier) Close() {
	if v == nil {
		return
	}
	close(v.bodies)
	timer := time.AfterFunc(v.config.Timeout, v.stop)
	defer timer.Stop()
	v.wg.Wait()
	v.stop()
}

// Result returns the outcome. Call it after Close.
func (v *Verifier) Result() *report.Verified {
	if v == nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	found := v.found
	return &found
}

// verify checks all URLs of one answer.
func (v *Verifier) verify(ctx context.Context, body []byte) {
	urls := presignedURLs(body)
	v.mu.Lock()
	v.found.Documents++
	v.found.URLs += int64(len(urls))
	v.mu.Unlock()
	for _, raw := range urls {
		method, signed, err := v.signature(raw)
		opened := false
		skip := v.config.Skip != "" && strings.Contains(raw, v.config.Skip)
		if err == nil && v.config.Open && method == "GET" && !skip {
			opened, err = v.open(ctx, raw)
		}
		v.mu.Lock()
		if signed {
			v.found.Signatures++
		}
		if opened {
			v.found.Opened++
		}
		if skip && !signed {
			v.found.Skipped++
		}
		if err != nil && ctx.Err() == nil {
			v.found.Failed++
			if v.found.Example == "" {
				v.found.Example = Example(err)
			}
		}
		v.mu.Unlock()
	}
}

// signature recomputes a URL's signature if its key is known, and returns the method
// it was made for: PUT if the signature is valid for PUT, else GET.
func (v *Verifier) signature(raw string) (method string, signed bool, err error) {
	if v.config.Lookup == nil {
		return "GET", false, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "GET", false, errors.New("a URL in the answer cannot be parsed")
	}
	for _, method := range []string{"GET", "PUT"} {
		_, err = presigner.Verify(presigner.Verification{
			Method: method, Host: u.Host, RequestURI: requestURI(raw), Time: time.Now(), Lookup: v.config.Lookup,
		})
		switch {
		case err == nil:
			return method, true, nil
		case errors.Is(err, presigner.ErrAccessKey):
			return "GET", false, nil // signed with a key that was not given
		}
	}
	return "GET", false, fmt.Errorf("the signature of a URL at %s is wrong: %w", u.Host, err)
}

// requestURI returns a URL's path and query unchanged.
func requestURI(raw string) string {
	_, rest, _ := strings.Cut(raw, "://")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return "/"
}

// open requests the first byte of a URL's object, on a new connection and with the
// URL's bytes unchanged.
func (v *Verifier) open(ctx context.Context, raw string) (bool, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return false, errors.New("a URL in the answer cannot be parsed")
	}
	ctx, cancel := context.WithTimeout(ctx, v.config.Timeout)
	defer cancel()
	nc, err := v.dial(ctx, u)
	if err != nil {
		return false, fmt.Errorf("cannot connect to %s to open a URL: %w", u.Host, err)
	}
	defer func() { _ = nc.Close() }() // the answer has been read
	defer context.AfterFunc(ctx, func() { _ = nc.Close() })()
	if _, err := fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: %s\r\nRange: bytes=0-0\r\nConnection: close\r\n\r\n", requestURI(raw), u.Host); err != nil {
		return false, fmt.Errorf("cannot open a URL at %s: %w", u.Host, err)
	}
	var resp fasthttp.Response
	// A store that ignores Range sends the whole object. Its beginning is enough.
	if err := resp.ReadLimitBody(bufio.NewReader(nc), 1<<20); err != nil && !errors.Is(err, fasthttp.ErrBodyTooLarge) {
		return false, fmt.Errorf("cannot open a URL at %s: %w", u.Host, err)
	}
	switch resp.StatusCode() {
	case 200, 206, 416: // 416: an empty object has no first byte
		return true, nil
	}
	hint := ""
	if resp.StatusCode() == 403 && v.config.Lookup == nil {
		hint = " (for upload URLs, see --verify-skip and --verify-keys)"
	}
	return false, fmt.Errorf("cannot open a URL at %s: %w%s", u.Host, statusError(resp.StatusCode()), hint)
}

func (v *Verifier) dial(ctx context.Context, u *url.URL) (net.Conn, error) {
	port := u.Port()
	if u.Scheme != "https" {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), withDefault(port, "80")))
	}
	d := tls.Dialer{Config: v.config.TLS}
	return d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), withDefault(port, "443")))
}

func withDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// presignedURLs returns the presigned URLs in a document, also if it is itself a
// string inside JSON. A URL ends at the end of a string, a line or a word.
func presignedURLs(body []byte) []string {
	for depth := 0; depth < 3 && (bytes.Contains(body, escapedUnit) || bytes.Contains(body, []byte(`\/`))); depth++ {
		body = unescape(body)
	}
	var urls []string
	for {
		i := bytes.Index(body, []byte("http"))
		if i < 0 {
			return urls
		}
		body = body[i:]
		end := bytes.IndexFunc(body, func(r rune) bool { return r <= ' ' || strings.ContainsRune("\"'\\<>`", r) })
		if end < 0 {
			end = len(body)
		}
		if u := string(body[:end]); strings.Contains(u, "://") && strings.Contains(u, "X-Amz-Signature=") {
			urls = append(urls, u)
		}
		body = body[max(end, 4):]
	}
}
