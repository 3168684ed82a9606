package main

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"jobgate/presigner/miniotest"
)

// disguises are documents in which the code-sign placeholder for file is written in unusual ways.
func disguises(t *testing.T, file string) map[string]string {
	t.Helper()
	const kind = "code-sign-signature:"
	inner := `{"sig":"${aws:iot:` + kind + file + `}"}`
	nest := func(text string) string {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		return `{"jobDocument":` + string(quoted) + `}`
	}
	return map[string]string{
		"escaped dollar":   `{"sig":"\u0024{aws:iot:` + kind + file + `}"}`,
		"escaped kind":     `{"sig":"${aws:iot:code\u002dsign-signature:` + file + `}"}`,
		"escaped end":      `{"sig":"${aws:iot:` + kind + file + `\u007d"}`,
		"nested":           nest(inner),
		"nested twice":     nest(nest(inner)),
		"member name":      `{"${aws:iot:` + kind + file + `}":1}`,
		"duplicate member": `{"sig":"${aws:iot:` + kind + file + `}","sig":"${aws:iot:` + kind + file + `}"}`,
		"value":            `{"sig":"-- ${aws:iot:code-sign-signature-value:` + file + `} --"}`,
		"large":            `{"pad":"` + strings.Repeat("x", 200_000) + `","sig":"${aws:iot:` + kind + file + `}"}`,
	}
}

// TestCodeSignDisguises: however the placeholder is written, an operator's job gets a signature or an error, and an untrusted
// document gets no signature.
func TestCodeSignDisguises(t *testing.T) {
	t.Parallel()
	s := newCodeSite(t)
	s.stop()
	s.configure(func(text string) string {
		return text + fmt.Sprintf(codeSignConfig, s.key, s.bucket, s.folder) + "sidecar: 127.0.0.1:0\n"
	})
	s.start()
	file := "s3://us-east-1." + s.bucket + "/firmware/v7.bin@" + s.old
	for name, document := range disguises(t, file) {
		resp, err := http.Post("http://"+s.d.Address("sidecar")+"/render?role=rich", "application/json", strings.NewReader(document))
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := resp.Write(&text); err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if strings.Contains(text.String(), "SHA256with") || resp.StatusCode != 400 && name != "escaped dollar" {
			t.Errorf("%s: the sidecar answers %s, want no signature", name, text.String())
		}
	}
	if n := s.reads(); n != 0 {
		t.Errorf("%d reads of the object for the sidecar, want 0", n)
	}
	wants := map[string]string{
		"escaped dollar": `aws:iot:code-sign-signature`, // plain text, as in AWS
		"escaped kind":   "400", "member name": "cannot be the name of a member", "large": "less than or equal to 32768",
		"value": "-- ", "escaped end": "SHA256withECDSA", "nested": "SHA256withECDSA", "nested twice": "SHA256withECDSA", "duplicate member": "SHA256withECDSA",
	}
	for name, document := range disguises(t, file) {
		id := strings.ReplaceAll(name, " ", "-")
		body, err := json.Marshal(map[string]any{
			"targets": []string{"arn:aws:iot:us-east-1:000000000000:thing/sensor-1"}, "document": document, "presignedUrlConfig": map[string]any{"roleArn": richARN},
		})
		if err != nil {
			t.Fatal(err)
		}
		status, text := s.ask(operatorKey, "iot", "control", "PUT", "/jobs/"+id, string(body))
		text = fmt.Sprint(status, text)
		if status == 200 {
			text = s.rawDocument(id)
			if !json.Valid([]byte(text)) {
				t.Errorf("%s: the device gets invalid JSON: %s", name, text)
			}
		}
		if !strings.Contains(text, wants[name]) {
			t.Errorf("%s: %s, want %s", name, text, wants[name])
		}
	}
	// A version of another object.
	other := s.minio.PutObject(t, s.bucket, "firmware/other.bin", []byte("another"))
	s.create(400, "not found", "x", s.text("firmware/v7.bin", other), richARN)
	if n := s.reads(); n != 2 {
		t.Errorf("%d reads of the object, want 2", n)
	}
	s.stop()
}

// rawDocument returns a job's document as the device gets it.
func (s *codeSite) rawDocument(job string) string {
	s.t.Helper()
	_, body := s.ask(aws.Credentials{}, "", "listen", "GET", "/things/sensor-1/jobs/"+job, "")
	var answer struct{ Execution struct{ JobDocument string } }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		s.t.Fatalf("%s: %v", body, err)
	}
	return answer.Execution.JobDocument
}

// TestCodeSignKMS has KMS throttle and deny a key. Creating a job then fails with a retryable 503, or a 400 that says why.
// The object is read only once.
func TestCodeSignKMS(t *testing.T) {
	t.Parallel()
	s := newCodeSite(t)
	s.stop()
	key := ecKey(t)
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	var refuse atomic.Pointer[string]
	kms := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Message []byte }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || !strings.Contains(r.Header.Get("Authorization"), "/us-east-1/kms/aws4_request") {
			t.Errorf("not a signed KMS request: %v: %v", r.Header, err)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		answer := map[string]any{"KeyId": arn, "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "PublicKey": der}
		if code := refuse.Load(); code != nil {
			w.WriteHeader(http.StatusBadRequest)
			answer = map[string]any{"__type": *code, "message": "refused by the test"}
		} else if r.Header.Get("X-Amz-Target") == "TrentService.Sign" {
			value, err := ecdsa.SignASN1(rand.Reader, key.(*ecdsa.PrivateKey), in.Message)
			if err != nil {
				t.Error(err)
			}
			answer = map[string]any{"KeyId": arn, "Signature": value}
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	defer kms.Close()
	s.configure(func(text string) string {
		return text + strings.Replace(fmt.Sprintf(codeSignConfig, s.key, s.bucket, s.folder), "key_file: \""+s.key+`"`, "kms_key: \""+arn+`"`, 1)
	})
	s.d = startDaemon(t, append(s.proxy.Env(), "AWS_ENDPOINT_URL_KMS="+kms.URL), "serve", "--config", s.folder+"/jobgate.yaml")
	awaitText(t, func() string { _, body := fetch(t, "GET", "http://"+s.d.Address("admin")+"/readyz"); return body }, `"ready":true`)
	code := func(text string) { refuse.Store(&text) }

	code("ThrottlingException")
	s.create(503, "ThrottlingException", "j", s.text("firmware/v7.bin", s.old), richARN)
	code("AccessDeniedException")
	s.create(400, "AccessDeniedException", "j", s.text("firmware/v7.bin", s.old), richARN)
	refuse.Store(nil)
	s.create(200, `"jobId":"j"`, "j", s.text("firmware/v7.bin", s.old), richARN)
	if n := s.proxy.Count(miniotest.Get, "/"+s.bucket+"/firmware/v7.bin"); n != 1 {
		t.Errorf("%d reads of the object, want 1", n)
	}
	s.verify("j", "version one", s.old, key.Public())
	code("AccessDeniedException") // devices, and stored signatures, need no KMS
	s.verify("j", "version one", s.old, key.Public())
	s.create(200, `"jobId":"again"`, "again", s.text("firmware/v7.bin", s.old), richARN)
	s.stop()
}
