package data

import (
	"net/url"
	"strings"
	"testing"

	"jobgate/gateway/target"
)

// The names in a path equal those that net/url finds in its segments, and a path with more segments does not match.
func FuzzDataPath(f *testing.F) {
	f.Add("sensor%3A1", "%24next")
	f.Add("a%2Fb", "j%")
	f.Add("%00", "%zz")
	f.Fuzz(func(t *testing.T, thing, job string) {
		var asked target.Target
		x := Exchange{Target: &asked}
		if asked.Parse([]byte("/things/"+thing+"/jobs/"+job)) != nil || strings.Contains(thing+job, "?") || x.match([]byte("GET")) != describe {
			return
		}
		want, err := url.PathUnescape(thing)
		if err == nil && string(x.thing) != want {
			t.Errorf("%q: got %q, net/url %q", thing, x.thing, want)
		}
		if strings.Contains(thing, "/") || strings.Contains(job, "/") {
			t.Errorf("%q, %q: is %q, %q", thing, job, x.thing, x.job)
		}
	})
}
