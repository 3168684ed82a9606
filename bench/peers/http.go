package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
)

// group is a comparison of servers: each answers the same question.
type group struct {
	title string
	all   []*contestant
}

// compareHTTP compares whole servers: one document for all, a document per device, and
// proxies.
func compareHTTP(ctx context.Context, o *options) error {
	var running []*process
	defer func() {
		for _, p := range running {
			p.stop()
		}
	}()
	groups, err := startAll(ctx, o, &running)
	if err != nil {
		return err
	}
	fmt.Printf("## Servers\n\nServer on core %d, wrk -t1 -c%d and upstreams on core %d, %s a turn.\n\n", o.serverCore, o.connections, o.loadCore, o.length)
	for _, g := range groups {
		all := selected(o, g.all)
		if len(all) < 2 {
			continue
		}
		if err := takeTurns(ctx, o, all); err != nil {
			return err
		}
		printTurns(g.title, all)
	}
	return nil
}

// selected leaves out what -only does.
func selected(o *options, all []*contestant) (some []*contestant) {
	for _, c := range all {
		if c.reference || strings.Contains(c.name, o.only) {
			some = append(some, c)
		}
	}
	return some
}

// startAll starts every server. Those that are not asked cost nothing.
func startAll(ctx context.Context, o *options, running *[]*process) ([]group, error) {
	add := func(p *process, port int, err error) (*process, int, error) {
		if p != nil {
			*running = append(*running, p)
		}
		return p, port, err
	}
	upstream, upstreamPort, err := add(startPeer(o, o.loadCore, peerTemplate))
	if err != nil {
		return nil, err
	}
	if _, err := upstream.answer(ctx, local(upstreamPort, "/")); err != nil {
		return nil, err
	}
	jobgate, gatePort, err := add(startJobgate(o, o.serverCore, settings{Upstream: upstreamPort}))
	if err != nil {
		return nil, err
	}
	hot, err := jobgate.answer(ctx, local(gatePort, "/hot"))
	if err != nil {
		return nil, err
	}
	if bytes.Contains(hot, []byte("${aws:iot:")) || !bytes.Contains(hot, []byte("X-Amz-Signature=")) {
		return nil, fmt.Errorf("jobgate's answer is not a filled document: %d bytes", len(hot))
	}
	if err := os.WriteFile(o.static(bareFile), hot, 0o644); err != nil { // for nginx's worker
		return nil, err
	}
	w := func(port int, path, script string) func(context.Context) (turn, error) {
		return func(ctx context.Context) (turn, error) { return wrk(ctx, o, local(port, path), script) }
	}
	ports := map[string]int{"jobgate": gatePort}
	for _, name := range []string{peerFasthttp, peerHash, peerSigner, peerNetHTTP, peerNetPresigner} {
		p, port, err := add(startPeer(o, o.serverCore, name))
		if err != nil {
			return nil, err
		}
		if err := sameSize(ctx, p, port, len(hot)); err != nil {
			return nil, err
		}
		ports[name] = port
	}
	for _, name := range []string{"nginx-file.conf", "nginx-proxy.conf"} {
		p, port, err := add(startNginx(o, o.serverCore, name, settings{Upstream: upstreamPort}))
		if err != nil {
			return nil, err
		}
		if _, err := p.answer(ctx, local(port, "/"+bareFile)); err != nil {
			return nil, err
		}
		ports[name] = port
	}
	return []group{
		{title: "One signed document for all devices", all: []*contestant{
			{name: "fasthttp, the same bytes", reference: true, run: w(ports[peerFasthttp], "/hot", "")},
			{name: "jobgate", goal: "≥ 0.92, and ahead of nginx", run: w(gatePort, "/hot", "")},
			{name: "nginx, a file with open_file_cache", run: w(ports["nginx-file.conf"], "/hot", "")},
			{name: "net/http, the same bytes", run: w(ports[peerNetHTTP], "/hot", "")},
			{name: "fasthttp, v4.Signer per request", run: w(ports[peerSigner], "/hot", "")},
			{name: "net/http, s3.PresignClient per request", run: w(ports[peerNetPresigner], "/hot", "")},
		}},
		{title: "A signed URL per device", all: []*contestant{
			{name: "fasthttp, only hashing, as many bytes", reference: true, run: w(ports[peerHash], "/", names)},
			{name: "jobgate", goal: "≥ 0.90", run: w(gatePort, "/", names)},
			{name: "fasthttp, v4.Signer", run: w(ports[peerSigner], "/", names)},
			{name: "net/http, s3.PresignClient", run: w(ports[peerNetPresigner], "/", names)},
		}},
		{title: "Reverse proxy", all: []*contestant{
			{name: "nginx, unfilled, upstream kept alive", reference: true, run: w(ports["nginx-proxy.conf"], "/fill/thing-1", "")},
			{name: "jobgate, filling one placeholder", goal: "≥ 0.75", run: w(gatePort, "/fill/thing-1", "")},
			{name: "jobgate, passing through", run: w(gatePort, "/plain/thing-1", "")},
		}},
	}, nil
}

func local(port int, path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", port, path) }

// sameSize makes sure that a rival answers with as many bytes, give or take the few
// that an SDK adds to its URLs.
func sameSize(ctx context.Context, p *process, port, want int) error {
	body, err := p.answer(ctx, local(port, "/hot"))
	if err != nil {
		return err
	}
	if diff := len(body) - want; diff < -60 || diff > 60 {
		return fmt.Errorf("%s answers with %d bytes, jobgate with %d", p.name, len(body), want)
	}
	return nil
}
