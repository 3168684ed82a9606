package load

import (
	"testing"
	"time"

	"jobgate/bench/peers/rounds"
)

const wrkOutput = `Running 2s test @ http://127.0.0.1:1/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   428.06us  300.71us   9.45ms   92.30%
    Req/Sec   150.67k     9.00k  160.00k    65.00%
  Latency Distribution
     50%  380.00us
     75%  500.00us
     90%  700.00us
     99%    1.10ms
  300123 requests in 2.00s, 460.00MB read
  Socket errors: connect 0, read 3, write 0, timeout 2
  Non-2xx or 3xx responses: 7
Requests/sec: 150061.50
Transfer/sec:    230.00MB
`

func TestParseWrk(t *testing.T) {
	got, err := parseWrk(wrkOutput)
	want := rounds.Turn{Rate: 150061.5, P50: 380 * time.Microsecond, P99: 1100 * time.Microsecond, Good: 300116, Failed: 12}
	if err != nil || got != want {
		t.Errorf("parseWrk: %+v, %v; want %+v", got, err, want)
	}
	if _, err := parseWrk("unable to connect"); err == nil {
		t.Error("parseWrk accepts an output without a rate")
	}
}
