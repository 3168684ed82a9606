package main

import (
	"context"
	"io"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"

	"jobgate/cmd/jobgate/config"
	"jobgate/cmd/jobgate/demo"
	"jobgate/cmd/jobgate/logs"
)

// startDemo starts the demo's gateway.
func startDemo(ctx context.Context, o config.Options, settings aws.Config, log io.Writer) (*demo.Gateway, error) {
	p, err := start(ctx, o, func(_ context.Context, log *slog.Logger) (aws.Config, error) {
		settings.Logger = logs.SDK{Log: log}
		return settings, nil
	}, log)
	if err != nil {
		return nil, err
	}
	url := func(listener string) string { return "http://" + p.server.Addr(listener).String() }
	region := p.loaded.Jobs.Region
	return &demo.Gateway{
		Devices: url("listen"), Control: url("control"), Admin: url("admin"), MQTT: p.server.Addr("mqtt").String(),
		Key: *p.generatedKey, Export: exportLine(p.generatedKey, region), Region: region,
		Ready: func(ctx context.Context) error {
			_, err := askHealth(ctx, url("admin")+"/readyz")
			return err
		},
		Run: p.run,
	}, nil
}

// untilStopped is untilSignal for commands that ignore SIGHUP.
func untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	return untilSignal(ctx, func() {})
}
