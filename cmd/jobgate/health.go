package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"jobgate/cmd/jobgate/cli"
	"jobgate/cmd/jobgate/config"
)

func newHealth() *cobra.Command {
	var flags cli.ConfigFlags
	var address string
	var ready bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running gateway whether it is alive (--ready: whether it can serve)",
		Long: `Requests /healthz, or with --ready /readyz, from the gateway on this machine, and exits with 0 if the answer is 200.

The address comes from the configuration (admin), so that a container's HEALTHCHECK needs neither a shell nor curl.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if address == "" {
				o, err := flags.Options(cmd, config.Serving)
				if err != nil {
					return err
				}
				address = config.Peek(o).Admin
			}
			if address == "" {
				return fmt.Errorf("cannot ask for health: the configuration turns admin off")
			}
			path := "/healthz"
			if ready {
				path = "/readyz"
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			body, err := askHealth(ctx, "http://"+dialable(address)+path)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), body)
			return err
		},
	}
	flags.Add(cmd, nil)
	cmd.Flags().StringVar(&address, "address", "", "`HOST:PORT` of the admin listener, instead of the configuration's")
	cmd.Flags().BoolVar(&ready, "ready", false, "check whether it can serve: its roles are usable, and it is not draining")
	cmd.Flags().DurationVar(&timeout, "timeout", 3*time.Second, "how long to wait for the answer")
	return cmd
}

// askHealth returns the body of a 200; any other answer is an error that contains it.
func askHealth(ctx context.Context, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", fmt.Errorf("cannot ask %s: %w", url, err)
	}
	// No proxy: the gateway is on this machine.
	client := http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		return "", fmt.Errorf("the gateway does not answer: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return "", fmt.Errorf("the gateway's answer was cut short: %w", err)
	}
	body := strings.TrimSpace(string(text))
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answered %d: %s", url, resp.StatusCode, body)
	}
	return body, nil
}

// dialable returns an address to dial for a listener of this machine: loopback if it listens on all addresses.
func dialable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}
