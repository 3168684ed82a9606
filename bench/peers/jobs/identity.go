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

// identity is a way in which devices authenticate.
type identity struct {
	mode  string // auth.mode
	title string // in the tables
	bare  string // the bare server that jobgate is compared with
	load  func(ctx context.Context, c DeviceCall, port int) (rounds.Turn, error)
}

// compareIdentities repeats the devices' calls with authenticated devices. The bare server only requires a client
// certificate of the same authority; it does not check signatures.
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

// SignedLoad runs wrk with requests that are signed before each turn. Signatures are valid for five minutes.
func (r *Run) SignedLoad(ctx context.Context, c DeviceCall, port int) (rounds.Turn, error) {
	script, err := signedScript(ctx, c, r.members(c), time.Now())
	if err != nil {
		return rounds.Turn{}, err
	}
	o := *r.Options
	o.Connections = r.connections(c)
	return load.Wrk(ctx, &o, process.URL(port, ""), script)
}

// signedNames is the number of requests signed for a turn.
const signedNames = 10_000

// signedScript is load.DeviceScript with requests signed with the operator's key.
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
		if i%1000 == 0 && i > 0 { // Lua limits the constants of a function
			fmt.Fprintf(&b, "  more%d()\nend\nfunction more%d()\n", i, i)
		}
		fmt.Fprintf(&b, "  add(%q, %q, %q)\n", path, req.Header.Get("X-Amz-Date"), req.Header.Get("Authorization"))
	}
	b.WriteString("end\nrequest = function()\n  next = next % #requests + 1\n  return requests[next]\nend\n")
	return b.String(), nil
}

// certifiedLoad runs this program's own closed loop, in which each connection is a device with its own certificate. wrk
// has no client certificates.
func (r *Run) certifiedLoad(ctx context.Context, c DeviceCall, port int) (rounds.Turn, error) {
	return load.CertifiedTurn(ctx, r.Options, load.Certified{
		Folder: r.Folder, Address: "127.0.0.1:" + strconv.Itoa(port), Length: r.Length, Connections: r.connections(c),
		Group: c.group, Things: r.members(c), Method: c.method, Path: c.path, Body: c.body,
	})
}
