package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
)

// loadAWS reads what AWS's standard settings say: environment, shared config, web identity, ECS, IMDS. Nothing is asked
// of the network before credentials are needed.
func loadAWS(ctx context.Context) (aws.Config, error) {
	c, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return aws.Config{}, fmt.Errorf("cannot read the AWS settings: %w", err)
	}
	return c, nil
}

// endpointSource is what the SDK's environment and shared config implement: AWS_ENDPOINT_URL_S3 and its likes.
type endpointSource interface {
	GetServiceBaseEndpoint(ctx context.Context, sdkID string) (string, bool, error)
}

// ignoreSource says whether AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is set.
type ignoreSource interface {
	GetIgnoreConfiguredEndpoints(ctx context.Context) (bool, bool, error)
}

// s3Endpoint is where AWS's standard settings say S3 is (AWS_ENDPOINT_URL_S3, else AWS_ENDPOINT_URL); "" for AWS's own
// hosts. The order is that of the SDK's service clients.
func s3Endpoint(ctx context.Context, c aws.Config) (string, error) {
	for _, source := range c.ConfigSources {
		if s, ok := source.(ignoreSource); ok {
			if ignore, found, err := s.GetIgnoreConfiguredEndpoints(ctx); err != nil || found && ignore {
				return "", err
			}
		}
	}
	for _, source := range c.ConfigSources {
		if s, ok := source.(endpointSource); ok {
			if url, found, err := s.GetServiceBaseEndpoint(ctx, "S3"); err != nil || found {
				return url, err
			}
		}
	}
	return aws.ToString(c.BaseEndpoint), nil
}
