//go:build !unix

package overload

import "time"

// processorTime returns the processor time that the process has used, false if that is not known.
func processorTime() (time.Duration, bool) { return 0, false }
