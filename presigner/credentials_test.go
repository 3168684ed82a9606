package presigner_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"jobgate/presigner"
)

func TestCredentialsPrintRedacted(t *testing.T) {
	c := presigner.Credentials{AccessKeyID: "AKIDPUBLIC", SecretAccessKey: "hush-secret", SessionToken: "hush-token"}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "credentials", c, "pointer", &c, "list", []presigner.Credentials{c})
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "credentials", c, "pointer", &c, "list", []presigner.Credentials{c})
	encoded, err := json.Marshal(map[string]any{"c": c, "p": &c})
	if err != nil {
		t.Fatal(err)
	}
	printed := []string{logged.String(), string(encoded)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed = append(printed, fmt.Sprintf(verb, c), fmt.Sprintf(verb, &c), fmt.Sprintf(verb, struct{ C presigner.Credentials }{c}))
	}
	for _, p := range printed {
		if strings.Contains(p, "hush") || strings.Contains(p, "68757368") {
			t.Errorf("a secret shows in %q", p)
		}
	}
	if !strings.Contains(printed[0], "AKIDPUBLIC") {
		t.Errorf("the access key id, which helps an operator, is not in %q", printed[0])
	}
}
