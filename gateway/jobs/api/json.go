package api

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"jobgate/gateway/jobs"
)

// The append-style writer of the data plane's answers (AWS.md §4, Types). Names and ids are patterns' own and need no
// escaping; statusDetails are JSON already, and so is a rendered document between its quotes.

// appendString appends s as a JSON string.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		if c := s[i]; c >= ' ' && c != '"' && c != '\\' && c < 0x7f {
			continue
		}
		// Slow path: an escape is due, or a check that what follows is UTF-8.
		return appendEscaped(dst, s)
	}
	return append(append(dst, s...), '"')
}

// appendEscaped appends s as encoding/json writes it, but for the opening quote, which is there.
func appendEscaped(dst []byte, s string) []byte {
	text, err := encode(s)
	if err != nil { // a string always encodes
		return append(dst, '"')
	}
	return append(dst, text[1:]...)
}

// encode returns v as JSON, without escapes for HTML and without a newline.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// appendSeconds appends `"name":` and whole seconds since 1970, or nothing for the zero time.
func appendSeconds(dst []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return dst
	}
	return appendNumber(dst, name, t.Unix())
}

// appendNumber appends `,"name":n`.
func appendNumber(dst []byte, name string, n int64) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	dst = append(dst, `":`...)
	return strconv.AppendInt(dst, n, 10)
}

// appendExecution appends a JobExecution without its closing brace, so that its document can follow.
func appendExecution(dst []byte, e *jobs.Execution, now time.Time) []byte {
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
	dst = appendSeconds(dst, "queuedAt", e.QueuedAt)
	dst = appendSeconds(dst, "startedAt", e.StartedAt)
	dst = appendSeconds(dst, "lastUpdatedAt", e.UpdatedAt)
	if left, ok := e.SecondsLeft(now); ok {
		dst = appendNumber(dst, "approximateSecondsBeforeTimedOut", left)
	}
	dst = appendNumber(dst, "versionNumber", e.Version)
	return appendNumber(dst, "executionNumber", e.Number)
}

// appendState appends a JobExecutionState.
func appendState(dst []byte, e *jobs.Execution) []byte {
	dst = append(dst, `{"status":"`...)
	dst = append(dst, e.Status.String()...)
	dst = append(dst, '"')
	if e.Details != "" {
		dst = append(dst, `,"statusDetails":`...)
		dst = append(dst, e.Details...)
	}
	dst = appendNumber(dst, "versionNumber", e.Version)
	return append(dst, '}')
}

// appendSummaries appends a list of JobExecutionSummary.
func appendSummaries(dst []byte, list []jobs.Execution) []byte {
	dst = append(dst, '[')
	for i := range list {
		e := &list[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"jobId":"`...)
		dst = append(dst, e.Job.ID...)
		dst = append(dst, '"')
		dst = appendSeconds(dst, "queuedAt", e.QueuedAt)
		dst = appendSeconds(dst, "startedAt", e.StartedAt)
		dst = appendSeconds(dst, "lastUpdatedAt", e.UpdatedAt)
		dst = appendNumber(dst, "versionNumber", e.Version)
		dst = appendNumber(dst, "executionNumber", e.Number)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}
