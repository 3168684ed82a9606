package demo

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"jobgate/gateway/codesign"
)

// The demo's fleet.
const (
	thing           = "sensor-1"
	job             = "install-v7"
	firmwareName    = "v7.bin"
	firmwareSize    = 256 << 10
	firmwareVersion = "7MeMeJsBkC0nJf2gV1demo" // an S3 version id
)

// configuration is the gateway's configuration, as an operator would write it.
func configuration(store, folder string) string {
	return strings.NewReplacer("STORE", store, "FOLDER", folder, "ROLE", roleARN).Replace(`# The configuration of jobgate demo.
routes:
  - path: /things/{thingName}/jobs/{jobId}/document
    document: s3://job-documents/{jobId}.json
    role: download
roles:
  download:
    arn: ROLE
    allow: ["arn:aws:s3:::firmware/*"]
    allow_upload: ["arn:aws:s3:::device-logs/*"]
presign:
  endpoint: STORE          # the object store stands in for S3
codesign:
  profiles:
    firmware:              # devices check their firmware with firmware-public.pem
      key_file: FOLDER/.keys/firmware.pem
      role: download
      allow: ["arn:aws:s3:::firmware/*"]
jobs:
  enabled: true
  store: FOLDER/jobs.db
drain: {delay: 0s}
`)
}

// writeSamples fills the store's folder: a bucket of firmware, one of templates, and one for devices' uploads.
func writeSamples(folder string) error {
	firmware := make([]byte, firmwareSize)
	random := rand.NewChaCha8([32]byte{7}) // the same bytes every time
	_, _ = random.Read(firmware)           // it never fails
	private, public, err := newKey()
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"firmware/" + firmwareName:                                   firmware,
		".versions/firmware/" + firmwareName + "/" + firmwareVersion: firmware,
		".keys/firmware.pem":                                         private,
		".keys/firmware-public.pem":                                  public,
		"job-documents/" + job + ".json":                             []byte(template(firmware)),
		"device-logs/README.txt":                                     []byte("Devices upload their logs here.\n"),
	}
	for name, content := range files {
		full := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return fmt.Errorf("cannot write the demo's samples: %w", err)
		}
		mode := os.FileMode(0o644)
		if name == ".keys/firmware.pem" {
			mode = 0o600
		}
		if err := os.WriteFile(full, content, mode); err != nil {
			return fmt.Errorf("cannot write the demo's samples: %w", err)
		}
	}
	return nil
}

// newKey generates the key that signs the demo's firmware.
func newKey() (private, public []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot create the demo's key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot create the demo's key: %w", err)
	}
	publicDER, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, fmt.Errorf("cannot create the demo's key: %w", err)
	}
	private = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return private, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER}), nil
}

// publicKeyFile returns the path of the public key that the demo's devices would hold.
func (d *demo) publicKeyFile() string { return filepath.Join(d.folder, ".keys", "firmware-public.pem") }

// template returns a job document in the format of AWS IoT Jobs, with placeholders for a download, for the file's signature,
// and for an upload whose key is different for each device.
func template(firmware []byte) string {
	return fmt.Sprintf(`{
  "version": "1.0",
  "operation": "install",
  "firmware": {
    "name": "%[1]s",
    "size": %[2]d,
    "sha256": "%[3]x",
    "url": "${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/firmware/%[1]s%%3FversionId%%3D%[4]s}",
    "signature": "${aws:iot:code-sign-signature-value:s3://us-east-1.firmware/%[1]s@%[4]s}"
  },
  "log": {
    "upload": "${aws:iot:s3-presigned-url-upload:https://s3.us-east-1.amazonaws.com/device-logs/${thingName}/${jobId}.log}"
  }
}
`, firmwareName, len(firmware), sha256.Sum256(firmware), firmwareVersion)
}

func (d *demo) templateFile() string {
	return filepath.Join(d.folder, "job-documents", job+".json")
}

// play makes the requests that explain prints: it gets the document, downloads its file and verifies it, then does the same
// with a job.
func (d *demo) play(ctx context.Context, out io.Writer) error {
	if err := d.awaitReady(ctx); err != nil {
		return err
	}
	document, err := get(ctx, d.documentURL())
	if err != nil {
		return fmt.Errorf("cannot get the document: %w", err)
	}
	_, _ = fmt.Fprintf(out, "GET %s\n%s", d.documentURL(), document)
	var job struct {
		Firmware struct {
			URL, SHA256 string
			Signature   []byte
		}
	}
	if err := json.Unmarshal(document, &job); err != nil {
		return fmt.Errorf("cannot read the document: %w", err)
	}
	firmware, err := get(ctx, job.Firmware.URL)
	if err != nil {
		return fmt.Errorf("cannot download the firmware: %w", err)
	}
	sum := sha256.Sum256(firmware)
	if got := fmt.Sprintf("%x", sum); got != job.Firmware.SHA256 || !bytes.HasPrefix([]byte(job.Firmware.URL), []byte(d.storeURL)) {
		return fmt.Errorf("cannot use the firmware: it is not the file that the document describes")
	}
	_, _ = fmt.Fprintf(out, "GET its firmware.url: %d bytes, SHA-256 as the document says\n", len(firmware))
	text, err := os.ReadFile(d.publicKeyFile())
	if err != nil {
		return fmt.Errorf("cannot verify the firmware: %w", err)
	}
	public, err := codesign.ParsePublic(text)
	if err != nil {
		return fmt.Errorf("cannot verify the firmware: %w", err)
	}
	if !codesign.Verify(public, sum, job.Firmware.Signature) {
		return errors.New("cannot use the firmware: its signature does not verify")
	}
	_, _ = fmt.Fprintf(out, "its firmware.signature verifies\n")
	return d.playJob(ctx, out, firmware)
}
