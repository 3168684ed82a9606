package server

import (
	"bytes"
	"context"
	"fmt"

	"jobgate/bench/peers/bare"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/setup"
)

// Secure returns the server's URL over TLS.
func (e Endpoint) Secure() string { return fmt.Sprintf("https://127.0.0.1:%d/hot", e.Port) }

// Endpoint is a running server.
type Endpoint struct {
	*process.Process
	Port int
}

// StartUpstream starts the server of unfilled documents, on the load's core.
func StartUpstream(ctx context.Context, o *setup.Options, running *[]*process.Process) (port int, err error) {
	p, port, err := StartBare(o, o.LoadCore, bare.Unfilled)
	if err != nil {
		return 0, err
	}
	*running = append(*running, p)
	_, err = p.Answer(ctx, process.URL(port, "/"))
	return port, err
}

// StartFilling starts a jobgate in front of an upstream and returns its answer at /hot.
func StartFilling(ctx context.Context, o *setup.Options, upstream int, running *[]*process.Process) (e Endpoint, hot []byte, err error) {
	p, port, err := StartJobgate(o, o.ServerCore, Settings{Upstream: upstream})
	if err != nil {
		return Endpoint{}, nil, err
	}
	*running = append(*running, p)
	if hot, err = p.Answer(ctx, process.URL(port, "/hot")); err != nil {
		return Endpoint{}, nil, err
	}
	if bytes.Contains(hot, []byte("${aws:iot:")) || !bytes.Contains(hot, []byte("X-Amz-Signature=")) {
		return Endpoint{}, nil, fmt.Errorf("jobgate's answer is not a filled document: %d bytes", len(hot))
	}
	return Endpoint{p, port}, hot, nil
}
