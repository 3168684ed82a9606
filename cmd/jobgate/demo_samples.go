package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// What the demo's fleet consists of.
const (
	demoThing        = "sensor-1"
	demoJob          = "install-v7"
	demoFirmware     = "v7.bin"
	demoFirmwareSize = 256 << 10
)

// demoConfiguration is the gateway's configuration, as an operator would write it.
func demoConfiguration(store, folder string) string {
	return strings.NewReplacer("STORE", store, "FOLDER", folder, "ROLE", demoRole).Replace(`# What jobgate demo runs with.
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
jobs:
  enabled: true
  store: FOLDER/jobs.db
drain: {delay: 0s}
`)
}

// writeSamples fills the store's folder: a bucket of firmware, one of templates, one for what devices upload.
func writeSamples(folder string) error {
	firmware := make([]byte, demoFirmwareSize)
	random := rand.NewChaCha8([32]byte{7}) // the same bytes every time
	_, _ = random.Read(firmware)           // it never fails
	files := map[string][]byte{
		"firmware/" + demoFirmware:           firmware,
		"job-documents/" + demoJob + ".json": []byte(demoTemplate(firmware)),
		"device-logs/README.txt":             []byte("Devices upload their logs here.\n"),
	}
	for name, content := range files {
		full := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return fmt.Errorf("cannot write the demo's samples: %w", err)
		}
		if err := os.WriteFile(full, content, 0o644); err != nil {
			return fmt.Errorf("cannot write the demo's samples: %w", err)
		}
	}
	return nil
}

// demoTemplate is a job document as AWS IoT Jobs would take it, with one placeholder for a download and one for an
// upload whose key differs from device to device.
func demoTemplate(firmware []byte) string {
	return fmt.Sprintf(`{
  "version": "1.0",
  "operation": "install",
  "firmware": {
    "name": "%s",
    "size": %d,
    "sha256": "%x",
    "url": "${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/firmware/%s}"
  },
  "log": {
    "upload": "${aws:iot:s3-presigned-url-upload:https://s3.us-east-1.amazonaws.com/device-logs/${thingName}/${jobId}.log}"
  }
}
`, demoFirmware, len(firmware), sha256.Sum256(firmware), demoFirmware)
}

func (d *demo) templateFile() string {
	return filepath.Join(d.folder, "job-documents", demoJob+".json")
}

// play does what explain prints: it gets the document, then the file behind its URL, and checks the file; then the same
// by a job.
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
		Firmware struct{ URL, SHA256 string }
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
	return d.playJob(ctx, out, firmware)
}
