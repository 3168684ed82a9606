package s3host

import "strings"

// Suffixes of bucket names that this package does not sign for.
const (
	expressSuffix     = "--x-s3"
	multiRegionSuffix = ".mrap"

	expressText     = "belongs to S3 Express, which takes sessions instead of presigned URLs"
	multiRegionText = "is a multi-region access point, which takes SigV4A only"
)

// PathBucket says what is wrong with a bucket in a path-style URL, "" if nothing. It
// accepts us-east-1's old names too, with capitals, underscores and up to 255
// characters, which are not allowed in a host.
func PathBucket[S string | []byte](name S) string {
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

// hostBucket says what is wrong with a bucket in a host, "" if nothing. S3's naming
// rules allow 3–63 lower-case letters, digits, dots and hyphens.
func hostBucket(name string) string {
	if why := PathBucket(name); why != "" {
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

func isAlphanumeric(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' }
