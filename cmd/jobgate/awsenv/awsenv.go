// Package awsenv reads AWS's standard settings: the credentials for calls to AWS, and S3's endpoint.
package awsenv

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"jobgate/cmd/jobgate/config"
	"jobgate/cmd/jobgate/logs"
	"jobgate/gateway/jobdoc/s3host"
)

// Load reads AWS's standard settings: environment, shared config, web identity, ECS, IMDS. It makes no network request
// until credentials are needed. The SDK logs to log.
func Load(ctx context.Context, log *slog.Logger) (aws.Config, error) {
	c, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithLogger(logs.SDK{Log: log}))
	if err != nil {
		return aws.Config{}, fmt.Errorf("cannot read the AWS settings: %w", err)
	}
	return c, nil
}

// endpointSource is implemented by the SDK's environment and shared config: AWS_ENDPOINT_URL_S3 and the like.
type endpointSource interface {
	GetServiceBaseEndpoint(ctx context.Context, sdkID string) (string, bool, error)
}

// ignoreSource is implemented by the SDK's environment and shared config: AWS_IGNORE_CONFIGURED_ENDPOINT_URLS.
type ignoreSource interface {
	GetIgnoreConfiguredEndpoints(ctx context.Context) (bool, bool, error)
}

// S3Endpoint returns S3's endpoint in AWS's standard settings (AWS_ENDPOINT_URL_S3, else AWS_ENDPOINT_URL); "" means AWS's
// hosts. The order is that of the SDK's service clients.
func S3Endpoint(ctx context.Context, c aws.Config) (string, error) {
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
				return checkedEndpoint("AWS_ENDPOINT_URL_S3", url, err)
			}
		}
	}
	return checkedEndpoint("AWS_ENDPOINT_URL", aws.ToString(c.BaseEndpoint), nil)
}

// checkedEndpoint returns url if it is valid by the rules of presign.endpoint. A store refuses a signature for a host that
// clients normalize.
func checkedEndpoint(setting, url string, err error) (string, error) {
	if err == nil && url != "" {
		err = config.CheckBaseURL(setting, url)
	}
	return url, err
}

// S3Host maps `s3://bucket/key` to a URL, by the standard AWS settings and the regions of single buckets.
type S3Host struct {
	endpoint        string // of AWS_ENDPOINT_URL_S3; "": AWS's hosts
	region          string
	bucketRegions   map[string]string
	fips, dualStack bool
}

// fipsSource and dualStackSource are implemented by the SDK's environment and shared config: AWS_USE_FIPS_ENDPOINT and
// AWS_USE_DUALSTACK_ENDPOINT.
type (
	fipsSource interface {
		GetUseFIPSEndpoint(ctx context.Context) (aws.FIPSEndpointState, bool, error)
	}
	dualStackSource interface {
		GetUseDualStackEndpoint(ctx context.Context) (aws.DualStackEndpointState, bool, error)
	}
)

// NewS3Host reads the settings. The first source with a value wins, as in the SDK's service clients.
func NewS3Host(ctx context.Context, c aws.Config, endpoint string, bucketRegions map[string]string) (S3Host, error) {
	h := S3Host{endpoint: endpoint, region: c.Region, bucketRegions: bucketRegions}
	fips, err := setting(ctx, c.ConfigSources, fipsSource.GetUseFIPSEndpoint)
	if err != nil {
		return h, err
	}
	dualStack, err := setting(ctx, c.ConfigSources, dualStackSource.GetUseDualStackEndpoint)
	if err != nil {
		return h, err
	}
	h.fips, h.dualStack = fips == aws.FIPSEndpointStateEnabled, dualStack == aws.DualStackEndpointStateEnabled
	return h, nil
}

// setting returns a setting's value from the first source that has one, else the zero value.
func setting[Source, State any](ctx context.Context, sources []any, get func(Source, context.Context) (State, bool, error)) (unset State, err error) {
	for _, source := range sources {
		s, ok := source.(Source)
		if !ok {
			continue
		}
		state, found, err := get(s, ctx)
		if err != nil {
			return unset, fmt.Errorf("cannot read the AWS settings: %w", err)
		}
		if found {
			return state, nil
		}
	}
	return unset, nil
}

// hostBucket matches buckets that are DNS labels, so that they can be part of a host with a wildcard certificate.
var hostBucket = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)

// url returns the URL of an object, in the form of `aws s3 presign`: the bucket is in the host if possible, but in the
// path if an endpoint is configured. key is percent-encoded.
func (h *S3Host) url(bucket, key string) string {
	if h.endpoint != "" {
		return strings.TrimSuffix(h.endpoint, "/") + "/" + bucket + "/" + key
	}
	name, region := "s3", cmp.Or(h.bucketRegions[bucket], h.region)
	if h.fips {
		name = "s3-fips"
	}
	if h.dualStack {
		name += ".dualstack"
	}
	if region == "" && name != "s3" {
		region = "us-east-1"
	}
	if region != "" {
		name += "." + region
	}
	_, suffix := s3host.PartitionOf(region)
	host := name + "." + suffix
	if hostBucket.MatchString(bucket) {
		return "https://" + bucket + "." + host + "/" + key
	}
	return "https://" + host + "/" + bucket + "/" + key
}
