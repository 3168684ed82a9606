package jobdoc_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/jobdoc"
	"jobgate/presigner"
)

// benchContext signs with a token as long as an assumed role's.
func benchContext(b *testing.B) *jobdoc.Context {
	b.Helper()
	credentials := testCredentials
	credentials.SessionToken = strings.Repeat("FwoGZXIvYXdzEBYaD+/=", 45)
	signer, err := presigner.NewSigner(credentials)
	if err != nil {
		b.Fatal(err)
	}
	c := newContext(b)
	c.Signer = signer
	return c
}

// clean32K is a job document of 32 KiB without a placeholder.
func clean32K() []byte {
	const step = `{"action":{"name":"Install","type":"runHandler","input":{"handler":"install.sh","args":["/opt/app","3"]}}},`
	return bytes.Repeat([]byte(step), 32<<10/len(step)+1)[:32<<10]
}

var scanned int

func BenchmarkScanClean32K(b *testing.B) {
	doc := clean32K()
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		scanned += jobdoc.Scan(doc)
	}
}

func BenchmarkScanClean32K_IndexByte(b *testing.B) {
	doc := clean32K()
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		scanned += bytes.IndexByte(doc, '$')
	}
}

// The documents of the benchmarks: about half a kilobyte with one placeholder.
const (
	benchHead   = `{"version":"1.0","steps":[{"action":{"name":"Download-File","type":"runHandler","input":{"handler":"download-file.sh","args":["`
	benchTail   = `","/var/lib/fleet/image.bin"],"path":"/usr/share/fleet/handlers"},"runAsUser":"fleet","ignoreStepFailure":"false"}},{"action":{"name":"Reboot","type":"runHandler","input":{"handler":"reboot.sh"},"runAsUser":"root"}}]}`
	benchStatic = `${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/firmware/v7/image.bin}`
	benchDevice = `${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/firmware/${thingName}/image.bin}`
	benchPHP    = `${aws:iot:s3-presigned-url-v2:https:\/\/s3.us-east-1.amazonaws.com\/firmware\/v7\/image.bin}`
	benchInner  = `${aws:iot:s3-presigned-url-v2:https:\\/\\/s3.us-east-1.amazonaws.com\\/firmware\\/v7\\/image.bin}`
)

func benchmarkAppendTo(b *testing.B, placeholder string) {
	template, err := jobdoc.Parse([]byte(benchHead+placeholder+benchTail), nil)
	if err != nil {
		b.Fatal(err)
	}
	c := benchContext(b)
	dst := make([]byte, 0, 8<<10)
	b.ReportAllocs()
	for b.Loop() {
		c.Time = nextSecond(c.Time)
		if dst, err = template.AppendTo(dst[:0], c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendTo_Static(b *testing.B)    { benchmarkAppendTo(b, benchStatic) }
func BenchmarkAppendTo_PerDevice(b *testing.B) { benchmarkAppendTo(b, benchDevice) }

// BenchmarkAppendTo_Signing is the signing part of AppendTo: the same URL, nothing else.
func BenchmarkAppendTo_Signing(b *testing.B) {
	c := benchContext(b)
	target := presigner.Object{Scheme: "https", Host: "s3.us-east-1.amazonaws.com", Region: "us-east-1", Bucket: "firmware", Key: "v7/image.bin"}.Target()
	dst := make([]byte, 0, 8<<10)
	r := presigner.Request{Target: &target, Expires: c.Expires, Time: c.Time}
	var err error
	b.ReportAllocs()
	for b.Loop() {
		r.Time = nextSecond(r.Time)
		if dst, err = c.Signer.AppendURL(dst[:0], &r); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkFill(b *testing.B, doc string) {
	policy, err := jobdoc.NewPolicy([]string{"arn:aws:s3:::firmware/*"}, nil, "presign")
	if err != nil {
		b.Fatal(err)
	}
	o := &jobdoc.Options{Policy: policy}
	c := benchContext(b)
	src, dst := []byte(doc), make([]byte, 0, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		c.Time = nextSecond(c.Time)
		if dst, err = jobdoc.Fill(dst[:0], src, o, c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFill(b *testing.B)             { benchmarkFill(b, benchHead+benchStatic+benchTail) }
func BenchmarkFill_PerDevice(b *testing.B)   { benchmarkFill(b, benchHead+benchDevice+benchTail) }
func BenchmarkFill_JSONEscapes(b *testing.B) { benchmarkFill(b, benchHead+benchPHP+benchTail) }
func BenchmarkFill_Clean32K(b *testing.B)    { benchmarkFill(b, string(clean32K())) }
func BenchmarkFill_InString(b *testing.B) {
	benchmarkFill(b, `{"execution":{"jobId":"j","jobDocument":"`+strings.ReplaceAll(benchHead, `"`, `\"`)+benchInner+strings.ReplaceAll(benchTail, `"`, `\"`)+`"}}`)
}

func BenchmarkParse(b *testing.B) {
	src := []byte(benchHead + benchDevice + benchTail)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jobdoc.Parse(src, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// nextSecond advances the clock, within the day of the tests, so that each URL differs
// from the last.
func nextSecond(t time.Time) time.Time {
	if t = t.Add(time.Second); t.Day() != testTime.Day() {
		return testTime
	}
	return t
}
