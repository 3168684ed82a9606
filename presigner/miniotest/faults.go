package miniotest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Outage says how a request fails before it reaches the server. To refuse connections, use
// [Proxy.Stop].
type Outage int

// The kinds of outage.
const (
	Works       Outage = iota
	Reset              // the connection is reset
	Unavailable        // 503 ServiceUnavailable
	Throttled          // 400 Throttling, as STS throttles
)

// Fault is applied to the requests of one service.
type Fault struct {
	Outage Outage
	Delay  time.Duration // before anything else
}

// Faults are the faults that a [Proxy] injects. The zero value injects none.
type Faults struct {
	STS Fault
	S3  Fault
	// SessionLife, if not zero, is how long new STS sessions live: their Expiration is
	// rewritten, and S3 answers 400 ExpiredToken after it.
	SessionLife time.Duration
	// MaxSession, if not zero, is the longest DurationSeconds that STS grants: more is
	// refused, as AWS refuses more than a role's MaxSessionDuration.
	MaxSession time.Duration
	// Skew is how far the server's clock is ahead of this machine's: it shows in Date
	// headers and Expirations, STS refuses signatures more than 5 minutes off, and S3
	// presigned URLs that have expired or begin more than 15 minutes later. MinIO checks
	// with its own clock too, so the skew is limited to 15 minutes.
	Skew time.Duration
}

const amzTime = "20060102T150405Z"

// fail answers the request with an error if the faults require it.
func (f Faults) fail(w http.ResponseWriter, r *http.Request, req Request) bool {
	fault := f.S3
	if req.Form != nil {
		fault = f.STS
	}
	if fault.Delay > 0 {
		timer := time.NewTimer(fault.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return true
		}
	}
	switch fault.Outage {
	case Reset:
		reset(w)
		return true
	case Unavailable:
		fail(w, http.StatusServiceUnavailable, "ServiceUnavailable", "Service is unable to handle request.", req)
		return true
	case Throttled:
		fail(w, http.StatusBadRequest, "Throttling", "Rate exceeded", req)
		return true
	}
	if req.Form != nil {
		return f.failSTS(w, r, req)
	}
	return f.failPresigned(w, r, req)
}

// failSTS enforces a role's longest session and the skewed clock, with AWS's messages.
func (f Faults) failSTS(w http.ResponseWriter, r *http.Request, req Request) bool {
	seconds, _ := strconv.Atoi(req.Form.Get("DurationSeconds"))
	if f.MaxSession > 0 && time.Duration(seconds)*time.Second > f.MaxSession {
		fail(w, http.StatusBadRequest, "ValidationError",
			"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", req)
		return true
	}
	now := time.Now().Add(f.Skew).UTC()
	signed, err := time.Parse(amzTime, r.Header.Get("X-Amz-Date"))
	switch {
	case f.Skew == 0 || err != nil:
		return false
	case signed.Before(now.Add(-5 * time.Minute)):
		fail(w, http.StatusForbidden, "SignatureDoesNotMatch", fmt.Sprintf(
			"Signature expired: %s is now earlier than %s (%s - 5 min.)",
			signed.Format(amzTime), now.Add(-5*time.Minute).Format(amzTime), now.Format(amzTime)), req)
		return true
	case signed.After(now.Add(5 * time.Minute)):
		fail(w, http.StatusForbidden, "SignatureDoesNotMatch", fmt.Sprintf(
			"Signature not yet current: %s is still later than %s (%s + 5 min.)",
			signed.Format(amzTime), now.Add(5*time.Minute).Format(amzTime), now.Format(amzTime)), req)
		return true
	}
	return false
}

// failPresigned checks presigned URLs against the skewed clock.
func (f Faults) failPresigned(w http.ResponseWriter, r *http.Request, req Request) bool {
	query := r.URL.Query()
	signed, err := time.Parse(amzTime, query.Get("X-Amz-Date"))
	if f.Skew == 0 || err != nil {
		return false
	}
	seconds, _ := strconv.Atoi(query.Get("X-Amz-Expires"))
	now := time.Now().Add(f.Skew)
	switch {
	case now.After(signed.Add(time.Duration(seconds) * time.Second)):
		fail(w, http.StatusForbidden, "AccessDenied", "Request has expired", req)
		return true
	case signed.After(now.Add(15 * time.Minute)):
		fail(w, http.StatusForbidden, "AccessDenied", "Request is not valid yet", req)
		return true
	}
	return false
}

// ended answers 400 ExpiredToken if the session that signed r has ended.
func (p *Proxy) ended(w http.ResponseWriter, r *http.Request, skew time.Duration) bool {
	scope := r.URL.Query().Get("X-Amz-Credential")
	if _, after, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		scope = after
	}
	accessKeyID, _, _ := strings.Cut(scope, "/")
	p.mu.Lock()
	end, ok := p.sessions[accessKeyID]
	p.mu.Unlock()
	if !ok || time.Now().Add(skew).Before(end) {
		return false
	}
	fail(w, http.StatusBadRequest, "ExpiredToken", "The provided token has expired.", classify(r))
	return true
}

var (
	expirationTag  = regexp.MustCompile(`<Expiration>([^<]*)</Expiration>`)
	accessKeyIDTag = regexp.MustCompile(`<AccessKeyId>([^<]*)</AccessKeyId>`)
)

// modify shifts the clock of an answer and shortens the session that it grants.
func (p *Proxy) modify(res *http.Response) error {
	f, _ := res.Request.Context().Value(faultsKey{}).(Faults)
	res.Header.Set("Date", time.Now().Add(f.Skew).UTC().Format(http.TimeFormat))
	if res.Request.Method != http.MethodPost || (f.SessionLife == 0 && f.Skew == 0) {
		return nil
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	if m := expirationTag.FindSubmatch(body); m != nil {
		end, err := time.Parse(time.RFC3339, string(m[1]))
		if err != nil {
			return err
		}
		end = end.Add(f.Skew)
		if f.SessionLife != 0 {
			end = time.Now().Add(f.Skew + f.SessionLife).Truncate(time.Second)
		}
		if id := accessKeyIDTag.FindSubmatch(body); id != nil {
			p.mu.Lock()
			p.sessions[string(id[1])] = end
			p.mu.Unlock()
		}
		body = bytes.Replace(body, m[1], []byte(end.UTC().Format(time.RFC3339)), 1)
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	res.ContentLength = int64(len(body))
	res.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// fail answers with an error in the format of STS or S3.
func fail(w http.ResponseWriter, status int, code, message string, req Request) {
	body := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>%s</Message></Error>`, code, message)
	if req.Form != nil {
		body = fmt.Sprintf(`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>`+
			`<Code>%s</Code><Message>%s</Message></Error><RequestId>miniotest</RequestId></ErrorResponse>`, code, message)
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// reset closes the connection so that the peer sees a reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
