package s3host

import "strings"

// partition is one of AWS's partitions: regions that share a domain, and within which
// bucket names are unique.
type partition struct {
	name    string
	suffix  string   // of every host of the partition
	regions []string // prefixes of its regions, followed by a word and a number: us-east-1
}

// partitions are AWS's, with dnsSuffix and regionRegex from partitions.json
// (aws-sdk-go-v2, internal/endpoints/awsrulesfn). A new region needs no entry, a new
// partition does.
var partitions = []partition{
	{"aws", "amazonaws.com", []string{"us-", "eu-", "ap-", "sa-", "ca-", "me-", "af-", "il-", "mx-"}},
	{"aws-cn", "amazonaws.com.cn", []string{"cn-"}},
	{"aws-us-gov", "amazonaws.com", []string{"us-gov-"}},
	{"aws-iso", "c2s.ic.gov", []string{"us-iso-"}},
	{"aws-iso-b", "sc2s.sgov.gov", []string{"us-isob-"}},
	{"aws-iso-e", "cloud.adc-e.uk", []string{"eu-isoe-"}},
	{"aws-iso-f", "csp.hci.ic.gov", []string{"us-isof-"}},
	{"aws-eusc", "amazonaws.eu", []string{"eusc-de-"}},
}

// hostForm is a form of S3's hosts, without the partition's suffix and the bucket.
type hostForm struct {
	labels string // "{region}" is any region of the partition
	bucket hostBucketRule
	in     string // the partitions that have it; "" for all of them
}

// hostBucketRule says what may precede a host's form.
type hostBucketRule uint8

const (
	bucketOrNone hostBucketRule = iota // a bucket, or nothing: path style
	bucketLabel                        // a bucket without dots
	accessPoints                       // <name>-<account>
)

// hostForms is the closed list of S3's hosts; any other host is refused. The first form
// that matches is used.
var hostForms = []hostForm{
	{"s3.{region}", bucketOrNone, ""},
	{"s3.dualstack.{region}", bucketOrNone, ""}, // IPv6 too
	{"s3-fips.{region}", bucketOrNone, notChina},
	{"s3-fips.dualstack.{region}", bucketOrNone, notChina},
	{"s3-accesspoint.{region}", accessPoints, ""},
	{"s3-accesspoint.dualstack.{region}", accessPoints, ""},
	{"s3-accesspoint-fips.{region}", accessPoints, notChina},
	{"s3-accesspoint-fips.dualstack.{region}", accessPoints, notChina},
	{"s3-{region}", bucketOrNone, "aws aws-us-gov"}, // the old form of the first regions
	{"s3-fips-{region}", bucketOrNone, "aws-us-gov"},
	{"s3", bucketOrNone, "aws"}, // global: the bucket decides the region
	{"s3-accelerate", bucketLabel, "aws"},
	{"s3-accelerate.dualstack", bucketLabel, "aws"},
}

// notChina lists the partitions that have FIPS endpoints of S3.
const notChina = "aws aws-us-gov aws-iso aws-iso-b aws-iso-e aws-iso-f aws-eusc"

// GlobalHost is the global endpoint of partition aws. It serves buckets in us-east-1
// only. For other regions it redirects, and the signature is not valid for the other
// host.
const (
	GlobalHost   = "s3.amazonaws.com"
	GlobalRegion = "us-east-1"
)

// PartitionOf returns the name of a region's AWS partition, such as "aws-cn", and the
// domain of its hosts. Regions that are not AWS's, such as those of other stores, count
// as partition "aws".
func PartitionOf(region string) (name, suffix string) {
	p := partitionFor(region)
	if p == nil {
		p = &partitions[0]
	}
	return p.name, p.suffix
}

// partitionFor returns the partition of an AWS region, nil if s does not look like one:
// "us-east-1", "us-gov-west-1".
func partitionFor(s string) *partition {
	for i := range partitions {
		for _, prefix := range partitions[i].regions {
			if rest, ok := strings.CutPrefix(s, prefix); ok && isPlaceInRegion(rest) {
				return &partitions[i]
			}
		}
	}
	return nil
}

// isPlaceInRegion reports whether s is the end of a region's name: a word and a number.
func isPlaceInRegion(s string) bool {
	word, number, ok := strings.Cut(s, "-")
	return ok && word != "" && len(word) <= 12 && strings.IndexFunc(word, func(r rune) bool { return r < 'a' || r > 'z' }) < 0 &&
		(len(number) == 1 || len(number) == 2) && digitsOnly(number)
}

func digitsOnly(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// fit matches the form with the labels before a partition's suffix. It returns the
// region, "" if the form has none, and the labels before the form.
func (f *hostForm) fit(labels, suffix string) (region, before string, ok bool) {
	rest, form := labels, f.labels
	for form != "" {
		var label, want string
		rest, label = cutLabel(rest)
		form, want = cutLabel(form)
		name, isRegion := strings.CutSuffix(want, "{region}")
		switch {
		case !isRegion && label != want:
			return "", "", false
		case isRegion:
			if region, ok = strings.CutPrefix(label, name); !ok {
				return "", "", false
			}
		}
	}
	p := &partitions[0]
	if strings.Contains(f.labels, "{region}") {
		p = partitionFor(region)
	}
	return region, rest, p != nil && p.suffix == suffix && f.isIn(p.name)
}

func (f *hostForm) isIn(partition string) bool {
	if f.in == "" {
		return true
	}
	for name := range strings.FieldsSeq(f.in) {
		if name == partition {
			return true
		}
	}
	return false
}

// cutSuffix cuts a partition's domain off a host.
func cutSuffix(host string) (labels, suffix string, ok bool) {
	for i := range partitions {
		if labels, ok = strings.CutSuffix(host, "."+partitions[i].suffix); ok {
			return labels, partitions[i].suffix, true
		}
	}
	return "", "", false
}

// regionalHost returns the path-style host of a region of AWS, "" for other regions.
func regionalHost(region string) string {
	if p := partitionFor(region); p != nil {
		return "s3." + region + "." + p.suffix
	}
	return ""
}
