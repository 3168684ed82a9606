package account

import (
	"testing"
)

// Session tokens of STS have about this length.
func TestSession(t *testing.T) {
	if len(Session) != 900 {
		t.Errorf("the session token has %d bytes, want 900", len(Session))
	}
}
