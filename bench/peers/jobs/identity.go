package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"jobgate/bench/peers/account"
	"jobgate/bench/peers/bare"
	"jobgate/bench/peers/certificates"
	"jobgate/bench/peers/gate"
	"jobgate/bench/peers/load"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/rounds"
)

// identity is how devices prove who they are.
type identity struct {
	mode  string // auth.mode
	title string // in the tables
	bare  string // the server of this program that stands beside jobgate
	load  func(ctx context.Context, c DeviceCall, port int) (rounds.Turn, error)
}

// compareIdentities repeats what devices do with devices that prove who they are. The bare server beside jobgate proves
// nothing but what TLS does: it asks for a certificate of the same authority, and lets signatures be.
func (r *Run) compareIdentities(ctx context.Context) error {
	if err := certificates.WriteAuthority(r.Folder); err != nil {
		return err
	}
	if err := certificates.WriteServer(r.Folder); err != nil {
		return err
	}
	for _, i := range []identity{
		{"sigv4", ", SigV4", bare.Fasthttp, r.SignedLoad},
		{"mtls", ", mTLS", bare.FasthttpMTLS, r.certifiedLoad},
	} {
		r.Gate.Stop()
		if err := r.Start(ctx, i.mode); err != nil {
			return err
		}
		for _, c := range []DeviceCall{DescribeCall, NothingCall, UpdateCall} {
			c.goal = ""
			if err := r.beside(ctx, c, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// SignedLoad is wrk with requests that are signed beforehand, each turn's anew: they are good for five minutes.
func (r *Run) SignedLoad(ctx context.Context, c DeviceCall, port int) (rounds.Turn, error) {
	script, err := signedScript(ctx, c, r.members(c), time.Now())
	if err != nil {
		return rounds.Turn{}, err
	}
	o := *r.Options
	o.Connections = r.connections(c)
	return load.Wrk(ctx, &o, process.URL(port, ""), script)
}

// signedNames is how many requests are signed for a turn.
const signedNames = 10_000

// signedScript is load.DeviceScript with requests that the operator's key has signed.
func signedScript(ctx context.Context, c DeviceCall, n int, now time.Time) (string, error) {
	random := rand.New(rand.NewPCG(1, 2))
	signer, key := v4.NewSigner(), aws.Credentials{AccessKeyID: gate.OperatorID, SecretAccessKey: gate.OperatorSecret}
	sum := sha256.Sum256([]byte(c.body))
	hash := hex.EncodeToString(sum[:])
	var b strings.Builder
	b.WriteString("local requests, next = {}, 0\nlocal function add(path, date, signature)\n")
	fmt.Fprintf(&b, "  requests[#requests + 1] = wrk.format(%q, path, {[\"Host\"] = %q, [\"Content-Type\"] = \"application/json\", [\"X-Amz-Date\"] = date, [\"Authorization\"] = signature}, %s)\nend\n", c.method, load.DeviceHost, load.LuaString(c.body))
	b.WriteString("init = function()\n")
	for i := range min(signedNames, n) {
		path := "/things/" + load.ThingName(c.group, n, random.IntN(n)) + c.path
		req, err := http.NewRequestWithContext(ctx, c.method, "http://"+load.DeviceHost+path, http.NoBody)
		if err != nil {
			return "", err
		}
		if err := signer.SignHTTP(ctx, key, req, hash, "iot-jobs-data", account.Region, now); err != nil {
			return "", err
		}
		if i%1000 == 0 && i > 0 { // Lua bounds the constants of a function
			fmt.Fprintf(&b, "  more%d()\nend\nfunction more%d()\n", i, i)
		}
		fmt.Fprintf(&b, "  add(%q, %q, %q)\n", path, req.Header.Get("X-Amz-Date"), req.Header.Get("Authorization"))
	}
	b.WriteString("end\nrequest = function()\n  next = next % #requests + 1\n  return requests[next]\nend\n")
	return b.String(), nil
}

// certifiedLoad is this program's own closed loop: each connection is a device with a certificate of its own, which is
// more than wrk can do.
func (r *Run) certifiedLoad(ctx context.Context, c DeviceCall, port int) (rounds.Turn, error) {
	return load.CertifiedTurn(ctx, r.Options, load.Certified{
		Folder: r.Folder, Address: "127.0.0.1:" + strconv.Itoa(port), Length: r.Length, Connections: r.connections(c),
		Group: c.group, Things: r.members(c), Method: c.method, Path: c.path, Body: c.body,
	})
}
