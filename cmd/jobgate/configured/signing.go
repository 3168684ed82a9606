package configured

import (
	"github.com/aws/aws-sdk-go-v2/aws"

	"jobgate/cmd/jobgate/config"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobdoc/s3host"
	"jobgate/gateway/signing"
	"jobgate/gateway/source"
	"jobgate/presigner/role"
)

// S3Options returns how the gateway itself reads S3.
func S3Options(c *config.Config, a aws.Config, s3 string, roles *role.Set) source.S3Options {
	retrieve := a.Credentials.Retrieve
	if r, listed := roles.Role(c.Cache.Role); listed {
		retrieve = r.Retrieve
	}
	return source.S3Options{
		Credentials: retrieve, Region: a.Region, BucketRegions: c.Presign.BucketRegions, Endpoint: s3,
		DNSSuffix: func(region string) string {
			_, suffix := s3host.PartitionOf(region)
			return suffix
		},
		Skew: roles.Skew, OnDate: roles.ObserveDate, Timeout: c.Limits.UpstreamTimeout,
	}
}

// Permits returns what each role may sign, and how documents are parsed.
func Permits(c *config.Config, h s3host.Config) (*signing.Permits, error) {
	return signing.NewPermits(h, Rules(c), signing.Limits{
		MaxDocument: int(c.Limits.MaxDocument), MaxPlaceholders: c.Limits.MaxPlaceholders, MaxRendered: int(c.Limits.MaxRendered),
	})
}

// DocumentOptions returns how documents signed with a role are parsed. A role that is not listed has the rules of presign.
func DocumentOptions(c *config.Config, name string, h s3host.Config) (jobdoc.Options, error) {
	permits, err := Permits(c, h)
	if err != nil {
		return jobdoc.Options{}, err
	}
	if _, listed := c.Roles[name]; !listed {
		name = ""
	}
	return permits.Options(name)
}
