package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"jobgate/cmd/jobgate/gatetest"
	"jobgate/gateway/codesign"
)

// testKey returns the path of a key in package codesign's testdata.
func testKey(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "gateway", "codesign", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCodeSignCommand(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	key, public := filepath.Join(folder, "key.pem"), testKey(t, "ec-p256-public.pem")
	text, err := os.ReadFile(testKey(t, "ec-p256-sec1.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, text, 0o600); err != nil {
		t.Fatal(err)
	}
	file := gatetest.WriteFile(t, folder, "v7.bin", "version 7")
	f := func(wantCode int, wantOut, wantErr, stdin string, args ...string) string {
		t.Helper()
		r := jobgate(t, stdin, testAWS, append([]string{"codesign"}, args...)...)
		if r.code != wantCode || !strings.Contains(r.out, wantOut) || !strings.Contains(r.err, wantErr) {
			t.Errorf("%v: exit %d\nout %s\nerr %s", args, r.code, r.out, r.err)
		}
		return r.out
	}
	object := f(0, `{"rawPayloadSize":9,"signature":"`, "", "", "--key-file", key, file)
	if !strings.HasSuffix(object, `","signatureAlgorithm":"SHA256withECDSA"}`+"\n") {
		t.Errorf("object %s", object)
	}
	value := f(0, "", "", "", "--key-file", key, "--format", "value", file)
	k, err := codesign.LoadKeyFile(key)
	if err != nil {
		t.Fatal(err)
	}
	const mark = "\uFEFF" // a byte order mark, which some editors write
	for _, signature := range []string{object, value, mark + object, mark + value} {
		f(0, file+": ok (9 bytes, key "+k.ID(), "", signature, "--key-file", key, "--verify", "-", file)
		f(0, ": ok", "", "", "--key-file", public, "--verify", gatetest.WriteFile(t, folder, "sig", signature), file)
	}
	flipped := gatetest.WriteFile(t, folder, "flipped.bin", "version 6")
	f(1, "", "does not verify: the file was changed, or another key signed it", value, "--key-file", public, "--verify", "-", flipped)
	f(1, "", "is of a file of 9 bytes, this one has 10", object, "--key-file", public, "--verify", "-", gatetest.WriteFile(t, folder, "long.bin", "version 7!"))
	f(1, "", "neither the object of a code-sign-signature placeholder nor base64", "{}", "--key-file", public, "--verify", "-", file)
	f(1, "", "a public key and no private key", "", "--key-file", public, file)
	f(1, "", "there is no key: give --key-file", "", file)
	f(1, "", "no such file", "", "--key-file", key, filepath.Join(folder, "none"))
	f(1, "", "cannot read the signature: open", "", "--key-file", public, "--verify", filepath.Join(folder, "none.sig"), file)
	f(1, "", "names no version", "", "--key-file", key, "s3://us-east-1.firmware/v7.bin")
	f(2, "", "want object or value", "", "--key-file", key, "--format", "pem", file)
	f(2, "", "give one", "", "--key-file", key, "--profile", "x", file)

	profiles := gatetest.WriteFile(t, folder, "jobgate.yaml", "codesign:\n  profiles:\n    a: {key_file: "+key+", allow: ['arn:aws:s3:::firmware/*']}\n")
	f(0, "SHA256withECDSA", "", "", "--config", profiles, file)
	f(0, "SHA256withECDSA", "", "", "--config", profiles, "--profile", "a", file)
	f(1, "", `"b": it is not one of codesign.profiles`, "", "--config", profiles, "--profile", "b", file)
	f(1, "", "no profile of codesign.profiles allows it", "", "--config", profiles, "s3://us-east-1.secrets/x@1")
}

// TestCheckCodeSign: check applies each profile's allow to code-sign placeholders, and reads the profiles' keys.
func TestCheckCodeSign(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	text, err := os.ReadFile(testKey(t, "ec-p256-sec1.pem"))
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(folder, "key.pem")
	if err := os.WriteFile(key, text, 0o600); err != nil {
		t.Fatal(err)
	}
	weak := testKey(t, "rsa-1024.pem")
	config := func(key string) string {
		return gatetest.WriteFile(t, folder, "jobgate.yaml", "listen: 127.0.0.1:0\nupstream: [http://127.0.0.1:9]\ncodesign:\n  profiles:\n    a: {key_file: "+key+", allow: ['arn:aws:s3:::firmware/*']}\n")
	}
	f := func(wantCode int, want, config string, documents ...string) {
		t.Helper()
		r := jobgate(t, "", testAWS, append([]string{"check", "--config", config}, documents...)...)
		if r.code != wantCode || !strings.Contains(r.out+r.err, want) {
			t.Errorf("exit %d\nout %s\nerr %s\nwant %s", r.code, r.out, r.err, want)
		}
	}
	good := gatetest.WriteFile(t, folder, "good.json", `{"sig":"${aws:iot:code-sign-signature:s3://us-east-1.firmware/v7.bin@v1}"}`)
	both := gatetest.WriteFile(t, folder, "both.json", `{"url":"${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/firmware/v7.bin}","sig":"${aws:iot:code-sign-signature:s3://us-east-1.firmware/v7.bin@v1}"}`)
	f(0, "both.json: ok (2 placeholders)", config(key), both)
	outside := gatetest.WriteFile(t, folder, "outside.json", `{"sig":"${aws:iot:code-sign-signature:s3://us-east-1.secrets/v7.bin@v1}"}`)
	f(0, "good.json", config(key), good)
	f(1, "outside.json:1:9: Cannot sign the code file", config(key), outside)
	f(1, "no profile of codesign.profiles allows arn:aws:s3:::secrets/v7.bin", config(key), outside)
	parameter := gatetest.WriteFile(t, folder, "parameter.json", `{"sig":"${aws:iot:parameter:code}"}`)
	if text, err = os.ReadFile(config(key)); err != nil {
		t.Fatal(err)
	}
	routes := gatetest.WriteFile(t, folder, "routes.yaml", string(text)+"routes:\n  - path: /x/{jobId}\n    document: file://"+folder+"/{jobId}.json\n"+
		"    parameters: {code: '${aws:iot:code-sign-signature:s3://us-east-1.firmware/v7.bin@v1}'}\n")
	f(1, "parameter.json:1:9: ", routes, parameter)
	f(1, "one cannot stand in the value of a parameter", routes, parameter)
	f(1, "2048", config(weak))
	pipe := filepath.Join(folder, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	f(1, "pipe is a pipe, not a regular file", config(pipe))
	f(0, "cannot be read on this machine", config(filepath.Join(folder, "none.pem")))
}
