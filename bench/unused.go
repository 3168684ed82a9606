package bench

import (
	"fmt"
	"strings"

	"jobgate/bench/load/plan"
)

// rejectUnused rejects flags that would have no effect, because the user expects one.
func (f *flags) rejectUnused(p *plan.Plan, changed func(string) bool) error {
	scheme, _, _ := strings.Cut(p.URL, "://")
	scheme = strings.ToLower(scheme)
	plain := scheme == "http" || scheme == "mqtt"
	for _, u := range []struct {
		unused bool
		names  []string
		why    string
	}{
		{f.spread != plan.Zipf, []string{"zipf"}, "without --spread zipf"},
		{f.verify.how == "", []string{"verify-rate", "verify-keys", "verify-skip"}, "without --verify"},
		{f.verify.how == "signature", []string{"verify-skip"}, "with --verify=signature, which opens no URL"},
		{plain, []string{"cert-file", "key-file", "server-name"}, "with an " + scheme + ":// target"},
		{plain && f.verify.how == "", []string{"ca-file"}, "with an " + scheme + ":// target, except for --verify"},
		{!p.MQTT(), []string{"mqtt-version", "mqtt-keep-alive"}, "with an HTTP target"},
		{p.MQTT(), []string{"method", "header", "status", "keep-alive", "spread"}, "with an MQTT target"},
		{f.tls.insecure, []string{"ca-file"}, "with --insecure, which trusts every certificate"},
	} {
		for _, name := range u.names {
			if u.unused && changed(name) {
				return fmt.Errorf("cannot use --%s %s: it would have no effect", name, u.why)
			}
		}
	}
	return nil
}

// rejectUnusedNames rejects flags for names whose placeholder is in no request.
func rejectUnusedNames(p *plan.Plan, changed func(string) bool) error {
	for _, hole := range []struct {
		variable string
		names    []string
	}{
		{"{thingName}", []string{"things", "thing-prefix", "spread"}},
		{"{jobId}", []string{"jobs", "job-prefix"}},
	} {
		if usesHole(p, hole.variable) {
			continue
		}
		for _, name := range hole.names {
			if changed(name) {
				return fmt.Errorf("cannot use --%s: there is no %s in the URL, the headers or the body, so all requests would be the same", name, hole.variable)
			}
		}
	}
	return nil
}

func usesHole(p *plan.Plan, hole string) bool {
	has := func(headers []plan.Header) bool {
		for _, h := range headers {
			if strings.Contains(h.Value, hole) {
				return true
			}
		}
		return false
	}
	for _, flow := range p.Flows {
		for _, s := range flow.Steps {
			if strings.Contains(s.Path+s.Body, hole) || has(s.Headers) {
				return true
			}
		}
	}
	return has(p.Headers)
}
