package jobdoc_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/jobdoc"
)

const (
	invalidDocument = "InvalidJobDocumentException"
	invalidRequest  = "InvalidRequestException"
	badURL          = "Provided argument for presigned url is invalid"
)

// AWS's own messages, from the facts about AWS IoT Jobs, for every case that can be
// detected without calling AWS.
func TestErrorsOfAWS(t *testing.T) {
	c := newContext(t)
	uploads, err := jobdoc.NewPolicy(nil, []string{"*"}, "presign")
	if err != nil {
		t.Fatal(err)
	}
	lax := &jobdoc.Options{Policy: uploads, Parameters: map[string]string{"p": "x"}}
	strict := &jobdoc.Options{Policy: uploads, Strict: true}
	f := func(o *jobdoc.Options, doc, class, message string) {
		t.Helper()
		filled, err := both(t, doc, o, c)
		if err == nil {
			t.Errorf("%s\nis filled: %s", doc, filled)
			return
		}
		if err.Class != class || err.Message != message {
			t.Errorf("%s\ngot  %s: %s\nwant %s: %s", doc, err.Class, err.Message, class, message)
		}
	}
	const (
		s3      = "https://s3.us-east-1.amazonaws.com"
		v1      = "${aws:iot:s3-presigned-url:" + s3
		v2      = "${aws:iot:s3-presigned-url-v2:" + s3
		upload  = "${aws:iot:s3-presigned-url-upload:" + s3
		pack    = "${aws:iot:package:"
		notDone = "One or more parameters or placeholders are not terminated."
	)

	for _, o := range []*jobdoc.Options{lax, strict} {
		f(o, `{"a":"`+v1+`/fwm/x"}`, invalidDocument, notDone) // the } after the string belongs to the object
		f(o, `{"a":"`+v1+`/fwm/x","b":{"c":1}}`, invalidDocument, notDone)
		f(o, `{"a":"{\"b\":\"`+v1+`/fwm/x\",\"c\":{}}"}`, invalidDocument, notDone)
		f(o, `["`+v1+`/fwm/${thingName"]`, invalidDocument, notDone)
		f(o, `["`+upload+`/fwm/${thingName}"]`, invalidDocument, notDone)
		f(o, v1+"/fwm/x\n}", invalidDocument, notDone)
		f(o, "${aws:iot:", invalidDocument, notDone)
		f(o, "${aws:iot:parameter", invalidDocument, notDone)
		f(o, `["${aws:iot:s3-presigned-url:${aws:iot:code-sign-signature:s3://us-east-1.b/k@1}"]`, invalidDocument, notDone) // spelled as in AWS's documentation

		f(o, `["`+upload+`/logs/${foo}}"]`, invalidDocument, "Undefined placeholder, ${foo}, inside of presign url upload parameter")
		f(o, `["`+upload+`/logs/${}}"]`, invalidDocument, "Undefined placeholder, ${}, inside of presign url upload parameter")
		f(o, `["`+upload+`/logs/${THINGNAME}}"]`, invalidDocument, "Undefined placeholder, ${THINGNAME}, inside of presign url upload parameter")
		f(o, `["`+upload+`/logs/${thingName}${thingName}${thingName}}"]`, invalidDocument,
			"The occurrence of local placeholder ${thingName} within S3 presigned url upload placeholder exceeds limit of 2.")
		f(o, `["`+upload+`/logs/${jobId}${thingName}${executionNumber}/${jobId}/${jobId}}"]`, invalidDocument,
			"The occurrence of local placeholder ${jobId} within S3 presigned url upload placeholder exceeds limit of 2.")
		for _, place := range []string{s3 + "/${thingName}/k", s3 + "/logs${jobId}/k", "https://${thingName}.s3.us-east-1.amazonaws.com/k", "https://s3.${jobId}.amazonaws.com/b/k", "https://s3.us-east-1.amazonaws.com${jobId}/b/k", s3 + "/${thingName}"} {
			f(o, `["${aws:iot:s3-presigned-url-upload:`+place+`}"]`, invalidDocument, "S3 bucket name in presigned url upload is not allowed to contain any placeholders")
		}
		f(o, `["`+upload+`/b/${aws:iot:s3-presigned-url:https://x}"]`, invalidDocument, notDone)
		f(o, `["`+upload+`/b/${aws:iot:s3-presigned-url:https://x}}"]`, invalidDocument, "${aws:iot:s3-presigned-url[...]} should not be the second layer pattern.")
		f(o, `["`+upload+`/b/${aws:iot:s3-presigned-url:b/k}}"]`, invalidDocument, "${aws:iot:s3-presigned-url[...]} should not be the second layer pattern.")
		f(o, `["`+upload+`/b/${aws:iot:s3-presigned-url-upload}}"]`, invalidDocument, "${aws:iot:s3-presigned-url-upload[...]} should not be the second layer pattern.")
		f(o, `["`+v2+`/b/${aws:iot:s3-presigned-url-upload:https://x}}"]`, invalidDocument, "${aws:iot:s3-presigned-url-upload[...]} should not be the second layer pattern.")
		f(o, `["`+v1+`/b/${aws:iot:package:p:version:1:artifact:s3-presigned-url}}"]`, invalidDocument,
			"${aws:iot:package:[...]:artifact:s3-presigned-url} cannot be nested inside another placeholder.")
		f(o, `["`+v1+`/b/${aws:iot:package:p:version:1:artifact-location:s3-presigned-url}}"]`, invalidDocument,
			"${aws:iot:package:[...]:artifact:s3-presigned-url} cannot be nested inside another placeholder.")
		f(o, `["`+pack+`p:version::attributes:a}"]`, invalidDocument, "Empty package name and version name have to be used in pair.")
		f(o, `["`+pack+`:version:1:attributes:a}"]`, invalidDocument, "Empty package name and version name have to be used in pair.")
		f(o, `["`+pack+`p:version:$null:attributes:a}"]`, invalidDocument, "$null is not allowed to be referenced as a package version in job documents.")
		const whole = "The package version attribute placeholder for all attributes has to be a json value by itself and not appended with other strings or nested with other placeholders."
		f(o, `["x`+pack+`p:version:1:attributes}"]`, invalidDocument, whole)
		f(o, `["`+pack+`p:version:1:attributes}x"]`, invalidDocument, whole)
		f(o, `["`+pack+`p:version:1:attributes} "]`, invalidDocument, whole)
		f(o, `[x`+pack+`p:version:1:attributes}]`, invalidDocument, whole)
		f(o, `["`+v1+`/b/${aws:iot:package:p:version:1:attributes}}"]`, invalidDocument, whole)

		f(o, `["`+upload+`/B!/k}"]`, invalidRequest, "Given S3 bucket name is invalid.")
		f(o, `["`+v1+`/B!/k}"]`, invalidRequest, badURL)
	}

	// The refusals that Strict restores.
	f(strict, `["`+v1+`/b/${thingName}}"]`, invalidDocument, "Local placeholder, ${thingName}, is only valid inside of presign url upload")
	f(strict, `["`+v2+`/b/${executionNumber}}"]`, invalidDocument, "Local placeholder, ${executionNumber}, is only valid inside of presign url upload")
	f(strict, `{"t":"${foo} ${jobId}"}`, invalidDocument, "Local placeholder, ${jobId}, is only valid inside of presign url upload")
	f(strict, `{"u":"`+upload+`/logs/${jobId}}","t":"${thingName}"}`, invalidDocument, "Local placeholder, ${thingName}, is only valid inside of presign url upload")
	if _, err := both(t, `{"t":"${foo} ${thingNames} ${ thingName} $${ ${","u":"`+upload+`/logs/${jobId}}"}`, strict, c); err != nil {
		t.Errorf("strict: %v", err)
	}

	// No signer.
	c.Signer = nil
	f(lax, `["`+v1+`/fwm/k}"]`, invalidRequest, "presignedUrlConfig role ARN is required to generate an S3 presigned url in job document.")
	if _, err := both(t, `["${aws:iot:parameter:p}"]`, lax, c); err != nil {
		t.Errorf("a document without URLs needs no signer: %v", err)
	}
	template, _ := jobdoc.Parse([]byte("[\n\""+v1+"/fwm/k}\"]"), nil)
	if err := template.NeedsRole(); !errors.Is(err, jobdoc.ErrNoSigner) || asError(t, err).Line != 2 {
		t.Errorf("NeedsRole: %v", err)
	}
	template, _ = jobdoc.Parse([]byte("[]"), nil)
	if err := template.NeedsRole(); err != nil {
		t.Errorf("NeedsRole of a document without URLs: %v", err)
	}
}

// Jobgate's own errors say what is wrong, and how to fix it.
func TestErrors(t *testing.T) {
	c := newContext(t)
	policy, err := jobdoc.NewPolicy([]string{"arn:aws:s3:::fwm/*"}, nil, "roles.download")
	if err != nil {
		t.Fatal(err)
	}
	o := &jobdoc.Options{
		Policy: policy, MaxDocument: 900, MaxPlaceholders: 2, MaxRendered: 1100,
		Parameters: map[string]string{"outer": "${aws:iot:parameter:x}", "nest": "${thingName}", "seam": "iot:x", "open": "${aws:iot:s3-presigned-url:", "three": strings.Repeat("${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fwm/k}", 3), "bad": "${aws:iot:what:x}"},
	}
	f := func(doc string, want error, text ...string) {
		t.Helper()
		filled, err := both(t, doc, o, c)
		if err == nil {
			t.Errorf("%s\nis filled: %s", doc, filled)
			return
		}
		for _, part := range text {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s\ngot  %v\nwant %s", doc, err, part)
			}
		}
		if want != nil && !errors.Is(err, want) {
			t.Errorf("%s\nerror %v is not %v", doc, err, want)
		}
	}
	const (
		s3     = "https://s3.us-east-1.amazonaws.com"
		v1     = "${aws:iot:s3-presigned-url:" + s3
		v2     = "${aws:iot:s3-presigned-url-v2:" + s3
		upload = "${aws:iot:s3-presigned-url-upload:" + s3
	)
	// The position and the placeholder, without query and user information.
	f("[\n  \"日本 ${aws:iot:nope:x}\"]", nil, "line 2, column 7: ", "Unknown placeholder, ${aws:iot:nope:x}", "s3-presigned-url-v2", "in ${aws:iot:nope:x}")
	f(`["`+v2+`/fwm/k?versionId=secret&x=1}"]`, nil, "in ${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/fwm/k…}")
	for _, hidden := range []string{
		`["` + v2 + `/fwm/k?secret}"]`, `["` + v2 + `/fwm/k%3fversionId%3Dsecret%26}"]`, `["` + v2 + `/fwm/k\u003fversionId=secret&}"]`,
		`["${aws:iot:s3-presigned-url:https://user:secret@s3.amazonaws.com/fwm/k}"]`, `["${aws:iot:s3-presigned-url:https:\/\/user:secret\u0040s3.amazonaws.com\/fwm\/k}"]`,
	} {
		_, err := both(t, hidden, o, c)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s\ngives %v", hidden, err)
		}
	}

	// Errors about limits name value, limit and setting.
	f(strings.Repeat("x", 901), jobdoc.ErrTooLarge, "901", "900", "limits.max_document")
	f(strings.Repeat(v1+"/fwm/k}\n", 3), jobdoc.ErrTooLarge, "line 3, column 1", "3", "2", "limits.max_placeholders")
	f("${aws:iot:parameter:three}", jobdoc.ErrTooLarge, "limits.max_placeholders")
	f(v1+"/fwm/k}"+strings.Repeat("x", 800), jobdoc.ErrTooLarge, "1100", "limits.max_rendered")
	f(strings.Repeat("x", 800)+v1+"/fwm/k}", jobdoc.ErrTooLarge, "1100", "limits.max_rendered")

	// Parameters.
	f(`["${aws:iot:parameter:none}"]`, jobdoc.ErrParameter, `"none" is not defined; see parameters`)
	f(`["${aws:iot:parameter:}"]`, jobdoc.ErrParameter, `1 to 128`)
	f(`["${aws:iot:parameter:a b}"]`, jobdoc.ErrParameter, `[a-zA-Z0-9_-]`)
	f(`["${aws:iot:parameter:outer}"]`, jobdoc.ErrParameter, `holds another`)
	f(`["${aws:iot:parameter:open}"]`, nil, `not terminated`)
	f(`["${aws:iot:parameter:bad}"]`, nil, `Unknown placeholder`, "line 1, column 3")
	f(`["`+v1+`/fwm/${aws:iot:parameter:none}}"]`, jobdoc.ErrParameter, `"none" is not defined`)
	f(`["`+v1+`/fwm/${aws:iot:parameter:nest}}"]`, jobdoc.ErrParameter, `cannot be nested`)
	f(`["${aws:${aws:iot:parameter:seam}"]`, jobdoc.ErrParameter, `make a new placeholder`)
	f(`["${aws:${aws:iot:parameter:seam} `+v1+`/fwm/k}"]`, jobdoc.ErrParameter, `make a new placeholder`)

	// Known but unresolved forms.
	f(`["${aws:iot:package:p:version:1:attributes:size}"]`, jobdoc.ErrNotResolved, "kind package are not resolved yet")
	f(`["${aws:iot:package:p:version:1:attributes}"]`, jobdoc.ErrNotResolved, "not resolved yet")
	f(`{"a": ${aws:iot:package:::version::attributes} }`, nil, "Malformed package placeholder")
	f(`{"a": ${aws:iot:package::version::attributes} }`, jobdoc.ErrNotResolved, "not resolved yet")
	f(`["${aws:iot:package:p:version:$default:artifact-location:s3-presigned-url}"]`, jobdoc.ErrNotResolved, "not resolved yet")
	f(`["${aws:iot:code-sign-signature:s3://us-east-1.b/k@v}"]`, jobdoc.ErrNotResolved, "kind code-sign-signature are not resolved yet")
	f(`["${aws:iot:s3-presigned-url:${aws:iot:code-sign-signature:s3://us-east-1.b/k@v}}"]`, jobdoc.ErrNotResolved, "code-sign-signature")

	// URLs.
	f(`["${aws:iot:s3-presigned-url:fwm/k}"]`, nil, badURL, `"fwm/k" is not the https:// URL`)
	f(`["${aws:iot:s3-presigned-url}"]`, nil, "Unknown placeholder, ${aws:iot:s3-presigned-url}")
	f(`["${aws:iot:s3-presigned-url:}"]`, nil, badURL, "the key is missing")
	f(`["${aws:iot:s3-presigned-url-upload}"]`, nil, badURL, "the key is missing", "${thingName}/${jobId}")
	f(`["`+upload+`/logs/}"]`, nil, badURL, "the key is missing", "${thingName}/${jobId}")
	f(`["`+v1+`/fwm}"]`, nil, badURL, "the key is missing")
	f(`["`+v1+`}"]`, nil, badURL, `the bucket ""`)
	f(`["`+v1+`//k}"]`, nil, badURL, `the bucket ""`)
	f(`["`+v1+`/fwm/`+strings.Repeat("k", 790)+`${jobId}}"]`, jobdoc.ErrTooLarge, "limits.max_rendered")
	f(`["`+v2+`/fwm/a%2}"]`, nil, badURL, "%25")
	f(`["`+v2+`/fwm/a%zz}"]`, nil, badURL, "%25")
	f(`["`+v2+`/fwm/%${jobId}41}"]`, nil, badURL, "%25")
	f(`["`+v2+`/fwm/a%00}"]`, nil, badURL, "NUL")
	f(`["`+v2+`/fwm/a%ff}"]`, nil, badURL, "UTF-8")
	f(`["`+v2+`/fwm/%C3${jobId}%A9}"]`, nil, badURL, "UTF-8")
	f(`["`+v2+`/fwm/a#b}"]`, nil, badURL, "%23")
	f(`["`+v2+`/fwm/a?b=c}"]`, nil, badURL, "%3F", "versionId")
	f(`["`+v2+`/fwm/a?versionId=}"]`, nil, badURL, "versionId has 0 bytes")
	f(`["`+v2+`/fwm/a?versionId=a%20b}"]`, nil, badURL, "versionId holds ' '")
	f(`["`+v2+`/fwm/a?versionId=a&b=c}"]`, nil, badURL, "versionId holds '&'")
	f(`["`+v2+`/fwm/a?versionId=${jobId}}"]`, nil, badURL, "versionId may not hold a local placeholder")
	f(`["`+v1+`/fwm/a\qb}"]`, nil, "escape that JSON does not know")
	f(`["`+v1+`/fwm/\ud83dx}"]`, nil, "escape that JSON does not know")
	f(`["`+v2+`/fwm/${foo}}"]`, nil, "Undefined placeholder, ${foo}, inside of presign url parameter", "${executionNumber}")

	// The policy.
	f(`["`+v1+`/secrets/k}"]`, jobdoc.ErrNotAllowed, "Not allowed to presign GET arn:aws:s3:::secrets/k", "roles.download.allow matches")
	f(`["`+v1+`/secrets/${jobId}}"]`, jobdoc.ErrNotAllowed, "roles.download.allow matches")
	f(`["`+upload+`/fwm/k}"]`, jobdoc.ErrNotAllowed, "Not allowed to presign PUT arn:aws:s3:::fwm/k", "roles.download.allow_upload matches")

	// A document in strings within strings, deeper than the supported depth.
	deep, plain := `["`+v1+`/fwm/a\"b}"]`, `["`+v1+`/fwm/k}","${aws:iot:parameter:seam}"]`
	for range 8 {
		encoded, err := json.Marshal([]string{deep})
		if err != nil {
			t.Fatal(err)
		}
		deep = string(encoded)
		if encoded, err = json.Marshal([]string{plain}); err != nil {
			t.Fatal(err)
		}
		plain = string(encoded)
	}
	wide := *o
	wide.MaxDocument, wide.MaxRendered = 1<<20, 1<<20
	for _, doc := range []string{deep, plain} {
		if filled, err := both(t, doc, &wide, c); err == nil || !strings.Contains(err.Message, "more than 8 JSON strings") {
			t.Errorf("nine strings deep: %s, %v", filled, err)
		}
	}
	plain = strings.Replace(plain, "${aws:iot:parameter:seam}", "", 1)
	if _, err := both(t, plain, &wide, c); err != nil {
		t.Errorf("nine strings deep, without anything to escape: %v", err)
	}
	long := v1 + "/fwm/" + strings.Repeat("k", 1000) + "${jobId}${thingName}}"
	c.Values.JobID, c.Values.ThingName = []byte(strings.Repeat("j", 12)), []byte(strings.Repeat("t", 12))
	if _, err := both(t, long, &wide, c); err != nil {
		t.Errorf("a key of 1024 bytes: %v", err)
	}
	c.Values.ThingName = []byte(strings.Repeat("t", 13))
	if _, err := both(t, long, &wide, c); !errors.Is(err, jobdoc.ErrValue) || !strings.Contains(err.Detail, "1025") {
		t.Errorf("a key of 1025 bytes: %v", err)
	}

	// Values of local placeholders that the caller should have refused.
	for _, bad := range []string{"", ".", "..", "a/b", "a%b", "a b", "a\x00", "é", strings.Repeat("x", 129)} {
		c.Values.JobID = []byte(bad)
		f(`["`+v1+`/fwm/${jobId}}"]`, jobdoc.ErrValue, "${jobId}", "line 1, column 3")
	}
	for _, good := range []string{"...", ".a", "a..", "A:_.-9", strings.Repeat("x", 128)} {
		c.Values.JobID = []byte(good)
		if _, err := both(t, `["`+v1+`/fwm/${jobId}}"]`, o, c); err != nil {
			t.Errorf("value %q: %v", good, err)
		}
	}

	// Errors of the presigner.
	c.Expires = 8 * 24 * time.Hour
	f(`["`+v1+`/fwm/k}"]`, nil, "line 1, column 3", "Cannot presign", "7 days")
}
