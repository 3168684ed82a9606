package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"

	"jobgate/cmd/jobgate/config"
	"jobgate/cmd/jobgate/storage"
	"jobgate/gateway"
	"jobgate/gateway/console"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/api"
	"jobgate/gateway/jobs/api/access"
	"jobgate/gateway/jobs/api/control"
	"jobgate/gateway/jobs/api/data"
	"jobgate/gateway/jobs/api/events"
	jobdocuments "jobgate/gateway/jobs/documents"
	"jobgate/gateway/jobs/operations"
	jobstore "jobgate/gateway/jobs/rules"
	"jobgate/gateway/signing"
	"jobgate/presigner"
)

// jobsService is the IoT Jobs service. It lives as long as the process; a reload changes only its rules.
type jobsService struct {
	rules   jobRulesInForce
	store   *jobstore.Store
	audit   *auditFile // nil: none
	health  *storage.Health
	service *operations.Service
	data    *data.Plane
	control *api.Listener
	console *console.Console // nil: off

	stop  context.CancelFunc // stops the driver; nil before it starts
	ended chan struct{}

	stopSigning context.CancelFunc // stops Resign; nil before it starts
}

// openJobs opens the store and creates both planes. They answer requests once enforce has set their rules.
func (p *process) openJobs(ctx context.Context, c *config.Config) (_ *jobsService, err error) {
	v, m, log := p.verifier, p.metrics, p.log
	j := &jobsService{ended: make(chan struct{})}
	engine, health, err := storage.Open(ctx, &c.Jobs, log)
	if err != nil {
		return nil, err
	}
	if p.traces.Tracer != nil {
		engine = storage.Traced(engine, health)
	}
	j.store, j.health = jobstore.Over(engine), health
	defer func() {
		if err != nil {
			err = errors.Join(err, j.store.Close(), j.audit.Close())
		}
	}()
	j.service, err = operations.New(operations.Config{
		Store: j.store, Names: jobs.Names{Region: c.Jobs.Region, Account: c.Jobs.Account}, Endpoint: dataEndpoint(c),
		Roles: &j.rules, Fetch: j.rules.fetch, Signatures: j.rules.signatures, Limits: operations.Limits{MaxDocument: maxSource}, Log: log,
		Retention: c.Jobs.Retention,
	})
	if err != nil {
		return nil, err
	}
	count := m.CountURLs()
	j.data, err = data.New(data.Config{
		Service: j.service, Log: log,
		Documents: jobdocuments.New(jobdocuments.Config{
			Authority: &j.rules, Quantum: c.Presign.Quantum,
			Count: func(s signing.Signed) { count(s.Fresh, s.Reused, j.rules.tooLong(s.Longest)) },
		}),
	})
	if err != nil {
		return nil, err
	}
	audit, auditLog, err := openAudit(c.Jobs.AuditFile)
	if err != nil {
		return nil, err
	}
	j.audit = audit
	if j.control, err = j.newControl(ctx, v, log, auditLog); err != nil {
		return nil, err
	}
	if c.ServesConsole() {
		if j.console, err = console.New(); err != nil {
			return nil, err
		}
	}
	if err = m.Registry.Register(api.NewCollector(j.service)); err != nil {
		return nil, fmt.Errorf("cannot count the jobs' executions: %w", err)
	}
	j.health.Serve(j.service)
	if err = m.Registry.Register(j.health); err != nil {
		return nil, fmt.Errorf("cannot measure the jobs store: %w", err)
	}
	return j, nil
}

// newControl creates the control listener's handler.
func (j *jobsService) newControl(ctx context.Context, v *access.Verifier, log, audit *slog.Logger) (*api.Listener, error) {
	tokenKey, err := j.service.Secret(ctx, control.TokenSecret)
	if err != nil {
		return nil, fmt.Errorf("cannot read the store's key of page tokens: %w", err)
	}
	operations, err := control.New(control.Config{Service: j.service, TokenKey: tokenKey, Log: log, Audit: audit})
	if err != nil {
		return nil, err
	}
	stream, err := events.New(events.Config{Service: j.service, Verifier: v, Log: log})
	if err != nil {
		return nil, err
	}
	return api.New(api.Config{Control: operations, Data: j.data, Events: stream, Verifier: v, Log: log})
}

// dataEndpoint is DescribeEndpoint's answer: where devices reach the data plane, "" if the configuration does not say.
func dataEndpoint(c *config.Config) string {
	if c.Jobs.DataEndpoint != "" {
		return c.Jobs.DataEndpoint
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if ip := net.ParseIP(host); err != nil || host == "" || port == "0" || ip != nil && ip.IsUnspecified() {
		return ""
	}
	return c.Listen
}

// enforce applies the rules of a configuration. Documents are compiled again on their next request, and the code files of
// running jobs are signed with its keys in the background.
func (j *jobsService) enforce(r *jobRules, log *slog.Logger) {
	j.rules.current.Store(r)
	j.service.ForgetDocuments()
	if j.stopSigning != nil {
		j.stopSigning()
	}
	ctx, stop := context.WithCancel(context.Background())
	j.stopSigning = stop
	if r.codes != nil {
		go r.codes.Resign(ctx, j.service, log)
	}
}

// start starts the driver, which runs rollouts, timeouts and schedules.
func (j *jobsService) start() {
	ctx, stop := context.WithCancel(context.Background())
	j.stop = stop
	go func() {
		defer close(j.ended)
		j.service.Driver().Run(ctx)
	}()
}

// stopDriver stops the driver and waits for it. No timer changes a job afterwards.
func (j *jobsService) stopDriver() {
	if j.stop != nil {
		j.stop()
		<-j.ended
	}
}

// close stops the driver and the event streams, and closes the store. All changes are then on disk.
func (j *jobsService) close() error {
	j.control.Close()
	if j.stopSigning != nil {
		j.stopSigning()
	}
	j.stopDriver()
	return errors.Join(j.store.Close(), j.audit.Close())
}

// listener returns the control plane's listener, nil if it is off.
func (j *jobsService) listener(c *config.Config) *gateway.Control {
	if c.Control == "" {
		return nil
	}
	l := &gateway.Control{Address: c.Control, Options: j.control.HTTP(), Close: j.control.Close}
	if j.console != nil {
		l.Options = j.console.Front(l.Options)
	}
	if t := c.ControlTLS; t.CertFile != "" {
		l.TLS = &gateway.TLS{
			Setting: "control_tls", CertFile: t.CertFile, KeyFile: t.KeyFile,
			ClientCAFile: t.ClientCAFile, RequireClientCert: t.ClientCAFile != "",
		}
	}
	return l
}

// controlURL returns the URL of a control plane that listens on address.
func controlURL(c *config.Config, address string) string {
	if c.ControlTLS.CertFile != "" {
		return "https://" + address
	}
	return "http://" + address
}

// accessKeys returns the keys that may sign requests to the planes: those of jobs.access_keys_file. Without a file, which
// the configuration allows on loopback only, it generates a key and returns that, too. All are nil if no keys are needed.
func accessKeys(c *config.Config) (*access.Keys, *presigner.Credentials, error) {
	switch {
	case c.Jobs.AccessKeysFile != "":
		keys, err := access.LoadKeys(c.Jobs.AccessKeysFile)
		return keys, nil, err
	case c.Jobs.Enabled || c.Auth.Mode == "sigv4":
		keys, made := access.GenerateKeys()
		return keys, &made, nil
	}
	return nil, nil, nil
}

// printKey prints the control plane's generated key as shell exports. It is shown only once.
func (p *process) printKey(w io.Writer) {
	control := p.server.Addr("control")
	if p.generatedKey == nil || control == nil {
		return
	}
	_, _ = fmt.Fprintf(w, `The control plane accepts this access key until the process ends (jobs.access_keys_file is not set):
  %s
  aws --endpoint-url %s iot list-jobs
`, exportLine(p.generatedKey, p.loaded.Jobs.Region), controlURL(&p.loaded.Config, control.String()))
	if p.loaded.ServesConsole() {
		_, _ = fmt.Fprintf(w, "In a browser: %s%s\n", controlURL(&p.loaded.Config, control.String()), console.Root)
	}
}

// exportLine is the shell line that makes AWS's tools sign with a key. It clears a session token and a pager, which would
// interfere.
func exportLine(key *presigner.Credentials, region string) string {
	return fmt.Sprintf("export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s AWS_SESSION_TOKEN= AWS_DEFAULT_REGION=%s AWS_REGION=%s AWS_PAGER=",
		key.AccessKeyID, key.SecretAccessKey, region, region)
}
