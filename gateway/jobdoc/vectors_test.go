package jobdoc_test

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/jobdoc"
	"jobgate/presigner"
)

// vector is one URL of presign.json, generated with botocore.
type vector struct {
	Method, Key, Bucket, Style, URL, Region, Want, Date string
	VersionID                                           string `json:"version_id"`
	AccessKey                                           string `json:"access_key"`
	SecretKey                                           string `json:"secret_key"`
	SessionToken                                        string `json:"session_token"`
	Expires                                             int
}

// readVectors reads botocore's vectors.
func readVectors(tb testing.TB) []vector {
	tb.Helper()
	text, err := os.ReadFile("../../presigner/testdata/presign.json")
	if err != nil {
		tb.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(text, &vectors); err != nil {
		tb.Fatal(err)
	}
	return vectors
}

func (v vector) context(tb testing.TB) *jobdoc.Context {
	tb.Helper()
	signer, err := presigner.NewSigner(presigner.Credentials{AccessKeyID: v.AccessKey, SecretAccessKey: v.SecretKey, SessionToken: v.SessionToken})
	if err != nil {
		tb.Fatal(err)
	}
	at, err := time.Parse("20060102T150405Z", v.Date)
	if err != nil {
		tb.Fatal(err)
	}
	return &jobdoc.Context{Signer: signer, Expires: time.Duration(v.Expires) * time.Second, Time: at}
}

// base is the URL up to the key.
func (v vector) base() string {
	u := v.URL[:strings.IndexByte(v.URL[len("https://"):], '/')+len("https://")+1]
	if v.Style == "path" {
		u += v.Bucket + "/"
	}
	return u
}

// sameURL compares origin, path and the query as a set, because botocore orders it differently.
func sameURL(tb testing.TB, got, want string) {
	tb.Helper()
	g, err := url.Parse(got)
	if err != nil {
		tb.Fatal(err)
	}
	w, err := url.Parse(want)
	if err != nil {
		tb.Fatal(err)
	}
	if g.Host != w.Host || g.EscapedPath() != w.EscapedPath() || g.Query().Encode() != w.Query().Encode() {
		tb.Errorf("got  %s\nwant %s", got, want)
	}
}

// Every key of botocore's vectors, in every form of placeholder that can express it and
// at every depth of JSON, must get botocore's signature.
func TestVectors(t *testing.T) {
	uploads, err := jobdoc.NewPolicy(nil, []string{"*"}, "presign")
	if err != nil {
		t.Fatal(err)
	}
	o := &jobdoc.Options{Policy: uploads}
	filled, asItStands := 0, 0
	for _, v := range readVectors(t) {
		c := v.context(t)
		f := func(placeholder string) {
			t.Helper()
			filled++
			text := &jobdoc.Options{Policy: uploads, PlainText: true}
			if got, err := both(t, placeholder, text, c); err != nil {
				t.Errorf("key %q: %v", v.Key, err)
			} else {
				sameURL(t, got, v.Want)
			}
			document := any(placeholder)
			for range 3 { // a string, a document in a string, and one nested deeper
				encoded, err := json.Marshal(map[string]any{"u": document}) // escapes & as \u0026
				if err != nil {
					t.Fatal(err)
				}
				got, fillErr := both(t, string(encoded), o, c)
				if fillErr != nil {
					t.Errorf("key %q in %s: %v", v.Key, encoded, fillErr)
					return
				}
				sameURL(t, innermost(t, got), v.Want)
				document = string(encoded)
			}
		}

		if v.Method == "PUT" {
			if strings.Contains(v.Key, "}") || v.VersionID != "" {
				continue // no form of upload can express it
			}
			f("${aws:iot:s3-presigned-url-upload:" + v.base() + v.Key + "}")
			continue
		}
		if !strings.Contains(v.Key, "}") && v.VersionID == "" { // the v1 form cannot express these
			asItStands++
			f("${aws:iot:s3-presigned-url:" + v.base() + v.Key + "}")
		}
		key := strings.ReplaceAll(url.PathEscape(v.Key), "%2F", "/")
		key = strings.ReplaceAll(key, "%3FversionId", "%3F%76ersionId")
		version := ""
		if v.VersionID != "" {
			version = "%3FversionId%3D" + url.QueryEscape(v.VersionID)
		}
		f("${aws:iot:s3-presigned-url-v2:" + v.base() + key + version + "}")
		if version != "" {
			f("${aws:iot:s3-presigned-url-v2:" + v.base() + key + "?versionId=" + v.VersionID + "}")
		}
	}
	if filled < 150 || asItStands < 30 {
		t.Errorf("only %d placeholders were filled, %d of them in the v1 form", filled, asItStands)
	}
}

// innermost unwraps the documents in "u" down to the URL.
func innermost(tb testing.TB, text string) string {
	tb.Helper()
	for strings.HasPrefix(text, "{") {
		var document struct{ U string }
		if err := json.Unmarshal([]byte(text), &document); err != nil {
			tb.Fatalf("not JSON: %v\n%s", err, text)
		}
		text = document.U
	}
	return text
}
