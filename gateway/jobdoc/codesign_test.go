package jobdoc_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"jobgate/gateway/jobdoc"
)

// signatures gives every file of bucket fwm the same signature.
type signatures struct{ asked []jobdoc.CodeFile }

var errNotListed = errors.New("no profile of codesign.profiles allows it")

func (s *signatures) CodeSignature(f jobdoc.CodeFile) (jobdoc.CodeSignature, error) {
	s.asked = append(s.asked, f)
	if f.Bucket != "fwm" {
		return jobdoc.CodeSignature{}, errNotListed
	}
	return jobdoc.CodeSignature{Size: 137, Value: []byte("0E\x02\x21 not real"), Algorithm: "SHA256withECDSA"}, nil
}

func codeSignOptions() *jobdoc.Options {
	return &jobdoc.Options{
		Signatures: &signatures{},
		Parameters: map[string]string{
			"whole": `${aws:iot:code-sign-signature:s3://us-east-1.fwm/a@v}`,
			"value": `x ${aws:iot:code-sign-signature-value:s3://us-east-1.fwm/a@v}`,
			"key":   "a", "kind": "code-sign-signature", "marker": "iot:code-sign",
		},
	}
}

const (
	codeSign = "${aws:iot:code-sign-signature:"
	codeV    = "${aws:iot:code-sign-signature-value:"
	value    = "MEUCISBub3QgcmVhbA=="
)

func signatureObject(key, version string) string {
	return `{"rawPayloadSize":137,"signature":"` + value + `","signatureAlgorithm":"SHA256withECDSA","payloadLocation":{"s3":{"bucketName":"fwm","key":"` + key + `","version":"` + version + `"}}}`
}

// The whole JSON string is replaced by the object, at any depth.
func TestCodeSign(t *testing.T) {
	o, c := codeSignOptions(), newContext(t)
	f := func(doc, want string) {
		t.Helper()
		if got, err := both(t, doc, o, c); err != nil || got != want {
			t.Errorf("%s\ngot  %s, error %v\nwant %s", doc, got, err, want)
		}
	}
	one := signatureObject("a", "v1")
	f(`{"sig":"`+codeSign+`s3://us-east-1.fwm/a@v1}"}`, `{"sig":`+one+`}`)
	f(`["x","`+codeSign+`s3://us-east-1.fwm/a@v1}","y","`+codeSign+`s3://us-east-1.fwm/a@v1}"]`, `["x",`+one+`,"y",`+one+`]`)
	f(` "`+codeSign+`s3://us-east-1.fwm/a@v1}" `, ` `+one+` `)
	f(`["`+codeSign+`s3:\/\/us-east-1.fwm\/a\u0040v1}"]`, `[`+one+`]`)
	f(`["`+codeSign+`s3://us-east-1.fwm/dir/a b%20\"\\é@x@v_1.2}"]`, `[`+signatureObject(`dir/a b%20\"\\é@x`, "v_1.2")+`]`)
	f(`["`+codeSign+`s3://us-east-1.fwm/a@v1\u007d"]`, `[`+one+`]`)
	f(`{"s":"`+codeV+`s3://us-east-1.fwm/a@v1}"}`, `{"s":"`+value+`"}`)
	f(`{"s":"sig=`+codeV+`s3://us-east-1.fwm/a@v1};"}`, `{"s":"sig=`+value+`;"}`)

	// Documents in strings, as jobDocument is.
	inner := `{"u":"x","sig":"` + codeSign + `s3://us-east-1.fwm/a@v1}","v":"` + codeV + `s3://us-east-1.fwm/a@v1}"}`
	want := `{"u":"x","sig":` + one + `,"v":"` + value + `"}`
	for range 3 {
		f(inner, want)
		inner, want = embed(t, inner), embed(t, want)
	}

	// In an answer that is itself a string.
	stringed := *o
	stringed.JSONString = true
	got, err := both(t, `{"sig":"`+codeSign+`s3://us-east-1.fwm/a\"b@v1}"}`, &stringed, c)
	var text string
	if err != nil || json.Unmarshal([]byte(`"`+got+`"`), &text) != nil || text != `{"sig":`+signatureObject(`a\"b`, "v1")+`}` {
		t.Errorf("JSONString: %s, %v", got, err)
	}
}

// embed puts a document as a string into another.
func embed(tb testing.TB, doc string) string {
	tb.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(map[string]string{"jobDocument": doc}); err != nil {
		tb.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

func TestCodeSignErrors(t *testing.T) {
	o, c := codeSignOptions(), newContext(t)
	f := func(doc string, o *jobdoc.Options, texts ...string) {
		t.Helper()
		got, err := both(t, doc, o, c)
		if err == nil {
			t.Errorf("%s became %s", doc, got)
			return
		}
		for _, text := range texts {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s\ngot  %v\nwant %s", doc, err, text)
			}
		}
	}
	whole := func(file string) string { return "[\n  \"" + codeSign + file + "}\"]" }
	f(whole("s3://us-east-1.fwm/a"), o, "line 2, column 4", "names no version", "write s3://us-east-1.fwm/a@<versionId>", "head-object")
	f(whole("s3://us-east-1.fwm/a@null"), o, "line 2, column 4", "version null", "switch versioning on")
	f(whole("s3://us-east-1.fwm/a@"), o, "versionId has 0 bytes")
	f(whole("s3://us-east-1.fwm/a@v 1"), o, "versionId holds ' '")
	f(whole("s3://us-east-1.fwm/@v"), o, "the key is missing")
	f(whole("s3://us-east-1.fwm/b/../a@v"), o, `segment "." or ".."`)
	f(whole("s3://us-east-1.fwm/"+strings.Repeat("k", 1025)+"@v"), o, "1025 bytes")
	f(whole("s3://firmware/a@v"), o, `"firmware" is not <region>.<bucket>`)
	f(whole("s3://US.firmware/a@v"), o, "is not <region>.<bucket>")
	f(whole("s3://us-east-1.x/a@v"), o, "the bucket")
	f(whole("https://s3.us-east-1.amazonaws.com/fwm/a%20b?versionId=v1"), o, "it is written s3://<region>.<bucket>/<key>@<versionId>; here s3://us-east-1.fwm/a b@v1")
	f(whole("https://fwm.s3.eu-west-1.amazonaws.com/a"), o, "here s3://eu-west-1.fwm/a@<versionId>")
	f(whole("nonsense"), o, "it is written s3://")
	f(whole("s3://us-east-1.other/a@v"), o, "line 2, column 4", "no profile of codesign.profiles allows it")
	if _, err := both(t, whole("s3://us-east-1.other/a@v"), o, c); !errors.Is(err, errNotListed) {
		t.Errorf("the cause is lost: %v", err)
	}

	// Invalid positions.
	f(`["x `+codeSign+`s3://us-east-1.fwm/a@v}"]`, o, "line 1, column 5", "has to be a JSON string by itself", "code-sign-signature-value")
	f(`["`+codeSign+`s3://us-east-1.fwm/a@v} x"]`, o, "has to be a JSON string by itself")
	f(`[`+codeSign+`s3://us-east-1.fwm/a@v}]`, o, `has to be written as a JSON string`)
	f(`[`+codeV+`s3://us-east-1.fwm/a@v}]`, o, `has to be written as a JSON string`)
	f(`{"d":"{\"sig\":`+codeSign+`s3://us-east-1.fwm/a@v}}"}`, o, "has to be a JSON string by itself")
	name := `{"` + codeSign + `s3://us-east-1.fwm/a@v}" ` + "\n" + `: 1}`
	f(name, o, "line 1, column 3", "cannot be the name of a member")
	f(embed(t, name), o, "cannot be the name of a member")
	f(embed(t, embed(t, name)), o, "cannot be the name of a member")
	f(`{"d":"{\"`+codeSign+`s3://us-east-1.fwm/a@v}\"\u003a1}"}`, o, "cannot be the name of a member")
	f("sig: \""+codeSign+"s3://us-east-1.fwm/a@v}\"", o, "stand in JSON documents only")
	f("sig: "+codeV+"s3://us-east-1.fwm/a@v}", o, "stand in JSON documents only")
	text := codeSignOptions()
	text.PlainText = true
	f(whole("s3://us-east-1.fwm/a@v"), text, "JSON documents only", "Content-Type", "content_type, application/json")
	strict := codeSignOptions()
	strict.Strict = true
	f(`["`+codeV+`s3://us-east-1.fwm/a@v}"]`, strict, "refused in strict mode", "use code-sign-signature")
	if got, err := both(t, `["`+codeSign+`s3://us-east-1.fwm/a@v}"]`, strict, c); err != nil || got != `[`+signatureObject("a", "v")+`]` {
		t.Errorf("strict: %s, %v", got, err)
	}

	// Values cannot choose the file, and without a configuration nothing is signed.
	o.Signatures = &signatures{}
	f(`["${aws:iot:parameter:whole}"]`, o, "value of a parameter")
	f(`["${aws:iot:parameter:value}"]`, o, "value of a parameter")
	f(`["`+codeSign+`s3://us-east-1.fwm/${aws:iot:parameter:key}@v}"]`, o, "may not hold another placeholder")
	f(`["`+codeSign+`s3://us-east-1.fwm/${thingName}@v}"]`, o, "may not hold another placeholder")
	f(`["${aws:iot:${aws:iot:parameter:kind}:s3://us-east-1.fwm/a@v}"]`, o)
	f(`["${aws:${aws:iot:parameter:marker}-signature:s3://us-east-1.fwm/a@v}"]`, o, "make a new placeholder")
	f(`["${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fwm/`+codeSign+`s3://us-east-1.fwm/a@v}}"]`, o, "another placeholder")
	if asked := o.Signatures.(*signatures).asked; len(asked) != 0 {
		t.Errorf("signatures were asked for: %v", asked)
	}
	for _, doc := range []string{whole("s3://us-east-1.fwm/a@v"), `["` + codeV + `s3://us-east-1.fwm/a@v}"]`} {
		if _, err := both(t, doc, &jobdoc.Options{}, c); !errors.Is(err, jobdoc.ErrNotResolved) || !strings.Contains(err.Error(), "codesign.profiles") {
			t.Errorf("without Signatures: %v", err)
		}
	}
}

func TestCodeFiles(t *testing.T) {
	doc := embed(t, `["`+codeSign+`s3://us-east-1.fwm/a@1}","`+codeSign+`s3://us-east-1.fwm/a@1}","`+codeV+`s3://eu-west-1.other/b@2}"]`)
	files := jobdoc.CodeFiles([]byte(doc), nil)
	if len(files) != 2 || files[0].String() != "s3://us-east-1.fwm/a@1" || files[1].String() != "s3://eu-west-1.other/b@2" {
		t.Errorf("files %v", files)
	}
	doc = `["${aws:iot:s3-presigned-url:http://nowhere/x}","${aws:iot:unknown}","` + codeSign + `s3://us-east-1.fwm/a@1}","${aws:iot:"]`
	if files := jobdoc.CodeFiles([]byte(doc), nil); len(files) != 1 {
		t.Errorf("files %v", files)
	}
	doc = `["` + strings.Repeat("${aws:iot:unknown}", 200) + strings.Repeat("x", 2<<20) + `","` + codeSign + `s3://us-east-1.fwm/a@1}"]`
	if files := jobdoc.CodeFiles([]byte(doc), nil); len(files) != 1 {
		t.Errorf("over every limit: files %v", files)
	}
	if files := jobdoc.CodeFiles([]byte(`{"a":1}`), nil); files != nil {
		t.Errorf("files %v", files)
	}
	if f, err := jobdoc.ParseCodeFile("s3://us-east-1.fwm/a@b@1"); err != nil || f.Key != "a@b" || f.Version != "1" {
		t.Errorf("file %+v, %v", f, err)
	}
	if _, err := jobdoc.ParseCodeFile("s3://us-east-1.fwm/a"); err == nil || !strings.Contains(err.Error(), "names no version") {
		t.Errorf("no version: %v", err)
	}
}

// A signature is literal text: rendering a document with one costs nothing more.
func TestCodeSignAllocatesNothing(t *testing.T) {
	template, err := jobdoc.Parse([]byte(`["`+codeSign+`s3://us-east-1.fwm/a@v1}"]`), codeSignOptions())
	if err != nil {
		t.Fatal(err)
	}
	dst, c := make([]byte, 0, 4096), newContext(t)
	if n := testing.AllocsPerRun(100, func() { dst, err = template.AppendTo(dst[:0], c) }); n != 0 || err != nil || template.Signs() {
		t.Errorf("%v allocations, error %v, signs %v", n, err, template.Signs())
	}
}
