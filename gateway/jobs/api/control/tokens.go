package control

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"

	"jobgate/gateway/jobs/api/exception"
)

// TokenSecret names the store's secret that the tokens of listings are encrypted with.
const TokenSecret = "nextToken"

// tokens encodes and decodes the nextTokens of listings. A token is the store's cursor, encrypted and authenticated together
// with the operation and its parameters: it is opaque, cannot be changed, and is valid only for the listing that returned
// it.
//
//	token = base64url(salt || AES-256-GCM(key: HMAC-SHA256(TokenKey, salt), nonce: 0, cursor, bound to the listing))
//
// Each token has its own key, because TokenKey lives as long as the store, in any number of gateways: with one key, random
// nonces of 96 bits would run out. It is safe for concurrent use.
type tokens struct{ key []byte }

// saltSize is the length of a token's salt, in bytes.
const saltSize = 16

// newTokens returns tokens with a key; nil is a random one, so that tokens end with the process.
func newTokens(key []byte) tokens {
	if key == nil {
		key = make([]byte, sha256.Size)
		_, _ = rand.Read(key) // never fails
	}
	return tokens{key}
}

// sealer returns the cipher for the one token of a salt.
func (t tokens) sealer(salt []byte) cipher.AEAD {
	mac := hmac.New(sha256.New, t.key)
	mac.Write(salt)
	block, _ := aes.NewCipher(mac.Sum(nil)) // never fails with 32 bytes
	seal, _ := cipher.NewGCM(block)         // nor with AES
	return seal
}

// token returns the token of a cursor, "" for the end of the listing.
func (t tokens) token(q *call, cursor string) string {
	if cursor == "" {
		return ""
	}
	sealed := make([]byte, saltSize, saltSize+len(cursor)+16)
	_, _ = rand.Read(sealed) // never fails
	seal := t.sealer(sealed)
	sealed = seal.Seal(sealed, make([]byte, seal.NonceSize()), []byte(cursor), q.listing())
	return base64.RawURLEncoding.EncodeToString(sealed)
}

// cursor returns the cursor of the call's nextToken, "" if it has none.
func (t tokens) cursor(q *call) (string, error) {
	text := q.in.Text("nextToken")
	if text == "" {
		return "", nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(sealed) < saltSize || base64.RawURLEncoding.EncodeToString(sealed) != text { // canonical encoding only
		return "", errToken
	}
	seal := t.sealer(sealed[:saltSize])
	cursor, err := seal.Open(nil, make([]byte, seal.NonceSize()), sealed[saltSize:], q.listing())
	if err != nil {
		return "", errToken
	}
	return string(cursor), nil
}

var errToken = exception.InvalidRequest("The nextToken is not one of this listing.")

// listing identifies a token's listing: the operation and all its parameters except those of the page.
func (q *call) listing() []byte {
	return q.in.AppendWithout([]byte(q.operation.Name+" "), "nextToken", "maxResults")
}
