// Package events is an event stream of jobs for operators, on the control listener, and its client.
//
//	jobs.Service ─► jobs.Subscription ─► Stream (server-sent events at /-/jobs/events) ─► Watch
package events

import (
	"bufio"
	"errors"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/api/access"
	"jobgate/gateway/jobs/api/exception"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/wire"
)

// Path is the event stream's path on the control listener. No operation's path has this prefix.
const Path = "/-/jobs/events"

// The stream's timing. Heartbeats keep proxies from closing an idle stream, and detect clients that are gone.
const (
	heartbeat    = 15 * time.Second
	streamBuffer = 4096             // events that a follower may be behind
	stallTimeout = 30 * time.Second // after which a follower that reads nothing is disconnected
	lastWrite    = time.Second      // the same, once the Stream closes
)

// Event is one change of a job or an execution: the JSON data of a server-sent event.
type Event struct {
	Type       string           `json:"type"` // "job.created", "execution.updated", …: see jobs.EventType
	Time       time.Time        `json:"time"`
	JobID      string           `json:"jobId"`
	JobStatus  string           `json:"jobStatus,omitempty"`
	Executions map[string]int64 `json:"executions,omitempty"` // of the job, by status; only in events of jobs
	ReasonCode string           `json:"reasonCode,omitempty"`

	ThingName       string `json:"thingName,omitempty"` // only in events of executions, like the members below
	Status          string `json:"status,omitempty"`
	ExecutionNumber int64  `json:"executionNumber,omitempty"`
	VersionNumber   int64  `json:"versionNumber,omitempty"`
	RetryAttempt    int    `json:"retryAttempt,omitempty"`

	// StatusDetails is the device's last report, only in the event of an execution's end, as in AWS's.
	StatusDetails map[string]string `json:"statusDetails,omitempty"`

	Missed int64 `json:"missed,omitempty"` // events lost just before this one: the follower was too slow
}

func eventOf(e *jobs.Event) Event {
	event := Event{Type: string(e.Type), Time: e.Time.UTC(), JobID: e.JobID, JobStatus: e.Job.String(), ReasonCode: e.Reason, Missed: e.Missed}
	if e.Thing != "" {
		event.ThingName, event.Status = e.Thing, e.Status.String()
		event.ExecutionNumber, event.VersionNumber, event.RetryAttempt = e.Number, e.Version, e.Retry
		event.StatusDetails = e.Details.Map()
		return event
	}
	event.Executions = e.Counts.ByName()
	return event
}

// Config configures the stream.
type Config struct {
	Service      *operations.Service // required
	Verifier     *access.Verifier    // required: ends the stream of a follower whose key was removed
	MaxStreams   int                 // at once; 0: 64
	StallTimeout time.Duration       // ends the stream of a client that reads nothing; 0: 30 s
	Log          *slog.Logger        // nil: discards
}

// Stream serves event streams. It is safe for concurrent use.
type Stream struct {
	config  Config
	streams chan struct{} // one token an event stream
	closing chan struct{}
	close   sync.Once
}

// New returns the event stream for c. Close ends all streams.
func New(c Config) (*Stream, error) {
	if c.Service == nil || c.Verifier == nil {
		return nil, errors.New("cannot serve the event stream: Service and Verifier are required")
	}
	if c.MaxStreams <= 0 {
		c.MaxStreams = 64
	}
	if c.StallTimeout <= 0 {
		c.StallTimeout = stallTimeout
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Stream{config: c, streams: make(chan struct{}, c.MaxStreams), closing: make(chan struct{})}, nil
}

// Open returns the number of open streams.
func (c *Stream) Open() int { return len(c.streams) }

// Close ends the event streams. It may be called more than once.
func (c *Stream) Close() { c.close.Do(func() { close(c.closing) }) }

// Serve answers with the event stream, from now on, until the client disconnects, its key is removed, or the Stream closes.
// The query's jobId limits it to one job, executions=false to events of jobs.
func (c *Stream) Serve(ctx *fasthttp.RequestCtx, caller *access.Caller) *exception.Exception {
	if fault := caller.MayOperate("Watch", false); fault != nil {
		return exception.From(fault)
	}
	args := ctx.QueryArgs()
	jobID, onlyJobs := string(args.Peek("jobId")), string(args.Peek("executions")) == "false"
	if jobID != "" && !wire.IsName([]byte(jobID), wire.MaxJobID, false) {
		return exception.InvalidRequest("jobId is not a job's id.")
	}
	select {
	case c.streams <- struct{}{}:
	default:
		return exception.Unavailable("The gateway's limit of event streams is reached.", 10*time.Second, nil)
	}
	subscription := c.config.Service.Events().Subscribe(streamBuffer, func(e *jobs.Event) bool {
		return e.JobID != "" && (jobID == "" || e.JobID == jobID) && (!onlyJobs || e.Thing == "")
	})
	header := &ctx.Response.Header
	header.SetContentType("text/event-stream")
	header.SetCanonical([]byte("Cache-Control"), []byte("no-store"))
	ctx.Response.ImmediateHeaderFlush = true
	ctx.SetConnectionClose()                                        // the stream sets its own deadlines
	_ = ctx.SetWriteDeadline(time.Now().Add(c.config.StallTimeout)) // from here on the server does not set deadlines
	f := &follower{Stream: c, caller: caller, conn: ctx.Conn(), events: subscription, ended: make(chan struct{})}
	ctx.Response.SetBodyStreamWriter(func(w *bufio.Writer) {
		defer func() {
			subscription.Close()
			<-c.streams
			if cause := recover(); cause != nil {
				c.config.Log.Error("jobs: panic while streaming events", "panic", cause, "stack", string(debug.Stack()))
			}
		}()
		f.stream(w)
	})
	return nil
}

// follower is an open event stream.
type follower struct {
	*Stream
	caller *access.Caller
	conn   net.Conn
	events *jobs.Subscription
	ended  chan struct{} // closed by stream
}

// stream writes events until the client disconnects, stops reading or loses its permission, or the Stream closes.
func (f *follower) stream(w *bufio.Writer) {
	defer close(f.ended)
	go f.limitLastWrite()
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	f.write(w, ": jobgate\n\n")
	for {
		if err := w.Flush(); err != nil {
			return
		}
		select {
		case e := <-f.events.C():
			if !f.config.Verifier.Admits(f.caller) {
				return
			}
			f.writeEvent(w, &e)
			for range len(f.events.C()) { // batch the waiting events in one write
				e = <-f.events.C()
				f.writeEvent(w, &e)
			}
			if n := f.events.Missed(); n > 0 { // the next event, which would report it, may be far away
				f.writeEvent(w, &jobs.Event{Type: jobs.EventMissed, Time: time.Now(), Missed: n})
			}
		case <-ticker.C:
			if !f.config.Verifier.Admits(f.caller) {
				return
			}
			f.write(w, ":\n\n")
		case <-f.closing:
			return
		}
	}
}

// limitLastWrite makes a blocked write end soon after the Stream closes, so that a follower that has stopped reading does
// not delay the gateway's shutdown.
func (f *follower) limitLastWrite() {
	select {
	case <-f.closing:
		_ = f.conn.SetWriteDeadline(time.Now().Add(lastWrite))
	case <-f.ended:
	}
}

// write sets the write deadline, and writes. Errors are kept in w and returned by Flush.
func (f *follower) write(w *bufio.Writer, text string) {
	_ = f.conn.SetWriteDeadline(time.Now().Add(f.config.StallTimeout))
	select {
	case <-f.closing:
		_ = f.conn.SetWriteDeadline(time.Now().Add(lastWrite))
	default:
	}
	_, _ = w.WriteString(text)
}

func (f *follower) writeEvent(w *bufio.Writer, e *jobs.Event) {
	data, err := wire.Encode(eventOf(e))
	if err != nil { // an Event always encodes
		return
	}
	f.write(w, "event: "+string(e.Type)+"\ndata: "+string(data)+"\n\n")
}
