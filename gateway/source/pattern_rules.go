package source

import (
	"bytes"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"
)

// maxKey is S3's limit for a key, in bytes.
const maxKey = 1024

// refuse returns why a value cannot be part of a name, or "". For every scheme, a value
// must stay within one path segment.
func refuse(value []byte) string {
	switch {
	case len(value) == 0:
		return "is empty"
	case !utf8.Valid(value):
		return "is not UTF-8"
	case bytes.ContainsAny(value, `/\`):
		return "holds a slash"
	case bytes.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "holds a control character"
	default:
		return ""
	}
}

// refuseURL returns why an expanded URL names no document, or "". Values are checked one
// by one before, but two of them together may form "..".
func (p *Pattern) refuseURL(u []byte) string {
	u = u[len(p.scheme)+len("://"):]
	_, name, _ := bytes.Cut(u, []byte("/"))
	if p.scheme == "s3" && len(name) > maxKey {
		return "is longer than a key of S3 can be"
	}
	if p.scheme != "s3" {
		name, _, _ = bytes.Cut(name, []byte("?"))
	}
	for more := true; more; {
		var segment []byte
		segment, name, more = bytes.Cut(name, []byte("/"))
		if s := string(segment); s == "." || s == ".." {
			return "has a segment of dots"
		}
	}
	return ""
}

// appendEscaped percent-encodes all but RFC 3986's unreserved characters.
func appendEscaped(dst, value []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, b := range value {
		switch {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9',
			b == '-', b == '.', b == '_', b == '~':
			dst = append(dst, b)
		default:
			dst = append(dst, '%', digits[b>>4], digits[b&15])
		}
	}
	return dst
}

func (p *Pattern) parseFile(rest string) error {
	if !strings.HasPrefix(rest, "/") {
		return p.fault("a file's path is absolute: file:///…")
	}
	if strings.ContainsAny(rest, "?#") {
		return p.fault(`in a file's path "?" is written %%3F and "#" %%23`)
	}
	if err := p.checkPath(rest); err != nil {
		return err
	}
	p.text = "file://" + rest
	folder, _, _ := strings.Cut(rest, "{")
	folder = folder[:strings.LastIndexByte(folder, '/')]
	decoded, err := url.PathUnescape(folder)
	if err != nil || strings.Count(decoded, "/") != strings.Count(folder, "/") || strings.Contains(decoded, "\x00") {
		return p.fault("its path holds an escape that no file name can")
	}
	if decoded == "" {
		return p.fault("it would open the whole file system; put the documents into a folder")
	}
	p.folder = path.Clean(decoded)
	return nil
}

func (p *Pattern) parseS3(rest string) error {
	bucket, key, _ := strings.Cut(rest, "/")
	if strings.ContainsAny(bucket, "{}") {
		return p.fault("a variable never stands in the bucket")
	}
	if !validBucket(bucket) {
		return p.fault("%q is no bucket's name", bucket)
	}
	if key == "" {
		return p.fault("it names no key: s3://bucket/key")
	}
	if !utf8.ValidString(key) || len(key) > maxKey {
		return p.fault("its key is not UTF-8, or longer than %d bytes", maxKey)
	}
	p.host = bucket
	return nil
}

// validBucket checks S3's main rules for bucket names.
func validBucket(s string) bool {
	if len(s) < 3 || len(s) > 63 || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		b := s[i]
		alnum := 'a' <= b && b <= 'z' || '0' <= b && b <= '9'
		if !alnum && (b != '-' && b != '.' || i == 0 || i == len(s)-1) {
			return false
		}
	}
	return true
}

func (p *Pattern) parseHTTP(rest string) error {
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if strings.ContainsAny(rest[:end], "{}") {
		return p.fault("a variable never stands in the host")
	}
	if strings.Contains(rest[:end], "@") {
		return p.fault("a URL holds no user name and no password")
	}
	if strings.Contains(rest, "#") {
		return p.fault("a document's URL has no fragment")
	}
	for i := range len(rest) {
		if b := rest[i]; b <= ' ' || b >= 0x7f || strings.IndexByte("\"<>\\^`|", b) >= 0 {
			return p.fault("the character %q is written percent-encoded", b)
		}
	}
	u, err := url.Parse(p.scheme + "://" + strings.NewReplacer("{", "", "}", "").Replace(rest))
	if err != nil {
		return p.fault("%v", innermost(err))
	}
	if u.Hostname() == "" {
		return p.fault("it names no host")
	}
	p.host = u.Host
	query := strings.IndexByte(rest, '?')
	if query < 0 {
		query = len(rest)
	}
	return p.checkPath(rest[end:max(end, query)])
}

// checkPath rejects what servers and file systems may interpret differently in the path
// of a file or HTTP pattern.
func (p *Pattern) checkPath(s string) error {
	lower := strings.ToLower(s)
	for _, escape := range []string{"%2e", "%2f", "%5c", "%00"} {
		if strings.Contains(lower, escape) {
			return p.fault("its path holds the escape %s", escape)
		}
	}
	for segment := range strings.SplitSeq(strings.TrimPrefix(s, "/"), "/") {
		if segment == "." || segment == ".." {
			return p.fault("its path has a segment of dots")
		}
		if segment == "" && p.scheme == "file" {
			return p.fault("its path has an empty segment")
		}
	}
	return nil
}
