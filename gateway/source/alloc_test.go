//go:build !race

package source

import "testing"

func TestAppendURLAllocations(t *testing.T) {
	values := [][]byte{[]byte("thing-1"), []byte("job:1"), nil}
	dst := make([]byte, 0, 256)
	for _, text := range []string{"file:///srv/docs/{thingName}/{jobId}.json", "s3://bucket/{jobId}", "https://example.com/{jobId}?t={thingName}"} {
		p, err := ParsePattern(text, names)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(1000, func() { _, err = p.AppendURL(dst, values) }); n != 0 || err != nil {
			t.Errorf("unexpected allocations of %q: %v, want 0; %v", text, n, err)
		}
	}
}
