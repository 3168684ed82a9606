package jobdoc_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobdoc/s3host"
	"jobgate/presigner"
)

func mustResolver(tb testing.TB, c s3host.Config) *s3host.Resolver {
	tb.Helper()
	r, err := s3host.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func TestHosts(t *testing.T) {
	c := newContext(t)
	o := &jobdoc.Options{Resolver: mustResolver(t, s3host.Config{
		Endpoints:     []string{"http://127.0.0.1:9000", "https://Minio.Example.com:443/", "http://[::1]:9000", "http://plain.example.com:80"},
		DefaultRegion: "eu-central-1",
		BucketRegions: map[string]string{"fwm.old": "us-west-2", "virginia": "us-east-1", "beijing": "cn-north-1", "garage": "garage"},
	})}
	f := func(url, host, region, bucket string, style presigner.Style) {
		t.Helper()
		want := presigner.Object{Scheme: "https", Host: host, Region: region, Bucket: bucket, Style: style, Key: "a/b"}
		if strings.HasPrefix(url, "http:") {
			want.Scheme = "http"
		}
		for range 2 { // the second time from the resolver's table
			got, err := both(t, "${aws:iot:s3-presigned-url-v2:"+url+"}", o, c)
			if err != nil || got != signed(t, c, presigner.GET, want) {
				t.Errorf("%s\ngot  %s\nwant %s, error %v", url, got, signed(t, c, presigner.GET, want), err)
			}
		}
	}
	path, virtual := presigner.PathStyle, presigner.HostStyle

	f("https://s3.us-east-1.amazonaws.com/fwm/a/b", "s3.us-east-1.amazonaws.com", "us-east-1", "fwm", path)
	f("https://S3.US-East-1.AmazonAWS.com/fwm/a/b", "s3.us-east-1.amazonaws.com", "us-east-1", "fwm", path)
	f("https://s3.us-east-1.amazonaws.com:443/fwm/a/b", "s3.us-east-1.amazonaws.com", "us-east-1", "fwm", path)
	f("https://s3.us-east-1.amazonaws.com/Old_Bucket/a/b", "s3.us-east-1.amazonaws.com", "us-east-1", "Old_Bucket", path)
	f("https://fwm.old.s3.ap-southeast-2.amazonaws.com/a/b", "fwm.old.s3.ap-southeast-2.amazonaws.com", "ap-southeast-2", "fwm.old", virtual)
	f("https://s3-us-west-2.amazonaws.com/fwm/a/b", "s3-us-west-2.amazonaws.com", "us-west-2", "fwm", path)
	f("https://fwm.s3-us-gov-west-1.amazonaws.com/a/b", "fwm.s3-us-gov-west-1.amazonaws.com", "us-gov-west-1", "fwm", virtual)
	f("https://fwm.s3-fips-us-gov-west-1.amazonaws.com/a/b", "fwm.s3-fips-us-gov-west-1.amazonaws.com", "us-gov-west-1", "fwm", virtual)
	f("https://s3.us-iso-east-1.c2s.ic.gov/fwm/a/b", "s3.us-iso-east-1.c2s.ic.gov", "us-iso-east-1", "fwm", path)
	f("https://fwm.s3.us-isob-east-1.sc2s.sgov.gov/a/b", "fwm.s3.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1", "fwm", virtual)
	f("https://s3.eu-isoe-west-1.cloud.adc-e.uk/fwm/a/b", "s3.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1", "fwm", path)
	f("https://s3.us-isof-south-1.csp.hci.ic.gov/fwm/a/b", "s3.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1", "fwm", path)
	f("https://fwm.s3.eusc-de-east-1.amazonaws.eu/a/b", "fwm.s3.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1", "fwm", virtual)
	f("https://s3.dualstack.eusc-de-east-1.amazonaws.eu/fwm/a/b", "s3.dualstack.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1", "fwm", path)
	f("https://s3.cn-north-1.amazonaws.com.cn/fwm/a/b", "s3.cn-north-1.amazonaws.com.cn", "cn-north-1", "fwm", path)
	f("https://fwm.s3.cn-northwest-1.amazonaws.com.cn/a/b", "fwm.s3.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1", "fwm", virtual)
	f("https://s3.dualstack.eu-west-1.amazonaws.com/fwm/a/b", "s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1", "fwm", path)
	f("https://fwm.s3.dualstack.eu-west-1.amazonaws.com/a/b", "fwm.s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1", "fwm", virtual)
	f("https://s3-fips.us-gov-east-1.amazonaws.com/fwm/a/b", "s3-fips.us-gov-east-1.amazonaws.com", "us-gov-east-1", "fwm", path)
	f("https://fwm.s3-fips.dualstack.us-east-2.amazonaws.com/a/b", "fwm.s3-fips.dualstack.us-east-2.amazonaws.com", "us-east-2", "fwm", virtual)
	f("https://fwm.s3-accelerate.amazonaws.com/a/b", "fwm.s3-accelerate.amazonaws.com", "eu-central-1", "fwm", virtual)
	f("https://fwm.s3-accelerate.dualstack.amazonaws.com/a/b", "fwm.s3-accelerate.dualstack.amazonaws.com", "eu-central-1", "fwm", virtual)
	f("https://ota-123456789012.s3-accesspoint.us-west-2.amazonaws.com/a/b", "ota-123456789012.s3-accesspoint.us-west-2.amazonaws.com", "us-west-2", "ota", virtual)
	f("https://o-t-a-123456789012.s3-accesspoint-fips.dualstack.us-west-2.amazonaws.com/a/b", "o-t-a-123456789012.s3-accesspoint-fips.dualstack.us-west-2.amazonaws.com", "us-west-2", "o-t-a", virtual)

	// The global endpoint: the bucket determines the region, and with it the host.
	f("https://s3.amazonaws.com/virginia/a/b", "s3.amazonaws.com", "us-east-1", "virginia", path)
	f("https://virginia.s3.amazonaws.com/a/b", "virginia.s3.amazonaws.com", "us-east-1", "virginia", virtual)
	f("https://s3.amazonaws.com/beijing/a/b", "s3.cn-north-1.amazonaws.com.cn", "cn-north-1", "beijing", path)
	f("https://s3.amazonaws.com/garage/a/b", "s3.amazonaws.com", "garage", "garage", path)
	f("https://s3.amazonaws.com/fwm/a/b", "s3.eu-central-1.amazonaws.com", "eu-central-1", "fwm", path)
	f("https://s3.amazonaws.com/fwm.old/a/b", "s3.us-west-2.amazonaws.com", "us-west-2", "fwm.old", path)
	f("https://fwm.old.s3.amazonaws.com/a/b", "fwm.old.s3.us-west-2.amazonaws.com", "us-west-2", "fwm.old", virtual)
	f("https://us-east-1.s3.amazonaws.com/a/b", "us-east-1.s3.eu-central-1.amazonaws.com", "eu-central-1", "us-east-1", virtual)

	// Configured endpoints.
	f("http://127.0.0.1:9000/fwm/a/b", "127.0.0.1:9000", "eu-central-1", "fwm", path)
	f("http://127.0.0.1:9000/fwm.old/a/b", "127.0.0.1:9000", "us-west-2", "fwm.old", path)
	f("https://minio.example.com/fwm/a/b", "minio.example.com", "eu-central-1", "fwm", path)
	f("https://minio.example.com:443/fwm/a/b", "minio.example.com", "eu-central-1", "fwm", path)
	f("http://[::1]:9000/fwm/a/b", "[::1]:9000", "eu-central-1", "fwm", path)
	f("http://plain.example.com/fwm/a/b", "plain.example.com", "eu-central-1", "fwm", path)
}

func TestHostsRefused(t *testing.T) {
	c := newContext(t)
	o := &jobdoc.Options{Resolver: mustResolver(t, s3host.Config{Endpoints: []string{"http://127.0.0.1:9000", "https://minio.example.com"}})}
	f := func(url, text string) {
		t.Helper()
		for _, form := range []string{"s3-presigned-url", "s3-presigned-url-v2"} {
			got, err := both(t, "${aws:iot:"+form+":"+url+"}", o, c)
			if err == nil {
				t.Errorf("%s is signed: %s", url, got)
			} else if !strings.Contains(err.Error(), text) {
				t.Errorf("%s\ngot  %v\nwant %s", url, err, text)
			}
		}
	}
	const stranger = "neither one of S3's nor a configured endpoint"
	for _, host := range []string{
		"example.com", "localhost", "amazonaws.com", ".amazonaws.com", "amazonaws.com.cn",
		"s3.us-east-1.amazonaws.com.evil", "evil-s3.amazonaws.com.example.com", "s3.amazonaws.com.example.com",
		"s3.us-east-1.amazonaws.com.", "s3.us-east-1.amazonaws.com..", ".s3.us-east-1.amazonaws.com", ".s3.amazonaws.com",
		"s3.us-east-1.evilamazonaws.com", "s3-evil.amazonaws.com", "evils3.amazonaws.com", "evil-s3.amazonaws.com",
		"s3.us-east-1.example.amazonaws.com", "s3..us-east-1.amazonaws.com", "s3.us-east.amazonaws.com", "s3.us-east-111.amazonaws.com", "s3.-us-east-1.amazonaws.com",
		"s3.u-east-1.amazonaws.com", "s3.1-east-1.amazonaws.com", "us-east-1.amazonaws.com", "ec2.us-east-1.amazonaws.com", "sts.amazonaws.com",
		"data.jobs.iot.us-east-1.amazonaws.com", "s3-website.us-east-1.amazonaws.com", "s3-control.us-east-1.amazonaws.com",
		"s3-object-lambda.us-east-1.amazonaws.com", "x.s3-outposts.us-east-1.amazonaws.com", "s3-dualstack.us-east-1.amazonaws.com",
		"dualstack.us-east-1.amazonaws.com", "s3.fips.us-east-1.amazonaws.com", "s3.us-east-1.dualstack.amazonaws.com",
		"s3.amazonaws.com.cn", "fwm.s3.amazonaws.com.cn", "s3.us-east-1.amazonaws.com.cn", "s3.cn-north-1.amazonaws.com", "s3-cn-north-1.amazonaws.com", "fwm.s3-accelerate.amazonaws.com.cn",
		"firmware.s3-website-us-east-1.amazonaws.com", "firmware.s3-control-us-east-1.amazonaws.com", "123456789012.s3-control.us-west-2.amazonaws.com",
		"s3-object-lambda-us-east-1.amazonaws.com", "firmware.s3-website.eu-central-1.amazonaws.com", "s3-fips-us-east-1.amazonaws.com",
		"s3.us-iso-east-1.amazonaws.com", "s3.us-isob-east-1.amazonaws.com", "s3.eu-isoe-west-1.amazonaws.com", "s3.us-isof-south-1.amazonaws.com",
		"s3.eusc-de-east-1.amazonaws.com", "s3.eusc-fr-east-1.amazonaws.eu", "s3.eu-west-1.amazonaws.eu", "s3.amazonaws.eu", "s3.us-east-1.c2s.ic.gov",
		"s3-fips.cn-north-1.amazonaws.com.cn", "s3-us-iso-east-1.c2s.ic.gov", "fwm.s3-accelerate.amazonaws.eu", "s3.zz-east-1.amazonaws.com", "s3.us-gov-iso-east-1.amazonaws.com",
		"s3-accelerate.amazonaws.com", "a.b.s3-accelerate.amazonaws.com", "fwm.s3-accelerate.us-east-1.amazonaws.com",
		"elasticbeanstalk-us-east-1.s3.amazonaws.com.attacker.net", "minio.example.com.evil.com", "evil.minio.example.com", "minio.example.co",
	} {
		f("https://"+host+"/fwm/k", stranger)
	}
	f("https://_x.s3.amazonaws.com/k", "the host holds '_'")
	f("https://-x-.s3.amazonaws.com/k", "that can stand in a host")
	f("https://a..b.s3.amazonaws.com/k", "that can stand in a host")
	f("https://"+strings.Repeat("x", 64)+".s3.amazonaws.com/k", "3 to 63")
	f("https://xy.s3.amazonaws.com/k", "3 to 255")
	f("https://"+strings.Repeat("x", 300)+"/k", "limit")
	f("https://s3.us-east-1.amazonaws.com:8443/fwm/k", "holds ':'")
	f("https://s3.us-east-1.amazonaws.com:80/fwm/k", "holds ':'")
	f("https://s3.us-east-1.amazonaws.com:443:443/fwm/k", "holds ':'")
	f("https://s3.us-east-1.amazonaws.com:/fwm/k", "holds ':'")
	f("https://user@s3.us-east-1.amazonaws.com/fwm/k", "holds '@'")
	f("https://s3.us-east-1.amazonaws.com@evil.com/fwm/k", "holds '@'")
	f("https://s3.us-east-1.amazonaws.com#@evil.com/fwm/k", "holds '#'")
	f("https://s3.us-east-1.amazonaws.com?@evil.com/fwm/k", "holds '?'")
	f(`https://evil.com\@s3.us-east-1.amazonaws.com/fwm/k`, `holds '\\'`)
	f("https://evil.com%2F.s3.amazonaws.com/k", "holds '%'")
	f("https://s3.us-east-1.amazonaws.com%00.evil.com/fwm/k", "holds '%'")
	f("https://s3.us\u2010east-1.amazonaws.com/fwm/k", "the host holds")
	f("https:///fwm/k", stranger)
	f("http://s3.us-east-1.amazonaws.com/fwm/k", "http is for configured endpoints only")
	f("http://minio.example.com/fwm/k", stranger)
	f("https://127.0.0.1:9000/fwm/k", `set AWS_ENDPOINT_URL_S3 or presign.endpoint to "https://127.0.0.1:9000"`)
	f("http://127.0.0.1:9001/fwm/k", `set AWS_ENDPOINT_URL_S3 or presign.endpoint to "http://127.0.0.1:9001"`)
	f("http://localhost:9000/b/k", `host "localhost:9000" is neither one of S3's nor a configured endpoint`)
	f("http://[::1]:9001/fwm/k", `presign.endpoint to "http://[::1]:9001"`)
	f("http://minio.local:/fwm/k", "holds ':'")
	f("http://minio.local:99999/fwm/k", "holds ':'")
	f("http://127.0.0.1/fwm/k", stranger)
	f("ftp://s3.us-east-1.amazonaws.com/fwm/k", "scheme")
	f("HTTPS://s3.us-east-1.amazonaws.com/fwm/k", "scheme")
	f("s3://fwm/k", "scheme")
	f("//s3.us-east-1.amazonaws.com/fwm/k", "not the https:// URL")

	// Refused by name.
	f("https://fwm--use1-az5--x-s3.s3express-use1-az5.us-east-1.amazonaws.com/k", "S3 Express")
	f("https://s3express-control.us-east-1.amazonaws.com/fwm/k", "S3 Express")
	f("https://s3.us-east-1.amazonaws.com/fwm--use1-az5--x-s3/k", "S3 Express")
	f("https://fwm--use1-az5--x-s3.s3.us-east-1.amazonaws.com/k", "S3 Express")
	f("https://mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com/k", "multi-region access point")
	f("https://s3.us-east-1.amazonaws.com/mfzwi23gnjvgw.mrap/k", "multi-region access point")

	// Access points.
	for _, name := range []string{"ota", "123456789012", "-123456789012", "ota-12345678901", "ota-1234567890123", "x.ota-123456789012", "Ot_-123456789012"} {
		if _, err := both(t, "${aws:iot:s3-presigned-url:https://"+name+".s3-accesspoint.us-west-2.amazonaws.com/k}", o, c); err == nil {
			t.Errorf("access point %q is taken", name)
		}
	}
	f("https://s3-accesspoint.us-west-2.amazonaws.com/fwm/k", "does not name an access point")
}

func TestRewrite(t *testing.T) {
	c := newContext(t)
	o := &jobdoc.Options{Resolver: mustResolver(t, s3host.Config{Rewrite: "https://files.example.com:8443", DefaultRegion: "eu-west-1"})}
	f := func(url, region, bucket string) {
		t.Helper()
		want := signed(t, c, presigner.GET, presigner.Object{Host: "files.example.com:8443", Region: region, Bucket: bucket, Key: "a b"})
		if got, err := both(t, "${aws:iot:s3-presigned-url:"+url+"}", o, c); err != nil || got != want {
			t.Errorf("%s\ngot  %s, error %v\nwant %s", url, got, err, want)
		}
	}
	f("https://s3.us-east-1.amazonaws.com/fwm/a b", "us-east-1", "fwm")
	f("https://fwm.s3.us-east-1.amazonaws.com/a b", "us-east-1", "fwm")
	f("https://s3.amazonaws.com/fwm/a b", "eu-west-1", "fwm")
	f("https://files.example.com:8443/fwm/a b", "eu-west-1", "fwm")
	f("https://fwm.s3-accelerate.amazonaws.com/a b", "eu-west-1", "fwm")
	if _, err := both(t, "${aws:iot:s3-presigned-url:https://ota-123456789012.s3-accesspoint.us-west-2.amazonaws.com/k}", o, c); err == nil || !strings.Contains(err.Error(), "presign.endpoint") {
		t.Errorf("access point: %v", err)
	}

	// The placeholder's key still has its position.
	template, err := jobdoc.Parse([]byte("${aws:iot:s3-presigned-url:https://fwm.s3.us-east-1.amazonaws.com/${thingName}/b}"), o)
	if err != nil {
		t.Fatal(err)
	}
	if got := template.Objects()[0]; got.Key != "${thingName}/b" || got.Bucket != "fwm" || got.Host != "files.example.com:8443" || got.Region != "us-east-1" {
		t.Errorf("object %+v", got)
	}
}

func TestNewResolverRefuses(t *testing.T) {
	f := func(c s3host.Config, text string) {
		t.Helper()
		if _, err := s3host.New(c); err == nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%+v: %v, want %q", c, err, text)
		}
	}
	for _, url := range []string{"files.example.com", "ftp://files.example.com", "https://", "https://:443", "://x", "https://h/path", "https://h?x=1", "https://h?", "https://h#f", "https://user:hush@h", "https://user:hush@h:%zz"} {
		f(s3host.Config{Rewrite: url}, "cannot use presign.endpoint")
		f(s3host.Config{Endpoints: []string{url}}, "cannot use endpoint")
	}
	f(s3host.Config{BucketRegions: map[string]string{"x": "us-east-1"}}, "presign.bucket_regions")
	f(s3host.Config{BucketRegions: map[string]string{"fwm": ""}}, "presign.bucket_regions")
	f(s3host.Config{BucketRegions: map[string]string{"fwm": "us/east"}}, "presign.bucket_regions")
}

func TestNewPolicyRefuses(t *testing.T) {
	for arn, text := range map[string]string{
		"": "arn:aws:s3:::", "firmware/*": "arn:aws:s3:::", "arn:aws:s3:::firmware": "names a bucket", "arn:aws:s3:::": "names a bucket",
		"arn:aws:sqs:::x/*": "arn:aws:s3:::", "arn::s3:::x/*": "partition", "arn:aws:s3:us-east-1::x/*": "neither region nor account",
		"arn:aws:s3::123456789012:x/*": "neither region nor account", "arn:aws:s3:::x/${aws:username}/*": "policy variables",
		"arn:aws:s3:::accesspoint/x/object/*": "accesspoint/<name>/object", "arn:aws:s3:us-east-1:123456789012:accesspoint/x": "accesspoint/<name>/object",
	} {
		if _, err := jobdoc.NewPolicy([]string{arn}, nil, "presign"); err == nil || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), "presign.allow ") {
			t.Errorf("allow %q: %v", arn, err)
		}
		if _, err := jobdoc.NewPolicy(nil, []string{arn}, "roles.x"); err == nil || !strings.Contains(err.Error(), "roles.x.allow_upload ") {
			t.Errorf("allow_upload %q: %v", arn, err)
		}
	}
}

func TestPolicy(t *testing.T) {
	c := newContext(t)
	c.Values.ThingName, c.Values.JobID = []byte("car"), []byte("job")
	// f checks whether Parse accepts a placeholder, and whether it is filled.
	f := func(pattern, url string, parses, fills bool) {
		t.Helper()
		policy, err := jobdoc.NewPolicy([]string{"arn:aws:s3:::other/*", pattern}, []string{pattern}, "presign")
		if err != nil {
			t.Fatal(err)
		}
		o := &jobdoc.Options{Policy: policy}
		for _, form := range []string{"s3-presigned-url", "s3-presigned-url-v2", "s3-presigned-url-upload"} {
			doc := []byte("${aws:iot:" + form + ":" + url + "}")
			template, err := jobdoc.Parse(doc, o)
			if (err == nil) != parses || err != nil && !errors.Is(err, jobdoc.ErrNotAllowed) {
				t.Errorf("%s, %s: Parse says %v", pattern, doc, err)
			}
			if err == nil {
				if _, err = template.AppendTo(nil, c); (err == nil) != fills || err != nil && !errors.Is(err, jobdoc.ErrNotAllowed) {
					t.Errorf("%s, %s: AppendTo says %v", pattern, doc, err)
				}
			}
			if _, err = jobdoc.Fill(nil, doc, o, c); (err == nil) != fills || err != nil && !errors.Is(err, jobdoc.ErrNotAllowed) {
				t.Errorf("%s, %s: Fill says %v", pattern, doc, err)
			}
		}
	}
	const fwm = "https://s3.us-east-1.amazonaws.com/fwm/"
	f("arn:aws:s3:::fwm/*", fwm+"k", true, true)
	f("arn:aws:s3:::fwm/*", fwm+"a/b/c", true, true)
	f("arn:aws:s3:::fwm/*", "https://fwm.s3.us-east-1.amazonaws.com/a/b", true, true)
	f("arn:aws:s3:::fwm/*", "https://s3.us-east-1.amazonaws.com/fwm2/k", false, false)
	f("arn:aws:s3:::fwm/*", "https://fwm.x.s3.us-east-1.amazonaws.com/k", false, false)
	f("arn:aws:s3:::fwm/*", "https://s3.us-east-1.amazonaws.com/FWM/k", false, false)
	f("arn:aws:s3:::fwm*", "https://s3.us-east-1.amazonaws.com/fwm2/k", true, true)
	f("arn:aws:s3:::*", fwm+"k", true, true)
	f("*", fwm+"k", true, true)
	f("arn:aws:s3:::fwm/v?/*.bin", fwm+"v7/x/y.bin", true, true)
	f("arn:aws:s3:::fwm/v?/*.bin", fwm+"v10/x.bin", false, false)
	f("arn:aws:s3:::fwm/v?/*.bin", fwm+"v7/x.txt", false, false)
	f("arn:aws:s3:::fwm/k", fwm+"k", true, true)
	f("arn:aws:s3:::fwm/k", fwm+"kk", false, false)
	f("arn:aws:s3:::fwm/a*b*c", fwm+"aXbXbXc", true, true)
	f("arn:aws:s3:::fwm/a*b*c", fwm+"aXbXbX", false, false)
	f("arn:aws:s3:::fwm/[a]*", fwm+"a", false, false) // brackets are not wildcards in IAM

	// Dot segments lead out of a prefix, in clients and stores that resolve them.
	for _, key := range []string{"../secret/x", "a/../../secret/x", "./x", "..", "a/.", "a/./b"} {
		f("arn:aws:s3:::fwm/*", fwm+key, false, false)
		f("*", fwm+key, true, true)
	}
	for _, key := range []string{"...", ".a/..b", "a../b.", "a/.../b", "${thingName}/..x"} {
		f("arn:aws:s3:::fwm/*", fwm+key, true, true)
	}
	f("arn:aws:s3:::fwm/*", fwm+"${thingName}/../x", false, false)
	f("arn:aws:s3:::fwm/*", fwm+"..${thingName}/x", true, true)

	// Partitions: bucket names are unique only within one.
	const china = "https://s3.cn-north-1.amazonaws.com.cn/fwm/k"
	f("arn:aws:s3:::fwm/*", china, false, false)
	f("arn:aws-cn:s3:::fwm/*", china, true, true)
	f("arn:aws-cn:s3:::fwm/*", fwm+"k", false, false)
	f("arn:aws-us-gov:s3:::fwm/*", "https://s3.us-gov-west-1.amazonaws.com/fwm/k", true, true)
	for _, host := range []string{"s3-fips-us-gov-west-1.amazonaws.com/fwm", "fwm.s3-fips-us-gov-west-1.amazonaws.com", "s3-fips.us-gov-west-1.amazonaws.com/fwm"} {
		f("arn:aws:s3:::fwm/*", "https://"+host+"/k", false, false)
		f("arn:aws-us-gov:s3:::fwm/*", "https://"+host+"/k", true, true)
	}
	f("arn:*:s3:::fwm/*", china, true, true)

	// Access points: a bucket's pattern does not allow objects behind them.
	const point = "https://ota-123456789012.s3-accesspoint.us-west-2.amazonaws.com/k"
	f("arn:aws:s3:::*", point, false, false)
	f("arn:aws:s3:us-west-2:123456789012:accesspoint/ota/object/*", point, true, true)
	f("arn:aws:s3:us-west-2:123456789012:accesspoint/ota/object/x*", point, false, false)
	f("arn:aws:s3:us-east-1:123456789012:accesspoint/ota/object/*", point, false, false)
	f("arn:aws:s3:*:123456789012:accesspoint/*/object/*", point, true, true)
	f("arn:aws:s3:us-west-2:123456789012:accesspoint/ota/object/*", "https://s3.us-west-2.amazonaws.com/accesspoint/ota/object/k", false, false)

	// Keys that differ per device: refused by Parse only if no value could be allowed.
	f("arn:aws:s3:::fwm/*", fwm+"${thingName}/k", true, true)
	f("arn:aws:s3:::fwm/logs/*", fwm+"${thingName}/k", true, false)
	f("arn:aws:s3:::fwm/logs/*/*", fwm+"${thingName}/k", false, false) // no value contains a slash
	f("arn:aws:s3:::fwm/logs/*", fwm+"log/${thingName}/k", false, false)
	f("arn:aws:s3:::fwm/c*", fwm+"${thingName}/k", true, true)
	f("arn:aws:s3:::fwm/t*", fwm+"${thingName}/k", true, false)
	f("arn:aws:s3:::fwm/car/*", fwm+"${thingName}/k", true, true)
	f("arn:aws:s3:::fwm/bus/*", fwm+"${thingName}/k", true, false)
	f("arn:aws:s3:::fwm/???/k", fwm+"${thingName}/k", true, true)
	f("arn:aws:s3:::fwm/??/k", fwm+"${thingName}/k", true, false)
	f("arn:aws:s3:::fwm/a/*/k", fwm+"a/${thingName}/${jobId}/k", true, true)
	f("arn:aws:s3:::fwm/a/*/x", fwm+"a/${thingName}/${jobId}/k", false, false)
	f("arn:aws:s3:::fwm/carjob", fwm+"${thingName}${jobId}", true, true)
	f("arn:aws:s3:::fwm/job car", fwm+"${jobId} ${thingName}", true, true)
	f("arn:aws:s3:::fwm/car job", fwm+"${jobId} ${thingName}", true, false)
	f("arn:aws:s3:us-west-2:123456789012:accesspoint/ota/object/c*", "https://ota-123456789012.s3-accesspoint.us-west-2.amazonaws.com/${thingName}", true, true)
	f("arn:aws:s3:us-west-2:123456789012:accesspoint/ota/object/b*", "https://ota-123456789012.s3-accesspoint.us-west-2.amazonaws.com/${thingName}", true, false)
}

// All requests share a resolver; its table is written while it is read.
func TestResolverConcurrently(t *testing.T) {
	r := mustResolver(t, s3host.Config{})
	var group sync.WaitGroup
	for n := range 4 {
		group.Go(func() {
			c := newContext(t)
			for i := range 300 {
				name := "bucket-" + string(rune('a'+(i*7+n)%26)) + string(rune('a'+i%26))
				doc := "${aws:iot:s3-presigned-url-v2:https://" + name + ".s3.us-east-1.amazonaws.com/k?versionId=" + name + "}"
				got, err := jobdoc.Fill(nil, []byte(doc), &jobdoc.Options{Resolver: r}, c)
				if err != nil || !strings.HasPrefix(string(got), "https://"+name+".s3.us-east-1.amazonaws.com/k?") || !strings.Contains(string(got), "&versionId="+name+"&") {
					t.Errorf("%s: %s, %v", name, got, err)
				}
			}
		})
	}
	group.Wait()
}
