package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"jobgate/gateway/codesign"
)

// CodeSign says how code files are signed.
type CodeSign struct {
	// Signing profiles by name; the first in the file whose `allow` matches an object signs it.
	Profiles map[string]CodeSignProfile `yaml:"profiles" empty:"refused"`

	order []string // the profiles' names in the order of the file
}

// CodeSignProfile is a key and the objects that it signs.
type CodeSignProfile struct {
	// Private key in PEM: EC P-256 or P-384, or RSA of 2048 bits and more; read again when it changes.
	KeyFile string `yaml:"key_file" empty:"refused"`
	// Instead of `key_file`: ARN of a key of AWS KMS (ECC_NIST_P256 or RSA). KMS gets the digest only; the gateway's own credentials sign the call.
	KMSKey string `yaml:"kms_key" empty:"refused"`
	// Role that reads the objects, a name under `roles`; empty: the gateway's own credentials.
	Role string `yaml:"role" empty:"refused"`
	// Objects that the profile signs, as S3 ARNs with `*` and `?`; required.
	Allow []string `yaml:"allow" empty:"refused"`
}

// Names returns the profiles' names in the order of the file.
func (c *CodeSign) Names() []string { return c.order }

// sortProfiles sorts the profiles' names by their order in the file, which a map does not keep.
func (c *CodeSign) sortProfiles(origins map[string]Origin) {
	c.order = slices.SortedFunc(maps.Keys(c.Profiles), func(a, b string) int {
		x, y := firstOrigin(origins, "codesign.profiles."+a), firstOrigin(origins, "codesign.profiles."+b)
		return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column), strings.Compare(a, b))
	})
}

// firstOrigin returns the first place in the file at which key, or a key below it, was written.
func firstOrigin(origins map[string]Origin, key string) (first Origin) {
	for k, at := range origins {
		if (k == key || strings.HasPrefix(k, key+".")) && (first == Origin{} || at.Line < first.Line || at.Line == first.Line && at.Column < first.Column) {
			first = at
		}
	}
	return first
}

// codesign checks the profiles, without reading keys.
func (v *validator) codesign() {
	v.c.CodeSign.sortProfiles(v.origins)
	for _, name := range v.c.CodeSign.order {
		p, key := v.c.CodeSign.Profiles[name], "codesign.profiles."+name
		if !roleNamePattern.MatchString(name) {
			v.fault(key, fmt.Sprintf("%q is not a profile's name", name), "1 to 64 of A-Z a-z 0-9 _ . -", "")
		}
		switch {
		case p.KeyFile == "" && p.KMSKey == "":
			v.fault(key+".key_file", "is missing", "", "write key_file: /etc/jobgate/firmware.pem, or kms_key")
		case p.KeyFile != "" && p.KMSKey != "":
			v.fault(key+".kms_key", "stands beside key_file", "", "a profile has one key")
		case p.KMSKey != "":
			if err := codesign.CheckKMSARN(p.KMSKey); err != nil {
				v.fault(key+".kms_key", err.Error(), "", "")
			}
		}
		if len(p.Allow) == 0 {
			v.fault(key+".allow", "is missing", "", `say which objects the profile signs, for instance ["arn:aws:s3:::firmware/*"]`)
		}
		v.allow(key+".allow", p.Allow)
		v.role(key+".role", p.Role)
	}
	none := len(v.c.CodeSign.Profiles) == 0
	for i, r := range v.c.Routes {
		key := fmt.Sprintf("routes[%d].codesign", i)
		switch {
		case r.CodeSign && !r.Fill:
			v.fault(key, "means nothing without fill: templates of documents may always name code files", "", "leave it out")
		case r.CodeSign && none:
			v.fault(key, "has no profile that signs", "", "set codesign.profiles")
		}
	}
	if v.c.SidecarCodeSign && none {
		v.fault("sidecar_codesign", "has no profile that signs", "", "set codesign.profiles")
	}
}
