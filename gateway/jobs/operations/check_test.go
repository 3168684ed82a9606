package operations_test

import (
	"fmt"
	"strings"
	"testing"

	"jobgate/gateway/jobs/operations"
)

// TestCheckDocument checks the problems reported and their positions.
func TestCheckDocument(t *testing.T) {
	service := newFixture(t).Service
	f := func(document string, want ...string) {
		t.Helper()
		problems, err := service.CheckDocument(document, "")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range problems {
			got = append(got, fmt.Sprintf("%d:%d %s", p.Line, p.Column, p.Message))
		}
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("%.60q:\n got %q\nwant %q", document, got, want)
				return
			}
		}
	}
	const good = `${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/firmware/v7.bin}`
	f(`{"url":"` + good + `","n":[1,2.5e3,null]}`)
	f(`"text"`)
	f(`{"url":"${aws:iot:s3-presigned-url-v2:https://example.com/x}"}`, "1:9 Provided argument for presigned url is invalid")
	f("{\n  \"ü€😀\": \"${aws:iot:nonsense:x}\"\n}", "2:11 ")
	f("{\n\"url\":\"${aws:iot:s3-presigned-url:https://", "2:8 ", "2:43 The job document is not valid JSON")
	f("{\"a\": nil,\n\"url\":\"${aws:iot:nonsense:x}\"}", "1:8 The job document is not valid JSON: invalid character 'i' in literal null", "2:8 ")
	f(`{"a":1}x`, "1:8 The job document is not valid JSON")
	f(`{"a":1,}`, "1:8 The job document is not valid JSON")
	f(`{`, "1:2 The job document is not valid JSON: unexpected end")
	f("\n\n", "3:1 The job document is not valid JSON")
	f("", "1:1 The job document is not valid JSON")
	f(`{"version":"${aws:iot:package:a:1:version}"}`, "1:13 ")
	f(strings.Repeat("[", 20000), "1:10001 The job document is not valid JSON")
	f(`"`+strings.Repeat("x", operations.MaxInlineDocument)+`"`, "0:0 The job document has 32770 bytes, the limit is 32768")
	f(`["`+strings.Repeat(good+`","`, 200)+`"]`, "1:8403 The job document has at least 101 placeholders")

	if _, err := service.CheckDocument("{}", "arn:aws:iam::123456789012:role/unknown"); err == nil || !strings.Contains(err.Error(), "role/unknown") {
		t.Errorf("a role that is not listed: %v", err)
	}
}
