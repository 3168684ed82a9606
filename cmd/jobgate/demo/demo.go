package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/spf13/cobra"

	"jobgate/cmd/jobgate/config"
	"jobgate/cmd/jobgate/demo/objectstore"
	"jobgate/presigner"
)

// Gateway is the gateway that the demo runs.
type Gateway struct {
	Devices, Control, Admin string                          // base URLs of its listeners
	MQTT                    string                          // host:port
	Key                     presigner.Credentials           // for the control plane
	Export                  string                          // shell line that makes AWS's tools sign with Key
	Region                  string                          // in signatures of the control plane's requests
	Ready                   func(ctx context.Context) error // nil once it serves
	Run                     func(ctx context.Context) error // serves until ctx ends
}

// Start prepares a gateway with the configuration of o and AWS's settings.
type Start func(ctx context.Context, o config.Options, settings aws.Config, log io.Writer) (*Gateway, error)

// Command returns `jobgate demo`. untilSignal returns a context that ends when the process should exit.
func Command(start Start, untilSignal func(context.Context) (context.Context, context.CancelFunc)) *cobra.Command {
	d := demo{start: start}
	cmd := &cobra.Command{
		Use:   "demo [flags]",
		Short: "Try everything on this machine: no AWS account, no configuration",
		Long: `Starts a gateway with its IoT Jobs service, and an object store with sample documents and a firmware file. The store
implements S3 and STS and verifies every signature, so that the gateway works as it does with AWS: it assumes a role,
reads a document's template, and signs the URLs in it.

The demo prints commands to try, with curl and with the AWS CLI, and runs until Ctrl-C. Its files are in a temporary
folder, which it deletes at the end.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			return d.run(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&d.listen, "listen", "", "`ADDRESS` of the gateway (default 127.0.0.1:8080, or the next free port)")
	f.StringVar(&d.admin, "admin", "", "`ADDRESS` for operators (default 127.0.0.1:9090, or the next free port)")
	f.StringVar(&d.control, "control", "", "`ADDRESS` of the IoT Jobs control plane (default 127.0.0.1:8082, or the next free port)")
	f.StringVar(&d.mqtt, "mqtt", "", "`ADDRESS` for devices that speak MQTT (default 127.0.0.1:1883, or the next free port)")
	f.StringVar(&d.logLevel, "log-level", "warn", "`LEVEL` of the gateway's log: debug, info, warn or error")
	f.BoolVar(&d.once, "once", false, "make the requests of the printed commands, print the answers, and exit")
	return cmd
}

// demo holds the command's flags and the running parts.
type demo struct {
	listen, admin, control, mqtt, logLevel string
	once                                   bool

	folder   string
	storeURL string
	gateway  *Gateway
	start    Start
}

// owner holds the keys of the demo's account. They are valid in this process only.
var owner = presigner.Credentials{AccessKeyID: "AKIAJOBGATEDEMO00000", SecretAccessKey: "jobgate-demo-secret"}

// run starts the store and the gateway, prints what to try, and serves until ctx ends.
func (d *demo) run(ctx context.Context, out, log io.Writer) (err error) {
	if d.folder, err = os.MkdirTemp("", "jobgate-demo-"); err != nil {
		return fmt.Errorf("cannot create the demo's folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.folder)) }()
	if err := writeSamples(d.folder); err != nil {
		return err
	}
	closeStore, err := d.startStore(log)
	if err != nil {
		return err
	}
	defer closeStore()
	if err := d.startGateway(ctx, log); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- d.gateway.Run(ctx) }()
	if d.once {
		err = d.play(ctx, out)
		stop()
		return errors.Join(err, <-ended)
	}
	if err := d.awaitReady(ctx); err != nil {
		stop()
		return errors.Join(err, <-ended)
	}
	d.explain(out)
	return <-ended
}

// startStore serves the folder as S3 on a free port, together with STS.
func (d *demo) startStore(log io.Writer) (closeAll func(), err error) {
	store, err := objectstore.New(objectstore.Config{Folder: d.folder, Owner: owner})
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start the object store: %w", err), store.Close())
	}
	d.storeURL = "http://" + ln.Addr().String()
	server := &http.Server{Handler: store, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.NewTextHandler(log, nil), slog.LevelWarn)}
	go func() { _ = server.Serve(ln) }() // it always returns an error, after Close
	return func() {
		_ = server.Close()
		_ = store.Close()
	}, nil
}

// startGateway prepares the gateway, with a configuration file as an operator would write it.
func (d *demo) startGateway(ctx context.Context, log io.Writer) error {
	listen, err := freeAddress(d.listen, "127.0.0.1:8080")
	if err != nil {
		return err
	}
	control, err := freeAddress(d.control, "127.0.0.1:8082", listen)
	if err != nil {
		return err
	}
	admin, err := freeAddress(d.admin, "127.0.0.1:9090")
	if err != nil {
		return err
	}
	mqtt, err := freeAddress(d.mqtt, "127.0.0.1:1883")
	if err != nil {
		return err
	}
	settings := aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(d.storeURL),
		Credentials: credentials.NewStaticCredentialsProvider(owner.AccessKeyID, owner.SecretAccessKey, ""),
	}
	o := config.Options{Path: "demo.yaml", Source: []byte(configuration(d.storeURL, d.folder)), Flags: []config.Flag{
		{Name: "--listen", Key: "listen", Text: listen},
		{Name: "--control", Key: "control", Text: control},
		{Name: "--mqtt", Key: "mqtt.listen", Text: mqtt},
		{Name: "--admin", Key: "admin", Text: admin},
		{Name: "--log-level", Key: "log.level", Text: d.logLevel},
	}}
	d.gateway, err = d.start(ctx, o, settings, log)
	return err
}

// freeAddress returns asked if set, else the first free address that is not in taken, counting up from standard's port.
func freeAddress(asked, standard string, taken ...string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	host, port, _ := net.SplitHostPort(standard) // standard is well-formed
	first, err := net.LookupPort("tcp", port)
	if err != nil {
		return "", err
	}
	for p := first; p < first+20; p++ {
		address := net.JoinHostPort(host, fmt.Sprint(p))
		if slices.Contains(taken, address) {
			continue
		}
		ln, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		return address, ln.Close()
	}
	return net.JoinHostPort(host, "0"), nil
}

// awaitReady waits until the gateway has its role session.
func (d *demo) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for {
		err := d.gateway.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot run the demo: the gateway did not become ready: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// documentURL returns the URL at which the sample thing gets its job's document.
func (d *demo) documentURL() string {
	return d.gateway.Devices + "/things/" + thing + "/jobs/" + job + "/document"
}

// explain prints the addresses and the commands to try.
func (d *demo) explain(out io.Writer) {
	_, _ = fmt.Fprintf(out, `jobgate demo: a gateway, and an object store that verifies every signature.

  gateway       %s
  IoT Jobs      %s  (the control plane; devices ask the gateway)
  MQTT          %s  (notifies devices of their jobs)
  operators     %s/metrics  (also /healthz, /readyz, /config)
  object store  %s  (S3 and STS; its files: %s)

1. Ask for the job document, as the device %s does:

     curl -s %s

2. Download the firmware behind the document's URL:

     curl -s "$(curl -s %s | sed -n 's/.*"url": "\([^"]*\)".*/\1/p')" -o %s -w '%%{http_code}, %%{size_download} bytes\n'

3. Verify it with the fleet's public key:

     curl -s %s | sed -n 's/.*"signature": "\([^"]*\)".*/\1/p' | base64 -d > v7.sig
     openssl dgst -sha256 -verify %s -signature v7.sig %s

%s
The template of the first document, before its URLs are signed: %s
Ctrl-C ends the demo.
`, d.gateway.Devices, d.gateway.Control, d.gateway.MQTT, d.gateway.Admin, d.storeURL, d.folder, thing, d.documentURL(), d.documentURL(), firmwareName, d.documentURL(), d.publicKeyFile(), firmwareName, d.lines(), d.templateFile())
}

// get requests url and returns the body of a 200.
func get(ctx context.Context, url string) ([]byte, error) {
	return send(ctx, http.MethodGet, url, "", nil)
}

// send sends a request, signed by sign if it is not nil, and returns the body of a 200.
func send(ctx context.Context, method, url, body string, sign func(*http.Request) error) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if sign != nil {
		if err := sign(r); err != nil {
			return nil, err
		}
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 15 * time.Second}
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read only
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, cmp.Or(err, fmt.Errorf("answered %d: %s", resp.StatusCode, answer))
	}
	return answer, nil
}
