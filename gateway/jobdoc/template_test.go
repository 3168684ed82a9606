package jobdoc_test

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobdoc/s3host"
	"jobgate/presigner"
)

func TestTemplateContents(t *testing.T) {
	policy, err := jobdoc.NewPolicy([]string{"arn:aws:s3:::fwm/*"}, []string{"*"}, "presign")
	if err != nil {
		t.Fatal(err)
	}
	doc := `{"a": "${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/fwm/a%20%25b%3FversionId%3Dv%2B1}",
  "b": "é ${aws:iot:s3-presigned-url-upload:https://logs.s3.eu-west-1.amazonaws.com/${thingName}/a b-${jobId}}"}`
	template, err := jobdoc.Parse([]byte(doc), &jobdoc.Options{Policy: policy})
	if err != nil {
		t.Fatal(err)
	}
	want := []jobdoc.Object{
		{Line: 1, Column: 8, Method: presigner.GET, Host: "s3.us-east-1.amazonaws.com", Region: "us-east-1", Bucket: "fwm", Key: "a %b", VersionID: "v+1"},
		{Line: 2, Column: 11, Method: presigner.PUT, Host: "logs.s3.eu-west-1.amazonaws.com", Region: "eu-west-1", Bucket: "logs", Key: "${thingName}/a b-${jobId}", PerDevice: true},
	}
	if got := template.Objects(); !reflect.DeepEqual(got, want) {
		t.Errorf("objects\ngot  %+v\nwant %+v", got, want)
	}
	if !template.Signs() || !template.Uploads() || !template.PerDevice() || template.Placeholders() != 2 {
		t.Errorf("signs %v, uploads %v, per device %v, placeholders %d", template.Signs(), template.Uploads(), template.PerDevice(), template.Placeholders())
	}
	locals := template.Locals()
	if locals.String() != "thingName, jobId" || !locals.Has(jobdoc.JobID) || locals.Has(jobdoc.ExecutionNumber) {
		t.Errorf("locals %q", locals)
	}

	template, err = jobdoc.Parse([]byte(`["${thingName}"]`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if template.Signs() || template.Uploads() || template.PerDevice() || template.Placeholders() != 0 || len(template.Objects()) != 0 {
		t.Errorf("a document without placeholders says otherwise")
	}
}

func TestContextCounts(t *testing.T) {
	c := newContext(t)
	doc := `["${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fwm/a}","${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fwm/aaaa}"]`
	longest := len(signed(t, c, presigner.GET, presigner.Object{Bucket: "fwm", Key: "aaaa"}))
	if _, err := both(t, doc, nil, c); err != nil {
		t.Fatal(err)
	}
	if c.Signed != 4 || c.LongestURL != longest {
		t.Errorf("signed %d, longest %d, want 4 and %d", c.Signed, c.LongestURL, longest)
	}
}

// Size must be a template's real memory: the cache's budget relies on it.
func TestSize(t *testing.T) {
	f := func(name, doc string) {
		t.Helper()
		const n = 2000
		source := []byte(doc)
		templates := make([]*jobdoc.Template, n)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range templates {
			template, err := jobdoc.Parse(source, nil)
			if err != nil {
				t.Fatal(err)
			}
			templates[i] = template
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		taken := float64(after.HeapAlloc-before.HeapAlloc) / n
		said := float64(templates[0].Size())
		runtime.KeepAlive(templates)
		t.Logf("%s: %.0f bytes, Size says %.0f", name, taken, said)
		// The allocator rounds up to its size classes, by an eighth on average.
		if said < 0.8*taken || said > 1.05*taken {
			t.Errorf("%s: a template takes %.0f bytes, Size says %.0f", name, taken, said)
		}
	}
	const s3 = "https://s3.us-east-1.amazonaws.com/firmware/"
	f("literal", strings.Repeat("x", 3000))
	f("one URL", `{"u":"${aws:iot:s3-presigned-url-v2:`+s3+`v7/image.bin%3FversionId%3D3sL4kqtJlcpXroDTDmJ}"}`)
	f("a URL per device", `{"u":"${aws:iot:s3-presigned-url:`+s3+`${thingName}/${jobId}.bin}"}`)
	var many strings.Builder
	for i := range 50 {
		fmt.Fprintf(&many, `["${aws:iot:s3-presigned-url:%sfile-%d}"],`, s3, i)
	}
	f("fifty URLs", many.String())
}

func TestLint(t *testing.T) {
	f := func(doc string, o *jobdoc.Options, want ...string) {
		t.Helper()
		got := jobdoc.Lint([]byte(doc), o)
		if len(got) != len(want) {
			t.Errorf("%s\ngot %d warnings %v, want %d", doc, len(got), got, len(want))
			return
		}
		for i := range want {
			if !strings.Contains(got[i].String(), want[i]) {
				t.Errorf("%s\ngot  %v\nwant %s", doc, got[i], want[i])
			}
		}
	}
	const s3 = "https://s3.us-east-1.amazonaws.com/fwm/"
	f(`{"a":"${foo} $ \n"}`, nil)
	f(`{"u":"${aws:iot:s3-presigned-url-v2:`+s3+`${thingName}/a%20b%3FversionId%3D1}","n":${aws:iot:parameter:n},"v":"${aws:iot:s3-presigned-url:`+s3+`100%}"}`, nil)
	f("{\"a\":\n \"${thingName} ${jobId}\"}", nil, "line 2, column 3: ${thingName} is filled in the key", "line 2, column 16: ${jobId}")
	f(`{"a":"${AWS:IOT:s3-presigned-url:x} ${aws:s3-presigned-url:x}"}`, nil, "line 1, column 7: this looks like a placeholder", "line 1, column 37: this looks")
	f(`{"a":"\u0024{aws:iot:s3-presigned-url:x}"}`, nil, "is not written \\u0024")
	f(`{"u":"${aws:iot:s3-presigned-url:`+s3+`a%20b}"}`, nil, "line 1, column 7: s3-presigned-url takes the key as it stands, %20 included")
	f(`{"u":"${aws:iot:s3-presigned-url-upload:`+s3+`a%2Fb}"}`, nil, "s3-presigned-url-upload takes the key as it stands, %2F included")
	f(`{"u":"${aws:iot:s3-presigned-url:`+s3+`a?versionId=1}"}`, nil, "knows no versionId")
	f(`{"u":${aws:iot:s3-presigned-url:`+s3+`a}}`, nil, "line 1, column 6: the placeholder does not stand in a JSON string")
	f(`{"u":"${aws:iot:s3-presigned-url-v2:`+s3+`a%3FVersionId%3Dabc}"}`, nil, `"%3FVersionId%3D" is part of the key; a version is written %3FversionId%3D`)
	f(`{"u":"${aws:iot:s3-presigned-url-v2:`+s3+`a%3fversionid%3dabc}"}`, nil, `"%3fversionid%3d" is part of the key`)
	elsewhere := &jobdoc.Options{Resolver: mustResolver(t, s3host.Config{DefaultRegion: "eu-west-1", BucketRegions: map[string]string{"virginia": "us-east-1"}})}
	f(`{"u":"${aws:iot:s3-presigned-url-v2:https://s3.amazonaws.com/fwm/${thingName}}"}`, elsewhere, "line 1, column 7: s3.amazonaws.com answers for buckets in us-east-1 only and this one is in eu-west-1: the URL is made for s3.eu-west-1.amazonaws.com")
	f(`{"u":"${aws:iot:s3-presigned-url:https:\/\/fwm.s3.amazonaws.com\/a}"}`, elsewhere, "the URL is made for fwm.s3.eu-west-1.amazonaws.com")
	f(`{"u":"${aws:iot:s3-presigned-url:https://s3.amazonaws.com/virginia/a}","v":"${aws:iot:s3-presigned-url:https://s3.eu-west-1.amazonaws.com/fwm/a}"}`, elsewhere)
	f("{\"a\":\n  1,}", nil, "line 2, column 5: the document is not JSON, and is served all the same: invalid character '}'")
	f(`{"a":`, nil, "line 1, column 5: the document is not JSON")
	f("a: ${aws:iot:s3-presigned-url:"+s3+"a}", nil, "line 1, column 1: the document is not JSON")
	f("a: ${aws:iot:s3-presigned-url:"+s3+"a}", &jobdoc.Options{PlainText: true})
	f("\uFEFF{\"a\":1}", nil)
	f(`{"u":"${aws:iot:s3-presigned-url:`, nil, "not JSON") // Parse says why
}
