package presigner

import (
	"errors"
	"fmt"
	"strings"
)

// MaxKeyBytes is S3's limit on the length of an object key in UTF-8 bytes.
const MaxKeyBytes = 1024

// ErrObject is returned for an object that a URL cannot name.
var ErrObject = errors.New("presigner: unusable object")

// Style says where an object's URL has the bucket.
type Style uint8

// The two addressing styles of S3.
const (
	PathStyle Style = iota // https://host/bucket/key
	HostStyle              // https://bucket.host/key, the bucket is part of Host; access points too
)

// Object names one S3 object at one address. All fields are plain, decoded values.
type Object struct {
	Scheme    string // "https" or "http"
	Host      string // host[:port] as sent and signed, in lower case
	Region    string // the region of the credential scope, "us-east-1"
	Bucket    string
	Style     Style
	Key       string // 1..1024 bytes, as S3 stores it
	VersionID string // "" for the current version
}

// Validate returns an error with the invalid value, or nil if o can be signed.
func (o Object) Validate() error {
	switch {
	case o.Scheme != "https" && o.Scheme != "http":
		return fmt.Errorf("%w: scheme %q is neither https nor http", ErrObject, o.Scheme)
	case o.Host == "" || strings.ContainsAny(o.Host, "/?#@ \t\r\n"):
		return fmt.Errorf("%w: host %q is not a host", ErrObject, o.Host)
	case o.Region == "" || strings.ContainsAny(o.Region, "/ \t\r\n"):
		return fmt.Errorf("%w: region %q is not a region", ErrObject, o.Region)
	case o.Bucket == "":
		return fmt.Errorf("%w: the bucket is empty", ErrObject)
	case o.Key == "":
		return fmt.Errorf("%w: the key is empty", ErrObject)
	case len(o.Key) > MaxKeyBytes:
		return fmt.Errorf("%w: the key has %d bytes, S3's limit is %d", ErrObject, len(o.Key), MaxKeyBytes)
	}
	return nil
}

// Target is an Object with all parts escaped that are the same in every URL. It is
// immutable and safe for concurrent use; create it with Object.Target. Its fields
// are read-only.
type Target struct {
	Origin  string // "https://s3.us-east-1.amazonaws.com"
	Host    string // as signed: "s3.us-east-1.amazonaws.com"
	Region  string
	Path    string // "/bucket/key%20escaped"
	Version string // the escaped version id, "" for none
}

// Target escapes o. It does not validate; call Validate first for untrusted objects.
func (o Object) Target() Target {
	path := []byte{'/'}
	if o.Style == PathStyle {
		path = append(AppendEscapedKey(path, o.Bucket), '/')
	}
	return Target{
		Origin:  o.Scheme + "://" + o.Host,
		Host:    o.Host,
		Region:  o.Region,
		Path:    string(AppendEscapedKey(path, o.Key)),
		Version: string(appendEscapedQuery(nil, o.VersionID)),
	}
}
