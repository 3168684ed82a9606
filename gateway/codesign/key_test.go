package codesign

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"jobgate/gateway/servertest"
)

// keyFile copies one of testdata's keys to a file with the given mode.
func keyFile(tb testing.TB, name string, mode os.FileMode) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, text, mode); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		tb.Fatal(err)
	}
	return path
}

func loadKey(tb testing.TB, name string) *KeyFile {
	tb.Helper()
	k, err := LoadKeyFile(keyFile(tb, name, 0o600))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func read(tb testing.TB, name string) []byte {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// goodKeys are the keys with a signature by OpenSSL.
var goodKeys = []struct{ name, algorithm string }{
	{"ec-p256-sec1", SHA256WithECDSA},
	{"ec-p384-pkcs8", SHA256WithECDSA},
	{"rsa-2048-pkcs1", SHA256WithRSA},
	{"rsa-3072-pkcs8", SHA256WithRSA},
}

// OpenSSL's signatures verify here, and have the fingerprint that OpenSSL computes.
func TestVectors(t *testing.T) {
	firmware := read(t, "firmware.bin")
	digest := sha256.Sum256(firmware)
	for _, v := range goodKeys {
		k := loadKey(t, v.name+".pem")
		signature := read(t, v.name+".sig")
		if !Verify(k.Public, digest, signature) {
			t.Errorf("%s: OpenSSL's signature does not verify", v.name)
		}
		if want := strings.TrimSpace(string(read(t, v.name+".fingerprint"))); k.ID() != want {
			t.Errorf("%s: fingerprint %s, want %s", v.name, k.ID(), want)
		}
		for i := range signature {
			flipped := append([]byte{}, signature...)
			flipped[i] ^= 1
			if Verify(k.Public, digest, flipped) {
				t.Errorf("%s: byte %d of the signature may be flipped", v.name, i)
			}
		}
		if Verify(k.Public, sha256.Sum256(append(firmware, 'x')), signature) {
			t.Errorf("%s: another file verifies", v.name)
		}
	}
}

// Other tools verify our signatures: openssl dgst and node's crypto accept them and refuse
// a flipped byte. The signatures fit into FreeRTOS's buffer of 384 bytes.
func TestOthersVerify(t *testing.T) {
	tools := map[string]func(key, sig, file string) *exec.Cmd{
		"openssl": func(key, sig, file string) *exec.Cmd {
			return exec.Command("openssl", "dgst", "-sha256", "-verify", key, "-signature", sig, file)
		},
		"node": func(key, sig, file string) *exec.Cmd {
			const script = `const fs=require("fs"),v=require("crypto").createVerify("SHA256");v.update(fs.readFileSync(process.argv[3]));` +
				`process.exit(v.verify(fs.readFileSync(process.argv[1]),fs.readFileSync(process.argv[2]))?0:1)`
			return exec.Command("node", "-e", script, key, sig, file)
		},
	}
	firmware := read(t, "firmware.bin")
	for tool, verify := range tools {
		t.Run(tool, func(t *testing.T) {
			servertest.Program(t, tool, map[string]string{"openssl": "openssl", "node": "nodejs"}[tool])
			for _, v := range goodKeys {
				k := loadKey(t, v.name+".pem")
				s, err := k.Sign(context.Background(), sha256.Sum256(firmware))
				if err != nil || s.Algorithm != v.algorithm || len(s.Value) > 384 {
					t.Fatalf("%s: %d bytes of %s, %v", v.name, len(s.Value), s.Algorithm, err)
				}
				dir := t.TempDir()
				sig, file, public := filepath.Join(dir, "sig"), filepath.Join(dir, "file"), filepath.Join(dir, "public.pem")
				write(t, sig, s.Value)
				write(t, file, firmware)
				write(t, public, publicPEM(t, k))
				if out, err := verify(public, sig, file).CombinedOutput(); err != nil {
					t.Errorf("%s: refused: %v\n%s", v.name, err, out)
				}
				flipped := append([]byte{}, firmware...)
				flipped[len(flipped)/2] ^= 1
				write(t, file, flipped)
				if out, err := verify(public, sig, file).CombinedOutput(); err == nil {
					t.Errorf("%s: a flipped byte is accepted\n%s", v.name, out)
				}
			}
		})
	}
}

func write(tb testing.TB, name string, text []byte) {
	tb.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// Each gateway makes the same signature of a file.
func TestSignatureIsTheSame(t *testing.T) {
	digest := sha256.Sum256([]byte("version 7"))
	for _, v := range goodKeys {
		first, err := loadKey(t, v.name+".pem").Sign(t.Context(), digest)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := loadKey(t, v.name+".pem").Sign(t.Context(), digest); err != nil || string(again.Value) != string(first.Value) {
			t.Errorf("%s: %x and %x, %v", v.name, first.Value, again.Value, err)
		}
	}
}

func TestLoadKeyFile(t *testing.T) {
	for _, name := range []string{"ec-p256-params.pem", "ec-p256-pkcs8.pem"} {
		loadKey(t, name)
	}
	if a, b := loadKey(t, "ec-p256-sec1.pem"), loadKey(t, "ec-p256-pkcs8.pem"); a.ID() != b.ID() {
		t.Errorf("one key in two formats has fingerprints %s and %s", a.ID(), b.ID())
	}
	f := func(name, text string) {
		t.Helper()
		_, err := LoadKeyFile(keyFile(t, name, 0o600))
		if !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, want %q", name, err, text)
		}
	}
	f("encrypted-pkcs8.pem", "openssl pkey -in KEY -out PLAIN")
	f("encrypted-sec1.pem", "it is encrypted")
	f("certificate.pem", "a certificate and no private key")
	f("ec-p256-public.pem", "a public key and no private key")
	f("firmware.bin", "nothing in PEM")
	f("rsa-1024.pem", "2048")
	f("ec-p521.pem", "P-521 is neither P-256 nor P-384")
	f("ec-secp256k1.pem", "EC P-256 or P-384")
	f("ed25519.pem", "EC P-256 or P-384 or RSA")
	if _, err := LoadKeyFile(filepath.Join(t.TempDir(), "none.pem")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}

	large := filepath.Join(t.TempDir(), "large.pem")
	write(t, large, make([]byte, maxKeyFile+1))
	if _, err := LoadKeyFile(large); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a large file: %v", err)
	}

	for mode, warned := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o644: true} {
		k, err := LoadKeyFile(keyFile(t, "ec-p256-sec1.pem", mode))
		if err != nil || (k.Warning != "") != warned {
			t.Errorf("mode %o: warning %q, %v", mode, k.Warning, err)
		}
	}
}

// Errors contain no part of a key.
func TestErrorsHoldNoKey(t *testing.T) {
	for _, name := range []string{"encrypted-sec1.pem", "rsa-1024.pem", "ec-p521.pem", "ed25519.pem"} {
		_, err := LoadKeyFile(keyFile(t, name, 0o600))
		for line := range strings.Lines(string(read(t, name))) {
			if line = strings.TrimSpace(line); len(line) > 30 && strings.Contains(err.Error(), line) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestParsePublic(t *testing.T) {
	want := loadKey(t, "ec-p256-sec1.pem").ID()
	for _, name := range []string{"ec-p256-public.pem", "certificate.pem"} {
		public, err := ParsePublic(read(t, name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := Fingerprint(public); err != nil || got != want {
			t.Errorf("%s: fingerprint %s, %v", name, got, err)
		}
	}
	if _, err := ParsePublic([]byte("x")); err == nil {
		t.Error("no PEM is read as a key")
	}
}
