package awsenv

import (
	"fmt"
	"net/url"
	"strings"
)

// Placeholder returns a document that consists of the placeholder for a URL. s3 maps s3:// URLs to hosts.
func Placeholder(method, raw string, s3 *S3Host) (string, error) {
	if strings.ContainsAny(raw, "{}\r\n") {
		return "", fmt.Errorf("cannot presign %q: it is not percent-encoded; write %%7B and %%7D for braces", raw)
	}
	if object, ok := strings.CutPrefix(raw, "s3://"); ok {
		bucket, key, _ := strings.Cut(object, "/")
		raw = s3.url(bucket, key)
	}
	switch strings.ToUpper(method) {
	case "GET":
		return "${aws:iot:s3-presigned-url-v2:" + raw + "}", nil
	case "PUT":
		// The upload placeholder takes the key unescaped.
		plain, err := url.PathUnescape(raw)
		if err != nil {
			return "", fmt.Errorf("cannot presign %q: %w", raw, err)
		}
		if strings.ContainsAny(plain, "{}?") {
			return "", fmt.Errorf("cannot presign %q for PUT: upload URLs take no version, and no brace or ? in the key", raw)
		}
		return "${aws:iot:s3-presigned-url-upload:" + plain + "}", nil
	}
	return "", fmt.Errorf("cannot presign for --method %q: want GET or PUT", method)
}
