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
	"jobgate/gateway/localfile"
	"jobgate/gateway/metrics"
	"jobgate/gateway/overload"
	"jobgate/gateway/source"
	"jobgate/presigner"
	"jobgate/presigner/role"
)

// process is one running gateway: the parts that survive a reload, and those of the current configuration.
type process struct {
	options      config.Options // how to load the configuration again
	aws          aws.Config
	s3           string // S3's endpoint in AWS's settings
	level        *slog.LevelVar
	log          *slog.Logger
	metrics      *metrics.Set
	traces       telemetry.Traces
	overload     *overload.Gate
	documents    *gateway.Documents
	verifier     *access.Verifier       // of signed requests; nil: no access keys
	generatedKey *presigner.Credentials // the access key generated without a file; nil: a file is configured, or no key is needed
	jobs         *jobsService           // nil: off
	codesign     *codesigning.Shared
	mqtt         *mqttService // nil: off
	server       *gateway.Server
	changes      *localfile.Watcher // of the files whose change reloads

	mu     sync.Mutex // serializes reloads; guards the fields below
	loaded *config.Loaded
	parts  parts
}

// parts belong to one configuration; a reload builds new ones.
type parts struct {
	roles   *role.Set
	sources map[string]source.Source // by scheme
	jobs    *jobRules                // nil: off
	codes   *codesigning.Signer      // nil: code signing is off
	handler *gateway.Handler
}

// awsSettings loads AWS's settings, and logs to the logger.
type awsSettings = func(context.Context, *slog.Logger) (aws.Config, error)

// endpointWarnings warns if the gateway reads from another S3 than devices use.
func endpointWarnings(loaded *config.Loaded, s3 string) config.Faults {
	if s3 == "" || loaded.Presign.Endpoint != "" {
		return nil
	}
	return config.Faults{{
		Key: "presign.endpoint", Problem: "is not set, and AWS_ENDPOINT_URL_S3 is: templates are read there, but devices are sent to the hosts that the placeholders name",
		Fix: "set presign.endpoint to where devices reach that store",
	}}
}

// start prepares a gateway: it builds every part and binds every address. run then serves. settings loads AWS's
// settings. Log lines go to w.
func start(ctx context.Context, o config.Options, settings awsSettings, w io.Writer) (_ *process, err error) {
	// 1. The configuration and AWS's settings.
	loaded, err := config.Load(o)
	if err != nil {
		return nil, err
	}
	p := &process{options: o, loaded: loaded, level: new(slog.LevelVar)}
	p.changes = localfile.NewWatcher(p.watched) // a change during the start causes a reload later
	p.log = logs.New(w, loaded.Log, p.level)
	if p.aws, err = settings(ctx, p.log); err != nil {
		return nil, err
	}
	if p.s3, err = awsenv.S3Endpoint(ctx, p.aws); err != nil {
		return nil, err
	}
	logs.Warnings(p.log, append(loaded.Warnings, endpointWarnings(loaded, p.s3)...))
	// 2. The parts that survive a reload.
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
	// 3. The parts of one configuration.
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

// openTraces turns on tracing if the environment configures it, also for the SDK's requests.
func (p *process) openTraces(ctx context.Context, version string) (err error) {
	if p.traces, err = telemetry.Open(ctx, os.Getenv, version, p.log); err != nil {
		return err
	}
	if t := p.traces.Tracer; t != nil {
		next := p.aws.HTTPClient
		if next == nil { // the default of the SDK's clients
			next = awshttp.NewBuildableClient()
		}
		p.aws.HTTPClient = t.Client(next)
	}
	return nil
}

// run serves until ctx ends, then drains. It returns nil after a complete drain.
func (p *process) run(ctx context.Context) error {
	p.parts.roles.Start(context.WithoutCancel(ctx)) // requests in flight still need signatures during the drain
	p.metrics.Watch(p.parts.roles, p.documents)
	if p.jobs != nil {
		p.jobs.start()
	}
	if p.mqtt != nil {
		p.mqtt.start()
	}
	p.logAddresses()
	watching, stop := context.WithCancel(ctx)
	go p.changes.Run(watching, func() { _ = p.reload() }) // reload logs its own errors
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

// openKeys creates the verifier of signed requests, if there are keys.
func (p *process) openKeys(c *config.Config) error {
	keys, made, err := accessKeys(c)
	if err != nil || keys == nil {
		return err
	}
	p.generatedKey = made
	p.verifier, err = access.NewVerifier(c.Jobs.Region, keys)
	return err
}

// openCodeSigning creates the part of code signing that survives a reload.
func (p *process) openCodeSigning() error {
	var keep codesign.Keep
	if p.jobs != nil {
		keep = codesigning.Keep(p.jobs.store)
	}
	p.codesign = codesigning.New(p.aws, p.s3, keep, p.log)
	return p.metrics.Registry.Register(p.codesign.Meter)
}

// enforce applies a configuration's parts to those that survive a reload.
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

// close stops everything but the listeners, the jobs' store last.
func (p *process) close() (err error) {
	p.parts.close()
	if p.overload != nil {
		p.overload.Close()
	}
	if p.documents != nil {
		p.documents.Close()
	}
	if p.jobs != nil {
		p.jobs.stopDriver() // before MQTT's last publications, so that they cover the final state of the jobs
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

// dump returns the current configuration, for operators.
func (p *process) dump() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out bytes.Buffer
	_, _ = p.loaded.WriteTo(&out) // a buffer never fails
	return out.Bytes()
}

// oldRequests is how long the parts of a replaced configuration stay open, for requests that began with them.
const oldRequests = time.Minute
