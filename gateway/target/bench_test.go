package target

import (
	"net/url"
	"testing"
)

const benchTarget = "/things/sensor-000001/jobs/update-7/document?includeJobDocument=true"

func BenchmarkParse(b *testing.B) {
	var g Target
	uri := []byte(benchTarget)
	b.ReportAllocs()
	for b.Loop() {
		if err := g.Parse(uri); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse_NetURL(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := url.ParseRequestURI(benchTarget); err != nil {
			b.Fatal(err)
		}
	}
}
