package account

import (
	"testing"
)

// Session tokens of STS are about as long.
func TestSession(t *testing.T) {
	if len(Session) != 900 {
		t.Errorf("the session token has %d bytes, want 900", len(Session))
	}
}
