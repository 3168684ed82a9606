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

// endpoint is a running server.
type endpoint struct {
	*process
	port int
}

// contestant lets wrk ask the server for a path, or for what a script says.
func (e endpoint) contestant(o *options, name, path, script string) *contestant {
	return &contestant{name: name, server: e.process, run: func(ctx context.Context) (turn, error) {
		return wrk(ctx, o, local(e.port, path), script)
	}}
}

// against makes a contestant the one that the others are compared with.
func against(c *contestant) *contestant {
	c.reference = true
	return c
}

// aiming gives a contestant its goal.
func aiming(goal string, c *contestant) *contestant {
	c.goal = goal
	return c
}

// startUpstream starts the server of documents that are not filled yet, on the load's core.
func startUpstream(ctx context.Context, o *options, running *[]*process) (port int, err error) {
	p, port, err := startPeer(o, o.loadCore, peerTemplate)
	if err != nil {
		return 0, err
	}
	*running = append(*running, p)
	_, err = p.answer(ctx, local(port, "/"))
	return port, err
}

// startFilling starts a jobgate before an upstream, and returns its answer at /hot.
func startFilling(ctx context.Context, o *options, upstream int, running *[]*process) (e endpoint, hot []byte, err error) {
	p, port, err := startJobgate(o, o.serverCore, settings{Upstream: upstream})
	if err != nil {
		return endpoint{}, nil, err
	}
	*running = append(*running, p)
	if hot, err = p.answer(ctx, local(port, "/hot")); err != nil {
		return endpoint{}, nil, err
	}
	if bytes.Contains(hot, []byte("${aws:iot:")) || !bytes.Contains(hot, []byte("X-Amz-Signature=")) {
		return endpoint{}, nil, fmt.Errorf("jobgate's answer is not a filled document: %d bytes", len(hot))
	}
	return endpoint{p, port}, hot, nil
}

// startAll starts every server. Those that are not asked cost nothing.
func startAll(ctx context.Context, o *options, running *[]*process) ([]group, error) {
	upstream, err := startUpstream(ctx, o, running)
	if err != nil {
		return nil, err
	}
	gate, hot, err := startFilling(ctx, o, upstream, running)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(o.static(bareFile), hot, 0o644); err != nil { // for nginx's worker
		return nil, err
	}
	rivals := make(map[string]endpoint)
	for _, name := range []string{peerFasthttp, peerHash, peerSigner, peerNetHTTP, peerNetPresigner} {
		p, port, err := startPeer(o, o.serverCore, name)
		if err != nil {
			return nil, err
		}
		*running = append(*running, p)
		if err := sameSize(ctx, p, port, len(hot)); err != nil {
			return nil, err
		}
		rivals[name] = endpoint{p, port}
	}
	for _, name := range []string{"nginx-file.conf", "nginx-proxy.conf"} {
		p, port, err := startNginx(o, o.serverCore, name, settings{Upstream: upstream})
		if err != nil {
			return nil, err
		}
		*running = append(*running, p)
		if _, err := p.answer(ctx, local(port, "/"+bareFile)); err != nil {
			return nil, err
		}
		rivals[name] = endpoint{p, port}
	}
	return groups(o, gate, rivals), nil
}

// groups are the comparisons of jobgate with its rivals.
func groups(o *options, gate endpoint, rivals map[string]endpoint) []group {
	return []group{
		{title: "One signed document for all devices", all: []*contestant{
			against(rivals[peerFasthttp].contestant(o, "fasthttp, the same bytes", "/hot", "")),
			aiming("≥ 0.92, and ahead of nginx", gate.contestant(o, "jobgate", "/hot", "")),
			rivals["nginx-file.conf"].contestant(o, "nginx, a file with open_file_cache", "/hot", ""),
			rivals[peerNetHTTP].contestant(o, "net/http, the same bytes", "/hot", ""),
			rivals[peerSigner].contestant(o, "fasthttp, v4.Signer per request", "/hot", ""),
			rivals[peerNetPresigner].contestant(o, "net/http, s3.PresignClient per request", "/hot", ""),
		}},
		{title: "A signed URL per device", all: []*contestant{
			against(rivals[peerHash].contestant(o, "fasthttp, only hashing, as many bytes", "/", names)),
			aiming("≥ 0.90", gate.contestant(o, "jobgate", "/", names)),
			rivals[peerSigner].contestant(o, "fasthttp, v4.Signer", "/", names),
			rivals[peerNetPresigner].contestant(o, "net/http, s3.PresignClient", "/", names),
		}},
		{title: "Reverse proxy", all: []*contestant{
			against(rivals["nginx-proxy.conf"].contestant(o, "nginx, unfilled, upstream kept alive", "/fill/thing-1", "")),
			aiming("≥ 0.75", gate.contestant(o, "jobgate, filling one placeholder", "/fill/thing-1", "")),
			gate.contestant(o, "jobgate, passing through", "/plain/thing-1", ""),
		}},
	}
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
