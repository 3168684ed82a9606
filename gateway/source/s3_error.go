package source

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// s3Error is the part of S3's error document that is read. The rest, such as the
// canonical request and the rejected token, stays out of logs.
type s3Error struct {
	Code    string
	Message string
	Region  string
}

// ourFaults are the codes for problems with our credentials or clock, not with the
// object, although some come with a 403. The values say what to check.
var ourFaults = map[string]string{
	"AccountProblem":        "the account has a problem",
	"ExpiredToken":          "the role session has expired",
	"InvalidAccessKeyId":    "the credentials are not known there",
	"InvalidSecurity":       "the credentials are not valid",
	"InvalidToken":          "the credentials are not valid",
	"InvalidTokenId":        "the credentials are not valid", // MinIO's
	"NotSignedUp":           "the account has no S3",
	"RequestExpired":        "the clock of this machine or of the server is wrong",
	"RequestTimeTooSkewed":  "the clock of this machine or of the server is wrong",
	"SignatureDoesNotMatch": "the secret key is wrong, or something on the way changed the request",
	"TokenRefreshRequired":  "the role session has expired",
}

// s3Failure returns the error of an answer that is neither 200 nor 304.
func s3Failure(r *Request, resp *http.Response, region string) error {
	_, text, class := readRefusal(resp, region)
	return failure(class, r.URL, "%s", text)
}

// readRefusal returns the code, text and class of an error answer of S3.
func readRefusal(resp *http.Response, region string) (code, text string, class error) {
	answer := readS3Error(resp.Body)
	hint := ourFaults[answer.Code]
	class = ErrUnavailable
	switch {
	case resp.StatusCode == http.StatusNotFound:
		class = ErrNotFound
	case resp.StatusCode == http.StatusForbidden && hint == "":
		class, hint = ErrForbidden, "S3 says so of a missing key too, unless the role has s3:ListBucket"
	}
	if elsewhere := bucketRegion(resp, answer); elsewhere != "" && elsewhere != region {
		hint = fmt.Sprintf("the bucket is in %q, asked for in %q: see AWS_REGION and presign.bucket_regions", elsewhere, region)
	}
	text = fmt.Sprintf("status %d", resp.StatusCode)
	for _, s := range []string{answer.Code, answer.Message, hint} {
		if s = printable(s, 300); s != "" {
			text += "; " + s
		}
	}
	return answer.Code, text + " (request " + printable(resp.Header.Get("X-Amz-Request-Id"), 64) + ")", class
}

// bucketRegion returns the region that an answer says the bucket is in, or "".
func bucketRegion(resp *http.Response, answer s3Error) string {
	if h := resp.Header.Get("X-Amz-Bucket-Region"); h != "" {
		return printable(h, 32)
	}
	return printable(answer.Region, 32)
}

// readS3Error reads an error document. The body may be any page; e is empty then.
func readS3Error(body io.Reader) (e s3Error) {
	if err := xml.NewDecoder(io.LimitReader(body, 16<<10)).Decode(&e); err != nil {
		return s3Error{}
	}
	return e
}

// printable keeps the first n printable ASCII characters.
func printable(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), n)]
}
