package jobdoc

import "strings"

// isRegion says whether s reads as an AWS region: "us-east-1", "us-gov-west-1".
func isRegion(s string) bool {
	words := strings.Split(s, "-")
	if len(words) < 3 || len(words) > 5 {
		return false
	}
	for _, word := range words[:len(words)-1] {
		if word == "" || len(word) > 12 || strings.IndexFunc(word, func(r rune) bool { return r < 'a' || r > 'z' }) >= 0 {
			return false
		}
	}
	number := words[len(words)-1]
	return len(words[0]) >= 2 && (len(number) == 1 || len(number) == 2) && digitsOnly(number)
}

func digitsOnly(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// partitions maps the beginnings of region names to AWS's partitions; all others are
// in partition aws. Bucket names are unique within a partition only.
var partitions = []struct{ region, partition string }{
	{"cn-", "aws-cn"},
	{"us-gov-", "aws-us-gov"},
	{"us-isob-", "aws-iso-b"},
	{"us-isof-", "aws-iso-f"},
	{"us-iso-", "aws-iso"},
	{"eu-isoe-", "aws-iso-e"},
	{"eusc-", "aws-eusc"},
}

func partitionOf(region string) string {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.region) {
			return p.partition
		}
	}
	return "aws"
}

// Ends of bucket names that stand for something that this package does not sign for.
const (
	expressSuffix     = "--x-s3"
	multiRegionSuffix = ".mrap"

	expressText     = "belongs to S3 Express, which takes sessions instead of presigned URLs"
	multiRegionText = "is a multi-region access point, which takes SigV4A only"
)

// pathBucket says what is wrong with a bucket in a path-style URL, "" if nothing. It
// takes the old names of us-east-1 too, with capitals, underscores and up to 255
// characters, which a host could not hold.
func pathBucket[S string | []byte](name S) string {
	if len(name) < 3 || len(name) > 255 {
		return "is not of 3 to 255 characters"
	}
	for i := range len(name) {
		if c := name[i]; !isAlphanumeric(c) && c != '.' && c != '-' && c != '_' {
			return "holds a character that no bucket's name has"
		}
	}
	if hasSuffix(name, expressSuffix) {
		return expressText
	}
	if hasSuffix(name, multiRegionSuffix) {
		return multiRegionText
	}
	if name[0] == '.' {
		return "begins with a dot"
	}
	return ""
}

func hasSuffix[S string | []byte](s S, suffix string) bool {
	return len(s) >= len(suffix) && string(s[len(s)-len(suffix):]) == suffix
}

// hostBucket says what is wrong with a bucket that stands in a host, "" if nothing:
// 3–63 lower-case letters, digits, dots and hyphens, as S3's naming rules have it.
func hostBucket(name string) string {
	if why := pathBucket(name); why != "" {
		return why
	}
	if len(name) > 63 {
		return "is not of 3 to 63 characters, as one in a host must be"
	}
	for _, label := range strings.Split(name, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' || strings.IndexByte(label, '_') >= 0 || strings.ToLower(label) != label {
			return "is not a name that can stand in a host"
		}
	}
	return ""
}

// accessPoint splits the label "name-123456789012" of an access point's host.
func accessPoint(label string) (name, account string, ok bool) {
	i := strings.LastIndexByte(label, '-')
	if i < 0 {
		return "", "", false
	}
	name, account = label[:i], label[i+1:]
	ok = len(account) == 12 && digitsOnly(account) && len(name) >= 3 && len(name) <= 50 &&
		!strings.Contains(name, ".") && hostBucket(name) == ""
	return name, account, ok
}
