package main

import (
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// s3Places are AWS settings, and where `s3://bucket/key` leads with them.
var s3Places = []struct {
	env    []string
	bucket string
	want   string
}{
	{nil, "bkt", "https://bkt.s3.amazonaws.com/k/a.bin"},
	{[]string{"AWS_REGION=us-east-1"}, "bkt", "https://bkt.s3.us-east-1.amazonaws.com/k/a.bin"},
	{[]string{"AWS_REGION=eu-west-1"}, "bkt", "https://bkt.s3.eu-west-1.amazonaws.com/k/a.bin"},
	{[]string{"AWS_REGION=eu-west-1"}, "my.bucket", "https://s3.eu-west-1.amazonaws.com/my.bucket/k/a.bin"},
	{[]string{"AWS_REGION=cn-north-1"}, "bkt", "https://bkt.s3.cn-north-1.amazonaws.com.cn/k/a.bin"},
	{[]string{"AWS_REGION=us-gov-west-1"}, "bkt", "https://bkt.s3.us-gov-west-1.amazonaws.com/k/a.bin"},
	{[]string{"AWS_REGION=eu-west-1", "AWS_USE_FIPS_ENDPOINT=true"}, "bkt", "https://bkt.s3-fips.eu-west-1.amazonaws.com/k/a.bin"},
	{[]string{"AWS_REGION=us-east-1", "AWS_USE_DUALSTACK_ENDPOINT=true"}, "bkt", "https://bkt.s3.dualstack.us-east-1.amazonaws.com/k/a.bin"},
	{[]string{"AWS_REGION=us-east-1", "AWS_USE_FIPS_ENDPOINT=true", "AWS_USE_DUALSTACK_ENDPOINT=true"}, "bkt", "https://bkt.s3-fips.dualstack.us-east-1.amazonaws.com/k/a.bin"},
	{[]string{"AWS_REGION=cn-north-1", "AWS_USE_DUALSTACK_ENDPOINT=true"}, "bkt", "https://bkt.s3.dualstack.cn-north-1.amazonaws.com.cn/k/a.bin"},
	{[]string{"AWS_REGION=eu-west-1", "AWS_ENDPOINT_URL_S3=http://127.0.0.1:9000"}, "bkt", "http://127.0.0.1:9000/bkt/k/a.bin"},
	{[]string{"AWS_REGION=eu-west-1", "AWS_ENDPOINT_URL_S3=https://s3.example.com"}, "bkt", "https://s3.example.com/bkt/k/a.bin"},
}

var presignKeys = []string{"AWS_ACCESS_KEY_ID=AKIATEST", "AWS_SECRET_ACCESS_KEY=s3cret"}

// signedFor is what of a presigned URL says where it leads and for which region it was signed.
func signedFor(t *testing.T, signed string) string {
	t.Helper()
	u, err := url.Parse(strings.TrimSpace(signed))
	if err != nil {
		t.Fatal(err)
	}
	scope := strings.Split(u.Query().Get("X-Amz-Credential"), "/")
	if len(scope) != 5 {
		t.Fatalf("%q is not presigned", signed)
	}
	return u.Scheme + "://" + u.Host + u.EscapedPath() + " " + scope[2]
}

func TestPresignPlaces(t *testing.T) {
	for _, p := range s3Places {
		r := jobgate(t, "", append(presignKeys, p.env...), "presign", "s3://"+p.bucket+"/k/a.bin")
		if r.code != 0 {
			t.Errorf("%v: %s", p.env, r.err)
			continue
		}
		if got := signedFor(t, r.out); !strings.HasPrefix(got, p.want+" ") {
			t.Errorf("%v: %s, want %s", p.env, got, p.want)
		}
	}
	r := jobgate(t, "", append(presignKeys, "AWS_REGION=eu-west-1"), "presign", "--config", writeFile(t, t.TempDir(), "j.yaml", "presign: {bucket_regions: {bkt: ap-south-1}}\n"), "s3://bkt/k")
	if got, want := signedFor(t, r.out), "https://bkt.s3.ap-south-1.amazonaws.com/k ap-south-1"; got != want {
		t.Errorf("bucket_regions: %s, want %s", got, want)
	}
}

// TestEndpointHosts: an endpoint of AWS's settings keeps the rules of presign.endpoint.
func TestEndpointHosts(t *testing.T) {
	document := writeFile(t, t.TempDir(), "job.json", "{}")
	for endpoint, want := range map[string]string{
		"http://bücher.example":  `"http://bücher.example" has a host that is not a DNS name in ASCII`,
		"http://h:0443":          `has the port "0443", which is not 1..65535 without leading zeros`,
		"http://h:":              "has an empty port",
		"minio:9000":             `"minio:9000" is not a base URL; allowed: http://host:port or https://host:port`,
		"http://user:s3cret@h:9": "carries a user name or password",
	} {
		for _, setting := range []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"} {
			env := append([]string{setting + "=" + endpoint}, presignKeys...)
			for _, args := range [][]string{{"presign", "s3://bkt/k"}, {"check", document}} {
				r := jobgate(t, "", env, args...)
				if r.code != 1 || !strings.HasPrefix(r.err, "jobgate: "+setting+": ") || !strings.Contains(r.err, want) || strings.Contains(r.err, "s3cret@") {
					t.Errorf("%s=%s %v: exit %d, %s", setting, endpoint, args, r.code, r.err)
				}
			}
		}
	}
}

// TestPresignPlacesAsAWS compares with `aws s3 presign`.
func TestPresignPlacesAsAWS(t *testing.T) {
	const aws = "/usr/bin/aws"
	if _, err := os.Stat(aws); err != nil {
		if os.Getenv("JOBGATE_TEST_REQUIRE_SERVERS") != "" {
			t.Fatal(err)
		}
		t.Skip("install the AWS CLI: apt-get install awscli")
	}
	for i, p := range s3Places {
		if os.Getenv("JOBGATE_TEST_REQUIRE_SERVERS") == "" && i%4 != 0 {
			continue // each takes a second; .ci/run compares all of them
		}
		args := []string{"s3", "presign", "s3://" + p.bucket + "/k/a.bin"}
		env := append([]string{"HOME=" + t.TempDir(), "AWS_EC2_METADATA_DISABLED=true", "PATH=/usr/bin:/bin"}, presignKeys...)
		for _, e := range p.env {
			if endpoint, ok := strings.CutPrefix(e, "AWS_ENDPOINT_URL_S3="); ok {
				args = append(args, "--endpoint-url", endpoint) // older CLIs do not know the variable
				continue
			}
			env = append(env, e)
		}
		command := exec.Command(aws, args...)
		command.Env = env
		theirs, err := command.Output()
		if err != nil {
			t.Fatalf("%v: %v", p.env, err)
		}
		ours := jobgate(t, "", append(presignKeys, p.env...), "presign", "s3://"+p.bucket+"/k/a.bin")
		if got, want := signedFor(t, ours.out), signedFor(t, string(theirs)); got != want {
			t.Errorf("%v: %s, the AWS CLI says %s", p.env, got, want)
		}
	}
}
