package broker

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/mqtt/dispatch"
	"jobgate/gateway/tracing"
)

// Service is the part of the IoT Jobs service that is needed here; operations.Service implements it.
type Service interface {
	dispatch.Service
	Events() *jobs.Events
	ListThings(ctx context.Context, q jobs.ThingQuery, p jobs.Page) ([]jobs.ThingDetail, string, error)
}

// Config configures a Client.
type Config struct {
	Service   Service            // required
	Documents dispatch.Documents // required

	URL      string      // mqtt://host:1883 or mqtts://host:8883
	TLS      *tls.Config // for mqtts; nil: the system's authorities
	Prefix   string      // before /things/… in topics; "": $aws
	Share    string      // group of the shared subscription; "": a plain one
	Username string
	Password func() ([]byte, error) // read at each connection; nil: none

	// ProbeUsername is a user name for a probe at the first connection: a client with that name and no password tries to write
	// to a thing's topics. A client without a name always tries; "": only that one.
	ProbeUsername string

	// Notifies reports whether this gateway is the one that publishes notices; nil: it is.
	Notifies func() bool
	// Place records which changes devices were notified of. Followed reports whether all changes before a time, on any gateway,
	// have been published as events. nil: a gateway that starts publishing notices does not notify devices whose last pending job
	// was removed.
	Place    Place
	Followed func(time.Time) bool

	// Request is called after every answered request, for metrics; may be nil.
	Request func(code dispatch.Code, took time.Duration)
	Tracer  *tracing.Tracer // nil: requests have no spans
	Log     *slog.Logger    // nil: discards
}

// address checks the configuration and returns the broker's address.
func (c *Config) address() (*url.URL, error) {
	if c.Service == nil || c.Documents == nil {
		return nil, errors.New("cannot use a broker: no jobs service, or no document renderer")
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "mqtt" && u.Scheme != "mqtts" {
		return nil, fmt.Errorf("cannot use the broker %q: it is not an address like mqtts://host:8883; see mqtt.broker.url", c.URL)
	}
	if u.User != nil {
		return nil, fmt.Errorf("cannot use the broker at %s: its address holds a password; see mqtt.broker.username and mqtt.broker.password_file", u.Host)
	}
	if c.Prefix == "" {
		c.Prefix = dispatch.DefaultPrefix
	}
	if strings.ContainsAny(c.Prefix, "+#\x00") || strings.HasSuffix(c.Prefix, "/") {
		return nil, fmt.Errorf("cannot use the prefix %q: it holds a wildcard, or ends in a slash; see mqtt.broker.prefix", c.Prefix)
	}
	if strings.ContainsAny(c.Share, "/+#") {
		return nil, fmt.Errorf("cannot use the group %q: it holds a wildcard or a slash; see mqtt.broker.share", c.Share)
	}
	if c.Request == nil {
		c.Request = func(dispatch.Code, time.Duration) {}
	}
	if c.Place != nil && c.Followed == nil {
		return nil, errors.New("cannot keep a place: Followed is missing")
	}
	if c.Notifies == nil {
		c.Notifies = func() bool { return true }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return u, nil
}

// requests are the topics that devices publish to, after the prefix.
var requests = []string{
	"/things/+/jobs/get", "/things/+/jobs/start-next", "/things/+/jobs/+/get", "/things/+/jobs/+/update",
	"/things/+/jobs/+/+/get", "/things/+/jobs/+/+/update", // of a namespace
}

// filters returns the subscriptions, in a group if there is one.
func filters(prefix, share string) []string {
	list := make([]string, len(requests))
	for i, r := range requests {
		if list[i] = prefix + r; share != "" {
			list[i] = "$share/" + share + "/" + list[i]
		}
	}
	return list
}

// random returns a unique word.
func random() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
