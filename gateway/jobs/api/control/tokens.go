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

// tokens makes and reads the nextTokens of listings. A token is the store's cursor, encrypted and authenticated together
// with the operation and its parameters: it tells nothing, it cannot be changed, and it is good for the listing that it
// came from and no other.
//
//	token = base64url(salt || AES-256-GCM(key: HMAC-SHA256(TokenKey, salt), nonce: 0, cursor, bound to the listing))
//
// Each token has a key of its own, because TokenKey lives as long as the store does, in any number of gateways: random
// nonces of 96 bits under one key would run out. It is safe for concurrent use.
type tokens struct{ key []byte }

// saltSize is the length of a token's salt, in bytes.
const saltSize = 16

// newTokens returns tokens under key; nil is a random one, so that tokens end with the process.
func newTokens(key []byte) tokens {
	if key == nil {
		key = make([]byte, sha256.Size)
		_, _ = rand.Read(key) // never fails
	}
	return tokens{key}
}

// sealer returns what encrypts the one token of a salt.
func (t tokens) sealer(salt []byte) cipher.AEAD {
	mac := hmac.New(sha256.New, t.key)
	mac.Write(salt)
	block, _ := aes.NewCipher(mac.Sum(nil)) // a key of 32 bytes is always taken
	seal, _ := cipher.NewGCM(block)         // and so is AES
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
	if err != nil || len(sealed) < saltSize || base64.RawURLEncoding.EncodeToString(sealed) != text { // one spelling only
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

// listing names what a token is for: the operation and all its parameters but those of the page.
func (q *call) listing() []byte {
	return q.in.AppendWithout([]byte(q.operation.Name+" "), "nextToken", "maxResults")
}
