package s3host

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// The partitions of aws-sdk-go-v2 1.48's partitions.json, with a region of each.
var awsPartitions = []struct{ name, region, suffix, example string }{
	{"aws", `(?:us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+`, "amazonaws.com", "ap-southeast-2"},
	{"aws-cn", `cn-\w+-\d+`, "amazonaws.com.cn", "cn-northwest-1"},
	{"aws-us-gov", `us-gov-\w+-\d+`, "amazonaws.com", "us-gov-west-1"},
	{"aws-iso", `us-iso-\w+-\d+`, "c2s.ic.gov", "us-iso-east-1"},
	{"aws-iso-b", `us-isob-\w+-\d+`, "sc2s.sgov.gov", "us-isob-east-1"},
	{"aws-iso-e", `eu-isoe-\w+-\d+`, "cloud.adc-e.uk", "eu-isoe-west-1"},
	{"aws-iso-f", `us-isof-\w+-\d+`, "csp.hci.ic.gov", "us-isof-south-1"},
	{"aws-eusc", `eusc-(?:de)-\w+-\d+`, "amazonaws.eu", "eusc-de-east-1"},
}

func TestPartitionOf(t *testing.T) {
	for _, p := range awsPartitions {
		if name, suffix := PartitionOf(p.example); name != p.name || suffix != p.suffix {
			t.Errorf("%s is in %s at %s, want %s at %s", p.example, name, suffix, p.name, p.suffix)
		}
	}
	for _, region := range []string{"", "garage", "us-gov-", "us-isox-east-1", "cn-north", "aws-global"} {
		if name, suffix := PartitionOf(region); name != "aws" || suffix != "amazonaws.com" {
			t.Errorf("%q is in %s at %s", region, name, suffix)
		}
	}
}

// oracle describes S3's hosts by regular expressions, written from AWS's documents and
// not from the table.
func oracle(t *testing.T) (forms []*regexp.Regexp, examples []string) {
	t.Helper()
	const bucket, point = `(?:[a-z0-9][a-z0-9.-]*\.)?`, `[a-z0-9-]+-\d{12}\.`
	add := func(example string, patterns ...string) {
		forms = append(forms, regexp.MustCompile("^"+strings.Join(patterns, "")+"$"))
		if !forms[len(forms)-1].MatchString(example) {
			t.Fatalf("%s does not match %s", example, forms[len(forms)-1])
		}
		examples = append(examples, example)
	}
	for _, p := range awsPartitions {
		end := p.example + "." + p.suffix
		endPattern := "(" + p.region + `)\.` + regexp.QuoteMeta(p.suffix)
		fips := ""
		if p.name != "aws-cn" {
			fips = "(?:-fips)?"
			add("fwm.s3-fips."+end, bucket, `s3-fips\.`, endPattern)
		}
		add("s3."+end, bucket, `s3`, fips, `\.(?:dualstack\.)?`, endPattern)
		add("fwm.s3.dualstack."+end, bucket, `s3`, fips, `\.(?:dualstack\.)?`, endPattern)
		add("ota-123456789012.s3-accesspoint."+end, point, "s3-accesspoint", fips, `\.(?:dualstack\.)?`, endPattern)
	}
	add("s3-us-west-2.amazonaws.com", bucket, `s3-((?:us|eu|ap|sa|ca|me|af|il|mx|us-gov)-\w+-\d+)\.amazonaws\.com`)
	add("s3-fips-us-gov-west-1.amazonaws.com", bucket, `s3-fips-(us-gov-\w+-\d+)\.amazonaws\.com`)
	add("fwm.s3.amazonaws.com", bucket, `s3()\.amazonaws\.com`)
	add("fwm.s3-accelerate.dualstack.amazonaws.com", `[a-z0-9-]+\.s3-accelerate()(?:\.dualstack)?\.amazonaws\.com`)
	return forms, examples
}

// Hosts that are one edit or one swapped label away from one of S3's hosts are refused,
// unless they are another host of S3; then the region is read from the right label.
func TestHostNearMisses(t *testing.T) {
	forms, examples := oracle(t)
	random := rand.New(rand.NewPCG(1, 2))
	taken, refused := 0, 0
	check := func(host string) {
		t.Helper()
		l, err := parseAWSHost(host)
		if err != nil {
			refused++
			return
		}
		taken++
		for _, form := range forms {
			if m := form.FindStringSubmatch(host); m != nil && m[1] == l.region {
				return
			}
		}
		t.Errorf("%s is accepted as a host of S3: %+v", host, l)
	}
	words := []string{"s3", "s3-fips", "dualstack", "s3-accelerate", "s3-website", "s3-control", "s3-object-lambda", "s3-outposts", "s3-accesspoint", "fwm", "us-east-1", "cn-north-1", "us-gov-west-1", "amazonaws", "com", "cn", "eu", "evil"}
	for _, host := range examples {
		before := taken
		if check(host); taken == before {
			t.Errorf("%s is refused", host)
		}
		for i := range len(host) {
			check(host[:i] + host[i+1:])
			for _, c := range []string{"a", "s", "3", "-", ".", "1", "x."} {
				check(host[:i] + c + host[i:])
				check(host[:i] + c + host[i+1:])
			}
		}
		for range 2000 {
			labels := strings.Split(host, ".")
			for range 1 + random.IntN(2) {
				labels[random.IntN(len(labels))] = words[random.IntN(len(words))]
			}
			if random.IntN(2) == 0 {
				i, j := random.IntN(len(labels)), random.IntN(len(labels))
				labels[i], labels[j] = labels[j], labels[i]
			}
			check(strings.Join(labels, "."))
		}
	}
	if taken < 1000 || refused < 10000 {
		t.Errorf("%d hosts accepted, %d refused: the test covers too little", taken, refused)
	}
}
