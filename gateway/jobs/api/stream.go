package api

import (
	"bufio"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/jobs"
)

// StreamPath is the event stream's path on the control listener. No operation's path begins like it.
const StreamPath = "/-/jobs/events"

// The stream's pace. Heartbeats keep proxies from closing a quiet stream, and find out who has gone.
const (
	heartbeat    = 15 * time.Second
	streamBuffer = 4096 // events that a follower may lag behind
)

// Event is one change of a job or an execution, as the stream tells it (server-sent events, its JSON being the data).
type Event struct {
	Type       string           `json:"type"` // "job.created", "execution.updated", …: see jobs.EventType
	Time       time.Time        `json:"time"`
	JobID      string           `json:"jobId"`
	JobStatus  string           `json:"jobStatus,omitempty"`
	Executions map[string]int64 `json:"executions,omitempty"` // of the job, by status; only in events of jobs
	ReasonCode string           `json:"reasonCode,omitempty"`

	ThingName       string `json:"thingName,omitempty"` // only in events of executions, as what follows
	Status          string `json:"status,omitempty"`
	ExecutionNumber int64  `json:"executionNumber,omitempty"`
	VersionNumber   int64  `json:"versionNumber,omitempty"`
	RetryAttempt    int    `json:"retryAttempt,omitempty"`

	Missed int64 `json:"missed,omitempty"` // events lost just before this one: the follower was too slow
}

func eventOf(e *jobs.Event) Event {
	event := Event{Type: string(e.Type), Time: e.Time.UTC(), JobID: e.JobID, JobStatus: e.Job.String(), ReasonCode: e.Reason, Missed: e.Missed}
	if e.Thing != "" {
		event.ThingName, event.Status = e.Thing, e.Status.String()
		event.ExecutionNumber, event.VersionNumber, event.RetryAttempt = e.Number, e.Version, e.Retry
		return event
	}
	event.Executions = make(map[string]int64, jobs.Statuses)
	for s, n := range e.Counts {
		if n != 0 {
			event.Executions[jobs.Status(s).String()] = n
		}
	}
	return event
}

// watch answers with the event stream: from now on, until the client goes or the Control closes. The query's jobId
// keeps to one job, executions=false to events of jobs.
func (c *Control) watch(ctx *fasthttp.RequestCtx, caller *Caller) *Exception {
	if err := caller.mayOperate("Watch", http.MethodGet); err != nil {
		return err
	}
	args := ctx.QueryArgs()
	jobID, onlyJobs := string(args.Peek("jobId")), string(args.Peek("executions")) == "false"
	if jobID != "" && !isName([]byte(jobID), maxJobID, false) {
		return invalidRequest("jobId is not a job's id.")
	}
	select {
	case c.streams <- struct{}{}:
	default:
		return unavailable("There are as many event streams as the gateway allows.", 10*time.Second, nil)
	}
	subscription := c.service.Events().Subscribe(streamBuffer, func(e *jobs.Event) bool {
		return (jobID == "" || e.JobID == jobID) && (!onlyJobs || e.Thing == "")
	})
	header := &ctx.Response.Header
	header.SetContentType("text/event-stream")
	header.SetCanonical(cacheControlKey, noStore)
	ctx.Response.ImmediateHeaderFlush = true
	ctx.Response.SetBodyStreamWriter(func(w *bufio.Writer) {
		defer func() {
			subscription.Close()
			<-c.streams
			if cause := recover(); cause != nil {
				c.log.log.Error("jobs: panic while streaming events", "panic", cause, "stack", string(debug.Stack()))
			}
		}()
		c.stream(w, subscription)
	})
	return nil
}

// stream writes events until the client is gone or the Control closes.
func (c *Control) stream(w *bufio.Writer, subscription *jobs.Subscription) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	_, _ = w.WriteString(": jobgate\n\n") // an error stays in w and shows in Flush
	for {
		if err := w.Flush(); err != nil {
			return
		}
		select {
		case e := <-subscription.C():
			c.writeEvent(w, &e)
			for range len(subscription.C()) { // what has come meanwhile goes in one write
				e = <-subscription.C()
				c.writeEvent(w, &e)
			}
		case <-ticker.C:
			_, _ = w.WriteString(":\n\n")
		case <-c.closing:
			return
		}
	}
}

func (c *Control) writeEvent(w *bufio.Writer, e *jobs.Event) {
	data, err := encode(eventOf(e))
	if err != nil { // an Event always encodes
		return
	}
	_, _ = w.WriteString("event: " + string(e.Type) + "\ndata: ")
	_, _ = w.Write(data)
	_, _ = w.WriteString("\n\n")
}
