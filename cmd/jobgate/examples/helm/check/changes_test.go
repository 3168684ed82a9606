package check

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
	"sigs.k8s.io/yaml"
)

// A change sets one value of values.yaml to a value other than the default. in is the example to change, and also holds the
// values that must change with it.
type change struct {
	to   any
	in   string // default: gateway
	also values
}

var (
	labels    = values{"a": "b"}
	behind    = values{"config": values{"auth": values{"mode": "header", "trusted_proxies": list("10.0.0.0/8")}}}
	clusterIP = "ClusterIP"
	withMQTT  = values{"mqtt": values{"enabled": true}, "devices": values{"tls": values{"clientCA": values{"secret": "devices-ca"}}}}
	postgres  = "jobs-postgres"
	sqlite    = "jobs-sqlite"
)

func list(all ...any) []any { return all }

// changes has an entry for every value of values.yaml.
var changes = map[string]change{
	"mode":                                  {to: sqlite, in: postgres},
	"replicas":                              {to: 7, in: postgres},
	"image.repository":                      {to: "registry.example.com/other/jobgate"},
	"image.tag":                             {to: "v2.0.0"},
	"image.digest":                          {to: "sha256:" + strings.Repeat("ab", 32)},
	"image.pullPolicy":                      {to: "Always"},
	"imagePullSecrets":                      {to: list(values{"name": "registry"})},
	"fullnameOverride":                      {to: "gate"},
	"config":                                {to: values{"presign": values{"quantum": "60s"}}},
	"restartOnConfigChange":                 {to: false},
	"aws.region":                            {to: ""},
	"env":                                   {to: list(values{"name": "AWS_ENDPOINT_URL_S3", "value": "https://minio.example.com"})},
	"envFrom":                               {to: list(values{"secretRef": values{"name": "aws"}})},
	"serviceAccount.create":                 {to: false},
	"serviceAccount.name":                   {to: "fleet"},
	"serviceAccount.annotations":            {to: labels},
	"files":                                 {to: list(values{"secret": "codesign", "key": "a.pem", "path": "codesign/a.pem"}, values{"configMap": "documents", "key": "a.json", "path": "a.json"})},
	"devices.port":                          {to: 9443},
	"devices.maxConnections":                {to: 50000},
	"devices.tls.secret":                    {to: "", also: behind},
	"devices.tls.clientCA.secret":           {to: "", also: behind},
	"devices.tls.clientCA.key":              {to: "devices.pem"},
	"devices.service.type":                  {to: clusterIP},
	"devices.service.port":                  {to: 8443},
	"devices.service.annotations":           {to: labels},
	"devices.service.loadBalancerClass":     {to: "service.k8s.aws/nlb"},
	"devices.service.externalTrafficPolicy": {to: "Cluster"},
	"devices.service.loadBalancerSourceRanges": {to: list("10.0.0.0/8")},
	"jobs.region":                        {to: "us-west-2", in: postgres},
	"jobs.account":                       {to: "210987654321", in: postgres},
	"jobs.dataEndpoint":                  {to: "", in: postgres},
	"jobs.accessKeys.secret":             {to: "other", in: postgres},
	"jobs.accessKeys.key":                {to: "other.yaml", in: postgres},
	"jobs.control.port":                  {to: 9082, in: postgres},
	"jobs.control.tls.secret":            {to: "control-tls", in: sqlite},
	"jobs.control.service.port":          {to: 443, in: postgres},
	"jobs.control.service.annotations":   {to: labels, in: postgres},
	"jobs.sqlite.size":                   {to: "100Gi", in: sqlite},
	"jobs.sqlite.storageClass":           {to: "fast", in: sqlite},
	"jobs.sqlite.accessMode":             {to: "ReadWriteOnce", in: sqlite},
	"jobs.postgres.url":                  {to: "postgres://gate@db/jobs", in: postgres},
	"jobs.postgres.password.secret":      {to: "other", in: postgres},
	"jobs.postgres.password.key":         {to: "pw", in: postgres},
	"jobs.postgres.ca.secret":            {to: "", in: postgres},
	"jobs.postgres.ca.key":               {to: "root.pem", in: postgres},
	"jobs.postgres.connections":          {to: 30, in: postgres},
	"mqtt.enabled":                       {to: true, in: postgres, also: values{"devices": values{"tls": values{"clientCA": values{"secret": "devices-ca"}}}}},
	"mqtt.port":                          {to: 9883, in: postgres, also: withMQTT},
	"mqtt.authMode":                      {to: "none", in: postgres, also: withMQTT},
	"mqtt.service.type":                  {to: clusterIP, in: postgres, also: withMQTT},
	"mqtt.service.port":                  {to: 443, in: postgres, also: withMQTT},
	"mqtt.service.annotations":           {to: labels, in: postgres, also: withMQTT},
	"sidecar.port":                       {to: 9081, in: "backend"},
	"sidecar.podLabels":                  {to: labels, in: "backend"},
	"memory.base":                        {to: 128},
	"memory.cache":                       {to: 512},
	"memory.jobs":                        {to: 4096, in: sqlite},
	"memory.inFlight":                    {to: 20000},
	"resources.requests":                 {to: values{"cpu": "500m", "memory": "1Gi"}},
	"resources.limits":                   {to: values{"cpu": 4, "memory": "8Gi"}},
	"drain.delay":                        {to: 20},
	"drain.timeout":                      {to: 60},
	"startupSeconds":                     {to: 300},
	"autoscaling.enabled":                {to: false},
	"autoscaling.minReplicas":            {to: 5},
	"autoscaling.maxReplicas":            {to: 50},
	"autoscaling.cpuPercent":             {to: 75},
	"podDisruptionBudget.enabled":        {to: false},
	"podDisruptionBudget.maxUnavailable": {to: "25%"},
	"topologySpread.enabled":             {to: false},
	"topologySpread.keys":                {to: list("kubernetes.io/hostname")},
	"topologySpread.whenUnsatisfiable":   {to: "DoNotSchedule"},
	"nodeSelector":                       {to: labels},
	"tolerations":                        {to: list(values{"key": "gateways", "operator": "Exists"})},
	"affinity":                           {to: values{"podAntiAffinity": values{}}},
	"priorityClassName":                  {to: "high"},
	"podLabels":                          {to: labels},
	"podAnnotations":                     {to: labels},
	"networkPolicy.enabled":              {to: false},
	"networkPolicy.devicesFrom":          {to: list(values{"ipBlock": values{"cidr": "10.0.0.0/8"}})},
	"networkPolicy.controlFrom":          {to: list(), in: postgres},
	"networkPolicy.metricsFrom":          {to: list()},
	"networkPolicy.egress":               {to: list(values{"ports": list(values{"port": 443})})},
	"monitoring.podMonitor.enabled":      {to: false},
	"monitoring.podMonitor.interval":     {to: "1m"},
	"monitoring.podMonitor.labels":       {to: labels},
	"monitoring.rules.enabled":           {to: false},
	"monitoring.rules.labels":            {to: labels},
	"monitoring.dashboard.enabled":       {to: false},
	"monitoring.dashboard.labels":        {to: labels},
	"monitoring.dashboard.annotations":   {to: labels},
}

// TestChanges renders the chart with a change of each value. The result must be valid, and different from before.
func TestChanges(t *testing.T) {
	leaves := map[string]bool{}
	flatten(readValues(t, "../jobgate/values.yaml"), "", leaves)
	for _, path := range slices.Sorted(maps.Keys(leaves)) {
		if _, ok := changes[path]; !ok {
			t.Errorf("%s of values.yaml has no entry in changes", path)
		}
	}
	for path, c := range changes {
		t.Run(path, func(t *testing.T) {
			if !leaves[path] {
				t.Errorf("values.yaml has no %s", path)
			}
			in := c.in
			if in == "" {
				in = "gateway"
			}
			base := func() values {
				v := copied(t, c.also)
				if in == "backend" {
					return chartutil.CoalesceTables(v, readValues(t, "../backend/values.yaml")["jobgate"].(values))
				}
				return chartutil.CoalesceTables(v, readValues(t, "../"+in+".yaml"))
			}
			before, err := render(load(t, "../jobgate"), base())
			if err != nil {
				t.Fatal(err)
			}
			v := base()
			set(v, strings.Split(path, "."), c.to)
			after, err := render(load(t, "../jobgate"), copied(t, v))
			if err != nil {
				t.Fatal(err)
			}
			delete(before, "jobgate/templates/NOTES.txt")
			delete(after, "jobgate/templates/NOTES.txt")
			if maps.Equal(before, after) {
				t.Error("the change has no effect")
			}
			renderAndCheck(t, load(t, "../jobgate"), v)
		})
	}
}

// flatten collects the paths of the values that are not maps, or are empty maps, and of some maps as a whole.
func flatten(v values, prefix string, into map[string]bool) {
	for key, value := range v {
		child, is := value.(values)
		path := prefix + key
		if !is || len(child) == 0 || path == "resources.requests" || path == "monitoring.dashboard.labels" {
			into[path] = true
			continue
		}
		flatten(child, path+".", into)
	}
}

// set sets a value by its path.
func set(v values, path []string, to any) {
	for _, key := range path[:len(path)-1] {
		child, is := v[key].(values)
		if !is {
			child = values{}
			v[key] = child
		}
		v = child
	}
	last := path[len(path)-1]
	if m, is := to.(values); is {
		if old, is := v[last].(values); is {
			to = chartutil.CoalesceTables(maps.Clone(m), old) // CoalesceTables writes to its first argument
		}
	}
	v[last] = to
}

// copied returns a deep copy.
func copied(t *testing.T, v values) values {
	t.Helper()
	text, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out := values{}
	if err := yaml.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRefused: the chart refuses values that cannot work or that contain a secret.
func TestRefused(t *testing.T) {
	f := func(in string, path string, to any, want string) {
		t.Helper()
		v := readValues(t, "../"+in+".yaml")
		set(v, strings.Split(path, "."), to)
		_, err := render(load(t, "../jobgate"), v)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v in %s: got %v, want an error with %q", path, to, in, err, want)
		}
	}
	f("gateway", "device.port", 1, "device")
	f("gateway", "mode", "both", "mode")
	f("gateway", "config.listen", ":1", "config")
	f("gateway", "config.tls", values{"cert_file": "x"}, "config")
	f("gateway", "config.limits", values{"max_connections": 5}, "max_connections")
	f("gateway", "config.auth", nil, "auth")
	f("gateway", "env", list(values{"name": "AWS_SECRET_ACCESS_KEY", "value": "x"}), "env")
	f("gateway", "files", list(values{"key": "a", "path": "../a"}), "files")
	f("jobs-postgres", "jobs.postgres.url", "postgres://jobgate:secret@db/jobgate", "url")
	f("jobs-postgres", "jobs.accessKeys.secret", "", "accessKeys")
	f("jobs-postgres", "jobs.account", "12", "account")
	f("jobs-sqlite", "autoscaling.enabled", true, "autoscaling")
	f("gateway", "mode", "sidecar", "autoscaling")
}
