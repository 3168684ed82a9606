package jobs

import (
	"strings"
	"testing"
	"time"

	"jobgate/bench/peers/account"
	"jobgate/bench/peers/gate"
)

// TestSignedScript expects every request to be signed with the operator's key.
func TestSignedScript(t *testing.T) {
	script, err := signedScript(t.Context(), UpdateCall, 2500, time.Unix(1700000000, 0))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(script, "Credential="+gate.OperatorID+"/20231114/"+account.Region+"/iot-jobs-data/aws4_request"); n != 2500 {
		t.Errorf("%d requests are signed, want 2500", n)
	}
}
