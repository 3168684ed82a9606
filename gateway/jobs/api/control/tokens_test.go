package control

import (
	"bytes"
	"errors"
	"testing"

	"jobgate/gateway/jobs/api/model"
)

// Control planes with the same key accept each other's tokens, and no two tokens are equal.
func TestSharedTokens(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	one, two, three := newTokens(key), newTokens(key), newTokens(nil)
	asked := func(nextToken string) *call {
		t.Helper()
		op := &model.Operation{Name: "ListThings"}
		for _, name := range []string{"thingTypeName", "nextToken"} {
			op.Input = append(op.Input, model.Member{Name: name, Shape: &model.Shape{}})
		}
		in, err := op.Read(nil, nil, []byte(`{"thingTypeName":"t","nextToken":"`+nextToken+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		return &call{operation: op, in: in}
	}
	q := asked("")
	token := one.token(q, "a cursor")
	if token == one.token(q, "a cursor") {
		t.Error("two tokens are the same")
	}
	q = asked(token)
	if cursor, err := two.cursor(q); cursor != "a cursor" || err != nil {
		t.Errorf("another's token: %q, %v", cursor, err)
	}
	if cursor, err := three.cursor(q); !errors.Is(err, errToken) {
		t.Errorf("a token of another key: %q, %v", cursor, err)
	}
}
