package data

import (
	"time"

	"jobgate/gateway/jobs"
)

// AppendDocument appends the document for e's device, with signed URLs and escaped as a JSON string, as in the data plane's
// answers; it is for MQTT. On an error it returns dst unchanged. It is safe for concurrent use.
func (d *Plane) AppendDocument(dst []byte, document *jobs.Document, e *jobs.Execution, now time.Time) ([]byte, error) {
	return d.documents.AppendTo(dst, document, e, now)
}
