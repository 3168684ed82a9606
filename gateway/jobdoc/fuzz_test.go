package jobdoc_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobdoc/s3host"
)

var fuzzSeeds = []string{
	`{"a":1}`, "", "$", "${", "${aws:iot:", "${aws:iot:}", "\xff${aws:iot:\xff}",
	`["${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fwm/v7.bin}"]`,
	`["${aws:iot:s3-presigned-url:https:\/\/s3.us-east-1.amazonaws.com\/fwm\/\uD83D\uDE80}"]`,
	`{"d":"{\"u\":\"${aws:iot:s3-presigned-url-v2:https:\\/\\/fwm.s3.eu-west-1.amazonaws.com\\/a%20b%3FversionId%3Dx}\"}"}`,
	`{"d":"[\"{\\\"u\\\":\\\"${aws:iot:parameter:tricky}\\\"}\"]"}`,
	`["${aws:iot:s3-presigned-url-upload:https://s3.us-east-1.amazonaws.com/fwm/${thingName}/${jobId}${executionNumber}}"]`,
	`["${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fwm/${aws:iot:parameter:tricky}}"]`,
	`{"n":${aws:iot:parameter:tricky},"m":${aws:iot:parameter:number}}`, `["${aws:${aws:iot:parameter:seam}x}"]`, `["${aws:iot:parameter:file}"]`,
	`["${aws:iot:package:p:version:1:attributes}","${aws:iot:code-sign-signature:x}"]`,
	`["${aws:iot:code-sign-signature:s3://us-east-1.fwm/a\"@v}","${aws:iot:code-sign-signature-value:s3://us-east-1.fwm/a@v}"]`,
	`{"d":"[\"${aws:iot:code-sign-signature:s3:\\/\\/us-east-1.fwm\\/a@v}\"]"}`, `"${aws:iot:code-sign-signature:s3://us-east-1.fwm/a@v}"`,
	"u: ${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fwm/\"\\x}",
	`"\"${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fwm/\\\"}\""`, `["\u005c\"${aws:iot:parameter:tricky}"]`,
}

func fuzzOptions(f *testing.F, flags uint8) *jobdoc.Options {
	f.Helper()
	policy, err := jobdoc.NewPolicy([]string{"arn:aws:s3:::fwm/*"}, []string{"arn:aws:s3:::fwm/c*"}, "presign")
	if err != nil {
		f.Fatal(err)
	}
	var signed jobdoc.CodeSignatures
	if flags&8 != 0 {
		signed = &signatures{}
	}
	return &jobdoc.Options{
		Signatures: signed,
		Strict:     flags&1 != 0, JSONString: flags&2 != 0, PlainText: flags&4 != 0, Policy: policy,
		Parameters: map[string]string{
			"tricky": "a\"b\\c\n\x01{}'&", "number": "1e3", "seam": "iot:", "quote": `"`, "bytes": "\xff\xfe",
			"file": "x ${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fwm/file} y",
		},
	}
}

// FuzzFill checks for every document, with every option: no panic; Fill agrees with Parse
// and AppendTo; a filled document has no placeholder; text without one passes byte for
// byte; JSON stays JSON; and with JSONString the result fits in a string.
func FuzzFill(f *testing.F) {
	for _, seed := range fuzzSeeds {
		for flags := range uint8(16) {
			f.Add([]byte(seed), flags)
		}
	}
	c := newContext(f)
	var options [16]*jobdoc.Options
	for flags := range options {
		options[flags] = fuzzOptions(f, uint8(flags))
	}
	f.Fuzz(func(t *testing.T, doc []byte, flags uint8) {
		o := options[flags%16]
		jobdoc.Lint(doc, o)
		given := bytes.Clone(doc)
		filled, err := jobdoc.Fill([]byte("foo"), doc, o, c)
		if !bytes.Equal(doc, given) {
			t.Fatalf("Fill changed its source to %q", doc)
		}
		template, parseErr := jobdoc.Parse(doc, o)
		rendered := []byte("foo")
		if parseErr == nil {
			rendered, parseErr = template.AppendTo(rendered, c)
		}
		if (err == nil) != (parseErr == nil) || !bytes.Equal(filled, rendered) {
			t.Fatalf("Fill gives %q, %v\nAppendTo   %q, %v", filled, err, rendered, parseErr)
		}
		if err != nil {
			if e := asError(t, err); !bytes.Equal(filled, []byte("foo")) || e.Message == "" || e.Class == "" {
				t.Fatalf("error %#v, wrote %q", e, filled)
			}
			return
		}
		filled = filled[len("foo"):]
		checkFilled(t, doc, filled, o)
	})
}

func checkFilled(t *testing.T, doc, filled []byte, o *jobdoc.Options) {
	t.Helper()
	if jobdoc.Scan(filled) >= 0 {
		t.Fatalf("a placeholder is left in %q", filled)
	}
	if o.JSONString {
		var text string
		if err := json.Unmarshal([]byte(`"`+string(filled)+`"`), &text); err != nil {
			t.Fatalf("%q does not fit in a JSON string: %v", filled, err)
		}
		filled, doc = []byte(text), []byte(strings.ToValidUTF8(string(doc), "\uFFFD"))
		if bytes.Contains(doc, []byte("\uFFFD")) {
			return // the number of U+FFFD for invalid bytes may differ
		}
	}
	if jobdoc.Scan(doc) < 0 && !bytes.Equal(doc, filled) {
		t.Fatalf("a document without placeholders became %q", filled)
	}
	if !o.PlainText && json.Valid(doc) && !json.Valid(filled) {
		t.Fatalf("JSON %q became %q", doc, filled)
	}
}

// FuzzURL checks for every URL that a signed URL is for S3 or the configured endpoint,
// within the allowed bucket, and needs no escaping in a JSON string.
func FuzzURL(f *testing.F) {
	for _, seed := range []string{
		"https://s3.us-east-1.amazonaws.com/fwm/v7.bin", "https://fwm.s3.amazonaws.com/a%20b?versionId=1", "http://127.0.0.1:9000/fwm/k",
		"https://fwm.s3.us-east-1.amazonaws.com@evil.com/k", "https://evil.com/s3.amazonaws.com/fwm/k", "https://s3.us-east-1.amazonaws.com:443/fwm/../x/k",
		"https://fwm.s3-accelerate.amazonaws.com/k", "https://ota-123456789012.s3-accesspoint.us-west-2.amazonaws.com/${thingName}", "https://s3.us-east-1.amazonaws.com/fwm%2Fk",
	} {
		f.Add(seed)
	}
	c := newContext(f)
	resolver := mustResolver(f, s3host.Config{Endpoints: []string{"http://127.0.0.1:9000"}})
	policy, err := jobdoc.NewPolicy([]string{"arn:aws:s3:::fwm/*"}, nil, "presign")
	if err != nil {
		f.Fatal(err)
	}
	o := &jobdoc.Options{Resolver: resolver, Policy: policy, PlainText: true}
	f.Fuzz(func(t *testing.T, url string) {
		for _, form := range []string{"s3-presigned-url:", "s3-presigned-url-v2:"} {
			got, err := jobdoc.Fill(nil, []byte("${aws:iot:"+form+url+"}"), o, c)
			if err != nil || strings.Contains(url, "}") {
				continue
			}
			checkURL(t, url, string(got))
		}
	})
}

func checkURL(t *testing.T, url, got string) {
	t.Helper()
	path, _, _ := strings.Cut(got, "?")
	if strings.IndexFunc(got, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%?&=:/", r)
	}) >= 0 {
		t.Fatalf("%q became %q", url, got)
	}
	scheme, rest, _ := strings.Cut(path, "://")
	host, key, _ := strings.Cut(rest, "/")
	switch {
	case host == "127.0.0.1:9000" && scheme == "http" && strings.HasPrefix(key, "fwm/"):
	case scheme != "https":
		t.Fatalf("%q became %q", url, got)
	case strings.HasPrefix(host, "fwm.s3") && (strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")):
	case strings.HasPrefix(host, "s3") && (strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")) && strings.HasPrefix(key, "fwm/"):
	default:
		t.Fatalf("%q became %q", url, got)
	}
}
