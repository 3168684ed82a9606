package main

import (
	"context"
	"fmt"
	"strconv"
)

// sameGroup makes Go's clients leave out the key exchanges that OpenSSL 3.0 does not know, so that they agree on X25519
// with every server.
const sameGroup = "GODEBUG=tlsmlkem=0,tlssecpmlkem=0"

// compareHandshakes lets each request open a connection of its own: TLS handshakes a second and the server's CPU time
// for each, with and without resuming sessions. All servers have the same key, and agree on the same group.
func compareHandshakes(ctx context.Context, o *options) error {
	if err := o.bareAnswer(ctx); err != nil {
		return err
	}
	if err := writeCertificate(o.folder); err != nil {
		return err
	}
	gate, gatePort, err := startJobgate(o, o.serverCore, settings{TLS: true})
	if err != nil {
		return err
	}
	defer gate.stop()
	nginx, nginxPort, err := startNginx(o, o.serverCore, "nginx-file.conf", settings{TLS: true})
	if err != nil {
		return err
	}
	defer nginx.stop()
	servers := []endpoint{{nginx, nginxPort}, {gate, gatePort}}
	fmt.Printf("## TLS handshakes\n\nOne request a connection, %d at once; server on core %d, clients on core %d, %s a turn. ECDSA P-256, TLS 1.3, X25519.\n\n", o.connections, o.serverCore, o.loadCore, o.length)
	for _, e := range servers {
		if _, err := e.answer(ctx, e.secure()); err != nil {
			return err
		}
	}
	for _, resume := range []bool{false, true} {
		var all []*contestant
		for _, e := range servers {
			all = append(all, &contestant{name: e.name, server: e.process, run: func(ctx context.Context) (turn, error) {
				return handshakes(ctx, o, e.secure(), resume)
			}})
		}
		against(all[0])
		if err := takeTurns(ctx, o, all); err != nil {
			return err
		}
		printTurns(map[bool]string{false: "New sessions", true: "Resumed sessions"}[resume], all)
	}
	fmt.Print("The server's CPU time is of a connection with its handshake and one request. The clients cost more than the server: they are the rate's limit.\n\n")
	return nil
}

// secure is where the server answers over TLS.
func (e endpoint) secure() string { return fmt.Sprintf("https://127.0.0.1:%d/hot", e.port) }

// handshakes opens a connection for each request, and makes sure that sessions are resumed, but for those of the first
// connections, or are not.
func handshakes(ctx context.Context, o *options, url string, resume bool) (turn, error) {
	r, err := benchWith(ctx, o, []string{sameGroup}, "--concurrency", strconv.Itoa(o.connections), "--keep-alive", "0%", "--duration", o.length.String(),
		"--warmup", "0s", "--insecure", "--tls-resume="+strconv.FormatBool(resume), url)
	if err != nil {
		return turn{}, err
	}
	if share := float64(r.Counts.Resumed) / float64(r.Counts.Handshakes); resume && share < 0.5 || !resume && share > 0 {
		return turn{}, fmt.Errorf("%.0f %% of the handshakes at %s resumed a session, with resumption %t", share*100, url, resume)
	}
	return turn{
		rate: float64(r.Counts.Handshakes) / r.Seconds, p50: r.Latency.Percentile(50), p99: r.Latency.Percentile(99),
		good: r.Counts.Good, failed: r.Counts.Failed,
	}, nil
}
