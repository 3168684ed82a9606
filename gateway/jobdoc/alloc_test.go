//go:build !race

package jobdoc_test

import (
	"strings"
	"testing"
	"time"

	"jobgate/gateway/jobdoc"
)

func TestAllocations(t *testing.T) {
	policy, err := jobdoc.NewPolicy([]string{"arn:aws:s3:::firmware/*"}, []string{"arn:aws:s3:::logs/????*/*.log"}, "presign")
	if err != nil {
		t.Fatal(err)
	}
	options := &jobdoc.Options{Policy: policy, Parameters: map[string]string{"channel": "sta\"ble"}}
	embedded := *options
	embedded.JSONString = true
	strict := *options
	strict.Strict = true
	const (
		plain  = `${aws:iot:s3-presigned-url:https://firmware.s3.us-east-1.amazonaws.com/v7.bin}`
		v2     = `${aws:iot:s3-presigned-url-v2:https://s3.amazonaws.com/firmware/a%20b%3FversionId%3D3sL4kqtJlcpXroDTDmJ}`
		escape = `${aws:iot:s3-presigned-url:https:\/\/s3.us-east-1.amazonaws.com\/firmware\/v7.bin}`
		device = `${aws:iot:s3-presigned-url-upload:https://s3.us-east-1.amazonaws.com/logs/${thingName}/${jobId}.log}`
		inner  = `${aws:iot:s3-presigned-url:https:\\/\\/s3.us-east-1.amazonaws.com\\/firmware\\/v7.bin}`
		nested = `${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/firmware/${aws:iot:parameter:channel}.bin}`
	)
	for name, doc := range map[string]string{
		"clean": strings.Repeat(`{"a":"b\n"}`, 200), "v1": `["` + plain + `"]`, "v2": `["` + v2 + `"]`, "escapes": `["` + escape + `"]`, "per device": `["` + device + `"]`,
		"document in a string": `{"execution":{"jobDocument":"{\"u\":\"` + inner + `\"}"}}`,
		"parameters":           `{"a":"${aws:iot:parameter:channel}","b":"` + nested + `","c":${aws:iot:parameter:channel}}`,
		"all":                  `["` + plain + `","` + v2 + `","` + escape + `","` + device + `"]`,
	} {
		for _, o := range []*jobdoc.Options{options, &embedded, &strict} {
			c := newContext(t)
			src, dst := []byte(doc), make([]byte, 0, 64<<10)
			template, err := jobdoc.Parse(src, o)
			if err != nil {
				t.Fatal(err)
			}
			f := func(what string, do func() error) {
				t.Helper()
				if allocs := testing.AllocsPerRun(300, func() {
					c.Time = c.Time.Add(time.Second)
					if err := do(); err != nil {
						t.Fatal(err)
					}
				}); allocs != 0 {
					t.Errorf("%s of document %q (JSONString %v) allocates %v times, want 0", what, name, o.JSONString, allocs)
				}
			}
			f("AppendTo", func() (err error) { dst, err = template.AppendTo(dst[:0], c); return err })
			f("Fill", func() (err error) { dst, err = jobdoc.Fill(dst[:0], src, o, c); return err })
			f("Scan", func() error { jobdoc.Scan(src); return nil })
		}
	}
}
