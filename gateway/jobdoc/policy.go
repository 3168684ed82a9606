package jobdoc

import (
	"fmt"
	"strings"

	"jobgate/gateway/jobdoc/glob"
	"jobgate/gateway/jobdoc/s3host"
	"jobgate/presigner"
)

// Policy says which objects may be signed for download and for upload. It is
// immutable and safe for concurrent use. A nil *Policy allows every download and no
// upload.
type Policy struct {
	allow, allowUpload []pattern
	everyDownload      bool
	setting            string
}

// checkSegments rejects a key with dot segments, which could escape what a pattern
// allows. If every object is allowed, there is nothing to escape.
func (p *Policy) checkSegments(o *object) *Error {
	if patterns, every := p.of(o.method); every || allowsAll(patterns) || !o.dotSegment() {
		return nil
	}
	e := requestError("Not allowed to presign %s %q", o.method, clip(o.key))
	e.Detail, e.Err = `a key with a segment "." or ".." is refused where patterns say what is allowed: stores and clients resolve it to another key`, ErrNotAllowed
	return e
}

func allowsAll(patterns []pattern) bool {
	for i := range patterns {
		if patterns[i] == anything {
			return true
		}
	}
	return false
}

// anything is the pattern "*".
var anything = pattern{"*", "*", "*", "*"}

// pattern is an S3 resource ARN with wildcards, split into the parts that a wildcard
// cannot span.
type pattern struct{ partition, region, account, resource string }

// NewPolicy returns a Policy of resource ARNs in IAM's syntax; '*' matches any
// characters and '?' one:
//
//	arn:aws:s3:::firmware/*                                          objects of a bucket
//	arn:aws-cn:s3:::firmware/v?/*                                    in China
//	arn:aws:s3:eu-west-1:123456789012:accesspoint/fleet/object/*     through an access point
//
// or "*" for every object. allow is for downloads; if empty, all are allowed, so the
// caller must intend that. allowUpload is for uploads; if empty, none is allowed. setting is
// the part of the configuration that holds both, "presign" or "roles.download", for
// errors.
func NewPolicy(allow, allowUpload []string, setting string) (*Policy, error) {
	p := &Policy{setting: setting, everyDownload: len(allow) == 0}
	var err error
	if p.allow, err = parsePatterns(allow, setting+".allow"); err != nil {
		return nil, err
	}
	if p.allowUpload, err = parsePatterns(allowUpload, setting+".allow_upload"); err != nil {
		return nil, err
	}
	return p, nil
}

func parsePatterns(arns []string, setting string) ([]pattern, error) {
	patterns := make([]pattern, 0, len(arns))
	for _, arn := range arns {
		p, why := parsePattern(arn)
		if why != "" {
			return nil, fmt.Errorf("cannot use %s %q: %s", setting, arn, why)
		}
		patterns = append(patterns, p)
	}
	return patterns, nil
}

func parsePattern(arn string) (p pattern, why string) {
	if arn == "*" {
		return anything, ""
	}
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "s3" {
		return p, "it is written arn:aws:s3:::bucket/key, with * and ? as wildcards"
	}
	p = pattern{parts[1], parts[3], parts[4], parts[5]}
	switch {
	case p.partition == "":
		return p, "the partition is missing; it is aws, aws-cn or aws-us-gov"
	case strings.Contains(arn, "${"):
		return p, "IAM's policy variables are not supported"
	case strings.HasPrefix(p.resource, "accesspoint/"):
		if p.region == "" || p.account == "" || !strings.Contains(p.resource, "/object/") {
			return p, "an access point's object is written arn:aws:s3:<region>:<account>:accesspoint/<name>/object/<key>"
		}
	case p.region != "" || p.account != "":
		return p, "a bucket's ARN has neither region nor account: arn:aws:s3:::bucket/key"
	case !strings.ContainsAny(p.resource, "/*"):
		return p, "it names a bucket and no object; write " + arn + "/* for all of them"
	}
	return p, ""
}

// verdict is a policy's decision about an object.
type verdict uint8

const (
	never   verdict = iota
	depends         // on the values of local placeholders
	always
)

// judge decides about an object whose resource may have holes.
func (p *Policy) judge(m presigner.Method, e *s3host.Endpoint, region string, resource []byte) verdict {
	patterns, every := p.of(m)
	if every {
		return always
	}
	result := never
	where := placeOf(e, region)
	for i := range patterns {
		if !patterns[i].covers(&where) {
			continue
		}
		if glob.Matches(patterns[i].resource, resource) {
			return always
		}
		if result == never && glob.MayMatch(patterns[i].resource, resource, isValueByte) {
			result = depends
		}
	}
	return result
}

// allows is judge for an object without holes. It allocates nothing.
func (p *Policy) allows(m presigner.Method, e *s3host.Endpoint, region string, resource []byte) bool {
	patterns, every := p.of(m)
	if every {
		return true
	}
	where := placeOf(e, region)
	for i := range patterns {
		if patterns[i].covers(&where) && glob.Matches(patterns[i].resource, resource) {
			return true
		}
	}
	return false
}

// AllowsFile reports whether the policy's downloads cover a code file.
func (p *Policy) AllowsFile(f CodeFile) bool {
	e := s3host.Endpoint{Bucket: f.Bucket}
	return p.allows(presigner.GET, &e, f.Region, append(appendResource(nil, &e, ""), f.Key...))
}

// of returns the patterns for a method, and whether everything is allowed.
func (p *Policy) of(m presigner.Method) (patterns []pattern, every bool) {
	switch {
	case p == nil:
		return nil, m == presigner.GET
	case m == presigner.PUT:
		return p.allowUpload, false
	}
	return p.allow, p.everyDownload
}

// placeOf returns the part of an object's ARN before the resource.
func placeOf(e *s3host.Endpoint, region string) pattern {
	where := pattern{partition: partitionOf(region), account: e.Account}
	if e.Account != "" {
		where.region = region
	}
	return where
}

func partitionOf(region string) string {
	name, _ := s3host.PartitionOf(region)
	return name
}

// covers reports whether the pattern's partition, region and account match the object's.
func (p *pattern) covers(where *pattern) bool {
	return glob.Matches(p.partition, where.partition) && glob.Matches(p.region, where.region) && glob.Matches(p.account, where.account)
}

// refusal is the error for an object that is not allowed.
func (p *Policy) refusal(m presigner.Method, e *s3host.Endpoint, region string, resource []byte) *Error {
	arn := "arn:" + partitionOf(region) + ":s3:::"
	if e.Account != "" {
		arn = "arn:" + partitionOf(region) + ":s3:" + region + ":" + e.Account + ":"
	}
	setting := "presign"
	if p != nil && p.setting != "" {
		setting = p.setting
	}
	if m == presigner.PUT {
		setting += ".allow_upload"
	} else {
		setting += ".allow"
	}
	err := requestError("Not allowed to presign %s %s%s", m, arn, showHoles(resource))
	err.Detail, err.Err = "no pattern of "+setting+" matches", ErrNotAllowed
	return err
}

func showHoles(resource []byte) string {
	return strings.ReplaceAll(string(resource), string(rune(glob.Hole)), "${…}")
}

// appendResource appends the resource of an object's ARN, up to the key. bucket is the
// one in the URL's path; it is ignored if the host names the bucket.
func appendResource[S string | []byte](dst []byte, e *s3host.Endpoint, bucket S) []byte {
	switch {
	case e.Account != "":
		dst = append(dst, "accesspoint/"...)
		dst = append(dst, e.Bucket...)
		return append(dst, "/object/"...)
	case e.Bucket != "":
		dst = append(dst, e.Bucket...)
	default:
		dst = append(dst, bucket...)
	}
	return append(dst, '/')
}
