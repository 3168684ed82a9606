package config

import (
	"slices"
	"strings"
	"testing"
)

func TestCodeSign(t *testing.T) {
	load := func(text string) (*Loaded, error) {
		return Load(Options{Path: "x.yaml", Source: []byte("listen: 127.0.0.1:8080\njobs: {enabled: true}\n" + text)})
	}
	loaded, err := load(`codesign:
  profiles:
    zebra: {key_file: /z.pem, allow: ["arn:aws:s3:::zebra/*"]}
    apple: {kms_key: "arn:aws:kms:eu-west-1:123456789012:key/1234", allow: ["*"]}
`)
	if err != nil || !slices.Equal(loaded.CodeSign.Names(), []string{"zebra", "apple"}) || loaded.Limits.MaxSignedObject.String() != "4GiB" {
		t.Fatalf("%v, limit %v, %v", loaded.CodeSign.Names(), loaded.Limits.MaxSignedObject, err)
	}
	f := func(text, want string) {
		t.Helper()
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
	const allow = `, allow: ["arn:aws:s3:::firmware/*"]`
	f(`codesign: {profiles: {x: {key_file: /x.pem}}}`, "codesign.profiles.x.allow: is missing")
	f(`codesign: {profiles: {x: {key_file: /x.pem, allow: []}}}`, "codesign.profiles.x.allow")
	f(`codesign: {profiles: {x: {key_file: /x.pem, allow: }}}`, "codesign.profiles.x.allow")
	f(`codesign: {profiles: {x: {key_file: /x.pem, allow: ["firmware/*"]}}}`, "arn:aws:s3:::bucket/key")
	f(`codesign: {profiles: {x: {key_file: ""`+allow+`}}}`, "codesign.profiles.x.key_file")
	f(`codesign: {profiles: {x: {allow: ["*"]}}}`, "codesign.profiles.x.key_file: is missing")
	f(`codesign: {profiles: {x: {key_file: /x.pem, kms_key: "arn:aws:kms:eu-west-1:123456789012:key/1"`+allow+`}}}`, "a profile has one key")
	f(`codesign: {profiles: {x: {kms_key: "arn:aws:kms:eu-west-1:123456789012:alias/a"`+allow+`}}}`, "an alias may point to another key")
	f(`codesign: {profiles: {x: {key_file: /x.pem, role: nobody`+allow+`}}}`, `"nobody" is not one of roles`)
	f(`codesign: {profiles: {"a b": {key_file: /x.pem`+allow+`}}}`, "is not a profile's name")
	f(`codesign: {profiles: }`, "codesign.profiles")
	f(`codesign:`, "codesign")
	f(`sidecar_codesign: true`, "set codesign.profiles")
	f("upstream: [\"http://127.0.0.1:9\"]\npresign: {allow: [\"*\"]}\nroutes: [{path: /x, fill: true, codesign: true}]", "set codesign.profiles")
	f("routes: [{path: /x, document: \"file:///srv/x.json\", codesign: true}]", "without fill")
}
