package codesign

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"jobgate/presigner"
)

const kmsARN = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// kmsServer is the part of AWS KMS that signing needs. It refuses requests with an invalid
// SigV4 signature.
type kmsServer struct {
	tb   testing.TB
	key  *KeyFile
	spec string

	refuse atomic.Pointer[string] // the code of an error, with a 400
	asked  atomic.Int64
	slow   chan struct{} // if not nil, Sign waits for it
}

func newKMSServer(tb testing.TB, key, spec string) (*kmsServer, aws.Config) {
	tb.Helper()
	s := &kmsServer{tb: tb, key: loadKey(tb, key), spec: spec}
	server := httptest.NewServer(s)
	tb.Cleanup(server.Close)
	c := aws.Config{
		BaseEndpoint: aws.String(server.URL), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "hush-secret"}, nil
		}),
	}
	return s, c
}

// ServeHTTP implements http.Handler.
func (s *kmsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.tb.Error(err)
	}
	verified, err := presigner.VerifyHeader(presigner.HeaderVerification{
		Method: []byte(r.Method), RequestURI: []byte(r.RequestURI), Body: body, Time: time.Now(),
		Values: func(name string) (values [][]byte) {
			if strings.EqualFold(name, "host") {
				return [][]byte{[]byte(r.Host)}
			}
			for _, value := range r.Header.Values(name) {
				values = append(values, []byte(value))
			}
			return values
		},
		Lookup: func(id string) (presigner.Credentials, bool) {
			return presigner.Credentials{AccessKeyID: id, SecretAccessKey: "hush-secret"}, id == "AKIDEXAMPLE"
		},
	})
	if err != nil {
		s.answer(w, http.StatusForbidden, map[string]any{"__type": "IncompleteSignatureException", "message": err.Error()})
		return
	}
	if verified.Region != "eu-west-1" || verified.Service != "kms" {
		s.tb.Errorf("signed for %s in %q", verified.Service, verified.Region)
	}
	if code := s.refuse.Load(); code != nil {
		s.answer(w, http.StatusBadRequest, map[string]any{"__type": *code, "message": "so it is"})
		return
	}
	var in struct {
		KeyID            string `json:"KeyId"`
		Message          []byte
		MessageType      string
		SigningAlgorithm string
	}
	if err := json.Unmarshal(body, &in); err != nil || in.KeyID != kmsARN {
		s.tb.Errorf("request %s: %v", body, err)
	}
	s.serve(w, r.Header.Get("X-Amz-Target"), in.Message, in.MessageType+" "+in.SigningAlgorithm)
}

func (s *kmsServer) serve(w http.ResponseWriter, target string, message []byte, how string) {
	algorithms := map[string]string{"ECC_NIST_P256": "ECDSA_SHA_256", "RSA_2048": "RSASSA_PKCS1_V1_5_SHA_256"}
	switch target {
	case "TrentService.GetPublicKey":
		der, err := x509.MarshalPKIXPublicKey(s.key.Public)
		if err != nil {
			s.tb.Error(err)
		}
		s.answer(w, http.StatusOK, map[string]any{"KeyId": kmsARN, "KeySpec": s.spec, "KeyUsage": "SIGN_VERIFY", "PublicKey": der})
	case "TrentService.Sign":
		s.asked.Add(1)
		if s.slow != nil {
			<-s.slow
		}
		if len(message) != sha256.Size || how != "DIGEST "+algorithms[s.spec] {
			s.tb.Errorf("asked to sign %d bytes, %s", len(message), how)
		}
		value, err := s.key.Key.(*localKey).signer.Sign(rand.Reader, message, crypto.SHA256)
		if err != nil {
			s.tb.Error(err)
		}
		s.answer(w, http.StatusOK, map[string]any{"KeyId": kmsARN, "Signature": base64.StdEncoding.EncodeToString(value)})
	default:
		s.tb.Errorf("unexpected operation %q", target)
	}
}

func (s *kmsServer) answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // on an error the test sees an incomplete answer
}

func TestKMS(t *testing.T) {
	digest := sha256.Sum256([]byte("version 7"))
	for key, spec := range map[string]string{"ec-p256-sec1.pem": "ECC_NIST_P256", "rsa-2048-pkcs1.pem": "RSA_2048"} {
		server, c := newKMSServer(t, key, spec)
		k, err := NewKMS(kmsARN, c)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			s, err := k.Sign(context.Background(), digest)
			if err != nil || !Verify(server.key.Public, digest, s.Value) || k.ID() != kmsARN {
				t.Fatalf("%s: %+v, %v", spec, s, err)
			}
		}
	}
}

func TestKMSRefusals(t *testing.T) {
	digest := sha256.Sum256(nil)
	f := func(code string, class error) {
		t.Helper()
		server, c := newKMSServer(t, "ec-p256-sec1.pem", "ECC_NIST_P256")
		server.refuse.Store(&code)
		k, err := NewKMS(kmsARN, c)
		if err != nil {
			t.Fatal(err)
		}
		_, err = k.Sign(context.Background(), digest)
		if !errors.Is(err, class) || !strings.Contains(err.Error(), code) || !strings.Contains(err.Error(), kmsARN) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v, want %v", code, err, class)
		}
		server.refuse.Store(nil) // the fault is repaired
		if _, err := k.Sign(context.Background(), digest); err != nil {
			t.Errorf("after %s: %v", code, err)
		}
	}
	f("ThrottlingException", ErrUnavailable)
	f("KMSInternalException", ErrUnavailable)
	f("AccessDeniedException", ErrKey)
	f("DisabledException", ErrKey)
	f("NotFoundException", ErrKey)

	for _, spec := range []string{"ECC_NIST_P384", "SYMMETRIC_DEFAULT"} {
		_, c := newKMSServer(t, "ec-p384-pkcs8.pem", spec)
		k, err := NewKMS(kmsARN, c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Sign(context.Background(), digest); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), spec) {
			t.Errorf("%s: %v", spec, err)
		}
	}

	// A client with the wrong secret cannot sign.
	_, c := newKMSServer(t, "ec-p256-sec1.pem", "ECC_NIST_P256")
	c.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wrong"}, nil
	})
	k, err := NewKMS(kmsARN, c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Sign(context.Background(), digest); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "IncompleteSignature") {
		t.Errorf("wrong credentials: %v", err)
	}

	// An unreachable server, and one that does not answer.
	c.BaseEndpoint = aws.String("http://127.0.0.1:1")
	if k, err = NewKMS(kmsARN, c); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Sign(context.Background(), digest); !errors.Is(err, ErrUnavailable) {
		t.Errorf("no server: %v", err)
	}
	slow, c := newKMSServer(t, "ec-p256-sec1.pem", "ECC_NIST_P256")
	slow.slow = make(chan struct{})
	defer close(slow.slow)
	if k, err = NewKMS(kmsARN, c); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for slow.asked.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if _, err := k.Sign(ctx, digest); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a slow server: %v", err)
	}
}

func TestKMSARN(t *testing.T) {
	f := func(arn, text string) {
		t.Helper()
		if _, err := NewKMS(arn, aws.Config{}); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", arn, err)
		}
	}
	f("", "it is written arn:aws:kms")
	f("1234abcd-12ab-34cd-56ef-1234567890ab", "it is written arn:aws:kms")
	f("arn:aws:kms:eu-west-1:123456789012:key/", "it is written arn:aws:kms")
	f("arn:aws:kms:eu-west-1:123456789012:alias/firmware", "an alias may point to another key")
	f("arn:aws:s3:::key/x", "it is written arn:aws:kms")
}
