package api

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// tokens makes and reads the nextTokens of listings. A token is the store's cursor, encrypted and authenticated
// (AES-GCM) together with the operation and its parameters: it tells nothing, it cannot be changed, and it is good for
// the listing that it came from and no other. It is safe for concurrent use.
type tokens struct{ seal cipher.AEAD }

// newTokens returns tokens under key; nil is a random one, so that tokens end with the process.
func newTokens(key []byte) (tokens, error) {
	if key == nil {
		key = make([]byte, 32)
		_, _ = rand.Read(key) // never fails
	}
	sum := sha256.Sum256(key)
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		return tokens{}, fmt.Errorf("cannot make page tokens: %w", err)
	}
	seal, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return tokens{}, fmt.Errorf("cannot make page tokens: %w", err)
	}
	return tokens{seal}, nil
}

// token returns the token of a cursor, "" for the end of the listing.
func (t tokens) token(q *call, cursor string) string {
	if cursor == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(t.seal.Seal(nil, nil, []byte(cursor), q.listing()))
}

// cursor returns the cursor of the call's nextToken, "" if it has none.
func (t tokens) cursor(q *call) (string, error) {
	text := q.in.text("nextToken")
	if text == "" {
		return "", nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", errToken
	}
	cursor, err := t.seal.Open(nil, nil, sealed, q.listing())
	if err != nil {
		return "", errToken
	}
	return string(cursor), nil
}

var errToken = invalidRequest("The nextToken is not one of this listing, or it has ended.")

// listing names what a token is for: the operation and all its parameters but those of the page.
func (q *call) listing() []byte {
	parameters := make(map[string]any, len(q.in.values)+1)
	for name, v := range q.in.values {
		if name != "nextToken" && name != "maxResults" {
			parameters[name] = v
		}
	}
	text, err := json.Marshal([]any{q.operation.name, parameters}) // keys are sorted
	if err != nil {                                                // what was decoded from JSON always encodes
		return nil
	}
	return text
}
