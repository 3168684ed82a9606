package jobdoc

import "strings"

// location is what a host of AWS says about an object.
type location struct {
	region  string // "" if the host does not say: global endpoint, transfer acceleration
	bucket  string // "" in path style; an access point's name
	account string // of an access point
}

// parseAWSHost reads a host of S3, in lower case and without a port. The forms are a
// closed list; every other host is refused.
//
//	[bucket.]s3.amazonaws.com                             global
//	[bucket.]s3.<region>.amazonaws.com[.cn]               regional
//	[bucket.]s3-<region>.amazonaws.com                    regional, old
//	[bucket.]s3.dualstack.<region>.amazonaws.com[.cn]     IPv6 too
//	[bucket.]s3-fips[.dualstack].<region>.amazonaws.com   FIPS 140
//	bucket.s3-accelerate[.dualstack].amazonaws.com        transfer acceleration
//	name-account.s3-accesspoint[-fips][.dualstack].<region>.amazonaws.com[.cn]
func parseAWSHost(host string) (location, *Error) {
	labels, china := strings.CutSuffix(host, ".amazonaws.com.cn")
	if !china {
		var ok bool
		if labels, ok = strings.CutSuffix(host, ".amazonaws.com"); !ok {
			return location{}, notS3(host)
		}
	}
	if what := refusedByName(labels); what != "" {
		return location{}, urlError("host %q %s", host, what)
	}
	rest, last := cutLabel(labels)
	if isRegion(last) {
		if (partitionOf(last) == "aws-cn") != china {
			return location{}, notS3(host)
		}
		return parseRegional(host, rest, last)
	}
	if china {
		return location{}, notS3(host)
	}
	if region, ok := strings.CutPrefix(last, "s3-"); ok && isRegion(region) && partitionOf(region) != "aws-cn" {
		return inBucket(host, location{region: region, bucket: rest})
	}
	if last == "s3" {
		return inBucket(host, location{bucket: rest})
	}
	if last == "dualstack" {
		rest, last = cutLabel(rest)
	}
	if last == "s3-accelerate" && rest != "" && !strings.Contains(rest, ".") {
		return inBucket(host, location{bucket: rest})
	}
	return location{}, notS3(host)
}

// parseRegional reads what stands before the region.
func parseRegional(host, labels, region string) (location, *Error) {
	rest, service := cutLabel(labels)
	if service == "dualstack" {
		rest, service = cutLabel(rest)
	}
	switch service {
	case "s3", "s3-fips":
		return inBucket(host, location{region: region, bucket: rest})
	case "s3-accesspoint", "s3-accesspoint-fips":
		name, account, ok := accessPoint(rest)
		if !ok {
			return location{}, urlError("host %q does not name an access point; it is written <name>-<account>.s3-accesspoint.<region>.amazonaws.com", host)
		}
		return location{region: region, bucket: name, account: account}, nil
	}
	return location{}, notS3(host)
}

// inBucket returns l if its bucket can stand in a host; none means path style.
func inBucket(host string, l location) (location, *Error) {
	if l.bucket == "" {
		if strings.HasPrefix(host, ".") {
			return location{}, notS3(host)
		}
		return l, nil
	}
	if why := hostBucket(l.bucket); why != "" {
		return location{}, urlError("the bucket %q %s", l.bucket, why)
	}
	return l, nil
}

// refusedByName says why a host that is one of S3's is refused all the same.
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

func notS3(host string) *Error {
	return urlError("host %q is neither one of S3's nor a configured endpoint; see presign.endpoint", host)
}

// cutLabel splits off the last label of a host.
func cutLabel(labels string) (rest, last string) {
	i := strings.LastIndexByte(labels, '.')
	if i < 0 {
		return "", labels
	}
	return labels[:i], labels[i+1:]
}
