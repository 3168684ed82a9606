package jobscmd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobs/api/access"
	"jobgate/presigner"
)

// Connection is the control listener to call, and the credentials to call it with.
type Connection struct {
	Endpoint    string // the control listener: "http://127.0.0.1:8082"
	Region      string // jobs.region
	Credentials presigner.Credentials
	HTTP        *http.Client
}

// Limits of a call: its duration, and the size of its answer in bytes.
const (
	callTimeout = 60 * time.Second
	maxAnswer   = 64 << 20
)

// request is a call of the control plane.
type request struct {
	what   string // verb and object, for errors: `cancel job "x"`
	method string
	path   []string // segments
	query  url.Values
	body   any // nil: none
}

// apiError is an error answer.
type apiError struct {
	status  int
	code    string // such as "ResourceNotFoundException"
	message string
}

// Error implements error.
func (e *apiError) Error() string {
	switch {
	case e.code == "":
		return fmt.Sprintf("status %d; is this the gateway's control listener?", e.status)
	case strings.HasPrefix(e.code, "UnknownOperation"):
		return "the gateway does not have this operation; update it to the version of this command"
	}
	return e.code + ": " + clean(e.message)
}

// call sends a request and decodes its answer. It also returns the raw answer.
func (c *Connection) call(ctx context.Context, q request, answer any) (json.RawMessage, error) {
	text, err := c.send(ctx, q)
	if err == nil && len(text) > 0 && answer != nil {
		err = json.Unmarshal(text, answer)
	}
	if errors.Is(err, context.Canceled) {
		err = errInterrupted
	}
	if err != nil {
		return nil, fmt.Errorf("cannot %s at %s: %w%s", q.what, c.Endpoint, err, c.hint(err))
	}
	return text, nil
}

// hint suggests a fix for a connection error, "" if none is known.
func (c *Connection) hint(err error) string {
	var unknown x509.UnknownAuthorityError
	var alert *net.OpError // crypto/tls does not export the type of an alert
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "; does the gateway run, with jobs.enabled? see control, --endpoint-url"
	case errors.Is(err, io.EOF) && strings.HasPrefix(c.Endpoint, "http://"):
		return "; does the listener speak TLS? see --endpoint-url https://…"
	case errors.As(err, &unknown):
		return "; name the authority with --ca-file or AWS_CA_BUNDLE"
	case errors.As(err, &alert) && alert.Op == "remote error" && strings.Contains(alert.Error(), "certificate"):
		return "; present a client certificate that control_tls.client_ca_file trusts, with --cert-file and --key-file"
	}
	return ""
}

func (c *Connection) send(ctx context.Context, q request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := c.request(ctx, q)
	if err != nil {
		return nil, err
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		failure := &apiError{status: res.StatusCode, code: res.Header.Get(edge.HeaderErrorType)}
		var body struct{ Message string }
		if json.Unmarshal(text, &body) == nil {
			failure.message = body.Message
		}
		return nil, failure
	}
	return text, nil
}

// request returns the signed request.
func (c *Connection) request(ctx context.Context, q request) (*http.Request, error) {
	address, err := url.Parse(c.Endpoint)
	if err != nil || address.Host == "" {
		return nil, fmt.Errorf("it is not an address like http://127.0.0.1:8082; see --endpoint-url")
	}
	if address, err = join(address, q.path); err != nil {
		return nil, err
	}
	address.RawQuery = q.query.Encode()
	var body []byte
	if q.body != nil {
		if body, err = json.Marshal(q.body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, q.method, address.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if q.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	digest := sha256.Sum256(body)
	credentials := aws.Credentials{
		AccessKeyID: c.Credentials.AccessKeyID, SecretAccessKey: c.Credentials.SecretAccessKey, SessionToken: c.Credentials.SessionToken,
	}
	err = v4.NewSigner().SignHTTP(ctx, credentials, req, hex.EncodeToString(digest[:]), access.ServiceControl, c.Region, time.Now())
	return req, err
}

// join appends segments to the path of an address, escaped, so that each stays one segment.
func join(address *url.URL, segments []string) (*url.URL, error) {
	escaped := make([]string, len(segments))
	for i, s := range segments {
		if s == "" || s == "." || s == ".." {
			return nil, fmt.Errorf("%q cannot be a segment of the request's path", s)
		}
		escaped[i] = url.PathEscape(s)
	}
	return address.JoinPath(escaped...), nil
}

// pages requests a listing page by page, and calls each with every answer until each returns false.
func (c *Connection) pages(ctx context.Context, q request, answer func() any, each func(answer any) (more bool, err error)) error {
	for {
		one := answer()
		text, err := c.call(ctx, q, one)
		if err != nil {
			return err
		}
		more, err := each(one)
		if err != nil || !more {
			return err
		}
		var page struct {
			NextToken string `json:"nextToken"`
		}
		if err := json.Unmarshal(text, &page); err != nil || page.NextToken == "" {
			return err
		}
		q.query.Set("nextToken", page.NextToken)
	}
}
