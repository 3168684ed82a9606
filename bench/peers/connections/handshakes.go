package connections

import (
	"context"
	"fmt"
	"strconv"

	"jobgate/bench/peers/certificates"
	"jobgate/bench/peers/load"
	"jobgate/bench/peers/rounds"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/setup"
)

// sameGroup disables the key exchanges of Go's clients that OpenSSL 3.0 does not support, so that they agree on X25519
// with every server.
const sameGroup = "GODEBUG=tlsmlkem=0,tlssecpmlkem=0"

// Handshakes opens a connection for each request and measures TLS handshakes a second and the server's CPU time for
// each, with and without session resumption. All servers use the same key and group.
func Handshakes(ctx context.Context, o *setup.Options) error {
	if err := server.BareAnswer(ctx, o); err != nil {
		return err
	}
	if err := certificates.WriteServer(o.Folder); err != nil {
		return err
	}
	gate, gatePort, err := server.StartJobgate(o, o.ServerCore, server.Settings{TLS: true})
	if err != nil {
		return err
	}
	defer gate.Stop()
	nginx, nginxPort, err := server.StartNginx(o, o.ServerCore, "nginx-file.conf", server.Settings{TLS: true})
	if err != nil {
		return err
	}
	defer nginx.Stop()
	servers := []server.Endpoint{{Process: nginx, Port: nginxPort}, {Process: gate, Port: gatePort}}
	fmt.Printf("## TLS handshakes\n\nOne request a connection, %d at once; server on core %d, clients on core %d, %s a turn. ECDSA P-256, TLS 1.3, X25519.\n\n", o.Connections, o.ServerCore, o.LoadCore, o.Length)
	for _, e := range servers {
		if _, err := e.Answer(ctx, e.Secure()); err != nil {
			return err
		}
	}
	for _, resume := range []bool{false, true} {
		var all []*rounds.Contestant
		for _, e := range servers {
			all = append(all, &rounds.Contestant{Name: e.Name, Server: e.Process, Run: func(ctx context.Context) (rounds.Turn, error) {
				return handshakes(ctx, o, e.Secure(), resume)
			}})
		}
		rounds.Against(all[0])
		if err := rounds.Take(ctx, o, all); err != nil {
			return err
		}
		rounds.Print(map[bool]string{false: "New sessions", true: "Resumed sessions"}[resume], all)
	}
	fmt.Print("The server's CPU time is that of a connection with its handshake and one request. The clients need more CPU than the server and limit the rate.\n\n")
	return nil
}

// handshakes opens a connection for each request. It checks that sessions are resumed (except on the first connections)
// or never resumed.
func handshakes(ctx context.Context, o *setup.Options, url string, resume bool) (rounds.Turn, error) {
	r, err := load.BenchWith(ctx, o, []string{sameGroup}, "--concurrency", strconv.Itoa(o.Connections), "--keep-alive", "0%", "--duration", o.Length.String(),
		"--warmup", "0s", "--insecure", "--tls-resume="+strconv.FormatBool(resume), url)
	if err != nil {
		return rounds.Turn{}, err
	}
	if share := float64(r.Counts.Resumed) / float64(r.Counts.Handshakes); resume && share < 0.5 || !resume && share > 0 {
		return rounds.Turn{}, fmt.Errorf("%.0f %% of the handshakes at %s resumed a session, with resumption %t", share*100, url, resume)
	}
	return rounds.Turn{
		Rate: float64(r.Counts.Handshakes) / r.Seconds, P50: r.Latency.Percentile(50), P99: r.Latency.Percentile(99),
		Good: r.Counts.Good, Failed: r.Counts.Failed,
	}, nil
}
