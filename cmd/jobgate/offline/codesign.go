package offline

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"jobgate/cmd/jobgate/awsenv"
	"jobgate/cmd/jobgate/cli"
	"jobgate/cmd/jobgate/codesigning"
	"jobgate/cmd/jobgate/config"
	"jobgate/cmd/jobgate/configured"
	"jobgate/cmd/jobgate/logs"
	"jobgate/gateway/codesign"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/localfile"
	"jobgate/presigner/role"
)

// codesignFlags are the flags of jobgate codesign.
type codesignFlags struct {
	cli.ConfigFlags
	profile string
	keyFile string
	verify  string
	format  string
}

// CodeSign returns jobgate codesign.
func CodeSign() *cobra.Command {
	var f codesignFlags
	cmd := &cobra.Command{
		Use:   "codesign [flags] FILE | s3://REGION.BUCKET/KEY@VERSION",
		Short: "Sign one code file, or verify its signature",
		Long: `Signs the SHA-256 of a file, or of one version of an object in S3, and prints the object that
replaces a ${aws:iot:code-sign-signature:…} placeholder. openssl dgst -sha256 -verify checks the signature.

The key is that of --key-file, or of a profile under codesign.profiles: the one of --profile, or the first that allows
the object.`,
		Example: `  jobgate codesign --key-file firmware.pem v7.bin
  jobgate codesign s3://us-east-1.firmware/v7.bin@3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY
  jobgate codesign --key-file firmware.pem --format value v7.bin | base64 -d > v7.sig
  jobgate codesign --key-file firmware-public.pem --verify signature.json v7.bin`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.format != "object" && f.format != "value" {
				return cli.Usage(cmd, fmt.Errorf("cannot print --format %q: want object or value", f.format))
			}
			if f.keyFile != "" && f.profile != "" {
				return cli.Usage(cmd, errors.New("--key-file and --profile both name a key; give one"))
			}
			if f.verify != "" {
				return f.runVerify(cmd, args[0])
			}
			return f.runSign(cmd, args[0])
		},
	}
	f.Add(cmd, nil)
	flags := cmd.Flags()
	flags.StringVar(&f.profile, "profile", "", "sign with this profile, a `NAME` under codesign.profiles")
	flags.StringVar(&f.keyFile, "key-file", "", "private key in PEM, a `FILE`; with --verify a public key or a certificate too")
	flags.StringVar(&f.verify, "verify", "", "verify this signature, a `FILE` with the object or the base64 (- is standard input), and print nothing else")
	flags.StringVar(&f.format, "format", "object", "what to print: object, or value for the base64 alone")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"object", "value"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// codeTarget is the file to sign or verify, and the key.
type codeTarget struct {
	file   jobdoc.CodeFile // zero: a local file
	digest codesign.Digest
	key    codesign.Key     // nil if --key-file is a public key
	public crypto.PublicKey // with --verify
}

func (f *codesignFlags) runSign(cmd *cobra.Command, name string) error {
	t, err := f.open(cmd, name)
	if err != nil {
		return err
	}
	signed, err := t.key.Sign(cmd.Context(), t.digest.SHA256)
	if err != nil {
		return err
	}
	text := []byte(base64.StdEncoding.EncodeToString(signed.Value))
	if f.format == "object" {
		text = jobdoc.SignatureObject(t.file, jobdoc.CodeSignature{Size: t.digest.Size, Value: signed.Value, Algorithm: signed.Algorithm})
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
	return err
}

func (f *codesignFlags) runVerify(cmd *cobra.Command, name string) error {
	given, err := readSignature(cmd.InOrStdin(), f.verify)
	if err != nil {
		return err
	}
	t, err := f.open(cmd, name)
	if err != nil {
		return err
	}
	if given.size >= 0 && given.size != t.digest.Size {
		return fmt.Errorf("the signature is not that of %q: it is of a file of %d bytes, this one has %d", name, given.size, t.digest.Size)
	}
	if !codesign.Verify(t.public, t.digest.SHA256, given.value) {
		return fmt.Errorf("the signature of %q does not verify: the file was changed, or another key signed it", name)
	}
	fingerprint, err := codesign.Fingerprint(t.public)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: ok (%d bytes, key %s)\n", name, t.digest.Size, fingerprint)
	return err
}

// givenSignature is a signature to verify.
type givenSignature struct {
	value []byte
	size  int64 // -1: unknown
}

// readSignature reads the object of a placeholder, or base64.
func readSignature(stdin io.Reader, name string) (givenSignature, error) {
	text, err := readInput(stdin, name)
	if err != nil {
		return givenSignature{}, fmt.Errorf("cannot read the signature: %w", err)
	}
	text = bytes.TrimPrefix(text, []byte("\uFEFF")) // a byte order mark, which some editors write
	g := givenSignature{size: -1}
	var object struct {
		RawPayloadSize *int64
		Signature      []byte
	}
	if json.Unmarshal(text, &object) == nil && len(object.Signature) > 0 {
		if g.value = object.Signature; object.RawPayloadSize != nil {
			g.size = *object.RawPayloadSize
		}
		return g, nil
	}
	g.value, err = base64.StdEncoding.DecodeString(string(bytes.Trim(bytes.TrimSpace(text), `"`)))
	if err != nil || len(g.value) == 0 {
		return g, fmt.Errorf("cannot read the signature %q: it is neither the object of a code-sign-signature placeholder nor base64", name)
	}
	return g, nil
}

// open reads the named file and the key.
func (f *codesignFlags) open(cmd *cobra.Command, name string) (t codeTarget, err error) {
	inS3 := strings.HasPrefix(name, "s3://")
	if inS3 {
		if t.file, err = jobdoc.ParseCodeFile(name); err != nil {
			return t, fmt.Errorf("cannot sign %q: %w", name, err)
		}
	}
	if f.keyFile != "" {
		if err = f.readKey(cmd, &t); err != nil {
			return t, err
		}
	}
	if !inS3 && f.keyFile != "" {
		t.digest, err = hashFile(name)
		return t, err
	}
	signer, stop, err := openCodeSigner(cmd, &f.ConfigFlags)
	if err != nil {
		return t, err
	}
	defer stop()
	p, err := f.choose(signer.Profiles(), inS3, t.file)
	if err != nil {
		return t, err
	}
	if t.key == nil && t.public == nil {
		t.key = p.Key
	}
	if inS3 {
		t.digest, err = hashObject(cmd.Context(), p, codesign.File(t.file))
	} else {
		t.digest, err = hashFile(name)
	}
	if err == nil && f.verify != "" && t.public == nil {
		t.public, err = t.key.PublicKey(cmd.Context())
	}
	return t, err
}

// readKey reads --key-file: a private key or, to verify, a public one.
func (f *codesignFlags) readKey(cmd *cobra.Command, t *codeTarget) error {
	k, err := codesign.LoadKeyFile(f.keyFile)
	if err == nil {
		if k.Warning != "" {
			_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "warning: "+k.Warning)
		}
		t.key, t.public = k, k.Public
		return nil
	}
	if f.verify == "" {
		return err
	}
	text, _, readErr := localfile.Read(f.keyFile, localfile.Limit)
	if readErr != nil {
		return err
	}
	if public, publicErr := codesign.ParsePublic(text); publicErr == nil {
		t.public = public
		return nil
	}
	return err
}

// openCodeSigner opens the configuration's profiles and the roles that read objects, for one run of a command. Without
// profiles, the Signer cannot sign and reads objects with the gateway's own credentials.
func openCodeSigner(cmd *cobra.Command, f *cli.ConfigFlags) (_ *codesigning.Signer, stop func(), err error) {
	o, err := f.Options(cmd, config.Signing)
	if err != nil {
		return nil, nil, err
	}
	loaded, err := config.Load(o)
	if err != nil {
		return nil, nil, err
	}
	log := logs.ForCommand(cmd.ErrOrStderr())
	settings, err := awsenv.Load(cmd.Context(), log)
	if err != nil {
		return nil, nil, err
	}
	if settings.Region == "" {
		settings.Region = "us-east-1" // replaced by the object's region
	}
	s3, err := awsenv.S3Endpoint(cmd.Context(), settings)
	if err != nil {
		return nil, nil, err
	}
	used := map[string]time.Duration{}
	for _, p := range loaded.CodeSign.Profiles {
		for name := p.Role; name != ""; name = loaded.Roles[name].SourceRole {
			used[name] = 0
		}
	}
	roles, err := role.New(role.Options{AWS: settings, Roles: configured.Roles(&loaded.Config, used)})
	if err != nil {
		return nil, nil, err
	}
	roles.Start(cmd.Context())
	shared := codesigning.New(settings, s3, nil, slog.New(slog.DiscardHandler))
	signer, err := shared.Open(&loaded.Config, roles)
	if signer == nil && err == nil {
		signer, err = shared.Own(&loaded.Config, roles)
	}
	if err != nil {
		roles.Close()
		return nil, nil, err
	}
	return signer, func() { signer.Close(); roles.Close() }, nil
}

// choose returns the profile that signs. With --key-file, the profile only reads the object.
func (f *codesignFlags) choose(profiles []codesign.Profile, inS3 bool, file jobdoc.CodeFile) (*codesign.Profile, error) {
	for i := range profiles {
		p := &profiles[i]
		switch {
		case f.profile != "" && p.Name != f.profile:
			continue
		case p.Key == nil && f.keyFile == "":
			return nil, errors.New("there is no key: give --key-file, or a configuration with codesign.profiles")
		case inS3 && !p.Allow(codesign.File(file)):
			if f.profile != "" {
				return nil, fmt.Errorf("cannot sign %q: codesign.profiles.%s.allow does not match it", file, p.Name)
			}
			continue
		case !inS3 && f.profile == "" && len(profiles) > 1:
			return nil, errors.New("several profiles could sign a file of this machine; name one with --profile")
		}
		return p, nil
	}
	if f.profile != "" {
		return nil, fmt.Errorf("cannot sign with profile %q: it is not one of codesign.profiles", f.profile)
	}
	return nil, fmt.Errorf("cannot sign %q: no profile of codesign.profiles allows it", file)
}

// hashFile hashes a local file.
func hashFile(name string) (codesign.Digest, error) {
	f, err := os.Open(name)
	if err != nil {
		return codesign.Digest{}, fmt.Errorf("cannot read the code file: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	d, err := codesign.Hash(f, math.MaxInt64-1)
	if err != nil {
		return d, fmt.Errorf("cannot read the code file: %w", err)
	}
	return d, nil
}

// hashObject hashes a version of an object.
func hashObject(ctx context.Context, p *codesign.Profile, f codesign.File) (codesign.Digest, error) {
	body, err := p.Open(ctx, f, 30*time.Second)
	if err != nil {
		return codesign.Digest{}, err
	}
	defer func() { _ = body.Close() }() // it was only read
	return codesign.Hash(body, math.MaxInt64-1)
}
