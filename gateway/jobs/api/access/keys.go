package access

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"jobgate/gateway/jobdoc/glob"
	"jobgate/gateway/jobs/wire"
	"jobgate/gateway/localfile"
	"jobgate/presigner"
)

// Key is an access key with its permissions. It prints redacted.
type Key struct {
	Credentials presigner.Credentials
	ReadOnly    bool   // operations that change something are denied
	Things      string // "" for an operator's key; otherwise a device's, see Keys
}

// Keys are the access keys of one file. They are immutable and safe for concurrent use. The file is YAML (JSON is, too):
//
//	access_keys:
//	  - id: AKIAOPERATOR00000001       # an operator's: every operation, and the data plane of every thing
//	    secret: …                      # 16 to 128 characters
//	  - id: AKIADASHBOARD0000001
//	    secret: …
//	    read_only: true                # operations that change nothing
//	  - id: AKIASENSOR0000000001       # a device's: the data plane of these things, and nothing else
//	    secret: …
//	    things: "sensor-*"             # a thing's name, * is any run of characters
//
// To replace a key, list the old and the new one until every client has the new one.
type Keys struct {
	byID    map[string]*Key
	signing presigner.SigningKeys
}

// keyFile is the file's format.
type keyFile struct {
	AccessKeys []struct {
		ID       string  `yaml:"id"`
		Secret   string  `yaml:"secret"`
		ReadOnly bool    `yaml:"read_only"`
		Things   *string `yaml:"things"` // nil: the key is not written
	} `yaml:"access_keys"`
}

// maxKeyFile bounds the file, in bytes.
const maxKeyFile = 16 << 20

// LoadKeys reads an access keys file. Errors name the file and the position, never the content.
func LoadKeys(path string) (*Keys, error) {
	text, _, err := localfile.Read(path, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the access keys: %w; see jobs.access_keys_file", err)
	}
	keys, err := ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("cannot read the access keys: %s: %w", path, err)
	}
	return keys, nil
}

// ParseKeys reads the text of an access keys file.
func ParseKeys(text []byte) (*Keys, error) {
	f, err := decodeKeys(text)
	if err != nil {
		return nil, err
	}
	if len(f.AccessKeys) == 0 {
		return nil, errors.New("access_keys lists none")
	}
	k := &Keys{byID: make(map[string]*Key, len(f.AccessKeys))}
	for i, e := range f.AccessKeys {
		things := ""
		if e.Things != nil {
			things = *e.Things
		}
		switch {
		case e.Things != nil && things == "":
			return nil, fmt.Errorf("access_keys[%d] (%s): things is empty; name them, or remove it for an operator's key", i, e.ID)
		case !wire.IsName([]byte(e.ID), 128, false):
			return nil, fmt.Errorf("access_keys[%d]: id has %d characters; it takes 1 to 128 of [a-zA-Z0-9_-]", i, len(e.ID))
		case len(e.Secret) < 16 || len(e.Secret) > 128:
			return nil, fmt.Errorf("access_keys[%d] (%s): secret has %d characters; it takes 16 to 128", i, e.ID, len(e.Secret))
		case k.byID[e.ID] != nil:
			return nil, fmt.Errorf("access_keys[%d]: id %s is listed twice", i, e.ID)
		case things != "" && !wire.IsName([]byte(strings.ReplaceAll(things, "*", "")+"x"), wire.MaxThingName+1, true):
			return nil, fmt.Errorf("access_keys[%d] (%s): things %q is not a thing's name with *", i, e.ID, things)
		}
		k.byID[e.ID] = &Key{
			Credentials: presigner.Credentials{AccessKeyID: e.ID, SecretAccessKey: e.Secret},
			ReadOnly:    e.ReadOnly, Things: things,
		}
	}
	return k, nil
}

var errNotYAML = errors.New("it is not YAML of the access keys' format, or it is empty")

// decodeKeys decodes the file. The YAML library panics on some tags (found by FuzzParseKeys), and reloading a file must not
// crash the gateway.
func decodeKeys(text []byte) (f keyFile, err error) {
	defer func() {
		if recover() != nil {
			err = errNotYAML
		}
	}()
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // YAML 1.2 §5.2
	if err := refuseNull(text); err != nil {
		return f, err
	}
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&f); err != nil {
		return f, withoutSource(err)
	}
	return f, nil
}

// refuseNull returns an error for a member without a value. The decoder would treat it as missing, and without things or
// read_only a key grants more.
func refuseNull(text []byte) error {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return withoutSource(err)
	}
	var null nullFinder
	for _, doc := range file.Docs {
		if doc.Body != nil {
			ast.Walk(&null, doc.Body)
		}
	}
	if null.at == nil {
		return nil
	}
	return fmt.Errorf("%d:%d: a key has no value; give it one, or remove the key", null.at.Line, null.at.Column)
}

// nullFinder finds the first null of a file.
type nullFinder struct{ at *token.Position }

func (f *nullFinder) Visit(n ast.Node) ast.Visitor {
	if _, null := n.(*ast.NullNode); null && f.at == nil {
		f.at = n.GetToken().Position
	}
	return f
}

// withoutSource returns a YAML error's position and message; its own text would quote the file with its secrets.
func withoutSource(err error) error {
	var at yaml.Error
	if !errors.As(err, &at) {
		return errNotYAML
	}
	message := at.GetMessage()
	if token := at.GetToken(); token != nil && token.Position != nil {
		return fmt.Errorf("%d:%d: %s", token.Position.Line, token.Position.Column, message)
	}
	return errors.New(message)
}

// GenerateKeys returns one random operator's key, for a listener on loopback without a file. Show its secret once, and
// store it nowhere.
func GenerateKeys() (*Keys, presigner.Credentials) {
	var secret [30]byte
	_, _ = rand.Read(secret[:]) // never fails
	c := presigner.Credentials{
		AccessKeyID:     "JG" + rand.Text()[:18],
		SecretAccessKey: base64.RawURLEncoding.EncodeToString(secret[:]),
	}
	return &Keys{byID: map[string]*Key{c.AccessKeyID: {Credentials: c}}}, c
}

// Len returns how many keys there are.
func (k *Keys) Len() int { return len(k.byID) }

// lookup returns the credentials of an access key.
func (k *Keys) lookup(id string) (presigner.Credentials, bool) {
	key, ok := k.byID[id]
	if !ok {
		return presigner.Credentials{}, false
	}
	return key.Credentials, true
}

// actsFor reports whether the key may make requests for thing.
func (k *Key) actsFor(thing []byte) bool {
	return k.Things == "" || glob.Matches(k.Things, thing) // ParseKeys refuses '?'
}
