package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// compareHandshakes lets each request open a connection of its own: TLS handshakes per
// second, with and without resuming sessions.
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
	fmt.Printf("## TLS handshakes\n\nOne request a connection, %d at once; server on core %d, clients on core %d, %s a turn. ECDSA P-256, TLS 1.3.\n\n", o.connections, o.serverCore, o.loadCore, o.length)
	t := newTable("<server", "<sessions", "handshakes/s", "resumed", "server's core", "clients' core")
	for _, s := range []struct {
		name string
		p    *process
		port int
	}{{"jobgate", gate, gatePort}, {"nginx", nginx, nginxPort}} {
		url := fmt.Sprintf("https://127.0.0.1:%d/hot", s.port)
		if _, err := s.p.answer(ctx, url); err != nil {
			return err
		}
		for _, resume := range []bool{false, true} {
			row, err := handshakeRow(ctx, o, s.name, s.p, url, resume)
			if err != nil {
				return err
			}
			t.add(row...)
		}
	}
	fmt.Print(t)
	fmt.Println("Where the clients' core is at 100 %, the figure is theirs and the server can do more.")
	fmt.Println()
	return nil
}

func handshakeRow(ctx context.Context, o *options, name string, p *process, url string, resume bool) ([]string, error) {
	var rates []float64
	var resumed, server, client float64
	for range o.rounds {
		cpu, begin := p.cpu(), time.Now()
		r, err := bench(ctx, o, "--concurrency", strconv.Itoa(o.connections), "--keep-alive", "0%", "--duration", o.length.String(), "--warmup", "0s",
			"--insecure", "--tls-resume="+strconv.FormatBool(resume), url)
		if err != nil {
			return nil, err
		}
		if r.Counts.Failed > 0 {
			return nil, fmt.Errorf("%s: %d requests failed: %v", name, r.Counts.Failed, r.Errors)
		}
		rates = append(rates, float64(r.Counts.Handshakes)/r.Seconds)
		resumed = float64(r.Counts.Resumed) / float64(r.Counts.Handshakes)
		server, client = (p.cpu()-cpu).Seconds()/time.Since(begin).Seconds(), r.Generator.CPUShare
		o.progress("%s, resumption %t: %.0f handshakes/s", name, resume, rates[len(rates)-1])
	}
	sessions := map[bool]string{false: "new", true: "resumed"}[resume]
	percent := func(f float64) string { return fmt.Sprintf("%.0f %%", f*100) }
	return []string{name, sessions, thousands(median(rates)), percent(resumed), percent(server), percent(client)}, nil
}
