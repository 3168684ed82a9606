package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"jobgate/cmd/jobgate/awsenv"
	"jobgate/cmd/jobgate/codesigning"
	"jobgate/cmd/jobgate/config"
	"jobgate/cmd/jobgate/configured"
	"jobgate/cmd/jobgate/logs"
	"jobgate/cmd/jobgate/telemetry"
	"jobgate/gateway"
	"jobgate/gateway/codesign"
	"jobgate/gateway/jobs/api/access"
	"jobgate/gateway/metrics"
	"jobgate/gateway/overload"
	"jobgate/gateway/source"
	"jobgate/presigner"
	"jobgate/presigner/role"
)

// process is one running gateway: what lives from its start to its end, and the parts of the configuration in force.
type process struct {
	options   config.Options // how to load the configuration again
	aws       aws.Config
	s3        string // where AWS's settings say S3 is
	level     *slog.LevelVar
	log       *slog.Logger
	metrics   *metrics.Set
	traces    telemetry.Traces
	overload  *overload.Gate
	documents *gateway.Documents
	verifier  *access.Verifier       // of signed requests; nil: there are no access keys
	madeKey   *presigner.Credentials // the access key that was made for want of a file; nil: there is one, or no need
	jobs      *jobsService           // nil: off
	codesign  *codesigning.Shared
	mqtt      *mqttService // nil: off
	server    *gateway.Server

	mu     sync.Mutex // one reload at a time; guards what follows
	loaded *config.Loaded
	parts  parts
}

// parts are what one configuration makes; a reload makes them anew.
type parts struct {
	roles   *role.Set
	sources map[string]source.Source // by scheme
	jobs    *jobRules                // nil: off
	codes   *codesigning.Signer      // nil: no code file is signed
	handler *gateway.Handler
}

// awsSettings finds AWS's settings; what it has to say goes to the log.
type awsSettings = func(context.Context, *slog.Logger) (aws.Config, error)

// endpointWarnings warns where the gateway itself asks another S3 than devices will.
func endpointWarnings(loaded *config.Loaded, s3 string) config.Faults {
	if s3 == "" || loaded.Presign.Endpoint != "" {
		return nil
	}
	return config.Faults{{
		Key: "presign.endpoint", Problem: "is not set, and AWS_ENDPOINT_URL_S3 is: templates are read there, but devices are sent to the hosts that the placeholders name",
		Mend: "set presign.endpoint to where devices reach that store",
	}}
}

// start makes a gateway ready: every part is made, every address bound, nothing is served before run. settings finds
// AWS's; log lines go to w.
func start(ctx context.Context, o config.Options, settings awsSettings, w io.Writer) (_ *process, err error) {
	// 1. What the operator wants, and where AWS is.
	loaded, err := config.Load(o)
	if err != nil {
		return nil, err
	}
	p := &process{options: o, loaded: loaded, level: new(slog.LevelVar)}
	p.log = logs.New(w, loaded.Log, p.level)
	if p.aws, err = settings(ctx, p.log); err != nil {
		return nil, err
	}
	if p.s3, err = awsenv.S3Endpoint(ctx, p.aws); err != nil {
		return nil, err
	}
	logs.Warnings(p.log, append(loaded.Warnings, endpointWarnings(loaded, p.s3)...))
	// 2. What outlives a reload.
	build := buildVersion()
	if err = p.openTraces(ctx, build.version); err != nil {
		return nil, err
	}
	p.metrics = metrics.New(build.version, build.revision)
	p.overload = overload.New()
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.documents, err = gateway.NewDocuments(configured.Documents(&loaded.Config)); err != nil {
		return nil, err
	}
	if err = p.openKeys(&loaded.Config); err != nil {
		return nil, err
	}
	if loaded.Jobs.Enabled {
		if p.jobs, err = p.openJobs(ctx, &loaded.Config); err != nil {
			return nil, err
		}
		if loaded.MQTT.Listen != "" || loaded.MQTT.Broker.URL != "" {
			if p.mqtt, err = openMQTT(&loaded.Config, p.jobs, p.metrics, p.traces.Tracer, p.log); err != nil {
				return nil, err
			}
		}
	}
	if err = p.openCodeSigning(); err != nil {
		return nil, err
	}
	// 3. What one configuration makes.
	if p.parts, err = p.wire(&loaded.Config, nil); err != nil {
		return nil, err
	}
	p.enforce(p.parts)
	// 4. The listeners.
	if p.server, err = gateway.NewServer(p.serverConfig(&loaded.Config), p.parts.handler); err != nil {
		return nil, err
	}
	p.metrics.ReloadResult(true)
	return p, nil
}

// openTraces turns tracing on if the environment says so, the SDK's own requests included.
func (p *process) openTraces(ctx context.Context, version string) (err error) {
	if p.traces, err = telemetry.Open(ctx, os.Getenv, version, p.log); err != nil {
		return err
	}
	if t := p.traces.Tracer; t != nil {
		next := p.aws.HTTPClient
		if next == nil { // each of the SDK's clients would make this one
			next = awshttp.NewBuildableClient()
		}
		p.aws.HTTPClient = t.Client(next)
	}
	return nil
}

// run serves until ctx ends, then drains. It returns nil after a complete drain.
func (p *process) run(ctx context.Context) error {
	p.parts.roles.Start(context.WithoutCancel(ctx)) // requests in flight sign until the drain is over
	p.metrics.Watch(p.parts.roles, p.documents)
	if p.jobs != nil {
		p.jobs.start()
	}
	if p.mqtt != nil {
		p.mqtt.start()
	}
	p.logAddresses()
	watching, stop := context.WithCancel(ctx)
	go watchFiles(watching, p.watched, func() { _ = p.reload() }) // it logs its own errors
	err := p.server.Run(ctx)
	stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err = errors.Join(err, p.close()); err != nil {
		p.log.Error("stopped", "error", err)
	} else {
		p.log.Info("stopped")
	}
	return err
}

func (p *process) logAddresses() {
	args := []any{"version", buildVersion().version}
	for _, name := range []string{"listen", "mqtt", "admin", "sidecar", "control"} {
		if addr := p.server.Addr(name); addr != nil {
			args = append(args, name, addr.String())
		}
	}
	p.log.Info("serving", args...)
}

// openKeys makes ready to check signed requests, if there are keys.
func (p *process) openKeys(c *config.Config) error {
	keys, made, err := accessKeys(c)
	if err != nil || keys == nil {
		return err
	}
	p.madeKey = made
	p.verifier, err = access.NewVerifier(c.Jobs.Region, keys)
	return err
}

// openCodeSigning makes what outlives a reload of code signing.
func (p *process) openCodeSigning() error {
	var keep codesign.Keep
	if p.jobs != nil {
		keep = codesigning.Keep(p.jobs.store)
	}
	p.codesign = codesigning.New(p.aws, p.s3, keep, p.log)
	return p.metrics.Registry.Register(p.codesign.Meter)
}

// enforce puts the parts of a configuration in force in what outlives it.
func (p *process) enforce(made parts) {
	if made.codes != nil {
		for _, warning := range made.codes.Warnings() {
			p.log.Warn("other users can read a signing key", "problem", warning)
		}
	}
	if p.jobs != nil {
		p.jobs.enforce(made.jobs, p.log)
	}
}

// close ends everything but the listeners; the store of the jobs last.
func (p *process) close() (err error) {
	p.parts.close()
	if p.overload != nil {
		p.overload.Close()
	}
	if p.documents != nil {
		p.documents.Close()
	}
	if p.jobs != nil {
		p.jobs.rest() // before devices hear the last: that what they were told is all that there was is kept
	}
	if p.mqtt != nil {
		p.mqtt.close()
	}
	if p.jobs != nil {
		err = p.jobs.close()
	}
	if lost := p.traces.Close(); lost != nil {
		p.log.Warn("traces are lost", "error", lost)
	}
	return err
}

// dump is the configuration in force, for operators.
func (p *process) dump() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out bytes.Buffer
	_, _ = p.loaded.WriteTo(&out) // a buffer takes everything
	return out.Bytes()
}

// oldRequests is how long the parts of a configuration outlive it, for requests that began with them.
const oldRequests = time.Minute
