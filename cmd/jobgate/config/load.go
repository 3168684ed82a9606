package config

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"jobgate/cmd/jobgate/config/strictyaml"
)

// Scope selects the rules across settings to check.
type Scope uint8

const (
	// Serving is for the gateway: all rules.
	Serving Scope = iota
	// Signing is for commands that only sign: the rules on roles and presign.
	Signing
)

type (
	// Origin is where a value was written.
	Origin = strictyaml.Origin
	// Fault is one thing wrong with the configuration.
	Fault = strictyaml.Fault
	// Faults is a list of faults or warnings.
	Faults = strictyaml.Faults
	// Size is a number of bytes.
	Size = strictyaml.Size
	// Setting describes one setting.
	Setting = strictyaml.Setting
)

// envPrefix begins the names of jobgate's environment variables.
const envPrefix = "JOBGATE_"

// Settings lists every setting in the order of the file.
func Settings() []Setting { return strictyaml.Settings(reflect.TypeFor[Config](), envPrefix) }

// Default returns the configuration without a file, environment and flags. It is not validated, and serves nothing.
func Default() *Config {
	c := new(Config)
	strictyaml.Defaults(c)
	return c
}

// Flag is one setting from the command line.
type Flag struct{ Name, Key, Text string } // "--listen", "listen", "127.0.0.1:8080"

// Options say what Load reads.
type Options struct {
	Path    string   // file; "" reads none
	Source  []byte   // the file's content if it was read already; nil reads Path
	Environ []string // NAME=value, as os.Environ returns them
	Flags   []Flag   // only those that were set
	Scope   Scope
}

// Loaded is a valid configuration, with the origin of each of its values.
type Loaded struct {
	Config
	Warnings Faults // such as a device listener without authentication, or an unknown variable
	origins  map[string]Origin
}

// Origin returns where key was written; the zero Origin for a default.
func (l *Loaded) Origin(key string) Origin { return l.origins[key] }

// Load reads the configuration: defaults, then the file, the environment and the flags, each overriding the one before.
// It returns all faults as Faults. If the file cannot be read, it returns an ordinary error.
func Load(o Options) (*Loaded, error) {
	d := &strictyaml.Decoder{File: o.Path, Origins: map[string]Origin{}}
	c := Default()
	if o.Path != "" {
		source := o.Source
		if source == nil {
			var err error
			if source, err = os.ReadFile(o.Path); err != nil {
				return nil, fmt.Errorf("cannot read the configuration: %w", err)
			}
		}
		d.Decode(source, c)
	}
	warnings := environment(d, o.Environ, c)
	setFlags(d, o.Flags, c)
	v := validator{c: c, origins: d.Origins, faults: d.Faults, warnings: warnings}
	if !d.Unreadable {
		v.validate(o.Scope)
	}
	if len(v.faults) > 0 {
		return nil, v.faults.Sorted()
	}
	return &Loaded{Config: *c, Warnings: v.warnings.Sorted(), origins: d.Origins}, nil
}

// serviceLinks are variables that Kubernetes sets for a Service whose name begins with jobgate.
var serviceLinks = regexp.MustCompile(`^JOBGATE_(.+_)?(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_.*)?)$`)

// environment applies the JOBGATE_ variables to c. An empty variable counts as unset, as in Compose files.
func environment(d *strictyaml.Decoder, environ []string, c *Config) (warnings Faults) {
	keys := map[string]string{}
	var names []string
	others := map[string]string{"JOBGATE_CONFIG": ""} // read by the --config flag
	for _, s := range Settings() {
		if s.Env == "" {
			others[strictyaml.EnvName(envPrefix, topKey(s.Key))] = topKey(s.Key)
			continue
		}
		keys[s.Env] = s.Key
		names = append(names, s.Env)
	}
	sorted := slices.Sorted(slices.Values(environ))
	for _, entry := range sorted {
		name, text, _ := strings.Cut(entry, "=")
		key, known := keys[name]
		if !known {
			if strings.HasPrefix(name, envPrefix) && !serviceLinks.MatchString(name) {
				warnings = append(warnings, unknownVariable(name, others, names)...)
			}
			continue
		}
		if text != "" {
			override(d, Origin{Env: name}, key, text, c)
		}
	}
	return warnings
}

// unknownVariable is the warning for a JOBGATE_ name that is not a setting; JOBGATE_CONFIG is known.
func unknownVariable(name string, others map[string]string, names []string) Faults {
	if key, ok := others[name]; ok {
		if key == "" {
			return nil
		}
		return Faults{{Origin: Origin{Env: name}, Key: key, Problem: "the environment spells single values only, and this is ignored", Fix: "set it in the file"}}
	}
	return Faults{{Origin: Origin{Env: name}, Problem: "names no setting and is ignored", Fix: strictyaml.DidYouMean(name, names)}}
}

// topKey returns the part of a key before its first list index or map name: "routes" for routes[].path.
func topKey(key string) string {
	if before, _, found := strings.Cut(key, "[]"); found {
		return before
	}
	before, _, _ := strings.Cut(key, ".NAME")
	return before
}

func setFlags(d *strictyaml.Decoder, flags []Flag, c *Config) {
	for _, f := range flags {
		override(d, Origin{Flag: f.Name}, f.Key, f.Text, c)
	}
}

// override sets one scalar from outside the file.
func override(d *strictyaml.Decoder, at Origin, key, text string, c *Config) {
	if !d.Override(at, key, text, c) {
		d.Faults = append(d.Faults, unknownSetting(at, key))
	}
}

// unknownSetting is the fault for a key that names no setting, or a setting with more than one value.
func unknownSetting(at Origin, key string) Fault {
	var scalars []string
	for _, s := range Settings() {
		if s.Env != "" {
			scalars = append(scalars, s.Key)
			continue
		}
		if top := topKey(s.Key); key == top || strings.HasPrefix(key, top+".") || strings.HasPrefix(key, top+"[") {
			return Fault{Origin: at, Key: key, Problem: "takes more than one value", Fix: "set it in the file"}
		}
	}
	return Fault{Origin: at, Key: key, Problem: "is not a known key", Fix: strictyaml.DidYouMean(key, scalars)}
}

// Peek returns what Load would, but not validated, for commands that call a running gateway. It ignores faults in the
// file, because the gateway may be running with an earlier version of it.
func Peek(o Options) *Config {
	d := &strictyaml.Decoder{File: o.Path, Origins: map[string]Origin{}}
	c := Default()
	if o.Path != "" {
		source := o.Source
		if source == nil {
			source, _ = os.ReadFile(o.Path) // no file: the defaults
		}
		d.Decode(source, c)
	}
	_ = environment(d, o.Environ, c) // serve prints its warnings
	setFlags(d, o.Flags, c)
	return c
}
