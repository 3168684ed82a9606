package codesign

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
)

// The names of the algorithms in documents.
const (
	SHA256WithECDSA = "SHA256withECDSA"
	SHA256WithRSA   = "SHA256withRSA"
)

// Key signs digests. It is safe for concurrent use.
type Key interface {
	// ID identifies the key material: signatures of another ID are not served. It makes no
	// request.
	ID() string
	// Sign signs the SHA-256 of a file. It may call a server.
	Sign(ctx context.Context, digest [sha256.Size]byte) (Signed, error)
	// PublicKey returns the public key. It may call a server.
	PublicKey(ctx context.Context) (crypto.PublicKey, error)
}

// Signed is a key's signature of a digest.
type Signed struct {
	Value     []byte // DER for ECDSA, PKCS #1 v1.5 for RSA
	Algorithm string
}

// ErrKey says that a key cannot be used.
var ErrKey = errors.New("unusable key")

// Fingerprint returns the SHA-256 of a public key in hex, as
// openssl pkey -pubin -outform DER | sha256sum prints it.
func Fingerprint(public crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrKey, err)
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:]), nil
}

// algorithmOf returns the algorithm of a public key, or an error if the key is too weak.
func algorithmOf(public crypto.PublicKey) (string, error) {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if name := k.Curve.Params().Name; name != "P-256" && name != "P-384" {
			return "", fmt.Errorf("%w: the curve %s is neither P-256 nor P-384", ErrKey, name)
		}
		return SHA256WithECDSA, nil
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits {
			return "", fmt.Errorf("%w: it is RSA of %d bits, at least %d are needed", ErrKey, bits, minRSABits)
		}
		return SHA256WithRSA, nil
	}
	return "", fmt.Errorf("%w: it is of type %T; EC P-256 or P-384 or RSA is needed", ErrKey, public)
}

const minRSABits = 2048

// Verify reports whether public verifies a signature of a digest.
func Verify(public crypto.PublicKey, digest [sha256.Size]byte, signature []byte) bool {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, digest[:], signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], signature) == nil
	}
	return false
}

// localKey signs with a private key in memory.
type localKey struct {
	signer    crypto.Signer
	algorithm string
	id        string
}

func newLocalKey(signer crypto.Signer) (*localKey, error) {
	algorithm, err := algorithmOf(signer.Public())
	if err != nil {
		return nil, err
	}
	id, err := Fingerprint(signer.Public())
	if err != nil {
		return nil, err
	}
	k := &localKey{signer: signer, algorithm: algorithm, id: id}
	return k, k.prove()
}

// prove signs and verifies once, so that a key whose halves do not match is found when
// it is read.
func (k *localKey) prove() error {
	digest := sha256.Sum256([]byte("jobgate codesign"))
	s, err := k.Sign(context.Background(), digest)
	if err != nil {
		return err
	}
	if !Verify(k.signer.Public(), digest, s.Value) {
		return fmt.Errorf("%w: its private and public halves do not belong together", ErrKey)
	}
	return nil
}

// ID implements Key.
func (k *localKey) ID() string { return k.id }

// PublicKey implements Key.
func (k *localKey) PublicKey(context.Context) (crypto.PublicKey, error) {
	return k.signer.Public(), nil
}

// Sign implements Key. Signatures are deterministic (RFC 6979 for ECDSA), so that
// gateways that sign at the same time serve the same document.
func (k *localKey) Sign(_ context.Context, digest [sha256.Size]byte) (Signed, error) {
	value, err := k.signer.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return Signed{}, fmt.Errorf("%w: cannot sign: %w", ErrKey, err)
	}
	return Signed{Value: value, Algorithm: k.algorithm}, nil
}
