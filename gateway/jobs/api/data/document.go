package data

import (
	"time"

	"jobgate/gateway/jobs"
)

// AppendDocument appends d as it stands for e's device, escaped to stand in a JSON string, its URLs signed: what the data
// plane's answers hold, for another wire. On an error it returns dst as it was. It is safe for concurrent use.
func (d *Plane) AppendDocument(dst []byte, document *jobs.Document, e *jobs.Execution, now time.Time) ([]byte, error) {
	return d.documents.AppendTo(dst, document, e, now)
}
