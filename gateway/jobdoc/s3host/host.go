package s3host

import (
	"fmt"
	"strings"
)

// location is the information about an object in an AWS host.
type location struct {
	region  string // "" if the host names none: global endpoint, transfer acceleration
	bucket  string // "" in path style; an access point's name
	account string // of an access point
	global  bool   // the global endpoint
}

// parseAWSHost reads a host of S3, in lower case and without a port: one of hostForms,
// in its partition's domain.
func parseAWSHost(host string) (location, error) {
	labels, suffix, ok := cutSuffix(host)
	if !ok {
		return location{}, notS3(host)
	}
	if what := refusedByName(labels); what != "" {
		return location{}, fmt.Errorf("host %q %s", host, what)
	}
	for i := range hostForms {
		f := &hostForms[i]
		if region, before, ok := f.fit(labels, suffix); ok {
			return f.locate(host, region, before)
		}
	}
	return location{}, notS3(host)
}

// locate parses the labels before the form.
func (f *hostForm) locate(host, region, before string) (location, error) {
	l := location{region: region, bucket: before, global: f.labels == "s3"}
	switch f.bucket {
	case accessPoints:
		var ok bool
		if l.bucket, l.account, ok = accessPoint(before); !ok {
			return location{}, fmt.Errorf("host %q does not name an access point; it is written <name>-<account>.s3-accesspoint.<region>.amazonaws.com", host)
		}
		return l, nil
	case bucketLabel:
		if before == "" || strings.Contains(before, ".") {
			return location{}, notS3(host)
		}
	}
	return inBucket(host, l)
}

// inBucket returns l if its bucket is valid in a host; no bucket means path style.
func inBucket(host string, l location) (location, error) {
	if l.bucket == "" {
		if strings.HasPrefix(host, ".") {
			return location{}, notS3(host)
		}
		return l, nil
	}
	if why := hostBucket(l.bucket); why != "" {
		return location{}, fmt.Errorf("the bucket %q %s", l.bucket, why)
	}
	return l, nil
}

// refusedByName says why one of S3's hosts is not supported.
func refusedByName(labels string) string {
	for _, label := range strings.Split(labels, ".") {
		if strings.HasPrefix(label, "s3express-") || strings.HasSuffix(label, expressSuffix) {
			return expressText
		}
	}
	if labels == "accesspoint.s3-global" || strings.HasSuffix(labels, ".accesspoint.s3-global") {
		return multiRegionText
	}
	return ""
}

func notS3(host string) error {
	return fmt.Errorf("host %q is neither one of S3's nor a configured endpoint; see presign.endpoint", host)
}

// cutLabel splits off the last label of a host.
func cutLabel(labels string) (rest, last string) {
	i := strings.LastIndexByte(labels, '.')
	if i < 0 {
		return "", labels
	}
	return labels[:i], labels[i+1:]
}
