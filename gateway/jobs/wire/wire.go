// Package wire writes executions in the JSON of AWS's APIs: what the answers over HTTP and MQTT have in common (AWS.md §4,
// Types). The patterns of names and ids exclude characters that need escaping; statusDetails are JSON already.
//
// The append functions return the extended dst and keep no reference.
package wire

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"jobgate/gateway/jobs"
)

// AppendString appends s as a JSON string.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		if c := s[i]; c >= ' ' && c != '"' && c != '\\' && c < 0x7f {
			continue
		}
		// Slow path: a character to escape, or one that may not be valid UTF-8.
		return appendEscaped(dst, s)
	}
	return append(append(dst, s...), '"')
}

// appendEscaped appends s as encoding/json writes it, without the opening quote, which is already there.
func appendEscaped(dst []byte, s string) []byte {
	text, err := Encode(s)
	if err != nil { // a string always encodes
		return append(dst, '"')
	}
	return append(dst, text[1:]...)
}

// Encode returns v as JSON, without escapes for HTML and without a newline.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// AppendSeconds appends `"name":` and whole seconds since 1970, or nothing for the zero time.
func AppendSeconds(dst []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return dst
	}
	return AppendNumber(dst, name, t.Unix())
}

// AppendNumber appends `,"name":n`.
func AppendNumber(dst []byte, name string, n int64) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	dst = append(dst, `":`...)
	return strconv.AppendInt(dst, n, 10)
}

// AppendExecution appends a JobExecution without its closing brace, so that its document can follow.
func AppendExecution(dst []byte, e *jobs.Execution, now time.Time) []byte {
	dst = append(dst, `{"jobId":"`...)
	dst = append(dst, e.Job.ID...)
	dst = append(dst, `","thingName":"`...)
	dst = append(dst, e.Thing...)
	dst = append(dst, `","status":"`...)
	dst = append(dst, e.Status.String()...)
	dst = append(dst, '"')
	if e.Details != "" {
		dst = append(dst, `,"statusDetails":`...)
		dst = append(dst, e.Details...)
	}
	dst = AppendSeconds(dst, "queuedAt", e.QueuedAt)
	dst = AppendSeconds(dst, "startedAt", e.StartedAt)
	dst = AppendSeconds(dst, "lastUpdatedAt", e.UpdatedAt)
	if left, ok := e.SecondsLeft(now); ok {
		dst = AppendNumber(dst, "approximateSecondsBeforeTimedOut", left)
	}
	dst = AppendNumber(dst, "versionNumber", e.Version)
	return AppendNumber(dst, "executionNumber", e.Number)
}

// AppendState appends a JobExecutionState.
func AppendState(dst []byte, e *jobs.Execution) []byte {
	dst = append(dst, `{"status":"`...)
	dst = append(dst, e.Status.String()...)
	dst = append(dst, '"')
	if e.Details != "" {
		dst = append(dst, `,"statusDetails":`...)
		dst = append(dst, e.Details...)
	}
	dst = AppendNumber(dst, "versionNumber", e.Version)
	return append(dst, '}')
}

// AppendPending appends the answer to GetPendingJobExecutions without its closing brace.
func AppendPending(dst []byte, p *jobs.PendingExecutions) []byte {
	dst = AppendSummaries(append(dst, `{"inProgressJobs":`...), p.InProgress)
	return AppendSummaries(append(dst, `,"queuedJobs":`...), p.Queued)
}

// AppendSummaries appends a list of JobExecutionSummary.
func AppendSummaries(dst []byte, list []jobs.Execution) []byte {
	dst = append(dst, '[')
	for i := range list {
		e := &list[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"jobId":"`...)
		dst = append(dst, e.Job.ID...)
		dst = append(dst, '"')
		dst = AppendSeconds(dst, "queuedAt", e.QueuedAt)
		dst = AppendSeconds(dst, "startedAt", e.StartedAt)
		dst = AppendSeconds(dst, "lastUpdatedAt", e.UpdatedAt)
		dst = AppendNumber(dst, "versionNumber", e.Version)
		dst = AppendNumber(dst, "executionNumber", e.Number)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}
