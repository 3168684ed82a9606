package codesign

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
)

// kmsTimeout bounds a call to KMS, retries included.
const kmsTimeout = 15 * time.Second

// kmsKey signs with a key of AWS KMS, which gets the digest only.
type kmsKey struct {
	arn    string
	client *kms.Client

	mu    sync.Mutex
	ready *kmsPublic // nil until GetPublicKey answered
}

// kmsPublic is what GetPublicKey returned.
type kmsPublic struct {
	public    crypto.PublicKey
	algorithm string
	spec      types.SigningAlgorithmSpec
}

// NewKMS returns a key of AWS KMS, named by its ARN (arn:aws:kms:<region>:<account>:key/<id>;
// the material of such a key never changes, while an alias may later point to another).
// It is called with a's credentials, which need kms:Sign and kms:GetPublicKey. It makes
// no request before the first signature.
func NewKMS(arn string, a aws.Config) (Key, error) {
	region, err := kmsRegion(arn)
	if err != nil {
		return nil, err
	}
	client := kms.NewFromConfig(a, func(o *kms.Options) { o.Region = region })
	return &kmsKey{arn: arn, client: client}, nil
}

// CheckKMSARN says what is wrong with the ARN of a key; nil if nothing is.
func CheckKMSARN(arn string) error {
	_, err := kmsRegion(arn)
	return err
}

func kmsRegion(arn string) (string, error) {
	parts := strings.SplitN(arn, ":", 6)
	switch {
	case len(parts) != 6 || parts[0] != "arn" || parts[1] == "" || parts[2] != "kms" || parts[3] == "" || len(parts[4]) != 12:
	case strings.HasPrefix(parts[5], "alias/"):
		return "", fmt.Errorf("cannot use the KMS key %q: %w: an alias may point to another key tomorrow; name the key itself, arn:aws:kms:<region>:<account>:key/<id>", arn, ErrKey)
	case strings.HasPrefix(parts[5], "key/") && len(parts[5]) > len("key/"):
		return parts[3], nil
	}
	return "", fmt.Errorf("cannot use the KMS key %q: %w: it is written arn:aws:kms:<region>:<account>:key/<id>", arn, ErrKey)
}

// ID implements Key.
func (k *kmsKey) ID() string { return k.arn }

// Sign implements Key.
func (k *kmsKey) Sign(ctx context.Context, digest [sha256.Size]byte) (Signed, error) {
	ctx, cancel := context.WithTimeout(ctx, kmsTimeout)
	defer cancel()
	p, err := k.describe(ctx)
	if err != nil {
		return Signed{}, err
	}
	out, err := k.client.Sign(ctx, &kms.SignInput{
		KeyId: &k.arn, Message: digest[:], MessageType: types.MessageTypeDigest, SigningAlgorithm: p.spec,
	})
	if err != nil {
		return Signed{}, k.failure("sign with", err)
	}
	if !Verify(p.public, digest, out.Signature) {
		return Signed{}, fmt.Errorf("cannot sign with the KMS key %q: %w: its signature does not verify with its public key", k.arn, ErrKey)
	}
	return Signed{Value: out.Signature, Algorithm: p.algorithm}, nil
}

// PublicKey implements Key.
func (k *kmsKey) PublicKey(ctx context.Context) (crypto.PublicKey, error) {
	ctx, cancel := context.WithTimeout(ctx, kmsTimeout)
	defer cancel()
	p, err := k.describe(ctx)
	if err != nil {
		return nil, err
	}
	return p.public, nil
}

// describe asks KMS for the public key, once.
func (k *kmsKey) describe(ctx context.Context) (*kmsPublic, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ready != nil {
		return k.ready, nil
	}
	out, err := k.client.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &k.arn})
	if err != nil {
		return nil, k.failure("read the public half of", err)
	}
	p := &kmsPublic{}
	if p.public, err = x509.ParsePKIXPublicKey(out.PublicKey); err != nil {
		return nil, fmt.Errorf("cannot use the KMS key %q: %w: its public key is malformed", k.arn, ErrKey)
	}
	switch out.KeySpec {
	case types.KeySpecEccNistP256:
		p.spec = types.SigningAlgorithmSpecEcdsaSha256
	case types.KeySpecRsa2048, types.KeySpecRsa3072, types.KeySpecRsa4096:
		p.spec = types.SigningAlgorithmSpecRsassaPkcs1V15Sha256
	default:
		return nil, fmt.Errorf("cannot use the KMS key %q: %w: KMS does not sign a SHA-256 with a key of spec %s; ECC_NIST_P256 or RSA_2048 to RSA_4096 is needed", k.arn, ErrKey, out.KeySpec)
	}
	if out.KeyUsage != types.KeyUsageTypeSignVerify {
		return nil, fmt.Errorf("cannot use the KMS key %q: %w: its usage is %s, not SIGN_VERIFY", k.arn, ErrKey, out.KeyUsage)
	}
	if p.algorithm, err = algorithmOf(p.public); err != nil {
		return nil, fmt.Errorf("cannot use the KMS key %q: %w", k.arn, err)
	}
	k.ready = p
	return p, nil
}

// failure returns an error that reports whether KMS refused or did not answer. A refusal is
// permanent until the key or the permissions change.
func (k *kmsKey) failure(verb string, err error) error {
	var api smithy.APIError
	var answer *awshttp.ResponseError
	text, class := err.Error(), ErrUnavailable
	if errors.As(err, &answer) && errors.As(err, &api) {
		text = api.ErrorCode() + ": " + api.ErrorMessage()
		if status := answer.HTTPStatusCode(); status >= 400 && status < 500 && status != http.StatusTooManyRequests && !throttled[api.ErrorCode()] {
			class = ErrKey
		}
	}
	return fmt.Errorf("cannot %s the KMS key %q: %w: %s", verb, k.arn, class, text)
}

// throttled are KMS's temporary errors that have status 400.
var throttled = map[string]bool{
	"ThrottlingException": true, "LimitExceededException": true, "KeyUnavailableException": true,
	"DependencyTimeoutException": true, "KMSInternalException": true, "ExpiredTokenException": true,
}
