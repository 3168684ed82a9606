package jobdoc_test

import (
	"fmt"
	"log"
	"strings"
	"time"

	"jobgate/gateway/jobdoc"
	"jobgate/presigner"
)

// A document is compiled once and rendered for each device.
func ExampleParse() {
	template, err := jobdoc.Parse([]byte(`{
  "firmware": "${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/firmware/v7.bin%3FversionId%3DL4kqtJ}",
  "settings": "${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fleet/${thingName}/settings.json}",
  "channel": "${aws:iot:parameter:channel}"
}`), &jobdoc.Options{Parameters: map[string]string{"channel": "stable"}})
	if err != nil {
		log.Fatal(err)
	}
	for _, o := range template.Objects() {
		fmt.Printf("%s %s/%s, version %q\n", o.Method, o.Bucket, o.Key, o.VersionID)
	}

	signer, err := presigner.NewSigner(presigner.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"})
	if err != nil {
		log.Fatal(err)
	}
	document, err := template.AppendTo(nil, &jobdoc.Context{
		Signer: signer, Expires: 15 * time.Minute, Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Values: jobdoc.Values{ThingName: []byte("pump-7")},
	})
	if err != nil {
		log.Fatal(err)
	}
	for line := range strings.Lines(string(document)) {
		shown, _, cut := strings.Cut(line, "?X-Amz-")
		fmt.Print(shown)
		if cut {
			fmt.Println("?X-Amz-…\",")
		}
	}
	// Output:
	// GET firmware/v7.bin, version "L4kqtJ"
	// GET fleet/${thingName}/settings.json, version ""
	// {
	//   "firmware": "https://s3.us-east-1.amazonaws.com/firmware/v7.bin?X-Amz-…",
	//   "settings": "https://s3.us-east-1.amazonaws.com/fleet/pump-7/settings.json?X-Amz-…",
	//   "channel": "stable"
	// }
}

// An error says where, what and how to fix it.
func ExampleError() {
	_, err := jobdoc.Parse([]byte("{\n  \"url\": \"${aws:iot:s3-presigned-url:https://files.example.com/firmware/v7.bin}\"\n}"), nil)
	fmt.Println(err)
	// Output:
	// line 2, column 11: Provided argument for presigned url is invalid: host "files.example.com" is neither one of S3's nor a configured endpoint; see presign.endpoint, in ${aws:iot:s3-presigned-url:https://files.example.com/firmware/v7.bin}
}

// Fill does both in one call, for a document that is used once.
func ExampleFill() {
	signer, err := presigner.NewSigner(presigner.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"})
	if err != nil {
		log.Fatal(err)
	}
	answer := `{"execution":{"jobDocument":"{\"url\":\"${aws:iot:s3-presigned-url:https:\\/\\/firmware.s3.eu-west-1.amazonaws.com\\/v7.bin}\"}"}}`
	filled, err := jobdoc.Fill(nil, []byte(answer), nil, &jobdoc.Context{Signer: signer, Expires: time.Hour, Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)})
	if err != nil {
		log.Fatal(err)
	}
	before, query, _ := strings.Cut(string(filled), "?")
	_, after, _ := strings.Cut(query, `\"`)
	fmt.Println(before + `?…\"` + after)
	// Output:
	// {"execution":{"jobDocument":"{\"url\":\"https://firmware.s3.eu-west-1.amazonaws.com/v7.bin?…\"}"}}
}
