// Package documents compares servers of documents: one document for all devices, a URL per device, and proxies. It also
// measures 1 to 100,000 documents, and a fleet of a million devices.
package documents

import (
	"context"
	"fmt"
	"os"
	"strings"

	"jobgate/bench/peers/bare"
	"jobgate/bench/peers/load"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/rounds"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/setup"
)

// group is a comparison of servers that answer the same requests.
type group struct {
	title string
	all   []*rounds.Contestant
}

// Compare compares whole servers: one document for all, a document per device, and
// proxies.
func Compare(ctx context.Context, o *setup.Options) error {
	var running []*process.Process
	defer func() {
		for _, p := range running {
			p.Stop()
		}
	}()
	groups, err := startAll(ctx, o, &running)
	if err != nil {
		return err
	}
	fmt.Printf("## Servers\n\nServer on core %d, wrk -t1 -c%d and upstreams on core %d, %s a turn.\n\n", o.ServerCore, o.Connections, o.LoadCore, o.Length)
	for _, g := range groups {
		all := selected(o, g.all)
		if len(all) < 2 {
			continue
		}
		if err := rounds.Take(ctx, o, all); err != nil {
			return err
		}
		rounds.Print(g.title, all)
	}
	return nil
}

// selected returns the contestants that -only selects, and the reference.
func selected(o *setup.Options, all []*rounds.Contestant) (some []*rounds.Contestant) {
	for _, c := range all {
		if c.Reference || strings.Contains(c.Name, o.Only) {
			some = append(some, c)
		}
	}
	return some
}

// startAll starts every server. Servers without requests use no CPU.
func startAll(ctx context.Context, o *setup.Options, running *[]*process.Process) ([]group, error) {
	upstream, err := server.StartUpstream(ctx, o, running)
	if err != nil {
		return nil, err
	}
	gate, hot, err := server.StartFilling(ctx, o, upstream, running)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(o.Static(bare.File), hot, 0o644); err != nil { // readable by nginx's worker
		return nil, err
	}
	rivals := make(map[string]server.Endpoint)
	for _, name := range []string{bare.Fasthttp, bare.Hashing, bare.Signer, bare.NetHTTP, bare.Presigner} {
		p, port, err := server.StartBare(o, o.ServerCore, name)
		if err != nil {
			return nil, err
		}
		*running = append(*running, p)
		if err := sameSize(ctx, p, port, len(hot)); err != nil {
			return nil, err
		}
		rivals[name] = server.Endpoint{Process: p, Port: port}
	}
	for _, name := range []string{"nginx-file.conf", "nginx-proxy.conf"} {
		p, port, err := server.StartNginx(o, o.ServerCore, name, server.Settings{Upstream: upstream})
		if err != nil {
			return nil, err
		}
		*running = append(*running, p)
		if _, err := p.Answer(ctx, process.URL(port, "/"+bare.File)); err != nil {
			return nil, err
		}
		rivals[name] = server.Endpoint{Process: p, Port: port}
	}
	return groups(o, gate, rivals), nil
}

// groups returns the comparisons of jobgate with its rivals.
func groups(o *setup.Options, gate server.Endpoint, rivals map[string]server.Endpoint) []group {
	return []group{
		{title: "One signed document for all devices", all: []*rounds.Contestant{
			rounds.Against(load.Asking(o, rivals[bare.Fasthttp], "fasthttp, the same bytes", "/hot", "")),
			rounds.Aiming("≥ 0.92, and ahead of nginx", load.Asking(o, gate, "jobgate", "/hot", "")),
			load.Asking(o, rivals["nginx-file.conf"], "nginx, a file with open_file_cache", "/hot", ""),
			load.Asking(o, rivals[bare.NetHTTP], "net/http, the same bytes", "/hot", ""),
			load.Asking(o, rivals[bare.Signer], "fasthttp, v4.Signer per request", "/hot", ""),
			load.Asking(o, rivals[bare.Presigner], "net/http, s3.PresignClient per request", "/hot", ""),
		}},
		{title: "A signed URL per device", all: []*rounds.Contestant{
			rounds.Against(load.Asking(o, rivals[bare.Hashing], "fasthttp, only hashing, as many bytes", "/", load.DeviceDocuments)),
			rounds.Aiming("≥ 0.90", load.Asking(o, gate, "jobgate", "/", load.DeviceDocuments)),
			load.Asking(o, rivals[bare.Signer], "fasthttp, v4.Signer", "/", load.DeviceDocuments),
			load.Asking(o, rivals[bare.Presigner], "net/http, s3.PresignClient", "/", load.DeviceDocuments),
		}},
		{title: "Reverse proxy", all: []*rounds.Contestant{
			rounds.Against(load.Asking(o, rivals["nginx-proxy.conf"], "nginx, unfilled, upstream kept alive", "/fill/thing-1", "")),
			rounds.Aiming("≥ 0.75", load.Asking(o, gate, "jobgate, filling one placeholder", "/fill/thing-1", "")),
			load.Asking(o, gate, "jobgate, passing through", "/plain/thing-1", ""),
		}},
	}
}

// sameSize checks that a rival's answers have about the same size. An SDK adds a few
// bytes to its URLs.
func sameSize(ctx context.Context, p *process.Process, port, want int) error {
	body, err := p.Answer(ctx, process.URL(port, "/hot"))
	if err != nil {
		return err
	}
	if diff := len(body) - want; diff < -60 || diff > 60 {
		return fmt.Errorf("%s answers with %d bytes, jobgate with %d", p.Name, len(body), want)
	}
	return nil
}
