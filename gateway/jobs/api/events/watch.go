package events

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobs/api/access"
	"jobgate/presigner"
)

// Options select the stream to follow.
type Options struct {
	Endpoint    string // the control listener: "http://127.0.0.1:8082"
	Region      string // jobs.region
	Credentials presigner.Credentials
	JobID       string       // "" is every job
	OnlyJobs    bool         // no events of executions
	Connected   func()       // called once the stream is open, which reports changes from then on; may be nil
	Client      *http.Client // nil: http.DefaultClient; it must have no Timeout
}

// ErrStreamEnded is returned by Watch when the gateway ends the stream, as it does when it shuts down.
var ErrStreamEnded = errors.New("jobs: the event stream has ended")

// Watch follows the event stream and calls each for every event, in order, until ctx ends, each returns an error, or the
// stream breaks; it returns that error. Changes before it was connected are not reported.
func Watch(ctx context.Context, o Options, each func(Event) error) error {
	req, err := o.Request(ctx)
	if err != nil {
		return err
	}
	client := o.Client
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("cannot follow the jobs of %s: %w", o.Endpoint, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("cannot follow the jobs of %s: %w", o.Endpoint, answerError(res))
	}
	if o.Connected != nil {
		o.Connected()
	}
	if err := readEvents(res.Body, each); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	return ErrStreamEnded
}

// Request returns the signed request for the stream.
func (o *Options) Request(ctx context.Context) (*http.Request, error) {
	address, err := url.Parse(o.Endpoint)
	if err != nil || address.Host == "" {
		return nil, fmt.Errorf("cannot follow the jobs of %q: it is not an address like http://127.0.0.1:8082", o.Endpoint)
	}
	query := url.Values{}
	if o.JobID != "" {
		query.Set("jobId", o.JobID)
	}
	if o.OnlyJobs {
		query.Set("executions", "false")
	}
	address.Path, address.RawQuery = Path, query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("cannot follow the jobs of %q: %w", o.Endpoint, err)
	}
	req.Header.Set("Accept", "text/event-stream")
	empty := sha256.Sum256(nil)
	credentials := aws.Credentials{
		AccessKeyID: o.Credentials.AccessKeyID, SecretAccessKey: o.Credentials.SecretAccessKey, SessionToken: o.Credentials.SessionToken,
	}
	err = v4.NewSigner().SignHTTP(ctx, credentials, req, hex.EncodeToString(empty[:]), access.ServiceControl, o.Region, time.Now())
	if err != nil {
		return nil, fmt.Errorf("cannot sign the request to %q: %w", o.Endpoint, err)
	}
	return req, nil
}

// answerError returns the error of an answer that is not a stream.
func answerError(res *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(res.Body, 4096)) // whatever can be read
	var answer struct{ Message string }
	if json.Unmarshal(body, &answer) != nil || answer.Message == "" {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return fmt.Errorf("%s: %s", res.Header.Get(edge.HeaderErrorType), answer.Message)
}

// readEvents reads server-sent events and uses only their data lines.
func readEvents(r io.Reader, each func(Event) error) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if data, ok := strings.CutPrefix(line, "data: "); ok && err == nil {
			var e Event
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				return fmt.Errorf("cannot read the event stream: %w", err)
			}
			if err := each(e); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot read the event stream: %w", err)
		}
	}
}
