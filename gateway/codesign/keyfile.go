package codesign

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"jobgate/gateway/localfile"
)

// maxKeyFile bounds a key file, in bytes: an RSA key of 16384 bits takes 13 KB.
const maxKeyFile = 64 << 10

// KeyFile is a private key from a file.
type KeyFile struct {
	Key
	Public  crypto.PublicKey
	Warning string // if others may read the file; else ""
}

// LoadKeyFile reads a private key in PEM: EC P-256 or P-384, or RSA of 2048 bits and
// more, in PKCS #8, SEC 1 or PKCS #1, not encrypted. Its errors contain nothing of the key.
func LoadKeyFile(name string) (*KeyFile, error) {
	text, mode, err := localfile.Read(name, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the signing key: %w", err)
	}
	signer, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("cannot use the signing key %q: %w", name, err)
	}
	key, err := newLocalKey(signer)
	if err != nil {
		return nil, fmt.Errorf("cannot use the signing key %q: %w", name, err)
	}
	k := &KeyFile{Key: key, Public: signer.Public()}
	if mode = mode.Perm(); mode&0o077 != 0 {
		k.Warning = fmt.Sprintf("the signing key %q has mode %04o: others than its owner may use it; chmod 600", name, mode)
	}
	return k, nil
}

// parseKey finds the private key in a PEM file, which may also hold parameters and
// certificates.
func parseKey(text []byte) (crypto.Signer, error) {
	found := "nothing in PEM"
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil, fmt.Errorf("%w: it holds %s; a private key in PEM is needed, such as openssl ecparam -name prime256v1 -genkey -noout makes", ErrKey, found)
		}
		switch block.Type {
		case "PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY":
			return decodeKey(block)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errEncrypted
		case "EC PARAMETERS":
		default:
			found = "a " + strings.ToLower(clip(block.Type)) + " and no private key"
		}
	}
}

var errEncrypted = fmt.Errorf("%w: it is encrypted; decrypt it with openssl pkey -in KEY -out PLAIN, and protect the file by its mode", ErrKey)

func decodeKey(block *pem.Block) (crypto.Signer, error) {
	if strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, errEncrypted
	}
	var key any
	var err error
	switch block.Type {
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: it is malformed, or of a kind that is not supported; EC P-256 or P-384 or RSA of 2048 bits is needed", ErrKey)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: it is a %T, which does not sign", ErrKey, key)
	}
	if _, err := algorithmOf(signer.Public()); err != nil {
		return nil, err
	}
	return signer, nil
}

// ParsePublic reads a public key in PEM, or that of a certificate.
func ParsePublic(text []byte) (crypto.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it holds nothing in PEM")
	}
	if block.Type == "CERTIFICATE" {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("the certificate is malformed")
		}
		return c.PublicKey, nil
	}
	return x509.ParsePKIXPublicKey(block.Bytes)
}

func clip(s string) string { return s[:min(len(s), 40)] }
