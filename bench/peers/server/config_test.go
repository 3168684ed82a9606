package server

import (
	"os"
	"strings"
	"testing"

	"jobgate/bench/peers/bare"
	"jobgate/gateway/jobdoc"
)

// jobgate can parse the committed documents, and its rivals can cut them at the placeholder.
func TestDocuments(t *testing.T) {
	folder := t.TempDir()
	if err := CopyDocuments(folder); err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile(folder + "/document.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jobdoc.Parse(document, nil); err != nil {
		t.Error(err)
	}
	before, after := bare.CutPlaceholder(document)
	if !strings.HasSuffix(string(before), `"url":"`) || !strings.HasPrefix(string(after), `"}]}`) {
		t.Errorf("the document is cut into %q and %q", before, after)
	}
}

func TestConfigurations(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"jobgate.yaml", "nginx-file.conf", "nginx-proxy.conf", "mosquitto.conf"} {
		path, err := Write(folder, name, name, Settings{Folder: folder, Port: 1234, Admin: 1235, Upstream: 1236, Memory: "low", TLS: true, Connections: 10})
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "<no value>") || !strings.Contains(strings.ReplaceAll(string(text), "listener 1234 127.0.0.1", "127.0.0.1:1234"), "127.0.0.1:1234") {
			t.Errorf("%s is filled in as\n%s", name, text)
		}
	}
}
