package jobdoc_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/jobdoc"
	"jobgate/presigner"
)

// The clock and the signer of the tests.
var testTime = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

var testCredentials = presigner.Credentials{
	AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	SessionToken: "FwoGZXIvYXdzEBYaD+/=",
}

func newContext(tb testing.TB) *jobdoc.Context {
	tb.Helper()
	signer, err := presigner.NewSigner(testCredentials)
	if err != nil {
		tb.Fatal(err)
	}
	return &jobdoc.Context{
		Signer: signer, Expires: 15 * time.Minute, Time: testTime,
		Values: jobdoc.Values{ThingName: []byte("car:7"), JobID: []byte("job-1"), ExecutionNumber: []byte("3")},
	}
}

// signed returns the presigner's own URL of an object.
func signed(tb testing.TB, c *jobdoc.Context, m presigner.Method, o presigner.Object) string {
	tb.Helper()
	if o.Scheme == "" {
		o.Scheme = "https"
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.Host == "" {
		o.Host = "s3.us-east-1.amazonaws.com"
	}
	url, err := c.Signer.URL(o, m, c.Expires, c.Time)
	if err != nil {
		tb.Fatal(err)
	}
	return url
}

// both fills doc by Fill and by Parse and AppendTo, each after "foo", and checks that
// they agree in everything. It returns the document or the error.
func both(tb testing.TB, doc string, o *jobdoc.Options, c *jobdoc.Context) (string, *jobdoc.Error) {
	tb.Helper()
	dst, err := jobdoc.Fill([]byte("foo"), []byte(doc), o, c)
	filled, ok := strings.CutPrefix(string(dst), "foo")
	if !ok || err != nil && filled != "" {
		tb.Fatalf("Fill(%q) wrote %q, error %v", doc, dst, err)
	}
	source := []byte(doc)
	t, parseErr := jobdoc.Parse(source, o)
	for i := range source {
		source[i] = 'x' // a template does not retain its source
	}
	dst = []byte("foo")
	if parseErr == nil {
		dst, parseErr = t.AppendTo(dst, c)
	}
	rendered, ok := strings.CutPrefix(string(dst), "foo")
	if !ok || rendered != filled {
		tb.Fatalf("document %q:\nFill      %q, error %v\nAppendTo  %q, error %v", doc, filled, err, dst, parseErr)
	}
	if err == nil && parseErr == nil {
		return filled, nil
	}
	if err == nil || parseErr == nil {
		tb.Fatalf("document %q: Fill says %v, Parse and AppendTo say %v", doc, err, parseErr)
	}
	one, two := asError(tb, err), asError(tb, parseErr)
	if errors.Is(one, jobdoc.ErrNotAllowed) { // Fill knows the device's key, Parse only its pattern
		two.Message = one.Message
	}
	if one.Line != two.Line || one.Column != two.Column || one.Class != two.Class || one.Message != two.Message || one.Detail != two.Detail {
		tb.Fatalf("document %q:\nFill says  %v\nParse says %v", doc, one, two)
	}
	return "", one
}

func asError(tb testing.TB, err error) *jobdoc.Error {
	tb.Helper()
	var e *jobdoc.Error
	if !errors.As(err, &e) {
		tb.Fatalf("error is a %T, not an *Error: %v", err, err)
	}
	return e
}

func TestFillForms(t *testing.T) {
	c := newContext(t)
	everything, err := jobdoc.NewPolicy(nil, []string{"*"}, "presign")
	if err != nil {
		t.Fatal(err)
	}
	o := &jobdoc.Options{Policy: everything, Parameters: map[string]string{
		"channel": "stable", "tricky": "a\"b\\c\n", "number": "42", "object": `{"a":[1]}`,
		"file": "${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fwm/file.bin}",
	}}
	get := func(o presigner.Object) string { return signed(t, c, presigner.GET, o) }
	f := func(doc, want string) {
		t.Helper()
		got, err := both(t, doc, o, c)
		if err != nil {
			t.Errorf("%s\n%v", doc, err)
		} else if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", doc, got, want)
		}
	}

	// No placeholders.
	f("", "")
	f(`{"a":1}`, `{"a":1}`)
	f(`{"a":"${thingName} ${foo} ${aws:other} $ ${ {aws:iot:}"}`, `{"a":"${thingName} ${foo} ${aws:other} $ ${ {aws:iot:}"}`)
	f("\x00\xff${", "\x00\xff${")

	// v1: the key, unescaped.
	v7 := presigner.Object{Bucket: "fwm", Key: "v7.bin"}
	f(`{"u":"${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fwm/v7.bin}"}`, `{"u":"`+get(v7)+`"}`)
	f(`{"u":"${aws:iot:s3-presigned-url-v1:https://s3.us-east-1.amazonaws.com/fwm/v7.bin}"}`, `{"u":"`+get(v7)+`"}`)
	f(`${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fwm/a%20b?c#d+e{f}`, get(presigner.Object{Bucket: "fwm", Key: "a%20b?c#d+e{f"}))
	f(`["${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fwm/k?versionId=v}"]`, `["`+get(presigner.Object{Bucket: "fwm", Key: "k?versionId=v"})+`"]`)
	f(`["${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fwm//a/./../b}"]`, `["`+get(presigner.Object{Bucket: "fwm", Key: "/a/./../b"})+`"]`)

	// v2: percent-encoded, with an optional version.
	encoded := presigner.Object{Bucket: "fwm", Key: "a b/+}?.bin"}
	f(`["${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/fwm/a%20b/+%7d%3F.bin}"]`, `["`+get(encoded)+`"]`)
	encoded.VersionID = "3sL4kq+/="
	f(`["${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/fwm/a%20b/%2B%7D%3f.bin%3FversionId%3D3sL4kq%2B%2F%3D}"]`, `["`+get(encoded)+`"]`)
	f(`["${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/fwm/a%20b/%2B%7D%3f.bin%3fversionId%3d3sL4kq+/=}"]`, `["`+get(encoded)+`"]`)
	f(`["${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/fwm/a%20b/%2B%7D%3f.bin?versionId=3sL4kq+/=}"]`, `["`+get(encoded)+`"]`)
	f(`["${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/fwm/k%3F%76ersionId%3Dv%3FversionId%3D1}"]`, `["`+get(presigner.Object{Bucket: "fwm", Key: "k?versionId=v", VersionID: "1"})+`"]`)
	f(`["${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/fwm/versionId}"]`, `["`+get(presigner.Object{Bucket: "fwm", Key: "versionId"})+`"]`)

	// Uploads.
	f(`["${aws:iot:s3-presigned-url-upload:https://s3.us-east-1.amazonaws.com/logs/a%20b.log}"]`, `["`+signed(t, c, presigner.PUT, presigner.Object{Bucket: "logs", Key: "a%20b.log"})+`"]`)

	// Local placeholders: a scanner that stops at the first '}' would be wrong.
	f(`["${aws:iot:s3-presigned-url-upload:https://s3.us-east-1.amazonaws.com/logs/${thingName}/${jobId}-${executionNumber}.log}"]`,
		`["`+signed(t, c, presigner.PUT, presigner.Object{Bucket: "logs", Key: "car:7/job-1-3.log"})+`"]`)
	f(`["${aws:iot:s3-presigned-url-v2:https://fwm.s3.eu-west-1.amazonaws.com/${thingName}%2F${thingName}${jobId}${jobId}%3FversionId%3Dx}"]`,
		`["`+get(presigner.Object{Host: "fwm.s3.eu-west-1.amazonaws.com", Region: "eu-west-1", Style: presigner.HostStyle, Bucket: "fwm", Key: "car:7/car:7job-1job-1", VersionID: "x"})+`"]`)
	f(`["${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/fwm/%24%7BthingName%7D}"]`, `["`+get(presigner.Object{Bucket: "fwm", Key: "${thingName}"})+`"]`)

	// Parameters.
	f(`{"c":"${aws:iot:parameter:channel}"}`, `{"c":"stable"}`)
	f(`{"c":"<${aws:iot:parameter:tricky}>"}`, `{"c":"<a\"b\\c\n>"}`)
	f(`{"d":"{\"c\":\"${aws:iot:parameter:tricky}\"}"}`, `{"d":"{\"c\":\"a\\\"b\\\\c\\n\"}"}`)
	f(`{"d":"{\"d\":\"{\\\"c\\\":\\\"${aws:iot:parameter:tricky}\\\"}\"}"}`, `{"d":"{\"d\":\"{\\\"c\\\":\\\"a\\\\\\\"b\\\\\\\\c\\\\n\\\"}\"}"}`)
	f(`{"d":"say \"${aws:iot:parameter:tricky}\""}`, `{"d":"say \"a\"b\\c\n\""}`)
	f(`c: ${aws:iot:parameter:tricky}`, "c: a\"b\\c\n")
	f(`{"a":${aws:iot:parameter:number},"b":${aws:iot:parameter:object},"c":${aws:iot:parameter:channel}}`, `{"a":42,"b":{"a":[1]},"c":"stable"}`)
	f(`["${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fwm/${aws:iot:parameter:channel}/x}"]`, `["`+get(presigner.Object{Bucket: "fwm", Key: "stable/x"})+`"]`)
	f(`["${aws:iot:s3-presigned-url:https://${aws:iot:parameter:channel}.s3.us-east-1.amazonaws.com/x}"]`, `["`+get(presigner.Object{Host: "stable.s3.us-east-1.amazonaws.com", Style: presigner.HostStyle, Bucket: "stable", Key: "x"})+`"]`)
	f(`["curl ${aws:iot:parameter:file}"]`, `["curl `+get(presigner.Object{Bucket: "fwm", Key: "file.bin"})+`"]`)

	// Two placeholders, with text around them.
	f(`a${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fwm/v7.bin}${aws:iot:parameter:channel}b`, "a"+get(v7)+"stableb")
}

func TestJSONEscapes(t *testing.T) {
	c := newContext(t)
	f := func(doc, key string) {
		t.Helper()
		got, err := both(t, doc, nil, c)
		url := signed(t, c, presigner.GET, presigner.Object{Bucket: "fwm", Key: key})
		if err != nil || !strings.Contains(got, url) {
			t.Errorf("%s\ngot  %s, error %v\nwant %s", doc, got, err, url)
		}
	}
	const v1, host = `${aws:iot:s3-presigned-url:`, `s3.us-east-1.amazonaws.com`
	// Depth 1.
	f(`{"u":"`+v1+`https:\/\/`+host+`\/fwm\/a}"}`, "a")
	f(`{"u":"`+v1+`https:\u002F\u002f`+host+`/fwm/a\u0026\"\\b\tc}"}`, "a&\"\\b\tc")
	f(`{"u":"`+v1+`https://`+host+`/fwm/\uD83D\uDE80日}"}`, "🚀日")
	f(`{"u":"`+v1+`https://`+host+`/fwm/a\u007D"}`, "a") // an escaped '}' is a '}'
	f(`["\"}{\\",{"u":"`+v1+`https:\/\/`+host+`\/fwm\/a}"}]`, "a")
	f("\uFEFF"+` {"u":"`+v1+`https:\/\/`+host+`\/fwm\/a}"}`, "a")
	f(`"`+v1+`https:\/\/`+host+`\/fwm\/a}"`, "a")
	// A string that is not a document has depth 1, whatever its quotes look like.
	f(`{"u":"[beta] \"`+v1+`https:\/\/`+host+`\/fwm\/a\\b}\""}`, `a\b`)
	f(`{"u":"{ \"`+v1+`https:\/\/`+host+`\/fwm\/a\\b}\""}`, `a\b`)
	f(`{"u":"`+v1+`https://`+host+`/fwm/\b\f\n\r\t\/\\\"\u00e9é}"}`, "\b\f\n\r\t/\\\"éé")
	// Depth 2, as in jobDocument.
	f(`{"e":{"jobDocument":"{\"u\":\"`+v1+`https://`+host+`/fwm/a}\"}"}}`, "a")
	f(`{"e":{"jobDocument":"{\"u\":\"`+v1+`https:\\/\\/`+host+`\\/fwm\\/a\\\\b\\\"}\"}"}}`, `a\b"`)
	f(`{"e":{"jobDocument":"\n{\"u\":\"`+v1+`https:\\u002F\u005cu002f`+host+`\/fwm\\/a}\"} \n"}}`, "a")
	f(`{"e":"[\"`+v1+`https://`+host+`/fwm/\\uD83D\\uDE80}\"]","f":"x"}`, "🚀")
	// Depth 3.
	f(`{"e":"{\"f\":\"{\\\"u\\\":\\\"`+v1+`https:\\\\/\\\\/`+host+`\\\\/fwm\\\\/a\\\\\\\\b}\\\"}\"}"}`, `a\b`)
	// Several in one string, then one in another of another depth.
	f(`{"e":"{\"u\":\"`+v1+`https:\\/\\/`+host+`\\/fwm\\/x}\",\"v\":\"`+v1+`https:\\/\\/`+host+`\\/fwm\\/x}\"}","g":"`+v1+`https:\/\/`+host+`\/fwm\/a\\}"}`, `a\`)
	// Not JSON: nothing is escaped.
	f(`url: "`+v1+`https://`+host+`/fwm/a\/"b}"`, `a\/"b`)
	f(v1+`https://`+host+`/fwm/\u0041}`, `\u0041`)
	// Outside a string of a JSON document.
	f(`{"u":`+v1+`https://`+host+`/fwm/a\/"b}}`, `a\/"b`)

	text := &jobdoc.Options{PlainText: true}
	if got, err := both(t, `["`+v1+`https://`+host+`/fwm/a\/"b}"]`, text, c); err != nil || !strings.Contains(got, "/a%5C%2F%22b?") && !strings.Contains(got, "/a%5C/%22b?") {
		t.Errorf("plain text that looks like JSON: %s, %v", got, err)
	}
}

func TestJSONString(t *testing.T) {
	c := newContext(t)
	o := &jobdoc.Options{JSONString: true, Parameters: map[string]string{"p": "a\"\n", "n": "1", "s": "x"}}
	url := signed(t, c, presigner.GET, presigner.Object{Bucket: "fwm", Key: `a\b`})
	f := func(doc, want string) {
		t.Helper()
		if got, err := both(t, doc, o, c); err != nil || got != want {
			t.Errorf("%q\ngot  %q, error %v\nwant %q", doc, got, err, want)
		}
	}
	f(`{"a":"&<>/é\u2028`+"\u2028"+`"}`+"\n", `{\"a\":\"&<>/é\\u2028`+"\u2028"+`\"}\n`)
	f("\x00\x1f\x7f\t\b\f\r\xff!", `\u0000\u001f`+"\x7f"+`\t\b\f\r`+"\uFFFD!")
	f(`{"u":"${aws:iot:s3-presigned-url:https:\/\/s3.us-east-1.amazonaws.com\/fwm\/a\\b}"}`, `{\"u\":\"`+url+`\"}`)
	f(`{"p":"${aws:iot:parameter:p}"}`, `{\"p\":\"a\\\"\\n\"}`)
	f(`{"p":${aws:iot:parameter:n},"q":${aws:iot:parameter:s}}`, `{\"p\":1,\"q\":\"x\"}`)
	f("p: ${aws:iot:parameter:p}", `p: a\"\n`)
}
